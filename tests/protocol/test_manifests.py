"""Native manifests, read as each family of browsers reads them."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from trio_ports import ManifestError
from trio_ports._protocol.manifests import (
    NativeManifest,
    check_manifest,
    extension_origin,
    family_of,
    is_application_name,
    program_of,
    read_manifest,
)

LETTERS = "abcdefghijklmnopabcdefghijklmnop"
GOOD: dict[str, Any] = {
    "name": "ping_pong",
    "description": "Answers",
    "path": "/opt/ping_pong",
    "type": "stdio",
    "allowed_extensions": ["notes@example.org", "{01234567-89ab-cdef-0123-456789ABCDEF}"],
    "allowed_origins": [f"chrome-extension://{LETTERS}/"],
    "more": 1,
}
FAMILIES: list[Any] = ["firefox", "chromium"]
each_family = pytest.mark.parametrize("family", FAMILIES)


def encode(**changes: Any) -> bytes:
    fields = {**GOOD, **changes}
    return json.dumps({key: value for key, value in fields.items() if value is not ...}).encode()


GOOD_MANIFEST: Any = read_manifest(encode(), "firefox")


@each_family
def test_one_file_may_satisfy_both_families(family: Any) -> None:
    """Each reads its own list, and minds neither the other's nor unknown fields."""
    manifest = read_manifest(encode(), family, name="ping_pong")
    assert manifest == NativeManifest(
        name="ping_pong",
        description="Answers",
        path="/opt/ping_pong",
        allowed_extensions=GOOD["allowed_extensions"],
        allowed_origins=GOOD["allowed_origins"],
    )
    assert read_manifest(manifest.encode(), family) == manifest
    check_manifest(manifest, family)


@each_family
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ...),
        ("name", 5),
        ("name", "other"),
        ("name", "ping-pong"),
        ("name", "ping..pong"),
        ("description", ...),
        ("description", 5),
        ("path", ...),
        ("path", "ping_pong"),
        ("path", ""),
        ("path", "/opt/ping\0pong"),
        ("path", "/opt/\ud800"),
        ("description", "\udc80"),
        ("type", ...),
        ("type", "socket"),
    ],
)
def test_a_broken_rule_is_named(family: Any, field: str, value: Any) -> None:
    """Rule 40: the error has the field, what stands there, and what should."""
    with pytest.raises(ManifestError) as caught:
        read_manifest(encode(**{field: value}), family, name="ping_pong")
    assert caught.value.field == field
    assert caught.value.value == (None if value is ... else value)
    assert caught.value.rule in str(caught.value)


@pytest.mark.parametrize("value", [..., [], "notes@example.org", [5], ["notes"], [f"chrome-extension://{LETTERS}/"]])
def test_firefox_wants_extension_ids(value: Any) -> None:
    """At least one, each an id of Firefox's; Chromium doesn't look at them."""
    with pytest.raises(ManifestError) as caught:
        read_manifest(encode(allowed_extensions=value), "firefox")
    assert caught.value.field == "allowed_extensions"
    assert isinstance(read_manifest(encode(allowed_extensions=value), "chromium"), NativeManifest)


@pytest.mark.parametrize(
    "value",
    [
        ...,
        f"chrome-extension://{LETTERS}/",
        [5],
        [f"chrome-extension://{LETTERS}"],
        [f"chrome-extension://{LETTERS}/", "notes@example.org"],
        ["chrome-extension://*/"],
        [f"chrome-extension://{LETTERS[:-1]}q/"],
    ],
)
def test_chromium_wants_origins_with_a_slash(value: Any) -> None:
    """One bad entry makes it refuse the whole file, a Firefox id among them; Firefox doesn't look at them."""
    with pytest.raises(ManifestError) as caught:
        read_manifest(encode(allowed_origins=value), "chromium")
    assert caught.value.field == "allowed_origins"
    assert isinstance(read_manifest(encode(allowed_origins=value), "firefox"), NativeManifest)


def test_an_empty_list_of_origins_is_valid() -> None:
    """It allows nobody; Chromium then says forbidden, not absent."""
    manifest = read_manifest(encode(allowed_origins=[]), "chromium")
    assert not manifest.allows(LETTERS, "chromium")


