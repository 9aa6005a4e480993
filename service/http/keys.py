"""What the application and its requests carry for the handlers."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from stripe import StripeClient

from ..database.notifications import Watchers
from ..database.pool import Database
from ..settings import ServiceSettings
from .access_tokens import TokenVerifier

DATABASE = web.AppKey("DATABASE", Database)
SETTINGS = web.AppKey("SETTINGS", ServiceSettings)
STRIPE = web.AppKey("STRIPE", StripeClient)  # where there is a STRIPE_SECRET_KEY
VERIFIER = web.AppKey("VERIFIER", TokenVerifier)  # where there is a JWT_SECRET or JWT_JWKS_URL
TOPUP_WATCHERS = web.AppKey("TOPUP_WATCHERS", Watchers)

# What a handler adds to the one line that is logged about its request.
LOG_FIELDS = web.RequestKey("LOG_FIELDS", dict[str, Any])
