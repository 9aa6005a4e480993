"""What `wallet run` prints once all is running: what to open, and what to type next."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from .http.app import STRIPE_WEBHOOK_PATH, VAPI_WEBHOOK_PATH
from .settings import Settings


def next_steps(
    url: str, wallet_url: str, psql: str, settings: Settings, *, has_demo_wallet: bool
) -> str:
    topup = [program(), "topup", "--amount", "5000"]
    if not has_demo_wallet:
        topup += ["--org", "ORGANIZATION_ID"]
    if settings.stripe_api_base:
        stripe = f"{settings.stripe_api_base} (the sandbox)"
        hint = "open it and top up: no money moves"
    else:
        stripe = f"the {'live' if settings.livemode else 'test'} mode of STRIPE_SECRET_KEY"
        hint = "open it and top up"
    if not settings.sign_in_url:
        hint = "for a customer with a token of your application"
    return f"""
pgwallet is running.

  Wallet     {wallet_url}/  ({hint})
  Health     {url}/health
  Webhook    {url + STRIPE_WEBHOOK_PATH}
  Stripe     {stripe}
  Vapi       {url + VAPI_WEBHOOK_PATH}
  Database   {psql}

Start a top-up of £50.00 as your backend does, in another terminal:

  {" ".join(topup)}

Ctrl-C stops everything{", the database included" if has_demo_wallet else ""}.
"""


def program() -> str:
    """How the reader calls this program, to be shown in front of its next command."""
    name = Path(sys.argv[0])
    if name.name == "__main__.py":
        return shlex.join([shorten(Path(sys.executable)), "-m", str(__package__)])
    if shutil.which(name.name) == str(name):
        return name.name
    return shlex.quote(shorten(name))


def shorten(path: Path) -> str:
    """Relative to the current directory where it lies below."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
