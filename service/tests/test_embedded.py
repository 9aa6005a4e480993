"""The embedded server: real processes, real kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from ..database import account, embedded, postmaster
from ..database.account import Account
from ..database.embedded import (
    EmbeddedServer,
    EmbeddedServerError,
    EmbeddedServerRunning,
    borrow_server,
    find_binaries,
    running_server,
)

REPOSITORY = Path(__file__).resolve().parents[2]
UNSHARE = ("unshare", "--user", "--map-user=1", "--map-group=1")

START_AND_WAIT = """
with EmbeddedServer(home) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can")


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to copy, which is faster than to make one."""
    home = tmp_path_factory.mktemp("initialised")
    with EmbeddedServer(home):
        pass
    return home / "data"


@pytest.fixture
def home(tmp_path: Path, initialised: Path) -> Path:
    home = tmp_path / "home"
    shutil.copytree(initialised, home / "data")
    return home


@contextmanager
def python(
    code: str, home: Path, *, prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has imported the module and knows `home`."""
    preamble = f"import os, sys, pathlib\nfrom {embedded.__name__} import *\n"
    preamble += "home = pathlib.Path(sys.argv[1])\n"
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", preamble + code, str(home)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.communicate(timeout=60)


@contextmanager
def launcher(home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that owns the server of `home`, and the server's pid."""
    with python(START_AND_WAIT, home) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def query(server: EmbeddedServer, statement: str, dbname: str = "postgres") -> str:
    with psycopg.connect(server.url(dbname), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return str(row[0]) if row else ""


def fake_pid_files(home: Path, first_line: str) -> None:
    (home / "socket").mkdir(mode=0o700, exist_ok=True)
    rest = f"\n{home / 'data'}\n1700000000\n5432\n{home / 'socket'}\n\n  1 1\nready   \n"
    (home / "data" / "postmaster.pid").write_text(first_line + rest if first_line else "")
    (home / "socket" / ".s.PGSQL.5432.lock").write_text(first_line + rest if first_line else "")


@pytest.mark.parametrize("major", [18, 16, 15])
def test_first_start_makes_a_private_utf8_cluster_with_checksums(
    major: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        binaries = find_binaries(major)
    except EmbeddedServerError:
        pytest.skip(f"PostgreSQL {major} is not installed")
    with EmbeddedServer(tmp_path / "not" / "there" / "yet", binaries=binaries) as server:
        assert query(server, "show server_version_num").startswith(str(major))
        assert query(server, "show server_encoding") == "UTF8"
        assert query(server, "show data_checksums") == "on"
        assert query(server, "show listen_addresses") == ""
        assert query(server, "select datcollate from pg_database limit 1") == "C"
        if major >= 17:
            assert query(server, "select datlocale from pg_database limit 1") == "C.UTF-8"
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        assert server.data.stat().st_mode & 0o777 == 0o700
    assert capfd.readouterr() == ("", "")
    assert list(server.home.glob("data.*")) == []


def test_data_stay_and_stop_can_be_called_twice(home: Path) -> None:
    server = EmbeddedServer(home)
    server.stop()
    server.start()
    server.start()
    first_pid = server.pid
    with psycopg.connect(server.ensure_database("kept")) as connection:
        connection.execute("create table kept as select 42 as answer")
    server.stop()
    server.stop()
    assert not alive(first_pid)
    with pytest.raises(EmbeddedServerError, match="is not running"):
        server.url()

    with EmbeddedServer(home) as server:
        assert query(server, "select answer from kept", "kept") == "42"


def test_the_server_is_stopped_when_the_block_raises(home: Path) -> None:
    server = EmbeddedServer(home)
    with pytest.raises(psycopg.errors.DivisionByZero), server:
        query(server, "select 1 / 0")
    assert postmaster.server_processes(server.data) == set()


def test_ensure_database_takes_any_name_twice(home: Path) -> None:
    with EmbeddedServer(home) as server:
        for name in ("pgwallet", 'Strange "name" /?&%é'):
            assert server.ensure_database(name) == server.ensure_database(name)
            assert query(server, "select current_database()", name) == name


def test_options_reach_the_server_but_not_the_network(home: Path) -> None:
    options = {
        "work_mem": "5MB",
        "application_name": "it's $HOME and `id`",
        "listen_addresses": "*",
        "port": "1234",
    }
    with EmbeddedServer(home, options=options) as server:
        assert query(server, "show work_mem") == "5MB"
        assert query(server, "show listen_addresses") == ""
        with psycopg.connect(server.url("postgres")) as connection:
            reset = "select reset_val from pg_settings where name = 'application_name'"
            assert connection.execute(reset).fetchone() == ("it's $HOME and `id`",)


def test_the_environment_stays_outside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1234")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_secret")
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"
        environment = Path(f"/proc/{server.pid}/environ")
        if environment.exists():
            assert b"whsec_secret" not in environment.read_bytes()


def test_ctrl_c_in_our_terminal_does_not_reach_the_server(home: Path) -> None:
    with EmbeddedServer(home) as server:
        assert os.getpgid(server.pid) != os.getpgrp()
        assert os.getsid(server.pid) != os.getsid(0)


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1])
def test_an_interrupted_start_leaves_no_server(delay: float, home: Path) -> None:
    with python(START_AND_WAIT, home) as process:
        wait_for((home / "postgres.log").exists)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    time.sleep(0.2)
    assert postmaster.server_processes(home / "data") == set()


