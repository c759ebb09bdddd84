"""Listeners, readers, blocks and ends at the same time: what was found by setting out to break them, kind by kind."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, each_dialect, open_pair, open_world, refuse_elsewhere, settle

from trio_ports import Cause, ListenerFailed, Port, PortError, Posted, open_port_pair

# Readers between listeners --------------------------------------------------------------------------------------------


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


# Cancelled and failing listeners --------------------------------------------------------------------------------------


async def rest_in_a_nursery(*_: object) -> None:
    """Wait for ever; cancelled, raise a group."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep_forever()


@each_dialect
@pytest.mark.parametrize("event", ["on_message", "on_disconnect"])
async def test_a_cancelled_listener_with_a_nursery(autojump_clock: object, dialect: Any, event: str) -> None:
    """What it raises is a cancellation all the same: the block is left, and the end is told to who does not wait."""
    witness = Witness()
    with trio.fail_after(10):
        async with open_world(dialect=dialect) as world:
            opener, receiver = await world.connect()
            getattr(receiver, event).add_listener(rest_in_a_nursery)
            receiver.on_disconnect.add_listener(witness.see_end)
            opener.post_message(1)
            opener.disconnect()
            await settle()
        async with open_pair(dialect=dialect) as (opener, receiver):
            getattr(receiver, event).add_listener(rest_in_a_nursery)
            receiver.on_disconnect.add_listener(witness.see_end)
            opener.post_message(1)
            opener.post_message(2)
            opener.disconnect()
            await settle()
    assert witness.seen == ["end", "end"]


async def test_a_listener_that_fails_as_the_scope_is_cancelled() -> None:
    """What is left is handed to it all the same; its error leaves, and the end is told."""
    witness = Witness()

    def fail(message: Any, port: Port) -> None:
        raise ScriptedError

    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)
            receiver.on_message.add_listener(fail)
            receiver.on_disconnect.add_listener(witness.see_end)
            await settle()
            nursery.cancel_scope.cancel()
            opener.post_message(1)
            opener.disconnect()
    assert receiver.statistics().state in ("ended", "closed")


async def clean_up_badly(*_: object) -> None:
    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ScriptedError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        await trio.sleep_forever()


@pytest.mark.parametrize("event", ["on_connect", "on_message", "on_disconnect"])
@pytest.mark.parametrize("logs", [False, True])
async def test_a_cancelled_listener_that_fails_to_clean_up(event: str, logs: bool) -> None:
    """Its error is a listener's, and what cancelled it goes on."""
    observed: list[Any] = []
    options: Any = {"listener_errors": "log" if logs else "raise", "observer": observed.append}
    leaving = nullcontext() if logs else pytest.RaisesGroup(ScriptedError, flatten_subgroups=True)
    with leaving:
        async with open_world(**options) as world:
            if event == "on_connect":
                world.background.runtime.on_connect.add_listener(clean_up_badly)
                world.page.runtime.connect()
            else:
                opener, receiver = await world.connect()
                getattr(receiver, event).add_listener(clean_up_badly)
                opener.post_message(1)
                opener.disconnect()
            await settle()
            world.background.close()
            await settle()
            assert not world.page.closed
    (failed,) = (each for each in observed if isinstance(each, ListenerFailed))
    assert failed.raised is not logs


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


# Several receivers ----------------------------------------------------------------------------------------------------


async def open_to(world: Any, names: str) -> tuple[Port, dict[str, Port]]:
    """Connect to as many pages as there are letters, none of which listens to messages."""
    ports: dict[str, Port] = {}
    for name in names:
        runtime = world.extension.open_page(f"{name}.html").runtime
        runtime.on_connect.add_listener(lambda port, name=name: ports.__setitem__(name, port))
    opener = world.page.runtime.connect()
    await settle()
    return opener, ports


@pytest.mark.parametrize("names", ["rab", "rabl"])
@pytest.mark.parametrize("leaves", ["disconnect", "withdraw"])
async def test_a_receiver_leaves_while_senders_wait_and_others_never_read(names: str, leaves: str) -> None:
    """Those who waited send, whereupon the others are unread: all at once, and nobody is forgotten."""
    async with open_world(max_buffer_size=1) as world:
        opener, ports = await open_to(world, names)
        with trio.move_on_after(0):
            await ports["r"].receive()
        witness = Witness()
        if "l" in names:
            witness.watch(ports["l"])
        opener.post_message(0)
        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                nursery.start_soon(suppressing(opener.send), number)
                await settle()
            if leaves == "disconnect":
                ports["r"].disconnect()
            else:
                ports["r"]._end.withdraw(PortError("Nobody is here any more.", cause=Cause.NO_RECEIVER))
        await settle()
        assert ports["a"].error is not None
        assert ports["a"].error.cause is Cause.UNREAD
        assert witness.seen == ([0, 1, 2] if "l" in names else [])
        assert (opener.statistics().state == "open") == ("l" in names)
        opener.disconnect()


