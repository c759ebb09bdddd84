"""Who hears a connect. Rules 2, 3 and 6; rule 4 is in `test_tabs`."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import DIALECTS, World, each_dialect, open_world, settle

from trio_ports import Cause, Port
from trio_ports._browser.calls import Call
from trio_ports._browser.entries import ContextEntry
from trio_ports._browser.registry import Registry
from trio_ports._browser.routing import describe_opener, find_receivers
from trio_ports._ports.options import make_options
from trio_ports._protocol.urls import parse_url

URL = parse_url("https://example.org/")
NOBODY = "Could not establish connection. Receiving end does not exist."


@each_dialect
async def test_every_other_listening_context_gets_one_port(dialect: Any) -> None:
    """Rule 2: its listeners share it; a context without listeners gets none, and the opener's own hears nothing."""
    async with open_world(dialect=dialect) as world:
        heard: list[tuple[str, Port]] = []
        third = world.extension.open_page("sidebar.html")
        for name, context in (("background", world.background), ("page", world.page)):
            for which in ("first", "second"):
                context.runtime.on_connect.add_listener(lambda port, where=(name, which): heard.append((*where, port)))
        world.page.runtime.connect()
        await settle()
        assert [entry[:2] for entry in heard] == [("background", "first"), ("background", "second")]
        assert heard[0][2] is heard[1][2]
        third.runtime.connect()
        await settle()
        both = [("background", "first"), ("background", "second"), ("page", "first"), ("page", "second")]
        assert sorted(entry[:2] for entry in heard[2:]) == both
        assert len({id(entry[2]) for entry in heard}) == 3


@each_dialect
async def test_content_scripts_are_reached_by_tabs_connect_only(dialect: Any) -> None:
    """Rule 3: runtime.connect reaches pages, tabs.connect what is in the tab, the extension's own pages as well."""
    async with open_world(dialect=dialect) as world:
        tab = world.browser.open_tab("https://example.org/")
        shown = world.browser.open_tab()
        script = world.extension.inject(tab)
        inside = world.extension.open_page("page.html", tab=shown)
        heard: list[str] = []
        for name, context in (("script", script), ("inside", inside), ("background", world.background)):
            context.runtime.on_connect.add_listener(lambda port, name=name: heard.append(name))
        world.page.runtime.connect()
        await settle()
        assert sorted(heard) == ["background", "inside"]
        heard.clear()
        world.page.tabs.connect(tab.id)
        await settle()
        world.page.tabs.connect(shown.id)
        await settle()
        script.runtime.connect()
        await settle()
        assert heard[:2] == ["script", "inside"]
        assert sorted(heard[2:]) == ["background", "inside"]


@each_dialect
async def test_extension_to_extension_is_external(dialect: Any) -> None:
    """Rule 3: the same extension hears on_connect, another one on_connect_external, never both."""
    async with open_world(dialect=dialect) as world:
        other = world.browser.install("friend@example.org").open_page()
        heard: list[tuple[str, Any]] = []
        world.background.runtime.on_connect.add_listener(lambda port: heard.append(("own", port.sender.id)))
        world.background.runtime.on_connect_external.add_listener(lambda port: heard.append(("other", port.sender.id)))
        other.runtime.connect("notes@example.org")
        await settle()
        world.page.runtime.connect()
        await settle()
        world.page.runtime.connect("notes@example.org")
        await settle()
        assert heard == [("other", "friend@example.org"), ("own", "notes@example.org"), ("own", "notes@example.org")]


@pytest.mark.parametrize(
    ("key", "let_in"),
    [
        (None, {"trio": True, "firefox": True, "chrome": True}),
        ({}, {"trio": False, "firefox": True, "chrome": False}),
        ({"ids": ["*"]}, {"trio": True, "firefox": True, "chrome": True}),
        ({"ids": ["friend"]}, {"trio": True, "firefox": True, "chrome": True}),
        ({"ids": ["stranger"]}, {"trio": False, "firefox": True, "chrome": False}),
    ],
)
@each_dialect
async def test_externally_connectable_for_extensions(dialect: Any, key: Any, let_in: dict[str, bool]) -> None:
    """Rule 3: absent, everybody; present, whom it lists, except in Firefox, which ignores it for extensions."""
    async with open_world(dialect=dialect) as world:
        target = world.browser.install("target", externally_connectable=key)
        world.listen(target.open_page(), external=True)
        port = world.browser.install("friend").open_page().runtime.connect("target")
        await settle()
        assert len(world.ports) == let_in[dialect]
        assert port.statistics().state == ("open" if let_in[dialect] else "ended")


@pytest.mark.parametrize(
    ("key", "let_in"),
    [
        (None, {"trio": False, "firefox": False, "chrome": False}),
        ({"ids": ["*"]}, {"trio": False, "firefox": False, "chrome": False}),
        ({"matches": ["https://*.example.org/*"]}, {"trio": True, "firefox": True, "chrome": True}),
        ({"matches": ["https://example.net/*"]}, {"trio": False, "firefox": False, "chrome": False}),
    ],
)
@each_dialect
async def test_externally_connectable_for_web_pages(dialect: Any, key: Any, let_in: dict[str, bool]) -> None:
    """Rule 3: absent, no web page; present, whose address it matches, in every dialect."""
    async with open_world(dialect=dialect) as world:
        target = world.browser.install("target", externally_connectable=key)
        world.listen(target.open_page(), external=True)
        page = world.browser.open_tab("https://www.example.org/shop").web_page_script()
        port = page.runtime.connect("target")
        await settle()
        assert len(world.ports) == let_in[dialect]
        if let_in[dialect]:
            sender = world.ports[0].sender
            assert sender is not None
            assert (sender.id, sender.url) == (None, "https://www.example.org/shop")
        else:
            assert port.statistics().state == "ended"


