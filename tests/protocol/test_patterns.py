"""Match patterns, and who may connect from outside."""

from __future__ import annotations

from typing import Any

import pytest

from trio_ports._protocol.patterns import ExternallyConnectable, MatchPattern


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("<all_urls>", ["https://a.org/", "ws://a/", "file:///x"], ["about:blank", "moz-extension://a/", "http://["]),
        ("*://*/*", ["https://a.org/", "http://b/", "wss://c/x"], ["ftp://a.org/", "file:///x"]),
        ("https://*/*", ["https://a.org/x?y"], ["http://a.org/"]),
        ("*://*.example.org/*", ["https://example.org/", "http://a.b.example.org/x"], ["https://badexample.org/"]),
        ("https://example.org/", ["https://example.org/", "https://example.org"], ["https://example.org/x"]),
        ("https://example.org/*b*", ["https://example.org/abc", "https://example.org/?b"], ["https://example.org/a"]),
        (
            "https://example.org/a?b",
            ["https://example.org/a?b", "https://example.org/a?b#c"],
            ["https://example.org/a"],
        ),
        ("https://example.org/a.c", ["https://example.org/a.c"], ["https://example.org/abc"]),
        ("http://localhost:8080/*", ["http://localhost:8080/x"], ["http://localhost/x", "http://localhost:80/x"]),
        ("http://localhost/*", ["http://localhost:8080/x", "http://localhost/x"], ["http://localhosts/x"]),
        ("https://example.org:443/*", ["https://example.org/", "https://example.org:443/"], ["https://example.org:1/"]),
        ("*://example.org:80/*", ["http://example.org/"], ["https://example.org/"]),
        ("http://[::1]:80/*", ["http://[0::1]/"], ["http://[::2]/", "http://[::1]:81/"]),
        ("https://EXAMPLE.org/*", ["https://example.ORG/"], []),
        ("*://*.bücher.example/ä*?ü'", ["https://a.xn--bcher-kva.example/%C3%A4/?%C3%BC'"], ["https://b.example/ä?ü'"]),
        ("moz-extension://6A1D/*", ["moz-extension://6a1d/page.html"], ["moz-extension://7/"]),
        ("file:///home/*", ["file:///home/me"], ["file:///etc"]),
        ("*://example.org/*", ["https://user@example.org/"], ["https://example.org.evil.net/"]),
    ],
)
def test_pattern_covers_what_mdn_says(pattern: str, inside: list[str], outside: list[str]) -> None:
    """Scheme, host and path each decide; stars stand for anything, the fragment for nothing."""
    matcher = MatchPattern(pattern)
    assert [url for url in inside if not matcher.matches(url)] == []
    assert [url for url in outside if matcher.matches(url)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "https://example.org",
        "https://*example.org/*",
        "https://a.*.org/*",
        "://a/*",
        "*",
        "https://a b/*",
    ],
)
def test_other_texts_are_no_patterns(text: str) -> None:
    """What is not a match pattern is refused, and named."""
    with pytest.raises(ValueError, match="is not a match pattern"):
        MatchPattern(text)


def test_externally_connectable_lists_extensions_and_pages() -> None:
    """Extensions by id, pages by pattern; who is in neither list stays outside."""
    key = ExternallyConnectable.from_manifest({"ids": ["friend"], "matches": ["https://*.example.org/*"]})
    assert key.allows_extension("friend")
    assert not key.allows_extension("stranger")
    assert key.allows_page("https://www.example.org/")
    assert not key.allows_page("https://example.net/")


def test_star_means_every_extension_and_an_empty_key_nobody() -> None:
    """Rule 3: once the key is there, it alone counts."""
    assert ExternallyConnectable.from_manifest({"ids": ["*"]}).allows_extension("anybody")
    nobody = ExternallyConnectable.from_manifest({"accepts_tls_channel_id": False})
    assert not nobody.allows_extension("anybody")
    assert not nobody.allows_page("https://example.org/")


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (["*"], TypeError, "must be a mapping"),
        ({"id": []}, ValueError, "has no 'id'"),
        ({"ids": "*"}, TypeError, "ids must be a list of strings"),
        ({"ids": [1]}, TypeError, "ids must be a list of strings"),
        ({"ids": None}, TypeError, "ids must be a list of strings"),
        ({"ids": [""]}, ValueError, "ids has an empty id"),
        ({"matches": 3}, TypeError, "matches must be a list of strings"),
        ({"matches": [None]}, TypeError, "matches must be a list of strings"),
        ({"matches": ["nonsense"]}, ValueError, "is not a match pattern"),
    ],
)
def test_a_wrong_key_is_refused(value: Any, error: type[Exception], text: str) -> None:
    """A mistake in the manifest is an error at the call, not a door that stays shut."""
    with pytest.raises(error, match=text):
        ExternallyConnectable.from_manifest(value)
