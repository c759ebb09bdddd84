"""Connecting: who hears it, as what, and when. Rules 1 to 9, 15, 26 and 27."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest
import trio
from support import DIALECTS, ScriptedError, Witness, World, each_dialect, open_world, refuse_elsewhere, settle
from trio.testing import assert_checkpoints

from trio_ports import Cause, Context, Delivered, LocalProtocolError, MessageSender, Port, SenderTab

NOBODY = "Could not establish connection. Receiving end does not exist."


# Opening --------------------------------------------------------------------------------------------------------------


@each_dialect
async def test_connect_returns_an_open_port_before_anybody_knows(dialect: Any) -> None:
    """Rules 1 and 32: nothing is delivered inside the call."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        opener = world.page.runtime.connect(name="port-from-page")
        assert world.ports == []
        assert opener.statistics().state == "open"
        assert (opener.name, opener.sender) == ("port-from-page", None)
        await settle()
        (receiver,) = world.ports
        assert receiver.name == "port-from-page"
        assert world.page.runtime.connect().name == ""


@each_dialect
async def test_everything_in_one_go_arrives_in_order(dialect: Any) -> None:
    """Rule 5: on_connect, the messages, on_disconnect, even if the opener has left before anybody was told."""
    async with open_world(dialect=dialect) as world:
        events: list[Any] = []
        witness = Witness()
        witness.seen = events

        @world.background.runtime.on_connect.add_listener
        def greet(port: Port) -> None:
            events.append("connect")
            witness.watch(port)

        port = world.page.runtime.connect()
        for number in range(100):
            port.post_message(number)
        port.disconnect()
        await settle()
        assert events == ["connect", *range(100), "end"]


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


@each_dialect
async def test_reading_from_a_port_without_receiver(dialect: Any) -> None:
    """Rule 25: the error is what receive raises from."""
    async with open_world(dialect=dialect) as world:
        port = world.page.runtime.connect()
        with pytest.raises(trio.BrokenResourceError, match="Receiving end does not exist"):
            await port.receive()


@each_dialect
async def test_a_listener_that_leaves_before_it_is_told(dialect: Any) -> None:
    """It listened when the connection was opened and does no more: there was nobody."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        port = world.page.runtime.connect()
        witness = Witness(port)
        world.background.runtime.on_connect.remove_listener(world.ports.append)
        await settle()
        assert (world.ports, witness.seen) == ([], ["end"])
        if dialect != "chrome":
            assert port.error is not None
            assert port.error.cause is Cause.NO_RECEIVER


@each_dialect
async def test_one_of_two_that_leaves_before_it_is_told(dialect: Any) -> None:
    """The other one is there, so nothing is wrong."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        world.listen(world.extension.open_page())
        port = world.page.runtime.connect()
        world.background.runtime.on_connect.remove_listener(world.ports.append)
        await settle()
        assert len(world.ports) == 1
        assert port.statistics().state == "open"
        port.post_message(1)
        assert await world.ports[0].receive() == 1


@each_dialect
async def test_a_context_that_closes_before_it_is_told(dialect: Any) -> None:
    """Rule 20: it ends as a port of it would have, in good order."""
    async with open_world(dialect=dialect) as world:
        world.listen()
        port = world.page.runtime.connect()
        witness = Witness(port)
        world.background.close()
        await settle()
        assert (world.ports, witness.seen, port.error) == ([], ["end"], None)


@each_dialect
async def test_a_listener_that_closes_its_context(dialect: Any) -> None:
    """While it is told of one connection, with another one waiting."""
    async with open_world(dialect=dialect) as world:

        @world.background.runtime.on_connect.add_listener
        def leave(port: Port) -> None:
            world.background.close()

        first, second = world.page.runtime.connect(), world.page.runtime.connect()
        witness = Witness(first, second)
        await settle()
        assert witness.seen == ["end", "end"]


@each_dialect
async def test_a_receiver_that_disconnects_at_once(dialect: Any) -> None:
    """Rule 7: the opener's on_disconnect fires without error."""
    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(lambda port: port.disconnect())
        port = world.page.runtime.connect()
        witness = Witness(port)
        port.post_message("gone")
        await settle()
        assert (witness.seen, port.error) == (["end"], None)


