"""Tabs and frames: what is in them, what a navigation ends, what closing ends. Rules 4, 20 and 27."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import Witness, World, each_dialect, open_world, refuse_elsewhere, settle

from trio_ports import Context, LocalProtocolError, Tab, open_browser


def open_scripts(world: World) -> tuple[Tab, list[Context], list[int]]:
    """Open a tab with three frames and a listening script in each; the last list tells which scripts were reached."""
    tab = world.browser.open_tab("https://example.org/")
    frames = [tab.frames[0], *(tab.open_frame(f"https://example.org/{number}") for number in (1, 2))]
    scripts = [world.extension.inject(tab, frame.id) for frame in frames]
    reached: list[int] = []
    for number, script in enumerate(scripts):
        script.runtime.on_connect.add_listener(lambda port, number=number: reached.append(number))
    return tab, scripts, reached


@each_dialect
async def test_tabs_connect_reaches_every_listening_frame(dialect: Any) -> None:
    """Rule 4: and one frame, or one document, where it is named."""
    async with open_world(dialect=dialect) as world:
        tab, scripts, reached = open_scripts(world)
        connect = world.background.tabs.connect
        for options, expected in (
            ({}, [0, 1, 2]),
            ({"frame_id": 0}, [0]),
            ({"frame_id": scripts[2].frame.id}, [2]),  # type: ignore[union-attr]
            ({"document_id": scripts[1].document_id}, [1]),
            ({"document_id": scripts[1].document_id, "frame_id": 0}, [1] if dialect == "firefox" else []),
        ):
            port = connect(tab.id, **options)
            await settle()
            assert sorted(reached) == expected
            assert port.statistics().state == ("open" if expected else "ended")
            reached.clear()


@each_dialect
async def test_a_document_is_found_in_any_tab(dialect: Any) -> None:
    """Rule 4: but for trio, and with a frame's number, which is one of the tab's, only in Firefox."""
    async with open_world(dialect=dialect) as world:
        tab, scripts, reached = open_scripts(world)
        connect = world.background.tabs.connect
        other, document = world.browser.open_tab(), scripts[0].document_id
        for tab_id, frame_id, dialects in (
            (tab.id, None, ("trio", "firefox", "chrome")),
            (other.id, None, ("firefox", "chrome")),
            (other.id, 0, ("firefox",)),
            (10**9, None, ()),
        ):
            connect(tab_id, frame_id=frame_id, document_id=document)
            await settle()
            assert reached == ([0] if dialect in dialects else [])
            reached.clear()


@each_dialect
async def test_a_page_that_calls_tabs_connect_with_its_own_tab(dialect: Any) -> None:
    """Rule 2: it does not hear itself, but in Firefox."""
    async with open_world(dialect=dialect) as world:
        tab = world.browser.open_tab()
        page = world.extension.open_page("page.html", tab=tab)
        world.listen(page)
        port = page.tabs.connect(tab.id)
        await settle()
        if dialect == "firefox":
            (mine,) = world.ports
            assert (mine.sender.tab.id, port.statistics().state) == (tab.id, "open")
        else:
            assert (world.ports, port.statistics().state) == ([], "ended")


@each_dialect
async def test_another_extensions_scripts_are_not_reached(dialect: Any) -> None:
    """tabs.connect speaks to one's own extension only."""
    async with open_world(dialect=dialect) as world:
        tab = world.browser.open_tab("https://example.org/")
        world.listen(world.browser.install("other").inject(tab))
        port = world.background.tabs.connect(tab.id)
        await settle()
        assert (world.ports, port.statistics().state) == ([], "ended")


def navigate_tab(tab: Tab) -> None:
    tab.navigate("https://example.org/next")


def navigate_top_frame(tab: Tab) -> None:
    tab.frames[0].navigate("https://example.org/next")


def close_tab(tab: Tab) -> None:
    tab.close()


def close_top_frame(tab: Tab) -> None:
    tab.frames[0].close()


@pytest.mark.parametrize("end", [navigate_tab, navigate_top_frame, close_tab, close_top_frame])
@each_dialect
async def test_what_ends_everything_in_a_tab(dialect: Any, end: Any) -> None:
    """Rules 20 and 27: once, after what was posted, without error; the scripts themselves hear nothing."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        tab, scripts, _ = open_scripts(world)
        openers = [script.runtime.connect() for script in scripts]
        await settle()
        own = Witness(*openers)
        witnesses = [Witness(port) for port in world.ports]
        receivers = list(world.ports)
        for opener in openers:
            opener.post_message(1)
        end(tab)
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, "end"]] * 3
        assert own.seen == []
        assert [port.error for port in receivers] == [None] * 3
        assert all(script.closed for script in scripts)
        assert tab.closed == (end in (close_tab, close_top_frame))
        end(tab) if not tab.closed else tab.close()


@pytest.mark.parametrize("how", ["navigate", "close"])
@each_dialect
async def test_one_frame_that_ends_leaves_the_others(dialect: Any, how: str) -> None:
    """Rule 27: a connection to all frames loses one receiver, as if its context had closed."""
    async with open_world(dialect=dialect) as world:
        tab, scripts, _ = open_scripts(world)
        opener = world.background.tabs.connect(tab.id)
        await settle()
        witness = Witness(opener)
        frame = scripts[1].frame
        assert frame is not None
        if how == "navigate":
            frame.navigate("https://example.org/next")
        else:
            frame.close()
            frame.close()
        await settle()
        assert [script.closed for script in scripts] == [False, True, False]
        assert witness.seen == (["end"] if dialect == "firefox" else [])
        assert (opener.error, tab.closed) == (None, False)


async def test_a_navigation_brings_another_document() -> None:
    """The frame keeps its number, its document is new, and new scripts run in that one."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        frame = tab.open_frame("https://example.org/inner")
        script = world.extension.inject(tab, frame.id)
        before = frame.document_id
        assert script.document_id == before
        frame.navigate("https://example.org/next")
        assert frame.document_id != before
        assert (frame.url, tab.url, frame.closed) == ("https://example.org/next", "https://example.org/", False)
        again = world.extension.inject(tab, frame.id)
        assert again is not script
        assert (again.document_id, again.url) == (frame.document_id, frame.url)
        tab.navigate("https://example.org/other")
        assert (frame.closed, tab.frames) == (True, (tab.frame(0),))


