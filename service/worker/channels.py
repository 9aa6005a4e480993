"""Where the outbox's messages go: the log, Slack, and a signed webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypedDict

import structlog
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar
from pydantic import SecretStr

from .. import __version__
from ..privacy import require_privacy
from ..settings import Settings

log = structlog.get_logger()

TIMEOUT_SECONDS = 10


class Message(TypedDict):
    """A message as wallet.claim_messages answers it."""

    id: str
    topic: str
    org_id: str | None
    payload: dict[str, Any]
    created_at: str
    attempts: int
    delivered_to: list[str]


class Refused(Exception):
    """The receiver answered, and not with a status that means success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")


class Channel(Protocol):
    name: str

    async def send(self, message: Message) -> None:
        """Return once the receiver has the message, and raise if it may not have it."""


class LogChannel:
    name = "log"

    async def send(self, message: Message) -> None:
        log.info(
            "message", messageId=message["id"], topic=message["topic"], orgId=message["org_id"]
        )


class SlackChannel:
    """An incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

    name = "slack"

    def __init__(self, http: ClientSession, url: SecretStr) -> None:
        self._http = http
        self._url = url

    async def send(self, message: Message) -> None:
        body = json.dumps({"text": describe(message)}).encode()
        await _post(self._http, self._url, body, {})


class WebhookChannel:
    """A receiver that verifies signatures: https://www.standardwebhooks.com, version 1.0.0."""

    name = "webhook"

    def __init__(self, http: ClientSession, url: SecretStr, secret: SecretStr) -> None:
        self._http = http
        self._url = url
        self._key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"))

    async def send(self, message: Message) -> None:
        body = json.dumps(
            {
                "id": message["id"],
                "type": message["topic"],
                "timestamp": message["created_at"],
                "org_id": message["org_id"],
                "data": message["payload"],
            }
        ).encode()
        await _post(self._http, self._url, body, self._sign(message["id"], body))

    def _sign(self, message_id: str, body: bytes) -> dict[str, str]:
        """Headers by which the receiver knows the sender, and the message should it come twice."""
        timestamp = str(int(time.time()))
        content = b".".join([message_id.encode(), timestamp.encode(), body])
        signature = hmac.digest(self._key, content, hashlib.sha256)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[list[Channel]]:
    """Every channel that the settings name, until the end of the block."""
    async with ClientSession(
        timeout=ClientTimeout(TIMEOUT_SECONDS),
        cookie_jar=DummyCookieJar(),
        headers={"Content-Type": "application/json", "User-Agent": f"pgwallet/{__version__}"},
    ) as http:
        channels: list[Channel] = [LogChannel()]
        if url := settings.slack_webhook_url:
            require_privacy("SLACK_WEBHOOK_URL", url.get_secret_value())
            channels.append(SlackChannel(http, url))
        if (url := settings.alert_webhook_url) and (secret := settings.alert_webhook_secret):
            require_privacy("ALERT_WEBHOOK_URL", url.get_secret_value())
            channels.append(WebhookChannel(http, url, secret))
        yield channels


def describe(message: Message) -> str:
    """A sentence for people, in which Slack finds no markup of its own."""
    topic = message["topic"].replace("_", " ").capitalize()
    sentence = message["payload"].get("message")
    text = f"{topic}: {sentence}" if sentence else f"{topic}."
    about = [f"organization {message['org_id']}"] if message["org_id"] else []
    about.append(f"message {message['id']}")
    text = f"{text} ({', '.join(about)})"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def _post(
    http: ClientSession, url: SecretStr, body: bytes, headers: Mapping[str, str]
) -> None:
    async with http.post(
        url.get_secret_value(), data=body, headers=headers, allow_redirects=False
    ) as response:
        if not 200 <= response.status < 300:
            raise Refused(response.status)
