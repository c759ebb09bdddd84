"""How an opener is described to the receivers. Rule 9."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import World, each_dialect, open_world, settle

from trio_ports import MessageSender, Port, SenderTab
from trio_ports._protocol.urls import parse_url


async def sender_of(world: World, port: Port) -> MessageSender:
    await settle()
    sender = world.ports.pop().sender
    assert sender is not None
    assert port.sender is None
    assert not world.ports
    return sender


BASES = {
    "trio": "extension://notes@example.org",
    "firefox": "moz-extension://",
    "chrome": "chrome-extension://notes@example.org",
}


@each_dialect
async def test_sender_of_a_background(dialect: Any) -> None:
    """Rule 9: no tab; no document_id in Chromium, nor an origin."""
    async with open_world(dialect=dialect) as world:
        world.listen(world.page)
        sender = await sender_of(world, world.background.runtime.connect())
        assert sender.id == "notes@example.org"
        assert sender.url == world.background.url
        assert sender.url is not None
        assert sender.url.startswith(BASES[dialect])
        assert sender.url.endswith("/background.html")
        assert sender.origin == (None if dialect == "chrome" else world.background.url.removesuffix("/background.html"))
        assert sender.document_id == (None if dialect == "chrome" else world.background.document_id)
        assert (sender.tab, sender.frame_id, sender.document_lifecycle) == (None, None, None)
        assert (sender.tls_channel_id, sender.native_application, sender.user_script_world_id) == (None, None, None)


@each_dialect
async def test_sender_of_another_page(dialect: Any) -> None:
    """Rule 9: only a service worker lacks an origin."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        sender = await sender_of(world, world.page.runtime.connect())
        assert sender.origin == world.page.url.removesuffix("/options.html")
        assert sender.tab is None
        assert sender.document_id == (None if dialect == "chrome" else world.page.document_id)


@each_dialect
async def test_sender_of_a_content_script(dialect: Any) -> None:
    """Rule 9: tab, frame and document; the life of the document in Chromium."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        tab = world.browser.open_tab("https://example.org/")
        frame = tab.open_frame("https://frame.example.org/inner")
        script = world.extension.inject(tab, frame.id)
        sender = await sender_of(world, script.runtime.connect())
        assert sender == MessageSender(
            id="notes@example.org",
            url="https://frame.example.org/inner",
            origin="https://frame.example.org",
            tab=SenderTab(id=tab.id, url="https://example.org/"),
            frame_id=frame.id,
            document_id=frame.document_id,
            document_lifecycle="active" if dialect == "chrome" else None,
        )
        tab.navigate("https://example.org/next")
        assert sender.tab == SenderTab(tab.id, "https://example.org/")


SHOP = "https://shop.example.org"


@pytest.mark.parametrize(
    ("url", "sandboxed", "origin"),
    [
        ("https://ads.example.org:443/", False, "https://ads.example.org"),
        ("https://ads.example.org:443/", True, "null"),
        ("about:blank", False, SHOP),
        ("about:blank", True, "null"),
        ("about:srcdoc", False, SHOP),
        ("about:srcdoc", True, "null"),
        ("blob:https://ads.example.org/7d1f", False, "https://ads.example.org"),
        ("data:text/html,hello", False, "null"),
        ("javascript:void(0)", False, SHOP),
    ],
)
@each_dialect
async def test_origin_of_a_frame(dialect: Any, url: str, sandboxed: bool, origin: str) -> None:
    """Rule 9: without an address of its own it has the page's, and in a sandbox nobody's, also after a navigation."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        tab = world.browser.open_tab(f"{SHOP}/cart")
        frame = tab.open_frame(url, sandboxed=sandboxed)
        for _ in range(2):
            sender = await sender_of(world, world.extension.inject(tab, frame.id).runtime.connect())
            assert (sender.url, sender.origin) == (frame.url, origin)
            assert sender.tab == SenderTab(tab.id, f"{SHOP}/cart")
            frame.navigate(frame.url)
        assert frame.url == ("about:blank" if url.startswith("javascript") else str(parse_url(url)))


