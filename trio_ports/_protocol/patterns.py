"""Match patterns, and the manifest key that says who may connect to an extension from outside.

Source: MDN, "Match patterns in extension manifests" and ``externally_connectable``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, final

import attrs

from .urls import split_url

_ALL_URLS: Final = "<all_urls>"
_ALL_SCHEMES: Final = ("http", "https", "ws", "wss", "ftp", "data", "file")
_WILD_SCHEMES: Final = ("http", "https", "ws", "wss")
_PATTERN: Final = re.compile(
    r"(?P<scheme>\*|[a-z][a-z0-9+.-]*)://(?P<host>\*|(?:\*\.)?[^/*:]+(?::[0-9]+)?|)(?P<path>/.*)", re.IGNORECASE
)


@final
@attrs.frozen
class MatchPattern:
    """A pattern of URLs: ``<all_urls>``, or ``scheme://host/path`` with stars."""

    text: str
    _scheme: str = attrs.field(init=False, repr=False)
    _host: str = attrs.field(init=False, repr=False)
    _path: re.Pattern[str] | None = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        match = None if self.text == _ALL_URLS else _PATTERN.fullmatch(self.text)
        if match is None and self.text != _ALL_URLS:
            raise ValueError(f"{self.text!r} is not a match pattern such as '*://*.example.com/*' or '<all_urls>'")
        path = None
        if match is not None:
            path = re.compile(".*".join(map(re.escape, match["path"].split("*"))), re.DOTALL)
        object.__setattr__(self, "_scheme", match["scheme"].lower() if match else _ALL_URLS)
        object.__setattr__(self, "_host", match["host"].lower() if match else "*")
        object.__setattr__(self, "_path", path)

    def matches(self, url: str) -> bool:
        """Return whether the pattern matches ``url``, whose fragment does not count."""
        parts = split_url(url)
        if parts is None:
            return False
        if self._path is None:
            return parts.scheme in _ALL_SCHEMES
        scheme = parts.scheme in _WILD_SCHEMES if self._scheme == "*" else parts.scheme == self._scheme
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return scheme and self._matches_host(parts.hostname or "", parts.netloc) and bool(self._path.fullmatch(path))

    def _matches_host(self, hostname: str, netloc: str) -> bool:
        host = self._host
        if host == "*":
            return bool(hostname)
        if host.startswith("*."):
            return hostname == host[2:] or hostname.endswith(host[1:])
        return host in (hostname, netloc.rpartition("@")[2].lower())


@final
@attrs.frozen
class ExternallyConnectable:
    """The manifest key that says who may connect from outside."""

    ids: frozenset[str] = frozenset()
    """Extensions; ``"*"`` for all."""
    matches: tuple[MatchPattern, ...] = ()
    """Web pages."""

    @classmethod
    def from_manifest(cls, value: Mapping[str, Any]) -> ExternallyConnectable:
        """Read the key as it is in a manifest: ``{"ids": ["*"], "matches": ["https://*.example.com/*"]}``.

        Raises:
            TypeError, ValueError: it is anything else.
        """
        if not isinstance(cast("object", value), Mapping):
            raise TypeError(f"externally_connectable must be a mapping as in a manifest, not {value!r}")
        unknown = set(value) - {"ids", "matches", "accepts_tls_channel_id"}
        if unknown:
            raise ValueError(f"externally_connectable has no {', '.join(map(repr, sorted(map(str, unknown))))}")
        ids, matches = _texts(value, "ids"), _texts(value, "matches")
        if "" in ids:
            raise ValueError("externally_connectable: ids has an empty id, which no extension can have")
        return cls(frozenset(ids), tuple(map(MatchPattern, matches)))

    def allows_extension(self, extension_id: str) -> bool:
        """Return whether that extension may connect."""
        return "*" in self.ids or extension_id in self.ids

    def allows_page(self, url: str) -> bool:
        """Return whether that web page may connect."""
        return any(pattern.matches(url) for pattern in self.matches)


def _texts(manifest: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the strings that a key has; none, if the key is missing."""
    items: object = manifest.get(name, ())
    if isinstance(items, (list, tuple, set, frozenset)):
        texts = tuple(cast("Iterable[object]", items))
        if all(isinstance(text, str) for text in texts):
            return cast("tuple[str, ...]", texts)
    raise TypeError(f"externally_connectable: {name} must be a list of strings, not {items!r}")