@each_dialect
async def test_connects_are_told_in_their_order(dialect: Any) -> None:
    """A context hears of connections in the order in which they were opened."""
    async with open_world(dialect=dialect) as world:
        names: list[str] = []
        world.background.runtime.on_connect.add_listener(lambda port: names.append(port.name))
        for number in range(20):
            world.page.runtime.connect(name=str(number))
        await settle()
        assert names == [str(number) for number in range(20)]


@pytest.mark.parametrize(("dialect", "still_called"), [("trio", False), ("firefox", False), ("chrome", True)])
async def test_a_listener_removed_while_a_connection_is_told(dialect: Any, still_called: bool) -> None:
    """Rule 29 holds for on_connect too."""
    async with open_world(dialect=dialect) as world:
        event = world.background.runtime.on_connect
        event.add_listener(lambda port: event.remove_listener(world.ports.append))
        world.listen()
        world.page.runtime.connect()
        await settle()
        assert len(world.ports) == still_called


@each_dialect
async def test_a_logged_failure_of_on_connect_that_nobody_watches(dialect: Any) -> None:
    """open_browser always gives an observer then; without one it is silent."""
    async with open_world(dialect=dialect, listener_errors="log") as world:
        registry = world.browser._registry
        registry.setup = attrs.evolve(registry.setup, observer=None)
        world.background = world.extension.open_page("quiet.html")

        @world.background.runtime.on_connect.add_listener
        def fail(port: Port) -> None:
            raise ScriptedError

        opener, receiver = await world.connect()
        assert (opener.statistics().state, receiver.statistics().state) == ("open", "open")


# Async listeners ------------------------------------------------------------------------------------------------------


@each_dialect
async def test_an_async_listener_cannot_miss_the_first_message(dialect: Any) -> None:
    """Rule 15: it reaches its first checkpoint before the first message is delivered."""
    async with open_world(dialect=dialect) as world:
        witness = Witness()
        read: list[Any] = []

        async def listen(port: Port) -> None:
            witness.watch(port)
            await trio.lowlevel.checkpoint()

        async def read_on(port: Port) -> None:
            read.extend([message async for message in port])

        for listener in (listen, read_on):
            world.background.runtime.on_connect.add_listener(listener)
            port = world.page.runtime.connect()
            port.post_message(1)
            port.post_message(2)
            port.disconnect()
            await settle()
            world.background.runtime.on_connect.remove_listener(listener)
        assert witness.seen == [1, 2, "end"]
        assert read == [1, 2]


