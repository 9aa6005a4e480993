"""Starting, stopping, killing, and living through a database that goes away."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

import psycopg
import pytest
from aiohttp import ClientConnectionError, ClientSession

from ..database.embedded import EmbeddedServer
from ..database.migrate import migrate
from ..http.app import TWILIO_WEBHOOK_PATH, VAPI_WEBHOOK_PATH
from ..http.operator import RECONCILIATION_PATH
from ..run import DEMO_ORG_ID, ensure_service_role
from ..sandbox import events
from ..sandbox.vapi_calls import NewCall, end_of_call_report
from .services import (
    WHSEC,
    Service,
    WalletProcess,
    balance,
    locked_wallet,
    open_wallet,
    running_service,
    service_url,
    stored_events,
    topups,
    wait_for_lock,
    wallet,
    wallet_environment,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A checkout's stand-in, which the stand-in account of root can reach as well."""
    with tempfile.TemporaryDirectory(prefix="pgwallet-test-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def own_server(folder: Path) -> Iterator[EmbeddedServer]:
    """A migrated server that the test may stop and freeze."""
    with EmbeddedServer(folder / "server") as server:
        migrate(server.ensure_database())
        ensure_service_role(server.url())
        yield server


@pytest.fixture
def service_database(database: str) -> str:
    """The test's database for the role of the service."""
    ensure_service_role(database)
    return service_url(database)


def start_service(folder: Path, url: str, **settings: str) -> WalletProcess:
    keys = {"DATABASE_URL": url, "STRIPE_WEBHOOK_SECRET": WHSEC}
    return WalletProcess(folder, "serve", PORT="0", **keys, **settings)


async def test_a_stopped_service_finishes_the_request_in_flight(
    service_database: str, connect: Callable[..., Connection], tmp_path: Path
) -> None:
    connection, other_session = connect(), connect()
    org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    with start_service(tmp_path, service_database) as process:
        service = Service(process.wait_for_url(), ClientSession())
        async with service.client:
            with locked_wallet(other_session, org_id):
                delivery = asyncio.create_task(service.deliver(event))
                await wait_for_lock(connection)
                process.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(process.wait_until, lambda: "stopping" in process.output)
                with pytest.raises(ClientConnectionError):
                    await service.health()
                assert not delivery.done()
            assert (await delivery).outcome == "200 processed"
        assert process.process.wait(30) == 0
    assert balance(connection, org_id) == 50_00


async def test_a_stopped_service_does_not_wait_for_ever(
    service_database: str, connect: Callable[..., Connection], tmp_path: Path
) -> None:
    connection, other_session = connect(), connect()
    org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    with start_service(tmp_path, service_database, SHUTDOWN_TIMEOUT_SECONDS="0.2") as process:
        service = Service(process.wait_for_url(), ClientSession())
        async with service.client:
            with locked_wallet(other_session, org_id):
                delivery = asyncio.create_task(service.deliver(event))
                await wait_for_lock(connection)
                process.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.process.wait, 30) == 0
                with pytest.raises(ClientConnectionError):
                    await delivery
    assert stored_events(connection) == {}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_signal_to_stop_ends_the_service_with_0(
    service_database: str, tmp_path: Path, name: str
) -> None:
    # A test run under nohup would hand its deafness for SIGHUP on to the service.
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with start_service(tmp_path, service_database) as process:
            process.wait_for_url()
            assert process.stop(signal.Signals[name]) == 0
            assert "Traceback" not in process.output
    finally:
        signal.signal(signal.SIGHUP, inherited)


async def test_a_stopped_database_is_no_200_and_the_redelivery_credits_once(
    own_server: EmbeddedServer,
) -> None:
    database = own_server.url()
    with psycopg.connect(database, autocommit=True) as connection:
        org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    async with running_service(database, database_timeout_seconds=2) as service:
        await asyncio.to_thread(own_server.stop)
        started = time.monotonic()
        assert (await service.deliver(event)).outcome == "503 database_unavailable"
        assert time.monotonic() - started < 3
        assert (await service.health()).status == 503

        await asyncio.to_thread(own_server.start)
        answers = await asyncio.gather(*(service.deliver(event) for _ in range(4)))
        outcomes = sorted(answer.outcome for answer in answers)
        assert outcomes == ["200 duplicate"] * 3 + ["200 processed"]
        assert (await service.health()).status == 200

    with psycopg.connect(database, autocommit=True) as connection:
        assert topups(connection, org_id) == [(50_00, event["data"]["object"]["payment_intent"])]
        assert stored_events(connection) == {event["id"]: ("processed", 4)}


async def test_the_dead_connections_of_a_restart_fail_no_delivery(
    own_server: EmbeddedServer,
) -> None:
    async with running_service(own_server.url()) as service:
        event = events.invoice_paid(1)
        await asyncio.gather(*(service.deliver(event) for _ in range(16)))
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        answers = await asyncio.gather(*(service.deliver(event) for _ in range(16)))
    assert {answer.outcome for answer in answers} == {"200 ignored"}


