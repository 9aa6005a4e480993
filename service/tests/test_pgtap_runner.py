"""SQL tests can't pass by accident: every way in which a file may fail is a failure."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from . import pgtap
from .servers import DatabaseServer, read_sequences, reset_sequences
from .tap import TapResult, parse, run_file

ROOT = Path(__file__).parents[2]

PASSING_OUTPUT = {
    "plan first": "1..2\nok 1 - a\nok 2 - b\n",
    "plan last": "ok 1 - a\nok 2 - b\n1..2\n",
    "skip": "1..1\nok 1 # SKIP: not here\n",
    "todo that fails": '1..1\nnot ok 1 - a # TODO later\n#   Failed (TODO) test 1: "a"\n',
    "todo that passes": "1..1\nok 1 - a # TODO later\n",
    "other output": "\n1..1\n42\nok 1 - a\n",
}

FAILING_OUTPUT = {
    "not ok": ("1..2\nok 1 - a\nnot ok 2 - b\n# have: 1\n", "not ok 2 - b\n    # have: 1"),
    "todo in a description": ("1..1\nnot ok 1 - issue \\# TODO\n", "not ok 1"),
    "too few": ("1..3\nok 1\nok 2\n", "planned 3 assertions but ran 2"),
    "too many": ("1..1\nok 1\nok 2\n", "planned 1 assertions but ran 2"),
    "twice the same": ("1..2\nok 1\nok 1\n", "numbered [1, 1]"),
    "no plan": ("ok 1 - a\n", "no plan"),
    "plan of nothing": ("1..0\n", "a plan of no assertions"),
    "two plans": ("1..1\n1..1\nok 1\n", "2 plans"),
    "bail out": ("1..1\nok 1\nBail out! disk full\n", "Bail out! disk full"),
    "no TAP": ("42\n", "no TAP at all"),
    "nothing": ("", "no TAP at all"),
}

PASSING_SQL = {
    "plan": "select plan(2); select pass(); select is(1, 1, 'b'); select * from finish();",
    "no plan": "select * from no_plan(); select pass(); select * from finish();",
    "skip": "select plan(2); select skip('why', 1); select pass(); select * from finish();",
    "todo": "select plan(1); select todo('later', 1); select fail('a'); select * from finish();",
    "role": """
        select plan(1);
        set local role anon;
        select is(current_user, 'anon', 'assertions work in any role');
        select * from finish();
    """,
}

FAILING_SQL = {
    "not ok": ("select plan(1); select is(1, 2, 'b'); select * from finish();", "not ok 1 - b"),
    "too few": ("select plan(2); select pass(); select * from finish();", "planned 2"),
    "SQL error": ("select plan(1); select pass(); select 1 / 0;", "psql ended with status 3"),
    "error after a skip": ("select '1..0 # SKIP'; select 1 / 0;", "psql ended with status 3"),
    "psql error": (r"\i missing.sql", "psql ended with status 3"),
    "no TAP": ("select 1;", "no TAP at all"),
}

SEES_NO_WALLET = """
    begin;
    select plan(1);
    select is_empty('select from wallet.organizations');
    rollback;
