"""Charts: what a recorder has seen, drawn for people."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

import trio_ports
from trio_ports.testing import ConversationRecorder


async def test_what_is_dropped_and_who_raised() -> None:
    """A message that nobody listened for, and a listener that failed, have their line."""
    recorder = ConversationRecorder()
    async with trio.open_nursery() as nursery:
        opener, receiver = trio_ports.open_port_pair(nursery, dialect="firefox", observer=recorder)
        opener.post_message("nobody")
        await wait_all_tasks_blocked()

        @receiver.on_message.add_listener
        def fail(message: object, port: object) -> None:
            raise KeyError(message)

        opener.post_message("somebody")
        await wait_all_tasks_blocked()
        opener.disconnect()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    chart = recorder.draw()
    assert '├ drops "nobody"' in chart
    assert "├ a listener: KeyError" in chart
