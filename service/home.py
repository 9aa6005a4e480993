"""What `wallet run` keeps in .pgwallet, for itself and for the commands of other terminals."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from .settings import Settings

HOME = Path(".pgwallet")
SECRET_FILE = HOME / "webhook_secret"
VAPI_SECRET_FILE = HOME / "vapi_webhook_secret"
TOKEN_FILE = HOME / "api_token"
JWT_SECRET_FILE = HOME / "jwt_secret"
SANDBOX_FOLDER = HOME / "stripe"
SANDBOX_URL_FILE = HOME / "sandbox_url"

SANDBOX_KEY = "sk_test_sandbox"
SANDBOX_VAPI_KEY = "sandbox"


def load_settings() -> Settings:
    """The settings; without a key for Stripe, those of the sandbox of a `wallet run` here."""
    settings = Settings.load()
    if settings.stripe_secret_key is None and SANDBOX_URL_FILE.exists():
        return Settings.load(**sandbox_settings(SANDBOX_URL_FILE.read_text().strip(), settings))
    return settings


def sandbox_settings(url: str, settings: Settings) -> dict[str, str]:
    """The sandbox in place of Stripe, and of Vapi too where there is no key for it."""
    stripe = {
        "stripe_secret_key": SANDBOX_KEY,
        "stripe_api_base": url,
        "checkout_return_url": url + "/return",
    }
    if settings.vapi_api_key:
        return stripe
    return stripe | {"vapi_api_key": SANDBOX_VAPI_KEY, "vapi_api_base": url + "/vapi"}


@contextmanager
def published_sandbox(url: str) -> Iterator[None]:
    """Let the commands of other terminals find the sandbox, as long as it runs."""
    SANDBOX_URL_FILE.write_text(url + "\n")
    try:
        yield
    finally:
        SANDBOX_URL_FILE.unlink(missing_ok=True)


def read_secret() -> str:
    """The signing secret that the first `wallet run` made here."""
    secret = SECRET_FILE.read_text().strip()
    if not secret.startswith("whsec_"):
        raise click.ClickException(
            f"{SECRET_FILE} holds no signing secret: delete it, and `wallet run` makes a new one."
        )
    return secret


def read_or_create_secret() -> str:
    _create(SECRET_FILE, f"whsec_{secrets.token_hex(32)}")
    return read_secret()


def read_or_create_vapi_secret() -> str:
    _create(VAPI_SECRET_FILE, secrets.token_hex(32))
    return VAPI_SECRET_FILE.read_text().strip()


def read_or_create_token() -> str:
    _create(TOKEN_FILE, secrets.token_hex(32))
    return TOKEN_FILE.read_text().strip()


def read_or_create_jwt_secret() -> str:
    _create(JWT_SECRET_FILE, secrets.token_hex(32))
    return JWT_SECRET_FILE.read_text().strip()


def _create(path: Path, text: str) -> None:
    """Write a file that only its owner can read, unless it is there: all of it or nothing."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    if path.exists():
        return
    with tempfile.NamedTemporaryFile("w", dir=HOME, prefix=path.name) as file:
        file.write(text + "\n")
        file.flush()
        with suppress(FileExistsError):
            path.hardlink_to(file.name)
