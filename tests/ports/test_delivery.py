"""What arrives: listeners, one reader, and how the end is reported. Rules 14, 15, 17 and 21 to 31."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing
from support import (
    ScriptedError,
    Witness,
    each_dialect,
    open_world,
    settle,
)
from trio.testing import assert_checkpoints

from trio_ports import (
    Cause,
    MessageShapeError,
    Port,
    open_port_pair,
)

CLOSED_TEXTS = {
    "trio": "has disconnected",
    "firefox": "Attempt to postMessage on disconnected port",
    "chrome": "Attempting to use a disconnected port object",
}


async def cancel_when_settled(scope: trio.CancelScope) -> None:
    await settle()
    scope.cancel()


async def disconnect_when_settled(port: Port) -> None:
    await settle()
    port.disconnect()


async def post_later(port: Port) -> None:
    await trio.sleep(1)
    for number in (1, 2, 3):
        port.post_message(number)


async def disconnect_after_posting(port: Port, messages: list[Any]) -> None:
    await settle()
    for message in messages:
        port.post_message(message)
    port.disconnect()


class Move(msgspec.Struct):
    n: int


@attrs.define
class Step:
    n: int


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


@each_dialect
async def test_who_reads_from_a_port_whose_peer_crashed(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 20 and 25: an error in trio, an orderly end in the browsers, which tell of no crash at all."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    with pytest.raises(ScriptedError):
        async with opener:
            raise ScriptedError("secret")
    with pytest.raises(trio.BrokenResourceError if dialect == "trio" else trio.EndOfChannel):
        await receiver.receive()


@each_dialect
async def test_a_slow_listener_holds_the_next_message_back(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 14 (ours): an async listener is awaited before the next message, and before the end."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    going_on = trio.Event()
    seen: list[Any] = []

    @receiver.on_message.add_listener
    async def listen(message: Any, port: Port) -> None:
        seen.append(message)
        await going_on.wait()

    receiver.on_disconnect.add_listener(lambda port: seen.append("end"))
    opener.post_message(1)
    opener.post_message(2)
    opener.disconnect()
    await settle()
    assert seen == [1]
    going_on.set()
    await settle()
    assert seen == [1, 2, "end"]


async def test_what_a_listener_returns(nursery: trio.Nursery) -> None:
    """Anything is ignored but what can be awaited."""
    opener, receiver = open_port_pair(nursery)
    receiver.on_message.add_listener(lambda message, port: "a value")
    receiver.on_message.add_listener(lambda message, port: port.send(["echo", message]))
    opener.post_message(1)
    assert await opener.receive() == ["echo", 1]


async def test_a_listener_that_fails_at_the_end_does_not_silence_the_others(nursery: trio.Nursery) -> None:
    """They are told all the same; the error leaves through the block."""
    opener, receiver = open_port_pair(nursery)
    told: list[str] = []

    @receiver.on_disconnect.add_listener
    def fail(port: Port) -> None:
        raise ScriptedError

    receiver.on_disconnect.add_listener(lambda port: told.append("told"))
    with pytest.RaisesGroup(ScriptedError):
        async with receiver:
            opener.disconnect()
            await trio.sleep_forever()
    await settle()
    assert told == ["told"]


async def test_a_listener_that_fails_at_the_end_of_a_pair() -> None:
    """The same where the error leaves through the nursery."""
    told: list[str] = []
    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)

            @receiver.on_disconnect.add_listener
            def fail(port: Port) -> None:
                raise ScriptedError

            receiver.on_disconnect.add_listener(lambda port: told.append("told"))
            opener.disconnect()
    assert told == ["told"]


@each_dialect
async def test_a_context_that_closes_between_two_listeners(dialect: Any) -> None:
    """Rule 20: a context that was closed runs no listeners, not even the rest of those of this message."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        receiver.on_message.add_listener(lambda message, port: world.background.close())
        witness = Witness(receiver)
        opener.post_message(1)
        await settle()
        assert witness.seen == []


