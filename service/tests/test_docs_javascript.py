"""The JavaScript examples of the documentation, with supabase-js against PostgREST."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

from .docs_examples import ROOT, Comparison, examples, run_python, run_sql
from .postgrest import Supabase, running_supabase
from .servers import DatabaseServer

LANGUAGES = ("sql", "python", "js")

# docs/own-page.md is read as a customer: see test_docs_page.py.
DOCUMENTS = sorted(
    document
    for path in (ROOT / "docs").glob("*.md")
    if examples(document := f"docs/{path.name}", "js") and path.name != "own-page.md"
)


def test_the_pages_of_what_spends_have_examples_in_each_language() -> None:
    for document in ("usage", "calls", "messages", "numbers"):
        for language in LANGUAGES:
            assert examples(f"docs/{document}.md", language), (document, language)


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_the_examples(
    document: str, database: str, server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example of a page is run, in its order and in all its languages.

    A block of JavaScript is a module of its own. What stands before it without an answer, such
    as the client, is part of it.
    """
    backend = f"{database}&options=-crole%3Dservice_role"
    monkeypatch.setenv("DATABASE_URL", backend)
    found = examples(document, *LANGUAGES)
    comparison = Comparison("\n".join(example.code for example in found))
    namespace: dict[str, Any] = {}
    definitions = ""
    async with running_supabase(database) as supabase:
        for example in found:
            if example.language == "python":
                output = run_python(example.code, example.place, namespace)
            elif example.language == "sql":
                url = database if example.role == "superuser" else backend
                bare = example.answer_language == "json"
                output = run_sql(example.code, url, server.psql, bare=bare)
            else:
                output = await supabase.run(definitions + example.code)
                if example.answer is None:
                    definitions += example.code
            if example.answer is None:
                assert not output, f"{example.place} prints what is not shown"
            else:
                comparison.check(example, output)


@pytest.fixture
async def supabase(database: str) -> AsyncIterator[Supabase]:
    async with running_supabase(database) as supabase:
        yield supabase


async def test_only_the_role_of_a_token_counts(supabase: Supabase) -> None:
    """The examples would be worth little if PostgREST ran them as a superuser."""
    code = """
        async function call(name, args, key) {
            const { status } = await fetch(`${process.env.SUPABASE_URL}/rest/v1/rpc/${name}`, {
                method: 'POST',
                headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
                body: JSON.stringify(args),
            })
            console.log(name, status)
        }
        const key = process.env.SUPABASE_SERVICE_ROLE_KEY
        await call('get_health', {}, key)
        await call('get_health', {}, 'somebody')
        await call('lapsed_pence', { p_org_id: '6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10' }, key)
    """
    assert (await supabase.run(code)).splitlines() == [
        "get_health 200",
        "get_health 401",
        "lapsed_pence 403",  # internal
    ]


async def test_the_retry_rule_of_the_documentation(supabase: Supabase) -> None:
    """What broke is repeated until there is an answer, also if it was applied; a misuse is not."""
    client, call, *_ = examples("docs/usage.md", "js")
    trouble = """
        const send = globalThis.fetch
        let requests = 0
        const troubles = [
            () => { throw new TypeError('fetch failed') },
            () => new Response('{"code": "40001"}', { status: 500 }),
            () => new Response('Bad Gateway', { status: 502 }),
            async (...request) => { await send(...request); throw new TypeError('lost') },
        ]
        globalThis.fetch = (...request) => (troubles[requests++] ?? send)(...request)

        const wallet = { p_org_id: orgId, p_debt_limit_pence: 0 }
        console.log((await call('create_wallet', wallet)).duplicate, requests)
        for (const wrong of [{ p_org_id: null }, { p_org_id: orgId, p_debt_limit_pence: -1 }])
            await call('create_wallet', wrong).catch((error) => console.log(error.code, requests))
        requests = 0
        troubles.length = 1
        await call('create_wallet', wallet, 1).catch((error) => console.log(error.message))
        console.log(requests)
    """
    assert (await supabase.run(client.code + call.code + trouble)).splitlines() == [
        "true 5",
        "WL001 6",
        "WL002 7",
        "TypeError: fetch failed",
        "1",
    ]


async def test_what_may_be_repeated_is_answered_with_500_or_more(
    database: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """PostgREST itself repeats what failed with 40001, so that none of it ever arrives."""
    connect().execute(
        """
        create function wallet.fail_with(p_state text) returns void language plpgsql as $$
        begin
            raise exception using errcode = p_state;
        end $$
        """
    )
    client, *_ = examples("docs/usage.md", "js")
    ask = """
        for (const p_state of ['40P01', '55P03', '57014', '57P01', '08006', 'WL002']) {
            const { error, status } = await supabase.rpc('fail_with', { p_state })
            console.log(error.code, status >= 500)
        }
    """
    async with running_supabase(database) as supabase:
        output = await supabase.run(client.code + ask)
    assert output.splitlines() == [
        "40P01 true",
        "55P03 true",
        "57014 true",
        "57P01 true",
        "08006 true",
        "WL002 false",
    ]
