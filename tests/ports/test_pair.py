"""A pair of ports: two ends, a nursery, and what happens when either goes."""

from __future__ import annotations

import contextvars
import gc
import math
import weakref
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, each_dialect, open_pair, settle

from trio_ports import Cause, MessageSender, MessageShapeError, Port, open_port_pair

SENDER = MessageSender(id="notes@example.org")


BAD_ARGUMENTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"nursery": None}, TypeError, "nursery must be Nursery"),
    ({"name": None}, TypeError, "name must be str"),
    ({"name": b"name"}, TypeError, "name must be str"),
    ({"sender": "me"}, TypeError, "sender must be MessageSender or None"),
    ({"dialect": "safari"}, ValueError, "dialect must be one of"),
    ({"listener_errors": "ignore"}, ValueError, 'must be "raise" or "log"'),
    ({"max_buffer_size": 0}, ValueError, "max_buffer_size must be at least 1"),
    ({"max_buffer_size": 1.5}, TypeError, "max_buffer_size must be an int or math.inf"),
    ({"max_buffer_size": True}, TypeError, "max_buffer_size must be an int or math.inf"),
    ({"max_message_bytes": -1}, ValueError, "max_message_bytes must be at least 1"),
    ({"max_message_bytes": "64"}, TypeError, "max_message_bytes must be an int or math.inf"),
    ({"observer": 1}, TypeError, "observer must be callable"),
    ({"message_type": 1}, TypeError, "message_type must be a type"),
    ({"message_type": (int,)}, TypeError, "message_type must be a type"),
    ({"message_type": (int, 1)}, TypeError, "message_type must be a type"),
]


