"""Several receivers of one connection. Rules 17 and 26."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import trio
from support import Witness, open_world, settle

from trio_ports import Cause, Port, PortError


async def open_to(world: Any, names: str) -> tuple[Port, dict[str, Port]]:
    """Connect to as many pages as there are letters, none of which listens to messages."""
    ports: dict[str, Port] = {}
    for name in names:
        runtime = world.extension.open_page(f"{name}.html").runtime
        runtime.on_connect.add_listener(lambda port, name=name: ports.__setitem__(name, port))
    opener = world.page.runtime.connect()
    await settle()
    return opener, ports


def suppressing(function: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def call(argument: Any) -> None:
        with suppress(trio.BrokenResourceError):
            await function(argument)

    return call


async def test_a_receiver_that_turns_out_not_to_listen_holds_nobody_back() -> None:
    """Rule 17: until its context was told, it counted."""
    async with open_world(max_buffer_size=1) as world:
        world.listen()
        world.extension.open_page().runtime.on_connect.add_listener(Witness().watch)
        opener = world.page.runtime.connect()
        opener.post_message(1)
        with pytest.raises(trio.WouldBlock):
            opener.post_message(2)
        await opener.send(2)


@pytest.mark.parametrize("names", ["rab", "rabl"])
@pytest.mark.parametrize("leaves", ["disconnect", "withdraw"])
async def test_a_receiver_leaves_while_senders_wait_and_others_never_read(names: str, leaves: str) -> None:
    """Those who waited send, whereupon the others are unread: all at once, and nobody is forgotten."""
    async with open_world(max_buffer_size=1) as world:
        opener, ports = await open_to(world, names)
        with trio.move_on_after(0):
            await ports["r"].receive()
        witness = Witness()
        if "l" in names:
            witness.watch(ports["l"])
        opener.post_message(0)
        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                nursery.start_soon(suppressing(opener.send), number)
                await settle()
            if leaves == "disconnect":
                ports["r"].disconnect()
            else:
                ports["r"]._end.withdraw(PortError("Nobody is here any more.", cause=Cause.NO_RECEIVER))
        await settle()
        assert ports["a"].error is not None
        assert ports["a"].error.cause is Cause.UNREAD
        assert witness.seen == ([0, 1, 2] if "l" in names else [])
        assert (opener.statistics().state == "open") == ("l" in names)
        opener.disconnect()


async def test_the_last_of_several_receivers_is_like_an_only_one() -> None:
    """Its bound holds the opener back, whether it reads or not."""
    async with open_world(max_buffer_size=1) as world:
        opener, ports = await open_to(world, "ab")
        ports["a"].disconnect()
        opener.post_message(1)
        with pytest.raises(trio.WouldBlock):
            opener.post_message(2)
        assert [await ports["b"].receive()] == [1]


@pytest.mark.parametrize("kinds", ["ss", "as", "aa"])
async def test_tasks_that_read_at_once_are_not_unread(kinds: str) -> None:
    """A handler, or an async listener, that reads before it waits for anything else holds the sender back."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        seen: list[list[Any]] = [[] for _ in kinds]

        def read_into(messages: list[Any]) -> Callable[[Port], Awaitable[None]]:
            async def read(port: Port) -> None:
                while True:
                    messages.append(await port.receive())

            return read

        for number, kind in enumerate(kinds):
            page = world.extension.open_page(f"{number}.html")
            if kind == "s":
                await nursery.start(page.runtime.serve, read_into(seen[number]))
            else:
                page.runtime.on_connect.add_listener(read_into(seen[number]))
        opener = world.page.runtime.connect()
        for number in range(5):
            await opener.send(number)
        await settle()
        assert seen == [[0, 1, 2, 3, 4]] * 2
        nursery.cancel_scope.cancel()


async def test_connections_are_announced_some_at_a_time() -> None:
    """However many come at once, others run in between."""
    turns: list[int] = []

    async with open_world() as world:
        world.listen()

        async def count() -> None:
            while len(world.ports) < 1000:
                turns.append(len(world.ports))
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            for _ in range(1000):
                world.page.runtime.connect()
    assert max(after - before for before, after in pairwise(turns)) <= 128