def test_a_second_owner_is_told_who_the_first_is(home: Path) -> None:
    with launcher(home) as (process, server_pid):
        with pytest.raises(EmbeddedServerRunning, match=f"process {process.pid}") as caught:
            EmbeddedServer(home).start()
        assert caught.value.pid == process.pid
        running = running_server(home)
        assert running is not None
        assert running.pid == server_pid
        assert query(running, "select 1") == "1"
        running.stop()
        assert alive(server_pid), "it was not ours to stop"
    assert running_server(home) is None
    assert not alive(server_pid)


def test_a_server_is_its_owners_even_within_one_process(home: Path) -> None:
    with EmbeddedServer(home), pytest.raises(EmbeddedServerRunning):
        EmbeddedServer(home).start()


def test_a_pid_file_of_the_dead_is_survived(home: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    fake_pid_files(home, str(dead.pid))
    assert running_server(home) is None
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"


def test_a_pid_file_that_names_a_process_of_others_is_survived_and_so_is_the_process(
    home: Path,
) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        fake_pid_files(home, str(bystander.pid))
        assert running_server(home) is None
        with EmbeddedServer(home) as server:
            assert query(server, "select 1") == "1"
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_an_unreadable_pid_file_is_survived(home: Path, content: str) -> None:
    fake_pid_files(home, content)
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"


def test_the_server_of_a_killed_owner_is_taken_over(home: Path) -> None:
    with launcher(home) as (process, orphan):
        running = running_server(home)
        assert running is not None
        with psycopg.connect(running.url("postgres"), autocommit=True) as connection:
            connection.execute("create table kept as select 42 as answer")
        process.kill()
        process.wait()
    assert alive(orphan)
    assert running_server(home) is None, "nobody owns it"
    with EmbeddedServer(home) as server:
        assert server.pid != orphan
        assert not alive(orphan)
        assert query(server, "select answer from kept") == "42"
    assert "not properly shut down" not in server.log.read_text()


def test_a_killed_postmaster_is_noticed_and_its_busy_children_are_ended(home: Path) -> None:
    def burn(url: str) -> None:
        with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
            connection.execute("select count(*) from generate_series(1, 1e15::bigint)")

    with EmbeddedServer(home) as server:
        busy = threading.Thread(target=burn, args=[server.url("postgres")])
        busy.start()
        burning = """
            select count(*) from pg_stat_activity
            where query like '%1e15%' and pid <> pg_backend_pid()
        """
        wait_for(lambda: query(server, burning) == "1")
        os.kill(server.pid, signal.SIGKILL)
        wait_for(lambda: postmaster.find_postmaster(home / "data") is None)
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"
    busy.join(timeout=10)
    assert not busy.is_alive()


def test_an_initdb_that_was_killed_half_way_is_done_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with python(START_AND_WAIT, home) as process:
        wait_for(lambda: list(home.glob("data.*/base")))
        process.kill()
        process.wait()
    assert not (home / "data").exists()
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"

    def is_tidy() -> bool:
        # The initdb that lost its owner may have gone on writing for a moment.
        with EmbeddedServer(home):
            return [path.name for path in home.glob("data*")] == ["data"]

    wait_for(is_tidy)


def test_data_of_another_major_version_are_refused(home: Path) -> None:
    (home / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(
        EmbeddedServerError, match="made by PostgreSQL 17, and this is PostgreSQL 18"
    ):
        EmbeddedServer(home).start()
    (home / "data" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"


def test_a_folder_that_is_no_cluster_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(EmbeddedServerError, match="neither empty nor a PostgreSQL data directory"):
        EmbeddedServer(tmp_path).start()
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("use", ["EmbeddedServer(home).start()", "borrow_server(home).__enter__()"])
def test_a_home_that_we_may_not_write_is_named(use: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    code = f"""
try:
    {use}
except EmbeddedServerError as exc:
    print(exc)
"""
    with python(code, home, prefix=UNSHARE if os.geteuid() == 0 else ()) as process:
        output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.startswith(f"The embedded PostgreSQL can't use {home}/")
    assert "Permission denied" in output


def test_a_failed_start_shows_the_end_of_the_log_and_leaves_no_lock(home: Path) -> None:
    with EmbeddedServer(home):
        pass
    with pytest.raises(EmbeddedServerError, match="no_such_library") as caught:
        EmbeddedServer(home, options={"shared_preload_libraries": "no_such_library"}).start()
    assert "postgres.log" in str(caught.value)
    assert "ready to accept" not in str(caught.value), "that was in the run before"
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"


@pytest.mark.parametrize("name", ["with space, comma & 'quotes'", "größe %41", "x" * 150])
def test_any_usual_path_will_do(name: str, tmp_path: Path, initialised: Path) -> None:
    home = tmp_path / name
    shutil.copytree(initialised, home / "data")
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"
        running = running_server(home)
        assert running is not None
        assert running.socket_dir == server.socket_dir
        socket_dir = server.socket_dir
        assert len(os.fsencode(socket_dir / ".s.PGSQL.5432")) <= 107
        assert socket_dir.stat().st_mode & 0o777 == 0o700
    assert not socket_dir.exists()


@pytest.mark.parametrize("name", ["a$b", 'a"b', "a`b"])
def test_a_path_that_the_shell_would_read_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="must not contain"):
        EmbeddedServer(tmp_path / name).start()


@pytest.fixture
def shared_temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in for the temp folder that everybody shares, short enough for a socket's path."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.mark.parametrize("trap", ["symlink", "open", "file", "foreign"])
def test_a_socket_folder_that_somebody_else_prepared_is_refused(
    trap: str, shared_temp: Path, initialised: Path
) -> None:
    home = shared_temp / ("x" * 150)
    shutil.copytree(initialised, home / "data")
    with EmbeddedServer(home) as server:
        folder = server.socket_dir
    assert folder.parent == shared_temp
    if trap == "symlink":
        (shared_temp / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(shared_temp / "elsewhere")
    elif trap == "open":
        folder.mkdir()
        folder.chmod(0o777)
    elif trap == "file":
        folder.touch(mode=0o600)
    else:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, 12345)
    with pytest.raises(EmbeddedServerError, match="with mode 700: remove it"):
        EmbeddedServer(home).start()


def test_a_long_log_is_put_aside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_LOG_BYTES", 1000)
    (home / "postgres.log").write_text("x" * 1001)
    with EmbeddedServer(home) as server:
        assert (home / "postgres.log.1").stat().st_size == 1001
        assert "ready to accept connections" in server.log.read_text()


def test_missing_programs_are_named() -> None:
    with pytest.raises(EmbeddedServerError, match=r"No PostgreSQL 9 was found.*DATABASE_URL"):
        find_binaries(9)


def test_a_borrower_starts_and_stops_the_server_that_nobody_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with borrow_server(home) as server:
        pid = server.pid
        assert query(server, "select 1") == "1"
    assert not alive(pid)


def test_a_borrower_leaves_the_server_of_another_alone(home: Path) -> None:
    with launcher(home) as (_, server_pid):
        with borrow_server(home) as server:
            assert server.pid == server_pid
        assert alive(server_pid)


def test_borrowers_share_one_server_until_the_last_is_done(home: Path) -> None:
    borrow = """
import psycopg
with borrow_server(home) as server:
    with psycopg.connect(server.ensure_database("shared"), autocommit=True) as connection:
        connection.execute("select pg_sleep(0.3)")
"""
    with (
        python(borrow, home) as a,
        python(borrow, home) as b,
        python(borrow, home) as c,
        python(borrow, home) as d,
    ):
        for process in (a, b, c, d):
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
    assert postmaster.server_processes(home / "data") == set()


def test_processes_are_told_apart_without_proc(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedServer(home) as server:
        pid = server.pid
        monkeypatch.setattr(postmaster, "PROC", home / "no-proc")
        assert postmaster.serves(pid, server.data)
        assert not postmaster.serves(pid, home / "other")
        assert not postmaster.serves(os.getpid(), server.data)
        assert server.pid == pid
        running = running_server(home)
        assert running is not None
        assert running.pid == pid


@needs_root
def test_an_ordinary_user_needs_no_stand_in(tmp_path: Path) -> None:
    if subprocess.run([*UNSHARE, "true"], check=False).returncode != 0:
        pytest.skip("user namespaces are not available")
    code = """
assert os.geteuid() != 0
with EmbeddedServer(home) as server:
    assert open(f"/proc/{server.pid}/status").read().count("Uid:\\t1\\t")
    print(server.ensure_database())
"""
    with python(code, tmp_path / "home", prefix=UNSHARE) as process:
        output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.startswith("postgresql://")


def setpriv_only() -> Iterator[Account]:
    return (account for account in REAL_STAND_INS() if account.prefix[0] == "setpriv")


REAL_STAND_INS = account.stand_ins


@pytest.fixture
def reachable_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that other users can get to, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory(prefix="pgwallet-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


@needs_root
def test_root_falls_back_to_another_account_and_returns(
    reachable_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = reachable_home
    with monkeypatch.context() as patch:
        patch.setattr(account, "stand_ins", setpriv_only)
        with EmbeddedServer(home) as server:
            owner = Path(f"/proc/{server.pid}").stat().st_uid
            assert owner != 0
            assert server.socket_dir.stat().st_uid == owner
            assert server.socket_dir.stat().st_mode & 0o777 == 0o700
            assert query(server, "select 1") == "1"
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"
        expected = next(REAL_STAND_INS()).uid
        assert (home / "data" / "base").stat().st_uid == expected


@needs_root
def test_root_is_told_what_to_do_when_nobody_can_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(account, "stand_ins", setpriv_only)
    with pytest.raises(EmbeddedServerError, match=r"as an ordinary user, or set DATABASE_URL"):
        EmbeddedServer(tmp_path / "home").start()


@needs_root
def test_root_only_homes_are_reached_through_a_user_namespace(
    tmp_path: Path, initialised: Path
) -> None:
    if subprocess.run([*UNSHARE, "true"], check=False).returncode != 0:
        pytest.skip("user namespaces are not available")
    home = tmp_path / "secluded" / "home"
    shutil.copytree(initialised, home / "data")
    home.parent.chmod(0o700)
    with EmbeddedServer(home) as server:
        assert query(server, "select 1") == "1"
    assert home.parent.stat().st_mode & 0o777 == 0o700
