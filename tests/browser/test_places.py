"""Private windows, pages that no tab shows, prerendered documents, user scripts: who reaches whom. Rules 65 to 68."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import World, each_dialect, open_world, settle

from trio_ports import Cause, Context, ContextInvalidatedError, LocalProtocolError, NoAnswerError, Port, SenderTab, Tab

URL = "https://example.org/"
VIEWS = ("popup", "sidebar", "options", "devtools", "offscreen")


class Heard:
    """Hears connections in a context."""

    def __init__(self, *contexts: Context) -> None:
        self.ports: list[Port] = []
        for context in contexts:
            context.runtime.on_connect.add_listener(self.ports.append)

    async def count(self) -> int:
        await settle()
        return len(self.ports)


# Private windows ------------------------------------------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize(("incognito", "access"), [("spanning", False), ("not_allowed", True), ("split", False)])
async def test_an_extension_that_is_kept_out(dialect: Any, incognito: Any, access: bool) -> None:
    """Rule 65: it has no content scripts in private tabs, and nobody there reaches it."""
    async with open_world(dialect=dialect) as world:
        out = world.browser.install("out@example.org", incognito=incognito, incognito_access=access)
        tab = world.browser.open_tab(URL, incognito=True)
        assert tab.incognito
        for call in (lambda: out.inject(tab), lambda: out.open_page("page.html", tab=tab)):
            with pytest.raises(LocalProtocolError, match="kept out of private windows"):
                call()
        background = out.open_page()
        background.runtime.on_message_external.add_listener(lambda m, s, respond: respond("heard"))
        other = world.browser.install("in@example.org", incognito_access=True)
        normal, private = other.inject(world.browser.open_tab(URL)), other.inject(tab)
        assert not normal.incognito
        assert private.incognito
        if dialect == "trio":
            assert await normal.runtime.send_message(1, out.id) == "heard"
        with pytest.raises(NoAnswerError) as caught:
            await private.runtime.send_message(1, out.id)
        assert caught.value.cause is Cause.NO_RECEIVER


@each_dialect
async def test_an_extension_that_spans(dialect: Any) -> None:
    """Rule 65: its one background serves both, and sees in sender.tab which it is."""
    async with open_world(dialect=dialect) as world:
        extension = world.browser.install("both@example.org", incognito_access=True)
        background = extension.open_page()
        tabs = [world.browser.open_tab(URL, incognito=private) for private in (False, True)]
        scripts = [extension.inject(tab) for tab in tabs]
        heard, reached = Heard(background), Heard(*scripts)
        for script in scripts:
            script.runtime.connect()
            await settle()
        assert [port.sender and port.sender.tab for port in heard.ports] == [
            SenderTab(tabs[0].id, URL),
            SenderTab(tabs[1].id, URL, incognito=True),
        ]
        background.tabs.connect(tabs[1].id)
        assert await reached.count() == 1
        with pytest.raises(LocalProtocolError, match="does not run twice"):
            extension.open_page(incognito=True)


@pytest.mark.parametrize("dialect", ["trio", "chrome"])
async def test_an_extension_that_is_split(dialect: Any) -> None:
    """Rule 65: each of its backgrounds hears its own tabs; tabs.connect reaches those of the other one too."""
    async with open_world(dialect=dialect) as world:
        extension = world.browser.install("split@example.org", incognito="split", incognito_access=True)
        backgrounds = [extension.open_page(incognito=private) for private in (False, True)]
        assert [each.kind for each in backgrounds] == ["background", "background"]
        assert [each.incognito for each in backgrounds] == [False, True]
        heard = [Heard(each) for each in backgrounds]
        tabs = [world.browser.open_tab(URL, incognito=private) for private in (False, True)]
        scripts = [extension.inject(tab) for tab in tabs]
        for script in scripts:
            script.runtime.connect()
        await settle()
        for ports, tab in zip(heard, tabs, strict=True):
            (port,) = ports.ports
            assert port.sender is not None
            assert port.sender.tab == SenderTab(tab.id, URL, tab.incognito)
        reached = Heard(*scripts)
        backgrounds[0].tabs.connect(tabs[1].id)
        assert await reached.count() == 1


async def test_firefox_keeps_split_extensions_out() -> None:
    """Rule 65: as if they were not allowed."""
    async with open_world(dialect="firefox") as world:
        extension = world.browser.install("split@example.org", incognito="split", incognito_access=True)
        with pytest.raises(LocalProtocolError, match="kept out"):
            extension.inject(world.browser.open_tab(URL, incognito=True))
        with pytest.raises(LocalProtocolError, match="kept out"):
            extension.open_page(incognito=True)
        assert extension.open_page().kind == "background"


@each_dialect
async def test_registered_scripts_in_private_windows(dialect: Any) -> None:
    """Rule 65: they run there only if the extension is let in; and in a prerendered document as in any."""
    async with open_world(dialect=dialect) as world:
        seen: list[Any] = []
        for access in (True, False):
            extension = world.browser.install(f"{access}@example.org", incognito_access=access)
            extension.register_content_script(lambda context: seen.append((context.extension.id, context.incognito)))
        tab = world.browser.open_tab(URL, incognito=True)
        await settle()
        assert seen == [("True@example.org", True)]
        if dialect != "firefox":
            tab.prerender("https://example.org/next").activate()
            await settle()
            assert seen == [("True@example.org", True)] * 2
            tab.go_back()
            assert tab.url == URL


async def test_bad_arguments_about_private_windows() -> None:
    """They are refused, and nothing is opened."""
    async with open_world() as world:
        with pytest.raises(ValueError, match="incognito must be one of 'spanning', 'split', 'not_allowed'"):
            world.browser.install("a@example.org", incognito="maybe")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            world.browser.install("a@example.org", incognito_access="yes")  # type: ignore[arg-type]
        world.browser.install("a@example.org")
        with pytest.raises(TypeError):
            world.browser.open_tab(URL, incognito=1)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            world.extension.open_page(incognito=1)  # type: ignore[arg-type]


# Pages that no tab shows ----------------------------------------------------------------------------------------------


def views_of(dialect: str) -> list[Any]:
    return [view for view in VIEWS if not (dialect == "firefox" and view == "offscreen")]


@each_dialect
async def test_senders_of_views(dialect: Any) -> None:
    """Rule 66: they have no tab, but for Firefox's options page, which has that of the list of extensions."""
    async with open_world(dialect=dialect) as world:
        heard = Heard(world.background)
        for view in views_of(dialect):
            page = world.extension.open_page(f"{view}.html", view=view)
            assert (page.kind, page.view) == ("page", view)
            page.runtime.connect()
            await settle()
            sender = heard.ports.pop().sender
            assert sender is not None
            assert (sender.id, sender.url) == (world.extension.id, page.url)
            if view == "options" and dialect == "firefox":
                assert page.tab is not None
                assert (sender.tab, sender.frame_id) == (SenderTab(page.tab.id, "about:addons"), 0)
            else:
                assert (sender.tab, sender.frame_id, page.tab) == (None, None, None)
            assert (sender.document_id is None) == (dialect == "chrome")


