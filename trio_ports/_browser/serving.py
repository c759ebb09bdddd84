"""Serving: a task for each connection that a context hears of."""

from __future__ import annotations

import contextvars
from typing import Any

import trio
from trio.lowlevel import enable_ki_protection

from .._ports.failures import raise_unless_late
from .._ports.handlers import Handler, run_handler
from .._ports.port import Port
from .._protocol.messages import Decoder
from .ports import decode_with, hold, release
from .script import ConnectEvent, Script


@enable_ki_protection
async def serve(
    script: Script, event: ConnectEvent, handler: Handler[Any], decoder: Decoder, task_status: trio.TaskStatus[None]
) -> None:
    """Run ``handler`` for every connection of an event until the script's context closes; see `Runtime.serve`."""
    if event in script.served:
        raise trio.BusyResourceError(f"another task serves {event!r}")
    context = contextvars.copy_context()  # As in Trio's own servers, a handler sees the variables of its server.

    async with trio.open_nursery() as nursery:

        def accept(port: Port[Any, Any]) -> None:
            decode_with(port, decoder)
            hold(port)
            context.run(nursery.start_soon, _handle, script, handler, port)

        event.add_listener(accept)
        script.served.append(event)
        try:
            task_status.started()
            await script.ended.wait()
        finally:
            event.remove_listener(accept)
            script.served.remove(event)
            nursery.cancel_scope.cancel()


async def _handle(script: Script, handler: Handler[Any], port: Port[Any, Any]) -> None:
    held = True
    try:
        async with port:
            held = False
            release(port, within_task=True)
            await run_handler(handler, port)
    except (trio.ClosedResourceError, BaseExceptionGroup) as error:
        if not script.closed:
            raise
        raise_unless_late(error)
    finally:
        if held:
            release(port)
