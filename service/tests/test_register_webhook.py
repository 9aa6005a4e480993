"""`wallet register-webhook`: the endpoint at Stripe, and where its secret goes."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from ..settings import Settings
from ..stripe_api.endpoint import API_VERSION
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import wallet

URL = "https://wallet.example.com/api/webhooks/stripe"
LIVE_KEY = "sk_live_of_the_tests"

Register = Callable[..., Awaitable[CompletedProcess[str]]]


@pytest.fixture
def register(database: str, tmp_path: Path) -> Register:
    """Runs `wallet register-webhook` against a sandbox."""

    async def run(
        sandbox: RunningSandbox, *arguments: str, url: str = URL, **settings: str
    ) -> CompletedProcess[str]:
        environment = {
            "DATABASE_URL": database,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_API_BASE": sandbox.url,
            **settings,
        }
        return await asyncio.to_thread(
            wallet, tmp_path, "register-webhook", "--url", url, *arguments, **environment
        )

    return run


@pytest.fixture
def event_types(connect: Callable[..., Any]) -> list[str]:
    [(types,)] = connect().execute("select wallet.stripe_event_types()").fetchall()
    return list(types)


async def add_endpoint(sandbox: RunningSandbox, event_types: list[str], **fields: Any) -> Any:
    params: Any = {"url": URL, "enabled_events": event_types, "api_version": API_VERSION, **fields}
    return await sandbox.stripe.v1.webhook_endpoints.create_async(params)


def secrets_in(folder: Path, name: str = ".env") -> list[str]:
    """What the service would read from there."""
    settings = Settings(_env_file=folder / name)  # type: ignore[call-arg]
    return list(settings.webhook_secrets)


def files_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_the_endpoint_is_created_once_for_exactly_our_events(
    register: Register, event_types: list[str], tmp_path: Path
) -> None:
    async with running_test_sandbox() as sandbox:
        first = await register(sandbox)
        assert first.returncode == 0, first.stderr
        [endpoint] = await sandbox.objects("webhook_endpoint")
        assert endpoint["url"] == URL
        assert endpoint["enabled_events"] == event_types
        assert endpoint["api_version"] == API_VERSION
        assert f"Created {endpoint['id']} for {len(event_types)} event types" in first.stdout

        [secret] = secrets_in(tmp_path)
        assert secret.startswith("whsec_")
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        assert secret not in first.stdout + first.stderr

        second = await register(sandbox)
        assert second.returncode == 0
        assert second.stdout == f"{endpoint['id']} is as it should be: nothing to change.\n"
        assert await sandbox.objects("webhook_endpoint") == [endpoint]
        assert secrets_in(tmp_path) == [secret]


async def test_an_endpoint_of_this_url_is_updated(
    register: Register, event_types: list[str]
) -> None:
    async with running_test_sandbox() as sandbox:
        other = await add_endpoint(sandbox, ["invoice.paid"], url="https://example.com/other")
        endpoint = await add_endpoint(sandbox, [*event_types[1:], "invoice.paid"])
        await sandbox.stripe.v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})

        result = await register(sandbox)
        assert result.returncode == 0, result.stderr
        assert f"Updated {endpoint.id}: enabled, for {len(event_types)} event types." in (
            result.stdout
        )
        assert "STRIPE_WEBHOOK_SECRET is not set" in result.stdout
        untouched, updated = await sandbox.objects("webhook_endpoint")
        assert (untouched["id"], untouched["enabled_events"]) == (other.id, ["invoice.paid"])
        assert (updated["status"], updated["enabled_events"]) == ("enabled", event_types)


async def test_another_api_version_takes_a_new_endpoint(
    register: Register, event_types: list[str], tmp_path: Path
) -> None:
    """docs.stripe.com/api/webhook_endpoints/object: it can't be changed after creation."""
    (tmp_path / ".env").write_text("STRIPE_WEBHOOK_SECRET=whsec_old\n")
    async with running_test_sandbox() as sandbox:
        old = await add_endpoint(sandbox, event_types, api_version="2020-08-27")

        refused = await register(sandbox)
        assert refused.returncode == 1
        assert f"{old.id} has the API version 2020-08-27" in refused.stderr
        assert "--replace" in refused.stderr
        assert await sandbox.count("webhook_endpoint") == 1

        replaced = await register(sandbox, "--replace")
        assert replaced.returncode == 0, replaced.stderr
        before, after = await sandbox.objects("webhook_endpoint")
        assert (before["status"], after["status"]) == ("disabled", "enabled")
        assert after["api_version"] == API_VERSION
        assert f"Disabled {old.id}." in replaced.stdout
        assert secrets_in(tmp_path)[1:] == ["whsec_old"]
        assert "nothing to change" in (await register(sandbox)).stdout


async def test_a_lost_secret_is_replaced(
    register: Register, event_types: list[str], tmp_path: Path
) -> None:
    async with running_test_sandbox() as sandbox:
        lost = await add_endpoint(sandbox, event_types)
        unchanged = await register(sandbox)
        assert "run this again with --replace" in unchanged.stdout
        assert not (tmp_path / ".env").exists()

        assert (await register(sandbox, "--replace")).returncode == 0
        assert len(secrets_in(tmp_path)) == 1
        statuses = {
            each["id"]: each["status"] for each in await sandbox.objects("webhook_endpoint")
        }
        assert statuses.pop(lost.id) == "disabled"
        assert list(statuses.values()) == ["enabled"]