"""

# In the order in which they run: one that fails or commits spoils none of those after it.
FILES = {
    "test_1_passes.sql": (
        """
        begin;
        select plan(2);
        select wallet.create_wallet(gen_random_uuid()) is null;
        select pass();
        select todo('later', 1);
        select fail('b');
        rollback;
        """,
        "PASSED",
    ),
    "test_2_sees_no_wallet.sql": (SEES_NO_WALLET, "PASSED"),
    "test_3_fails.sql": ("begin; select plan(1); select fail(); rollback;", "FAILED"),
    "test_4_commits.sql": (
        """
        select plan(1);
        select wallet.create_wallet(gen_random_uuid()) is null;
        select pass();
        """,
        "FAILED",
    ),
    "test_5_sees_no_wallet.sql": (SEES_NO_WALLET, "PASSED"),
    "test_6_is_empty.sql": ("", "FAILED"),
    "test_7_skips.sql": ("select '1..0 # SKIP nothing to test';", "SKIPPED"),
    "test_8_measures_plans_and_breaks_the_books.sql": (
        """
        explain select;
        select plan(1);
        select wallet.create_wallet(gen_random_uuid()) is null;
        set session_replication_role = replica;
        update wallet.organizations set wallet_balance_pence = 1;
        select pass();
        """,
        "FAILED",
    ),
    "test_9_sees_no_wallet.sql": (SEES_NO_WALLET, "PASSED"),
}


@pytest.mark.parametrize("output", PASSING_OUTPUT.values(), ids=PASSING_OUTPUT)
def test_output_passes(output: str) -> None:
    assert parse(output).problems == []


@pytest.mark.parametrize(("output", "problem"), FAILING_OUTPUT.values(), ids=FAILING_OUTPUT)
def test_output_fails(output: str, problem: str) -> None:
    assert problem in "\n".join(parse(output).problems)


def test_skipped_and_unfinished_assertions_are_told() -> None:
    result = parse("1..3\nok 1 - a\nok 2 # SKIP: not here\nnot ok 3 - c # TODO later\n")
    assert [str(remark) for remark in result.remarks] == [
        "ok 2 -  # SKIP not here",
        "not ok 3 - c # TODO later",
    ]


def test_file_that_skips_itself_gives_its_reason() -> None:
    assert parse("1..0 # SKIP needs PostgreSQL 18\n").skipped == "needs PostgreSQL 18"


@pytest.fixture
def run_sql(server: DatabaseServer, tmp_path: Path) -> Iterator[Callable[[str], TapResult]]:
    with server.new_database(with_pgtap=True) as url:

        def run(text: str) -> TapResult:
            path = tmp_path / "test.sql"
            path.write_text(f"begin;\n{text}\nrollback;\n")
            return run_file(path, url=url, psql=server.psql)

        yield run


@pytest.mark.each_server
@pytest.mark.parametrize("text", PASSING_SQL.values(), ids=PASSING_SQL)
def test_file_passes(run_sql: Callable[[str], TapResult], text: str) -> None:
    assert run_sql(text).problems == []


@pytest.mark.parametrize(("text", "problem"), FAILING_SQL.values(), ids=FAILING_SQL)
def test_file_fails(run_sql: Callable[[str], TapResult], text: str, problem: str) -> None:
    result = run_sql(text)
    assert problem in "\n".join(result.problems)
    assert result.skipped is None


def test_pytest_runs_sql_files(tmp_path: Path) -> None:
    for name, (text, _) in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "service.tests.plugin", "-k", "pg18"]
    command += ["-n", "1"]
    config = [
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(tmp_path),
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *config, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    for name, (_, outcome) in FILES.items():
        assert re.search(rf"{outcome} \S*{name}::pg18", done.stdout)
    assert "a file must roll back all that it does" in done.stdout
    assert "wallet.validate_credits_consistency() found" in done.stdout
    assert "8 assertions in 9 runs of SQL files" in done.stdout
    assert "test_1_passes.sql::pg18: not ok 2 - b # TODO later" in done.stdout


def test_sequences_are_reset_after_a_rollback(server: DatabaseServer) -> None:
    with server.new_database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create sequence untouched start 5")
        connection.execute("create sequence used")
        connection.execute("select nextval('used')")
        as_new = read_sequences(url)
        with connection.transaction(force_rollback=True):
            connection.execute("select nextval('untouched'), nextval('used')")
        assert len(as_new - read_sequences(url)) == 2
        reset_sequences(url, as_new)
        assert read_sequences(url) == as_new
        numbers = connection.execute("select nextval('untouched'), nextval('used')").fetchone()
        assert numbers == (5, 2)


def test_books_are_checked_after_each_test(server: DatabaseServer) -> None:
    def leave_broken_books() -> None:
        with server.new_database() as url, psycopg.connect(url) as connection:
            connection.execute("select wallet.create_wallet(gen_random_uuid())")
            connection.execute("set session_replication_role = replica")
            connection.execute("update wallet.organizations set wallet_balance_pence = 1")

    with pytest.raises(AssertionError, match="the books don't balance"):
        leave_broken_books()


def test_pgtap_comes_from_the_cache_only_when_it_is_unchanged(tmp_path: Path) -> None:
    content = b"select 1;"
    fetched: list[Path] = []

    def fetch(folder: Path) -> bytes:
        fetched.append(folder)
        return content

    source = pgtap.Source(version="9.9", sha256=hashlib.sha256(content).hexdigest(), fetch=fetch)
    for _ in range(2):
        assert pgtap.find_sql(tmp_path, [source]) == content
    assert len(fetched) == 1

    (tmp_path / "pgtap-9.9.sql").write_bytes(b"drop table money;")
    assert pgtap.find_sql(tmp_path, [source]) == content
    assert len(fetched) == 2


def test_pgtap_falls_back_and_says_what_to_install(tmp_path: Path) -> None:
    def fetch_forged(folder: Path) -> bytes:
        return b"drop table money;"

    def fetch_nothing(folder: Path) -> bytes:
        raise FileNotFoundError("npm")

    sources = [pgtap.Source("9.9", "0" * 64, fetch) for fetch in (fetch_nothing, fetch_forged)]
    with pytest.raises(pgtap.PgTapMissing, match="install npm and try again") as raised:
        pgtap.find_sql(tmp_path, sources)
    assert "not pgTAP 9.9 as it was published" in str(raised.value)
    assert not list(tmp_path.iterdir())
