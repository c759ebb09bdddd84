"""URLs: how a browser writes them, which texts are no URLs, and whose documents share an origin."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_ports._protocol.urls import encode_path_and_query, parse_host, parse_url

PAGE = "https://shop.example.org"


@pytest.mark.parametrize(
    ("url", "written"),
    [
        # Whole and canonical already.
        ("https://example.org/a?b#c", "https://example.org/a?b#c"),
        ("about:blank", "about:blank"),
        ("data:text/html,<p>hello", "data:text/html,<p>hello"),
        ("blob:https://example.org/7d1f", "blob:https://example.org/7d1f"),
        ("extension://notes@example.org/page.html", "extension://notes@example.org/page.html"),
        # The scheme, and the slashes behind it.
        ("HTTP://example.org/", "http://example.org/"),
        ("https:example.org", "https://example.org/"),
        ("https:\\\\example.org\\a\\b?\\", "https://example.org/a/b?\\"),
        ("http:///page", "http://page/"),
        (" \thttps://exa\nmple.org/a\r b \0", "https://example.org/a%20b"),
        # The host.
        ("https://example.org", "https://example.org/"),
        ("https://example.org?a", "https://example.org/?a"),
        ("https://WWW.Example.ORG/Path", "https://www.example.org/Path"),
        ("https://ex%41mple.org/", "https://example.org/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://BÜCHER.example。com/", "https://xn--bcher-kva.example.com/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://☕.example/", "https://xn--53h.example/"),
        ("https://XN--bcher-KVA.é./", "https://xn--bcher-kva.xn--9ca./"),
        ("https://xn--a.example/", "https://xn--a.example/"),
        ("https://e\u0301.example/", "https://xn--9ca.example/"),
        ("https://\u0915\u094d\u200d\u0937.example/", "https://xn--11b2ezcw70k.example/"),
        ("https://\u0628\u200c\u0628.example/", "https://xn--ngba799q.example/"),
        ("https://\u05d0\u05d1.example/", "https://xn--4dbc.example/"),
        ("https://example.org./", "https://example.org./"),
        ("https://a_b.example.org/", "https://a_b.example.org/"),
        ("http://0x7F.1/", "http://127.0.0.1/"),
        ("http://0x/", "http://0.0.0.0/"),
        ("http://017.0.0.1./", "http://15.0.0.1/"),
        ("http://4294967295/", "http://255.255.255.255/"),
        ("http://[::0001:0]/", "http://[::1:0]/"),
        ("http://[::FFFF:1.2.3.4]/", "http://[::ffff:102:304]/"),
        ("foo://Ex%41mple ä/".replace(" ", ""), "foo://Ex%41mple%C3%A4/"),
        ("foo://[::0:1]", "foo://[::1]"),
        # User, password and port.
        ("https://user:secret@example.org/", "https://user:secret@example.org/"),
        ("https://a@b:c:d@example.org/", "https://a%40b:c%3Ad@example.org/"),
        ("https://:@example.org/", "https://example.org/"),
        ("https://example.org:443/", "https://example.org/"),
        ("https://example.org:/", "https://example.org/"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://example.org:00080/", "http://example.org/"),
        ("foo://example.org:80", "foo://example.org:80"),
        # The path.
        ("https://example.org/a/./b/../../c", "https://example.org/c"),
        ("https://example.org/..", "https://example.org/"),
        ("https://example.org/a/b/..", "https://example.org/a/"),
        ("https://example.org/a/.", "https://example.org/a/"),
        ("https://example.org/a/%2E%2e/b/.%2e", "https://example.org/"),
        ("https://example.org//a//", "https://example.org//a//"),
        ("https://example.org/ä b\"<>^`{|}%zz'~", "https://example.org/%C3%A4%20b%22%3C%3E%5E%60%7B|%7D%zz'~"),
        ("https://example.org/\ud800", "https://example.org/%EF%BF%BD"),
        ("foo:/a/../b", "foo:/b"),
        ("foo:/..//b", "foo:/.//b"),
        ("data:a b  ", "data:a b"),
        ("data:a b ?c", "data:a b%20?c"),
        ("javascript:a(' ä')\x7f", "javascript:a(' %C3%A4')%7F"),
        # Files.
        ("file:///etc/hosts", "file:///etc/hosts"),
        ("file:etc", "file:///etc"),
        ("file:/etc", "file:///etc"),
        ("file://LocalHost/etc", "file:///etc"),
        ("file://Server/share", "file://server/share"),
        ("file:///C|/../x", "file:///C:/x"),
        ("file://c:/../..", "file:///c:/"),
        ("file:///a/C|", "file:///a/C|"),
        # Query and fragment.
        ("https://example.org/?a'\"<ä>`#b\"<ä>`'", "https://example.org/?a%27%22%3C%C3%A4%3E`#b%22%3C%C3%A4%3E%60'"),
        ("foo:a?'", "foo:a?'"),
        ("https://example.org/?", "https://example.org/?"),
    ],
)
def test_a_url_is_written_as_browsers_write_it(url: str, written: str) -> None:
    """And stays so once it is."""
    assert str(parse_url(url)) == written
    assert str(parse_url(written)) == written


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "has no scheme"),
        ("example.org", "has no scheme"),
        ("/page.html", "has no scheme"),
        ("//example.org/", "has no scheme"),
        ("4a://example.org/", "has no scheme"),
        ("https://", "has no host"),
        ("https://user@/", "has no host"),
        ("https://:80/", "has no host"),
        ("foo://user@/", "has no host"),
        ("foo://:80", "has no host"),
        ("http://[", "has a host that cannot exist, '['"),
        ("http://[::1/", "has a host that cannot exist, '[::1'"),
        ("http://[::1%eth0]/", "has a host that cannot exist"),
        ("http://[1.2.3.4]/", "has a host that cannot exist"),
        ("foo://[1]/", "has a host that cannot exist"),
        ("file://[", "has a host that cannot exist"),
        ("https://a b/", "has a host that cannot exist, 'a b'"),
        ("https://a%20b/", "has a host that cannot exist, 'a%20b'"),
        ("https://a%zz/", "has a host that cannot exist"),
        ("https://\u00ad/", "has a host that cannot exist"),
        ("https://\ufffd/", "has a host that cannot exist"),
        ("https://\u0301a/", "has a host that cannot exist"),
        ("https://a\u200cb/", "has a host that cannot exist"),
        ("https://a\u200db/", "has a host that cannot exist"),
        ("https://\u05d0a/", "has a host that cannot exist"),
        ("https://1a.\u05d0/", "has a host that cannot exist"),
        ("https://xn--é/", "has a host that cannot exist"),
        ("https://xn--.é/", "has a host that cannot exist"),
        ("https://xn--a.é/", "has a host that cannot exist"),
        ("https://xn--a-.é/", "has a host that cannot exist"),
        ("https://xn--a-ecp.é/", "has a host that cannot exist"),
        ("https://xn--xn---oj02d.é/", "has a host that cannot exist"),
        ("foo://a b/", "has a host that cannot exist"),
        ("file://user@server/", "has a host that cannot exist"),
        ("http://1.2.3.4.5/", "has a host that cannot exist"),
        ("http://256.0.0.1/", "has a host that cannot exist"),
        ("http://1.2.65536.0x/", "has a host that cannot exist"),
        ("http://4294967296/", "has a host that cannot exist"),
        ("http://08/", "has a host that cannot exist"),
        ("http://1_0.1/", "has a host that cannot exist"),
        ("http://1..1/", "has a host that cannot exist"),
        ("https://example.org:http/", "has a port that is not a number up to 65535"),
        ("https://example.org:99999/", "has a port that is not a number up to 65535"),
        ("https://example.org:80:80/", "has a port that is not a number up to 65535"),
    ],
)
def test_faults(url: str, fault: str) -> None:
    """What is wrong is said in half a sentence, for whoever knows the other half."""
    with pytest.raises(ValueError, match=rf"\A{re.escape(fault)}"):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (f"{PAGE}/cart?b#c", PAGE),
        ("http://example.org:8080/", "http://example.org:8080"),
        ("https://user:secret@example.org/", "https://example.org"),
        ("HTTP://EXAMPLE.org:80/", "http://example.org"),
        ("wss://[::1]:443/", "wss://[::1]"),
        ("moz-extension://6a1d/page.html", "moz-extension://6a1d"),
        ("extension://notes@example.org/background.html", "extension://notes@example.org"),
        ("about:blank", PAGE),
        ("about:blank?query#fragment", PAGE),
        ("about:srcdoc", PAGE),
        ("about:config", "null"),
        ("javascript:void(0)", "null"),
        ("data:text/html,hello", "null"),
        ("blob:http://other.example.org:80/7d1f", "http://other.example.org"),
        ("blob:moz-extension://6a1d/7d1f", "moz-extension://6a1d"),
        ("blob:null/7d1f", "null"),
        ("blob:ws://example.org/7d1f", "null"),
        pytest.param("blob:" * 5000 + "https://example.org/", "null", id="blobs in blobs"),
        ("moz-extension:6a1d", "null"),
        ("file:///etc/hosts", "null"),
        ("foo://example.org/", "null"),
    ],
)
def test_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    """Of a document in a page of the shop: blank ones have the page's own, and others nobody's.

    An extension's id may contain an @, a web page's origin no user.
    """
    assert parse_url(url).origin(PAGE) == origin


def test_a_blank_document_in_no_page_has_an_origin_of_its_own() -> None:
    assert parse_url("about:blank").origin() == "null"


def test_parts_of_a_pattern_are_written_as_in_a_url() -> None:
    """Host, path and query, each with the characters that it encodes."""
    assert parse_host("Bücher.example") == "xn--bcher-kva.example"
    assert encode_path_and_query("/ä*`'?`'?*") == "/%C3%A4*%60'?`%27?*"


SCHEMES = ["http", "https", "HTTP", "ws", "wss", "ftp", "file", "data", "about", "blob", "foo", "javascript"]
PIECES = [
    *"aBéüß☕/\\.!'\"<`{}|^-_~*&=;+$,?#:@[]%。Ａ\U0001f600",
    *("..", "%2e", "%41", "%zz", "::1", "8", "80", "443", "0x7f", "127.0.0.1", "256", "08", "C:", "c|", "//"),
    *("e\u0301", "\u0301", "\u0915\u094d", "\u200c", "\u200d", "xn--", "xn--bcher-kva", "xn--a-ecp"),
    *("localhost", "example.org", "ws:", "https:", " ", "\t", "\n", "\0", "\x7f"),
]


@given(
    st.sampled_from(SCHEMES), st.sampled_from(["", "/", "//", "///"]), st.lists(st.sampled_from(PIECES), max_size=10)
)
@example("file", "//", ["c|", "?"])
@example("http", "", ["\0", "\u200c"])
def test_the_same_as_another_parser_of_the_standard(scheme: str, slashes: str, pieces: list[str]) -> None:
    """Ada is the one of Node.js, checked with the Standard's own tests."""
    ada_url = pytest.importorskip("ada_url")
    url = f"{scheme}:{slashes}{''.join(pieces)}"
    try:
        expected = ada_url.URL(url)
    except ValueError:
        with pytest.raises(ValueError, match="has "):
            parse_url(url)
    else:
        found = parse_url(url)
        assert (str(found), found.origin()) == (expected.href, expected.origin)
