"""Observers: what they see, and what becomes of what they raise."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from support import ScriptedError, settle

from trio_ports import ListenerFailed, Port, Posted, open_port_pair


async def test_an_observer_that_raises(nursery: trio.Nursery, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and disturbs nobody: neither who posts, nor who waits, nor who leaves."""
    caplog.set_level(logging.ERROR)

    def fail(observation: object) -> None:
        raise ScriptedError

    opener, receiver = open_port_pair(nursery, max_buffer_size=1, observer=fail)
    opener.post_message(1)
    nursery.start_soon(opener.send, 2)
    await settle()
    assert [await receiver.receive() for _ in range(2)] == [1, 2]
    opener.disconnect()
    await receiver.wait_disconnected()
    assert {record.message.partition("<")[0] for record in caplog.records} == {"The observer "}
    assert len(caplog.records) == 8


async def test_failures_are_logged_beside_an_observer(nursery: trio.Nursery, caplog: pytest.LogCaptureFixture) -> None:
    """Where listeners' errors are logged, they are, whoever observes."""
    observed: list[object] = []
    opener, receiver = open_port_pair(nursery, listener_errors="log", observer=observed.append)

    @receiver.on_message.add_listener
    def fail(message: Any, port: Port) -> None:
        raise ScriptedError

    opener.post_message(1)
    await settle()
    opener.disconnect()
    await receiver.wait_disconnected()
    assert any(isinstance(each, ListenerFailed) for each in observed)
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [ScriptedError]


async def test_an_observer_sees_who_had_to_wait(nursery: trio.Nursery) -> None:
    """What was posted is observed when it is sent, to each receiver or none."""
    posted: list[bytes] = []
    opener, receiver = open_port_pair(
        nursery,
        max_buffer_size=1,
        observer=lambda each: posted.append(each.frame) if isinstance(each, Posted) else None,
    )
    opener.post_message(1)
    nursery.start_soon(opener.send, 2)
    await settle()
    assert posted == [b"1"]
    await receiver.receive()
    assert posted == [b"1", b"2"]
    opener.disconnect()
    receiver.disconnect()
