"""The README tells the truth, and every link and command of the documentation leads somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.request import urlopen
from uuid import UUID

import pytest

from ..cli import main
from ..run import DEMO_ORG_ID
from .docs import ACME, CODE, DOCUMENTS, TOKEN, Connection
from .docs_examples import ROOT, Comparison, Example, examples, read, read_curl, run_sql
from .sandboxes import running_test_sandbox
from .servers import DatabaseServer
from .services import WalletProcess, balance, open_wallet, running_service, wallet


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def section_of_readme(heading: str) -> str:
    start = read("README.md").index(f"\n## {heading}\n")
    return read("README.md")[start : read("README.md").find("\n## ", start + 1)]


def blocks_of_readme(heading: str, language: str) -> list[Example]:
    """The blocks below a heading of the README."""
    section = section_of_readme(heading)
    return [block for block in examples("README.md", language) if block.code in section]


def test_the_tour_of_the_readme(
    database: str, server: DatabaseServer, connection: Connection, tmp_path: Path
) -> None:
    """With `wallet run`, a top-up, and somebody who pays on the sandbox's page."""
    open_wallet(connection, org_id=DEMO_ORG_ID)
    running, *_ = blocks_of_readme("Five minutes", "text")
    with WalletProcess(tmp_path, "run", DATABASE_URL=database, PORT="0") as process:
        process.wait_for_url()
        process.wait_until(lambda: "Ctrl-C" in process.output)
        for label in re.findall(r"^  (\w+) ", running.code, re.MULTILINE):
            assert f"\n  {label} " in process.output
        [shown] = process.wait_until(lambda: re.findall(r"^  Wallet +(\S+)", process.output, re.M))
        with urlopen(shown) as response:  # noqa: S310
            assert b"<title>Sign in</title>" in response.read()
        page = wallet(tmp_path, "topup", "--amount", "5000", DATABASE_URL=database).stdout.strip()
        form = b"action=pay&number=4242+4242+4242+4242"
        with urlopen(page, data=form) as response:  # noqa: S310
            assert response.status == HTTPStatus.OK
        process.wait_until(lambda: balance(connection, DEMO_ORG_ID))

    tour = blocks_of_readme("Five minutes", "sql")
    comparison = Comparison("\n".join(example.code for example in tour))
    for example in tour:
        bare = example.answer_language == "json"
        comparison.check(example, run_sql(example.code, database, server.psql, bare=bare))


def test_the_demo_of_the_readme(database: str, tmp_path: Path) -> None:
    *_, documented = blocks_of_readme("Five minutes", "text")
    story = wallet(tmp_path, "demo", DATABASE_URL=database)
    example = Example(documented.place, "sh", None, "make demo", documented.code, "text")
    Comparison("").check(example, story.stdout)


def test_the_set_up_of_the_readme(database: str, server: DatabaseServer) -> None:
    headings = ("Add it to a PostgreSQL database", "Point Stripe at it")
    for heading in headings:
        for example in blocks_of_readme(heading, "sql"):
            # Roles outlive a database, so nothing is kept.
            output = run_sql(f"begin;\n{example.code}\nrollback;", database, server.psql)
            assert "ERROR" not in output, example.place


async def test_the_request_of_the_readme_for_a_topup(database: str, connection: Connection) -> None:
    (example,) = [
        block
        for block in examples("README.md", "sh")
        if block.code in section_of_readme("Point Stripe at it") and "curl" in block.code
    ]
    request = read_curl(example.code, TOKEN)
    documented = json.loads(example.answer or "")

    open_wallet(connection, org_id=UUID(ACME))
    async with (
        running_test_sandbox() as sandbox,
        running_service(
            database,
            stripe_secret_key=sandbox.key,
            stripe_api_base=sandbox.url,
            checkout_return_url="https://shop.example.com/wallet",
            api_token=TOKEN,
        ) as service,
        service.client.post(
            service.url + request.path, data=request.body, headers=request.headers
        ) as response,
    ):
        answer = await response.json()
        assert response.status == HTTPStatus.OK, answer
    assert list(answer) == list(documented)
    plain = ("price_pence", "amount_pence", "bonus_pence", "currency")
    assert [answer[key] for key in plain] == [documented[key] for key in plain]


def test_the_commands_of_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    text = "\n".join(map(read, DOCUMENTS))
    assert set(re.findall(r"(?:`|^ *)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    scripts = "\n".join(block.code for page in DOCUMENTS for block in examples(page, "sh"))
    commands = re.findall(r"(?:[`/]|^\$ )wallet ([a-z-]+)", text, re.MULTILINE)
    commands += re.findall(r"^wallet ([a-z-]+)", scripts, re.MULTILINE)
    assert set(commands) <= set(main.commands)


def test_the_readme_lists_the_commands() -> None:
    (section,) = re.findall(r"\n## Commands\n(.*?)\n## ", read("README.md"), re.DOTALL)
    listed = " ".join(CODE.findall(section)).split()
    targets = re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE)
    assert {*targets, *main.commands} - set(listed) == {"help", "lock"}


def test_the_links_of_the_documentation_lead_somewhere() -> None:
    anchors = {
        document: {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", read(document), re.MULTILINE)
        }
        for document in DOCUMENTS
    }
    for document in DOCUMENTS:
        text = read(document)
        targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'<img src="(.*?)"', text)
        for target in targets:
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            linked = (ROOT / document).parent / path if path else ROOT / document
            assert linked.is_file(), f"{document} links to {target}"
            if anchor:
                name = linked.resolve().relative_to(ROOT).as_posix()
                assert anchor in anchors[name], f"{document} links to {target}"


def test_the_names_in_the_documentation_exist() -> None:
    """Each word_with_underscores, whether it is a function, a column, a key or a code."""
    folders = ("db/functions", "db/migrations", "service")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    text = "".join(
        path.read_text()
        for path in files
        if path.suffix in (".sql", ".py") and "docs" not in path.name
    )
    known = set(re.findall(r"\w+", text))
    for document in DOCUMENTS:
        named = {
            code for code in CODE.findall(read(document)) if re.fullmatch(r"[a-z]+(_[a-z]+)+", code)
        }
        assert named <= known, document


def test_the_documentation_names_no_path_of_a_machine() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"/(?:home|root|tmp|work|Users)/", read(document)), document
