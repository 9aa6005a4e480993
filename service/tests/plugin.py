"""What pytest needs for this project: PostgreSQL servers, and SQL files as tests.

Every test_*.sql is one item for each version of PostgreSQL, `path/test_x.sql::pg18`, run by psql in
a fresh database with pgTAP.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from .servers import DatabaseServers
from .tap import TapResult, run_file

SQL_MAJORS = (18, 15)

servers_key = pytest.StashKey[DatabaseServers]()
results_key = pytest.StashKey[dict[str, TapResult]]()


class SqlTestFailed(Exception):
    """What failed in a file of SQL tests, and all that psql printed."""


class SqlFile(pytest.File):
    def collect(self) -> Iterator[SqlItem]:
        for major in SQL_MAJORS:
            yield SqlItem.from_parent(self, name=f"pg{major}", major=major)


class SqlItem(pytest.Item):
    def __init__(self, *, major: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.major = major

    def runtest(self) -> None:
        server = self.config.stash[servers_key].get(self.major)
        with server.new_database(with_pgtap=True) as url:
            result = run_file(self.path, url=url, psql=server.psql)
            self.config.stash[results_key][self.nodeid] = result
            if result.problems:
                raise SqlTestFailed("\n".join([*result.problems, "", result.output.rstrip()]))
        if result.skipped is not None:
            pytest.skip(result.skipped)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        # A traceback through this file would tell nothing about the SQL.
        if isinstance(excinfo.value, SqlTestFailed | AssertionError):
            return str(excinfo.value)
        return excinfo.getrepr(style="short")

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.name} on {self.name}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[servers_key] = DatabaseServers()
    config.stash[results_key] = {}
    # Ended politely, pytest stops the servers; the default would leave them running.
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[servers_key].stop()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SqlFile | None:
    if file_path.match("test_*.sql"):
        return SqlFile.from_parent(parent, path=file_path)
    return None


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    results = config.stash[results_key]
    if not results:
        return
    count = sum(len(result.assertions) for result in results.values())
    terminalreporter.section("pgTAP", sep="-")
    terminalreporter.line(f"{count} assertions in {len(results)} runs of SQL files")
    for nodeid, result in results.items():
        for remark in result.remarks:
            terminalreporter.line(f"{nodeid}: {remark}")


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