@each_dialect
async def test_an_async_listener_is_a_task_of_its_context(dialect: Any) -> None:
    """Cancelled when the context closes, and never before."""
    async with open_world(dialect=dialect) as world:
        ended: list[str] = []

        @world.background.runtime.on_connect.add_listener
        async def listen(port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(port.statistics().state)

        port = world.page.runtime.connect()
        await settle()
        port.disconnect()
        await settle()
        assert ended == []
        async with world.background:
            pass
        assert ended == ["ended"]


@each_dialect
async def test_an_async_listener_of_a_context_that_has_gone(dialect: Any) -> None:
    """An earlier listener closes the context: the coroutine never runs, and says nothing about that."""
    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(lambda port: world.background.close())

        @world.background.runtime.on_connect.add_listener
        async def listen(port: Port) -> None:
            raise AssertionError

        world.page.runtime.connect()
        await settle()


class Later:
    """Something to be awaited that is no coroutine."""

    def __await__(self) -> Any:
        raise AssertionError


@pytest.mark.parametrize("kind", ["coroutine", "awaitable"])
async def test_a_listener_that_closes_its_context_and_would_go_on(kind: str) -> None:
    """What it returns to be awaited never runs."""
    async with open_world() as world:

        async def go_on() -> None:
            raise AssertionError

        @world.background.runtime.on_connect.add_listener
        def listen(port: Port) -> object:
            world.background.close()
            return go_on() if kind == "coroutine" else Later()

        port = world.page.runtime.connect()
        await port.wait_disconnected()
        assert port.error is None


# Sender ---------------------------------------------------------------------------------------------------------------


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


# Several receivers ----------------------------------------------------------------------------------------------------


async def open_three(world: World, **options: Any) -> tuple[Port, list[Port]]:
    """Connect from the page to three others, which listen; return the opener's port and theirs."""
    contexts = [world.background, world.extension.open_page("a.html"), world.extension.open_page("b.html")]
    ports: dict[Context, Port] = {}
    for context in contexts:
        context.runtime.on_connect.add_listener(lambda port, context=context: ports.setdefault(context, port))
    opener = world.page.runtime.connect(**options)
    await settle()
    return opener, [ports[context] for context in contexts]


@each_dialect
async def test_the_opener_reaches_all_and_receivers_reach_the_opener(dialect: Any) -> None:
    """Rule 11: receivers never hear each other; each has a copy of its own."""
    async with open_world(dialect=dialect) as world:
        opener, receivers = await open_three(world)
        witnesses = [Witness(port) for port in receivers]
        own = Witness(opener)
        opener.post_message({"n": 1})
        for number, receiver in enumerate(receivers):
            receiver.post_message(number)
        await settle()
        assert [witness.seen for witness in witnesses] == [[{"n": 1}]] * 3
        assert len({id(witness.seen[0]) for witness in witnesses}) == 3
        assert sorted(own.seen) == [0, 1, 2]


@each_dialect
async def test_the_opener_goes_and_every_receiver_is_told(dialect: Any) -> None:
    """Rule 27, after what was posted; another connection of the same contexts is not touched."""
    async with open_world(dialect=dialect) as world:
        opener, receivers = await open_three(world)
        witnesses = [Witness(port) for port in receivers]
        another = world.page.runtime.connect()
        opener.post_message(1)
        opener.disconnect()
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, "end"]] * 3
        assert another.statistics().state == "open"


@each_dialect
async def test_one_receiver_disconnects(dialect: Any) -> None:
    """Rule 26: trio leaves the others alone, Firefox ends all, Chromium ends the opener and leaves the others mute."""
    async with open_world(dialect=dialect) as world:
        opener, (leaving, *staying) = await open_three(world)
        own, left = Witness(opener), Witness(leaving)
        witnesses = [Witness(port) for port in staying]
        leaving.post_message("last words")
        leaving.disconnect()
        await settle()
        assert left.seen == []
        told = {"trio": [[]] * 2, "firefox": [["end"]] * 2, "chrome": [[]] * 2}[dialect]
        assert [witness.seen for witness in witnesses] == told
        assert own.seen == (["last words"] if dialect == "trio" else ["last words", "end"])
        if dialect == "trio":
            opener.post_message(1)
            staying[0].post_message(2)
            await settle()
            assert ([witness.seen for witness in witnesses], own.seen[1:]) == ([[1]] * 2, [2])
            staying[0].disconnect()
            await settle()
            assert own.seen[2:] == []
            staying[1].disconnect()
            await settle()
            assert own.seen[2:] == ["end"]
        elif dialect == "chrome":
            for port in staying:
                port.post_message("swallowed")
                with assert_checkpoints():
                    await port.send("swallowed")
                assert port.statistics().state == "open"
            with pytest.raises(trio.BrokenResourceError):
                opener.post_message(1)
            assert own.seen == ["last words", "end"]
        assert opener.error is None


@each_dialect
async def test_one_receivers_context_closes(dialect: Any) -> None:
    """Rule 26: in trio and Chromium it is just gone; Firefox ends all."""
    async with open_world(dialect=dialect) as world:
        opener, (_, *staying) = await open_three(world)
        own = Witness(opener)
        witnesses = [Witness(port) for port in staying]
        world.background.close()
        await settle()
        if dialect == "firefox":
            assert (own.seen, [witness.seen for witness in witnesses]) == (["end"], [["end"]] * 2)
            return
        opener.post_message(1)
        await settle()
        assert (own.seen, [witness.seen for witness in witnesses]) == ([], [[1]] * 2)
        for context in tuple(world.extension._entry.contexts):
            if context.face is not world.page:
                context.face.close()
        await settle()
        assert own.seen == ["end"]


