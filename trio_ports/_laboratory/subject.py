"""Be a subject of `trio-ports check-ports`: the ports between a content script and its background in a real browser.

::

    python -m trio_ports._laboratory.subject firefox
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, redirect_stdout
from typing import Any, BinaryIO, Final, final

import trio

from .._protocol.dialects import NO_RECEIVER_TEXT
from ..testing._conformance.history.moves import Move, Step, add_listener, connect, describe, open_tab, turn
from ..testing._conformance.model import MIB
from ..testing._conformance.model.dialects import weigh
from ..testing._conformance.players.player import Record
from ..testing._conformance.subjects.protocol import (
    COMMAND_DECODER,
    PROTOCOL,
    Called,
    Hello,
    PortState,
    Result,
    Results,
    State,
)
from ..testing._conformance.subjects.serve import write
from .browsers.find import BrowserKind
from .laboratory import open_laboratory
from .player import LaboratoryPlayer, open_laboratory_player

DIALECTS: Final[Mapping[BrowserKind, Any]] = {"firefox": "firefox", "chromium": "chrome"}
PLACES: Final = {"opener": "t1/a", "receiver": "a"}
"""The ends' contexts in the browser."""
WATCH: Final = "watched by the subject"
"""A listener of its own, which no history has: it shows that a port is over."""
LARGEST: Final = 64 * MIB


async def serve_browser(kind: BrowserKind, output: BinaryIO) -> None:
    """Start a browser, and be a subject until standard input ends."""
    async with open_laboratory(kind) as laboratory, AsyncExitStack() as stack:
        browser = laboratory.browser
        write(output, Hello(PROTOCOL, browser.name, browser.version, DIALECTS[kind], at_once=False))
        history: BrowserHistory | None = None
        async for line in trio.wrap_file(sys.stdin.buffer):
            command = COMMAND_DECODER.decode_any(line)
            if "begin" in command:  # pragma: no branch - a process that is killed here may not report
                await stack.aclose()
                history = BrowserHistory(await stack.enter_async_context(open_laboratory_player(laboratory)))
                await history.begin()
            assert history is not None, "a history begins with a command to begin"
            for report in await history.carry_out(command):
                write(output, report)


@final
class BrowserHistory:
    """One history in a real browser."""

    def __init__(self, player: LaboratoryPlayer) -> None:
        self._player = player
        self._reported = dict.fromkeys(PLACES, 0)
        self._actions: dict[tuple[str, str, str], list[Step]] = {}
        """What the listeners do, by context, event and name."""
        self._closed: set[str] = set()
        """The ends that have disconnected."""
        self._ended: set[str] = set()
        """The ends that were told of the other's end."""

    async def begin(self) -> None:
        """Open a connection from a content script to the background."""
        adopt = add_listener("on_connect", WATCH, add_listener("on_disconnect", WATCH, port=None), port=None)
        await self._player.play(open_tab("t1"))
        await self._player.play(turn("a", adopt))
        await self._player.play(turn("t1/a", connect("p"), add_listener("on_disconnect", WATCH)))

    async def carry_out(self, command: Mapping[str, Any]) -> list[Called | Results]:
        """Carry out a command, and return what there is to report."""
        results: list[Result] = []
        if "move" in command:
            results = await self._play(command["move"])
        elif "look" in command:
            await self._player.laboratory.settle()
        calls = [Called(record, end) for end in PLACES for record in self._take(end)]
        return [*calls, Results(command["id"], tuple(results), await self._describe())]

    async def _play(self, move: Move) -> list[Result]:
        end, before = move["at"], len(self._player.results)
        for step in move["steps"]:
            if step["do"] == "add_listener":
                self._actions.setdefault((end, step["event"], step["listener"]), step["actions"])
        await self._player.play({**move, "at": PLACES[end]})
        noted: list[Result] = []
        for step, result in zip(move["steps"], self._player.results[before:], strict=True):
            noted.append(self._note(end, step, result))
            if step["do"] == "disconnect" and end not in self._ended:
                self._closed.add(end)
        return noted

    def _note(self, end: str, step: Step, result: Any) -> Result:
        if result == "ok":
            return Result()
        return Result(error=self._word(end, step)) if isinstance(result, str) else Result(result)

    def _word(self, end: str, step: Step) -> str:
        """Return the word for what a step raised: a browser's errors have no types."""
        if weigh(step.get("message")) > LARGEST:
            return "too-large"
        return "closed" if end in self._closed else "broken"

    def _take(self, end: str) -> Iterator[Record]:
        """Return what the listeners of an end were called with since the last time."""
        log = self._player.contexts[PLACES[end]].log
        for record in log[self._reported[end] :]:
            if record.get("listener") == WATCH:
                self._ended |= {end} if record["event"] == "on_disconnect" else set()
                continue
            for action in self._actions.get((end, record["event"], record.get("listener", "")), ()):
                concerned = action.get("only", record.get("message")) == record.get("message")
                if action["do"] == "disconnect" and concerned and end not in self._ended:
                    self._closed.add(end)
            if record["event"] == "raised":
                yield {**record, "error": self._word(end, {})}
            else:
                yield {**record, "error": _cause(record["error"])} if "error" in record else record
        self._reported[end] = len(log)

    async def _describe(self) -> State:
        ports: dict[str, dict[str, PortState]] = {}
        for end, place in PLACES.items():
            await self._player.play(turn(place, describe("p")))
            found = self._player.results[-1]
            over = end in self._closed | self._ended
            # Where the connection was not opened, there is a text instead.
            ports[end] = {} if isinstance(found, str) else {"p": _state_of(found, over=over)}
        return State(ports)


def _state_of(described: Mapping[str, Any], *, over: bool) -> PortState:
    return PortState(described["name"], described["sender"], _cause(described["error"]), over)


def _cause(text: str | None) -> str | None:
    return "no-receiver" if text == NO_RECEIVER_TEXT else text


def main() -> None:
    """Be a subject: the browser that the command line names."""
    kind: Any = sys.argv[1]
    output = sys.stdout.buffer
    with redirect_stdout(sys.stderr):
        trio.run(serve_browser, kind, output)


if __name__ == "__main__":
    main()
