"""What is missing or unusable is named with what was expected, and its value is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..settings import EXPECTED, ServiceSettings, Settings, SettingsError
from .services import wallet

VALID = {
    "DATABASE_URL": "postgresql://user:pass%40word@db.example.com:6543/app?sslmode=require",
    "STRIPE_WEBHOOK_SECRET": "whsec_abc",
}

UNUSABLE = [
    ("DATABASE_URL", "mysql://user:hunter2@db/app"),
    ("DATABASE_URL", "host=db password=hunter2"),
    ("DATABASE_URL", "postgresql://user:hunter2@db/app?no_such_option=1"),
    ("DATABASE_URL", "postgresql://user:hunter2@more@db/app"),
    ("DATABASE_URL", "postgresql://user:hunter2/more@db/app"),
    ("DATABASE_URL", "postgresql://user:hunter2%@db/app"),
    ("STRIPE_WEBHOOK_SECRET", "hunter2"),
    ("STRIPE_WEBHOOK_SECRET", "sk_live_hunter2"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_hunter2 whsec_hunter2"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_hunter2é"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_hunter2,hunter2"),
    ("VAPI_WEBHOOK_SECRET", "hunter2"),
    ("VAPI_WEBHOOK_SECRET", "hunter2 hunter2 hunter2"),
    ("VAPI_WEBHOOK_SECRET", "hunter2-hunter2-é"),
    ("VAPI_WEBHOOK_SECRET", "hunter2-hunter2-hunter2,hunter2"),
    ("VAPI_API_KEY", "hunter2 hunter2"),
    ("VAPI_API_BASE", "ftp://hunter2/vapi"),
    ("TWILIO_AUTH_TOKEN", "hunter2"),
    ("TWILIO_AUTH_TOKEN", "hunter2-hunter2-hunter2,hunter2"),
    ("API_TOKEN", "hunter2-hunter2-hunter2-hunter2"),
    ("API_TOKEN", f"{'x' * 32},hunter2"),
    ("JWT_SECRET", "hunter2-hunter2-hunter2-hunter2"),
    ("JWT_SECRET", f"{'x' * 32},hunter2"),
    ("JWT_SECRET", "hunter2 " * 5),
    ("JWT_JWKS_URL", "hunter2.example.com/jwks.json"),
    ("JWT_JWKS_URL", "file:///hunter2"),
    ("SIGN_IN_URL", "/hunter2"),
    ("SIGN_IN_URL", "javascript:hunter2"),
    ("ALERT_WEBHOOK_SECRET", f"whsec_{'A' * 32},hunter2"),
    ("PUBLIC_URL", "hunter2.example.com"),
    ("PUBLIC_URL", "ftp://hunter2.example.com"),
    ("PUBLIC_URL", "https://user:hunter2@pay.example.com"),
    ("PUBLIC_URL", "https://pay.example.com/?hunter2"),
    ("PUBLIC_URL", "https://pay.example.com/#hunter2"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "hunter2"),
    ("DATABASE_POOL_SIZE", "0"),
    ("DATABASE_TIMEOUT_SECONDS", "0"),
    ("DATABASE_TIMEOUT_SECONDS", "nan"),
    ("REQUEST_TIMEOUT_SECONDS", "301"),
    ("SHUTDOWN_TIMEOUT_SECONDS", "hunter2"),
]

BLANK = [
    (name, blank)
    for name in ("DATABASE_URL", "STRIPE_WEBHOOK_SECRET", "HOST")
    for blank in ("", "  ")
]
BLANK += [("STRIPE_WEBHOOK_SECRET", "whsec_a,"), ("STRIPE_WEBHOOK_SECRET", ",whsec_a")]
BLANK += [
    (name, blank)
    for name in ("VAPI_WEBHOOK_SECRET", "TWILIO_AUTH_TOKEN")
    for blank in ("", " ", f"{'x' * 16},", f"{'x' * 16}, ,{'y' * 16}")
]
BLANK += [
    (name, blank)
    for name in ("API_TOKEN", "JWT_SECRET")
    for blank in ("", " ", f"{'x' * 32},", f"{'x' * 32}, ,{'y' * 32}")
]
BLANK += [(f"JWT_{name}", " ") for name in ("JWKS_URL", "AUDIENCE", "ISSUER")]
BLANK += [("SIGN_IN_URL", ""), ("ALERT_WEBHOOK_SECRET", f"whsec_{'A' * 32},")]
BLANK += [("VAPI_API_KEY", " "), ("VAPI_API_BASE", ""), ("PUBLIC_URL", " ")]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Both keys set, everything else as it comes, and no `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in EXPECTED:
        monkeypatch.delenv(name, raising=False)
    for name, value in VALID.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_defaults_listen_on_this_machine_alone(environment: pytest.MonkeyPatch) -> None:
    settings = ServiceSettings.load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.database_url.get_secret_value() == VALID["DATABASE_URL"]
    assert settings.webhook_secrets == ("whsec_abc",)


def test_every_setting_says_what_it_expects() -> None:
    assert {name.upper() for name in ServiceSettings.model_fields} == set(EXPECTED)


def test_several_secrets_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STRIPE_WEBHOOK_SECRET", "whsec_old, whsec_new")
    assert ServiceSettings.load().webhook_secrets == ("whsec_old", "whsec_new")


def test_the_secrets_of_every_provider_may_be_several(environment: pytest.MonkeyPatch) -> None:
    assert (ServiceSettings.load().vapi_secrets, ServiceSettings.load().twilio_tokens) == ((), ())
    old, new = "x" * 16, "!" * 16
    environment.setenv("VAPI_WEBHOOK_SECRET", f" {old} ,{new}")
    environment.setenv("TWILIO_AUTH_TOKEN", f"{new}, {old}\t")
    settings = ServiceSettings.load()
    assert (settings.vapi_secrets, settings.twilio_tokens) == ((old, new), (new, old))


def test_our_own_secrets_may_be_several(environment: pytest.MonkeyPatch) -> None:
    settings = ServiceSettings.load()
    assert (settings.api_tokens, settings.jwt_secrets, settings.alert_webhook_secrets) == ((),) * 3
    old, new = "x" * 32, "!" * 32
    environment.setenv("API_TOKEN", f" {old} ,{new}")
    environment.setenv("JWT_SECRET", f"{new},{old}\n")
    environment.setenv("ALERT_WEBHOOK_URL", "https://ops.example.com/alerts")
    environment.setenv("ALERT_WEBHOOK_SECRET", f"whsec_{'A' * 32}, whsec_{'B' * 32}")
    settings = ServiceSettings.load()
    assert (settings.api_tokens, settings.jwt_secrets) == ((old, new), (new, old))
    assert settings.alert_webhook_secrets == (f"whsec_{'A' * 32}", f"whsec_{'B' * 32}")


def test_a_path_can_be_put_behind_the_public_url(environment: pytest.MonkeyPatch) -> None:
    for url, expected in (
        (" https://pay.example.com/ ", "https://pay.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://example.com/pay//", "https://example.com/pay"),
    ):
        environment.setenv("PUBLIC_URL", url)
        assert ServiceSettings.load().public_url == expected


def test_settings_are_read_from_a_file_and_the_environment_wins(
    environment: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("PORT=9000\nHOST=::1\nSOMETHING_ELSE=1\n")
    environment.setenv("HOST", "127.0.0.2")
    settings = ServiceSettings.load()
    assert (settings.host, settings.port) == ("127.0.0.2", 9000)


def test_a_file_that_is_not_text_is_refused(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"PORT=\xff")
    with pytest.raises(SettingsError, match=r"^The file \.env is not UTF-8 text\.$"):
        ServiceSettings.load()


@pytest.mark.parametrize("name", VALID)
def test_a_missing_key_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(SettingsError) as refusal:
        ServiceSettings.load()
    assert str(refusal.value) == f"{name} is not set: expected {EXPECTED[name]}."


@pytest.mark.parametrize("name", VALID)
def test_a_command_that_needs_no_key_starts_without(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.delenv(name)
    assert getattr(Settings.load(), name.lower()) is None


@pytest.mark.parametrize(("name", "value"), BLANK)
@pytest.mark.parametrize("kind", [Settings, ServiceSettings])
def test_a_blank_value_is_refused(
    environment: pytest.MonkeyPatch, kind: type[Settings], name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        kind.load()
    assert str(refusal.value) == f"{name} is blank: expected {EXPECTED[name]}."


@pytest.mark.parametrize(("name", "value"), UNUSABLE)
@pytest.mark.parametrize("kind", [Settings, ServiceSettings])
def test_an_unusable_value_is_refused_and_not_repeated(
    environment: pytest.MonkeyPatch, kind: type[Settings], name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        kind.load()
    assert str(refusal.value) == f"{name} is not usable: expected {EXPECTED[name]}."


def test_settings_hide_their_secrets(environment: pytest.MonkeyPatch) -> None:
    for name in (
        *("VAPI_WEBHOOK_SECRET", "VAPI_API_KEY", "TWILIO_AUTH_TOKEN"),
        *("API_TOKEN", "JWT_SECRET"),
    ):
        environment.setenv(name, "hunter2-" * 5)
    shown = repr(ServiceSettings.load())
    assert "hunter2" not in shown
    assert "whsec_abc" not in shown
    assert "pass%40word" not in shown


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "DATABASE_URL is not set: "),
        ({"DATABASE_URL": VALID["DATABASE_URL"]}, "STRIPE_WEBHOOK_SECRET is not set: "),
        (VALID | {"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET is blank: "),
        (VALID | {"STRIPE_WEBHOOK_SECRET": "hunter2"}, "STRIPE_WEBHOOK_SECRET is not usable: "),
        (VALID | {"JWT_JWKS_URL": "http://hunter2.example.com"}, "JWT_JWKS_URL is not usable: "),
    ],
    ids=["nothing set", "secret missing", "secret blank", "secret malformed", "keys in the open"],
)
def test_the_service_stops_with_one_sentence(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    result = wallet(tmp_path, "serve", **settings)

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.stderr
