"""Navigation: documents that stay, the back/forward cache, discarded and crashed tabs: rules 48 to 50."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import trio
from support import Witness, each_dialect, refuse_elsewhere, settle

from trio_ports import Browser, Cause, Context, Extension, LocalProtocolError, Port, Tab, open_browser
from trio_ports._protocol.dialects import PAGE_CACHED_TEXT, DialectName

ONE, TWO, THREE = (f"https://example.com/{name}" for name in ("one", "two", "three"))
cached = functools.partial(open_browser, back_forward_cache=True)


class World:
    """An extension with a background page that keeps the ports that reach it, and a tab with its content script."""

    def __init__(self, browser: Browser) -> None:
        self.extension: Extension = browser.install("notes@example.org")
        self.background: Context = self.extension.open_page()
        self.heard: list[Port] = []
        self.background.runtime.on_connect.add_listener(self.heard.append)
        self.tab: Tab = browser.open_tab(ONE)
        self.script: Context = self.extension.inject(self.tab)
        self.reached: list[Port] = []
        self.script.runtime.on_connect.add_listener(self.reached.append)

    async def connect(self, *, by_background: bool = False) -> tuple[Port, Port]:
        """Connect the content script and the background; return the script's port and the background's."""
        if by_background:
            theirs = self.background.tabs.connect(self.tab.id)
            await settle()
            return self.reached.pop(), theirs
        ours = self.script.runtime.connect()
        await settle()
        return ours, self.heard.pop()

    def causes(self, port: Port, context: Context) -> list[Cause | None]:
        """Remember why a port ends."""
        causes: list[Cause | None] = []

        def note(port: Port) -> None:
            error = port.error or context.runtime.last_error
            causes.append(None if error is None else error.cause)

        port.on_disconnect.add_listener(note)
        return causes


by_either = pytest.mark.parametrize("by_background", [False, True])


# Rule 48: the document stays --------------------------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize("way", ["push_state", "fragment"])
async def test_the_address_changes(way: str, dialect: DialectName) -> None:
    """Ports and ``sender.url`` stay; what the tab shows follows; an old sender is a snapshot."""
    async with open_browser(dialect=dialect) as browser:
        world = World(browser)
        ours, theirs = await world.connect()
        seen = Witness(ours, theirs)
        document = world.script.document_id
        url = TWO if way == "push_state" else f"{ONE}#part"
        if way == "push_state":
            world.tab.push_state(url)
        else:
            world.tab.navigate(url)
        ours.post_message("still here")
        theirs.post_message("and here")
        _, later = await world.connect()
        assert sorted(seen.seen) == ["and here", "still here"]
        assert later.sender is not None
        assert later.sender.tab is not None
        assert (later.sender.url, later.sender.tab.url, later.sender.document_id) == (ONE, url, document)
        assert theirs.sender is not None
        assert theirs.sender.tab is not None
        assert theirs.sender.tab.url == ONE
        assert (world.tab.url, world.script.url, world.script.closed) == (url, ONE, False)
        other = browser.install("other@example.org")
        assert other.inject(world.tab).url == ONE  # That which the document was loaded from.
        world.tab.go_back()
        assert (world.tab.url, world.script.closed) == (ONE, False)
        world.tab.go_forward()
        assert world.tab.url == url


async def test_which_navigation_stays_in_the_document() -> None:
    """Only to a fragment of the same address; the same address without one loads it anew."""
    async with open_browser() as browser:
        world = World(browser)
        for url in (f"{ONE}#a", f"{ONE}#b", f"{ONE}#b"):
            world.tab.navigate(url)
            assert not world.script.closed
        world.tab.navigate(ONE)
        assert world.script.closed
        script = world.extension.inject(world.tab)
        world.tab.navigate(f"{TWO}#b")
        assert script.closed


async def test_in_a_frame() -> None:
    """A frame's address changes like a tab's; that of the tab does not."""
    async with open_browser() as browser:
        world = World(browser)
        frame = world.tab.open_frame(TWO)
        inner = world.extension.inject(world.tab, frame.id)
        frame.push_state(THREE)
        frame.navigate(f"{THREE}#part")
        assert (frame.url, inner.url, inner.closed, world.tab.url) == (f"{THREE}#part", TWO, False, ONE)
        frame.navigate(THREE)
        assert inner.closed


async def test_addresses_that_are_refused() -> None:
    """Another origin, no whole URL, and a document without an origin of its own."""
    async with open_browser() as browser:
        world = World(browser)
        push: Any = world.tab.push_state
        for url in ("https://example.org/", "http://example.com/", "about:blank", "two"):
            with pytest.raises(ValueError, match="url must"):
                push(url)
        with pytest.raises(TypeError):
            push(None)
        with pytest.raises(ValueError, match="url must have the origin of the document"):
            browser.open_tab("data:text/html,1").push_state("data:text/html,2")
        frame = world.tab.open_frame(TWO)
        world.tab.close()
        for call in (
            functools.partial(push, TWO),
            functools.partial(frame.push_state, TWO),
            world.tab.go_back,
            world.tab.go_forward,
            world.tab.reload,
            world.tab.discard,
            world.tab.crash,
        ):
            with pytest.raises(trio.ClosedResourceError):
                call()
            await refuse_elsewhere(call)


# Going back -------------------------------------------------------------------------------------------------------


@each_dialect
async def test_without_the_cache(dialect: DialectName) -> None:
    """The document ends when the tab leaves it, and is loaded anew when it comes back."""
    async with open_browser(dialect=dialect) as browser:
        world = World(browser)
        _, theirs = await world.connect()
        causes = world.causes(theirs, world.background)
        ran: list[str] = []
        world.extension.register_content_script(lambda context: ran.append(context.url))
        await settle()
        ran.clear()
        world.tab.navigate(TWO)
        world.tab.push_state(THREE)
        await settle()
        assert (causes, world.script.closed) == ([None], True)
        world.tab.go_back()
        world.tab.go_back()
        await settle()
        assert (world.tab.url, ran) == (ONE, [TWO, ONE])
        with pytest.raises(LocalProtocolError, match="has shown nothing before"):
            world.tab.go_back()
        world.tab.go_forward()
        assert world.tab.url == TWO
        world.tab.go_forward()
        await settle()
        assert (world.tab.url, ran) == (THREE, [TWO, ONE, TWO])  # Both addresses are the same document.
        with pytest.raises(LocalProtocolError, match="has shown nothing after this"):
            world.tab.go_forward()
        world.tab.go_back()
        world.tab.navigate(ONE)
        with pytest.raises(LocalProtocolError, match="has shown nothing after this"):
            world.tab.go_forward()


# Rule 49: the back/forward cache ----------------------------------------------------------------------------------


@each_dialect
@by_either
async def test_the_ports_of_a_page_that_is_put_aside(by_background: bool, dialect: DialectName) -> None:
    """They stay; but in Chromium the other side gets an error, and the page's own port is a zombie."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        ours, theirs = await world.connect(by_background=by_background)
        causes = world.causes(theirs, world.background)
        here, there = Witness(ours), Witness(theirs)
        ours.post_message("last words")
        world.tab.navigate(TWO)
        await settle()
        assert (world.script.state, world.script.closed) == ("frozen", False)
        with pytest.raises(LocalProtocolError, match="its page is in the back/forward cache"):
            world.script.runtime.connect()
        if dialect == "chrome":
            assert causes == [Cause.PAGE_CACHED]
            with pytest.raises(trio.BrokenResourceError):
                theirs.post_message("meanwhile")
        else:
            theirs.post_message("meanwhile")
            theirs.post_message("and again")
        await settle()
        assert here.seen == []
        world.tab.go_back()
        await settle()
        assert world.script.state == "running"
        assert here.seen == (["meanwhile", "and again"] if dialect == "trio" else [])
        ours.post_message("back again")
        await settle()
        if dialect == "chrome":
            assert there.seen == ["last words", "end"]
            await ours.send("nobody gets this, and nobody says so")
        else:
            assert there.seen == ["last words", "back again"]
            theirs.post_message("welcome")
            await settle()
            assert here.seen[-1] == "welcome"
        assert here.seen[-1:] != ["end"]
        later, _ = await world.connect()
        assert later.statistics().state == "open"


