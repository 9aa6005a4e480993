"""Which living processes are the PostgreSQL server of a data directory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .account import run_quietly

PROC = Path("/proc")


@dataclass(frozen=True)
class Postmaster:
    """A living server as its postmaster.pid describes it."""

    pid: int
    socket_dir: Path
    ready: bool


def find_postmaster(data: Path) -> Postmaster | None:
    """The living server of a data directory, if there is one."""
    pid = read_pid(data / "postmaster.pid")
    if pid is None or not serves(pid, data):
        return None
    with suppress(OSError):
        # pid, data, start time, port, socket folder, listen address, shared memory, status
        lines = [*(data / "postmaster.pid").read_text().splitlines(), *[""] * 8]
        return Postmaster(pid, Path(lines[4]), lines[7].strip() == "ready")
    return None


def server_processes(data: Path) -> set[int]:
    """The PostgreSQL processes of a data directory; known only where there is /proc."""
    if not PROC.is_dir():
        return set()
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return {pid for pid in pids if serves(pid, data)}


def serves(pid: int, data: Path) -> bool:
    """Whether a process is PostgreSQL in this data directory, not one that got its old pid."""
    if not PROC.is_dir():
        return f"-D {data} " in run_quietly(["ps", "-o", "command=", "-p", str(pid)]).stdout
    with suppress(OSError):
        process = PROC / str(pid)
        return (process / "comm").read_text() == "postgres\n" and data.samefile(process / "cwd")
    return False


def process_exists(pid: int | None) -> bool:
    """Whether a pid is taken; one that can't be read stops PostgreSQL just the same."""
    if pid is None:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def read_pid(path: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return abs(int(path.read_text().split()[0])) or None
    return None


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
