"""Runs a pgTAP file with psql and reads the Test Anything Protocol that it prints."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

SECONDS_PER_FILE = 120

PLAN = re.compile(r"1\.\.(?P<count>\d+)\s*(?:#\s*skip\S*\s*(?P<reason>.*))?", re.IGNORECASE)
TEST = re.compile(
    r"(?P<failed>not )?ok\b\s*(?P<number>\d+)?\s*(?:-\s*)?(?P<description>.*?)"
    r"\s*(?:(?<!\\)#\s*(?P<directive>skip|todo)\b:?\s*(?P<reason>.*))?",
    re.IGNORECASE,
)
BAIL_OUT = "Bail out!"


@dataclass
class Assertion:
    ok: bool
    number: int
    description: str
    directive: str | None  # "skip" or "todo"
    reason: str
    diagnostics: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return not self.ok and self.directive != "todo"

    def __str__(self) -> str:
        title = f"{'ok' if self.ok else 'not ok'} {self.number} - {self.description}"
        if self.directive:
            title += f" # {self.directive.upper()} {self.reason}"
        return "\n".join([title.rstrip(), *(f"    {line}" for line in self.diagnostics)])


@dataclass
class TapResult:
    """What one file said. `problems` tells why it failed; it passed when there is none."""

    assertions: list[Assertion]
    problems: list[str]
    skipped: str | None  # the reason, where the file skipped itself as a whole
    output: str

    @property
    def remarks(self) -> list[Assertion]:
        """What passes and still wants to be seen: skipped assertions, and those still to do."""
        return [assertion for assertion in self.assertions if assertion.directive]


def run_file(path: Path, *, url: str, psql: Path) -> TapResult:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    command = [str(psql), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", path.name, url]
    try:
        done = subprocess.run(
            command,
            cwd=path.parent,
            env=environment | {"PGCLIENTENCODING": "UTF8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS_PER_FILE,
        )
    except subprocess.TimeoutExpired:
        return TapResult([], [f"no end after {SECONDS_PER_FILE} s"], None, "")
    result = parse(done.stdout)
    if done.returncode:
        result.problems.insert(0, f"psql ended with status {done.returncode}")
        result.skipped = None
    result.output += done.stderr
    return result


def parse(output: str) -> TapResult:
    assertions: list[Assertion] = []
    plans: list[re.Match[str]] = []
    problems: list[str] = []
    for line in output.splitlines():
        if line.startswith(BAIL_OUT):
            problems.append(line)
        elif plan := PLAN.fullmatch(line):
            plans.append(plan)
        elif test := TEST.fullmatch(line):
            assertions.append(
                Assertion(
                    ok=test["failed"] is None,
                    number=int(test["number"] or len(assertions) + 1),
                    description=test["description"],
                    directive=test["directive"] and test["directive"].lower(),
                    reason=test["reason"] or "",
                )
            )
        elif line.startswith("#") and assertions:
            assertions[-1].diagnostics.append(line)
    problems += [str(assertion) for assertion in assertions if assertion.failed]
    problems += _check_plan(plans, assertions)
    skipped = None
    if len(plans) == 1 and not assertions and not problems:
        skipped = plans[0]["reason"]
    return TapResult(assertions, problems, skipped, output)


def _check_plan(plans: list[re.Match[str]], assertions: list[Assertion]) -> list[str]:
    if not plans:
        return ["no plan" if assertions else "no TAP at all: no plan and no assertion"]
    if len(plans) > 1:
        return [f"{len(plans)} plans instead of one"]
    (plan,) = plans
    planned = int(plan["count"])
    if planned == 0 and plan["reason"] is None and not assertions:
        return ["a plan of no assertions, without a reason to skip"]
    numbers = [assertion.number for assertion in assertions]
    if len(numbers) != planned:
        return [f"planned {planned} assertions but ran {len(numbers)}"]
    if numbers != list(range(1, planned + 1)):
        return [f"assertions are numbered {numbers} instead of 1 to {planned}"]
    return []
