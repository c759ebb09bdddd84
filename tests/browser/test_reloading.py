"""Extensions that are disabled, reloaded, updated and uninstalled: rule 47."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, each_dialect, refuse_elsewhere, settle

import trio_ports
from trio_ports import Browser, Cause, Context, ContextInvalidatedError, Extension, Port, open_browser
from trio_ports._protocol.dialects import DialectName

WAYS = {
    "disable": Extension.disable,
    "reload": Extension.reload,
    "update": Extension.update,
    "uninstall": Extension.uninstall,
}
each_way = pytest.mark.parametrize("way", WAYS)
PAGE = "https://example.com/"


def install(browser: Browser) -> tuple[Extension, Context]:
    """Install an extension whose background listens, and inject its content script."""
    extension = browser.install("notes@example.org")
    extension.register_background(lambda context: context.runtime.on_connect.add_listener(lambda _: None))
    return extension, extension.inject(browser.open_tab(PAGE))


def other_extension(browser: Browser) -> list[Port]:
    """Install another extension; return the ports that reach its page."""
    heard: list[Port] = []
    browser.install("other@example.org").open_page().runtime.on_connect_external.add_listener(heard.append)
    return heard


@each_dialect
@each_way
async def test_a_content_script(way: str, dialect: DialectName) -> None:
    """It is over: silently where it is destroyed; in Chromium it is told, and is an orphan."""
    lives_on = dialect == "chrome"
    async with open_browser(dialect=dialect) as browser:
        extension, script = install(browser)
        heard = other_extension(browser)
        ports = [script.runtime.connect(), script.runtime.connect("other@example.org")]
        told: list[object] = []
        for port in ports:
            port.on_disconnect.add_listener(lambda _: told.append(script.runtime.last_error))
        await settle()
        ends = Witness(*heard)
        WAYS[way](extension)
        assert script.closed is not lives_on
        await settle()
        assert (told, ends.seen) == ([None, None] if lives_on else [], ["end"])
        assert script.state == ("orphaned" if lives_on else "gone")
        assert script.runtime.id == (None if lives_on else "notes@example.org")
        over = (trio.ClosedResourceError, trio.BrokenResourceError)
        refused: Any = ContextInvalidatedError if lives_on else over
        for call in (script.runtime.connect, functools.partial(ports[0].post_message, 1)):
            with pytest.raises(refused, match="Extension context invalidated" if lives_on else None):
                call()
        with pytest.raises(refused):
            await ports[1].send(1)
        with pytest.raises(trio.BrokenResourceError):
            heard[0].post_message(1)
        if lives_on:
            with pytest.raises(ContextInvalidatedError):
                ports[0].disconnect()
            script.runtime.on_connect.add_listener(print)  # No exception, and no use.
            script.close()
            assert script.state == "gone"


@each_dialect
async def test_inside_the_on_disconnect_of_an_orphan(dialect: DialectName) -> None:
    """Its calls still return there, and reach nobody, even if the extension is back."""
    async with open_browser(dialect=dialect) as browser:
        extension, script = install(browser)
        again: list[Port] = []
        ends: list[Port] = []

        def connect(_: Port) -> None:
            assert script.runtime.id == "notes@example.org"
            again.append(script.runtime.connect())
            again[0].on_disconnect.add_listener(ends.append)

        script.runtime.connect().on_disconnect.add_listener(connect)
        await settle()
        extension.reload()
        await settle()
        assert len(again) == len(ends) == (dialect == "chrome")


@each_dialect
@each_way
async def test_last_words(way: str, dialect: DialectName) -> None:
    """What a background posts in the turn of the reload arrives, be it much; in Chromium the end comes after it."""
    async with open_browser(dialect=dialect) as browser:
        extension, script = install(browser)
        witness = Witness()
        script.runtime.on_connect.add_listener(witness.watch)
        background = extension.register_background(lambda _: None)
        background.wake()
        await settle()
        assert background.context is not None
        port = background.context.tabs.connect(script.tab.id if script.tab else 0)
        await settle()
        for number in range(200):
            port.post_message(number)
        WAYS[way](extension)
        await settle()
        assert witness.seen == [*range(200), *(["end"] if dialect == "chrome" else [])]


async def test_a_listener_that_waits_does_not_keep_a_script_alive() -> None:
    """It is cancelled, as in any context that closes."""
    async with open_browser() as browser:
        extension, script = install(browser)
        started: list[object] = []

        async def wait(message: object, _: Port) -> None:
            started.append(message)
            await trio.sleep_forever()

        page = extension.open_page("popup.html")
        script.runtime.on_connect.add_listener(lambda port: port.on_message.add_listener(wait))
        port = page.tabs.connect(script.tab.id if script.tab else 0)
        port.post_message(1)
        port.post_message(2)
        await settle()
        extension.disable()
        await settle()
        assert (started, script.state) == ([1], "gone")


@each_dialect
@each_way
async def test_pages(way: str, dialect: DialectName) -> None:
    """They close, and so does a tab that shows one; the background is gone, and asleep if the extension is back."""
    async with open_browser(dialect=dialect) as browser:
        extension, script = install(browser)
        background = extension.register_background(lambda _: None)
        background.wake()
        await settle()
        context = background.context
        popup = extension.open_page("popup.html")
        tab = browser.open_tab()
        options = extension.open_page("options.html", tab=tab)
        inner = extension.open_page("frame.html", tab=script.tab)
        WAYS[way](extension)
        assert context is not None
        assert [each.closed for each in (context, popup, options, inner)] == [True] * 4
        assert tab.closed
        assert script.tab is not None
        assert not script.tab.closed
        back = "asleep" if way in ("reload", "update") else "away"
        assert repr(background) == f"<Background of notes@example.org ({back})>"


@each_dialect
async def test_disabled(dialect: DialectName) -> None:
    """Nobody reaches it, nothing can be opened, and another of that id cannot be installed; then it is back."""
    async with open_browser(dialect=dialect) as browser:
        extension, script = install(browser)
        other = browser.install("other@example.org").open_page()
        extension.disable()
        extension.disable()
        assert (extension.installed, extension.enabled) == (True, False)
        assert repr(extension) == "<Extension 'notes@example.org' (disabled)>"
        port = other.runtime.connect("notes@example.org")
        causes: list[Cause] = []
        port.on_disconnect.add_listener(lambda port: causes.append((port.error or other.runtime.last_error).cause))
        await settle()
        assert causes == [Cause.NO_RECEIVER]
        assert script.tab is not None
        register: Any = extension.register_background
        for call in (
            extension.open_page,
            extension.reload,
            extension.update,
            functools.partial(extension.inject, script.tab),
            functools.partial(extension.register_content_script, print),
            functools.partial(register, print),
        ):
            with pytest.raises(trio.ClosedResourceError, match="is disabled: enable it first"):
                call()
        with pytest.raises(trio_ports.AlreadyInstalledError):
            browser.install("notes@example.org")
        extension.enable()
        extension.enable()
        assert extension.enabled
        heard: list[Port] = []
        extension.register_background(lambda context: context.runtime.on_connect_external.add_listener(heard.append))
        other.runtime.connect("notes@example.org")
        await settle()
        assert len(heard) == 1


@each_dialect
async def test_new_content_scripts(dialect: DialectName) -> None:
    """Open pages get them again, except in Chromium, where one is injected beside the orphan and alone hears."""
    async with open_browser(dialect=dialect) as browser:
        tab = browser.open_tab(PAGE)
        extension = browser.install("notes@example.org")
        ran: list[Context] = []
        heard: list[Context] = []

        def start(context: Context) -> None:
            ran.append(context)
            context.runtime.on_connect.add_listener(lambda _: heard.append(context))

        extension.register_content_script(start)
        await settle()
        old = dialect != "chrome"
        assert len(ran) == old
        if not old:
            tab.reload()
            await settle()
        (first,) = ran
        extension.reload()
        await settle()
        if not old:
            assert ran == [first]
            start(extension.inject(tab))
        second = extension.inject(tab)
        assert ran == [first, second]
        assert first is not second
        extension.open_page("popup.html").tabs.connect(tab.id)
        await settle()
        assert heard == [second]
        tab.navigate("https://example.com/two")
        await settle()
        assert (first.state, second.state, len(ran)) == ("gone", "gone", 3)


async def test_which_documents_get_content_scripts() -> None:
    """Those whose address matches, and top frames only, unless it is told otherwise."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        ran: list[str] = []
        extension.register_content_script(lambda context: ran.append(f"top {context.url}"), matches=["*://a.example/*"])
        extension.register_content_script(lambda context: ran.append(f"all {context.url}"), all_frames=True)
        tab = browser.open_tab("https://a.example/")
        tab.open_frame("https://a.example/frame")
        browser.open_tab("https://b.example/")
        extension.open_page("options.html", tab=browser.open_tab())
        await settle()
        assert sorted(ran) == [
            "all https://a.example/",
            "all https://a.example/frame",
            "all https://b.example/",
            "top https://a.example/",
        ]
        ran.clear()
        extension.update()
        tab.reload()
        await settle()
        assert ran == []  # The other version registers its own.


