"""A player whose ports are those of a subject, in another process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, final

import attrs
import msgspec

from ..history.moves import Move
from ..model.playing import Witness
from ..players.player import Record, SubjectError
from .process import SubjectProcess
from .protocol import Called, CallState, PortState, Result, State, whole

NO_CONNECTION: Final = "it opened no connection"


@final
@attrs.define(eq=False)
class RemoteContext:
    """The owner of an end, as the subject describes it."""

    name: str
    context: None = None
    log: list[Record] = attrs.field(factory=list[Record], init=False)
    ports: dict[str, PortState] = attrs.field(factory=dict[str, PortState], init=False)

    @property
    def ended_ports(self) -> set[str]:
        """The labels of the ports that are over."""
        return {label for label, port in self.ports.items() if port.over}


@final
class RemotePlayer:
    """Plays one history with a subject; from `open_remote_player`."""

    outside_trio = True
    largest_message: float | None = None
    owns_nursery = False

    def __init__(self, subject: SubjectProcess, receivers: int) -> None:
        self._subject = subject
        names = ["opener", "receiver", *(f"receiver{number}" for number in range(2, receivers + 1))]
        self.contexts: dict[str, RemoteContext] = {name: RemoteContext(name) for name in names}
        self.calls: dict[str, CallState] = {}
        self.results: list[Any] = []

    async def begin(self) -> None:
        """Have a new connection opened."""
        # What is reported before the answer is about an earlier history.
        self._subject.on_called = lambda _: None
        answer = await self._subject.ask(begin=True)
        self._subject.on_called = self._take_call
        for result in answer.results:
            raise SubjectError(f"{NO_CONNECTION}: {result.error or result.mistake}")
        self._take(answer.state)
        for name, context in self.contexts.items():
            if not context.ports:
                raise SubjectError(f"{NO_CONNECTION}: {name} has no port")

    async def play(self, move: Move) -> None:
        """Have a move carried out.

        Raises:
            SubjectError: the subject hangs, has ended, or does not speak the protocol.
        """
        if move["move"] == "start":
            self.calls[move["as"]] = CallState()
        answer = await self._subject.ask(move=move)
        wanted = len(move["steps"]) if move["move"] == "turn" else int(move["move"] == "leave")
        if len(answer.results) != wanted:
            raise SubjectError(f"it gave {len(answer.results)} results for {wanted} steps")
        self.results += [_show(result) for result in answer.results]
        self._take(answer.state)

    async def settle(self) -> None:
        """Ask how everything is now."""
        self._take((await self._subject.ask(look=True)).state)

    def has_left(self, at: str, port: str) -> bool:
        """Return whether the block that a port was entered with has ended by itself."""
        return self.contexts[at].ports[port].left

    @property
    def witness(self) -> Witness:
        """What came of the last move, for the model."""
        return Witness(self.results, outcomes={name: call.outcome for name, call in self.calls.items()})

    async def wait_changed(self) -> None:
        """Wait until the subject reports something."""
        await self._subject.wait_changed()

    def _take_call(self, called: Called) -> None:
        if called.at not in self.contexts:
            raise ValueError(f"there is no context {called.at!r}")
        self.contexts[called.at].log.append(whole(called.record))

    def _take(self, state: State | None) -> None:
        if state is None:
            raise SubjectError("its results say nothing about its ports: they lack the field state")
        for name, ports in state.ports.items():
            if name not in self.contexts:
                raise SubjectError(f"it has a context {name!r}, which the history does not have")
            self.contexts[name].ports = ports
        self.calls |= {
            name: msgspec.structs.replace(call, message=whole(call.message)) for name, call in state.calls.items()
        }


@asynccontextmanager
async def open_remote_player(subject: SubjectProcess, receivers: int) -> AsyncGenerator[RemotePlayer]:
    """Have a subject open a connection, and play with it, for a block."""
    player = RemotePlayer(subject, receivers)
    await player.begin()
    yield player


def _show(result: Result) -> Any:
    if result.mistake is not None:
        raise SubjectError(f"it takes a step for a mistake: {result.mistake}")
    return result.error or ("ok" if result.value is None else result.value)
