"""pgTAP, the assertions of the SQL tests: found on the server, or fetched once and checked."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

SCHEMA = "tap"
CACHE = Path(__file__).parents[2] / ".pgwallet" / "cache"
FETCH_SECONDS = 180


class PgTapMissing(Exception):
    """pgTAP is neither here nor to be had; the message says what to install."""


class Source(NamedTuple):
    version: str
    sha256: str
    fetch: Callable[[Path], bytes]


def install(url: str, cache: Path = CACHE) -> None:
    """Put pgTAP into a schema of its own."""
    with psycopg.connect(url) as connection:
        connection.execute(f"create schema {SCHEMA}")
        connection.execute(f"grant usage on schema {SCHEMA} to public")
        if connection.execute("select from pg_available_extensions where name = 'pgtap'").rowcount:
            connection.execute(f"create extension pgtap schema {SCHEMA}")
        else:
            connection.execute(f"set local search_path = {SCHEMA}")
            connection.execute(find_sql(cache, SOURCES))


def find_sql(cache: Path, sources: Sequence[Source]) -> bytes:
    """pgTAP's SQL: from the cache, or fetched into it from the first source that works."""
    for source in sources:
        cached = cache / f"pgtap-{source.version}.sql"
        if cached.is_file() and _matches(source, content := cached.read_bytes()):
            return content
    failures = []
    for source in sources:
        try:
            content = _fetch(source)
        except (OSError, subprocess.SubprocessError, tarfile.TarError, LookupError) as exc:
            failures.append(f"{source.fetch.__name__}: {_explain(exc)}")
            continue
        cache.mkdir(parents=True, exist_ok=True)
        cached = cache / f"pgtap-{source.version}.sql"
        # Several workers may be here at once.
        partial = cached.with_suffix(f".partial-{os.getpid()}")
        partial.write_bytes(content)
        partial.replace(cached)
        return content
    raise PgTapMissing(
        "The SQL tests need pgTAP, which is fetched with npm: install npm and try again"
        f" ({'; '.join(failures)})."
    )


def fetch_from_npm(folder: Path) -> bytes:
    package = "@electric-sql/pglite-pgtap@0.0.15"
    _run("npm", "pack", "--silent", "--ignore-scripts", package, folder=folder)
    (archive,) = folder.glob("*.tgz")
    inner = _read_member(archive.read_bytes(), "package/dist/pgtap.tar.gz")
    return _read_member(inner, "share/postgresql/extension/pgtap--1.3.5.sql")


def fetch_from_debian(folder: Path) -> bytes:
    _run("apt-get", "download", "postgresql-15-pgtap", folder=folder)
    (archive,) = folder.glob("*.deb")
    files = _run("dpkg-deb", "--fsys-tarfile", archive.name, folder=folder)
    return _read_member(files, "./usr/share/postgresql/15/extension/pgtap--1.2.0.sql")


SOURCES = (
    Source(
        version="1.3.5",
        sha256="92ee8ada9672e6201105a78614be8d07b8a76e5c17c85b42c279f6e48c84da68",
        fetch=fetch_from_npm,
    ),
    Source(
        version="1.2.0",
        sha256="203cc5839a143c567bd36ebfc93085fd124be46d0f990b5dba5399a51d6c75e9",
        fetch=fetch_from_debian,
    ),
)


def _fetch(source: Source) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        content = source.fetch(Path(folder))
    if not _matches(source, content):
        raise LookupError(f"what came is not pgTAP {source.version} as it was published")
    return content


def _matches(source: Source, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == source.sha256


def _run(*command: str, folder: Path) -> bytes:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=FETCH_SECONDS,
    )
    return done.stdout


def _read_member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(name)
        if member is None:
            raise LookupError(f"{name} is not a file")
        return member.read()


def _explain(exc: Exception) -> str:
    if isinstance(exc, subprocess.CalledProcessError):
        words: str = exc.stderr.decode(errors="replace").strip()
        return words.splitlines()[-1] if words else f"exit status {exc.returncode}"
    return str(exc)
