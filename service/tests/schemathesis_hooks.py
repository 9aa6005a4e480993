"""What schemathesis loads: how providers prove who they are, and what no answer may say."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from multidict import MultiDict
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import Case, CheckContext, Response
from schemathesis.auths import GLOBAL_AUTH_STORAGE
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from ..sandbox import events
from .services import WHSEC

SECRET = "the-secret-that-a-provider-knows"


class Provider(AuthBase):
    """Signs the request as it is sent."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        url, body = str(request.url), request.body or b""
        if isinstance(body, str):
            body = body.encode()
        assert isinstance(body, bytes)
        provider = urlsplit(url).path.split("/")[3]
        request.headers.update(SIGNATURES[provider](url, body))
        return request


def _of_stripe(_url: str, body: bytes) -> dict[str, str]:
    return {"Stripe-Signature": events.sign(body, WHSEC)}


def _of_vapi(_url: str, _body: bytes) -> dict[str, str]:
    return {"X-Vapi-Secret": SECRET}


def _of_twilio(url: str, body: bytes) -> dict[str, str]:
    form = MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return {"X-Twilio-Signature": RequestValidator(SECRET).compute_signature(url, form)}


SIGNATURES = {"stripe": _of_stripe, "vapi": _of_vapi, "twilio": _of_twilio}

# What a request alone must never bring about.
FAULTS = {"internal_error", "unexpected_error", "database_unavailable", "not_configured"}


@schemathesis.check
def no_fault(_context: CheckContext, response: Response, _case: Case[Any]) -> None:
    if response.status_code >= 500:
        assert response.json()["error"] not in FAULTS, response.text


if os.environ.get("CALLER") == "provider":
    GLOBAL_AUTH_STORAGE.set_from_requests(Provider())
