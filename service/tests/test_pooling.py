"""Behind PgBouncer in transaction mode, as deploy/pgbouncer.ini has it.

Each transaction may get another connection to the server, and the next one may be another tenant's.
PgBouncer comes from the system: where it is not installed, nothing is tested.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from aiohttp import StreamReader

from ..database.account import choose_account, hand_over
from ..database.postmaster import wait_until
from ..http.app import TOPUPS_PATH
from ..sandbox import events
from .deployments import Deployment, deployed, work_a_day
from .secured import DATABASE, DEPLOY, MIGRATOR, PASSWORDS, SecuredServer, deployed_server
from .servers import check_books
from .services import balance, open_wallet, wallet
from .tenants import make_token

Connection = psycopg.Connection[Any]

PROGRAM = shutil.which("pgbouncer")
SOCKET = ".s.PGSQL.6432"
START_SECONDS = 10

# Few, so that clients have to share them.
SERVER_CONNECTIONS = 2

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[SecuredServer]:
    with tempfile.TemporaryDirectory(prefix="pgwallet-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with deployed_server(folder) as server:
            yield server
            check_books(server.url())


@pytest.fixture(scope="module")
def pool(server: SecuredServer) -> Iterator[Path]:
    """The folder of PgBouncer's socket."""
    folder = server.embedded.home / "pgbouncer"
    folder.mkdir()
    config = ConfigParser(comment_prefixes=(";",), interpolation=None)
    config.read(DEPLOY / "pgbouncer.ini")
    config["databases"][DATABASE] = f"host={server.embedded.socket_dir} dbname={DATABASE}"
    config["pgbouncer"].update(
        listen_addr="",
        unix_socket_dir=str(folder),
        auth_file=str(folder / "userlist.txt"),
        default_pool_size=str(SERVER_CONNECTIONS),
    )
    with (folder / "pgbouncer.ini").open("w") as file:
        config.write(file)
    (folder / "userlist.txt").write_text(read_userlist(server))
    account = choose_account(server.embedded.home, server.embedded.binaries)
    hand_over(folder, account)
    command = [*account.prefix, str(PROGRAM), str(folder / "pgbouncer.ini")]
    with (
        (folder / "pgbouncer.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            assert wait_until((folder / SOCKET).exists, START_SECONDS), log.name
            yield folder
        finally:
            process.terminate()


def read_userlist(server: SecuredServer) -> str:
    """As docs/deploying.md makes it."""
    with psycopg.connect(server.url()) as connection:
        rows = connection.execute(
            """
            select format('"%s" "%s"', rolname, rolpassword) from pg_authid
             where rolname in ('wallet_http', 'wallet_jobs', 'wallet_migrator')
            """
        )
        return "".join(f"{line}\n" for (line,) in rows)


def url(login: str, pool: Path) -> str:
    password, host = PASSWORDS[f"{login.upper()}_PASSWORD"], quote(str(pool), safe="")
    return f"postgresql://{login}:{password}@/{DATABASE}?host={host}&port=6432"


@pytest.fixture
def connection(server: SecuredServer) -> Iterator[Connection]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
async def deployment(
    server: SecuredServer, connection: Connection, pool: Path, tmp_path: Path
) -> AsyncIterator[Deployment]:
    service, worker = url("wallet_http", pool), server.url("wallet_jobs")
    async with deployed(tmp_path, connection, service, worker) as deployment:
        yield deployment


async def test_the_service_does_a_day_s_work(
    deployment: Deployment, connection: Connection
) -> None:
    await work_a_day(deployment, connection)
    assert deployment.complaints() == []


async def test_the_worker_does_its_work_even_where_it_hears_nothing(
    pool: Path, connection: Connection, tmp_path: Path
) -> None:
    service, worker = url("wallet_http", pool), url("wallet_jobs", pool)
    async with deployed(tmp_path, connection, service, worker) as deployment:
        # It looks for days to reconcile once a minute.
        await work_a_day(deployment, connection, reconciles=False)
        assert deployment.complaints() == []


async def test_no_tenant_is_left_behind_on_a_connection(
    deployment: Deployment, connection: Connection, pool: Path
) -> None:
    """Two customers and Stripe, all at once, over the same few connections to the server."""
    wallets = [open_wallet(connection, balance_pence=pence) for pence in (1_00, 2_00)]

    async def look(number: int) -> None:
        org_id = wallets[number % 2]
        summary = await deployment.show("/api/wallet/summary", org_id)
        assert (summary.status, summary.body["org_id"]) == (200, str(org_id))
        foreign = wallets[(number + 1) % 2]
        listed = await deployment.show("/api/wallet/transactions", org_id)
        assert str(foreign) not in json.dumps(listed.body)

    async def pay(number: int) -> None:
        session = events.checkout_session(wallets[number % 2], 1_00)
        event = events.checkout_completed(session)
        assert (await deployment.service.deliver(event)).outcome == "200 processed"

    await asyncio.gather(*(work(number) for number in range(30) for work in (look, pay)))
    assert [balance(connection, org_id) for org_id in wallets] == [16_00, 17_00]

    logged_in_as = "select current_user::text, current_setting('request.jwt.claims', true)"
    with psycopg.connect(url("wallet_http", pool), autocommit=True) as pooled:
        for _ in range(2 * SERVER_CONNECTIONS):
            [(user, claims)] = pooled.execute(logged_in_as).fetchall()
            assert (user, claims or None) == ("wallet_http", None)


async def test_a_stream_tells_of_a_payment_that_nobody_was_notified_of(
    deployment: Deployment, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    begun = await deployment.ask(TOPUPS_PATH, {"org_id": str(org_id), "amount_pence": 50_00})
    path = f"{TOPUPS_PATH}/{begun.body['topup_id']}/events"
    headers = {"Authorization": f"Bearer {make_token(org_id)}"}
    async with deployment.service.client.get(
        deployment.service.url + path, headers=headers
    ) as stream:
        told = [
            json.loads(line[6:]) async for line in until_paid(stream.content, deployment, begun)
        ]
    assert [topup["credited"] for topup in told] == [False, True]
    assert told[-1]["balance_pence"] == 50_00


async def until_paid(
    lines: StreamReader, deployment: Deployment, begun: Any
) -> AsyncIterator[bytes]:
    """The data of each event; the top-up is paid once the first has come."""
    paid = False
    async with asyncio.timeout(30):
        async for line in lines:
            if line.startswith(b"data: "):
                yield line
                if not paid:
                    paid = True
                    await deployment.sandbox.pay(begun.body["checkout_session_id"])
                    await deployment.tell_of_stripe()


def test_migrating_works_as_well(pool: Path, tmp_path: Path) -> None:
    done = wallet(tmp_path, "migrate", DATABASE_URL=url(MIGRATOR, pool))
    assert done.returncode == 0, done.stderr
