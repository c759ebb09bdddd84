"""A port: posting, sending, receiving, and every way to see the end. Both ends, and each rule once more afterwards."""

from __future__ import annotations

import copy
import math
import pickle
import threading
from typing import Any

import attrs
import msgspec
import pytest
import trio
from support import Witness, each_dialect, refuse_elsewhere, settle
from trio.testing import assert_checkpoints

from trio_ports import (
    Cause,
    MessageShapeError,
    MessageTooLargeError,
    NotSerializableError,
    Port,
    open_browser,
    open_port_pair,
)

CLOSED_TEXTS = {
    "trio": "has disconnected",
    "firefox": "Attempt to postMessage on disconnected port",
    "chrome": "Attempting to use a disconnected port object",
}


# Posting ------------------------------------------------------------------------------------------------------------


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


async def post(port: Port, message: Any, way: str) -> None:
    if way == "send":
        await port.send(message)
    else:
        port.post_message(message)


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


# Back pressure ------------------------------------------------------------------------------------------------------


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


async def cancel_when_settled(scope: trio.CancelScope) -> None:
    await settle()
    scope.cancel()


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


async def disconnect_when_settled(port: Port) -> None:
    await settle()
    port.disconnect()


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


# Receiving ----------------------------------------------------------------------------------------------------------


@each_dialect
async def test_receive_waits_for_a_message(nursery: trio.Nursery, dialect: Any) -> None:
    """Blocked while there is none; a cancelled call has taken nothing."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    with trio.CancelScope() as scope:
        nursery.start_soon(cancel_when_settled, scope)
        await receiver.receive()
    assert scope.cancelled_caught
    opener.post_message(1)
    assert await receiver.receive() == 1


@each_dialect
async def test_async_for_ends_with_the_connection(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 25: after the last message, in good order."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []

    async def read() -> None:
        seen.extend([message async for message in receiver])
        seen.append("end of loop")

    nursery.start_soon(read)
    await settle()
    opener.post_message(1)
    opener.post_message(2)
    opener.disconnect()
    await settle()
    assert seen == [1, 2, "end of loop"]


@each_dialect
async def test_receive_after_the_end(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 25: EndOfChannel after an orderly end, once blocked and then again and again."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    nursery.start_soon(disconnect_when_settled, opener)
    for _ in range(3):
        with pytest.raises(trio.EndOfChannel), assert_checkpoints():
            await receiver.receive()
    assert receiver.statistics().state == "ended"


@each_dialect
async def test_receive_after_ones_own_disconnect(nursery: trio.Nursery, dialect: Any) -> None:
    """ClosedResourceError, once blocked and then again and again; async for does not hide it."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    nursery.start_soon(disconnect_when_settled, receiver)
    for _ in range(2):
        with pytest.raises(trio.ClosedResourceError, match=CLOSED_TEXTS[dialect]):
            await receiver.receive()
    with pytest.raises(trio.ClosedResourceError):
        async for _ in receiver:
            raise AssertionError
    await settle()
    opener.disconnect()  # Its end had been delivered, so this changes nothing.
    with pytest.raises(trio.EndOfChannel):
        await opener.receive()


async def test_receive_after_a_crash(nursery: trio.Nursery) -> None:
    """Rule 25: BrokenResourceError from port.error, after the last message; async for raises it too."""
    opener, receiver = open_port_pair(nursery)
    with pytest.raises(ValueError, match="secret"):
        async with opener:
            opener.post_message("last words")
            raise ValueError("secret")
    assert await receiver.receive() == "last words"
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError, match=r"^The other end failed\.$") as caught:
            await receiver.receive()
        assert caught.value.__cause__ is receiver.error
    with pytest.raises(trio.BrokenResourceError):
        async for _ in receiver:
            raise AssertionError
    assert receiver.error is not None
    assert receiver.error.cause is Cause.CRASHED
    with pytest.raises(trio.BrokenResourceError) as refused:
        receiver.post_message(1)
    assert refused.value.__cause__ is receiver.error


