"""URLs: take one apart, write it as browsers do, and find the origin of a document.

Source: the URL Standard (https://url.spec.whatwg.org/), section 4, for URLs without a base.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Final, NoReturn, final
from urllib.parse import quote, unquote_to_bytes

import attrs

WEB_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
"""The schemes of the web, whose URLs have a host, and the port that each leaves out."""
_SPECIAL: Final = frozenset({*WEB_PORTS, "file"})
"""The schemes that allow ``\\`` for ``/``, and whose URLs have a domain or an address as host."""
_LOCAL: Final = ("about:blank", "about:srcdoc")
"""Documents without an address of their own: they have the origin of the document that they are in."""
OPAQUE_ORIGIN: Final = "null"
"""How an origin is written that is equal to no other one."""

# The characters that each part of a URL encodes. Each set contains the one before it.
_CONTROL: Final = "\\x00-\\x1f\\x7f-\U0010ffff"
_QUERY: Final = _CONTROL + ' "#<>'
_PATH: Final = _QUERY + "?^`{}"
_USER_INFO: Final = _PATH + "/:;=@[\\\\\\]|"
_FRAGMENT: Final = _CONTROL + ' "<>`'
_WEB_QUERY: Final = _QUERY + "'"

# The characters that no host contains.
_NOT_IN_HOST: Final = re.compile(r"[\0\t\n\r #/:<>?@\[\\\]^|]")
_NOT_IN_DOMAIN: Final = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")

_BLANK: Final = "".join(map(chr, range(0x21)))
_WHOLE: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*):(?P<rest>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.IGNORECASE | re.DOTALL
)
_AUTHORITY: Final = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]?|[^:]*)(?::(?P<port>[0-9]*))?", re.DOTALL)
_DRIVE: Final = re.compile(r"[a-z][:|]", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@final
@attrs.frozen(kw_only=True)
class Url:
    """The parts of a URL, each as it is written in it; ``str(url)`` is the URL."""

    scheme: str
    user: str = ""
    """User and password, with the ``@``."""
    host: str | None = None
    """None if there is no ``//``."""
    port: int | None = None
    """None if it is the scheme's usual one."""
    path: str
    query: str
    """With the ``?``."""
    fragment: str
    """With the ``#``."""

    def __str__(self) -> str:
        return f"{self.scheme}:{self._authority}{self.path}{self.query}{self.fragment}"

    @property
    def _authority(self) -> str:
        if self.host is None:
            return "/." if self.path.startswith("//") else ""
        return f"//{self.user}{self.host}{self._port}"

    @property
    def _port(self) -> str:
        return "" if self.port is None else f":{self.port}"

    def origin(self, parent: str = OPAQUE_ORIGIN) -> str:
        """Return the origin of a document with this URL, as text; ``parent`` is that of the document it is in.

        An extension's pages have the address of the extension, whose id may contain ``@``.
        """
        if self.scheme in WEB_PORTS:
            return f"{self.scheme}://{self.host}{self._port}"
        if self._is_extension:
            return f"{self.scheme}:{self._authority}"
        if self.scheme == "blob":
            return self._origin_of_blob()
        return parent if f"{self.scheme}:{self.path}" in _LOCAL else OPAQUE_ORIGIN

    @property
    def _is_extension(self) -> bool:
        return self.scheme.endswith("extension") and self.host is not None

    def _origin_of_blob(self) -> str:
        try:
            maker = parse_url(self.path)
        except ValueError:
            return OPAQUE_ORIGIN
        return maker.origin() if maker.scheme in ("http", "https") or maker._is_extension else OPAQUE_ORIGIN


