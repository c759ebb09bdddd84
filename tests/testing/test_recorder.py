"""The recorder: how it draws what it has seen."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import trio_ports
from trio_ports import ListenerFailed
from trio_ports._ports.observers import log_failures
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


def raise_key_error(*args: Any) -> None:
    raise KeyError(args[0])


async def test_a_listener_that_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    """Where a listener's exception is raised it has its line all the same, before the end; it is not logged as well."""
    recorder = ConversationRecorder()
    caplog.set_level(logging.DEBUG)
    with pytest.RaisesGroup(KeyError):
        async with trio.open_nursery() as nursery:
            opener, receiver = trio_ports.open_port_pair(nursery, observer=recorder)
            receiver.on_message.add_listener(raise_key_error)
            opener.post_message("somebody")
    chart = recorder.draw()
    assert chart.index("├ a listener: KeyError") < chart.index("× disconnects")
    assert not caplog.records


async def test_a_listener_for_connections_that_ends_the_program() -> None:
    """The same in a browser."""
    recorder = ConversationRecorder()
    with pytest.RaisesGroup(KeyError):
        async with trio_ports.open_browser(observer=recorder) as browser:
            extension = browser.install("notes@example.org")
            extension.open_page("background.html").runtime.on_connect.add_listener(raise_key_error)
            extension.open_page("page.html").runtime.connect()
            await trio.sleep_forever()
    assert "├ a listener: KeyError" in recorder.draw()


async def test_the_default_observer_logs_what_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """What a listener raises is logged or raised, never both."""
    for raised in (True, False):
        log_failures(ListenerFailed(None, KeyError("a"), raised))
    assert len(caplog.records) == 1


async def talk(nursery: trio.Nursery, connections: int) -> str:
    recorder = ConversationRecorder()
    for number in range(connections):
        opener, receiver = trio_ports.open_port_pair(nursery, f"a name of some length {number} " * 3, observer=recorder)
        opener.post_message("a message that is longer than there is room for")
        await receiver.receive()
        opener.disconnect()
    await wait_all_tasks_blocked()
    return recorder.draw()


@pytest.mark.parametrize("connections", [1, 2, 10, 11])
async def test_charts_can_be_read(nursery: trio.Nursery, connections: int) -> None:
    """However many ports there are, no line is too wide, and every port is named."""
    lines = (await talk(nursery, connections)).splitlines()
    assert max(map(len, lines)) <= 102
    assert any(line.lstrip().startswith(f"{2 * connections}: ") or f"  {2 * connections}: " in line for line in lines)


async def test_many_ports_are_numbered(nursery: trio.Nursery) -> None:
    """A legend names them; each has a narrow column, and what happens to it is told at the right."""
    chart = await talk(nursery, 2)
    lines = chart.splitlines()
    assert [line[:11] for line in lines[:4]] == ["1: opener '", "2: receiver", "3: opener '", "4: receiver"]
    assert lines[4:9] == [
        "",
        "1  2  3  4",
        "○  │  │  │  1: opened",
        "│  ○  │  │  2: opened",
        '├  │  │  │  1: posts "a message that… ─▶',
    ]
    assert '│  ├  │  │  2: ◀ gets "a message that…' in lines


async def test_very_many_ports(nursery: trio.Nursery) -> None:
    """They have no columns any more, only numbers."""
    chart = await talk(nursery, 11)
    assert '21: ├─ posts "a message that… ─▶' in chart.splitlines()


async def test_a_recorder_is_not_a_listener() -> None:
    """As a listener it says what it is for, and its chart can be drawn all the same."""
    recorder = ConversationRecorder()
    with pytest.RaisesGroup(pytest.RaisesExc(TypeError, match="observer=recorder")):
        async with trio.open_nursery() as nursery:
            opener, receiver = trio_ports.open_port_pair(nursery, observer=recorder)
            with pytest.raises(TypeError):
                receiver.on_message.add_listener(recorder)  # type: ignore[arg-type]
            receiver.on_disconnect.add_listener(recorder)  # type: ignore[arg-type]
            opener.disconnect()
    assert "is told of the end" in recorder.draw()
