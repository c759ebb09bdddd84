"""A port: posting and sending, its errors, and what it says of itself. Rules 10 to 17 and 23."""

from __future__ import annotations

import copy
import math
import pickle
import queue
import threading
from contextlib import suppress
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing
from support import Witness, each_dialect, refuse_elsewhere, settle
from trio.testing import assert_checkpoints

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
    Port,
    PortError,
    TruncatedError,
    open_browser,
    open_port_pair,
)

CLOSED_TEXTS = {
    "trio": "has disconnected",
    "firefox": "Attempt to postMessage on disconnected port",
    "chrome": "Attempting to use a disconnected port object",
}


async def post(port: Port, message: Any, way: str) -> None:
    if way == "send":
        await port.send(message)
    else:
        port.post_message(message)


async def cancel_when_settled(scope: trio.CancelScope) -> None:
    await settle()
    scope.cancel()


async def disconnect_when_settled(port: Port) -> None:
    await settle()
    port.disconnect()


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


class Tagged(msgspec.Struct, tag="t", rename="camel"):
    some_name: Any


class Listed(msgspec.Struct, array_like=True):
    first: Any
    second: Any = None


class Stubborn(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


@each_dialect
async def test_a_message_is_encoded_when_it_is_posted(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 12: what the sender changes afterwards is not seen, and the receiver has a copy of its own."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    message: dict[str, Any] = {"list": [1]}
    opener.post_message(message)
    message["list"].append(2)
    await settle()
    assert witness.seen == [{"list": [1]}]
    assert witness.seen[0] is not message


@each_dialect
async def test_the_listeners_of_a_port_share_the_copy(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 12."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []
    receiver.on_message.add_listener(lambda message, port: message.append("changed"))
    receiver.on_message.add_listener(lambda message, port: seen.append(message))
    opener.post_message([])
    await settle()
    assert seen == [["changed"]]


@each_dialect
async def test_every_json_value_is_a_message(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 13: null, false, 0 and the empty text are no end of file, neither for listeners nor for readers."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    values = [None, False, 0, "", [], {}, math.nan, "\ud800", 2**70]
    arrived = [None, False, 0, "", [], {}, None, "\ud800", 2**70]
    witness = Witness(receiver)
    for value in values:
        opener.post_message(value)
        receiver.post_message(value)
    await settle()
    assert witness.seen == arrived
    opener, receiver = open_port_pair(nursery)
    for value in values:
        opener.post_message(value)
    assert [await receiver.receive() for _ in values] == arrived


@pytest.mark.parametrize("way", ["post_message", "send"])
@each_dialect
async def test_what_is_no_message_sends_nothing(nursery: trio.Nursery, dialect: Any, way: str) -> None:
    """Rule 12: it raises at the call, names the place, and the port lives on."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    for message, path in (({"a": [b"raw"]}, "$.a[0]"), ({"a": b"r" * 400}, "$.a"), (object(), "$")):
        with pytest.raises(NotSerializableError) as caught:
            await post(opener, message, way)
        assert caught.value.path == path
    opener.post_message("fine")
    await settle()
    assert witness.seen == ["fine"]


@pytest.mark.parametrize("way", ["post_message", "send"])
@each_dialect
async def test_a_message_over_the_limit_sends_nothing(nursery: trio.Nursery, dialect: Any, way: str) -> None:
    """Rule 16: the limit itself is fine."""
    opener, receiver = open_port_pair(nursery, dialect=dialect, max_message_bytes=400)
    witness = Witness(receiver)
    await post(opener, "x" * 398, way)
    with pytest.raises(MessageTooLargeError) as caught:
        await post(opener, "x" * 399, way)
    assert (caught.value.size, caught.value.limit) == (401, 400)
    await settle()
    assert witness.seen == ["x" * 398]
    with pytest.raises(MessageTooLargeError):
        open_port_pair(nursery, max_message_bytes=3)[0].post_message("xx")


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("trio", "The message has 67108865 bytes, and this connection carries 67108864 at most."),
        ("firefox", None),
        ("chrome", "Message exceeded maximum allowed size of 64MiB."),
    ],
)
async def test_the_limit_unless_told_otherwise(nursery: trio.Nursery, dialect: Any, text: str | None) -> None:
    """Rule 16: 64 MiB encoded in trio and Chromium, none in Firefox."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    message = "x" * (64 * 1024 * 1024 - 1)
    if text is None:
        opener.post_message(message)
    else:
        with pytest.raises(MessageTooLargeError) as caught:
            opener.post_message(message)
        assert str(caught.value) == text
    witness = Witness(receiver)
    opener.post_message(message[1:])
    await settle()
    assert [len(seen) for seen in witness.seen[-1:]] == [64 * 1024 * 1024 - 2]


@pytest.mark.parametrize("way", ["post_message", "send"])
@each_dialect
async def test_posting_after_ones_own_disconnect(nursery: trio.Nursery, dialect: Any, way: str) -> None:
    """Rule 23: closed here is ClosedResourceError, at once and ever after, in the browser's words."""
    for end in (0, 1):
        port = open_port_pair(nursery, dialect=dialect)[end]
        port.disconnect()
        for _ in range(2):
            with pytest.raises(trio.ClosedResourceError, match=CLOSED_TEXTS[dialect]):
                await post(port, 1, way)
            await settle()


@pytest.mark.parametrize("way", ["post_message", "send"])
@each_dialect
async def test_posting_after_the_end_was_delivered(nursery: trio.Nursery, dialect: Any, way: str) -> None:
    """Rule 23: gone there is BrokenResourceError, at once and ever after, in the browser's words."""
    for end in (0, 1):
        ports = open_port_pair(nursery, dialect=dialect)
        ports[1 - end].disconnect()
        await settle()
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError, match=CLOSED_TEXTS[dialect]) as caught:
                await post(ports[end], 1, way)
            assert caught.value.__cause__ is None
            ports[end].disconnect()


@each_dialect
async def test_post_message_is_silent_while_the_end_is_on_its_way(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 23: a peer that leaves early cannot crash whoever answers it; send knows better and raises at once."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    opener.disconnect()
    receiver.post_message("nobody hears it")
    with pytest.raises(trio.BrokenResourceError):
        await receiver.send("nobody hears it")
    await settle()
    with pytest.raises(trio.BrokenResourceError):
        receiver.post_message("and now it is known")


@each_dialect
async def test_a_listener_may_answer_whoever_has_gone(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 23: while messages of somebody who has left are dispatched, answers go nowhere, silently."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []

    def answer(message: Any, port: Port) -> None:
        port.post_message("answer")
        seen.append(message)

    receiver.on_message.add_listener(answer)
    opener.post_message(1)
    opener.post_message(2)
    opener.disconnect()
    await settle()
    assert seen == [1, 2]


@each_dialect
async def test_posting_in_on_disconnect_raises(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 22 and 23: the port is closed before its listeners are told; disconnect there does nothing."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    caught: list[Exception] = []

    @receiver.on_disconnect.add_listener
    def listen(port: Port) -> None:
        try:
            port.post_message(1)
        except trio.BrokenResourceError as error:
            caught.append(error)
        port.disconnect()

    opener.disconnect()
    await settle()
    assert len(caught) == 1
    assert receiver.statistics().state == "ended"


async def test_posting_from_another_thread_is_refused(nursery: trio.Nursery) -> None:
    """Outside Trio the call says so, and nothing was sent."""
    opener, receiver = open_port_pair(nursery)
    witness = Witness(receiver)
    caught: list[BaseException] = []

    def run() -> None:
        try:
            opener.post_message("from elsewhere")
        except RuntimeError as error:
            caught.append(error)

    for _ in range(2):  # With and without a task that waits at the other end.
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        await settle()
    assert len(caught) == 2
    opener.post_message("from here")
    await settle()
    assert witness.seen == ["from here"]


async def test_posting_by_way_of_from_thread(nursery: trio.Nursery) -> None:
    """The way that the error names works."""
    opener, receiver = open_port_pair(nursery)
    await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(opener.post_message, "hello"))
    assert await receiver.receive() == "hello"


async def test_a_full_queue_takes_nothing(nursery: trio.Nursery) -> None:
    """Rule 17: post_message raises WouldBlock and sends nothing; room makes it possible again."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=2)
    opener.post_message(1)
    opener.post_message(2)
    for _ in range(2):
        with pytest.raises(trio.WouldBlock, match="2 messages wait at the other end"):
            opener.post_message(3)
    assert opener.statistics().messages_unsent == 2
    assert receiver.statistics().messages_waiting == 2
    assert await receiver.receive() == 1
    opener.post_message(4)
    assert [await receiver.receive() for _ in range(2)] == [2, 4]


@pytest.mark.parametrize(("dialect", "bound"), [("trio", 1024), ("firefox", math.inf), ("chrome", math.inf)])
async def test_the_bound_unless_told_otherwise(nursery: trio.Nursery, dialect: Any, bound: float) -> None:
    """Rule 17: none in the browsers."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    assert opener.statistics().max_buffer_size == bound
    for number in range(1024):
        opener.post_message(number)
    if bound == 1024:
        with pytest.raises(trio.WouldBlock):
            opener.post_message("too many")
    else:
        opener.post_message("one more")
    assert receiver.statistics().messages_waiting == 1024 + (bound != 1024)


async def test_send_waits_and_senders_are_served_in_order(nursery: trio.Nursery) -> None:
    """Rule 17: first come, first served, and post_message does not overtake who waits."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)
    opener.post_message(0)
    for number in (1, 2, 3):
        nursery.start_soon(opener.send, number)
        await settle()
    assert opener.statistics().tasks_waiting_send == 3
    assert receiver.statistics().tasks_waiting_send == 0
    assert await receiver.receive() == 0
    with pytest.raises(trio.WouldBlock):
        opener.post_message("pushy")
    assert [await receiver.receive() for _ in range(3)] == [1, 2, 3]
    assert opener.statistics().tasks_waiting_send == 0


async def test_a_cancelled_send_has_sent_nothing(nursery: trio.Nursery) -> None:
    """Neither one that waited nor one that met its cancellation at the door; who waits behind it moves up."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await opener.send("cancelled before")
    opener.post_message("first")
    with trio.CancelScope() as waiting:
        nursery.start_soon(cancel_when_settled, waiting)
        await opener.send("cancelled while waiting")
    assert opener.statistics().tasks_waiting_send == 0
    nursery.start_soon(opener.send, "second")
    assert [await receiver.receive() for _ in range(2)] == ["first", "second"]
    assert receiver.statistics().messages_waiting == 0


async def test_send_that_times_out(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> None:
    """fail_after ends the wait, and nothing was sent."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)
    opener.post_message(1)
    with pytest.raises(trio.TooSlowError):
        with trio.fail_after(3):
            await opener.send(2)
    opener.disconnect()
    assert [message async for message in receiver] == [1]


@pytest.mark.parametrize("who", ["own side", "other side"])
async def test_disconnect_while_a_sender_waits(nursery: trio.Nursery, who: str) -> None:
    """It raises at once: closed here, or broken there; and so does whoever comes later."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)
    opener.post_message(1)
    error = trio.ClosedResourceError if who == "own side" else trio.BrokenResourceError
    nursery.start_soon(disconnect_when_settled, opener if who == "own side" else receiver)
    with pytest.raises(error):
        await opener.send(2)
    with pytest.raises(error):
        await opener.send(3)
    if who == "own side":
        assert [message async for message in receiver] == [1]


async def test_an_echo_has_back_pressure(nursery: trio.Nursery) -> None:
    """Rule 17: a port's own listener never gets WouldBlock; the next message waits until its answer is queued."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=2)
    seen: list[Any] = []

    @receiver.on_message.add_listener
    def echo(message: Any, port: Port) -> None:
        seen.append(message)
        port.post_message([message, "first"])
        port.post_message([message, "second"])

    async def feed() -> None:
        for number in range(6):
            await opener.send(number)

    nursery.start_soon(feed)
    await settle()
    assert seen == [0, 1]  # Two answers fit, and the next two were posted all the same.
    assert opener.statistics().messages_waiting == 4
    assert receiver.statistics().tasks_waiting_send == 1
    arrived = [await opener.receive() for _ in range(12)]
    assert arrived == [[number, which] for number in range(6) for which in ("first", "second")]


async def test_what_a_listener_posts_elsewhere_is_not_its_own(nursery: trio.Nursery) -> None:
    """Rule 17: posting to another port may raise, which is then the listener's error."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)
    other, _ = open_port_pair(nursery, max_buffer_size=1)
    other.post_message("full")
    caught: list[Exception] = []

    @receiver.on_message.add_listener
    def forward(message: Any, port: Port) -> None:
        try:
            other.post_message(message)
        except trio.WouldBlock as error:
            caught.append(error)

    opener.post_message(1)
    await settle()
    assert len(caught) == 1


@pytest.mark.parametrize("who", ["own side", "other side"])
async def test_disconnect_while_an_echo_waits_for_room(nursery: trio.Nursery, who: str) -> None:
    """What the listener posted in excess neither hangs nor fails when one of the two ends goes."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)
    receiver.on_message.add_listener(lambda message, port: [port.post_message(n) for n in range(3)])
    opener.post_message(1)
    await settle()
    assert receiver.statistics().tasks_waiting_send == 1
    (receiver if who == "own side" else opener).disconnect()
    await settle()
    assert receiver.statistics().tasks_waiting_send == 0
    if who == "own side":
        assert [message async for message in opener] == [0, 1, 2]
        await settle()
    assert not nursery.child_tasks - {trio.lowlevel.current_task()}


async def test_a_cancelled_sender_does_not_hold_another_ends_listener_back() -> None:
    """A listener whose excess was queued meanwhile goes on, also if the sender who stood before it gives up."""
    async with open_browser(max_buffer_size=1) as browser:
        extension = browser.install("notes@example.org")
        receivers: list[Port] = []
        for name in ("one.html", "two.html"):
            extension.open_page(name).runtime.on_connect.add_listener(receivers.append)
        opener = extension.inject(browser.open_tab("https://example.org/")).runtime.connect()
        await settle()
        one, two = receivers
        seen: list[Any] = []

        @two.on_message.add_listener
        def echo(message: Any, port: Port) -> None:
            seen.append(message)
            if message == "twice":
                port.post_message(1)
                port.post_message(2)

        one.post_message(0)
        scope = trio.CancelScope()

        async def send() -> None:
            with scope:
                await one.send("given up")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await settle()
            opener.post_message("twice")
            await settle()
            assert [await opener.receive() for _ in range(2)] == [0, 1]
            await settle()
            assert await one.receive() == "twice"
            opener.post_message("next")
            await settle()
            assert seen == [
                "twice"
            ]  # One message is queued, which is the bound; the sender stands before the listener.
            scope.cancel()
            await settle()
            assert seen == ["twice", "next"]


async def test_outside_trio_disconnect_says_so() -> None:
    """From another thread nothing can be ended."""
    async with trio.open_nursery() as nursery:
        opener, _ = open_port_pair(nursery)
        await refuse_elsewhere(opener.disconnect)
        assert opener.statistics().state == "open"
        await opener.aclose()


async def test_statistics_and_repr(nursery: trio.Nursery) -> None:
    """Identity, side, state and reason."""
    opener, receiver = open_port_pair(nursery, "talk", max_buffer_size=7)
    assert attrs.asdict(opener.statistics()) == {
        "state": "open",
        "messages_waiting": 0,
        "messages_unsent": 0,
        "max_buffer_size": 7,
        "tasks_waiting_send": 0,
        "bytes_waiting": 0,
        "bytes_unsent": 0,
        "max_buffer_bytes": 64 * 2**20,
    }
    assert repr(opener) == f"<Port 'talk' (opener, open) at {id(opener):#x}>"
    opener.post_message(1)
    assert opener.statistics().messages_unsent == receiver.statistics().messages_waiting == 1
    with pytest.raises(ValueError, match="crash"):
        async with opener:
            raise ValueError("crash")
    assert repr(opener) == f"<Port 'talk' (opener, closed) at {id(opener):#x}>"
    await settle()
    assert repr(receiver) == f"<Port 'talk' (receiver, ended, crashed) at {id(receiver):#x}>"


async def test_a_port_cannot_be_copied(nursery: trio.Nursery) -> None:
    """It is one end of something that lives."""
    opener, _ = open_port_pair(nursery)
    for call in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            call(opener)


async def test_every_waiting_call_has_a_checkpoint(nursery: trio.Nursery) -> None:
    """On success, and where it ends at once."""
    opener, receiver = open_port_pair(nursery)
    with assert_checkpoints():
        await opener.send(1)
    with assert_checkpoints():
        assert await receiver.receive() == 1
    opener.post_message(2)
    with assert_checkpoints():
        assert await receiver.__anext__() == 2
    with assert_checkpoints():
        async with opener:
            pass
    with assert_checkpoints():
        await opener.wait_disconnected()
    with assert_checkpoints(), pytest.raises(trio.EndOfChannel):
        await receiver.receive()
    with assert_checkpoints():
        await receiver.aclose()
    _, closed = open_port_pair(nursery)
    with assert_checkpoints():
        await closed.aclose()


async def test_aclose_disconnects_even_if_cancelled(nursery: trio.Nursery) -> None:
    """As Trio has it: a cancelled aclose has closed."""
    opener, _ = open_port_pair(nursery)
    with trio.CancelScope() as scope:
        scope.cancel()
        await opener.aclose()
    assert scope.cancelled_caught
    assert opener.statistics().state == "closed"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_can_be_copied_and_pickled(error: Exception) -> None:
    """An error that crosses a process border keeps its type, its text and its data."""
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (str(error), vars(error))


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


@pytest.mark.parametrize("message", [Stubborn(a=object()), {"a": Stubborn(b=b"bytes")}])
async def test_a_message_that_fails_while_it_is_looked_at(nursery: trio.Nursery, message: Any) -> None:
    """Whatever a message raises, the caller is told that it is not JSON."""
    opener, _ = open_port_pair(nursery)
    with pytest.raises(NotSerializableError):
        opener.post_message(message)
    opener.disconnect()


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


async def test_a_message_that_is_refused_is_one_error(nursery: trio.Nursery) -> None:
    """Not two tracebacks, one for each look at it."""
    opener, _ = open_port_pair(nursery)
    with pytest.raises(NotSerializableError) as refusal:
        opener.post_message({"file": b"x"})
    assert refusal.value.__context__ is None
    opener.disconnect()


async def test_sending_from_another_thread(nursery: trio.Nursery) -> None:
    """It is refused there, with or without a Trio run, and nothing was sent."""
    opener, receiver = open_port_pair(nursery)

    def send() -> None:
        with suppress(StopIteration):
            opener.send(1).send(None)  # type: ignore[attr-defined]

    await refuse_elsewhere(send)
    assert receiver.statistics().messages_waiting == 0
    opener.disconnect()


async def test_receiving_and_waiting_from_another_thread(nursery: trio.Nursery) -> None:
    """These are refused there as well, even if Trio runs in that thread, and the port goes on here."""
    opener, receiver = open_port_pair(nursery)

    for call in (receiver.receive, receiver.__anext__, receiver.wait_disconnected, receiver.__aenter__):

        def start(call: Any = call) -> None:
            call().send(None)

        await refuse_elsewhere(start)
    async with receiver:
        opener.post_message("hello")
        assert await receiver.receive() == "hello"
    opener.disconnect()


def test_what_a_host_loop_may_call() -> None:
    """In guest mode, a callback of the host loop posts and disconnects as a task does that is not a listener."""
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    outcomes: list[Any] = []
    full: list[str] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery, max_buffer_size=1)
            witness, came = Witness(), trio.Event()

            def call_from_host() -> None:
                opener.post_message("hello")
                witness.watch(receiver)  # Starts a task that does not run yet.
                receiver.post_message("first")
                try:
                    receiver.post_message("too much")
                except trio.WouldBlock as error:
                    full.append(str(error))
                came.set()

            jobs.put(call_from_host)
            await came.wait()
            await settle()
            assert witness.seen == ["hello"]
            jobs.put(receiver.disconnect)
            assert [message async for message in opener] == ["first"]

    trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=jobs.put, done_callback=outcomes.append)
    while not outcomes:
        jobs.get()()
    outcomes[0].unwrap()
    assert full == ["1 messages wait at the other end, of 7 bytes; `await port.send(message)` waits for room"]