async def test_fan_out_is_to_all_or_to_none() -> None:
    """Rule 17: one full receiver that listened once holds the others' messages back too."""
    async with open_world(max_buffer_size=2) as world:
        opener, receivers = await open_three(world)
        witnesses = [Witness(port) for port in receivers[:2]]
        with trio.move_on_after(0):
            await receivers[2].receive()
        opener.post_message(1)
        opener.post_message(2)
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, 2]] * 2
        with pytest.raises(trio.WouldBlock):
            opener.post_message(3)
        await settle()
        assert [witness.seen for witness in witnesses] == [[1, 2]] * 2
        assert opener.statistics().messages_unsent == 2
        assert await receivers[2].receive() == 1
        await opener.send(3)
        assert [await receivers[2].receive() for _ in range(2)] == [2, 3]
        assert [witness.seen for witness in witnesses] == [[1, 2, 3]] * 2


@pytest.mark.parametrize("leaving", ["disconnect", "close"])
async def test_a_full_receiver_that_leaves_makes_room(leaving: str) -> None:
    """Whoever waits for it is served at once."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        opener, receivers = await open_three(world)
        Witness(*receivers[1:])
        with trio.move_on_after(0):
            await receivers[0].receive()
        opener.post_message(1)
        nursery.start_soon(opener.send, 2)
        await settle()
        assert opener.statistics().tasks_waiting_send == 1
        if leaving == "disconnect":
            receivers[0].disconnect()
        else:
            world.background.close()
        await settle()
        assert opener.statistics().tasks_waiting_send == 0


async def test_a_receiver_that_never_listened_is_ended_as_unread() -> None:
    """Rule 17: it keeps what fits, can still be read, and stops nobody."""
    async with open_world(max_buffer_size=2) as world:
        opener, receivers = await open_three(world)
        witness = Witness(receivers[0])
        silent = Witness()
        receivers[1].on_disconnect.add_listener(silent.see_end)
        for number in range(5):
            opener.post_message(number)
            await settle()
        assert witness.seen == [0, 1, 2, 3, 4]
        assert silent.seen == ["end"]
        for port in receivers[1:]:
            assert port.error is not None
            assert port.error.cause is Cause.UNREAD
            assert [await port.receive() for _ in range(2)] == [0, 1]
            with pytest.raises(trio.BrokenResourceError):
                await port.receive()
        assert opener.statistics().state == "open"


async def test_nobody_of_several_ever_listened() -> None:
    """Rule 17: all are ended as unread, and with the last of them the connection, for the same cause."""
    async with open_world(max_buffer_size=1) as world:
        opener, receivers = await open_three(world)
        opener.post_message(1)
        opener.post_message(2)
        await settle()
        assert {port.statistics().state for port in receivers} == {"ended"}
        assert opener.error is not None
        assert (opener.error.cause, str(opener.error)) == (Cause.UNREAD, "Nobody read there, and the queues were full.")


@pytest.mark.parametrize("end", ["opener", "receiver"])
async def test_several_receivers_wait_for_the_opener(end: str) -> None:
    """Who waits is served in order over all receivers; when either side goes, all are told."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        opener, receivers = await open_three(world)
        errors: list[type[BaseException]] = []

        async def send(port: Port, message: Any) -> None:
            try:
                await port.send(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                errors.append(type(error))

        for number, port in enumerate(receivers):
            nursery.start_soon(send, port, number)
            await settle()
        assert [port.statistics().tasks_waiting_send for port in receivers] == [0, 1, 1]
        if end == "opener":
            opener.disconnect()
            await settle()
            assert errors == [trio.BrokenResourceError] * 2
        else:
            receivers[1].disconnect()
            await settle()
            assert errors == [trio.ClosedResourceError]
            assert [await opener.receive() for _ in range(2)] == [0, 2]


async def test_an_excess_is_queued_when_another_receiver_leaves() -> None:
    """A listener that stands behind another receiver's sender goes on when that one leaves."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        opener, receivers = await open_three(world)
        seen: list[Any] = []

        @receivers[1].on_message.add_listener
        def echo(message: Any, port: Port) -> None:
            seen.append(message)
            if message == "twice":
                port.post_message(1)
                port.post_message(2)

        Witness(receivers[0], receivers[2])
        receivers[0].post_message(0)

        async def send() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await receivers[0].send("never")

        nursery.start_soon(send)
        await settle()
        opener.post_message("twice")
        await settle()
        assert [await opener.receive() for _ in range(2)] == [0, 1]
        opener.post_message("next")
        await settle()
        assert seen == ["twice"]
        receivers[0].disconnect()
        await settle()
        assert seen == ["twice", "next"]


# Serving --------------------------------------------------------------------------------------------------------------


@each_dialect
async def test_serve_runs_a_task_for_every_connection(dialect: Any) -> None:
    """nursery.start returns once connections are heard; the port is disconnected when the handler returns."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:

        async def handler(port: Port) -> None:
            async for message in port:
                if message == "bye":
                    return
                await port.send([port.name, message])

        with assert_checkpoints():
            await nursery.start(world.background.runtime.serve, handler)
        ports = [world.page.runtime.connect(name=name) for name in ("a", "b")]
        witnesses = [Witness(port) for port in ports]
        for port in ports:
            port.post_message(1)
        await settle()
        ports[0].post_message("bye")
        await settle()
        assert [witness.seen for witness in witnesses] == [[["a", 1], "end"], [["b", 1]]]
        assert len(world.background.runtime.on_connect.listeners) == 1
        nursery.cancel_scope.cancel()
    assert len(world.background.runtime.on_connect.listeners) == 0
    assert ports[1].error is None


@each_dialect
async def test_serve_others(dialect: Any) -> None:
    """external=True serves other extensions, and nobody of one's own."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:
        served: list[Any] = []

        async def handler(port: Port) -> None:
            served.append(port.sender and port.sender.id)

        async def start(*, task_status: trio.TaskStatus[None]) -> None:
            await world.background.runtime.serve(handler, external=True, task_status=task_status)

        await nursery.start(start)
        world.page.runtime.connect()
        world.browser.install("friend").open_page().runtime.connect("notes@example.org")
        await settle()
        assert served == ["friend"]
        nursery.cancel_scope.cancel()


@each_dialect
async def test_a_handler_that_fails_leaves_through_serve(dialect: Any) -> None:
    """Its port has crashed; the other handlers are cancelled, in good order."""
    async with open_world(dialect=dialect) as world:

        async def handler(port: Port) -> None:
            if await port.receive() == "fail":
                raise ScriptedError("secret")

        with pytest.RaisesGroup(pytest.RaisesGroup(ScriptedError)):
            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, handler)
                good, bad = world.page.runtime.connect(), world.page.runtime.connect()
                bad.post_message("fail")
                await trio.sleep_forever()
        await settle()
        assert (good.statistics().state, good.error) == ("ended", None)
        if dialect == "trio":
            assert bad.error is not None
            assert bad.error.cause is Cause.CRASHED
        else:
            assert bad.error is None


@each_dialect
async def test_serve_ends_with_its_context(dialect: Any) -> None:
    """It returns; the handlers have been cancelled."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:
        ended: list[str] = []

        async def handler(port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append("handler")

        await nursery.start(world.background.runtime.serve, handler)
        port = world.page.runtime.connect()
        await settle()
        world.background.close()
        await settle()
        assert ended == ["handler"]
        assert not nursery.child_tasks
        assert (port.statistics().state, port.error) == ("ended", None)


async def test_serve_cancelled_between_a_connection_and_its_handler() -> None:
    """The port is not left behind."""
    async with open_world() as world, trio.open_nursery() as nursery:

        async def handler(port: Port) -> None:
            raise AssertionError

        await nursery.start(world.background.runtime.serve, handler)
        port = world.page.runtime.connect()
        world.background.runtime.on_connect.add_listener(lambda port: nursery.cancel_scope.cancel())
        await trio.sleep_forever()
    assert port.statistics().state == "ended"
    assert port.error is None


async def test_a_handler_that_finds_its_port_closed_before_its_cancellation() -> None:
    """It was woken in the tick in which its context closed: that is no failure of it. Its own disconnect is."""
    for own in (False, True):
        async with open_world() as world:
            going_on = trio.Event()

            async def handler(port: Port, own: bool = own, going_on: trio.Event = going_on) -> None:
                await going_on.wait()
                if own:
                    port.disconnect()
                port.post_message("answer")

            async def serve(world: World = world, going_on: trio.Event = going_on, own: bool = own) -> None:
                async with trio.open_nursery() as nursery:
                    await nursery.start(world.background.runtime.serve, handler)
                    world.page.runtime.connect()
                    await settle()
                    going_on.set()
                    if not own:
                        world.background.close()

            if own:
                with pytest.RaisesGroup(pytest.RaisesGroup(trio.ClosedResourceError)):
                    await serve()
            else:
                await serve()


async def test_serve_typed() -> None:
    """message_type is for what arrives at the handler's port; another shape is the reader's error."""

    class Move(msgspec.Struct):
        n: int

    async with open_world() as world, trio.open_nursery() as nursery:
        moves: list[Any] = []

        async def handler(port: Port) -> None:
            moves.extend([message async for message in port])

        async def start(*, task_status: trio.TaskStatus[None]) -> None:
            await world.background.runtime.serve(handler, message_type=Move, task_status=task_status)

        await nursery.start(start)
        port = world.page.runtime.connect(message_type=int)
        port.post_message(Move(1))
        port.disconnect()
        await settle()
        assert moves == [Move(1)]
        nursery.cancel_scope.cancel()


async def test_connect_typed() -> None:
    """message_type is for what arrives at the opener."""
    async with open_world() as world:
        opener, receiver = await world.connect(message_type=int)
        receiver.post_message(1)
        assert await opener.receive() == 1


# Bad input ------------------------------------------------------------------------------------------------------------


BAD_CONNECTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"extension_id": 1}, TypeError, "extension_id must be str or None"),
    ({"extension_id": ""}, ValueError, "extension_id must not be empty"),
    ({"name": None}, TypeError, "name must be str"),
    ({"message_type": 1}, TypeError, "message_type must be a type"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), BAD_CONNECTS)