def parse_url(url: str) -> Url:
    """Take a whole URL apart, as a browser does with what is typed or stands in a page.

    Raises:
        ValueError: it is not a whole URL; the text says why, as the rest of a sentence.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", url.strip(_BLANK))
    match = _WHOLE.fullmatch(re.sub("[\t\n\r]", "", text))
    if match is None:
        raise ValueError("has no scheme")
    scheme, rest = match["scheme"].lower(), match["rest"]
    query = _encode(match["query"] or "", _WEB_QUERY if scheme in _SPECIAL else _QUERY)
    fragment = _encode(match["fragment"] or "", _FRAGMENT)
    if scheme in _SPECIAL:
        rest = rest.replace("\\", "/")
    if scheme in WEB_PORTS:
        rest = "//" + rest.lstrip("/")
    elif scheme == "file" and not rest.startswith("//"):
        rest = "///" + rest.removeprefix("/")
    if not rest.startswith("/"):
        path = _encode(rest, _CONTROL)
        if path.endswith(" ") and (query or fragment):
            path = path[:-1] + "%20"
        return Url(scheme=scheme, path=path, query=query, fragment=fragment)
    if not rest.startswith("//"):
        return Url(scheme=scheme, path=_normalise_path(rest), query=query, fragment=fragment)
    authority, slash, path = rest[2:].partition("/")
    if scheme == "file":
        if _DRIVE.fullmatch(authority):
            authority, path = "", authority + slash + path
        host = parse_host(authority) if authority else ""
        path = _normalise_path(f"/{path}", is_file=True)
        return Url(scheme=scheme, host="" if host == "localhost" else host, path=path, query=query, fragment=fragment)
    user, host, port = _parse_authority(scheme, authority)
    path = _normalise_path(slash + path or ("/" if scheme in WEB_PORTS else ""))
    return Url(scheme=scheme, user=user, host=host, port=port, path=path, query=query, fragment=fragment)


def _parse_authority(scheme: str, authority: str) -> tuple[str, str, int | None]:
    match = _AUTHORITY.fullmatch(authority)
    port = int(match["port"] or 0) if match else 65536
    if match is None or port > 65535:
        raise ValueError("has a port that is not a number up to 65535")
    if not match["host"] and (scheme in WEB_PORTS or match["user"] is not None or match["port"] is not None):
        raise ValueError("has no host")
    user, _, password = (_encode(part, _USER_INFO) for part in (match["user"] or "").partition(":"))
    if password:
        user = f"{user}:{password}"
    host = parse_host(match["host"]) if scheme in WEB_PORTS else _parse_opaque_host(match["host"])
    usual = not match["port"] or port == WEB_PORTS.get(scheme)
    return f"{user}@" if user else "", host, None if usual else port


def parse_host(host: str) -> str:
    """Return the host of a web page as it is written in a URL: in small letters, and without non-ASCII characters.

    Raises:
        ValueError: no host has that name.
    """
    if host.startswith("["):
        return _parse_ipv6(host)
    name = unquote_to_bytes(host).decode("utf-8", "replace").lower()
    if not name.isascii():  # Chromium and Node.js check nothing else either; Firefox does.
        try:
            name = _domain_to_ascii(name)
        except ValueError:
            _refuse_host(host)
    if not name or _NOT_IN_DOMAIN.search(name):
        _refuse_host(host)
    parts = name.removesuffix(".").split(".")
    return _parse_ipv4(host, parts) if _NUMBER.fullmatch(parts[-1]) else name


def _domain_to_ascii(domain: str) -> str:
    """Write a domain in ASCII, or raise ValueError if its characters may not stand so. Source: UTS #46, section 4.

    With the parameters of the URL Standard, 3.3: all but the lengths and the hyphens is
    checked.
    """
    import idna  # Most hosts are ASCII, and need it not.

    labels = idna.uts46_remap(domain, std3_rules=False, transitional=False).split(".")
    readable = [label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label for label in labels]
    is_bidi = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in "".join(readable))
    for label, text in zip(labels, readable, strict=True):
        if text != label and (text.isascii() or idna.uts46_remap(text, std3_rules=False, transitional=False) != text):
            raise ValueError(text)
        joiners = [place for place, character in enumerate(text) if character in "\u200c\u200d"]
        if text.startswith("xn--") or not all(idna.valid_contextj(text, place) for place in joiners):
            raise ValueError(text)
        if text:
            idna.check_initial_combiner(text)
            if is_bidi:
                idna.check_bidi(text, check_ltr=True)
    return ".".join(text if text.isascii() else f"xn--{text.encode('punycode').decode()}" for text in readable)


def _parse_opaque_host(host: str) -> str:
    if host.startswith("["):
        return _parse_ipv6(host)
    if _NOT_IN_HOST.search(host):
        _refuse_host(host)
    return _encode(host, _CONTROL)


def _parse_ipv4(host: str, parts: list[str]) -> str:
    """Return an address of four numbers; it may be written with fewer, in which case the last one is larger."""
    if not all(map(_NUMBER.fullmatch, parts)):
        _refuse_host(host)
    try:
        *first, last = (
            int(f"0{part[2:]}", 16) if "x" in part else int(part, 8 if part[0] == "0" else 10) for part in parts
        )
    except ValueError:
        _refuse_host(host)
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        _refuse_host(host)
    return str(ipaddress.IPv4Address(last + sum(number << 24 - 8 * place for place, number in enumerate(first))))


def _parse_ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        _refuse_host(host)
    if address.scope_id is not None or not host.endswith("]"):
        _refuse_host(host)
    mapped = address.ipv4_mapped  # Python writes such an address differently from one version to the next.
    return f"[{address}]" if mapped is None else f"[::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}]"


def _refuse_host(host: str) -> NoReturn:
    raise ValueError(f"has a host that cannot exist, {host!r}") from None


def _normalise_path(path: str, *, is_file: bool = False) -> str:
    """Encode a path that begins with a slash, and follow its ``.`` and ``..``."""
    steps: list[str] = []
    dots = ""
    for step in path.split("/")[1:]:
        dots = step.lower().replace("%2e", ".")
        drive = is_file and _DRIVE.fullmatch(step if not steps else steps[0]) and len(steps) < 2
        if dots == "..":
            del steps[1 if drive else -1 :]
        elif dots != ".":
            steps.append(f"{step[0]}:" if drive and not steps else _encode(step, _PATH))
    if dots in {".", ".."}:
        steps.append("")
    return "".join(f"/{step}" for step in steps)


def encode_path_and_query(text: str) -> str:
    """Encode the characters that the path and the query of a web page's URL do not contain."""
    path, mark, query = text.partition("?")
    return _encode(path, _PATH) + mark + _encode(query, _WEB_QUERY)


def _encode(text: str, characters: str) -> str:
    return re.sub(f"[{characters}]+", lambda match: quote(match[0], safe=""), text)
