"""The units of deploy/systemd: their commands and settings exist, and systemd takes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ..cli import main
from ..settings import Settings
from .secured import DEPLOY

UNITS = {
    "pgwallet-migrate.service": "migrate",
    "pgwallet-service.service": "serve",
    "pgwallet-worker.service": "worker",
}
# Of 100, which is a unit that may do everything.
EXPOSURE = 15

ANALYZE = shutil.which("systemd-analyze")


def settings(unit: str) -> dict[str, list[str]]:
    """Every value that a unit or its drop-in sets, by name."""
    drop_in = DEPLOY / "systemd/pgwallet-.service.d/hardening.conf"
    found: dict[str, list[str]] = {}
    for path in (DEPLOY / "systemd" / unit, drop_in):
        for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE):
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine on which the units are installed as docs/deploying.md says."""
    shutil.copytree(DEPLOY / "systemd", tmp_path / "etc/systemd/system")
    program = tmp_path / "opt/pgwallet/bin/wallet"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def test_these_are_the_units() -> None:
    assert {path.name for path in (DEPLOY / "systemd").glob("*.service")} == set(UNITS)


@pytest.mark.parametrize(("unit", "command"), UNITS.items())
def test_a_unit_starts_its_command(unit: str, command: str) -> None:
    assert settings(unit)["ExecStart"] == [f"/opt/pgwallet/bin/wallet {command}"]
    assert command in main.commands
    name = unit.removeprefix("pgwallet-").removesuffix(".service")
    assert settings(unit)["EnvironmentFile"] == [f"/etc/pgwallet/{name}.env"]
    assert "Environment" not in settings(unit)


@pytest.mark.parametrize("unit", ["pgwallet-service.service", "pgwallet-worker.service"])
def test_a_process_has_time_to_stop_and_comes_back_unless_its_settings_are_wrong(
    unit: str,
) -> None:
    shutdown = Settings.model_fields["shutdown_timeout_seconds"].default
    assert int(settings(unit)["TimeoutStopSec"][0]) >= shutdown + 5
    assert settings(unit)["KillMode"] == ["mixed"]
    assert settings(unit)["Restart"] == ["always"]
    assert settings(unit)["RestartPreventExitStatus"] == ["2"]


def test_migrating_starts_by_nobody_s_wish_but_an_operator_s() -> None:
    assert "WantedBy" not in settings("pgwallet-migrate.service")
    for unit in UNITS:
        pulled_in = [*settings(unit).get("Wants", []), *settings(unit).get("Requires", [])]
        assert not [each for each in pulled_in if "migrate" in each]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_a_unit(root: Path, unit: str) -> None:
    done = analyze("verify", f"--root={root}", "--man=no", "--recursive-errors=no", unit)
    ours = [line for line in done.stderr.splitlines() if "pgwallet" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_may_do_little(root: Path, unit: str) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", f"--root={root}", unit)
    assert done.returncode == 0, done.stdout


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ANALYZE), "--no-pager", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
