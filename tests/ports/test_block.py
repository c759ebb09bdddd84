"""The block of a port: ``async with port:``. Rule 20."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from support import (
    PATIENCE_SECONDS,
    ScriptedError,
    Witness,
    each_dialect,
    open_world,
    settle,
)
from trio.testing import assert_checkpoints

from trio_ports import (
    Cause,
    Port,
    open_browser,
    open_port_pair,
)

ORDERS = 20
"""How often to try what depends on the order in which Trio runs two tasks, which it draws."""


def crashed(port: Port, dialect: str = "trio") -> bool:
    """Say whether the port was told of a crash, where the dialect tells."""
    if dialect != "trio":
        return port.error is None
    return port.error is not None and port.error.cause is Cause.CRASHED and "secret" not in repr(port.error)


async def greet_and_answer(dialect: Any) -> None:
    async with open_world(dialect=dialect) as world:

        @world.background.runtime.on_connect.add_listener
        async def greet(port: Port) -> None:
            port.post_message("hello")
            async with port:
                await port.send(await port.receive())

        async with world.page.runtime.connect() as port:
            assert await port.receive() == "hello"
            port.post_message("and you")
            assert await port.receive() == "and you"


async def set_when_settled(event: trio.Event) -> None:
    await settle()
    event.set()


async def cancel_when_settled_twice(scope: trio.CancelScope) -> None:
    await settle()
    await settle()
    scope.cancel()


async def open_gate(gate: trio.Event) -> None:
    await trio.testing.wait_all_tasks_blocked()
    gate.set()


@each_dialect
async def test_leaving_the_block_disconnects(nursery: trio.Nursery, dialect: Any) -> None:
    """After everything that was posted, without error; and whoever left is not told."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness, own = Witness(receiver), Witness(opener)
    with assert_checkpoints():
        async with opener as entered:
            assert entered is opener
            opener.post_message(1)
    assert opener.statistics().state == "closed"
    await settle()
    assert (witness.seen, own.seen, receiver.error) == ([1, "end"], [], None)


@each_dialect
async def test_a_reader_in_the_block_loses_nothing_on_its_way_in(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, dialect: Any
) -> None:
    """Rule 15: what arrives while the block is entered waits for its first step; the end comes after it."""
    for _ in range(ORDERS):
        opener, receiver = open_port_pair(nursery, dialect=dialect)
        witness = Witness()
        opener.on_disconnect.add_listener(witness.see_end)
        await settle()
        receiver.post_message(1)
        receiver.disconnect()
        with trio.fail_after(10):
            async with opener as port:
                assert await port.receive() == 1
                assert witness.seen == []
                with pytest.raises(trio.EndOfChannel):
                    await port.receive()
                await settle()
                assert witness.seen == ["end"]


