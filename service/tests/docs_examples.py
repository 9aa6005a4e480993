"""The examples of the documentation: taken out of the Markdown, run, and compared."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANSWERS = ("json", "text")

# What differs each time: generated ids and hashes, times, ports, and the server's version.
GENERATED = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?)"
    r"|(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<hash>\b(?:\\x)?[0-9a-f]{64}\b)"
    r"|(?P<version>\b1[5-9]\.\d+\b)"
    r"|(?P<port>(?<=127\.0\.0\.1:)\d+)"
)


@dataclass(frozen=True)
class Example:
    """A block of code and the block right after it that says what comes of it, if there is one."""

    place: str
    language: str
    role: str | None  # the word after `sql`
    code: str
    answer: str | None
    answer_language: str | None


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def examples(document: str, *languages: str) -> list[Example]:
    """The blocks of code in these languages, in the order of the document."""
    text = read(document)
    blocks = list(FENCE.finditer(text))
    found = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block[1] not in languages:
            continue
        answer = following
        if answer and (answer[1] not in ANSWERS or text[block.end() : answer.start()].strip()):
            answer = None
        place = f"{document}:{text.count(chr(10), 0, block.start()) + 1}"
        found.append(
            Example(place, block[1], block[2], block[3], answer and answer[3], answer and answer[1])
        )
    return found


def run_sql(code: str, url: str, psql: Path, *, bare: bool = False) -> str:
    """What psql prints, errors included; `bare` is the value alone."""
    options = ["--no-psqlrc", "--quiet", "--variable=SHOW_CONTEXT=never"]
    if bare:
        options += ["--tuples-only", "--no-align"]
    done = subprocess.run(
        [psql, *options, url],
        input=code,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    return done.stdout


def run_python(code: str, place: str, namespace: dict[str, Any]) -> str:
    """What the code prints. Later examples see its names."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(compile(code, place, "exec"), namespace)  # noqa: S102
    return output.getvalue()


class Comparison:
    """Holds answers against the documented ones, wherever they must agree.

    An id or hash that is generated may differ from the documented one, but the same one must stand
    in the same places. Blanks don't count, nor does the order of the keys in JSON.
    """

    def __init__(self, *fixed: str) -> None:
        self._fixed = fixed
        self._names: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def differences(self, example: Example, output: str) -> Iterator[str]:
        documented, actual = (
            self._mask(self._settle(text, example.answer_language), names)
            for text, names in zip((example.answer or "", output), self._names, strict=True)
        )
        if documented != actual:
            yield f"{example.place} says\n{documented}\nand the answer is\n{actual}\n{output}"

    def _settle(self, text: str, language: str | None) -> str:
        if language == "json" and text.lstrip().startswith(("{", "[")):
            return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, indent=1)
        lines = (
            re.sub(r" +", " ", re.sub(r"-{2,}", "-", line)).strip() for line in text.split("\n")
        )
        return "\n".join(line for line in lines if line)

    def _mask(self, text: str, names: dict[str, str]) -> str:
        def name(match: re.Match[str]) -> str:
            kind, value = match.lastgroup, match[0].removeprefix("\\x")
            if value in self._fixed:
                return value
            if kind in ("uuid", "hash"):
                return names.setdefault(value, f"<{kind} {len(names) + 1}>")
            return f"<{kind}>"

        return GENERATED.sub(name, text)
