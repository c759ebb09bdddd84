"""The contexts of a real browser, as their players report them: who is there, and what happened in each.

Whoever waits for something states a condition, which is asked again whenever a context has come, gone or reported an
event.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, final

import attrs
import msgspec
import trio

from ..testing._conformance.players.player import Record
from .browsers.errors import BrowserCommandError, BrowserGoneError
from .protocol import COMMAND_ENCODER, REPORT_DECODER, Hello, PlayerKind, Report, Result, Results
from .server import Socket

WAIT_SECONDS: Final = 20.0
"""How long the browser may take for anything; it takes some milliseconds."""

Answers: TypeAlias = trio.MemorySendChannel[tuple[Result, ...]]


@final
@attrs.define(eq=False)
class Context:
    """One script's world in the browser, in which a player runs."""

    extension: str
    """The laboratory's name for its extension; ``"web"`` for a web page."""
    kind: PlayerKind
    url: str
    id: str | None
    """Its extension's id."""
    page: str | None
    """The address of its extension's page, as far as the context knows it."""
    socket: Socket = attrs.field(repr=False)
    log: list[Record] = attrs.field(factory=list[Record], init=False, repr=False)
    """What its listeners were called with since the last reset, in order."""
    used: bool = attrs.field(default=False, init=False, repr=False)
    """Whether it has carried out steps since the last reset: another one can't have ports or listeners."""
    gone: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)
    """Set when the browser has ended it."""
    _asked: dict[int, Answers] = attrs.field(factory=dict[int, Answers], init=False, repr=False)
    """Where the answers to commands go, by the commands' numbers."""
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False, repr=False)

    async def ask(self, command: Mapping[str, Any]) -> tuple[Result, ...]:
        """Have a command carried out, and return its results; BrowserGoneError means that the context has ended."""
        if self.gone.is_set():
            raise BrowserGoneError(f"{self} has ended")
        number = next(self._numbers)
        self._asked[number], answers = trio.open_memory_channel[tuple[Result, ...]](1)
        try:
            await self.socket.send(COMMAND_ENCODER.encode({"id": number, **command}))
            return await answers.receive()
        except trio.BrokenResourceError as error:
            raise BrowserGoneError(f"{self} has ended") from error
        except trio.EndOfChannel:
            raise BrowserGoneError(f"{self} ended before it answered") from None
        finally:
            del self._asked[number]

    async def stage(self, do: str, **parameters: Any) -> Any:
        """Have the player do something to the browser itself, which is in no log; BrowserCommandError is a refusal."""
        (result,) = await self.ask({"stage": {"do": do, **parameters}})
        if result.error is not None:
            raise BrowserCommandError(do, result.error)
        return result.value

    def receive(self, results: Results) -> None:
        """Take a command's results; those of a command that was cancelled are dropped."""
        if results.id in self._asked:
            self._asked[results.id].send_nowait(results.results)

    def end(self) -> None:
        """Note that the browser has ended the context, and fail the commands that wait for an answer."""
        self.gone.set()
        for answers in self._asked.values():
            answers.close()


@final
@attrs.define(eq=False)
class Frame:
    """One frame of a tab and the contexts in it, until it is closed or navigated."""

    tab: int
    """The browser's number of its tab."""
    id: int
    """The browser's number of the frame; 0 is the top one."""
    url: str
    document: str | None
    """The id of its document, where the browser gives one."""
    contexts: dict[str, Context] = attrs.field(repr=False)
    """By extension; ``"web"`` is the page's own."""
    parent: Frame | None = attrs.field(default=None, repr=False)
    """The frame round it; None for a tab's top frame."""
    frames: list[Frame] = attrs.field(factory=list["Frame"], init=False, repr=False)
    """The frames in it, in the order in which they were opened."""

    def family(self) -> list[Frame]:
        """Return the frame and all frames in it."""
        return [self, *(each for frame in self.frames for each in frame.family())]


@final
@attrs.define(eq=False)
class Contexts:
    """All contexts in which a player has reported, and a way to wait for what they report next."""

    all: list[Context] = attrs.field(factory=list[Context], init=False)
    """Those that came since the last reset, in order, after those that were there before and still are."""
    present: dict[tuple[str, str], Context] = attrs.field(factory=dict[tuple[str, str], Context], init=False)
    """Those that are there, by extension and address."""
    backgrounds: dict[str, Context] = attrs.field(factory=dict[str, Context], init=False)
    records: int = attrs.field(default=0, init=False)
    """How many records were reported, ever."""
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def serve(self, socket: Socket) -> None:
        """Take what one player reports for as long as it is there."""
        context: Context | None = None
        try:
            while (data := await socket.receive()) is not None:
                report: Report = REPORT_DECODER.decode_any(data)
                if isinstance(report, Hello):
                    context = self._greet(Context(**msgspec.structs.asdict(report), socket=socket))
                elif context is None:
                    raise ValueError(f"a player says hello first, and not {report}")
                elif isinstance(report, Results):
                    context.receive(report)
                else:
                    self.take(context, report.record)
        finally:
            if context is not None:
                context.end()
                self.present.pop((context.extension, context.url), None)
                self._notify()

    def take(self, context: Context, record: Record) -> None:
        """Keep the record of what a listener was called with."""
        self.records += 1
        context.log.append(record)
        self._notify()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; TooSlowError means that it does not come to hold."""
        with trio.fail_after(WAIT_SECONDS):
            while not condition():
                await self._changed.wait()

    async def happens_within(self, seconds: float) -> bool:
        """Wait for a record, but no longer than that; return whether there was one."""
        seen = self.records
        with trio.move_on_after(seconds):
            await self.wait_until(lambda: self.records != seen)
        return self.records != seen

    def forget(self) -> None:
        """Forget all records, and the contexts that have gone."""
        self.all = [each for each in self.all if not each.gone.is_set()]
        for each in self.all:
            each.log.clear()
            each.used = False

    def _greet(self, context: Context) -> Context:
        self.all.append(context)
        self.present[context.extension, context.url] = context
        if context.kind == "background":
            self.backgrounds[context.extension] = context
        self._notify()
        return context

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
