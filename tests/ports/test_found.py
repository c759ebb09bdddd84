"""What was found by setting out to break ports: each once, so that it stays mended."""

import copy
import pickle
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from trio_ports import (
    ApplicationNameError,
    Cause,
    FrameTooLargeError,
    MalformedMessageError,
    ManifestError,
    MessageShapeError,
    MessageTooLargeError,
    NativeApplicationError,
    NotSerializableError,
    PortError,
    TruncatedError,
    open_port_pair,
)

ERRORS = [
    PortError("text", cause=Cause.CRASHED),
    NotSerializableError("text", path="$.a"),
    MessageTooLargeError(size=2, limit=1),
    ManifestError(field="path", value=1, rule="must be text"),
    FrameTooLargeError("text", size=2, limit=1, printed="hello"),
    MalformedMessageError("text", raw=b"{"),
    MessageShapeError("text", path="$", raw=b"1"),
    TruncatedError(received=3, expected=None),
    NativeApplicationError("text", cause=Cause.EXITED, application="x", status=3, stderr=("a",)),
    ApplicationNameError("text", cause=Cause.BAD_NAME, application="x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_can_be_copied_and_pickled(error: Exception) -> None:
    """An error that crosses a process border keeps its type, its text and its data."""
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (str(error), vars(error))


async def test_a_port_cannot_be_copied(nursery: trio.Nursery) -> None:
    """A copy would be a second port on the same end."""
    opener, _ = open_port_pair(nursery)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(opener)
    opener.disconnect()


class Tagged(msgspec.Struct, tag="t", rename="camel"):
    some_name: Any


class Listed(msgspec.Struct, array_like=True):
    first: Any
    second: Any = None


@pytest.mark.parametrize(
    ("message", "arrives"),
    [
        (Tagged("\ud800"), {"type": "t", "someName": "\ud800"}),
        (Listed("\ud800"), ["\ud800", None]),
        ([Tagged(1), "\ud800"], [{"type": "t", "someName": 1}, "\ud800"]),
    ],
)
async def test_a_surrogate_changes_nothing_else(nursery: trio.Nursery, message: Any, arrives: Any) -> None:
    """What msgspec makes of a Struct is the same with and without a lone surrogate in the message."""
    opener, receiver = open_port_pair(nursery)
    opener.post_message(message)
    assert await receiver.receive() == arrives
    opener.disconnect()


class Stubborn(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


@pytest.mark.parametrize("message", [Stubborn(a=object()), {"a": Stubborn(b=b"bytes")}])
async def test_a_message_that_fails_while_it_is_looked_at(nursery: trio.Nursery, message: Any) -> None:
    """Whatever a message raises, the caller is told that it is not JSON."""
    opener, _ = open_port_pair(nursery)
    with pytest.raises(NotSerializableError):
        opener.post_message(message)
    opener.disconnect()


@pytest.mark.parametrize("crash", [False, True])
async def test_a_block_left_while_what_was_kept_is_listened_to(crash: bool) -> None:
    """After the other side's end: the listener that runs is waited for, or cancelled; no other message comes."""
    heard: list[Any] = []
    gate = trio.Event()

    async def listen(message: object, port: object) -> None:
        heard.append(message)
        await gate.wait()

    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)
        opener.post_message(1)
        opener.post_message(2)
        opener.disconnect()
        await receiver.wait_disconnected()
        try:
            async with receiver:
                receiver.on_message.add_listener(listen)
                receiver.on_disconnect.add_listener(lambda port: heard.append("end"))
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(open_gate, gate)
                if crash:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            heard.append("crash")
        assert heard == ([1, "end", "crash"] if crash else [1, "end"])


@pytest.mark.parametrize("attempt", range(20))
async def test_a_late_listener_is_told_whatever_the_scheduler_does_first(attempt: int) -> None:
    """It waits behind a listener that is cancelled with the block, and is told before the block is left."""
    told: list[Any] = []

    async def listen(message: object, port: object) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)
        opener.post_message(attempt)
        opener.disconnect()
        await receiver.wait_disconnected()
        with trio.CancelScope() as scope:
            async with receiver:
                receiver.on_message.add_listener(listen)
                await trio.testing.wait_all_tasks_blocked()
                receiver.on_disconnect.add_listener(lambda port: told.append("end"))
                scope.cancel()
                await trio.lowlevel.checkpoint()
        assert told == ["end"]


@pytest.mark.parametrize("attempt", range(20))
async def test_a_listeners_post_overtakes_nobody_who_waits(nursery: trio.Nursery, attempt: int) -> None:
    """It may exceed the bound; a send of the same port that waits for room was there before it."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=3)
    opener.post_message(attempt)
    for number in range(3):
        receiver.post_message(number)
    nursery.start_soon(receiver.send, 3)
    await trio.testing.wait_all_tasks_blocked()
    heard: list[Any] = []
    opener.on_message.add_listener(lambda message, port: heard.append(message))
    receiver.on_message.add_listener(lambda message, port: port.post_message("answer"))
    await trio.testing.wait_all_tasks_blocked()
    assert heard == [0, 1, 2, 3, "answer"]
    opener.disconnect()


async def open_gate(gate: trio.Event) -> None:
    await trio.testing.wait_all_tasks_blocked()
    gate.set()


async def test_events_are_not_assigned_to(nursery: trio.Nursery) -> None:
    """The habit of ``port.onmessage = f``: an error on that line, and the port goes on."""
    opener, _ = open_port_pair(nursery)
    for name in ("on_message", "on_disconnect"):
        with pytest.raises(AttributeError, match=name):
            setattr(opener, name, print)
    opener.disconnect()


async def test_a_message_that_is_refused_is_one_error(nursery: trio.Nursery) -> None:
    """Not two tracebacks, one for each look at it."""
    opener, _ = open_port_pair(nursery)
    with pytest.raises(NotSerializableError) as refusal:
        opener.post_message({"file": b"x"})
    assert refusal.value.__context__ is None
    opener.disconnect()
