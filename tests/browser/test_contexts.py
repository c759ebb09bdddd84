"""Contexts: closing them, and their blocks."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import PATIENCE_SECONDS, ScriptedError, Witness, each_dialect, open_world, settle

from trio_ports import Port


@each_dialect
async def test_closing_a_context(dialect: Any) -> None:
    """Sync, idempotent, and complete."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness = Witness(receiver)
        opener.post_message(1)
        world.page.close()
        world.page.close()
        assert opener.statistics().state == "closed"
        assert world.page._entry not in world.browser._registry.contexts
        assert world.page._entry not in world.extension._entry.contexts
        await settle()
        assert witness.seen == [1, "end"]
        with pytest.raises(trio.ClosedResourceError, match="closed"):
            async with world.page:
                pytest.fail("the block of a closed context was entered")


@each_dialect
async def test_a_closed_context_opens_nothing(dialect: Any) -> None:
    """Use after close is ClosedResourceError, for everything that opens or serves."""
    async with open_world(dialect=dialect) as world:
        runtime, tabs = world.page.runtime, world.page.tabs
        world.page.close()
        for call in (runtime.connect, lambda: tabs.connect(1), lambda: runtime.connect_native("ping_pong")):
            with pytest.raises(trio.ClosedResourceError, match="is closed"):
                call()
        with pytest.raises(trio.ClosedResourceError):
            await runtime.serve(trio.sleep)  # type: ignore[arg-type]


async def test_what_was_kept_goes_with_the_context() -> None:
    """A port that had ended before, with messages that nobody has read."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        opener.post_message("unread")
        opener.disconnect()
        await settle()
        assert receiver.statistics().messages_waiting == 1
        world.background.close()
        assert receiver.statistics().messages_waiting == 0


# Blocks ---------------------------------------------------------------------------------------------------------------


async def test_two_tasks_in_one_contexts_block() -> None:
    """Both leave once its tasks are gone, whoever comes first."""
    async with open_world() as world, trio.open_nursery() as nursery:
        opener, receiver = await world.connect()
        going_on = trio.Event()
        left: list[int] = []

        @receiver.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            with trio.CancelScope(shield=True):
                await going_on.wait()

        async def stay(number: int) -> None:
            async with world.background:
                await settle()
            left.append(number)

        opener.post_message(1)
        await settle()
        nursery.start_soon(stay, 1)
        nursery.start_soon(stay, 2)
        await settle()
        assert left == []
        going_on.set()
        await settle()
        assert sorted(left) == [1, 2]


@each_dialect
async def test_two_tasks_leave_the_block_of_one_context(dialect: Any, autojump_clock: object) -> None:
    """Both leave, once the context's tasks are through, however long those take to clean up."""

    async def tidy(port: Port) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def visit() -> None:
        async with other:
            await trio.sleep(1)

    async with open_world(dialect=dialect) as world:
        other = world.extension.open_page("other.html")
        other.runtime.on_connect.add_listener(tidy)
        world.background.runtime.connect()
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(visit)
                nursery.start_soon(visit)
        assert trio.current_time() >= 2


async def test_a_context_closed_by_its_own_listener() -> None:
    """Which is cancelled with it at its next checkpoint."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        steps: list[str] = []

        @receiver.on_message.add_listener
        async def close(message: Any, port: Port) -> None:
            async with world.background:
                steps.append("inside")
            steps.append("never")

        witness = Witness(opener)
        opener.post_message(1)
        await settle()
        assert (steps, witness.seen) == (["inside"], ["end"])


@each_dialect
async def test_a_context_s_block_inside_its_own_listener(dialect: Any) -> None:
    """The same for the block of a context, below its on_connect listener."""
    left = trio.Event()

    async def leave() -> None:
        try:
            async with world.background:
                pass
        finally:
            left.set()

    async def listen(port: Port) -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(leave)

    async with open_world(dialect=dialect) as world:
        world.background.runtime.on_connect.add_listener(listen)
        world.extension.open_page("other.html").runtime.connect()
        with trio.fail_after(PATIENCE_SECONDS):
            await left.wait()


@each_dialect
async def test_a_context_whose_block_is_not_reached(dialect: Any) -> None:
    """Cancelled on the way in, it is closed, in good order."""
    async with open_world(dialect=dialect) as world:
        _, receiver = await world.connect()
        ended: list[Port] = []
        receiver.on_disconnect.add_listener(ended.append)
        with trio.CancelScope() as scope:
            scope.cancel()
            async with world.page:
                pytest.fail("the block was entered")
        await settle()
        assert world.page.closed
        assert (ended, receiver.error) == ([receiver], None)


async def test_a_crash_in_a_context_beside_a_cancellation() -> None:
    """What leaves the context's block is what was raised in it."""
    async with open_world() as world:
        with pytest.RaisesGroup(ScriptedError):
            async with world.background, trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await settle()
                raise ScriptedError