@each_dialect
async def test_who_hears_whom(dialect: Any) -> None:
    """Rule 66: each hears the others, except that in Firefox a devtools page does not hear content scripts."""
    async with open_world(dialect=dialect) as world:
        views = [world.extension.open_page(f"{view}.html", view=view) for view in views_of(dialect)]
        devtools = views[VIEWS.index("devtools")]
        script = world.extension.inject(world.browser.open_tab(URL))
        listening = [Heard(each) for each in (world.background, world.page, *views)]
        for opener in (world.background, world.page, *views, script):
            opener.runtime.connect()
            await settle()
            got = [bool(each.ports) for each in listening]
            contexts = (world.background, world.page, *views)
            deaf = opener is script and dialect == "firefox"
            assert got == [each is not opener and not (deaf and each is devtools) for each in contexts]
            for each in listening:
                each.ports.clear()


async def test_no_view_is_the_background() -> None:
    """Rule 66: the first page that is not a view is the background."""
    async with open_world() as world:
        extension = world.browser.install("new@example.org")
        assert extension.open_page("popup.html", view="popup").kind == "page"
        assert extension.open_page().kind == "background"
        assert extension.open_page().view is None


async def test_bad_views() -> None:
    """A view is one of five, in no tab, and there are no offscreen documents in Firefox."""
    async with open_world() as world:
        with pytest.raises(ValueError, match="view must be one of 'popup'"):
            world.extension.open_page(view="window")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="give tab or view"):
            world.extension.open_page(view="popup", tab=world.browser.open_tab(URL))
    async with open_world(dialect="firefox") as world:
        with pytest.raises(LocalProtocolError, match="no offscreen documents"):
            world.extension.open_page(view="offscreen")


# Prerendered documents ------------------------------------------------------------------------------------------------


async def tell(world: World, heard: Heard, context: Context) -> Any:
    """Connect to the background, and return the sender that it sees."""
    port = context.runtime.connect()
    await settle()
    port.post_message("hi")
    return heard.ports.pop().sender