async def test_a_second_endpoint_of_the_url_is_named(
    register: Register, event_types: list[str]
) -> None:
    async with running_test_sandbox() as sandbox:
        await add_endpoint(sandbox, event_types)
        second = await add_endpoint(sandbox, ["*"], api_version="2020-08-27")
        result = await register(sandbox)
        assert result.returncode == 0
        assert f"{second.id} of the same URL sends every event once more" in result.stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "STRIPE_WEBHOOK_SECRET=NEW\n"),
        ("PORT=1", "PORT=1\nSTRIPE_WEBHOOK_SECRET=NEW\n"),
        (
            "# Zoë's\nPORT=1\nSTRIPE_WEBHOOK_SECRET=whsec_old\nHOST=::1\n",
            "# Zoë's\nPORT=1\nSTRIPE_WEBHOOK_SECRET=NEW,whsec_old\nHOST=::1\n",
        ),
        (
            "export STRIPE_WEBHOOK_SECRET = 'whsec_b,whsec_a' # both\n",
            "STRIPE_WEBHOOK_SECRET=NEW,whsec_b,whsec_a\n",
        ),
        (
            "#STRIPE_WEBHOOK_SECRET=whsec_...\nSTRIPE_WEBHOOK_SECRET=\n",
            "#STRIPE_WEBHOOK_SECRET=whsec_...\nSTRIPE_WEBHOOK_SECRET=NEW\n",
        ),
    ],
)
async def test_every_other_line_of_the_file_stays(
    register: Register, tmp_path: Path, before: str, after: str
) -> None:
    file = tmp_path / "other.env"
    file.write_text(before)
    file.chmod(0o640)
    async with running_test_sandbox() as sandbox:
        result = await register(sandbox, "--env-file", "other.env")
        assert result.returncode == 0, result.stderr
        assert "in other.env, as STRIPE_WEBHOOK_SECRET" in result.stdout
    text = file.read_text()
    [secret] = re.findall(r"whsec_\w{20,}", text)
    assert text == after.replace("NEW", secret)
    assert secrets_in(tmp_path, "other.env")[0] == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert files_in(tmp_path) == ["other.env"]


async def test_the_secret_can_be_printed_instead(register: Register, tmp_path: Path) -> None:
    async with running_test_sandbox() as sandbox:
        result = await register(sandbox, "--print-secret")
        assert result.returncode == 0
        assert re.fullmatch(r"whsec_\S+\n", result.stdout)
        assert "Created we_" in result.stderr
        assert result.stdout.strip() not in result.stderr
        assert files_in(tmp_path) == []


async def test_no_endpoint_is_made_whose_secret_can_not_be_kept(
    register: Register, tmp_path: Path
) -> None:
    async with running_test_sandbox() as sandbox:
        result = await register(sandbox, "--env-file", "missing/.env")
        assert (result.returncode, result.stderr) == (
            1,
            "Error: missing/.env can't be written.\n",
        )
        (tmp_path / "latin.env").write_bytes(b"NAME=Zo\xeb\n")
        result = await register(sandbox, "--env-file", "latin.env")
        assert result.stderr == "Error: latin.env is not UTF-8 text.\n"
        assert await sandbox.count("webhook_endpoint") == 0


async def test_the_environment_wins_over_the_file(register: Register) -> None:
    async with running_test_sandbox() as sandbox:
        result = await register(sandbox, STRIPE_WEBHOOK_SECRET="whsec_of_the_environment")
        assert "of the environment wins over the file" in result.stdout
        assert "whsec_of_the_environment" not in result.stdout


@pytest.mark.parametrize(
    "url",
    [
        "http://wallet.example.com/api/webhooks/stripe",
        "wallet.example.com",
        "ftp://127.0.0.1/",
        "https://",
        "http://127.0.0.1.example.com/",
    ],
)
async def test_only_https_is_registered(register: Register, url: str) -> None:
    async with running_test_sandbox() as sandbox:
        result = await register(sandbox, url=url)
        assert result.returncode == 2
        assert "Invalid value for --url: expected https://…" in result.stderr
        assert await sandbox.control("GET", "/requests") == []


async def test_this_machine_may_be_plain_http_in_test_mode(
    register: Register, database: str, tmp_path: Path
) -> None:
    url = "http://127.0.0.1:8080/api/webhooks/stripe"
    async with running_test_sandbox() as sandbox:
        assert (await register(sandbox, url=url)).returncode == 0
    live = wallet(
        tmp_path,
        *("register-webhook", "--url", url),
        DATABASE_URL=database,
        STRIPE_SECRET_KEY=LIVE_KEY,
    )
    assert live.returncode == 2
    assert "expected https://…" in live.stderr


async def test_the_sandbox_of_a_run_has_its_endpoint_already(register: Register) -> None:
    local = "http://127.0.0.1:8080/api/webhooks/stripe"
    async with running_test_sandbox(webhook=local, secret="whsec_x") as sandbox:
        refused = await register(sandbox, "--replace", url=local)
        assert refused.returncode == 1
        assert refused.stderr == (
            "Error: The sandbox of `wallet run` sends its events there already.\n"
        )
        [endpoint] = await sandbox.objects("webhook_endpoint")
        assert endpoint["status"] == "enabled"


async def test_what_stripe_refuses_is_one_sentence(register: Register, tmp_path: Path) -> None:
    async with running_test_sandbox() as sandbox:
        for status, sentence in (
            (401, "Stripe doesn't accept STRIPE_SECRET_KEY"),
            (403, "STRIPE_SECRET_KEY is a restricted key that may not do this"),
            (500, "Stripe refused the request (status 500"),
        ):
            await sandbox.fault("GET", "/v1/webhook_endpoints", answer=status, times=3)
            result = await register(sandbox)
            assert result.returncode == 1
            assert sentence in result.stderr
            assert KEY not in result.stderr
            assert "Traceback" not in result.stderr
            await sandbox.control("DELETE", "/faults")
        assert not (tmp_path / ".env").exists()