@each_dialect
async def test_origin_of_a_blank_frame_is_that_of_the_page_which_is_there_now(dialect: Any) -> None:
    """Rule 9: a web page, an extension's page, or a blank one, which has an origin of its own."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        tab = world.browser.open_tab()
        page = world.extension.open_page("page.html", tab=tab)
        bases = [page.url.removesuffix("/page.html")]
        blank = tab.open_frame("about:blank")
        senders = [await sender_of(world, world.extension.inject(tab, blank.id).runtime.connect())]
        for url, origin in ((f"{SHOP}/", SHOP), ("about:blank", "null")):
            tab.navigate(url)
            blank = tab.open_frame("about:blank")
            senders.append(await sender_of(world, world.extension.inject(tab, blank.id).runtime.connect()))
            bases.append(origin)
        senders.append(await sender_of(world, world.extension.inject(tab).runtime.connect()))
        assert [sender.origin for sender in senders] == [*bases, "null"]


@each_dialect
async def test_sender_of_a_page_in_a_tab_by_tabs_connect(dialect: Any) -> None:
    """Rule 9: Chromium never names the tab to the receivers of tabs.connect."""
    async with open_world(dialect=dialect) as world:
        tab, other = world.browser.open_tab(), world.browser.open_tab("https://example.org/")
        page = world.extension.open_page("page.html", tab=tab)
        world.listen(world.extension.inject(other))
        sender = await sender_of(world, page.tabs.connect(other.id))
        assert sender.origin == page.url.removesuffix("/page.html")
        if dialect == "chrome":
            assert (sender.tab, sender.frame_id, sender.document_id, sender.document_lifecycle) == (None,) * 4
        else:
            assert sender.tab == SenderTab(tab.id, page.url)
            assert (sender.frame_id, sender.document_id) == (0, page.document_id)
        assert sender.document_lifecycle is None


@each_dialect
async def test_sender_of_a_background_by_tabs_connect(dialect: Any) -> None:
    """Rule 9: it has no tab in any dialect; the origin is there."""
    async with open_world(dialect=dialect) as world:
        tab = world.browser.open_tab("https://example.org/")
        world.listen(world.extension.inject(tab))
        sender = await sender_of(world, world.background.tabs.connect(tab.id))
        assert sender.tab is None
        assert sender.origin == world.background.url.removesuffix("/background.html")


@each_dialect
async def test_origins_of_frames_in_frames(dialect: Any) -> None:
    """Rule 9: a blank frame has the origin of the document round it, and a sandbox is round all that is in it."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        tab = world.browser.open_tab(f"{SHOP}/cart")
        other = tab.open_frame("https://ads.example.net/")
        blank = other.open_frame("about:blank")
        srcdoc = blank.open_frame("about:srcdoc")
        sandbox = blank.open_frame("about:blank", sandboxed=True)
        within = sandbox.open_frame(f"{SHOP}/cart")
        assert [frame.parent for frame in (other, blank, srcdoc, within)] == [tab.frames[0], other, blank, sandbox]
        assert tab.frames[0].parent is None
        ads = "https://ads.example.net"
        for frame, origin in ((other, ads), (blank, ads), (srcdoc, ads), (sandbox, "null"), (within, "null")):
            sender = await sender_of(world, world.extension.inject(tab, frame.id).runtime.connect())
            assert (sender.frame_id, sender.url, sender.origin) == (frame.id, frame.url, origin)
            assert sender.tab == SenderTab(tab.id, f"{SHOP}/cart")
        blank.navigate("https://example.org/")
        assert [each.closed for each in (other, blank, srcdoc, sandbox, within)] == [False, False, True, True, True]
        with pytest.raises(trio.ClosedResourceError):
            srcdoc.open_frame("about:blank")
        other.close()
        assert tab.frames == (tab.frames[0],)
