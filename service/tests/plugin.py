"""What pytest needs for this project: PostgreSQL servers, and SQL files as tests.

Every test_*.sql is one item for each version of PostgreSQL, `path/test_x.sql::pg18`, run by psql in
a database with pgTAP that is as good as new.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from .servers import DatabaseServers
from .tap import run_file

SQL_MAJORS = (18, 15)

# What the planner knows, and how large the tables have grown, outlives a rollback.
MEASURES_PLANS = re.compile(r"\b(analyze|explain)\b", re.IGNORECASE)

# A report carries properties from xdist's workers to where the summary is written.
ASSERTIONS = "pgTAP assertions"
REMARK = "pgTAP remark"

servers_key = pytest.StashKey[DatabaseServers]()


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
        if MEASURES_PLANS.search(self.path.read_text()):
            database = server.new_database(with_pgtap=True)
        else:
            database = server.shared_database()
        with database as url:
            result = run_file(self.path, url=url, psql=server.psql)
            self.user_properties.append((ASSERTIONS, len(result.assertions)))
            self.user_properties.extend((REMARK, str(remark)) for remark in result.remarks)
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
    base = worker_input(config).get("servers")
    config.stash[servers_key] = DatabaseServers(Path(base) if base else None)
    # Ended politely, pytest stops the servers; the default would leave them running. SIGINT is how
    # xdist ends its workers, and whoever runs in the background of a script has it ignored.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["servers"] = str(node.config.stash[servers_key].base)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except pytest.exit.Exception as exc:
        if not worker_input(item.config):
            raise
        # Otherwise xdist would tell of its own confusion instead.
        item.session.shouldfail = str(exc.msg)
        return True


def pytest_unconfigure(config: pytest.Config) -> None:
    servers = config.stash[servers_key]
    servers.stop()
    if not worker_input(config):
        servers.clear_remains()


def worker_input(config: pytest.Config) -> dict[str, Any]:
    """What xdist's controller tells a worker; nothing where pytest is no worker."""
    told: dict[str, Any] = getattr(config, "workerinput", {})
    return told


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SqlFile | None:
    if file_path.match("test_*.sql"):
        return SqlFile.from_parent(parent, path=file_path)
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    counts = [
        value
        for report in reports
        for name, value in report.user_properties
        if name == ASSERTIONS and isinstance(value, int)
    ]
    if not counts:
        return
    terminalreporter.section("pgTAP", sep="-")
    terminalreporter.line(f"{sum(counts)} assertions in {len(counts)} runs of SQL files")
    for report in sorted(reports, key=lambda report: report.nodeid):
        for name, value in report.user_properties:
            if name == REMARK:
                terminalreporter.line(f"{report.nodeid}: {value}")


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