async def test_bad_arguments_of_connect(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """They raise at the call, and nobody hears of a connection."""
    observed: list[Any] = []
    async with open_world(observer=observed.append) as world:
        world.listen()
        with pytest.raises(error, match=text):
            world.page.runtime.connect(**arguments)
        await settle()
        assert (world.ports, observed) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"tab_id": "1"}, "tab_id must be int"),
        ({"tab_id": 1, "name": 1}, "name must be str"),
        ({"tab_id": 1, "frame_id": "0"}, "frame_id must be int or None"),
        ({"tab_id": 1, "document_id": 1}, "document_id must be str or None"),
        ({"tab_id": 1, "message_type": 1}, "message_type must be a type"),
    ],
)
async def test_bad_arguments_of_tabs_connect(arguments: dict[str, Any], text: str) -> None:
    """The same for tabs.connect."""
    async with open_world() as world:
        with pytest.raises(TypeError, match=text):
            world.page.tabs.connect(**arguments)


async def test_one_task_serves_an_event_of_a_context() -> None:
    """A second one is refused while the first one runs; the other event is another matter."""
    async with open_world() as world, trio.open_nursery() as nursery:

        async def handler(port: Port) -> None:
            raise AssertionError

        async def serve_others(*, task_status: trio.TaskStatus[None]) -> None:
            await world.background.runtime.serve(handler, external=True, task_status=task_status)

        await nursery.start(world.background.runtime.serve, handler)
        with pytest.raises(trio.BusyResourceError, match="another task serves"):
            await world.background.runtime.serve(handler)
        await nursery.start(serve_others)
        nursery.cancel_scope.cancel()
    async with open_world() as world:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, handler)
                nursery.cancel_scope.cancel()


