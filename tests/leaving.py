"""Clients that leave a conversation at every point, in every way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TypeAlias

import trio
from support import PATIENCE_SECONDS, ScriptedError

from trio_ports import Port

Connection: TypeAlias = AbstractAsyncContextManager[tuple[Port, Callable[[], object]]]
"""Opens a client's port for a block; the function beside the port breaks its transport."""
ENDS = (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError)
WAYS = ("disconnects", "is cancelled", "crashes", "loses its transport")
CONVERSATION = ("post", "receive", "post", "receive", "post")


async def talk_and_leave(
    connection: Connection,
    steps: int,
    way: str,
    *,
    before_receiving: Callable[[], object] = lambda: None,
    before_breaking: Callable[[], Awaitable[object]] = trio.lowlevel.checkpoint,
) -> None:
    """Take so many steps of the conversation, and leave."""
    with trio.CancelScope() as scope, suppress(ScriptedError, *ENDS):
        async with connection as (port, break_off):
            for step in CONVERSATION[:steps]:
                if step == "post":
                    port.post_message(step)
                else:
                    before_receiving()
                    await port.receive()
            if way == "disconnects":
                port.disconnect()
            elif way == "is cancelled":
                scope.cancel()
                await trio.lowlevel.checkpoint()
            elif way == "crashes":
                raise ScriptedError
            else:
                await before_breaking()
                break_off()


async def leave_everywhere(connect: Callable[[], Connection]) -> None:
    """Let one client after the other leave, in each way after each step."""
    for way in WAYS:
        for steps in range(len(CONVERSATION) + 1):
            await talk_and_leave(connect(), steps, way)


async def ask(port: Port, question: str, answer: object) -> None:
    """Ask, and see that this is the answer."""
    with trio.fail_after(PATIENCE_SECONDS):
        await port.send(question)
        assert await port.receive() == answer
