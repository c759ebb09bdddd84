"""Connecting: when it is announced, and what happens if somebody leaves before that. Rules 1, 5, 7, 20 and 32."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import Witness, each_dialect, open_world, settle

from trio_ports import Cause, Port


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
async def test_connects_are_told_in_their_order(dialect: Any) -> None:
    """A context hears of connections in the order in which they were opened."""
    async with open_world(dialect=dialect) as world:
        names: list[str] = []
        world.background.runtime.on_connect.add_listener(lambda port: names.append(port.name))
        for number in range(20):
            world.page.runtime.connect(name=str(number))
        await settle()
        assert names == [str(number) for number in range(20)]


async def test_connect_typed() -> None:
    """message_type is for what arrives at the opener."""
    async with open_world() as world:
        opener, receiver = await world.connect(message_type=int)
        receiver.post_message(1)
        assert await opener.receive() == 1


# Leaving at once ------------------------------------------------------------------------------------------------------


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
async def test_a_receiver_that_disconnects_at_once(dialect: Any) -> None:
    """Rule 7: the opener's on_disconnect fires without error."""
    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(lambda port: port.disconnect())
        port = world.page.runtime.connect()
        witness = Witness(port)
        port.post_message("gone")
        await settle()
        assert (witness.seen, port.error) == (["end"], None)


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
