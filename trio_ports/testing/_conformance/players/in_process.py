"""Players in this process: what those that have the ends of one connection and those that have a browser share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio
from trio.testing import wait_all_tasks_blocked

from ..history.moves import Move
from .actors import Actor, Stage
from .notation import make_message
from .tasks import BlockTask, CallTask

PATIENCE_SECONDS: Final = 3.0
"""How long another process may take for what a history waits for; the log shows what came until then."""
QUIET_SECONDS: Final = 0.3
"""How long nothing may happen before what another process does counts as done."""


class InProcessPlayer(Stage):
    """A player whose ports are objects of this process.

    Args:
        nursery: runs what waits.
        outside_trio: something outside this Trio run carries the messages.
    """

    def __init__(self, nursery: trio.Nursery, *, outside_trio: bool = False) -> None:
        super().__init__(nursery)
        self.outside_trio = outside_trio
        self.contexts: dict[str, Actor] = {}
        self.calls: dict[str, CallTask] = {}
        self.results: list[Any] = []
        self._blocks: dict[tuple[str, str | None], BlockTask] = {}

    async def play(self, move: Move) -> None:
        """Carry out a move, and return when every task waits."""
        outcome: Any = getattr(self, f"_play_{move['move']}")(move)
        if inspect.isawaitable(outcome):
            await outcome
        await self.settle()

    async def settle(self) -> None:
        """Wait until every task waits."""
        await wait_all_tasks_blocked()

    def _play_turn(self, move: Move) -> None:
        for step in move["steps"]:
            self.results.append(self.contexts[step.get("at", move["at"])].perform(step))

    async def _play_wait(self, move: Move) -> None:
        log = self.contexts[move["at"]].log
        with trio.move_on_after(PATIENCE_SECONDS):
            while sum(record["port"] == move["port"] for record in log) < move["events"]:
                await self.wait_changed()
        is_quiet = False
        while not is_quiet:
            await self.settle()
            with trio.move_on_after(QUIET_SECONDS) as quiet:
                await self.wait_changed()
            is_quiet = quiet.cancelled_caught

    async def _play_start(self, move: Move) -> None:
        port = self.contexts[move["at"]].ports[move["port"]]
        call = self.calls[move["as"]] = CallTask()
        arguments = (make_message(move["message"]),) if move["call"] == "send" else ()
        function = getattr(port, move["call"], None) or port.receive  # A port need not have __anext__.
        self.nursery.start_soon(self._run_call, call, lambda: function(*arguments))

    async def _run_call(self, call: CallTask, function: Callable[[], Awaitable[Any]]) -> None:
        await call.run(function)
        self.note_change()

    def _play_cancel(self, move: Move) -> None:
        self.calls[move["call"]].scope.cancel()

    def _play_release(self, move: Move) -> None:
        self.contexts[move["at"]].release(move["port"])

    def _play_enter(self, move: Move) -> None:
        actor = self.contexts[move["at"]]
        block = self._blocks[move["at"], move["port"]] = BlockTask()
        self.nursery.start_soon(block.run, actor.context if move["port"] is None else actor.ports[move["port"]])

    async def _play_leave(self, move: Move) -> None:
        block = self._blocks.pop((move["at"], move["port"]))
        block.leave(move["how"])
        await self.settle()
        self.results.append(block.outcome)