def test_only_chromium_wants_a_description_with_something_in_it() -> None:
    """A difference that an installer for both has to mind."""
    assert read_manifest(encode(description=""), "firefox").description == ""
    with pytest.raises(ManifestError, match="description"):
        read_manifest(encode(description=""), "chromium")


@each_family
@pytest.mark.parametrize(
    ("field", "value"), [("path", "/opt/\ud800"), ("path", "/opt/\0"), ("description", "\ud800"), ("name", "a/b")]
)
def test_what_could_not_be_written_is_refused_before(family: Any, field: str, value: str) -> None:
    """The same error as for a file that says so, and no UnicodeEncodeError."""
    with pytest.raises(ManifestError) as caught:
        check_manifest(attrs.evolve(GOOD_MANIFEST, **{field: value}), family)
    assert (caught.value.field, caught.value.value) == (field, value)


@pytest.mark.parametrize(
    ("data", "program"),
    [(encode(), "/opt/ping_pong"), (b'{"path": "relative"}', "relative"), (encode(path=5), None), (b"[]", None)],
)
def test_the_program_is_read_from_any_manifest(data: bytes, program: str | None) -> None:
    """Also from one that no browser accepts."""
    assert program_of(data) == program


@pytest.mark.parametrize("field", ["allowed_extensions", "allowed_origins"])
def test_one_text_is_no_list(field: str) -> None:
    """It would be a list of its letters."""
    with pytest.raises(TypeError, match=r"notes@example\.org"):
        attrs.evolve(GOOD_MANIFEST, **{field: "notes@example.org"})


@each_family
def test_a_byte_order_mark_is_accepted(family: Any) -> None:
    """Rule 40."""
    assert read_manifest(b"\xef\xbb\xbf" + encode(), family).name == "ping_pong"


def test_only_chromium_accepts_comments() -> None:
    """Rule 40: between the values, not in a text that only looks like one."""
    comments = b'// One\r/* and\n"another" */'
    data = encode(description=r"at https://example.org /* \" // */").replace(b', "path"', b"," + comments + b'\n"path"')
    assert read_manifest(data, "chromium").description == r"at https://example.org /* \" // */"
    assert program_of(data) == "/opt/ping_pong"
    for wrong in (data, encode(name=...)[:-1] + b" /"):
        with pytest.raises(ManifestError, match="JSON"):
            read_manifest(wrong, "firefox")
    with pytest.raises(ManifestError, match="JSON"):
        read_manifest(encode()[:-1] + b"/* open }", "chromium")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"name": "\xff"}', encode(more=float("nan")), b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    """The error then means the file as a whole."""
    with pytest.raises(ManifestError) as caught:
        read_manifest(data, "firefox")
    assert caught.value.field == ""


def test_on_windows_a_path_may_be_relative() -> None:
    """Rule 40: to the manifest."""
    for path in ("ping_pong.bat", r"C:\apps\ping_pong.bat"):
        assert read_manifest(encode(path=path), "firefox", windows=True).path == path
    with pytest.raises(ManifestError, match="path"):
        read_manifest(encode(path=""), "firefox", windows=True)


def test_who_may_start_it() -> None:
    """Each family asks its own list."""
    manifest = read_manifest(encode(), "firefox")
    assert manifest.allows("notes@example.org", "firefox")
    assert not manifest.allows("other@example.org", "firefox")
    assert manifest.allows(LETTERS, "chromium")
    assert not manifest.allows("p" * 32, "chromium")


def test_ids_tell_the_family() -> None:
    """32 letters from a to p are Chromium's."""
    assert family_of(LETTERS) == "chromium"
    assert [family_of(each) for each in ("notes@example.org", LETTERS[1:], LETTERS.upper(), "q" * 32)] == [
        "firefox"
    ] * 4
    assert extension_origin(LETTERS) == f"chrome-extension://{LETTERS}/"


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("ping_pong", FAMILIES),
        ("org.example.ping_2", FAMILIES),
        ("Ping", ["firefox"]),
        ("", []),
        (".a", []),
        ("a.", []),
        ("a..b", []),
        ("a-b", []),
        ("ä", []),
        ("a/b", []),
        ("a\n", []),
    ],
)
def test_names(name: str, families: list[str]) -> None:
    """Rule 40: Chromium wants lower case; nobody takes a dash, an empty part or another alphabet."""
    assert [family for family in FAMILIES if is_application_name(name, family)] == families
