"""A secret in a file `.env`, which only its owner may read."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

NAME = "STRIPE_WEBHOOK_SECRET"
ASSIGNMENT = re.compile(rf"^[ \t]*(?:export[ \t]+)?{NAME}[ \t]*=(.*)$", re.MULTILINE)
SECRET = re.compile(r"whsec_[^\s,'\"#]+")


class EnvFileError(Exception):
    """The file can't be read or written; the message says why."""


def known_secrets(path: Path) -> list[str]:
    """The signing secrets that the file holds."""
    assigned: list[str] = ASSIGNMENT.findall(_read(path))
    return SECRET.findall(assigned[-1]) if assigned else []


def add_secret(path: Path, secret: str) -> None:
    """Put a signing secret in front of those that are there; every other line stays."""
    text = _read(path)
    known = [each for each in known_secrets(path) if each != secret]
    line = f"{NAME}={','.join([secret, *known])}"
    assigned = list(ASSIGNMENT.finditer(text))
    if assigned:
        # The last one counts.
        text = text[: assigned[-1].start()] + line + text[assigned[-1].end() :]
    else:
        text += ("\n" if text and not text.endswith("\n") else "") + line + "\n"
    _write(path, text)


def require_writable(path: Path) -> None:
    """Raise before a secret exists that could not be kept."""
    _read(path)
    target = path.resolve()
    if not os.access(target.parent, os.W_OK) or (
        target.exists() and not os.access(target, os.W_OK)
    ):
        raise EnvFileError(f"{path} can't be written.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise EnvFileError(f"{path} is not UTF-8 text.") from None
    except OSError as exc:
        raise EnvFileError(f"{path} can't be read: {exc.strerror}.") from None


def _write(path: Path, text: str) -> None:
    """Whole or not at all, with the mode that the file has; a new one is its owner's alone."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        draft.replace(target)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise EnvFileError(f"{path} can't be written: {exc.strerror}.") from None