async def test_bad_arguments_of_serve() -> None:
    """Neither a handler that cannot be called nor a type that cannot be decoded into."""
    async with open_world() as world:
        with pytest.raises(TypeError, match="handler must be an async function"):
            await world.background.runtime.serve(None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"handler is called with \(port\), but .* takes \(\)"):
            await world.background.runtime.serve(lambda: None)  # type: ignore[arg-type,misc]
        with pytest.raises(TypeError, match="external must be True or False, not 'no'"):
            await world.background.runtime.serve(trio.sleep, external="no")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="message_type must be a type"):
            await world.background.runtime.serve(trio.sleep, message_type=1)  # type: ignore[arg-type]
        assert not world.background.runtime.on_connect.listeners


async def test_a_handler_that_is_no_async_function() -> None:
    """It is called, and what it returns is not what it should be: a crash of its port that says so."""
    async with open_world() as world:
        expected = pytest.RaisesExc(TypeError, match=r"handler must be an async function: .* returned 1")
        with pytest.RaisesGroup(expected, flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, lambda port: 1)  # type: ignore[arg-type]
                port = world.page.runtime.connect()
                await settle()
        assert port.error is not None
        assert port.error.cause is Cause.CRASHED


@each_dialect
async def test_a_closed_context_opens_nothing(dialect: Any) -> None:
    """Use after close is ClosedResourceError, for everything that opens or serves."""
    async with open_world(dialect=dialect) as world:
        runtime, tabs = world.page.runtime, world.page.tabs
        world.page.close()
        for call in (runtime.connect, lambda: tabs.connect(1), lambda: runtime.connect_native("ping_pong")):
            with pytest.raises(trio.ClosedResourceError, match="is closed"):
                call()
        with pytest.raises(trio.ClosedResourceError):
            await runtime.serve(trio.sleep)  # type: ignore[arg-type]


