"""What `wallet run` plays itself: Stripe with Vapi, and the application that signs customers in."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from .home import (
    SANDBOX_FOLDER,
    published_sandbox,
    read_or_create_jwt_secret,
    sandbox_settings,
)
from .http.app import STRIPE_WEBHOOK_PATH, VAPI_WEBHOOK_PATH, listen, listener_url
from .sandbox.app import running_host, running_sandbox
from .sandbox.sign_in import SIGN_IN_PATH, HostApplication
from .settings import ServiceSettings, Settings

SANDBOX_PORT = 12111


@dataclass(frozen=True)
class StandIns:
    """Each plays where the settings name nothing real, and changes them accordingly."""

    listener: socket.socket | None = None
    host: HostApplication | None = None
    play_stripe: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, service: ServiceSettings, service_url: str) -> AsyncIterator[None]:
        if self.listener and self.play_stripe:
            webhook = service_url + STRIPE_WEBHOOK_PATH, service.webhook_secrets[0]
            vapi_server = service_url + VAPI_WEBHOOK_PATH, service.vapi_secrets[0]
            async with running_sandbox(
                SANDBOX_FOLDER, self.listener, webhook, vapi_server, self.host
            ) as url:
                with published_sandbox(url):
                    yield
        elif self.listener and self.host:
            async with running_host(self.host, self.listener):
                yield
        else:
            yield


@contextmanager
def prepared(settings: Settings, wallet_url: str, org_id: UUID | None) -> Iterator[StandIns]:
    """Those that are needed, for customers of this organization; None lets them choose one."""
    play_stripe = settings.stripe_secret_key is None
    play_host = settings.jwt_secret is None and settings.jwt_jwks_url is None
    if not play_stripe and not play_host:
        yield StandIns()
        return
    with _listen_nearby() as listener:
        url = listener_url(listener)
        overrides: dict[str, str] = {}
        host = None
        if play_stripe:
            overrides |= sandbox_settings(url, settings)
        if play_host:
            secret = read_or_create_jwt_secret()
            host = HostApplication(
                wallet_url, secret, settings.jwt_audience, settings.jwt_issuer, org_id
            )
            sign_in_url = settings.sign_in_url or url + SIGN_IN_PATH
            overrides |= {"jwt_secret": secret, "sign_in_url": sign_in_url}
        yield StandIns(listener, host, play_stripe, overrides)


def _listen_nearby() -> socket.socket:
    """The same port each time, where it is free, so that pages left open go on working."""
    try:
        return listen("127.0.0.1", SANDBOX_PORT)
    except OSError:
        return listen("127.0.0.1", 0)