async def test_the_text() -> None:
    """As Chromium has it."""
    async with cached(dialect="chrome") as browser:
        world = World(browser)
        _, theirs = await world.connect()
        texts: list[str] = []
        theirs.on_disconnect.add_listener(lambda _: texts.append(str(world.background.runtime.last_error)))
        world.tab.navigate(TWO)
        await settle()
        assert texts == [PAGE_CACHED_TEXT]


@each_dialect
@by_either
async def test_an_end_meanwhile(by_background: bool, dialect: DialectName) -> None:
    """In ``trio`` it is told when the page is back; in Firefox never, and only posting shows it."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        ours, theirs = await world.connect(by_background=by_background)
        here = Witness(ours)
        world.tab.navigate(TWO)
        if dialect != "chrome":
            theirs.post_message("bye")
        theirs.disconnect()
        await settle()
        ours.post_message("nobody knows yet")
        world.tab.go_back()
        await settle()
        assert here.seen == (["bye", "end"] if dialect == "trio" else [])
        if dialect == "chrome":
            ours.post_message("a zombie")
        else:
            with pytest.raises(trio.BrokenResourceError):
                ours.post_message("too late")
        ours.disconnect()


@each_dialect
async def test_who_is_reached_meanwhile(dialect: DialectName) -> None:
    """Only the page that is visible, and that by its own frames and documents."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        frame = world.tab.open_frame(TWO)
        inner = world.extension.inject(world.tab, frame.id)
        inner.runtime.on_connect.add_listener(world.reached.append)
        old = world.script.document_id
        world.tab.navigate(THREE)
        second: list[Port] = []
        world.extension.inject(world.tab).runtime.on_connect.add_listener(second.append)
        ports = [
            world.background.tabs.connect(world.tab.id),
            world.background.tabs.connect(world.tab.id, document_id=old),
        ]
        await settle()
        assert (len(second), len(world.reached)) == (1, 0)
        assert [port.statistics().state for port in ports] == ["open", "ended"]
        assert (frame.closed, inner.state) == (True, "frozen")
        world.tab.go_back()
        world.background.tabs.connect(world.tab.id)
        world.background.tabs.connect(world.tab.id, document_id=inner.document_id)
        await settle()
        assert (len(second), len(world.reached), frame.closed, inner.state) == (1, 3, False, "running")
        assert (world.tab.url, world.script.document_id) == (ONE, old)