@each_dialect
async def test_one_reader_at_a_time(nursery: trio.Nursery, dialect: Any) -> None:
    """A second reader, and a listener beside a reader, are told so; the first reader notices nothing."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []

    async def read() -> None:
        seen.append(await receiver.receive())

    nursery.start_soon(read)
    await settle()
    with pytest.raises(trio.BusyResourceError, match="another task is reading"):
        await receiver.receive()
    with pytest.raises(trio.BusyResourceError, match="a task is reading"):
        receiver.on_message.add_listener(lambda message, port: None)
    assert receiver.on_message.listeners == ()
    receiver.on_disconnect.add_listener(lambda port: None)
    opener.post_message(1)
    await settle()
    assert seen == [1]


@each_dialect
async def test_a_reader_beside_listeners_is_refused(nursery: trio.Nursery, dialect: Any) -> None:
    """One style of consumer at a time: once the listeners are gone, reading is possible, and the other way round."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    with pytest.raises(trio.BusyResourceError, match="on_message has listeners"):
        await receiver.receive()
    opener.post_message(1)
    await settle()
    receiver.on_message.remove_listener(witness.hear)
    with trio.move_on_after(0):
        await receiver.receive()
    opener.post_message(2)
    assert await receiver.receive() == 2
    receiver.on_message.add_listener(witness.hear)
    opener.post_message(3)
    await settle()
    assert witness.seen == [1, 3]


@pytest.mark.parametrize(("dialect", "kept"), [("trio", True), ("firefox", False), ("chrome", False)])
async def test_a_message_that_nobody_listens_for(nursery: trio.Nursery, dialect: Any, kept: bool) -> None:
    """Rule 15: kept until somebody does in trio, dropped on arrival in the browsers."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    opener.post_message("early")
    await settle()
    witness = Witness(receiver)
    opener.post_message("late")
    await settle()
    assert witness.seen == (["early", "late"] if kept else ["late"])


@each_dialect
async def test_who_reads_once_is_a_listener_from_then_on(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 15: between two reads nothing is lost."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    opener.post_message("early")
    with trio.move_on_after(0):
        await receiver.receive()
    await settle()
    opener.post_message("one")
    opener.post_message("two")
    await settle()
    assert [await receiver.receive() for _ in range(3)] == ["early", "one", "two"]


@each_dialect
@pytest.mark.parametrize("listened", [False, True], ids=["at once", "after a listener"])
async def test_a_reader_that_waits_gets_the_next_message(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, dialect: Any, listened: bool
) -> None:
    """Rule 15: whoever took what arrived before it, to drop it or for a listener, takes nothing from a reader."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    if listened:
        witness = Witness(receiver)
        await settle()
        receiver.on_message.remove_listener(witness.hear)
    await settle()
    nursery.start_soon(post_later, opener)
    with trio.fail_after(10):
        assert [await receiver.receive() for _ in range(3)] == [1, 2, 3]
    assert receiver.statistics().messages_waiting == 0
    ends = Witness()
    receiver.on_disconnect.add_listener(ends.see_end)
    opener.disconnect()
    await settle()
    assert ends.seen == ["end"]


async def post_later(port: Port) -> None:
    await trio.sleep(1)
    for number in (1, 2, 3):
        port.post_message(number)


async def test_kept_messages_stay_readable_after_the_end(nursery: trio.Nursery) -> None:
    """Rule 24 (trio): without a listener the end is delivered at once, what was kept can be read, then EndOfChannel."""
    opener, receiver = open_port_pair(nursery)
    ends = Witness()
    receiver.on_disconnect.add_listener(ends.see_end)
    opener.post_message(1)
    opener.post_message(2)
    opener.disconnect()
    await settle()
    assert ends.seen == ["end"]
    await receiver.wait_disconnected()
    assert receiver.statistics().messages_waiting == 2
    assert [message async for message in receiver] == [1, 2]
    with pytest.raises(trio.EndOfChannel):
        await receiver.receive()
    assert ends.seen == ["end"]


async def test_kept_messages_go_to_a_listener_that_comes_after_the_end(nursery: trio.Nursery) -> None:
    """Rules 15 and 24 (trio): whoever comes first gets them, in order."""
    opener, receiver = open_port_pair(nursery)
    opener.post_message(1)
    opener.post_message(2)
    opener.disconnect()
    await settle()
    witness = Witness()
    receiver.on_message.add_listener(witness.hear)
    await settle()
    assert witness.seen == [1, 2]
    receiver.on_message.remove_listener(witness.hear)
    with pytest.raises(trio.EndOfChannel):
        await receiver.receive()


