"""How a block was left, as the task that was in it reports."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from trio_ports.testing._conformance.players.in_process import BlockTask
from trio_ports.testing._conformance.players.notation import ScriptedError


async def test_what_leaves_a_block() -> None:
    """What listeners raised in a history, and nothing else, is called that."""

    @asynccontextmanager
    async def leaving(error: Exception) -> AsyncGenerator[None]:
        yield
        raise ExceptionGroup("listeners failed", [error])

    for error, outcome in ((ScriptedError(), "raised"), (ValueError(), "ExceptionGroup")):
        block = BlockTask()
        block.leave("return")
        await block.run(leaving(error))
        assert block.outcome.startswith(outcome)
