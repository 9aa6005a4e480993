"""The files of the wallet page: all there, all used, and nothing that its policy would refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import psycopg

from ..http.page import FOLDER

Connection = psycopg.Connection[Any]

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
ASSET_FOLDER = "wallet/assets/"


class Markup(HTMLParser):
    """The attributes and the inline text of index.html."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def read(name: str) -> str:
    return (FOLDER / name).read_text()


def files(suffix: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(FOLDER.glob("*" + suffix))}


def markup() -> Markup:
    return Markup(read("index.html"))


def imports(source: str) -> set[str]:
    return set(re.findall(r'from "\./([^"]+)"', source))


def test_every_file_is_named_and_every_named_file_exists() -> None:
    addresses = [*markup().values("href"), *markup().values("src")]
    named = {
        address.removeprefix(ASSET_FOLDER)
        for address in addresses
        if address.startswith(ASSET_FOLDER)
    }
    assert named == {path.name for path in FOLDER.iterdir()} - {"index.html"}


def test_every_module_is_imported_and_asked_for_at_once() -> None:
    modules = files(".js")
    imported = set().union(*map(imports, modules.values()))
    assert imported == set(modules) - {"page.js"}
    preloaded = [
        attributes["href"].removeprefix(ASSET_FOLDER)
        for tag, attributes in markup().tags
        if tag == "link" and attributes["rel"] == "modulepreload"
    ]
    assert sorted(preloaded) == sorted(imported)


def test_every_address_is_relative() -> None:
    page = markup()
    addresses = [value for name in ("href", "src", "action") for value in page.values(name)]
    for address in addresses:
        assert re.match(r"#|wallet/|api/wallet/", address), address
    asked = re.findall(
        r"\b(?:get|post|put|address)\(\s*[\"'`]([^\"'`]*)", "".join(files(".js").values())
    )
    assert asked
    assert not [path for path in asked if path.startswith("/") or ":" in path]


def test_no_file_names_another_host() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text().replace(SVG_NAMESPACE, "")
        assert not re.findall(r"(?:[a-z]:|[\"'`(])//\w+|@import|\burl\(", text), path.name


def test_markup_has_no_code_and_no_style_of_its_own() -> None:
    page = markup()
    assert not page.inline
    for tag, attributes in page.tags:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_no_text_becomes_markup_or_code() -> None:
    forbidden = (
        r"\.(inner|outer)HTML|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc"
        r"|DOMParser|\beval\(|new Function|javascript:|\.on[a-z]+ =|console\.|localStorage"
    )
    for name, source in files(".js").items():
        assert not re.findall(forbidden, source), name


def test_every_id_and_icon_that_is_named_exists_once() -> None:
    ids = markup().values("id")
    assert len(ids) == len(set(ids))
    sources = "".join(files(".js").values())
    assert set(re.findall(r'byId\("([^"]+)"\)', sources)) <= set(ids)
    named = set(re.findall(r'\["[^"]+", "([a-z]+)"\]', read("kinds.js")))
    named |= set(re.findall(r'icon\("([a-z]+)"\)', sources)) | {"other", "clock", "done", "alert"}
    named |= {value.removeprefix("#icon-") for value in markup().values("href") if "#icon" in value}
    symbols = {name.removeprefix("icon-") for name in ids if name.startswith("icon-")}
    assert symbols == named


def test_every_field_has_its_label() -> None:
    page = markup()
    labelled = set(page.values("for"))
    inside = re.findall(r"<label[^>]*>\s*<input[^>]*?id=\"([^\"]+)\"", read("index.html"))
    for tag, attributes in page.tags:
        if tag in ("input", "select") and "id" in attributes:
            name = attributes["id"]
            assert name in labelled or name in inside or "aria-label" in attributes, name


def test_every_type_of_entry_has_label_icon_and_colour(
    connect: Callable[..., Connection],
) -> None:
    types = words_of(connect(), "entry_kind")
    kinds = set(re.findall(r"^  ([a-z_]+): \[", read("kinds.js"), re.MULTILINE))
    colours = set(re.findall(r'data-kind="([a-z_]+)"\]', read("theme.css")))
    assert types
    assert kinds == colours == types


def test_every_state_of_a_recharge_has_its_words(connect: Callable[..., Connection]) -> None:
    connection = connect()
    [(source,)] = connection.execute(
        "select prosrc from pg_catalog.pg_proc where proname = 'find_recharge_obstacle'"
    ).fetchall()
    obstacles = set(re.findall(r"(?:return|then) '([a-z_]+)'", source))
    states = words_of(connection, "recharge_state") - {"succeeded", "declined", "canceled"}
    told = set(re.findall(r"^  ([a-z_]+): \(", read("recharge_words.js"), re.MULTILINE))
    assert len(obstacles) > 8
    assert len(states) > 4
    assert told == obstacles | states


def words_of(connection: Connection, domain: str) -> set[str]:
    """The words that a domain's check names, or the first of each pair."""
    rows = connection.execute(
        """
        select pg_catalog.pg_get_constraintdef(c.oid)
        from pg_catalog.pg_constraint as c
        where c.contypid = pg_catalog.to_regtype(%s)
        """,
        [f"wallet.{domain}"],
    ).fetchall()
    return set(re.findall(r"'([a-z_]+)[' ]", " ".join(text for (text,) in rows)))
