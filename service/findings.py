"""What `wallet doctor` finds: how it stands with one part, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    level: Level
    part: str
    text: str
    advice: str = ""


def ok(part: str, text: str) -> Finding:
    return Finding("ok", part, text)


def warning(part: str, text: str, advice: str) -> Finding:
    return Finding("warning", part, text, advice)


def failed(part: str, text: str, advice: str) -> Finding:
    return Finding("failed", part, text, advice)


def name_some(names: list[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
