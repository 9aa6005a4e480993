"""Settings, read from the environment or from a file `.env`."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

SECONDS = "a number of seconds above 0 and at most 300"

EXPECTED = {
    "DATABASE_URL": "a URL such as postgresql://user:password@host:5432/database",
    "STRIPE_WEBHOOK_SECRET": "the endpoint's signing secret, which starts with whsec_"
    " (several may be given, with commas between)",
    "STRIPE_SECRET_KEY": "a secret or restricted API key, which starts with sk_ or rk_",
    "STRIPE_API_BASE": "a URL such as http://127.0.0.1:12111, and only with a test key",
    "VAPI_WEBHOOK_SECRET": "a secret of at least 16 characters that Vapi sends with its reports"
    " (several may be given, with commas between)",
    "VAPI_API_KEY": "a private API key of Vapi",
    "VAPI_API_BASE": "the URL of Vapi's API",
    "TWILIO_AUTH_TOKEN": "the account's auth token, which Twilio signs its requests with"
    " (several may be given, with commas between)",
    "PUBLIC_URL": "the URL that this service is reached at from outside,"
    " such as https://pay.example.com",
    "CHECKOUT_RETURN_URL": "the URL of the page that a customer comes back to after paying",
    "JWT_SECRET": "the secret of at least 32 characters that access tokens are signed with by HS256"
    " (several may be given, with commas between)",
    "JWT_JWKS_URL": "the https URL of the public keys that access tokens are signed with,"
    " such as https://auth.example.com/.well-known/jwks.json",
    "JWT_AUDIENCE": "the audience that access tokens are made out to",
    "JWT_ISSUER": "who issues access tokens, as their claim iss has it",
    "SIGN_IN_URL": "the URL of the page of your application that signs customers in",
    "API_TOKEN": "a secret of at least 32 characters that callers of the HTTP service know"
    " (several may be given, with commas between)",
    "SLACK_WEBHOOK_URL": "the URL of an incoming webhook of Slack",
    "ALERT_WEBHOOK_URL": "the URL that alerts are posted to, together with ALERT_WEBHOOK_SECRET",
    "ALERT_WEBHOOK_SECRET": "a secret that alerts are signed with: whsec_ and base64,"
    " together with ALERT_WEBHOOK_URL (several may be given, with commas between)",
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


def _check_text(text: str) -> str:
    _require_text(text)
    return text.strip()


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
    for secret in _split(value):
        _require_text(secret)
        if not re.fullmatch(r"whsec_[!-~]+", secret):
            raise ValueError
    return value


def _check_secret_key(value: SecretStr) -> SecretStr:
    _require_text(value.get_secret_value())
    if not re.fullmatch(r"[sr]k_(test|live)_[!-~]+", value.get_secret_value().strip()):
        raise ValueError
    return SecretStr(value.get_secret_value().strip())


def _check_url(value: str) -> str:
    _require_text(value)
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value.strip()):
        raise ValueError
    return value.strip()


def _check_secret_url(value: SecretStr) -> SecretStr:
    return SecretStr(_check_url(value.get_secret_value()))


def _check_shared_secrets(value: SecretStr) -> SecretStr:
    return _check_secrets(value, shortest=16)


def _check_long_secrets(value: SecretStr) -> SecretStr:
    return _check_secrets(value, shortest=32)


def _check_secrets(value: SecretStr, *, shortest: int) -> SecretStr:
    _require_text(value.get_secret_value())
    for secret in _split(value):
        _require_text(secret)
        if len(secret) < shortest or not re.fullmatch(r"[!-~]+", secret):
            raise ValueError
    return value


def _check_api_key(value: SecretStr) -> SecretStr:
    _require_text(value.get_secret_value())
    if not re.fullmatch(r"[!-~]+", value.get_secret_value().strip()):
        raise ValueError
    return SecretStr(value.get_secret_value().strip())


def _check_public_url(value: str) -> str:
    """What a path can be put behind."""
    _require_text(value)
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value.strip()):
        raise ValueError
    return value.strip().rstrip("/")


def _check_signing_secrets(value: SecretStr) -> SecretStr:
    """Standard Webhooks: a secret is base64 behind whsec_, of 24 to 64 bytes."""
    _require_text(value.get_secret_value())
    for secret in _split(value):
        _require_text(secret)
        if not 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64:
            raise ValueError
    return value


def _split(value: SecretStr | None) -> tuple[str, ...]:
    """Several secrets in one setting, as while one is replaced by another."""
    if value is None:
        return ()
    return tuple(secret.strip() for secret in value.get_secret_value().split(","))


Text = Annotated[str, AfterValidator(_check_text)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_check_webhook_secret)]
StripeKey = Annotated[SecretStr, AfterValidator(_check_secret_key)]
ApiKey = Annotated[SecretStr, AfterValidator(_check_api_key)]
SharedSecrets = Annotated[SecretStr, AfterValidator(_check_shared_secrets)]
LongSecrets = Annotated[SecretStr, AfterValidator(_check_long_secrets)]
Url = Annotated[str, AfterValidator(_check_url)]
PublicUrl = Annotated[str, AfterValidator(_check_public_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_check_secret_url)]  # it is its own password
SigningSecrets = Annotated[SecretStr, AfterValidator(_check_signing_secrets)]
Seconds = Annotated[float, Field(gt=0, le=300)]


class Settings(BaseSettings):
    """What every command reads; each command does without most of it."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: DatabaseUrl | None = None
    stripe_webhook_secret: WebhookSecret | None = None
    stripe_secret_key: StripeKey | None = None
    stripe_api_base: Url | None = None
    vapi_webhook_secret: SharedSecrets | None = None
    vapi_api_key: ApiKey | None = None
    vapi_api_base: Url = "https://api.vapi.ai"
    twilio_auth_token: SharedSecrets | None = None
    public_url: PublicUrl | None = None
    checkout_return_url: Url | None = None
    api_token: LongSecrets | None = None
    jwt_secret: LongSecrets | None = None
    jwt_jwks_url: Url | None = None
    jwt_audience: Text = "authenticated"
    jwt_issuer: Text | None = None
    sign_in_url: Url | None = None
    slack_webhook_url: SecretUrl | None = None
    alert_webhook_url: SecretUrl | None = None
    alert_webhook_secret: SigningSecrets | None = None
    host: Text = "127.0.0.1"
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
        return _split(self.stripe_webhook_secret)

    @property
    def vapi_secrets(self) -> tuple[str, ...]:
        return _split(self.vapi_webhook_secret)

    @property
    def twilio_tokens(self) -> tuple[str, ...]:
        return _split(self.twilio_auth_token)

    @property
    def api_tokens(self) -> tuple[str, ...]:
        return _split(self.api_token)

    @property
    def alert_webhook_secrets(self) -> tuple[str, ...]:
        return _split(self.alert_webhook_secret)

    @property
    def jwt_secrets(self) -> tuple[str, ...]:
        return _split(self.jwt_secret)

    @property
    def livemode(self) -> bool:
        """Whether Stripe's API key moves real money."""
        key = self.stripe_secret_key
        return key is not None and "_live_" in key.get_secret_value()[:8]

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        if self.stripe_api_base and self.livemode:
            raise PydanticCustomError("STRIPE_API_BASE", "beside a live key")
        if (self.alert_webhook_url is None) != (self.alert_webhook_secret is None):
            raise PydanticCustomError("ALERT_WEBHOOK_SECRET", "one without the other")
        return self

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings; what is wrong with them becomes one sentence."""
        try:
            return cls(**overrides)
        except ValidationError as exc:
            error = exc.errors(include_input=False)[0]
        except UnicodeDecodeError:
            raise SettingsError("The file .env is not UTF-8 text.") from None
        # An error about two settings is named after the one to look at.
        name = str(error["loc"][0] if error["loc"] else error["type"]).upper()
        problems = {"missing": "is not set", "blank": "is blank"}
        problem = problems.get(error["type"], "is not usable")
        raise SettingsError(f"{name} {problem}: expected {EXPECTED[name]}.")


class ServiceSettings(Settings):
    """What the HTTP service needs: no default can stand in for its two keys."""

    database_url: DatabaseUrl
    stripe_webhook_secret: WebhookSecret


class WorkerSettings(Settings):
    """What the worker needs."""

    database_url: DatabaseUrl
    stripe_secret_key: StripeKey
