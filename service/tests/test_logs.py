"""Logs: one JSON object a line, from every process, whoever writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from .sandboxes import SandboxProcess, charge_params, connected
from .services import CHECKOUT, WalletProcess

PROGRAM = """
import asyncio, logging, structlog
from service.logs import configure_logging

configure_logging()
log = structlog.get_logger()
log.info("ours", orgId="org-1", amountPence=-1975, balanceAfter=2**60, text="two\\nlines, and £")
log.debug("too_much")
logging.getLogger("a.library").warning("theirs %s", "told")
logging.getLogger("a.library").info("chatter")


def fail():
    raise ValueError("hunter2")


try:
    fail()
except ValueError:
    log.exception("failed", eventId="evt_1")
    logging.getLogger("a.library").exception("failed as well")


async def crash():
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)


asyncio.run(crash())
"""


def lines_of(output: str) -> list[dict[str, Any]]:
    """Every line is an object that begins with when, how bad, and what."""
    lines = [json.loads(line) for line in output.splitlines()]
    for line in lines:
        assert list(line)[:3] == ["time", "level", "event"]
        assert line["time"].endswith("Z")
    return lines


def test_our_lines_and_those_of_libraries_look_alike() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
    ours, theirs, *failures = lines_of(result.stderr)

    assert (ours["level"], ours["event"]) == ("info", "ours")
    assert (ours["orgId"], ours["amountPence"], ours["balanceAfter"]) == ("org-1", -1975, 2**60)
    assert ours["text"] == "two\nlines, and £"
    assert (theirs["level"], theirs["event"]) == ("warning", "theirs told")
    assert theirs["logger"] == "a.library"

    # Where an error came from is told, and not what it says: that may quote a row or a URL.
    assert [line["errorType"] for line in failures] == ["ValueError"] * 3
    assert all(line["traceback"][-1].endswith(" fail") for line in failures)
    assert failures[0]["eventId"] == "evt_1"
    assert failures[2]["logger"] == "asyncio"
    assert "hunter2" not in result.stderr


async def test_the_sandbox_logs_as_the_others_do(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path) as process:
        async with connected(process.wait_for_url()) as sandbox:
            await sandbox.stripe.v1.payment_intents.create_async(
                charge_params(*await sandbox.add_customer())
            )
        assert process.stop() == 0
    events = {line["event"] for line in lines_of(process.log)}
    assert {"sandbox_started", "sandbox_request", "sandbox_stopping"} <= events


def test_all_that_wallet_run_starts_logs_alike(tmp_path: Path) -> None:
    with WalletProcess(tmp_path, "run", PORT="0") as process:
        process.wait_until(lambda: "books_checked" in process.log)
        assert process.stop() == 0
    events = {line["event"] for line in lines_of(process.log)}
    assert {"started", "sandbox_started", "worker_started", "worker_stopped", "stopped"} <= events
