"""The examples of the documentation: taken out of the Markdown, run, and compared."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^( *)```(\w+)(?: (\w+))?\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
ANSWERS = ("json", "text")

# What differs from run to run. A generated id or hash must still be the same wherever it stands.
GENERATED = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d)?)?)"
    r"|(?P<day>\b\d{4}-\d\d-\d\d\b)"
    r"|(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|(?P<session>cs_test_(?:\w{20,}|\w{4}…))"
    r"|(?P<hash>\b[0-9a-f]{64}\b)"
    r"|(?P<version>(?<=PostgreSQL )[\d.]+|(?<=server_version\": \")[\d.]+)"
    r"|(?P<port>(?<=//127\.0\.0\.1:)\d+)"
    r"|(?P<seconds>(?:(?<=oldest_pending_seconds\": )|(?<=oldest_failed_seconds\": )"
    r"|(?<=oldest_unbilled_seconds\": )|(?<=\"seconds\": ))[\d.]+)"
)


@dataclass(frozen=True)
class Example:
    """A block of code, and the block right after it that says what comes of it."""

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
    for block, following in zip_longest(blocks, blocks[1:]):
        _indent, language, role, code = block.groups()
        if language not in languages:
            continue
        place = f"{document}, line {text.count(chr(10), 0, block.start()) + 1}"
        answer = answer_language = None
        if (
            following
            and following[2] in ANSWERS
            and not text[block.end() : following.start()].strip()
        ):
            answer, answer_language = following[4], following[2]
        found.append(Example(place, language, role, code, answer, answer_language))
    return found


def run_sql(code: str, url: str, psql: Path, *, bare: bool = False) -> str:
    """What psql prints, errors included; when `bare`, the values alone."""
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
    """What the code prints; what it defines is left in the namespace."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(compile(code, place, "exec"), namespace)  # noqa: S102
    return output.getvalue()


@dataclass(frozen=True)
class Request:
    """What a command of curl sends."""

    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: str | None


def read_curl(code: str, token: str) -> Request:
    words = shlex.split(code.replace("\\\n", ""))

    def given(option: str) -> list[str]:
        return [words[place + 1] for place, word in enumerate(words) if word == option]

    (url,) = [word for word in words if word.startswith("https://")]
    body = given("-d")
    return Request(
        method=(given("-X") or ["POST" if body else "GET"])[0],
        path=urlunsplit(("", "", *urlsplit(url)[2:])),
        headers=dict(line.replace("$API_TOKEN", token).split(": ") for line in given("-H")),
        body=body[0] if body else None,
    )


class Comparison:
    """Holds the answers of one document, in their order, against what really came."""

    def __init__(self, code: str) -> None:
        self._chosen = code  # an id in it is not a generated one
        self._documented: dict[str, str] = {}
        self._actual: dict[str, str] = {}

    def check(self, example: Example, output: str) -> None:
        assert example.answer is not None
        documented = self._mask(_normal(example.answer), self._documented)
        actual = self._mask(_normal(output), self._actual)
        assert actual == documented, f"{example.place}: the answer is now\n{output}"

    def _mask(self, text: str, names: dict[str, str]) -> str:
        def mask(match: re.Match[str]) -> str:
            if match.lastgroup != "seconds" and match[0] in self._chosen:
                return match[0]
            if match.lastgroup in ("id", "hash"):
                return names.setdefault(match[0], f"<{match.lastgroup} {len(names) + 1}>")
            return f"<{match.lastgroup}>"

        return GENERATED.sub(mask, text)


def _normal(text: str) -> str:
    """The text without what is a matter of layout: JSON's, or the widths of columns."""
    if text.startswith("{"):
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, indent=1)
    lines = (re.sub(r"-{2,}", "--", re.sub(r" +", " ", line)).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