# Nobody ---------------------------------------------------------------------------------------------------------------


def nobody_listens(world: World) -> Port:
    return world.page.runtime.connect()


def unknown_extension(world: World) -> Port:
    return world.page.runtime.connect("nobody@example.org")


def only_yourself(world: World) -> Port:
    world.listen(world.page)
    return world.page.runtime.connect()


def uninstalled(world: World) -> Port:
    other = world.browser.install("other")
    world.listen(other.open_page(), external=True)
    other.uninstall()
    return world.page.runtime.connect("other")


def not_let_in(world: World) -> Port:
    other = world.browser.install("other", externally_connectable={})
    world.listen(other.open_page(), external=True)
    return world.page.runtime.connect("other")


def closed_context(world: World) -> Port:
    world.listen()
    world.background.close()
    return world.page.runtime.connect()


def no_such_tab(world: World) -> Port:
    return world.page.tabs.connect(99)


def no_such_frame(world: World) -> Port:
    tab = world.browser.open_tab()
    world.listen(world.extension.inject(tab))
    return world.page.tabs.connect(tab.id, frame_id=7)


def no_such_document(world: World) -> Port:
    tab = world.browser.open_tab()
    world.listen(world.extension.inject(tab))
    return world.page.tabs.connect(tab.id, document_id="another")


def closed_tab(world: World) -> Port:
    tab = world.browser.open_tab()
    world.listen(world.extension.inject(tab))
    tab.close()
    return world.page.tabs.connect(tab.id)


NOBODIES = [
    nobody_listens,
    unknown_extension,
    only_yourself,
    uninstalled,
    closed_context,
    no_such_tab,
    no_such_frame,
    no_such_document,
    closed_tab,
]


@pytest.mark.parametrize(
    ("dialect", "nobody"),
    [
        *((dialect, nobody) for dialect in DIALECTS for nobody in NOBODIES),
        ("trio", not_let_in),  # Firefox lets every extension in.
        ("chrome", not_let_in),
    ],
)
async def test_no_receiver(dialect: Any, nobody: Any) -> None:
    """Rule 6: on_disconnect fires once, later, with one error for absent and forbidden; what was posted is gone."""
    async with open_world(dialect=dialect) as world:
        errors: list[Any] = []
        port = nobody(world)
        context = world.page
        port.on_disconnect.add_listener(lambda port: errors.append((port.error, context.runtime.last_error)))
        port.post_message("nobody hears it")
        port.post_message(["nor this"] * 10)
        assert errors == []
        await settle()
        assert world.ports == []
        ((error, last_error),) = errors
        shown, hidden = (last_error, error) if dialect == "chrome" else (error, last_error)
        assert hidden is None
        assert (str(shown), shown.cause) == (NOBODY, Cause.NO_RECEIVER)
        assert context.runtime.last_error is None
        assert port.error is (None if dialect == "chrome" else shown)
        with pytest.raises(trio.BrokenResourceError):
            port.post_message("and now it is known")


# Without Trio ---------------------------------------------------------------------------------------------------------


def make_registry() -> Registry:
    """Return the registry of a browser in which nothing can run."""
    registry = Registry(make_options(dialect="trio"), None, first_number=0)
    registry.nursery = None  # type: ignore[assignment]
    return registry


def listen(context: ContextEntry) -> ContextEntry:
    context.script.on_connect.listeners = (print,)
    return context


class Untouched(dict[Any, Any]):
    """Many things, of which nobody may look through all."""

    def __iter__(self) -> Any:
        raise AssertionError

    keys = values = items = __iter__


def test_no_connect_looks_through_all_scripts_or_tabs() -> None:
    """Neither runtime.connect, nor tabs.connect with a tab, a frame or a document; and none of it needs Trio."""
    registry = make_registry()
    extension = registry.install("notes@example.org", None)
    background, page = (
        listen(registry.open_page(extension, parse_url(f"extension://a/{name}.html"), None))
        for name in ("background", "page")
    )
    tab, other = registry.open_tab(URL), registry.open_tab(URL)
    frame = registry.open_frame(tab, URL)
    top, inner, far = (listen(registry.open_script(it, extension)) for it in (tab.frames[0], frame, other.frames[0]))
    registry.tabs, registry.documents = Untouched(registry.tabs), Untouched(registry.documents)
    registry.contexts, extension.contexts = Untouched(registry.contexts), Untouched(extension.contexts)

    def call(**where: Any) -> list[ContextEntry]:
        sender = describe_opener(background, registry.options.dialect)
        call = Call(opener_id=extension.id, opener_url=background.url, name="", sender=sender, **where)
        return find_receivers(registry, call, background)

    assert call(extension_id=extension.id) == [page]
    assert call(tab_id=tab.id) == [top, inner]
    tab.frames = Untouched(tab.frames)
    assert call(tab_id=tab.id, frame_id=frame.id) == [inner]
    assert call(tab_id=other.id, document_id=far.document_id) == [far]
    assert call(tab_id=tab.id, document_id=far.document_id) == []