async def test_frames_are_numbered_and_found() -> None:
    """0 is the top one; a closed frame's number is not used again."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        first = tab.open_frame("https://example.org/1")
        assert [frame.id for frame in tab.frames] == [0, first.id]
        assert (tab.frame(first.id), tab.frame(99)) == (first, None)
        assert first.tab is tab
        first.close()
        assert tab.open_frame("https://example.org/2").id != first.id
        assert tab.frame(first.id) is None


async def test_a_web_page_is_one_context_for_each_document() -> None:
    """Asked again it is the same one; after a navigation another."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        page = tab.web_page_script()
        assert tab.web_page_script() is page
        assert (page.kind, page.extension, page.url) == ("web_page", None, "https://example.org/")
        tab.navigate("https://example.net/")
        assert page.closed
        assert tab.web_page_script() is not page


async def test_a_closed_tab() -> None:
    """It shows nothing, and nothing can be opened in it."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        frame = tab.open_frame("https://example.org/inner")
        assert repr(tab) == f"<Tab {tab.id} 'https://example.org/'>"
        assert repr(frame) == f"<Frame {frame.id} of tab {tab.id} 'https://example.org/inner'>"
        tab.close()
        tab.close()
        assert (tab.closed, tab.url, tab.frames, tab.id in world.browser._registry.tabs) == (True, None, (), False)
        assert repr(tab) == f"<Tab {tab.id} (closed)>"
        assert repr(frame).endswith("'https://example.org/inner' (closed)>")
        for call in (
            lambda: tab.navigate("https://example.org/"),
            lambda: tab.open_frame("https://example.org/"),
            lambda: frame.navigate("https://example.org/"),
            tab.web_page_script,
            lambda: world.extension.inject(tab),
            lambda: world.extension.open_page(tab=tab),
        ):
            with pytest.raises(trio.ClosedResourceError, match="is closed"):
                call()
        assert {context.face for context in world.browser._registry.contexts} == {world.background, world.page}


async def test_after_the_browser_has_ended() -> None:
    """Its tabs are closed."""
    async with open_browser() as browser:
        tab = browser.open_tab()
    assert tab.closed
    with pytest.raises(trio.ClosedResourceError):
        tab.open_frame("https://example.org/")


@pytest.mark.parametrize(
    ("url", "error"),
    [(None, TypeError), (1, TypeError), ("", ValueError), ("http://[", ValueError), ("example.org", ValueError)],
)
async def test_bad_urls(url: Any, error: type[Exception]) -> None:
    """Each call that takes a URL checks it and changes nothing."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        script = world.extension.inject(tab)
        for call in (world.browser.open_tab, tab.navigate, tab.open_frame, tab.frames[0].navigate):
            with pytest.raises(error, match="url must"):
                call(url)
        with pytest.raises(TypeError, match="sandboxed must be"):
            tab.open_frame("https://example.org/", sandboxed=1)  # type: ignore[arg-type]
        assert len(world.browser._registry.tabs) == len(tab.frames) == 1
        assert not script.closed


async def test_urls_are_written_as_browsers_write_them() -> None:
    """Whichever call brings them."""
    async with open_world() as world:
        tab = world.browser.open_tab("HTTPS://Bücher.example:443")
        assert tab.url == "https://xn--bcher-kva.example/"
        tab.navigate("https://example.org/a/../ä")
        assert tab.url == "https://example.org/%C3%A4"
        frame = tab.open_frame("http:\\\\example.org")
        assert frame.url == "http://example.org/"
        frame.navigate("data:,a\tb")
        assert frame.url == "data:,ab"


async def test_bad_frames() -> None:
    """A frame that is not there, or no number."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        with pytest.raises(LocalProtocolError, match=f"tab {tab.id} has no frame 7"):
            world.extension.inject(tab, 7)
        with pytest.raises(LocalProtocolError, match="has no frame 7"):
            tab.web_page_script(7)
        with pytest.raises(TypeError, match="frame_id must be int"):
            tab.web_page_script("0")  # type: ignore[arg-type]


async def test_from_another_thread() -> None:
    """Everything that opens, navigates or closes says that it must be called inside Trio."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        frame = tab.open_frame("https://example.org/inner")
        await refuse_elsewhere(
            tab.close,
            tab.web_page_script,
            frame.close,
            lambda: tab.navigate("https://example.org/"),
            lambda: frame.navigate("https://example.org/"),
            lambda: tab.open_frame("https://example.org/"),
        )
        assert not frame.closed
        assert len(world.browser._registry.contexts) == 2
