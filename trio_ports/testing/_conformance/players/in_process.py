"""What the players in this process share, with the ends of one connection or with a browser; and their tasks."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, final

import trio
from trio.testing import wait_all_tasks_blocked

from ..history.moves import Move
from ..model import Glance, Witness
from .actors import Actor, Stage
from .notation import ScriptedError, cause_of, make_message, show_message, word_for
from .owner import Owner

PATIENCE_SECONDS: Final = 3.0
"""How long another process may take for what a history waits for; the log shows what came until then."""
QUIET_SECONDS: Final = 0.3
"""How long nothing may happen before what another process does counts as done."""


@final
class BlockTask:
    """A task that stays in an ``async with`` until `leave` is called."""

    def __init__(self) -> None:
        self._may_leave = trio.Event()
        self._how = ""
        self._scope = trio.CancelScope()
        self.outcome: str = ""
        """How it was left; empty as long as the task is inside."""

    async def run(self, block: Any) -> None:
        with self._scope:
            try:
                async with block:
                    await self._may_leave.wait()
                    if self._how == "crash":
                        raise ScriptedError
                    if self._how in ("group", "cancelled group", "mixed"):
                        await self._leave_nursery()
                    if self._how == "end":
                        block.disconnect()
                        block.post_message(0)
                self.outcome = "return"
            except ScriptedError:
                self.outcome = "crash"
            except trio.Cancelled:
                self.outcome = "cancel"
                raise
            except BaseExceptionGroup as errors:
                failed = errors.split(trio.Cancelled)[1]
                if failed is None:
                    self.outcome = "cancel"
                    raise
                self.outcome = repr(errors) if failed.split(ScriptedError)[1] else "raised"
            except BaseException as error:  # noqa: BLE001 - It becomes the outcome.
                self.outcome = word_for(error)

    async def _leave_nursery(self) -> None:
        """Leave the block by what leaves a nursery in it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                if self._how != "group":
                    self._scope.cancel()
                    await trio.lowlevel.checkpoint()
            finally:
                if self._how != "cancelled group":
                    raise ScriptedError

    def leave(self, how: str) -> None:
        self._how = how
        if how == "cancel":
            self._scope.cancel()
        else:
            self._may_leave.set()


@final
class CallTask:
    """A task that makes a call, and what came of it."""

    def __init__(self, then: Callable[[], list[Any]]) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        self._then = then
        self.then_results: list[Any] = []
        self.outcome: str = "blocked"
        self.message: Any = None
        self.cause: str | None = None
        """The cause of the error that a BrokenResourceError was raised from."""

    async def run(self, function: Callable[[], Awaitable[Any]]) -> None:
        with self.scope:
            try:
                self.message = show_message(await function())
                self.outcome = "ok"
                self.then_results = self._then()
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - It becomes the outcome.
                self.outcome, self.cause = word_for(error), cause_of(error.__cause__)
        if self.scope.cancelled_caught:
            self.outcome = "cancelled"


class InProcessPlayer(Stage):
    """A player whose ports are objects of this process; see `open_port_player` for ``outside_trio``."""

    def __init__(self, nursery: trio.Nursery, owner: Owner, *, outside_trio: bool = False) -> None:
        super().__init__(nursery)
        self._owner = owner
        self.owns_nursery = False
        """The ends belong to a nursery, and not to something else that ends with the maker."""
        self.outside_trio = outside_trio
        self.contexts: dict[str, Actor] = {}
        self.calls: dict[str, CallTask] = {}
        self.results: list[Any] = []
        self.glances: list[Glance] = []
        """What had happened at each ``pass`` of the last race."""
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

    async def _play_race(self, move: Move) -> None:
        self.glances = []
        for step in move["steps"]:
            at = step.get("at", move["at"])
            if step["do"] == "pass":
                for _ in range(step["turns"]):
                    await trio.lowlevel.cancel_shielded_checkpoint()
                self.glances.append(self._glance())
            elif step["do"] == "start":
                self._play_start({**step, "at": at})
            elif step["do"] == "cancel":
                self._play_cancel(step)
            else:
                self.results.append(self.contexts[at].perform(step))

    def _glance(self) -> Glance:
        records = Counter((name, record["port"]) for name, actor in self.contexts.items() for record in actor.log)
        return Glance(records, self._outcomes())

    def _outcomes(self) -> dict[str, str]:
        return {name: call.outcome for name, call in self.calls.items()}

    @property
    def witness(self) -> Witness:
        """What came of the last move, for the model."""
        return Witness(self.results, self.glances, self._outcomes())

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

    def _play_start(self, move: Move) -> None:
        actor = self.contexts[move["at"]]
        port = actor.ports[move["port"]]
        then = move.get("then", [])
        call = self.calls[move["as"]] = CallTask(lambda: [actor.perform(step) for step in then])
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

    async def _play_finish(self, move: Move) -> None:
        for actor in self.contexts.values() if move["how"] == "return" else ():
            actor.release_all()
        await self._owner.finish(cancelled=move["how"] == "cancel")

    def has_left(self, at: str, port: str) -> bool:
        """Return whether a block was left by itself, and not by a move."""
        return bool(self._blocks[at, port].outcome)

    async def _play_leave(self, move: Move) -> None:
        block = self._blocks.pop((move["at"], move["port"]))
        block.leave(move["how"])
        await self.settle()
        self.results.append(block.outcome)