@each_dialect
async def test_a_listener_in_the_block_loses_nothing_on_its_way_in(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 15: it is told what arrives while the block is entered, and then the end."""
    for _ in range(ORDERS):
        opener, receiver = open_port_pair(nursery, dialect=dialect)
        await settle()
        receiver.post_message(1)
        receiver.disconnect()
        async with opener as port:
            witness = Witness(port)
            await settle()
            assert witness.seen == [1, "end"]


@each_dialect
async def test_a_block_that_does_not_listen(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 15: what arrived on its way in is dropped in the browsers, kept in trio; the end is told at once."""
    for _ in range(ORDERS):
        opener, receiver = open_port_pair(nursery, dialect=dialect)
        witness = Witness()
        opener.on_disconnect.add_listener(witness.see_end)
        await settle()
        receiver.post_message(1)
        receiver.disconnect()
        async with opener as port:
            await settle()
            assert witness.seen == ["end"]
            assert [message async for message in port] == ([1] if dialect == "trio" else [])


@each_dialect
async def test_whoever_connects_in_a_block_gets_the_greeting(
    autojump_clock: trio.testing.MockClock, dialect: Any
) -> None:
    """Rule 15: the first ``receive`` gets what an on_connect listener posts, also in a block of an async listener."""
    for _ in range(ORDERS):
        with trio.fail_after(10):
            await greet_and_answer(dialect)


@each_dialect
async def test_a_cancelled_way_into_a_block_disconnects(nursery: trio.Nursery, dialect: Any) -> None:
    """The other side is told once, in good order, whatever was on its way."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    receiver.post_message(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        async with opener:
            raise NotImplementedError
    await settle()
    assert witness.seen == ["end"]
    assert receiver.error is None


@each_dialect
async def test_crashing_in_the_block(nursery: trio.Nursery, dialect: Any) -> None:
    """The exception leaves as it is; the other end hears that, and in trio that it was a crash, never how."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    error = ScriptedError("secret")
    with pytest.raises(ScriptedError) as caught:
        async with opener:
            opener.post_message(1)
            raise error
    assert caught.value is error
    assert caught.value.__context__ is None
    await settle()
    assert witness.seen == [1, "end"]
    assert crashed(receiver, dialect)


@each_dialect
async def test_cancelling_the_block_is_orderly(nursery: trio.Nursery, dialect: Any) -> None:
    """Whatever cancelled it."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    witness = Witness(receiver)
    with trio.CancelScope() as scope:
        async with opener:
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    await settle()
    assert (witness.seen, receiver.error) == (["end"], None)


async def test_a_timeout_round_the_block_is_orderly(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """fail_after outside makes its error outside; inside, it is the body's error and a crash."""
    opener, receiver = open_port_pair(nursery)
    with pytest.raises(trio.TooSlowError):
        with trio.fail_after(1):
            async with opener:
                await trio.sleep_forever()
    await settle()
    assert receiver.error is None
    opener, receiver = open_port_pair(nursery)
    with pytest.raises(trio.TooSlowError):
        async with opener:
            with trio.fail_after(1):
                await trio.sleep_forever()
    await settle()
    assert crashed(receiver)


async def test_a_group_of_a_crash_and_cancellations_is_a_crash(nursery: trio.Nursery) -> None:
    """A crash is what remains once every Cancelled is taken out."""
    opener, receiver = open_port_pair(nursery)
    with pytest.RaisesGroup(ScriptedError):
        async with opener, trio.open_nursery() as inner:
            inner.start_soon(trio.sleep_forever)
            await settle()
            raise ScriptedError("secret")
    await settle()
    assert crashed(receiver)


async def test_a_cancellation_beside_a_listeners_error(nursery: trio.Nursery) -> None:
    """The block is cancelled from outside while its listener fails: the error is not lost."""
    opener, receiver = open_port_pair(nursery)

    @receiver.on_message.add_listener
    async def fail(message: Any, port: Port) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ScriptedError("secret")

    opener.post_message(1)
    with pytest.RaisesGroup(ScriptedError), trio.CancelScope() as scope:
        async with receiver:
            await settle()
            scope.cancel()
            await trio.sleep_forever()


@pytest.mark.parametrize("event", ["on_message", "on_disconnect"])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_listeners_error_leaves_through_the_block(nursery: trio.Nursery, kind: str, event: str) -> None:
    """It cancels the block; the nursery that the port came from hears nothing of it."""
    opener, receiver = open_port_pair(nursery)
    peer = Witness(opener)

    def fail(*_: Any) -> None:
        raise ScriptedError("secret")

    async def fail_later(*_: Any) -> None:
        await trio.lowlevel.checkpoint()
        fail()

    getattr(receiver, event).add_listener(fail if kind == "sync" else fail_later)
    if event == "on_message":
        opener.post_message(1)
    else:
        opener.disconnect()
    with pytest.RaisesGroup(ScriptedError):
        async with receiver:
            await trio.sleep_forever()
    await settle()
    if event == "on_message":
        assert peer.seen == ["end"]
        assert crashed(opener)
    else:
        assert peer.seen == []
        assert opener.error is None


async def test_a_listeners_error_beside_the_bodys(nursery: trio.Nursery) -> None:
    """Both leave, in one group, the body's first."""
    opener, receiver = open_port_pair(nursery)

    @receiver.on_message.add_listener
    def fail(message: Any, port: Port) -> None:
        raise ScriptedError("the listener's")

    opener.post_message(1)
    with pytest.RaisesGroup(ValueError, ScriptedError) as caught:
        async with receiver:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("the body's")
    assert isinstance(caught.value.exceptions[0], ValueError)


async def test_an_orderly_body_whose_listener_fails_at_the_last_moment(nursery: trio.Nursery) -> None:
    """The body had ended well; the listener that was waited for had not."""
    opener, receiver = open_port_pair(nursery)
    going_on = trio.Event()

    @receiver.on_message.add_listener
    async def fail(message: Any, port: Port) -> None:
        await going_on.wait()
        raise ScriptedError("secret")

    opener.post_message(1)
    with pytest.RaisesGroup(ScriptedError):
        async with receiver:
            await settle()
            nursery.start_soon(set_when_settled, going_on)


async def test_leaving_waits_for_a_listener_that_is_running(nursery: trio.Nursery) -> None:
    """What runs is finished; what has not begun is not."""
    opener, receiver = open_port_pair(nursery)
    going_on = trio.Event()
    steps: list[str] = []

    @receiver.on_message.add_listener
    async def listen(message: Any, port: Port) -> None:
        steps.append("begun")
        await going_on.wait()
        steps.append("finished")

    opener.post_message(1)
    opener.post_message(2)
    async with receiver:
        await settle()
        nursery.start_soon(set_when_settled, going_on)
    steps.append("left")
    assert steps == ["begun", "finished", "left"]


@pytest.mark.parametrize("how", ["crash", "cancel"])
async def test_leaving_in_haste_cancels_the_listener(nursery: trio.Nursery, how: str) -> None:
    """A crash or a cancellation waits for nobody; the listener has ended before the block has."""
    opener, receiver = open_port_pair(nursery)
    steps: list[str] = []

    @receiver.on_message.add_listener
    async def listen(message: Any, port: Port) -> None:
        try:
            await trio.sleep_forever()
        finally:
            steps.append("cancelled")

    opener.post_message(1)
    with trio.CancelScope() as scope:
        try:
            async with receiver:
                await settle()
                if how == "cancel":
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
                raise ScriptedError
        except ScriptedError:
            steps.append("left")
    assert steps == (["cancelled"] if how == "cancel" else ["cancelled", "left"])
    await settle()
    assert opener.statistics().state == "ended"


async def test_cancelled_while_it_waits_for_a_listener(nursery: trio.Nursery) -> None:
    """The wait is a checkpoint like any other."""
    opener, receiver = open_port_pair(nursery)

    @receiver.on_message.add_listener
    async def listen(message: Any, port: Port) -> None:
        await trio.sleep_forever()

    opener.post_message(1)
    with trio.CancelScope() as scope:
        nursery.start_soon(cancel_when_settled_twice, scope)
        async with receiver:
            await settle()
    assert scope.cancelled_caught
    await settle()
    assert opener.statistics().state == "ended"
    assert len(nursery.child_tasks) == 0


async def test_a_block_inside_a_listener_of_the_port_itself(nursery: trio.Nursery) -> None:
    """It does not wait for itself."""
    opener, receiver = open_port_pair(nursery)
    seen: list[Any] = []

    @receiver.on_message.add_listener
    async def listen(message: Any, port: Port) -> None:
        async with port:
            seen.append(message)

    opener.post_message(1)
    opener.post_message(2)
    await settle()
    assert seen == [1]
    assert receiver.statistics().state == "closed"


async def test_an_exception_that_cannot_be_looked_up(nursery: trio.Nursery) -> None:
    """A type of the program's own, derived from Trio's: it is no end of a port, whatever it has or lacks."""

    class GoneError(trio.ClosedResourceError):
        __hash__ = None  # type: ignore[assignment]

    opener, receiver = open_port_pair(nursery)
    with pytest.raises(GoneError):
        async with receiver:
            raise GoneError
    with pytest.RaisesGroup(GoneError):
        async with opener, trio.open_nursery():
            raise GoneError


async def test_one_block_for_a_port(nursery: trio.Nursery) -> None:
    """A second one, inside or after, is refused and changes nothing."""
    opener, receiver = open_port_pair(nursery)
    async with opener:
        with pytest.raises(trio.BusyResourceError, match="has a block already"):
            async with opener:
                raise AssertionError
        opener.post_message(1)
        assert await receiver.receive() == 1
    with pytest.raises(trio.BusyResourceError):
        async with opener:
            raise AssertionError


async def test_a_cancelled_entry_has_disconnected(nursery: trio.Nursery) -> None:
    """The scope it was meant for will never be."""
    opener, receiver = open_port_pair(nursery)
    with trio.CancelScope() as scope:
        scope.cancel()
        async with opener:
            raise AssertionError
    assert scope.cancelled_caught
    await settle()
    assert receiver.statistics().state == "ended"


async def test_the_end_inside_a_block_does_not_end_the_block(nursery: trio.Nursery) -> None:
    """Rule 25: the peer's end, a crash as well, never raises from wait_disconnected or from leaving."""
    opener, receiver = open_port_pair(nursery)
    with pytest.raises(ScriptedError):
        async with opener:
            raise ScriptedError
    async with receiver:
        await receiver.wait_disconnected()
        assert crashed(receiver)


async def test_what_was_kept_goes_with_the_block(nursery: trio.Nursery) -> None:
    """After the block nothing can be read any more."""
    opener, receiver = open_port_pair(nursery)
    opener.post_message("unread")
    opener.disconnect()
    async with receiver:
        await settle()
        assert receiver.statistics().messages_waiting == 1
    assert receiver.statistics().messages_waiting == 0
    with pytest.raises(trio.EndOfChannel):
        await receiver.receive()


async def test_a_port_s_block_inside_its_own_listener(nursery: trio.Nursery) -> None:
    """A task that a listener started may leave the port's block, which then does not wait for that listener."""
    opener, receiver = open_port_pair(nursery)
    left = trio.Event()

    async def leave() -> None:
        async with receiver:
            pass
        left.set()

    async def listen(message: object, port: Port) -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(leave)

    receiver.on_message.add_listener(listen)
    opener.post_message("leave")
    with trio.fail_after(PATIENCE_SECONDS):
        await left.wait()


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


@pytest.mark.parametrize("kind", ["in it", "after it", "late", "not entered"])
async def test_a_listener_fails_after_the_block(kind: str) -> None:
    """The port's block is over and raises nothing any more: the error leaves through the scope round it."""

    async def fail_within(message: Any, port: Port) -> None:
        async with port:
            if kind == "in it":
                raise ScriptedError
        raise ScriptedError

    async def fail_later(message: Any, port: Port) -> None:
        with trio.CancelScope(shield=True):
            await gate.wait()
        raise ScriptedError

    def fail(port: Port) -> None:
        raise ScriptedError

    gate = trio.Event()
    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)
            if kind == "late":
                async with receiver:
                    opener.disconnect()
                    await receiver.wait_disconnected()
                receiver.on_disconnect.add_listener(fail)
            else:
                receiver.on_message.add_listener(fail_later if kind == "not entered" else fail_within)
                opener.post_message(1)
                await settle()
            if kind == "not entered":
                with trio.CancelScope() as scope:
                    scope.cancel()
                    async with receiver:
                        pytest.fail("the block was entered")
                gate.set()


