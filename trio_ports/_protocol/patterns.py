"""Match patterns, and the manifest key that says who may connect to an extension from outside.

Source: MDN, "Match patterns in extension manifests" and ``externally_connectable``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, final

import attrs

from .urls import WEB_PORTS, encode_path_and_query, parse_host, parse_url

_ALL_URLS: Final = "<all_urls>"
_ALL_SCHEMES: Final = ("http", "https", "ws", "wss", "ftp", "data", "file")
_WILD_SCHEMES: Final = ("http", "https", "ws", "wss")
_PATTERN: Final = re.compile(
    r"(?P<scheme>\*|[a-z][a-z0-9+.-]*)://"
    r"(?:(?P<any>\*)|(?P<below>\*\.)?(?P<host>\[[^/*\]]+\]|[^/*:\[]+)(?::(?P<port>[0-9]{1,5}))?|)(?P<path>/.*)",
    re.IGNORECASE,
)


@final
@attrs.frozen
class MatchPattern:
    """A pattern of URLs: ``<all_urls>``, or ``scheme://host/path`` with stars."""

    text: str
    _scheme: str = attrs.field(init=False, repr=False)
    _host: str = attrs.field(init=False, repr=False)
    """``*``, a host, or a host after ``*.``; as it is written in a URL."""
    _port: int | None = attrs.field(init=False, repr=False)
    """None for any."""
    _path: re.Pattern[str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        match = _PATTERN.fullmatch("*://*/*" if self.text == _ALL_URLS else self.text)
        try:
            if match is None:
                raise ValueError
            scheme, host = match["scheme"].lower(), (match["host"] or "").lower()
            if host and (scheme == "*" or scheme in WEB_PORTS):
                host = parse_host(host)
        except ValueError:
            text = f"{self.text!r} is not a match pattern such as '*://*.example.com/*' or '<all_urls>'"
            raise ValueError(text) from None
        path = ".*".join(map(re.escape, encode_path_and_query(match["path"]).split("*")))
        object.__setattr__(self, "_scheme", scheme)
        object.__setattr__(self, "_host", (match["any"] or match["below"] or "") + host)
        object.__setattr__(self, "_port", int(match["port"]) if match["port"] else None)
        object.__setattr__(self, "_path", re.compile(path, re.DOTALL))

    def matches(self, url: str) -> bool:
        """Return whether the pattern matches ``url``, whose fragment does not count."""
        try:
            found = parse_url(url)
        except ValueError:
            return False
        if self.text == _ALL_URLS:
            return found.scheme in _ALL_SCHEMES
        scheme = found.scheme in _WILD_SCHEMES if self._scheme == "*" else found.scheme == self._scheme
        port = self._port in (None, found.port or WEB_PORTS.get(found.scheme))
        path = self._path.fullmatch(found.path + found.query)
        return scheme and port and self._matches_host((found.host or "").lower()) and path is not None

    def _matches_host(self, hostname: str) -> bool:
        host = self._host
        if host == "*":
            return bool(hostname)
        if host.startswith("*."):
            return hostname == host[2:] or hostname.endswith(host[1:])
        return hostname == host


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
