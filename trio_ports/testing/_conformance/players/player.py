"""Players: they do with real ports what a history says, and note what comes of it.

`EndsPlayer` has the ends of one connection, `WorldPlayer` a browser. Players in real browsers note the same things, and
are tested with the same histories.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, final

import trio
from trio.testing import wait_all_tasks_blocked

from ...._protocol.errors import MessageTooLargeError
from ..history.moves import Move
from .actors import Actor
from .ends import Maker, open_ends
from .notation import make_message
from .tasks import Block, CallTask


class Player:
    """Plays histories; what the two kinds of players share."""

    def __init__(self, nursery: trio.Nursery, *, remote: bool = False) -> None:
        self.nursery = nursery
        self.remote = remote
        self.contexts: dict[str, Actor] = {}
        self.calls: dict[str, CallTask] = {}
        self.results: list[Any] = []
        self.largest_message: float | None = None
        """The largest message that may be posted, as far as a refusal has told."""
        self.inside = ""
        """The sync call that is running now."""
        self._blocks: dict[tuple[str, str | None], Block] = {}
        self._change = trio.Event()

    async def play(self, move: Move) -> None:
        """Do what a move says, and let everything happen that follows from it."""
        outcome: Any = getattr(self, f"_play_{move['move']}")(move)
        if inspect.isawaitable(outcome):
            await outcome
        await self.settle()

    async def settle(self) -> None:
        """Wait until every task waits."""
        await wait_all_tasks_blocked()

    def note_limit(self, error: Exception) -> None:
        """Remember the limit, if this is what refuses a message that is too large."""
        if isinstance(error, MessageTooLargeError):
            self.largest_message = error.limit

    def changed(self) -> None:
        """Wake who waits for something to happen."""
        self._change.set()
        self._change = trio.Event()

    async def wait_changed(self) -> None:
        """Wait for the next thing that is noted."""
        await self._change.wait()

    def _play_turn(self, move: Move) -> None:
        for step in move["steps"]:
            self.results.append(self.contexts[step.get("at", move["at"])].perform(step))

    async def _play_start(self, move: Move) -> None:
        port = self.contexts[move["at"]].ports[move["port"]]
        call = self.calls[move["as"]] = CallTask()
        arguments = (make_message(move["message"]),) if move["call"] == "send" else ()
        function = getattr(port, move["call"], None) or port.receive  # Not everything that is a port has __anext__.
        self.nursery.start_soon(self._run_call, call, lambda: function(*arguments))

    async def _run_call(self, call: CallTask, function: Callable[[], Awaitable[Any]]) -> None:
        await call.run(function)
        self.changed()

    def _play_cancel(self, move: Move) -> None:
        self.calls[move["call"]].scope.cancel()

    def _play_release(self, move: Move) -> None:
        self.contexts[move["at"]].release(move["port"])

    def _play_enter(self, move: Move) -> None:
        actor = self.contexts[move["at"]]
        block = self._blocks[move["at"], move["port"]] = Block()
        self.nursery.start_soon(block.run, actor.context if move["port"] is None else actor.ports[move["port"]])

    async def _play_leave(self, move: Move) -> None:
        block = self._blocks.pop((move["at"], move["port"]))
        block.leave(move["how"])
        await self.settle()
        self.results.append(block.outcome)

    # What a world has, and ends have not ---------------------------------------------------------------------------

    def tab_number(self, name: str) -> int:
        """Return a tab's number."""
        raise NotImplementedError

    def frame_number(self, name: str | None) -> int | None:
        """Return a frame's number."""
        raise NotImplementedError

    def document_of(self, name: str | None) -> str | None:
        """Return the document that is in a frame."""
        raise NotImplementedError

    def show_sender(self, sender: Any) -> Any:
        """Return a sender as it is noted: with the history's names for the browser's."""
        raise NotImplementedError


@final
class EndsPlayer(Player):
    """Plays with the ends of one connection."""

    def __init__(self, nursery: trio.Nursery, ends: Iterable[Any], *, remote: bool = False) -> None:
        super().__init__(nursery, remote=remote)
        for number, port in enumerate(ends):
            name = ("opener", "receiver")[number] if number < 2 else f"receiver{number}"
            actor = self.contexts[name] = Actor(self, name)
            actor.adopt(port, "p")


@asynccontextmanager
async def open_ends_player(maker: Maker, *, remote: bool = False) -> AsyncGenerator[EndsPlayer]:
    """Open a connection and a player for its ends, for a block.

    Args:
        maker: opens the connection.
        remote: something outside this Trio run carries the messages.
    """
    async with open_ends(maker) as ends, trio.open_nursery() as nursery:
        player = EndsPlayer(nursery, ends, remote=remote)
        yield player
        # So that what carries the messages waits neither for a listener nor for one end after the other.
        for actor in player.contexts.values():
            actor.let_go()
        nursery.cancel_scope.cancel()
