"""Where secrets and amounts may go: over https, or not beyond this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from .settings import SettingsError


def require_privacy(name: str, url: str) -> None:
    """Refuse the setting `name` if whoever is on the way to its URL could listen."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_this_machine(parts.hostname):
        raise SettingsError(f"{name} is not usable: expected https, or http to this machine.")


def is_this_machine(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