async def test_a_frozen_database_is_503_within_the_timeout(own_server: EmbeddedServer) -> None:
    async with running_service(own_server.url(), database_timeout_seconds=1) as service:
        event = events.invoice_paid(1)
        assert (await service.deliver(event)).outcome == "200 ignored"
        with frozen(own_server):
            started = time.monotonic()
            answers = await asyncio.gather(*(service.deliver(event) for _ in range(4)))
            assert {answer.outcome for answer in answers} == {"503 database_unavailable"}
            assert time.monotonic() - started < 2
        assert (await service.deliver(event)).outcome == "200 ignored"


async def test_a_service_that_starts_before_its_database_finds_it_later(
    own_server: EmbeddedServer, folder: Path
) -> None:
    url = service_url(own_server.url())
    own_server.stop()

    with start_service(folder, url) as process:
        service = Service(process.wait_for_url(), ClientSession())
        async with service.client:
            assert (await service.health()).status == 503
            own_server.start()
            assert (await service.deliver(events.invoice_paid(1))).outcome == "200 ignored"
            assert (await service.health()).status == 200


async def test_no_log_line_holds_a_secret_or_a_customer(
    service_database: str, connect: Callable[..., Connection], tmp_path: Path
) -> None:
    connection = connect()
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 50_00)
    url = service_database.replace("@", ":hunter2@", 1)
    forged = events.encode(events.checkout_completed(session))
    call = NewCall(org_id=str(org_id)).build(datetime.now(UTC))
    report = json.dumps(end_of_call_report(call, datetime.now(UTC))).encode()
    secrets = {
        name: f"hunter2-{name}"
        for name in ("VAPI_WEBHOOK_SECRET", "VAPI_API_KEY", "TWILIO_AUTH_TOKEN")
    }
    with start_service(tmp_path, url, **secrets) as process:
        service = Service(process.wait_for_url(), ClientSession())
        async with service.client:
            await service.deliver(events.checkout_completed(session))
            await service.deliver(events.checkout_completed(events.checkout_session(uuid4(), 1_00)))
            await service.post(forged, {"Stripe-Signature": "t=1,v1=forged"})
            await service.post(forged[:-9], {"Stripe-Signature": events.sign(forged[:-9], WHSEC)})
            await service.client.get(service.url + "/forged?token=hunter2")
            known = {"X-Vapi-Secret": secrets["VAPI_WEBHOOK_SECRET"]}
            for body, headers in ((report, known), (report[:-9], known), (report, {})):
                await service.send(VAPI_WEBHOOK_PATH, body, headers)
            path = TWILIO_WEBHOOK_PATH + "?message_id=hunter2"
            await service.send(path, b"From=%2B442079460018", {"X-Twilio-Signature": "forged"})
        assert process.stop() == 0

    lines = [json.loads(line) for line in process.output.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [
        *(200, 500, 400, 400, 404),
        *(200, 400, 401, 400),
    ]
    assert requests[0]["balanceAfter"] == 50_00
    for hidden in (
        *(WHSEC, "hunter2", "forged"),
        *("billing@example.com", "Zoë", "N1 9GU", "442079460018", "appointment"),
    ):
        assert hidden not in process.output


def test_run_shows_how_to_see_a_payment_arrive(folder: Path) -> None:
    with WalletProcess(folder, "run", PORT="0") as process:
        topup, look = shown_commands(process)
        assert wallet(folder, "verify").returncode == 0
        pay(execute(topup, folder))
        process.wait_until(lambda: '"balanceAfter": 5000' in process.output)
        seen = execute(look, folder)
        assert "Demo organization |                 5000" in seen
        assert process.stop(signal.SIGINT) == 0
    assert_stopped(folder)

    with WalletProcess(folder, "run", PORT="0") as process:
        _, look = shown_commands(process)
        seen = execute(look, folder)
        assert "Demo organization |                 5000" in seen
        assert process.stop(signal.SIGTERM) == 0
    assert_stopped(folder)


def test_a_second_run_says_so_and_does_no_harm(folder: Path) -> None:
    with WalletProcess(folder, "run", PORT="0") as process:
        shown_commands(process)
        second = wallet(folder, "run", PORT="0")
        assert second.returncode == 1
        assert f"already run by process {process.process.pid}" in second.stderr
        assert len(second.stderr.splitlines()) == 1
        assert wallet(folder, "verify").returncode == 0
        assert process.stop() == 0


def test_a_killed_run_is_followed_by_another(folder: Path) -> None:
    with WalletProcess(folder, "run", PORT="0") as process:
        topup, _ = shown_commands(process)
        pay(execute(topup, folder))
        process.wait_until(lambda: '"balanceAfter": 5000' in process.output)
        process.process.kill()
    with WalletProcess(folder, "run", PORT="0") as process:
        _, look = shown_commands(process)
        seen = execute(look, folder)
        assert "Demo organization |                 5000" in seen
        assert process.stop() == 0
    assert_stopped(folder)


@pytest.mark.parametrize(
    "sign",
    [
        *("", "data.*", "data/postmaster.pid"),
        *("jwt_secret", "webhook_secret", "vapi_webhook_secret", "api_token"),
    ],
)
def test_a_signal_during_the_start_stops_the_database_as_well(folder: Path, sign: str) -> None:
    home = folder / ".pgwallet"
    with WalletProcess(folder, "run", PORT="0") as process:
        process.wait_until(lambda: list(home.glob(sign)) if sign else home.exists())
        assert process.stop() == 0
        assert "Traceback" not in process.output
    assert_stopped(folder)

    with WalletProcess(folder, "run", PORT="0") as process:
        shown_commands(process)
        assert process.stop() == 0


def test_the_secrets_are_made_once_and_only_we_can_read_them(folder: Path) -> None:
    paths = [
        folder / ".pgwallet" / name
        for name in ("jwt_secret", "webhook_secret", "vapi_webhook_secret", "api_token")
    ]
    secrets = set()
    for _ in range(2):
        with WalletProcess(folder, "run", PORT="0") as process:
            shown_commands(process)
            assert process.stop() == 0
        for path in paths:
            assert path.stat().st_mode & 0o777 == 0o600
            secrets.add(path.read_text().strip())
            assert path.read_text().strip() not in process.output
    assert len(secrets) == len(paths)
    assert [secret[:6] for secret in secrets].count("whsec_") == 1


def test_run_bills_the_calls_that_vapi_reports_and_those_it_keeps_silent_about(
    folder: Path,
) -> None:
    with WalletProcess(folder, "run", PORT="0") as process:
        _, look = shown_commands(process)
        url = process.wait_for_url()
        home = folder / ".pgwallet"
        sandbox = (home / "sandbox_url").read_text().strip()
        token = (home / "api_token").read_text().strip()

        call = {"org_id": str(DEMO_ORG_ID), "duration_seconds": 91}
        made = {"call": call, "count": 1, "deliver": True}
        assert ask(f"{sandbox}/_sandbox/vapi/calls", made)["statuses"] == [200]
        assert "Demo organization |                  -85" in execute(look, folder)

        ask(f"{sandbox}/_sandbox/vapi/calls", made | {"deliver": False})
        for days in (0, 1):  # it may be midnight
            day = datetime.now(UTC) - timedelta(days=days)
            ask(url + RECONCILIATION_PATH, {"date": day.date().isoformat()}, token)
        process.wait_until(
            lambda: "Demo organization |                 -170" in execute(look, folder)
        )
        assert process.stop() == 0


def ask(url: str, body: Any, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    request = Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    with urlopen(request, timeout=60) as response:  # noqa: S310
        return json.loads(response.read())


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = wallet(folder, "run", PORT=str(port))
    assert result.returncode == 1
    assert f"can't listen on 127.0.0.1, port {port}" in result.stderr
    assert_stopped(folder)


def test_where_no_port_was_asked_for_a_free_one_will_do(folder: Path) -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # whoever has it, it is taken
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        with WalletProcess(folder, "run") as process:
            topup, _ = shown_commands(process)
            assert "Port 8080 is in use: taking a free one." in process.output
            pay(execute(topup, folder))
            process.wait_until(lambda: '"balanceAfter": 5000' in process.output)
            assert process.stop() == 0


def shown_commands(process: WalletProcess) -> list[list[str]]:
    """What a run tells its reader to type next: start a top-up, look into the database."""
    process.wait_until(lambda: "Ctrl-C stops everything" in process.output)
    [psql] = re.findall(r"Database +(.*)", process.output)
    [topup] = re.findall(r".* topup --amount .*", process.output)
    query = "select name, wallet_balance_pence from wallet.organizations"
    return [shlex.split(topup), [*shlex.split(psql), "-c", query]]


def pay(page: str) -> None:
    """Press the button of the sandbox's page, whose form comes with a card filled in."""
    form = urlencode({"number": "4242424242424242", "action": "pay"}).encode()
    with urlopen(page.strip(), form, timeout=60) as response:  # noqa: S310
        assert response.status == 200


def execute(command: list[str], folder: Path) -> str:
    result = subprocess.run(
        command,
        cwd=folder,
        env=wallet_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return result.stdout


def assert_stopped(folder: Path) -> None:
    """No process works in the folder's database any more."""
    data = folder / ".pgwallet" / "data"
    assert not (data / "postmaster.pid").exists()
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            assert not cwd.readlink().is_relative_to(data.parent), f"{cwd.parent} is still there"


@contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    """Every process of the server stands still: it neither answers nor refuses."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        rows = connection.execute("select pid from pg_catalog.pg_stat_activity").fetchall()
    processes = [server.pid, *(pid for (pid,) in rows)]
    signal_all(processes, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_all(processes, signal.SIGCONT)


def signal_all(processes: list[int], signal_number: int) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)