@each_dialect
async def test_both_ends_have_the_name_and_only_the_receiver_a_sender(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 8 and 9."""
    opener, receiver = open_port_pair(nursery, "port-from-cs", SENDER, dialect=dialect)
    assert (opener.name, receiver.name) == ("port-from-cs", "port-from-cs")
    assert opener.sender is None
    assert receiver.sender is SENDER
    assert [port.name for port in open_port_pair(nursery)] == ["", ""]


@each_dialect
async def test_messages_go_both_ways(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 10 and 11: each end hears the other, in order, and never itself."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    near, far = Witness(opener), Witness(receiver)
    for number in range(200):
        opener.post_message({"to": "receiver", "n": number})
        receiver.post_message({"to": "opener", "n": number})
    await settle()
    assert near.seen == [{"to": "opener", "n": number} for number in range(200)]
    assert far.seen == [{"to": "receiver", "n": number} for number in range(200)]


@each_dialect
async def test_nothing_happens_inside_a_call(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 1 and 32: no listener runs inside open_port_pair, post_message, add_listener or disconnect."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    opener.post_message("hello")
    opener.disconnect()
    assert witness.seen == []
    await settle()
    assert witness.seen == ["hello", "end"]


@pytest.mark.parametrize("end", [0, 1], ids=["opener", "receiver"])
@each_dialect
async def test_disconnect_is_told_to_the_other_end_once(nursery: trio.Nursery, dialect: Any, end: int) -> None:
    """Rules 18, 19, 21 and 22: after everything that was posted, once, and never to whoever disconnected."""
    ports = open_port_pair(nursery, dialect=dialect)
    leaving, staying = ports[end], ports[1 - end]
    left, stayed = Witness(leaving), Witness(staying)
    staying.post_message("gone")
    for number in range(100):
        leaving.post_message(number)
    leaving.disconnect()
    leaving.disconnect()
    await settle()
    leaving.disconnect()
    staying.disconnect()
    await settle()
    assert stayed.seen == [*range(100), "end"]
    assert left.seen == []
    assert (leaving.error, staying.error) == (None, None)


@each_dialect
async def test_both_disconnect_at_once_and_neither_is_told(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 19."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(opener, receiver)
    opener.disconnect()
    receiver.disconnect()
    await settle()
    assert witness.seen == []


async def test_the_nursery_stays_open_until_both_have_ended() -> None:
    """One disconnect ends both, and with them the task that kept the nursery open."""
    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)
        await settle()
        assert len(nursery.child_tasks) == 1
        opener.disconnect()
        await settle()
        assert not nursery.child_tasks
    assert opener.statistics().state == "closed"
    assert receiver.statistics().state == "ended"


@each_dialect
async def test_a_cancelled_nursery_ends_both_and_tells_one(dialect: Any) -> None:
    """Rule 20: torn down together, the first to go is the one who disconnected; the other one is told, once."""
    async with trio.open_nursery() as nursery:
        ports = open_port_pair(nursery, dialect=dialect)
        witnesses = [Witness(port) for port in ports]
        for port in ports:
            port.post_message("under way")
        nursery.cancel_scope.cancel()
    told = [witness.seen for witness in witnesses if "end" in witness.seen]
    assert len(told) == 1
    assert told[0][-1] == "end"
    assert told[0].count("end") == 1
    assert sorted(port.statistics().state for port in ports) == ["closed", "ended"]
    assert [port.error for port in ports] == [None, None]


async def test_another_tasks_error_ends_both_in_good_order() -> None:
    """A nursery that dies from something else is a cancellation for its ports."""
    ports: list[Port] = []

    async def fail() -> None:
        await settle()
        raise ScriptedError

    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            ports += open_port_pair(nursery)
            witness = Witness(*ports)
            nursery.start_soon(fail)
    assert witness.seen == ["end"]
    assert [port.error for port in ports] == [None, None]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_listeners_error_leaves_through_the_nursery(kind: str) -> None:
    """Rule 31: and the other end is told that, never how, this one failed."""
    peers: list[Port] = []

    def listen(message: Any, port: Port) -> None:
        raise ScriptedError("secret")

    async def listen_later(message: Any, port: Port) -> None:
        await trio.lowlevel.checkpoint()
        raise ScriptedError("secret")

    with pytest.RaisesGroup(pytest.RaisesExc(ScriptedError, match="secret")):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)
            peers.append(opener)
            witness = Witness(opener)
            receiver.on_message.add_listener(listen if kind == "sync" else listen_later)
            opener.post_message("fail")
    assert witness.seen == ["end"]
    error = opener.error
    assert error is not None
    assert error.cause is Cause.CRASHED
    assert "secret" not in repr(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("bound", [1, 5, math.inf])
async def test_options_reach_the_ports(nursery: trio.Nursery, bound: float) -> None:
    """max_buffer_size is what statistics say, at both ends."""
    for port in open_port_pair(nursery, max_buffer_size=bound):
        assert port.statistics().max_buffer_size == bound


async def test_typed_pairs(nursery: trio.Nursery) -> None:
    """message_type holds for what arrives at either end."""
    opener, receiver = open_port_pair(nursery, message_type=int)
    opener.post_message(1)
    receiver.post_message(2)
    assert (await receiver.receive(), await opener.receive()) == (1, 2)


async def test_a_type_for_each_end(nursery: trio.Nursery) -> None:
    """The first is that of what the opener receives."""
    opener, receiver = open_port_pair(nursery, message_type=(int | None, str))
    for good in (1, None):
        receiver.post_message(good)
        assert await opener.receive() == good
    opener.post_message("text")
    assert await receiver.receive() == "text"
    for sending, receiving, wrong in ((opener, receiver, 1), (receiver, opener, "text")):
        sending.post_message(wrong)
        with pytest.raises(MessageShapeError):
            await receiving.receive()


@pytest.mark.parametrize(("arguments", "error", "text"), BAD_ARGUMENTS)
async def test_bad_arguments_raise_and_leave_nothing(
    nursery: trio.Nursery, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Each argument is checked at the call."""
    with pytest.raises(error, match=text):
        open_port_pair(**{"nursery": nursery, **arguments})
    assert not nursery.child_tasks


def test_outside_trio() -> None:
    """The call says what is missing."""
    with pytest.raises(RuntimeError, match=r"open_port_pair must be called from inside trio\.run"):
        open_port_pair(None)  # type: ignore[arg-type]


async def test_a_closed_nursery_is_refused() -> None:
    """As start_soon refuses it; nobody is told of ports that never were."""
    async with trio.open_nursery() as nursery:
        pass
    observed: list[object] = []
    with pytest.raises(RuntimeError):
        open_port_pair(nursery, observer=observed.append)
    assert observed == []


async def test_a_pair_in_a_cancelled_nursery_is_over_at_once() -> None:
    """The scope had ended before the ports were made."""
    async with open_pair() as _, trio.open_nursery() as nursery:
        nursery.cancel_scope.cancel()
        opener, receiver = open_port_pair(nursery)
    assert sorted(port.statistics().state for port in (opener, receiver)) == ["closed", "ended"]


async def test_listeners_have_the_context_variables_of_whoever_opened_the_pair(nursery: trio.Nursery) -> None:
    """Not those of whoever opened another pair in the same nursery, even where the opener has none at all."""
    variable = contextvars.ContextVar[str]("variable", default="none")
    seen: list[str] = []

    async def open_one(value: str | None) -> None:
        if value is not None:
            variable.set(value)
        opener, receiver = open_port_pair(nursery)
        receiver.on_message.add_listener(lambda message, port: seen.append(variable.get()))
        opener.post_message(1)
        await settle()
        opener.disconnect()

    async with trio.open_nursery() as openers:
        for value in ("one", None, "two"):
            contextvars.Context().run(openers.start_soon, open_one, value)
            await trio.lowlevel.checkpoint()
    assert sorted(seen) == ["none", "one", "two"]


async def test_the_first_pair_of_a_nursery_keeps_nobodys_context_variables(nursery: trio.Nursery) -> None:
    """Once it is over, although other pairs of the nursery live on."""
    variable = contextvars.ContextVar[Any]("variable")
    gone: list[weakref.ref[Any]] = []

    async def open_first() -> None:
        value = frozenset({"a value of the first opener"})
        gone.append(weakref.ref(value))
        variable.set(value)
        opener, _ = open_port_pair(nursery)
        await settle()
        opener.disconnect()

    async with trio.open_nursery() as openers:
        openers.start_soon(open_first)
        await trio.lowlevel.checkpoint()
        kept, _ = open_port_pair(nursery)
    await settle()
    gc.collect()
    assert gone[0]() is None
    kept.disconnect()
