"""A server of its own that asks for passwords, set up by the SQL files of deploy/."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from ..database.embedded import EmbeddedServer, find_binaries
from .servers import OPTIONS
from .services import CHECKOUT, wallet

DEPLOY = CHECKOUT / "deploy"

DATABASE = "wallet"
MIGRATOR = "wallet_migrator"

ASK_FOR_PASSWORDS = """\
local all postgres trust
local all all scram-sha-256
"""

PASSWORDS = {
    "WALLET_MIGRATOR_PASSWORD": "the-password-of-the-migrator",
    "WALLET_HTTP_PASSWORD": "the-password-of-the-service",
    "WALLET_JOBS_PASSWORD": "the-password-of-the-worker",
    "WALLET_OPERATOR_PASSWORD": 'it\'s "the" password of \\operators %',
}


@dataclass(frozen=True)
class SecuredServer:
    """The superuser needs no password here, so that a test can look at everything."""

    embedded: EmbeddedServer

    def url(self, login: str = "postgres", password: str | None = None) -> str:
        """For a login of deploy/, with the password that it was given first."""
        url = self.embedded.url(DATABASE, login)
        if login != "postgres":
            password = password or PASSWORDS[f"{login.upper()}_PASSWORD"]
            url = url.replace("@", f":{quote(password, safe='')}@", 1)
        return url

    def psql(
        self, file: str, url: str, environment: Mapping[str, str] = PASSWORDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a file of deploy/, as compose.yaml does."""
        return subprocess.run(
            [self.embedded.binaries / "psql", "--no-psqlrc", "--quiet", f"--file={DEPLOY / file}"],
            env={**_without_libpq(), **_libpq(url), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


@contextmanager
def secured_server(folder: Path, major: int = 18) -> Iterator[SecuredServer]:
    """Empty, but for the database and the login that migrates it."""
    embedded = EmbeddedServer(folder, binaries=find_binaries(major), options=OPTIONS)
    with embedded:
        (embedded.data / "pg_hba.conf").write_text(ASK_FOR_PASSWORDS)
        embedded.stop()
        embedded.start()
        embedded.ensure_database(DATABASE)
        server = SecuredServer(embedded)
        done = server.psql("create_migrator.sql", server.url())
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        yield server


@contextmanager
def deployed_server(folder: Path, major: int = 18) -> Iterator[SecuredServer]:
    """With the schema, and the three logins."""
    with secured_server(folder / "server", major) as server:
        done = wallet(folder, "migrate", DATABASE_URL=server.url(MIGRATOR))
        assert done.returncode == 0, done.stderr
        done = server.psql("create_logins.sql", server.url(MIGRATOR))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        yield server


def _without_libpq() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _libpq(url: str) -> dict[str, str]:
    names = {"user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE", "host": "PGHOST"}
    parameters = psycopg.conninfo.conninfo_to_dict(url)
    return {variable: str(parameters.get(name, "")) for name, variable in names.items()}