@pytest.mark.parametrize("dialect", ["trio", "chrome"])
async def test_a_prerendered_document(dialect: Any) -> None:
    """Rule 67: it runs in a frame of the visible tab, with a number of its own, and takes the tab over."""
    async with open_world(dialect=dialect) as world:
        heard = Heard(world.background)
        tab: Tab = world.browser.open_tab(URL)
        shown, old_frame = world.extension.inject(tab), tab.open_frame("about:blank")
        frame = tab.prerender("https://example.org/next")
        child = frame.open_frame("https://example.org/child")
        script, within = world.extension.inject(tab, frame.id), world.extension.inject(tab, child.id)
        life = "prerender" if dialect == "chrome" else None
        for context, each in ((script, frame), (within, child)):
            sender = await tell(world, heard, context)
            assert (sender.url, sender.frame_id, sender.document_lifecycle) == (each.url, each.id, life)
            assert sender.tab == SenderTab(tab.id, URL)
            assert sender.frame_id != 0

        reached = Heard(script, within, shown)
        kept = world.background.tabs.connect(tab.id, frame_id=frame.id, name="kept")
        world.background.tabs.connect(tab.id, document_id=script.document_id)
        world.background.tabs.connect(tab.id)
        world.background.tabs.connect(tab.id, frame_id=0)
        assert await reached.count() == 4
        (port,) = (port for port in reached.ports if port.name == "kept")
        number, document = child.id, frame.document_id

        frame.activate()
        await settle()
        assert (frame.id, child.id, frame.document_id, tab.url) == (0, number, document, "https://example.org/next")
        assert tab.frames == (frame, child)
        assert shown.closed
        assert old_frame.closed
        got: list[Any] = []
        port.on_message.add_listener(lambda message, _: got.append(message))
        kept.post_message("still here")
        await settle()
        assert got == ["still here"]
        sender = await tell(world, heard, script)
        assert (sender.frame_id, sender.document_id) == (0, document)
        assert sender.document_lifecycle == ("active" if dialect == "chrome" else None)
        reached.ports.clear()
        world.background.tabs.connect(tab.id)
        assert await reached.count() == 2
        with pytest.raises(LocalProtocolError, match="was not prerendered"):
            frame.activate()


async def test_a_prerendered_document_that_is_dropped() -> None:
    """Rule 67: by closing its frame, or by a navigation of the tab; its ports end."""
    async with open_world(dialect="chrome") as world:
        heard = Heard(world.background)
        tab = world.browser.open_tab(URL)
        ends: list[Any] = []
        for drop in (lambda frame: frame.close(), lambda _: tab.navigate(URL), lambda _: tab.prerender(URL).activate()):
            frame = tab.prerender("https://example.org/next")
            world.extension.inject(tab, frame.id).runtime.connect()
            await settle()
            heard.ports.pop().on_disconnect.add_listener(ends.append)
            drop(frame)
            await settle()
            assert ends.pop().error is None
            assert frame.closed
            with pytest.raises(trio.ClosedResourceError):
                frame.activate()
        tab.close()
        with pytest.raises(trio.ClosedResourceError):
            tab.prerender(URL)
    async with open_world(dialect="firefox") as world:
        with pytest.raises(LocalProtocolError, match="does not prerender"):
            world.browser.open_tab(URL).prerender(URL)


# User scripts ---------------------------------------------------------------------------------------------------------


@each_dialect
async def test_user_scripts(dialect: Any) -> None:
    """Rule 68: they fire events of their own, in the background and in pages, and have one context for each world."""
    async with open_world(dialect=dialect) as world:
        tab = world.browser.open_tab(URL)
        script = world.extension.inject_user_script(tab, world_id="tools")
        assert script.kind == "user_script"
        assert world.extension.inject_user_script(tab, world_id="tools") is script
        assert world.extension.inject_user_script(tab) is not script
        assert world.extension.inject(tab) is not script
        wrong, ports = Heard(world.background), []
        world.background.runtime.on_message.add_listener(lambda m, s, respond: respond("wrong"))
        with pytest.raises(NoAnswerError):
            await script.runtime.send_message(1)
        for context in (world.background, world.page):
            context.runtime.on_user_script_connect.add_listener(ports.append)
        world.page.runtime.on_user_script_message.add_listener(lambda m, s, respond: respond([m, s.url]))
        assert await script.runtime.send_message(1) == [1, URL]
        script.runtime.connect()
        assert await wrong.count() == 0
        assert len(ports) == 2
        sender = ports[0].sender
        assert sender is not None
        assert (sender.id, sender.url, sender.frame_id) == (world.extension.id, URL, 0)
        assert sender.user_script_world_id == (None if dialect == "chrome" else "tools")
        background = await tell(world, wrong, world.page)
        assert background.user_script_world_id is None
        world.extension.uninstall()
        await settle()
        with pytest.raises((trio.ClosedResourceError, ContextInvalidatedError)):
            await script.runtime.send_message(1)


async def test_what_user_scripts_lack() -> None:
    """Rule 68: nobody connects to them, and they connect to nobody else."""
    async with open_world() as world:
        tab = world.browser.open_tab(URL)
        runtime = world.extension.inject_user_script(tab).runtime
        for get in (
            lambda: runtime.on_connect,
            lambda: runtime.on_message,
            lambda: runtime.on_user_script_connect,
            lambda: runtime.on_user_script_message,
            lambda: world.extension.inject(tab).runtime.on_user_script_connect,
        ):
            with pytest.raises(LocalProtocolError, match=r"script has no runtime\.on_"):
                get()
        with pytest.raises(LocalProtocolError, match="its own extension only"):
            runtime.connect("other@example.org")
        with pytest.raises(TypeError):
            world.extension.inject_user_script(tab, world_id=1)  # type: ignore[arg-type]
