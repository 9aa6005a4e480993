"""Settings, read from the environment or from a file `.env`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

SECONDS = "a number of seconds above 0 and at most 300"

EXPECTED = {
    "DATABASE_URL": "a URL such as postgresql://user:password@host:5432/database",
    "STRIPE_WEBHOOK_SECRET": "the endpoint's signing secret, which starts with whsec_"
    " (several may be given, with commas between)",
    "HOST": "the name or address to listen on",
    "PORT": "a whole number from 1 to 65535, or 0 for any free port",
    "DATABASE_POOL_SIZE": "a whole number from 1 to 500",
    "DATABASE_TIMEOUT_SECONDS": SECONDS,
    "REQUEST_TIMEOUT_SECONDS": SECONDS,
    "SHUTDOWN_TIMEOUT_SECONDS": SECONDS,
}


class SettingsError(Exception):
    """A setting is missing or unusable. The message names it, never its value."""


def _require_text(text: str) -> None:
    if not text.strip():
        raise PydanticCustomError("blank", "blank")


def _check_host(host: str) -> str:
    _require_text(host)
    return host.strip()


def _check_database_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    _require_text(url)
    scheme, _, rest = url.partition("://")
    user, at, host = rest.partition("?")[0].partition("@")
    # An unescaped @ or / of a password would end up in the host, which error messages name.
    if scheme not in ("postgresql", "postgres") or (at and "/" in user) or "@" in host:
        raise ValueError
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # libpq quotes what it could not read, and that may hold the password.
        raise ValueError from None
    return value


def _check_webhook_secret(value: SecretStr) -> SecretStr:
    _require_text(value.get_secret_value())
    for secret in value.get_secret_value().split(","):
        _require_text(secret)
        if not re.fullmatch(r"whsec_[!-~]+", secret.strip()):
            raise ValueError
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_check_webhook_secret)]
Seconds = Annotated[float, Field(gt=0, le=300)]


class Settings(BaseSettings):
    """What every command reads; a command may do without either of the two keys."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: DatabaseUrl | None = None
    stripe_webhook_secret: WebhookSecret | None = None
    host: Annotated[str, AfterValidator(_check_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    database_pool_size: Annotated[int, Field(ge=1, le=500)] = 10

    # From a request's first try to reach the database to its answer.
    database_timeout_seconds: Seconds = 10
    # For the sender, to deliver the body of its request.
    request_timeout_seconds: Seconds = 10
    # For requests in flight, once the service was told to stop.
    shutdown_timeout_seconds: Seconds = 20

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        if self.stripe_webhook_secret is None:
            return ()
        value = self.stripe_webhook_secret.get_secret_value()
        return tuple(secret.strip() for secret in value.split(","))

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; what is wrong with them becomes one sentence."""
        try:
            return cls(**overrides)
        except ValidationError as exc:
            error = exc.errors(include_input=False)[0]
        except UnicodeDecodeError:
            raise SettingsError("The file .env is not UTF-8 text.") from None
        name = str(error["loc"][0]).upper()
        problems = {"missing": "is not set", "blank": "is blank"}
        problem = problems.get(error["type"], "is not usable")
        raise SettingsError(f"{name} {problem}: expected {EXPECTED[name]}.")


class ServiceSettings(Settings):
    """What the HTTP service needs: no default can stand in for its two keys."""

    database_url: DatabaseUrl
    stripe_webhook_secret: WebhookSecret