async def test_a_late_listener_of_a_closed_context() -> None:
    """Nobody runs it."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        opener.disconnect()
        await settle()
        world.background.close()
        witness = Witness(receiver)
        await settle()
        assert witness.seen == []


async def test_a_task_that_finds_its_port_closed_before_its_cancellation() -> None:
    """It was woken in the tick in which its context closed: that is no failure of it."""
    async with open_world() as world:
        opener, receiver = await world.connect()
        going_on = trio.Event()

        @receiver.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            await going_on.wait()
            port.post_message("answer")

        opener.post_message(1)
        await settle()
        going_on.set()
        world.background.close()
        await settle()


async def test_a_listener_that_uses_its_closed_port_has_ended(nursery: trio.Nursery) -> None:
    """And not failed: it is how code deep inside a listener stops after a disconnect."""
    opener, receiver = open_port_pair(nursery)

    @receiver.on_message.add_listener
    def listen(message: Any, port: Port) -> None:
        port.disconnect()
        port.post_message("too late")

    opener.post_message(1)
    await settle()
    assert (opener.statistics().state, opener.error) == ("ended", None)


async def test_a_listener_that_exceeds_the_bound_and_disconnects(nursery: trio.Nursery) -> None:
    """What it posted is delivered, all of it."""
    opener, receiver = open_port_pair(nursery, max_buffer_size=1)

    @receiver.on_message.add_listener
    def listen(message: Any, port: Port) -> None:
        for number in range(3):
            port.post_message(number)
        port.disconnect()

    opener.post_message(1)
    await settle()
    assert [message async for message in opener] == [0, 1, 2]


async def test_dropped_unobserved(nursery: trio.Nursery) -> None:
    """A dialect that drops, without anybody who watches."""
    opener, receiver = open_port_pair(nursery, dialect="firefox", listener_errors="raise")
    opener.post_message(1)
    await settle()
    assert receiver.statistics().messages_waiting == 0


async def test_listeners_run_in_the_context_variables_of_their_scope() -> None:
    """Not in those of whoever happened to post."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the scope's")
    seen: list[str] = []
    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)

        async def post() -> None:
            variable.set("the poster's")
            receiver.on_message.add_listener(lambda message, port: seen.append(variable.get()))
            opener.post_message(1)
            await settle()
            opener.disconnect()

        nursery.start_soon(post)
    assert seen == ["the scope's"]


async def test_a_reader_outside_the_scope_that_ends() -> None:
    """It comes to the end like any other, whoever notices it first."""
    for _ in range(10):
        errors: list[type[Exception]] = []

        async def read(port: Port, errors: list[type[Exception]] = errors) -> None:
            try:
                await port.receive()
            except (trio.EndOfChannel, trio.ClosedResourceError) as error:
                errors.append(type(error))

        async with trio.open_nursery() as nursery, open_world() as world:
            for port in await world.connect():
                nursery.start_soon(read, port)
            await settle()
        assert sorted(errors, key=repr) == [trio.ClosedResourceError, trio.EndOfChannel]


async def test_contexts_that_connect_to_each_other_in_turns() -> None:
    """Each hears the other's answer in a later round, and nobody else is kept waiting."""
    async with open_world() as world:
        turns: list[str] = []

        def answer(here: str, runtime: Any) -> Any:
            def greet(port: Port) -> None:
                turns.append(here)
                if len(turns) < 20:
                    runtime.connect()

            return greet

        world.background.runtime.on_connect.add_listener(answer("background", world.background.runtime))
        world.page.runtime.on_connect.add_listener(answer("page", world.page.runtime))
        world.page.runtime.connect()
        await settle()
        assert turns == ["background", "page"] * 10


async def test_more_than_a_batch_that_was_kept(nursery: trio.Nursery) -> None:
    """A listener added after the end gets everything that was kept, not the first batch of it."""
    opener, receiver = open_port_pair(nursery)
    for number in range(200):
        opener.post_message(number)
    opener.disconnect()
    await settle()
    seen: list[Any] = []
    receiver.on_message.add_listener(lambda message, port: seen.append(message))
    await settle()
    assert seen == list(range(200))


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