async def test_what_a_content_script_raises() -> None:
    """It leaves through the block, in ``trio``."""
    with pytest.RaisesGroup(ScriptedError):
        async with open_browser() as browser:

            def start(_: Context) -> None:
                raise ScriptedError

            browser.install("notes@example.org").register_content_script(start)
            browser.open_tab(PAGE)
            await trio.sleep_forever()


async def test_an_update_brings_another_manifest() -> None:
    """What the new version does not say is as if no version had said it."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        extension.update(externally_connectable={"ids": ["*"]})
        assert extension.externally_connectable is not None
        extension.update()
        assert extension.externally_connectable is None


async def test_leaving_the_block_at_once() -> None:
    """An extension that goes just before the end of the block leaves nothing behind."""
    async with open_browser() as browser:
        extension, script = install(browser)
        script.runtime.connect()
        extension.uninstall()
    assert script.state == "gone"
    extension.uninstall()
    assert script.closed


async def test_bad_arguments() -> None:
    """Each is refused at the call."""
    async with open_browser() as browser:
        extension, _ = install(browser)
        register: Any = extension.register_content_script
        for arguments, kind in (
            ({"start": None}, TypeError),
            ({"start": print, "matches": "<all_urls>"}, TypeError),
            ({"start": print, "matches": ["example.com"]}, ValueError),
            ({"start": print, "all_frames": 1}, TypeError),
        ):
            with pytest.raises(kind):
                register(**arguments)
        with pytest.raises(TypeError):
            extension.update(externally_connectable=1)  # type: ignore[arg-type]  # That is the point.
        calls: list[Callable[[], object]] = [
            *(functools.partial(way, extension) for way in WAYS.values()),
            extension.enable,
            functools.partial(register, print),
        ]
        await refuse_elsewhere(*calls)
        extension.uninstall()
        for call in (extension.disable, extension.enable, extension.reload, extension.update):
            with pytest.raises(trio.ClosedResourceError, match="is uninstalled"):
                call()