@each_dialect
async def test_a_connect_in_the_turn_of_the_navigation(dialect: DialectName) -> None:
    """It ends: nobody was told of it yet."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        port = world.background.tabs.connect(world.tab.id)
        world.tab.navigate(TWO)
        await settle()
        assert (port.statistics().state, world.reached) == ("ended", [])


@each_dialect
@pytest.mark.parametrize("way", ["close", "discard", "crash", "navigate"])
async def test_a_page_that_never_comes_back(way: str, dialect: DialectName) -> None:
    """When its tab closes, loses its memory, or goes elsewhere from an earlier page, what was put aside ends."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        world.tab.navigate(TWO)
        script = world.extension.inject(world.tab)
        received: list[Port] = world.heard
        script.runtime.connect()
        await settle()
        causes = world.causes(received[-1], world.background)
        world.tab.go_back()
        await settle()
        assert script.state == "frozen"
        if way == "navigate":
            world.tab.navigate(THREE)
        else:
            getattr(world.tab, way)()
        await settle()
        assert script.state == "gone"
        assert causes == [Cause.PAGE_CACHED if dialect == "chrome" else None]


@each_dialect
async def test_an_extension_reloads_meanwhile(dialect: DialectName) -> None:
    """The page comes back without a content script; in Chromium it is thrown out of the cache, and is loaded anew."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        other = browser.install("other@example.org").inject(world.tab)
        ran: list[Context] = []
        world.tab.navigate(TWO)
        world.extension.register_content_script(ran.append)
        await settle()
        ran.clear()
        world.extension.reload()
        await settle()
        ran.clear()
        assert world.script.state == "gone"
        assert other.state == ("gone" if dialect == "chrome" else "frozen")
        world.tab.go_back()
        await settle()
        assert other.state == ("gone" if dialect == "chrome" else "running")
        assert len(ran) == (dialect == "chrome")


async def test_an_extension_reloads_while_several_pages_are_put_aside() -> None:
    """In Chromium only those with its content script are thrown out of the cache."""
    async with cached(dialect="chrome") as browser:
        world = World(browser)
        other = browser.install("other@example.org")
        world.tab.navigate(TWO)
        script = other.inject(world.tab)
        world.tab.navigate(THREE)
        world.extension.disable()
        assert (world.script.state, script.state) == ("gone", "frozen")
        other.disable()
        assert script.state == "gone"


async def test_a_zombie_is_put_aside_again() -> None:
    """Nothing more can happen to it."""
    async with cached(dialect="chrome") as browser:
        world = World(browser)
        ours, theirs = await world.connect()
        seen = Witness(ours, theirs)
        for url in (TWO, THREE):
            world.tab.navigate(url)
            await settle()
            world.tab.go_back()
            await settle()
        ours.post_message("nobody gets this")
        await settle()
        assert seen.seen == ["end"]
        assert ours.statistics().state == "open"


async def test_an_orphan_is_put_aside() -> None:
    """It is one still when its page comes back."""
    async with cached(dialect="chrome") as browser:
        world = World(browser)
        world.extension.disable()
        await settle()
        world.tab.navigate(TWO)
        assert world.script.state == "orphaned"
        world.tab.go_back()
        assert world.script.state == "orphaned"
        world.tab.close()
        assert world.script.state == "gone"


@each_dialect
async def test_a_page_of_the_extension_is_not_put_aside(dialect: DialectName) -> None:
    """It ends, and is not shown again by going back."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        tab = browser.open_tab()
        page = world.extension.open_page("options.html", tab=tab)
        page.runtime.connect()
        await settle()
        causes = world.causes(world.heard[-1], world.background)
        tab.navigate(ONE)
        await settle()
        assert (causes, page.closed) == ([None], True)
        tab.go_back()
        assert tab.url == page.url


