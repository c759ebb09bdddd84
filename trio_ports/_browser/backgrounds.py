"""Backgrounds that sleep: they are started by whoever calls, and stop when they have been idle. Source: rules 44 to 46.

A background has one context after the other. The next one is asleep, and takes the place of the last one as soon as
that is gone, so whoever looks for receivers finds it among the extension's pages. The states of a context are a table,
in `trio_ports._protocol.contexts`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import copy_context
from functools import partial

from trio.lowlevel import enable_ki_protection

from .._protocol.contexts import ContextHappening, ContextState
from .._protocol.urls import Url
from .entries import BackgroundEntry, ContextEntry, ExtensionEntry
from .idle import IdleClock
from .registry import Registry
from .starting import run_script


def register(
    registry: Registry,
    extension: ExtensionEntry,
    start: Callable[[ContextEntry], object],
    url: Url,
    idle_seconds: float,
) -> BackgroundEntry:
    """Give an extension a background that sleeps, or the one that it has another script, from its next start on."""
    background = extension.background
    if background is None:
        background = extension.background = BackgroundEntry(
            extension=extension, start=start, url=url, idle_seconds=idle_seconds, variables=copy_context()
        )
        registry.put_to_sleep(background)
    else:
        background.start, background.url, background.idle_seconds = start, url, idle_seconds
        background.variables = copy_context()
        if background.context is not None and background.context.script.state is ContextState.ASLEEP:
            registry.close_context(background.context)  # The next one has the new script.
    return background


def wake(registry: Registry, context: ContextEntry) -> None:
    """Start a background that is asleep, in a task of its own. Anything else is left alone."""
    script = context.script
    if script.state is not ContextState.ASLEEP:
        return
    background = None if context.extension is None else context.extension.background
    assert background is not None, "only a background sleeps"
    script.happen(ContextHappening.CALLED)
    script.scope.start_soon(
        run_script, registry, context, background.start, partial(_end_first_turn, registry, context)
    )


def stop(registry: Registry, background: BackgroundEntry) -> None:
    """End a background's context, unless it is asleep; the next call starts another one."""
    context = background.context
    if context is not None and context.script.state is not ContextState.ASLEEP:
        registry.close_context(context)


@enable_ki_protection
def _end_first_turn(registry: Registry, context: ContextEntry) -> None:
    """Let those who called reach the listeners that are there now, and begin to wait for idleness. Idempotent."""
    script = context.script
    if script.state is not ContextState.STARTING:
        return  # It was over already, or the script has stopped itself.
    assert script.idle is not None, "only a background that sleeps is started"
    script.end_first_turn()
    script.idle.note_active()
    if script.idle.idle_seconds < math.inf:
        script.scope.start_soon(_stop_idle, registry, context, script.idle)


async def _stop_idle(registry: Registry, context: ContextEntry, idle: IdleClock) -> None:
    await idle.wait(context.script.scope)
    registry.close_context(context)
