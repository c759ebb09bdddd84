"""A player of histories in a real browser: speaks the kit's language of moves, and notes what comes of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, final

import attrs
import trio

from ..testing._conformance.history.moves import Move, Step
from ..testing._conformance.players.notation import GONE
from ..testing._conformance.players.player import Record
from .browsers.errors import BrowserGoneError
from .contexts import Context, Frame
from .laboratory import Laboratory
from .names import Names
from .protocol import Result

NOBODY_IDS: Final = {"firefox": "nobody@trio-ports.invalid", "chromium": "a" * 32}
NOWHERE: Final = 2**30
"""The number of a tab or a frame that is not there."""
QUIET_SECONDS: Final = 0.3
"""How long nothing may happen before what another process does counts as done."""


@final
@attrs.define(eq=False)
class Actor:
    """A context of a real browser that carries out steps, and what its listeners were called with."""

    context: Context
    log: list[Record] = attrs.field(factory=list[Record], init=False, repr=False)
    """In order, with the history's names for the browser's numbers."""


@final
class LaboratoryPlayer:
    """Plays one history in a real browser; from `open_laboratory_player`. It is a `Player` of the kit.

    The moves are those of the kit that a browser has: turns, tabs, pages and frames, and waiting for other processes.
    A tab is lost by discarding it; no browser can be asked to let a process crash. A background that sleeps carries out
    what its extension was written with: see `PlayerExtension.start`.
    What contexts would do at once, a history has to say one after the other: they live in different processes.
    """

    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self.results: list[Any] = []
        """What came of each step of the turns, in order: ``"ok"``, a value, or the text of an error."""
        self.contexts: dict[str, Actor] = {}
        """By name, those that have ended included."""
        self._frames: dict[str, Frame] = {}
        self._sleeping: set[str] = set()
        self._names = Names({laboratory.extension_id(name): name for name in laboratory.extensions})
        for name in laboratory.extensions:
            self._add(name, name, laboratory.background(name))

    async def play(self, move: Move) -> None:
        """Do what a move says, and wait until everything has happened that follows from it.

        Raises:
            ValueError: a browser has no such move.
            BrowserCommandError: the browser refused it.
            BrowserGoneError: the browser ended.
            trio.TooSlowError: things went on happening, as between two ports that echo each other.
        """
        play = getattr(self, f"_play_{move['move']}", None)
        if play is None:
            raise ValueError(f"a real browser has no move {move['move']!r}")
        await play(move)
        await self.laboratory.settle()
        self._take()

    async def _play_turn(self, move: Move) -> None:
        steps = [self._translate(step) for step in move["steps"]]
        try:
            results = await self.laboratory.perform(self.contexts[move["at"]].context, *steps)
        except BrowserGoneError:
            self.results += [GONE] * len(steps)
        else:
            self.results += [self._note_result(step, result) for step, result in zip(steps, results, strict=True)]

        for step in move["steps"]:
            target = step.get("extension") or move["at"].rpartition("/")[2]
            if step["do"] == "connect" and target in self._sleeping:
                background = await self.laboratory.wait_background(target)
                if self.contexts[target].context is not background:
                    self._add(target, target, background)

    async def _play_register_background(self, move: Move) -> None:
        self._sleeping.add(move["extension"])
        await self.laboratory.stop_background(move["extension"])

    async def _play_stop_background(self, move: Move) -> None:
        await self.laboratory.stop_background(move["extension"])

    async def _play_wait(self, move: Move) -> None:
        log, port, events = self.contexts[move["at"]].context.log, move["port"], int(move["events"])
        with suppress(trio.TooSlowError):  # The log shows what came until then.
            await self.laboratory.contexts.wait_until(lambda: sum(record["port"] == port for record in log) >= events)
        await self.laboratory.settle(quiet_seconds=QUIET_SECONDS)

    async def _play_open_tab(self, move: Move) -> None:
        if move.get("incognito"):
            raise ValueError("the laboratory has no private windows")
        self._show(move["tab"], await self.laboratory.open_tab(web=move["web"]))

    async def _play_open_page(self, move: Move) -> None:
        self._show(move["page"], await self.laboratory.open_page(move["extension"]))

    async def _play_open_frame(self, move: Move) -> None:
        self._show(move["frame"], await self.laboratory.open_frame(self._frames[move["tab"]]))

    async def _play_navigate(self, move: Move) -> None:
        frame = self._frames[move["frame"]]
        self._forget(frame)
        await self.laboratory.navigate(frame)
        self._show(move["frame"], frame)

    async def _play_push_state(self, move: Move) -> None:
        await self.laboratory.push_state(self._frames[move["frame"]])

    async def _play_lose(self, move: Move) -> None:
        await self.laboratory.discard(self._frames[move["tab"]])

    async def _play_load_again(self, move: Move) -> None:
        frame = self._frames[move["tab"]]
        await self.laboratory.load_again(frame)
        self._show(move["tab"], frame)

    async def _play_close(self, move: Move) -> None:
        frame = self._frames[move["frame"]]
        self._forget(frame)
        await self.laboratory.close(frame)

    def _show(self, place: str, frame: Frame) -> None:
        self._frames[place] = frame
        self._names.add(place, frame.url, tab=frame.tab, frame=frame.id, document=frame.document)
        for extension, context in frame.contexts.items():
            self._add(f"{place}/{extension}", place, context)

    def _add(self, name: str, place: str, context: Context) -> None:
        old = self.contexts.pop(name, None)
        if old is not None:
            self.contexts[f"{name}#{sum(each.startswith(f'{name}#') for each in self.contexts)}"] = old
        self.contexts[name] = Actor(context)
        self._names.add(place, context.url)

    def _forget(self, gone: Frame) -> None:
        """Forget a frame and those in it."""
        family = gone.family()
        self._frames = {name: frame for name, frame in self._frames.items() if frame not in family}

    def _translate(self, step: Step) -> Step:
        """Return a step with the browser's numbers for the history's names."""
        if step["do"] in ("connect", "ask") and step["extension"] is not None:
            known = step["extension"] in self.laboratory.extensions
            nobody = NOBODY_IDS[self.laboratory.browser.kind]
            return {**step, "extension": self.laboratory.extension_id(step["extension"]) if known else nobody}
        if step["do"] in ("tabs_connect", "ask_tab"):
            tab, frame, document = (self._frames.get(step[each]) for each in ("tab", "frame", "document"))
            return {
                **step,
                "tab": tab.tab if tab else NOWHERE,
                "frame": None if step["frame"] is None else frame.id if frame else NOWHERE,
                "document": None if step["document"] is None else document.document if document else "0" * 32,
            }
        return step

    def _note_result(self, step: Step, result: Result) -> Any:
        if result.error is not None or result.mistake is not None:
            return result.error or result.mistake
        if step["do"] == "describe":
            return {**result.value, "sender": self._names.note_sender(result.value["sender"])}
        return result.value if step["do"] == "has_listener" else "ok"

    def _take(self) -> None:
        """Note what was reported since the last move."""
        for actor in self.contexts.values():
            for record in actor.context.log[len(actor.log) :]:
                sender = {"sender": self._names.note_sender(record["sender"])} if "sender" in record else {}
                actor.log.append({**record, **sender})


@asynccontextmanager
async def open_laboratory_player(laboratory: Laboratory) -> AsyncGenerator[LaboratoryPlayer]:
    """Make a player for one history; at the end of the block all ports and listeners are gone from the browser."""
    try:
        yield LaboratoryPlayer(laboratory)
    finally:
        await laboratory.reset()
