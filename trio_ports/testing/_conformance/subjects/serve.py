"""Be a subject: let another process check the ports of this one, over standard input and output."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, redirect_stdout
from typing import Any, BinaryIO, Final, Literal

import trio

from ..options import DialectName, Limits, ListenerErrors
from ..players.ends import Maker, PortPlayer, open_ends, open_port_player
from ..players.notation import cause_of
from .protocol import (
    BASIC_ACTIONS,
    BASIC_STEPS,
    COMMAND_DECODER,
    ENCODER,
    PROTOCOL,
    Called,
    CallState,
    Hello,
    PortState,
    Report,
    Result,
    Results,
    State,
)

MOVES: Final = ("turn", "start", "cancel", "release")
BLOCKS: Final = ("enter", "leave")
CALLS: Final = ("send", "receive", "__anext__", "wait_disconnected", "then")
LISTENERS: Final = ("function", "method", "awaitable", "partial", "object")
VALUES: Final = ("long", "NaN", "Infinity", "cycle", "function", "bytes")


def serve_subject(
    maker: Maker,
    *,
    name: str = "ports",
    version: str = "",
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    back_pressure: bool = True,
    reports_crashes: bool | None = None,
    supports_async_with: bool = True,
    listener_errors: ListenerErrors | None = None,
    over_a_wire: bool = False,
) -> None:
    """Be a subject of ``trio-ports check-ports`` until standard input ends.

    Call it outside Trio, as the last thing that a program does. What the program prints goes to standard error.

    Args:
        maker: opens a connection, as for `check_port`, which describes the other arguments too.
        name: what the report calls the subject.
        version: its version, for the report.
        dialect: whose rules the ports obey.
        limits: of the connections that ``maker`` opens.
        back_pressure: posting beyond the bound raises.
        reports_crashes: an end has an error if the other end's owner failed.
        supports_async_with: an end can be entered with ``async with``.
        listener_errors: what becomes of a listener's exception.
        over_a_wire: the messages are carried as bytes.
    """
    hello = Hello(
        PROTOCOL,
        name,
        version,
        dialect,
        receivers=trio.run(_count_receivers, maker),
        moves=(*MOVES, *(BLOCKS if supports_async_with else ())),
        steps=(*BASIC_STEPS, *BASIC_ACTIONS, "hold"),
        calls=CALLS,
        listeners=LISTENERS,
        values=VALUES,
        over_a_wire=over_a_wire,
        back_pressure=back_pressure,
        reports_crashes=reports_crashes,
        listener_errors=listener_errors,
        max_buffer_size=_limit(limits.max_buffer_size),
        max_message_bytes=_limit(limits.max_message_bytes),
    )
    output = sys.stdout.buffer
    with redirect_stdout(sys.stderr):
        trio.run(_serve, maker, hello, output)


async def _count_receivers(maker: Maker) -> int:
    async with open_ends(maker) as ends:
        return len(ends) - 1


def _limit(limit: float | None) -> int | Literal["none"] | None:
    return "none" if limit == math.inf else None if limit is None else int(limit)


async def _serve(maker: Maker, hello: Hello, output: BinaryIO) -> None:
    write(output, hello)
    async with AsyncExitStack() as stack:
        history: _History | None = None
        async for line in trio.wrap_file(sys.stdin.buffer):
            command: Mapping[str, Any] = COMMAND_DECODER.decode_any(line)
            if "begin" in command:
                await stack.aclose()
                history = _History(await stack.enter_async_context(open_port_player(maker)), output)
            assert history is not None, "a history begins with a command to begin"
            await history.carry_out(command)


class _History:
    """One history that is played here, and how much of it was reported."""

    def __init__(self, player: PortPlayer, output: BinaryIO) -> None:
        self._player = player
        self._output = output
        self._reported = dict.fromkeys(player.contexts, 0)
        self._entered: set[tuple[str, str]] = set()
        """The ports in whose blocks a task is, or was until the block ended by itself."""

    async def carry_out(self, command: Mapping[str, Any]) -> None:
        """Carry out a command, and write what came of it."""
        player, move = self._player, command.get("move")
        before = len(player.results)
        if move is None:
            await player.settle()
        else:
            await player.play(move)
            if move["move"] in BLOCKS:
                self._entered ^= {(move["at"], move["port"])}
        for name, actor in player.contexts.items():
            for record in actor.log[self._reported[name] :]:
                write(self._output, Called(record, name))
            self._reported[name] = len(actor.log)
        left = move is not None and move["move"] == "leave"
        results = tuple(_note(result, left=left) for result in player.results[before:])
        write(self._output, Results(command["id"], results, self._describe()))

    def _describe(self) -> State:
        ports = {
            name: {
                label: PortState(
                    port.name,
                    None if port.sender is None else type(port.sender).__name__,
                    cause_of(port.error),
                    label in actor.ended_ports,
                    (name, label) in self._entered and self._player.has_left(name, label),
                )
                for label, port in actor.ports.items()
            }
            for name, actor in self._player.contexts.items()
        }
        calls = {
            name: CallState(call.outcome, call.message, call.cause, [*call.then_results])
            for name, call in self._player.calls.items()
        }
        return State(ports, calls)


def write(output: BinaryIO, report: Report) -> None:
    """Write one value as a line, at once."""
    output.write(ENCODER.encode(report) + b"\n")
    output.flush()


def _note(result: Any, *, left: bool) -> Result:
    if result == "ok":
        return Result()
    return Result(error=result) if isinstance(result, str) and not left else Result(result)
