"""Handlers: async functions that talk over a port which somebody else has opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from .port import Port, ReceiveT

Handler: TypeAlias = Callable[[Port[Any, ReceiveT]], Awaitable[object]]


async def run_handler(handler: Handler[ReceiveT], port: Port[Any, ReceiveT]) -> None:
    """Call a handler and wait for it. Call this in the port's block, which also takes the end of the port (rule 43)."""
    handling = handler(port)
    if not isinstance(cast("object", handling), Awaitable):
        raise TypeError(f"handler must be an async function: {handler!r} returned {handling!r}")
    await handling
