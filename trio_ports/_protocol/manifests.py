"""Native manifests: what a browser has to find before it starts a native application.

There are two families of browsers, and each reads a manifest by its own rules:
``firefox`` requires ``allowed_extensions``, ``chromium`` requires ``allowed_origins``.
One file may satisfy both. Source: rules 40 and 41.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final, Literal, TypeAlias, cast, final

import attrs

from .errors import ManifestError
from .messages import BOM, refuse_constant

Family: TypeAlias = Literal["firefox", "chromium"]

CHROMIUM_ID: Final = re.compile(r"[a-p]{32}", re.ASCII)
_ORIGIN: Final = re.compile(r"chrome-extension://[a-p]{32}/", re.ASCII)
_FIREFOX_ID: Final = re.compile(
    r"\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}|[a-z0-9._-]*@[a-z0-9._-]+",
    re.ASCII | re.IGNORECASE,
)
_NAMES: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    "firefox": (re.compile(r"\w+(\.\w+)*", re.ASCII), "letters, digits and underscores"),
    "chromium": (re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*", re.ASCII), "lower-case letters, digits and underscores"),
}
"""How an application may be called: a pattern, and its characters in words."""
_COMMENT: Final = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\r\n]*|/\*.*?\*/', re.DOTALL)
"""A comment, which Chromium allows; or a text, in which there is none."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _tuple(items: Iterable[str]) -> tuple[str, ...]:
    if isinstance(items, str):
        raise TypeError(f"ids and origins must be a list of texts, not {items!r}")
    return tuple(items)


@final
@attrs.frozen
class NativeManifest:
    """A native manifest: which program is the application, and who may start it."""

    name: str
    """The application's name, as in ``connect_native(name)``; the file is called ``NAME.json``."""
    description: str
    """For people."""
    path: str
    """The program's absolute path; on Windows it may be relative to the manifest."""
    allowed_extensions: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    """Firefox's ids: ``"notes@example.org"`` or ``"{01234567-89ab-cdef-0123-456789abcdef}"``."""
    allowed_origins: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    """Chromium's origins: ``"chrome-extension://ID/"``, with the slash."""
    file: PurePath | None = attrs.field(default=None, eq=False)
    """Where the manifest was found; None if it was not read from a file."""

    def encode(self) -> bytes:
        """Return the file's content. An empty list of extensions is left out."""
        return (json.dumps(self._fields(), indent=2, ensure_ascii=False) + "\n").encode()

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {"name": self.name, "description": self.description, "path": self.path}
        fields["type"] = "stdio"
        lists = {"allowed_extensions": self.allowed_extensions, "allowed_origins": self.allowed_origins}
        return {**fields, **{field: list(items) for field, items in lists.items() if items}}

    def allows(self, extension_id: str, family: Family) -> bool:
        """Return whether an extension of a browser of that family may start the application."""
        if family == "firefox":
            return extension_id in self.allowed_extensions
        return extension_origin(extension_id) in self.allowed_origins


def extension_origin(extension_id: str) -> str:
    """Return the origin of an extension in browsers of Chromium's family, with the slash."""
    return f"chrome-extension://{extension_id}/"


def family_of(extension_id: str) -> Family:
    """Return the family of browsers that uses such ids: 32 letters from a to p are Chromium's."""
    return "chromium" if CHROMIUM_ID.fullmatch(extension_id) else "firefox"


def is_application_name(name: str, family: Family) -> bool:
    """Return whether a native application may have that name."""
    return _NAMES[family][0].fullmatch(name) is not None


def read_manifest(data: bytes, family: Family, *, name: str | None = None, windows: bool = False) -> NativeManifest:
    """Read a manifest as a browser of that family does.

    Args:
        data: the file's content.
        family: whose rules apply.
        name: the name that the manifest must have; None allows any name.
        windows: whether the path is one of Windows, and may be relative.

    Raises:
        ManifestError: the first rule that the file breaks.
    """
    fields = _decode(data, family)
    _check(fields, family, name, windows)
    return _of_fields(fields)


def manifest_faults(
    data: bytes, family: Family, *, name: str | None = None, windows: bool = False
) -> list[ManifestError]:
    """Return every rule that a manifest breaks; the arguments are those of `read_manifest`, which raises the first."""
    try:
        fields = _decode(data, family)
    except ManifestError as error:
        return [error]
    return [*_faults(fields, family, name, windows)]


