"""URLs: origins, and what is no whole one."""

from __future__ import annotations

import pytest

from trio_ports._protocol.urls import find_fault, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.org/a?b#c", "https://example.org"),
        ("http://example.org:8080/", "http://example.org:8080"),
        ("https://user:secret@example.org/", "https://example.org"),
        ("HTTP://EXAMPLE.org/", "http://example.org"),
        ("https://example.org:443/", "https://example.org"),
        ("http://example.org:443/", "http://example.org:443"),
        ("wss://[::1]:443/", "wss://[::1]"),
        ("moz-extension://6a1d/page.html", "moz-extension://6a1d"),
        ("extension://notes@example.org/background.html", "extension://notes@example.org"),
        ("about:blank", None),
        ("data:text/html,hello", None),
        ("file:///etc/hosts", None),
        ("nowhere", None),
        ("extension://[", None),
    ],
)
def test_origin_is_scheme_host_and_port(url: str, origin: str | None) -> None:
    """A URL without a host has no origin; an extension's id may contain an @, a web page's origin no user."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    ["https://example.org/", "http://localhost:8080", "about:blank", "data:,", "file:///etc/hosts", "extension://a@b/"],
)
def test_whole_urls(url: str) -> None:
    assert find_fault(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "has no scheme"),
        ("example.org", "has no scheme"),
        ("/page.html", "has no scheme"),
        ("//example.org/", "has no scheme"),
        ("https://", "has no host"),
        ("http:///page", "has no host"),
        ("http://[", "cannot be taken apart: Invalid IPv6 URL"),
        ("https://example.org:http/", "cannot be taken apart: "),
        ("https://example.org:99999/", "cannot be taken apart: Port out of range 0-65535"),
    ],
)
def test_faults(url: str, fault: str) -> None:
    """What is wrong is said in half a sentence, for whoever knows the other half."""
    found = find_fault(url)
    assert found is not None
    assert found.startswith(fault)
