"""Run a script from the top: what is done with its first turn, and with what it raises."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any, cast, final

from trio.lowlevel import disable_ki_protection

from .._ports.failures import crash_error, judge, raise_as_it_is, without_late
from .._protocol.contexts import ContextState
from .entries import ContextEntry
from .registry import Registry


@disable_ki_protection
async def run_script(
    registry: Registry,
    context: ContextEntry,
    start: Callable[[ContextEntry], object],
    end_first_turn: Callable[[], None] = lambda: None,
) -> None:
    """Call ``start`` with a context, and await what it returns. A task of the context.

    Args:
        registry: the context's.
        context: where the script runs.
        start: the script.
        end_first_turn: called in the moment when the script waits for the first time, or ends, however it ends.
    """
    if context.script.state is ContextState.GONE:
        return  # It was stopped before it began.
    try:
        try:
            result = start(context)
            if isinstance(result, Awaitable):
                await _FirstTurn(cast("Awaitable[object]", result), end_first_turn)
        finally:
            end_first_turn()
    except BaseException as error:
        failure = without_late(error) if context.script.closed else error
        if failure is None:
            return  # It was stopped, and noticed that before it was cancelled.
        verdict = judge(failure, registry.options.listener_errors)
        if verdict.reported is not None and not verdict.ends_port:
            logging.getLogger("trio_ports").error("The script of %r failed.", context, exc_info=verdict.reported)
        if verdict.ends_port:
            registry.close_context(context, crash_error(failure))
        if verdict.raised is not None:
            raise_as_it_is(verdict.raised)


@final
class _FirstTurn:
    """Waits for an awaitable, and calls ``over`` in the moment when that waits for the first time.

    With a second task that looks later, some of what happens after the first wait would count, and some would not.
    """

    def __init__(self, awaitable: Awaitable[object], over: Callable[[], None]) -> None:
        self._steps = awaitable.__await__()
        self._over = over

    def __await__(self) -> Generator[Any, Any, None]:
        answer = None
        try:
            while True:
                request = self._steps.send(answer)
                self._over()
                answer = yield request
        except StopIteration:
            return
