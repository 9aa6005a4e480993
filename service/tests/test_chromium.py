"""The browser of the tests: a machine that can't have it is told so, and nothing half is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import chromium
from .chromium import ChromiumMissing, find_chromium


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose package holds no browser."""
    package = tmp_path / "node_modules" / chromium.PACKAGE
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text('{"version": "1.2.3"}')
    (package / "bin" / "chromium.br").write_bytes(b"a browser")
    monkeypatch.setattr(chromium, "find_modules", lambda _cache: tmp_path / "node_modules")
    return tmp_path


@pytest.mark.parametrize("path", [None, ""], ids=["damaged", "without node"])
def test_what_cannot_be_unpacked_says_what_is_needed(
    cache: Path, path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path is not None:
        monkeypatch.setenv("PATH", path)
    with pytest.raises(ChromiumMissing, match=r"need Linux on x86-64, .* Node.js 20 .*: .+"):
        find_chromium(cache)
    assert list(cache.glob("chromium-*")) == []


def test_missing_libraries_come_from_the_package(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = chromium.Chromium(cache)
    for lacks in (True, False):
        monkeypatch.setattr(chromium, "_lacks_libraries", lambda _program, answer=lacks: answer)
        assert ("LD_LIBRARY_PATH" in browser.environment) is lacks