async def test_a_handler_beside_a_listener_that_has_the_block() -> None:
    """One of the two is refused the block, whichever comes second, and lets go of the port."""
    async with open_world() as world:
        ports: list[Port] = []

        async def hold(port: Port) -> None:
            ports.append(port)
            with suppress(trio.BusyResourceError):
                async with port:
                    await trio.sleep_forever()

        async def handle(port: Port) -> None:
            await trio.sleep_forever()

        world.background.runtime.on_connect.add_listener(hold)
        for _ in range(10):
            with suppress(BaseExceptionGroup):
                async with trio.open_nursery() as nursery:
                    await nursery.start(world.background.runtime.serve, handle)
                    opener = world.page.runtime.connect()
                    await settle()
                    nursery.cancel_scope.cancel()
            opener.disconnect()
            await settle()
            assert ports.pop().statistics().state in ("ended", "closed")


@pytest.mark.parametrize("event", ["on_message", "on_disconnect"])
async def test_no_cancellation_of_a_listener_leaves_the_block(event: str) -> None:
    """A listener that is cancelled and fails while it cleans up: only its failure is an exception of the block."""

    async def clean_up_badly() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ScriptedError

    async def listen(*args: object) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clean_up_badly)
            nursery.start_soon(trio.sleep_forever)

    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background, page = extension.open_page(), extension.open_page()

        @page.runtime.on_connect.add_listener
        def answer(port: Port) -> None:
            port.post_message(1)
            port.disconnect()

        port = background.runtime.connect()
        getattr(port, event).add_listener(listen)
        with pytest.RaisesGroup(pytest.RaisesGroup(ScriptedError)):
            async with port:
                await settle()
                background.close()
                await trio.sleep_forever()
