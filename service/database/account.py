"""Who runs PostgreSQL's programs, which refuse to be root."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Nothing else of our environment, which may hold secrets and PG* variables, reaches the server.
KEPT_ENVIRONMENT = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")


class EmbeddedServerError(Exception):
    """The embedded server can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """Who runs PostgreSQL, which refuses to be root: ourselves, or a stand-in for root."""

    prefix: tuple[str, ...]
    uid: int
    gid: int


def choose_account(home: Path, binaries: Path) -> Account:
    if os.geteuid() != 0:
        return Account((), os.geteuid(), os.getegid())
    for account in stand_ins():
        if account.uid != 0:
            home.chmod(home.stat().st_mode | 0o001)
        reach_both = (
            "sh",
            "-c",
            'cd "$1" && "$2/postgres" --version',
            "sh",
            str(home),
            str(binaries),
        )
        with suppress(OSError):
            if run_quietly([*account.prefix, *reach_both]).returncode == 0:
                return account
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root, and neither unshare nor setpriv can run it as somebody"
        f" else who reaches {home} and {binaries}: start this as an ordinary user, or set"
        " DATABASE_URL to a server of your own."
    )


def stand_ins() -> Iterator[Account]:
    users = []
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            users.append(pwd.getpwnam(name))
    for user in users[:1]:
        # Outside its user namespace this is still root, so it reaches what only root may read.
        mapping = (f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
        yield Account(("unshare", "--user", *mapping), 0, 0)
    for user in users:
        identity = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        yield Account(("setpriv", *identity), user.pw_uid, user.pw_gid)


def run_quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env={**environment, "LC_ALL": "C"},
        # Away from our terminal, so that its Ctrl-C reaches us alone.
        start_new_session=True,
    )


def hand_over(path: Path, account: Account) -> None:
    """Make a file or folder, made for another account or by root, the account's own."""
    if path.lstat().st_uid == account.uid:
        return
    if os.geteuid() != 0:
        raise EmbeddedServerError(
            f"{path} belongs to another user: start this as that user, or delete it."
        )
    os.chown(path, account.uid, account.gid, follow_symlinks=False)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(Path(folder, name), account.uid, account.gid, follow_symlinks=False)
