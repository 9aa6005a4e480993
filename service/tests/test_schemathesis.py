"""The running service held to its description by schemathesis, as each kind of caller.

No answer may be a fault, have a status, header or key that isn't described, come to somebody who
has not proved who they are, or take what the description forbids.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..run import ensure_service_role
from .openapi import Description
from .organizations import fill
from .sandboxes import KEY, SandboxProcess
from .schemathesis_hooks import SECRET
from .services import CHECKOUT, WHSEC, WalletProcess, service_url
from .tenants import JWT_SECRET, make_token

Connection = psycopg.Connection[Any]

CONFIG = Path(__file__).with_name("schemathesis.toml")
COMMAND = "from schemathesis.cli import schemathesis; schemathesis()"
API_TOKEN = "the-api-token-of-the-tests-" + "x" * 8
EXAMPLES = 20


@dataclass(frozen=True)
class Target:
    """A running service, a customer's token, and ids that are there for those of the examples."""

    url: str
    token: str
    ids: dict[str, str]
    folder: Path


@pytest.fixture
def target(database: str, connect: Callable[..., Connection], tmp_path: Path) -> Iterator[Target]:
    ensure_service_role(database)
    connection = connect()
    org_id = fill(connection, "acme", 12_34)
    # The sandbox never met the customer that it has there.
    connection.execute("update wallet.organizations set stripe_customer_id = null")
    ids = {
        "6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10": str(org_id),
        "2299e170-63a0-4207-b72c-d532c62f223c": find(
            connection, "id::text from wallet.topups where status = 'paid'"
        ),
        "evt_1SVexample": find(connection, "event_id from wallet.processed_stripe_webhooks"),
    }
    for name in ("sandbox", "service"):
        (tmp_path / name).mkdir()
    with SandboxProcess(tmp_path / "sandbox") as sandbox:
        settings = {
            "DATABASE_URL": service_url(database),
            "STRIPE_WEBHOOK_SECRET": WHSEC,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_API_BASE": sandbox.wait_for_url(),
            "VAPI_WEBHOOK_SECRET": SECRET,
            "TWILIO_AUTH_TOKEN": SECRET,
            "API_TOKEN": API_TOKEN,
            "JWT_SECRET": JWT_SECRET,
            "CHECKOUT_RETURN_URL": "https://shop.example.com/wallet",
            "PORT": "0",
        }
        with WalletProcess(tmp_path / "service", "serve", **settings) as service:
            yield Target(service.wait_for_url(), make_token(org_id), ids, tmp_path)


def find(connection: Connection, what: str) -> str:
    [(found,)] = connection.execute(f"select {what} limit 1".encode()).fetchall()
    return str(found)


def run_schemathesis(target: Target, *options: str, **environment: str) -> None:
    """Fail with what it prints, unless it finds nothing."""
    text = json.dumps(Description(closed=True).document)
    for example, there in target.ids.items():
        assert example in text
        text = text.replace(example, there)
    document = target.folder / "closed.json"
    document.write_text(text)
    command = [
        *(sys.executable, "-c", COMMAND, "--config-file", str(CONFIG)),
        *("run", str(document), "--url", target.url, "--no-color"),
        *("--max-examples", str(EXAMPLES)),
        *("--generation-database", "none", *options),
    ]
    hooks = {"PYTHONPATH": str(CHECKOUT), "SCHEMATHESIS_HOOKS": "service.tests.schemathesis_hooks"}
    done = subprocess.run(
        command,
        cwd=target.folder,
        env=os.environ | hooks | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


PHASES = ("--phases", "examples,coverage,fuzzing")


def test_a_customer(target: Target) -> None:
    token = ("--header", f"Authorization: Bearer {target.token}")
    run_schemathesis(target, *token, *PHASES, "--include-tag", "Wallet", "--include-tag", "Top-ups")


def test_an_operator(target: Target) -> None:
    token = ("--header", f"Authorization: Bearer {API_TOKEN}")
    also = ("--include-operation-id", "startTopup")
    run_schemathesis(target, *token, *PHASES, "--include-tag", "Operators", *also)


def test_a_stranger(target: Target) -> None:
    run_schemathesis(target, "--phases", "examples,coverage")


def test_the_providers(target: Target) -> None:
    run_schemathesis(target, *PHASES, "--include-tag", "Webhooks", CALLER="provider")
