"""Actors: how they log the calls of their listeners."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import trio

import trio_ports
from trio_ports.testing import moves, open_port_player


async def test_how_a_listener_is_called() -> None:
    """With too many arguments, or inside the call that caused it: that is noted."""
    listeners: list[Callable[..., object]] = []
    odd = SimpleNamespace(
        on_message=SimpleNamespace(add_listener=listeners.append),
        post_message=lambda message: listeners[0](message, odd),
        wait_disconnected=trio.sleep_forever,
        disconnect=lambda: None,
    )
    async with open_port_player(lambda nursery: trio_ports.open_port_pair(nursery)) as player:
        actor = player.contexts["opener"]
        actor.adopt(odd, "odd")
        assert actor.perform(moves.add_listener("on_message", "one", port="odd")) == "ok"
        listeners[0](1, odd, "more")
        assert actor.perform(moves.post(2, "odd")) == "ok"
        heard = {"port": "odd", "event": "on_message", "listener": "one"}
        assert actor.log == [{**heard, "message": 1, "arguments": 3}, {**heard, "message": 2, "inside": "post"}]
