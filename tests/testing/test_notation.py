"""Notation: how exceptions and errors that no rule knows are written down."""

from __future__ import annotations

from typing import Any

import trio
from testing import mutants
from testing.proxies import ProxyPort

from trio_ports import Cause, PortError
from trio_ports.testing import moves, open_port_player
from trio_ports.testing._conformance.players.notation import ScriptedError, cause_of


class Odd(ProxyPort):
    """Fails in its own ways."""

    async def send(self, message: Any) -> None:
        """Fail as no port does."""
        raise KeyError(message)

    async def __aexit__(self, *error: Any) -> None:
        """Fail as no block does."""
        await super().__aexit__(*error)
        raise LookupError("on the way out")


def test_unknown_exceptions() -> None:
    """They are noted with their type and text."""

    async def main() -> None:
        async with open_port_player(mutants.Mutant(17, "is odd", Odd).make) as player:
            await player.play(moves.start_send("sent", "opener", 1))
            assert player.calls["sent"].outcome == "KeyError: 1"
            await player.play(moves.enter("opener"))
            await player.play(moves.leave("opener", "return"))
            assert player.results[-1] == "LookupError: on the way out"

    trio.run(main)


def test_an_error_that_says_too_much() -> None:
    """Of an error its cause is noted; and its text, if that is not the rule's, or tells what somebody raised."""
    assert cause_of(PortError("whatever", cause=Cause.WIRE_BROKEN)) == "wire-broken"
    assert cause_of(PortError("nobody", cause=Cause.NO_RECEIVER)) == "no-receiver: nobody"
    secret = str(ScriptedError())
    assert cause_of(PortError(secret, cause=Cause.CRASHED)) == f"crashed: {secret}"
