"""URLs: check that one is complete, and find its origin. Source: the URL Standard, as far as ports need it."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
"""The schemes of the web, whose URLs have a host, and their usual port, which an origin leaves out."""


def split_url(url: str) -> SplitResult | None:
    """Split a URL into its parts; return None if that is impossible, as for ``http://[``."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def origin_of(url: str) -> str | None:
    """Return the origin of a URL: its scheme, its host, and its port unless that is the usual one.

    Return None if it has no origin. If the scheme is not one of the web's, the host is
    taken as it stands: an extension's id, for example, may contain ``@``.
    """
    parts = split_url(url)
    if parts is None or not parts.scheme or not parts.netloc:
        return None
    usual = _DEFAULT_PORTS.get(parts.scheme)
    if usual is None:
        return f"{parts.scheme}://{parts.netloc}"
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(f":{usual}")
    return f"{parts.scheme}://{host}"


def find_fault(url: str) -> str | None:
    """Return why ``url`` is not a complete URL, as the rest of a sentence; None if it is one."""
    try:
        parts = urlsplit(url)
        no_host = parts.scheme in _DEFAULT_PORTS and not parts.hostname
        _ = parts.port
    except ValueError as error:
        return f"cannot be taken apart: {error}"
    if not parts.scheme:
        return "has no scheme"
    return "has no host" if no_host else None
