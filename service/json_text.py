"""JSON as PostgreSQL can store it."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    r"|(?P<unstorable>u0000|u[dD][89a-fA-F][\da-fA-F]{2})"
    r"|.)"
)


def storable(text: str) -> str:
    r"""The same, with U+FFFD for the characters that `jsonb` refuses: \u0000, and half of a pair.

    A conversation that a program cut within an emoji would otherwise make its call
    one that nobody can bill.
    """
    if not _UNSTORABLE.search(text):
        return text
    return _ESCAPE.sub(
        lambda escape: r"\ufffd" if escape["unstorable"] else escape[0],
        text,
    )