async def test_room_and_several_receivers() -> None:
    """What waits for a page that is put aside counts, and a sender is told when there is room again."""
    async with cached(max_buffer_size=3) as browser:
        world = World(browser)
        frame = world.tab.open_frame(TWO)
        inner = world.extension.inject(world.tab, frame.id)
        inner.runtime.on_connect.add_listener(world.reached.append)
        port = world.background.tabs.connect(world.tab.id)
        await settle()
        witness = Witness(*world.reached)
        world.tab.navigate(TWO)
        for number in range(3):
            port.post_message(number)
        with pytest.raises(trio.WouldBlock):
            port.post_message(3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(port.send, 4)
            await settle()
            assert witness.seen == []
            world.tab.go_back()
        await settle()
        assert sorted(witness.seen) == [0, 0, 1, 1, 2, 2, 4, 4]


async def test_a_frozen_page_that_never_listened() -> None:
    """One that is full is ended for itself, as ever, and tells of it when it is back."""
    async with cached(max_buffer_size=2) as browser:
        world = World(browser)
        taken: list[object] = []
        frame = world.tab.open_frame(TWO)
        inner = world.extension.inject(world.tab, frame.id)
        inner.runtime.on_connect.add_listener(
            lambda port: port.on_message.add_listener(lambda message, _: taken.append(message))
        )
        port = world.background.tabs.connect(world.tab.id)
        await settle()
        world.tab.navigate(TWO)
        port.post_message(1)
        port.post_message(2)
        with pytest.raises(trio.WouldBlock):
            port.post_message(3)
        world.tab.go_back()
        await settle()
        port.post_message(3)
        await settle()
        assert taken == [1, 2, 3]
        assert world.reached[0].error is not None
        assert world.reached[0].error.cause is Cause.UNREAD


@each_dialect
async def test_leaving_the_block_with_a_page_put_aside(dialect: DialectName) -> None:
    """Everything ends."""
    async with cached(dialect=dialect) as browser:
        world = World(browser)
        ours, _ = await world.connect()
        world.tab.navigate(TWO)
    assert (world.script.state, ours.statistics().state) == ("gone", "closed")


async def test_the_option() -> None:
    """It is on or off."""
    with pytest.raises(TypeError, match="back_forward_cache must be True or False"):
        async with open_browser(back_forward_cache=1):  # type: ignore[arg-type]  # That is the point.
            pass  # pragma: no cover


# Rule 50: discarded and crashed -----------------------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize("way", ["reload", "discard", "crash"])
@by_either
async def test_a_tab_that_loses_its_document(by_background: bool, way: str, dialect: DialectName) -> None:
    """Everything in it ends, without an error, except that ``trio`` tells of a crash; the tab stays."""
    async with open_browser(dialect=dialect) as browser:
        world = World(browser)
        frame = world.tab.open_frame(TWO)
        _, theirs = await world.connect(by_background=by_background)
        causes = world.causes(theirs, world.background)
        before, ran = world.tab.id, list[Context]()
        world.extension.register_content_script(ran.append)
        await settle()
        ran.clear()
        getattr(world.tab, way)()
        port = world.background.tabs.connect(world.tab.id)
        await settle()
        assert causes == [Cause.CRASHED if (dialect, way) == ("trio", "crash") else None]
        assert port.statistics().state == "ended"
        assert (world.script.state, frame.closed, world.tab.closed) == ("gone", True, False)
        assert (world.tab.id == before) is not (dialect == "chrome" and way == "discard")
        assert world.tab.url == ONE
        assert len(ran) == (way == "reload")
        world.tab.reload()
        await settle()
        assert len(ran) == (2 if way == "reload" else 1)


async def test_a_tab_that_has_just_been_opened() -> None:
    """Nobody listens there before its content script has run: a connect in the same turn is too early."""
    async with open_browser() as browser:
        world = World(browser)
        heard: list[Port] = []
        world.extension.register_content_script(lambda context: context.runtime.on_connect.add_listener(heard.append))
        tab = browser.open_tab(TWO)
        early = world.background.tabs.connect(tab.id)
        await settle()
        world.background.tabs.connect(tab.id)
        await settle()
        assert early.error is not None
        assert (early.error.cause, len(heard)) == (Cause.NO_RECEIVER, 1)
