"""The browser, its extensions and its contexts: installing, opening, closing, and bad arguments."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, each_dialect, open_world, refuse_elsewhere, settle
from trio.testing import assert_checkpoints

from trio_ports import AlreadyInstalledError, LocalProtocolError, Port, open_browser

NOWHERE = Path("nowhere").absolute()


async def test_a_browser_is_a_block() -> None:
    """After it everything is closed, and nothing can be opened."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        tab = browser.open_tab()
        page = extension.open_page()
        assert repr(browser) == "<Browser trio (1 extensions, 1 tabs) at " + hex(id(browser)) + ">"
        assert tab.url == "about:blank"
    assert repr(browser) == "<Browser trio (closed) at " + hex(id(browser)) + ">"
    assert (page.closed, tab.closed, browser.closed, browser._contexts) == (True, True, True, {})
    for call in (lambda: browser.install("other"), browser.open_tab, extension.open_page):
        with pytest.raises(trio.ClosedResourceError):
            call()
    extension.uninstall()


async def test_opening_a_browser_has_a_checkpoint() -> None:
    """At its end at the latest."""
    with assert_checkpoints():
        async with open_browser():
            pass


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"dialect": "opera"}, ValueError, "dialect must be one of"),
        ({"listener_errors": "ignore"}, ValueError, "listener_errors must be"),
        ({"max_buffer_size": 0}, ValueError, "max_buffer_size must be at least 1"),
        ({"max_message_bytes": math.nan}, TypeError, "max_message_bytes must be an int or math.inf"),
        ({"observer": "me"}, TypeError, "observer must be callable"),
        ({"manifest_folders": [1]}, TypeError, "1|int"),
    ],
)
async def test_bad_arguments_of_open_browser(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """They raise on entry."""
    with pytest.raises(error, match=text):
        async with open_browser(**arguments):
            raise AssertionError


async def test_limits_reach_the_ports() -> None:
    """Options of the browser hold for each of its ports."""
    async with open_world(max_buffer_size=3, max_message_bytes=10, manifest_folders=[Path("nowhere")]) as world:
        opener, receiver = await world.connect()
        assert opener.statistics().max_buffer_size == receiver.statistics().max_buffer_size == 3
        assert world.browser._manifest_folders == (NOWHERE,)


async def test_a_listener_of_one_context_may_close_another_at_the_end() -> None:
    """Contexts close in order; what a listener does meanwhile disturbs nobody."""
    async with open_world() as world:
        opener, _ = await world.connect()
        opener.on_disconnect.add_listener(lambda port: world.extension.uninstall())
    assert opener.statistics().state == "ended"


async def test_a_connection_that_was_under_way_at_the_end_reaches_its_listener() -> None:
    """Leaving lets what is under way reach sync listeners."""
    events: list[Any] = []
    async with open_world() as world:
        witness = Witness()
        witness.seen = events

        @world.background.runtime.on_connect.add_listener
        def greet(port: Port) -> None:
            events.append("connect")
            witness.watch(port)

        port = world.page.runtime.connect()
        port.post_message(1)
        port.disconnect()
    assert events == ["connect", 1, "end"]


async def test_async_listeners_meet_the_cancellation_at_the_end() -> None:
    """One that waits is cancelled; the end still comes to whoever does not wait."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        steps: list[str] = []

        @receiver.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                steps.append(f"cancelled in {message}")

        @receiver.on_disconnect.add_listener
        async def told(port: Port) -> None:
            steps.append("told")
            await trio.lowlevel.checkpoint()
            raise AssertionError

        receiver.on_disconnect.add_listener(lambda port: steps.append("told too"))
        opener.post_message(1)
        opener.post_message(2)
        await settle()
        opener.disconnect()
    assert steps == ["cancelled in 1", "cancelled in 2", "told", "told too"]


# Extensions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"extension_id": ""}, ValueError, "extension_id must not be empty"),
        ({"extension_id": None}, TypeError, "extension_id must be str"),
        ({"extension_id": "notes@example.org"}, AlreadyInstalledError, "'notes@example.org' is installed already"),
        ({"extension_id": "new", "externally_connectable": ["*"]}, TypeError, "must be a mapping"),
    ],
)
async def test_bad_arguments_of_install(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """They raise at the call and install nothing."""
    async with open_world() as world:
        with pytest.raises(error, match=text):
            world.browser.install(**arguments)
        assert set(world.browser._extensions) == {"notes@example.org"}


@each_dialect
async def test_uninstalling_closes_every_context(dialect: Any) -> None:
    """Once and for all; another extension is told, in good order, and the id is free again."""
    async with open_world(dialect=dialect) as world:
        other = world.browser.install("other").open_page()
        world.listen(other, external=True)
        port = world.page.runtime.connect("other")
        await settle()
        witness, own = Witness(*world.ports), Witness(port)
        port.post_message(1)
        world.extension.uninstall()
        world.extension.uninstall()
        await settle()
        assert (witness.seen, own.seen) == ([1, "end"], [])
        assert world.background.closed
        assert world.page.closed
        assert repr(world.extension) == "<Extension 'notes@example.org' (uninstalled)>"
        with pytest.raises(trio.ClosedResourceError, match="is uninstalled"):
            world.extension.open_page()
        with pytest.raises(trio.ClosedResourceError, match="is uninstalled"):
            world.extension.inject(world.browser.open_tab())
        assert world.browser.install("notes@example.org").installed


async def test_the_first_page_without_a_tab_is_the_background() -> None:
    """As long as it lives; after it, the next one."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        tab = browser.open_tab("https://example.org/")
        shown = extension.open_page("options.html", tab=tab)
        background, page = extension.open_page("/background.html"), extension.open_page("popup.html")
        assert [context.kind for context in (shown, background, page)] == ["page", "background", "page"]
        assert background.url == "extension://notes@example.org/background.html"
        background.close()
        assert extension.open_page().kind == "background"
        assert repr(extension) == "<Extension 'notes@example.org'>"


@each_dialect
async def test_where_an_extensions_pages_live(dialect: Any) -> None:
    """Firefox gives each installation an address of its own; the others use the id."""
    async with open_browser(dialect=dialect) as browser, open_browser(dialect=dialect) as another:
        extensions = [browser.install("a"), browser.install("b"), another.install("a")]
        urls = [extension.open_page("x.html").url for extension in extensions]
        if dialect == "firefox":
            assert len(set(urls)) == 3 or urls[0] == urls[2]
            assert "//a/" not in urls[0]
        else:
            scheme = "extension" if dialect == "trio" else "chrome-extension"
            assert urls == [f"{scheme}://{name}/x.html" for name in ("a", "b", "a")]


async def test_a_page_in_a_tab() -> None:
    """It takes the top frame where no script runs, and a frame of its own otherwise."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        first = world.extension.open_page("first.html", tab=tab)
        second = world.extension.open_page("second.html", tab=tab)
        assert first.frame is tab.frames[0]
        assert tab.url == first.url
        assert second.frame is tab.frames[1]
        assert (first.tab, first.browser, first.extension) == (tab, world.browser, world.extension)
        assert (world.background.tab, world.background.frame) == (None, None)


async def test_one_content_script_for_each_document_and_extension() -> None:
    """Injected again it is the same one; another extension has its own."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        script = world.extension.inject(tab)
        assert world.extension.inject(tab) is script
        assert world.browser.install("other").inject(tab) is not script
        script.close()
        assert world.extension.inject(tab) is not script


async def test_another_browsers_tab() -> None:
    """It is refused, and nothing changes there."""
    async with open_world() as world, open_browser() as another:
        tab = another.open_tab()
        for call in (lambda: world.extension.inject(tab), lambda: world.extension.open_page(tab=tab)):
            with pytest.raises(LocalProtocolError, match="belongs to another browser"):
                call()
        assert not tab.frames[0]._contexts


@pytest.mark.parametrize(
    ("method", "arguments", "text"),
    [
        ("open_page", {"path": 1}, "path must be str"),
        ("open_page", {"tab": 1}, "tab must be Tab"),
        ("inject", {"tab": None}, "tab must be Tab"),
        ("inject", {"tab": 1}, "tab must be Tab"),
    ],
)
async def test_bad_types_of_an_extension(method: str, arguments: dict[str, Any], text: str) -> None:
    """They raise at the call."""
    async with open_world() as world:
        with pytest.raises(TypeError, match=text):
            getattr(world.extension, method)(**arguments)
        assert len(world.extension._contexts) == 2


async def test_a_page_outside_the_extension() -> None:
    """A URL is no path; what looks like one in a query is the page's business."""
    async with open_world() as world:
        with pytest.raises(ValueError, match="path must be one inside the extension"):
            world.extension.open_page("https://example.org/")
        assert world.extension.open_page("page.html?next=https://a/").url.endswith("/page.html?next=https://a/")


# Contexts -------------------------------------------------------------------------------------------------------------


@each_dialect
async def test_closing_a_context(dialect: Any) -> None:
    """Sync, idempotent, and complete."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness = Witness(receiver)
        opener.post_message(1)
        world.page.close()
        world.page.close()
        assert opener.statistics().state == "closed"
        assert world.page not in world.browser._contexts
        assert world.page not in world.extension._contexts
        await settle()
        assert witness.seen == [1, "end"]
        with pytest.raises(trio.ClosedResourceError, match="closed"):
            async with world.page:
                pytest.fail("the block of a closed context was entered")


async def test_what_was_kept_goes_with_the_context() -> None:
    """A port that had ended before, with messages that nobody has read."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        opener.post_message("unread")
        opener.disconnect()
        await settle()
        assert receiver.statistics().messages_waiting == 1
        world.background.close()
        assert receiver.statistics().messages_waiting == 0


async def test_two_tasks_in_one_contexts_block() -> None:
    """Both leave once its tasks are gone, whoever comes first."""
    async with open_world() as world, trio.open_nursery() as nursery:
        opener, receiver = await world.connect()
        going_on = trio.Event()
        left: list[int] = []

        @receiver.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            with trio.CancelScope(shield=True):
                await going_on.wait()

        async def stay(number: int) -> None:
            async with world.background:
                await settle()
            left.append(number)

        opener.post_message(1)
        await settle()
        nursery.start_soon(stay, 1)
        nursery.start_soon(stay, 2)
        await settle()
        assert left == []
        going_on.set()
        await settle()
        assert sorted(left) == [1, 2]


async def test_a_context_closed_by_its_own_listener() -> None:
    """Which is cancelled with it at its next checkpoint."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        steps: list[str] = []

        @receiver.on_message.add_listener
        async def close(message: Any, port: Port) -> None:
            async with world.background:
                steps.append("inside")
            steps.append("never")

        witness = Witness(opener)
        opener.post_message(1)
        await settle()
        assert (steps, witness.seen) == (["inside"], ["end"])


async def test_a_crash_in_a_context_beside_a_cancellation() -> None:
    """What leaves the context's block is what was raised in it."""
    async with open_world() as world:
        with pytest.RaisesGroup(ScriptedError):
            async with world.background, trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await settle()
                raise ScriptedError


async def test_from_another_thread() -> None:
    """Everything that opens or closes says that it must be called inside Trio."""
    async with open_world() as world:
        tab = world.browser.open_tab()
        await refuse_elsewhere(
            lambda: world.browser.install("other"),
            world.browser.open_tab,
            world.extension.open_page,
            lambda: world.extension.inject(tab),
            world.extension.uninstall,
            world.page.close,
        )
        assert not world.page.closed
        assert len(world.browser._contexts) == 2