@each_dialect
async def test_the_end_waits_for_the_last_message_to_be_read(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 24: with a reader, on_disconnect comes after the last message."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    ends = Witness()
    receiver.on_disconnect.add_listener(ends.see_end)
    nursery.start_soon(disconnect_after_posting, opener, [1, 2, 3])
    assert await receiver.receive() == 1
    await settle()
    assert ends.seen == []
    assert receiver.statistics().state == "ending"
    assert await receiver.receive() == 2
    assert await receiver.receive() == 3
    await settle()
    assert ends.seen == ["end"]
    assert receiver.statistics().state == "ended"


async def disconnect_after_posting(port: Port, messages: list[Any]) -> None:
    await settle()
    for message in messages:
        port.post_message(message)
    port.disconnect()


# The end ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dialect", "told"), [("trio", True), ("firefox", False), ("chrome", False)])
async def test_a_listener_that_comes_after_the_end(nursery: trio.Nursery, dialect: Any, told: bool) -> None:
    """Rule 24: told once in trio, never in the browsers; and never of one's own disconnect."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    opener.disconnect()
    await settle()
    late = Witness()
    for _ in range(2):
        receiver.on_disconnect.add_listener(late.see_end)
        assert late.seen == []  # Rule 32.
        await settle()
        opener.on_disconnect.add_listener(late.see_end)
        receiver.on_disconnect.remove_listener(late.see_end)
        await settle()
        assert late.seen == (["end"] if told else [])
        late.seen *= 0
        told = False


@each_dialect
async def test_wait_disconnected_returns_at_both_ends(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 24 and 25: when the end was delivered or this side disconnected; again and again, and it never raises."""
    ports = open_port_pair(nursery, dialect=dialect)
    done: list[str] = []

    async def wait(port: Port, name: str) -> None:
        await port.wait_disconnected()
        done.append(name)

    for port, name in zip(ports, ("opener", "receiver"), strict=True):
        nursery.start_soon(wait, port, name)
        nursery.start_soon(wait, port, name)
    await settle()
    assert done == []
    ports[0].disconnect()
    await settle()
    assert sorted(done) == ["opener", "opener", "receiver", "receiver"]
    for port in ports:
        with assert_checkpoints():
            await port.wait_disconnected()


@each_dialect
async def test_wait_disconnected_of_a_port_that_was_over_before(nursery: trio.Nursery, dialect: Any) -> None:
    """Nobody had waited when it ended."""
    for port in open_port_pair(nursery, dialect=dialect):
        port.disconnect()
        await settle()
        with assert_checkpoints():
            await port.wait_disconnected()


@each_dialect
async def test_disconnect_in_a_listener(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 30: the other listeners still get this message, nothing after it is delivered, and it is never told."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []

    def bye(message: Any, port: Port) -> None:
        seen.append(("bye", message))
        port.disconnect()

    receiver.on_message.add_listener(bye)
    witness = Witness(receiver)
    ends = Witness(opener)
    for number in range(3):
        opener.post_message(number)
    await settle()
    assert seen == [("bye", 0)]
    assert witness.seen == [0]
    assert ends.seen == ["end"]


@each_dialect
async def test_disconnect_by_somebody_else_between_two_messages(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 21: what was on its way to the one who disconnected is gone."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    opener.post_message(1)
    await settle()
    opener.post_message(2)
    receiver.disconnect()
    await settle()
    assert witness.seen == [1]
    assert receiver.statistics().messages_waiting == 0


async def test_a_message_in_the_tick_of_the_readers_disconnect(nursery: trio.Nursery) -> None:
    """It had been handed over, so it is received; and nothing is counted that is not there."""
    opener, receiver = open_port_pair(nursery)
    seen: list[Any] = []

    async def read() -> None:
        seen.append(await receiver.receive())

    nursery.start_soon(read)
    await settle()
    opener.post_message("just in time")
    receiver.disconnect()
    await settle()
    assert seen == ["just in time"]
    assert receiver.statistics().messages_waiting == 0


async def test_outside_trio_disconnect_says_so() -> None:
    """From another thread nothing can be ended."""
    async with trio.open_nursery() as nursery:
        opener, _ = open_port_pair(nursery)
        await refuse_elsewhere(opener.disconnect)
        assert opener.statistics().state == "open"
        await opener.aclose()


# Errors in listeners -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
@each_dialect
async def test_logged_errors_leave_the_port_alive(
    nursery: trio.Nursery, dialect: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 31: the others run, the port lives, the peer is not told; in trio when asked for."""
    options = {"listener_errors": "log"} if dialect == "trio" else {}
    opener, receiver = open_port_pair(nursery, dialect=dialect, **options)  # type: ignore[arg-type]

    def fail(*_: Any) -> None:
        raise ValueError("of no concern to others")

    async def fail_later(*_: Any) -> None:
        await trio.lowlevel.checkpoint()
        fail()

    failing = fail if kind == "sync" else fail_later
    receiver.on_message.add_listener(failing)
    receiver.on_disconnect.add_listener(failing)
    witness = Witness(receiver)
    peer = Witness(opener)
    opener.post_message(1)
    opener.post_message(2)
    await settle()
    assert (witness.seen, peer.seen) == ([1, 2], [])
    opener.disconnect()
    await settle()
    assert witness.seen == [1, 2, "end"]
    assert opener.error is None
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError] * 3
    assert {record.name for record in caplog.records} == {"trio_ports"}


async def test_a_single_failing_listener_is_logged(nursery: trio.Nursery, caplog: pytest.LogCaptureFixture) -> None:
    """The one listener of a port takes the short way; its errors do not."""
    opener, receiver = open_port_pair(nursery, listener_errors="log")

    @receiver.on_message.add_listener
    def fail(message: Any, port: Port) -> None:
        raise ValueError

    opener.post_message(1)
    opener.post_message(2)
    await settle()
    assert len(caplog.records) == 2
    assert receiver.statistics().state == "open"


# Typed messages ------------------------------------------------------------------------------------------------------


class Move(msgspec.Struct):
    n: int


@attrs.define
class Step:
    n: int


@pytest.mark.parametrize("kind", [Move, Step])
async def test_typed_messages_arrive_as_objects(nursery: trio.Nursery, kind: Any) -> None:
    """Both by reading and by listening."""
    opener, receiver = open_port_pair(nursery, message_type=kind)
    opener.post_message(kind(1))
    assert await receiver.receive() == kind(1)
    witness = Witness(receiver)
    opener.post_message(kind(2))
    await settle()
    assert witness.seen == [kind(2)]


async def test_another_shape_raises_from_receive_and_the_port_lives(nursery: trio.Nursery) -> None:
    """The error has path and bytes; the next message comes as if nothing had been."""
    opener, receiver = open_port_pair(nursery, message_type=Move)
    opener.post_message({"n": "one"})
    opener.post_message({"n": 2})
    with pytest.raises(MessageShapeError) as caught:
        await receiver.receive()
    assert (caught.value.path, caught.value.raw) == ("$.n", b'{"n":"one"}')
    assert await receiver.receive() == Move(2)


async def test_another_shape_counts_as_a_listeners_error(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged where listeners' errors are; the next message comes."""
    opener, receiver = open_port_pair(nursery, message_type=Move, listener_errors="log")
    witness = Witness(receiver)
    opener.post_message("nonsense")
    opener.post_message({"n": 2})
    await settle()
    assert witness.seen == [Move(2)]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [MessageShapeError]


async def test_another_shape_leaves_through_the_nursery() -> None:
    """And the peer is told that this end failed."""
    peers: list[Port] = []
    with pytest.RaisesGroup(MessageShapeError):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery, message_type=Move)
            peers.append(opener)
            Witness(receiver)
            opener.post_message("nonsense")
    assert peers[0].error is not None
    assert peers[0].error.cause is Cause.CRASHED


# What it says of itself ----------------------------------------------------------------------------------------------


async def test_statistics_and_repr(nursery: trio.Nursery) -> None:
    """Identity, side, state and reason."""
    opener, receiver = open_port_pair(nursery, "talk", max_buffer_size=7)
    assert attrs.asdict(opener.statistics()) == {
        "state": "open",
        "messages_waiting": 0,
        "messages_unsent": 0,
        "max_buffer_size": 7,
        "tasks_waiting_send": 0,
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
