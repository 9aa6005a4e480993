"""docs/deploying.md is complete: it is held against the settings and the files of deploy/."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import SecretStr

from ..settings import EXPECTED, Settings
from .docs import codes, table
from .docs_examples import examples
from .secured import DEPLOY, PASSWORDS
from .test_deploy_compose import LOGINS
from .test_deploy_logins import MEMBERSHIPS
from .test_deploy_systemd import UNITS

PAGE = "docs/deploying.md"


def is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(is_secret, get_args(annotation)))


def test_each_secret_can_be_replaced() -> None:
    rows = table(PAGE, "Secrets")
    secrets = {
        name.upper() for name, field in Settings.model_fields.items() if is_secret(field.annotation)
    }
    # The password of the database stands in its URL.
    assert set(codes(rows)) - {"JWT_JWKS_URL"} == secrets - {"DATABASE_URL"} | {
        "WALLET_HTTP_PASSWORD"
    }
    two = {code for row in rows if "set both" in row[1] for code in codes([row])}
    assert two == {name for name, expected in EXPECTED.items() if "several" in expected}


def test_each_login_is_documented_with_its_roles() -> None:
    rows = table(PAGE, "Monday: the database")
    documented = {codes([row])[0]: set(codes([row], 2)) for row in rows}
    assert documented == MEMBERSHIPS
    assert {f"{login.upper()}_PASSWORD" for login in LOGINS.values()} == set(PASSWORDS)


def test_each_unit_is_started_and_has_its_settings() -> None:
    commands = "\n".join(example.code for example in examples(PAGE, "sh"))
    for unit in UNITS:
        assert unit.removesuffix(".service") in commands
    names = [unit.removeprefix("pgwallet-").removesuffix(".service") for unit in UNITS]
    files = {f"/etc/pgwallet/{name}.env" for name in names}
    rows = table(PAGE, "systemd")
    assert set(codes(rows)) == files
    assert {code for code in codes(rows, 1) if code.isupper()} <= set(EXPECTED)


def test_each_file_is_mentioned() -> None:
    text = (DEPLOY.parent / PAGE).read_text()
    hidden = {".gitignore", "create_migrator.sql"}  # which compose.yaml runs by itself
    for path in DEPLOY.iterdir():
        assert path.name in text or path.name in hidden | {".env", "userlist.txt"}, path.name