def suppressing(function: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def call(argument: Any) -> None:
        with suppress(trio.BrokenResourceError):
            await function(argument)

    return call


async def test_the_last_of_several_receivers_is_like_an_only_one() -> None:
    """Its bound holds the opener back, whether it reads or not."""
    async with open_world(max_buffer_size=1) as world:
        opener, ports = await open_to(world, "ab")
        ports["a"].disconnect()
        opener.post_message(1)
        with pytest.raises(trio.WouldBlock):
            opener.post_message(2)
        assert [await ports["b"].receive()] == [1]


@pytest.mark.parametrize("kinds", ["ss", "as", "aa"])
async def test_tasks_that_read_at_once_are_not_unread(kinds: str) -> None:
    """A handler, or an async listener, that reads before it waits for anything else holds the sender back."""
    async with open_world(max_buffer_size=1) as world, trio.open_nursery() as nursery:
        seen: list[list[Any]] = [[] for _ in kinds]

        def read_into(messages: list[Any]) -> Callable[[Port], Awaitable[None]]:
            async def read(port: Port) -> None:
                while True:
                    messages.append(await port.receive())

            return read

        for number, kind in enumerate(kinds):
            page = world.extension.open_page(f"{number}.html")
            if kind == "s":
                await nursery.start(page.runtime.serve, read_into(seen[number]))
            else:
                page.runtime.on_connect.add_listener(read_into(seen[number]))
        opener = world.page.runtime.connect()
        for number in range(5):
            await opener.send(number)
        await settle()
        assert seen == [[0, 1, 2, 3, 4]] * 2
        nursery.cancel_scope.cancel()


async def test_connections_are_announced_some_at_a_time() -> None:
    """However many come at once, others run in between."""
    turns: list[int] = []

    async with open_world() as world:
        world.listen()

        async def count() -> None:
            while len(world.ports) < 1000:
                turns.append(len(world.ports))
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            for _ in range(1000):
                world.page.runtime.connect()
    assert max(after - before for before, after in pairwise(turns)) <= 128


# Closing under tasks that are at work ---------------------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize("serves", [False, True])
async def test_a_page_is_navigated_while_its_tasks_send(dialect: Any, serves: bool) -> None:
    """They are cancelled; that their port is closed under them is no error of theirs."""

    async def talk(port: Port) -> None:
        async def send() -> None:
            while True:
                await port.send("more")

        async with port if not serves else nullcontext(), trio.open_nursery() as nursery:
            nursery.start_soon(send)
            async for _ in port:
                pass

    async with open_world(dialect=dialect, max_buffer_size=1) as world, trio.open_nursery() as nursery:
        tab = world.browser.open_tab("https://example.org/")
        script = world.extension.inject(tab)
        if serves:
            await nursery.start(script.runtime.serve, talk)
        else:
            script.runtime.on_connect.add_listener(talk)
        opener = world.background.tabs.connect(tab.id)
        witness = Witness(opener) if dialect == "trio" else None
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        tab.navigate("https://example.org/next")
        await settle()
        assert opener.error is None
        assert witness is None or witness.seen[-1] == "end"
        nursery.cancel_scope.cancel()


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


# Observers, threads, equals -------------------------------------------------------------------------------------------


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


async def test_sending_from_another_thread(nursery: trio.Nursery) -> None:
    """It is refused there, with or without a Trio run, and nothing was sent."""
    opener, receiver = open_port_pair(nursery)

    def send() -> None:
        with suppress(StopIteration):
            opener.send(1).send(None)  # type: ignore[attr-defined]

    await refuse_elsewhere(send)
    assert receiver.statistics().messages_waiting == 0
    opener.disconnect()


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


# What nothing keeps alive ---------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Thing:
    """What a message holds, and a weak reference can be had of."""

    number: int


@asynccontextmanager
async def without_collector() -> AsyncGenerator[list[weakref.ref[Thing]]]:
    """Collect nothing in the block, and see at its end that the things in the list are gone."""
    references: list[weakref.ref[Thing]] = []
    gc.collect()
    gc.disable()
    try:
        yield references
        await settle()
        assert references
        assert [reference() for reference in references] == [None] * len(references)
    finally:
        gc.enable()


async def test_what_cannot_be_posted_is_not_kept(nursery: trio.Nursery) -> None:
    """Neither what is refused nor what is encoded in a roundabout way."""
    opener, _ = open_port_pair(nursery)

    def post(references: list[weakref.ref[Thing]], beside: object) -> None:
        thing = Thing(1)
        references.append(weakref.ref(thing))
        with suppress(TypeError):
            opener.post_message([thing, beside])

    async with without_collector() as references:
        for beside in (b"bytes", object(), "\ud800", 10**30):
            post(references, beside)
    opener.disconnect()


async def test_an_idle_port_keeps_nothing(nursery: trio.Nursery) -> None:
    """Once its listeners are through, its last message is theirs alone."""
    opener, receiver = open_port_pair(nursery, message_type=Thing)
    async with without_collector() as references:
        receiver.on_message.add_listener(lambda message, port: references.append(weakref.ref(message)))
        opener.post_message(Thing(1))
        await settle()
    opener.disconnect()


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("in_block", [False, True])
async def test_a_listener_that_ends_badly_keeps_nothing(waits: bool, in_block: bool) -> None:
    """Raising or cancelled: its message goes with it."""

    async def play(references: list[weakref.ref[Thing]]) -> None:
        async def stay(message: Thing, port: Port) -> None:
            references.append(weakref.ref(message))
            await trio.sleep_forever()

        def fail(message: Thing, port: Port) -> None:
            references.append(weakref.ref(message))
            raise ScriptedError

        with suppress(BaseExceptionGroup):
            async with trio.open_nursery() as nursery:
                opener, receiver = open_port_pair(nursery, message_type=Thing)
                receiver.on_message.add_listener(stay if waits else fail)
                opener.post_message(Thing(1))
                async with receiver if in_block else nullcontext():
                    await settle()
                    nursery.cancel_scope.cancel()

    async with without_collector() as references:
        await play(references)


async def test_the_error_of_a_malformed_message_keeps_nothing(nursery: trio.Nursery) -> None:
    """It has no traceback, which would hold the port and all that has arrived there."""
    opener, receiver = open_port_pair(nursery)
    opener._end.put(b"'nonsense'")
    with pytest.raises(trio.BrokenResourceError):
        await receiver.receive()
    await settle()
    for error in (opener.error, receiver.error):
        assert error is not None
        assert (error.cause, error.__traceback__, error.__context__) == (Cause.MALFORMED, None, None)