async def test_what_a_context_lacks() -> None:
    """A content script has no tabs; a web page is connected to by nobody and must say whom it means."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        script, web = world.extension.inject(tab), tab.web_page_script()
        for context, what in ((script, "content script"), (web, "web page")):
            with pytest.raises(LocalProtocolError, match=f"a {what} has no tabs"):
                _ = context.tabs
            with pytest.raises(LocalProtocolError, match=f"a {what} has no runtime.on_connect_external"):
                _ = context.runtime.on_connect_external
            with pytest.raises(LocalProtocolError, match=f"a {what} has no runtime.connect_native"):
                context.runtime.connect_native("ping_pong")
        with pytest.raises(LocalProtocolError, match=r"a web page has no runtime\.on_connect"):
            _ = web.runtime.on_connect
        with pytest.raises(LocalProtocolError, match="a web page belongs to no extension"):
            web.runtime.connect()
        with pytest.raises(LocalProtocolError, match=r"has no runtime\.on_connect"):
            await web.runtime.serve(trio.sleep)  # type: ignore[arg-type]


async def test_from_another_thread() -> None:
    """Every opener says that it must be called inside Trio."""
    async with open_world() as world:
        world.listen()
        runtime, event = world.page.runtime, world.background.runtime.on_connect
        await refuse_elsewhere(
            runtime.connect,
            lambda: world.page.tabs.connect(1),
            lambda: event.add_listener(print),
            lambda: event.remove_listener(world.ports.append),
        )
        assert event.has_listener(world.ports.append)
        await settle()
        assert world.ports == []


async def test_ids_and_reprs() -> None:
    """runtime.id is the extension's, None in a web page."""
    async with open_world() as world:
        tab = world.browser.open_tab("https://example.org/")
        web = tab.web_page_script()
        assert (world.page.runtime.id, web.runtime.id) == ("notes@example.org", None)
        assert repr(world.page.runtime) == f"<runtime of {world.page!r}>"
        assert repr(world.page.tabs) == f"<tabs of {world.page!r}>"
        assert repr(world.background).startswith("<Context background of notes@example.org 'extension://")
        assert repr(web) == f"<Context web_page in frame 0 of tab {tab.id} 'https://example.org/'>"
        world.page.close()
        assert repr(world.page).endswith("(closed)>")


async def test_an_observer_sees_every_port() -> None:
    """One function for the whole browser."""
    observed: list[Any] = []
    async with open_world(observer=observed.append) as world:
        opener, receiver = await world.connect()
        opener.post_message(1)
        assert await receiver.receive() == 1
    kinds = [type(observation).__name__ for observation in observed]
    assert kinds == ["Opened", "Opened", "Posted", "Delivered", "Disconnected", "Disconnected"]
    delivered = next(observation for observation in observed if isinstance(observation, Delivered))
    assert (delivered.port, delivered.frame) == (receiver, b"1")