def fields_of(data: bytes) -> Mapping[str, Any]:
    """Return the fields of a manifest, valid or not; none, if the data is not a JSON object."""
    try:
        return _decode(data, "chromium")
    except ManifestError:
        return {}


def list_of(family: Family) -> str:
    """Return the field that lists who may start the application."""
    return "allowed_extensions" if family == "firefox" else "allowed_origins"


def check_manifest(manifest: NativeManifest, family: Family, *, windows: bool = False) -> None:
    """Raise ManifestError if a browser of that family would refuse ``manifest``."""
    _check(manifest._fields(), family, None, windows)


def program_of(data: bytes) -> str | None:
    """Return the path in a manifest, even if the rest is not valid; None if it has none."""
    path = fields_of(data).get("path")
    return path if isinstance(path, str) else None


def _of_fields(fields: Mapping[str, Any]) -> NativeManifest:
    extensions, origins = (_strings(fields.get(field)) for field in ("allowed_extensions", "allowed_origins"))
    return NativeManifest(fields["name"], fields["description"], fields["path"], extensions, origins)


def _check(fields: Mapping[str, Any], family: Family, name: str | None, windows: bool) -> None:
    for fault in _faults(fields, family, name, windows):
        raise fault


def _faults(fields: Mapping[str, Any], family: Family, name: str | None, windows: bool) -> Iterator[ManifestError]:
    for field, (is_valid, rule) in _rules(family, name, windows).items():
        value = fields.get(field)
        if not is_valid(value):
            yield ManifestError(field=field, value=value, rule=rule)


def _decode(data: bytes, family: Family) -> Mapping[str, Any]:
    try:
        text = data.removeprefix(BOM).decode()
        if family == "chromium":
            text = _COMMENT.sub(lambda found: found[1] or " ", text)
        fields = json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ManifestError(field="", value=data[:60], rule=f"must be JSON in UTF-8: {error}") from error
    if not isinstance(fields, dict):
        raise ManifestError(field="", value=fields, rule="must be a JSON object")
    return cast("dict[str, Any]", fields)


def _rules(family: Family, name: str | None, windows: bool) -> dict[str, tuple[Callable[[Any], bool], str]]:
    """Return the rules of a family: for each field, a check and the same in words."""

    def has_name(value: Any) -> bool:
        return isinstance(value, str) and is_application_name(value, family) and name in (None, value)

    def is_program(value: Any) -> bool:
        kind = PureWindowsPath if windows else PurePosixPath
        return _is_text(value) and bool(value) and "\0" not in value and (windows or kind(value).is_absolute())

    same = "" if name is None else f", and here {name!r}"
    rules: dict[str, tuple[Callable[[Any], bool], str]] = {
        "name": (
            has_name,
            f"must be {_NAMES[family][1]}, in parts separated by single dots{same}",
        ),
        "description": (_is_text, "must be a text"),
        "type": (lambda value: value == "stdio", 'must be "stdio"'),
        "path": (is_program, f"must be {'a' if windows else 'an absolute'} path, in UTF-8 and without NUL"),
    }
    if family == "firefox":
        words = "must be a list of one or more extension ids, like notes@example.org or {a UUID}"
        rules["allowed_extensions"] = (lambda value: bool(value) and _all_match(value, _FIREFOX_ID), words)
    else:
        rules["description"] = (lambda value: _is_text(value) and bool(value), "must be a text, not empty")
        origin = "chrome-extension://abcdefghijklmnopabcdefghijklmnop/"
        words = f"must be a list of origins, each like {origin} with the slash"
        rules["allowed_origins"] = (lambda value: _all_match(value, _ORIGIN), words)
    return rules


def _is_text(value: Any) -> bool:
    """Return whether ``value`` is a text that can be written; JSON allows lone surrogates, which cannot."""
    return isinstance(value, str) and _SURROGATE.search(value) is None


def _all_match(values: Any, pattern: re.Pattern[str]) -> bool:
    if not isinstance(values, list):
        return False
    items = cast("Iterable[Any]", values)
    return all(isinstance(item, str) and pattern.fullmatch(item) for item in items)


def _strings(values: Any) -> tuple[str, ...]:
    items = cast("Iterable[Any]", values if isinstance(values, list) else ())
    return tuple(item for item in items if isinstance(item, str))