@each_dialect
async def test_a_listener_that_reads_the_next_message(nursery: trio.Nursery, dialect: Any) -> None:
    """A handshake: it takes itself out, reads, and leaves the rest to another one. Nothing is lost or overtaken."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []

    @receiver.on_message.add_listener
    async def greet(message: Any, port: Port) -> None:
        port.on_message.remove_listener(greet)
        seen.extend([message, await port.receive()])
        opener.post_message(4)
        port.on_message.add_listener(lambda message, port: seen.append(message))

    await settle()
    for number in range(4):
        opener.post_message(number)
    await settle()
    assert seen == [0, 1, 2, 3, 4]


@each_dialect
async def test_another_task_reads_while_a_listener_waits(nursery: trio.Nursery, dialect: Any) -> None:
    """The listener was taken out, and is not through yet."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    seen: list[Any] = []
    gate = trio.Event()

    @receiver.on_message.add_listener
    async def wait(message: Any, port: Port) -> None:
        await gate.wait()

    opener.post_message(0)
    await settle()
    receiver.on_message.remove_listener(wait)
    for number in range(1, 4):
        opener.post_message(number)
    seen.append(await receiver.receive())
    receiver.on_message.add_listener(lambda message, port: seen.append(message))
    gate.set()
    await settle()
    assert seen == [1, 2, 3]


async def test_a_listener_added_while_the_end_is_told(nursery: trio.Nursery) -> None:
    """It gets what was kept, whoever adds it."""
    for waits in (False, True):
        opener, receiver = open_port_pair(nursery)
        witness = Witness()
        gate = trio.Event()

        async def add(port: Port, gate: trio.Event = gate, witness: Witness = witness) -> None:
            await gate.wait()
            port.on_message.add_listener(witness.hear)

        receiver.on_disconnect.add_listener(add)
        if not waits:
            gate.set()
        opener.post_message(1)
        opener.post_message(2)
        opener.disconnect()
        await settle()
        gate.set()
        await settle()
        assert witness.seen == [1, 2]


@each_dialect
async def test_a_reader_of_many_frames_that_are_ignored(nursery: trio.Nursery, dialect: Any) -> None:
    """Where malformed frames are ignored, any number of them is."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    for _ in range(3000):
        opener._end.put(b"{x}")
    opener._end.put(b'"after"')
    if dialect == "chrome":
        assert await receiver.receive() == "after"
    else:
        with pytest.raises(trio.BrokenResourceError):
            await receiver.receive()


@each_dialect
@pytest.mark.parametrize("pages", [1, 2])
async def test_who_sends_and_then_reads_gets_the_answer(dialect: Any, pages: int) -> None:
    """Sending lets others run, and they may answer at once; what is not read then is dropped where nobody listens."""
    for _ in range(20):
        async with open_world(dialect=dialect) as world:
            for number in range(pages):
                page = world.extension.open_page(f"{number}.html")
                page.runtime.on_connect.add_listener(
                    lambda port: port.on_message.add_listener(lambda message, port: port.post_message(message))
                )
            async with world.page.runtime.connect() as port:
                await port.send(1)
                await port.send(2)
                answers = [await port.receive() for _ in range(2 * pages)]
                assert sorted(answers) == sorted([1, 2] * pages)
            port = world.page.runtime.connect()
            await port.send(3)
            await settle()
            assert port.statistics().messages_waiting == (pages if dialect == "trio" else 0)


@pytest.mark.parametrize("dialect", ["firefox", "chrome"])
async def test_a_malformed_message_that_nobody_listens_for(nursery: trio.Nursery, dialect: Any) -> None:
    """It ends the connection, where it would if somebody did; what is a message of another shape is only dropped."""
    opener, receiver = open_port_pair(nursery, dialect=dialect, message_type=int)
    await settle()
    opener.post_message("no number")
    await settle()
    assert receiver.statistics().state == "open"
    opener._end.put(b"{x")
    await settle()
    assert receiver.statistics().state == ("ended" if dialect == "firefox" else "open")
    receiver.disconnect()


async def test_late_listeners_that_are_equal(nursery: trio.Nursery) -> None:
    """Each of them is told: equal is not the same."""

    @dataclass
    class Recorder:
        told: list[Port]

        def __call__(self, port: Port) -> None:
            self.told.append(port)

    opener, receiver = open_port_pair(nursery)
    recorders = [Recorder([]) for _ in range(3)]
    receiver.on_disconnect.add_listener(recorders[0])
    opener.disconnect()
    await settle()
    recorders[0].told.clear()
    for recorder in recorders:
        receiver.on_disconnect.add_listener(recorder)
    await settle()
    assert [recorder.told for recorder in recorders] == [[], [receiver], [receiver]]
