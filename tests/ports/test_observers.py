"""Observers: what they see, and what becomes of what they raise."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from support import ScriptedError, settle

from trio_ports import (
    Cause,
    Delivered,
    Disconnected,
    ListenerFailed,
    Port,
    PortError,
    Posted,
    open_browser,
    open_port_pair,
)


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


async def test_an_observer_sees_a_port_that_nobody_else_holds() -> None:
    """Its scope lets go of it when it is over, and only then."""
    ended: list[Any] = []

    def observe(observation: Any) -> None:
        if isinstance(observation, Disconnected):
            ended.append(observation.port)

    async with trio.open_nursery() as nursery:
        open_port_pair(nursery, "forgotten", observer=observe)
        await settle()
        nursery.cancel_scope.cancel()
    assert [port.name for port in ended] == ["forgotten", "forgotten"]


async def test_an_observer_that_disconnects() -> None:
    """It should use no port; if it ends one while a message goes out that somebody has no room for, that is the end."""
    openers: list[Port] = []

    def observe(observation: Any) -> None:
        if isinstance(observation, Posted) and observation.frame == b"3":
            openers[0].disconnect()

    async with open_browser(max_buffer_size=2, observer=observe) as browser:
        extension = browser.install("notes@example.org")
        background, *pages = (extension.open_page() for _ in range(3))
        ended: list[Port] = []
        for page in pages:
            page.runtime.on_connect.add_listener(lambda port: port.on_disconnect.add_listener(ended.append))
        openers.append(background.runtime.connect())
        await settle()
        for number in (1, 2, 3):
            openers[0].post_message(number)
        await settle()
        assert [port.error for port in ended] == [None, None]


async def test_an_interrupt_between_two_listeners() -> None:
    """What is raised while a port's own code runs ends the port as a crash, and leaves through its scope."""
    ends: list[PortError | None] = []

    def observe(observation: Any) -> None:
        if isinstance(observation, Delivered):
            raise KeyboardInterrupt

    with pytest.RaisesGroup(KeyboardInterrupt):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery, observer=observe)
            opener.on_disconnect.add_listener(lambda port: ends.append(port.error))
            receiver.on_message.add_listener(lambda message, port: None)
            opener.post_message(1)
    assert [error and error.cause for error in ends] == [Cause.CRASHED]
