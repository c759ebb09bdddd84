"""What the players of a laboratory report: who is there, and what happened.

Whoever waits for something states a condition, which is asked again whenever a player has come, gone or told an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import trio

from .players import Context
from .reports import Event, Hello, Results, decode_report
from .server import Socket

WAIT_SECONDS: Final = 20.0
"""How long the browser may take for anything; it takes some milliseconds."""


@final
class Arrivals:
    """What the players report: who is there, and what happened."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        """All since the last reset, in order, and those still there from before."""
        self.present: dict[tuple[str, str], Context] = {}
        """Those that are there, by extension and address."""
        self.backgrounds: dict[str, Context] = {}
        self.events: int = 0
        """How many events there were, ever."""
        self._changed = trio.Event()

    async def handle(self, socket: Socket) -> None:
        """Listen to one player for as long as it is there."""
        context: Context | None = None
        try:
            while messages := await socket.receive():
                for data in messages:
                    report = decode_report(data)
                    if isinstance(report, Hello):
                        context = self._greet(Context.of(report, socket))
                    else:
                        assert context is not None, "a player says hello first"
                        self.take(context, report)
        finally:
            if context is not None:
                context.end()
                self.present.pop((context.extension, context.url), None)
                self._notify()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds."""
        with trio.fail_after(WAIT_SECONDS):
            while not condition():
                await self._changed.wait()

    async def happens_within(self, seconds: float) -> bool:
        """Wait for an event, but no longer than that; return whether there was one."""
        seen = self.events
        with trio.move_on_after(seconds):
            await self.wait_until(lambda: self.events != seen)
        return self.events != seen

    def forget(self) -> None:
        """Forget all events, and the contexts that have gone."""
        self.contexts = [each for each in self.contexts if not each.gone.is_set()]
        for each in self.contexts:
            each.events.clear()
            each.used = False

    def _greet(self, context: Context) -> Context:
        self.contexts.append(context)
        self.present[context.extension, context.url] = context
        if context.kind == "background":
            self.backgrounds[context.extension] = context
        self._notify()
        return context

    def take(self, context: Context, report: Results | Event) -> None:
        """Hand results to the one who waits for them, and keep an event."""
        if isinstance(report, Results):
            context.receive(report)
        else:
            self.events += 1
            context.events.append(report)
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
