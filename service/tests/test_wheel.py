"""The wheel carries all that is needed to work outside the checkout, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("pyproject.toml", "README.md", "service", "db")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A build leaves folders behind, so it works on a copy.
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name)
        else:
            shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel")
    run(*pip, "--no-index", "--no-deps", "--no-build-isolation", source, cwd=folder)
    (built,) = folder.glob("pgwallet-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install")
    run(*pip, "--no-index", "--no-deps", "--target", target, wheel, cwd=target)
    return target


def test_wheel_holds_the_code_and_the_sql_and_no_tests(wheel: Path) -> None:
    modules = {path.relative_to(ROOT / "service") for path in (ROOT / "service").rglob("*.py")}
    sql_folders = (ROOT / "db/migrations", ROOT / "db/functions")
    sql_files = {path.relative_to(ROOT) for folder in sql_folders for path in folder.rglob("*.sql")}
    data_files = {
        path.relative_to(ROOT / "service")
        for folder in ("page", "http/openapi")
        for path in (ROOT / "service" / folder).iterdir()
    }
    expected = {path for path in modules if path.parts[0] != "tests"} | sql_files | data_files
    with zipfile.ZipFile(wheel) as archive:
        packed = [Path(name) for name in archive.namelist()]
    assert {
        path.relative_to("pgwallet") for path in packed if path.parts[0] == "pgwallet"
    } == expected
    assert {path.suffix for path in packed if path.parts[0] != "pgwallet"} <= {"", ".txt"}


def test_installed_wheel_is_the_command_wallet(installed: Path, tmp_path: Path) -> None:
    location = run(
        *(sys.executable, "-c", "import pgwallet; print(pgwallet.__file__)"),
        cwd=tmp_path,
        PYTHONPATH=str(installed),
    )
    assert Path(location.strip()).is_relative_to(installed)
    for command in ((installed / "bin" / "wallet",), (sys.executable, "-m", "pgwallet")):
        usage = run(*command, "--help", cwd=tmp_path, PYTHONPATH=str(installed))
        assert "migrate" in usage


def test_installed_wheel_migrates(installed: Path, empty_database: str, tmp_path: Path) -> None:
    run(
        *(installed / "bin" / "wallet", "migrate"),
        cwd=tmp_path,
        PYTHONPATH=str(installed),
        DATABASE_URL=empty_database,
    )
    with psycopg.connect(empty_database) as connection:
        connection.execute("select wallet.create_wallet(gen_random_uuid())")
