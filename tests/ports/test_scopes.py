"""Scopes: whoever owns an end, and however it goes, the other end is told once and nothing is left. Rule 20."""

from __future__ import annotations

import contextvars
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, cancel_everywhere, each_dialect, open_pair, open_world, settle
from trio.testing import assert_checkpoints

from trio_ports import Cause, Port, open_browser, open_port_pair

ORDERS = 20
"""How often to try what depends on the order in which Trio runs two tasks, which it draws."""


def crashed(port: Port, dialect: str = "trio") -> bool:
    """Say whether the port was told of a crash, where the dialect tells."""
    if dialect != "trio":
        return port.error is None
    return port.error is not None and port.error.cause is Cause.CRASHED and "secret" not in repr(port.error)


# A port's block -----------------------------------------------------------------------------------------------------


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


async def set_when_settled(event: trio.Event) -> None:
    await settle()
    event.set()


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


async def cancel_when_settled_twice(scope: trio.CancelScope) -> None:
    await settle()
    await settle()
    scope.cancel()


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


# A context's block, a browser's block ---------------------------------------------------------------------------------


@each_dialect
async def test_leaving_a_context_is_orderly(dialect: Any) -> None:
    """Ports that it opened and ports that reached it."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness, own = Witness(opener), Witness(receiver)
        with assert_checkpoints():
            async with world.background:
                receiver.post_message(1)
        assert world.background.closed
        await settle()
        assert (witness.seen, own.seen, opener.error) == ([1, "end"], [], None)


@each_dialect
async def test_crashing_in_a_contexts_block(dialect: Any) -> None:
    """Every port of it is told; other contexts of the browser live on."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness = Witness(receiver)
        with pytest.raises(ScriptedError):
            async with world.page:
                opener.post_message(1)
                raise ScriptedError("secret")
        await settle()
        assert witness.seen == [1, "end"]
        assert crashed(receiver, dialect)
        assert not world.background.closed


@each_dialect
async def test_cancelling_a_contexts_block_is_orderly(dialect: Any) -> None:
    """And its tasks are gone when the block is."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness = Witness(receiver)
        ended: list[str] = []

        @opener.on_message.add_listener
        async def listen(message: Any, port: Port) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append("listener")

        receiver.post_message(1)
        with trio.CancelScope() as scope:
            async with world.page:
                await settle()
                scope.cancel()
                await trio.sleep_forever()
        assert ended == ["listener"]
        await settle()
        assert (witness.seen, receiver.error) == (["end"], None)


@each_dialect
async def test_a_context_that_was_closed_runs_no_listeners(dialect: Any) -> None:
    """Rule 20: neither messages nor ends."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness = Witness(receiver)
        opener.post_message(1)
        opener.disconnect()
        world.background.close()
        await settle()
        assert witness.seen == []


@each_dialect
async def test_both_ends_torn_down_in_the_same_tick(dialect: Any) -> None:
    """Neither of two contexts that close at once is told; a port that disconnected itself is told of nothing."""
    async with open_world(dialect=dialect) as world:
        witness = Witness(*await world.connect())
        world.page.close()
        world.background.close()
        await settle()
        assert witness.seen == []


@each_dialect
async def test_leaving_the_browser_tells_one_of_two(dialect: Any) -> None:
    """Rule 20: contexts close in order; whoever is still there hears of it, once, after what was posted."""
    async with open_world(dialect=dialect) as world:
        opener, receiver = await world.connect()
        witness = Witness(opener)
        own = Witness(receiver)
        receiver.post_message("under way")
    assert witness.seen == ["under way", "end"]
    assert own.seen == []
    assert opener.error is None


@each_dialect
async def test_crashing_in_the_browsers_block(dialect: Any) -> None:
    """The exception leaves as it is, and ports are told that it was a crash."""
    with pytest.raises(ScriptedError) as caught:
        async with open_world(dialect=dialect) as world:
            opener, receiver = await world.connect()
            witness = Witness(opener, receiver)
            raise ScriptedError("secret")
    assert caught.value.__context__ is None
    assert witness.seen == ["end"]
    assert crashed(opener, dialect)


@each_dialect
async def test_cancelling_the_browser_is_orderly(dialect: Any) -> None:
    """Sync listeners still hear the end."""
    with trio.CancelScope() as scope:
        async with open_world(dialect=dialect) as world:
            opener, receiver = await world.connect()
            witness = Witness(opener, receiver)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert witness.seen == ["end"]
    assert opener.error is None


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("event", ["on_message", "on_disconnect", "on_connect"])
async def test_a_listeners_error_leaves_through_the_browser(event: str, kind: str) -> None:
    """Rule 31: it cancels the block; the ports of others end in good order, the crashed one's peer is told."""
    peers: list[Port] = []

    def fail(*_: Any) -> None:
        raise ScriptedError("secret")

    async def fail_later(*_: Any) -> None:
        await trio.lowlevel.checkpoint()
        fail()

    failing = fail if kind == "sync" else fail_later
    with pytest.RaisesGroup(ScriptedError):
        async with open_world() as world:
            if event == "on_connect":
                world.background.runtime.on_connect.add_listener(failing)
                peers.append(world.page.runtime.connect())
            else:
                opener, receiver = await world.connect()
                getattr(receiver, event).add_listener(failing)
                if event == "on_message":
                    peers.append(opener)
                    opener.post_message(1)
                else:
                    opener.disconnect()
            await trio.sleep_forever()
    assert all(crashed(port) for port in peers)


@pytest.mark.parametrize("kind", ["sync", "async"])
@each_dialect
async def test_logged_errors_of_on_connect(dialect: Any, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Rule 7: an on_connect listener that raises does not undo the connection."""

    def fail(port: Port) -> None:
        raise ScriptedError

    async def fail_later(port: Port) -> None:
        await trio.lowlevel.checkpoint()
        raise ScriptedError

    async with open_world(dialect=dialect, listener_errors="log") as world:
        world.background.runtime.on_connect.add_listener(fail if kind == "sync" else fail_later)
        opener, receiver = await world.connect()
        witness = Witness(receiver)
        opener.post_message(1)
        await settle()
        assert witness.seen == [1]
        assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ScriptedError]


async def test_the_bodys_error_beside_a_listeners() -> None:
    """Both leave the browser's block, in one group."""
    with pytest.RaisesGroup(ValueError, ScriptedError):
        async with open_world() as world:
            opener, receiver = await world.connect()

            @receiver.on_message.add_listener
            def fail(message: Any, port: Port) -> None:
                raise ScriptedError

            opener.post_message(1)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("the body's")


async def test_a_nursery_in_the_block_that_dies() -> None:
    """Another task's error, in a nursery round the browser, is a cancellation for it."""
    ports: list[Port] = []

    async def live(task_status: trio.TaskStatus[None]) -> None:
        async with open_world() as world:
            ports.extend(await world.connect())
            task_status.started()
            await trio.sleep_forever()

    with pytest.RaisesGroup(ScriptedError):
        async with trio.open_nursery() as nursery:
            await nursery.start(live)
            raise ScriptedError
    assert [port.error for port in ports] == [None, None]
    assert sorted(port.statistics().state for port in ports) == ["closed", "ended"]


# Cancelled everywhere -------------------------------------------------------------------------------------------------


def ended_once(port: Port, witness: Witness) -> None:
    """Check what must hold of an end whose scope is over."""
    state = port.statistics().state
    assert state in ("ended", "closed")
    assert witness.seen.count("end") == (state == "ended")
    assert "end" not in witness.seen[:-1]


Scenario = Callable[[trio.CancelScope, list[tuple[Port, Witness]]], Awaitable[None]]


async def talk_in_a_pair(scope: trio.CancelScope, watched: list[tuple[Port, Witness]]) -> None:
    with scope:
        async with open_pair(max_buffer_size=1) as (opener, receiver):
            watched += [(opener, Witness(opener)), (receiver, Witness(receiver))]
            for number in range(3):
                await opener.send(number)
                await receiver.send(number)
            opener.disconnect()
            await receiver.wait_disconnected()


async def talk_in_blocks(scope: trio.CancelScope, watched: list[tuple[Port, Witness]]) -> None:
    async def use(port: Port) -> None:
        with scope:
            async with port:
                for number in range(3):
                    await port.send(number)
                    await trio.lowlevel.checkpoint()

    async with open_pair(max_buffer_size=1) as (opener, receiver), trio.open_nursery() as nursery:
        watched += [(opener, Witness(opener)), (receiver, Witness(receiver))]
        nursery.start_soon(use, opener)
        await receiver.wait_disconnected()


async def talk_in_a_browser(scope: trio.CancelScope, watched: list[tuple[Port, Witness]]) -> None:
    with scope:
        async with open_world() as world:

            async def serve(port: Port) -> None:
                watched.append((port, Witness()))
                port.on_disconnect.add_listener(watched[-1][1].see_end)
                async for message in port:
                    await port.send(message)

            async with trio.open_nursery() as nursery:
                await nursery.start(world.background.runtime.serve, serve)
                opener = world.page.runtime.connect()
                watched.append((opener, Witness()))
                opener.on_disconnect.add_listener(watched[-1][1].see_end)
                async with opener:
                    await opener.send(1)
                    assert await opener.receive() == 1
                async with world.page:
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()


async def close_everything(scope: trio.CancelScope, watched: list[tuple[Port, Witness]]) -> None:
    with scope:
        async with open_world() as world:
            tab = world.browser.open_tab("https://example.org/")
            script = world.extension.inject(tab)
            world.listen(script)
            opener = world.background.tabs.connect(tab.id)
            watched.append((opener, Witness(opener)))
            opener.post_message(1)
            await trio.lowlevel.checkpoint()
            watched.extend((port, Witness()) for port in world.ports)
            tab.navigate("https://example.org/next")
            await opener.wait_disconnected()


@pytest.mark.parametrize("scenario", [talk_in_a_pair, talk_in_blocks, talk_in_a_browser, close_everything])
def test_cancelled_at_every_step(scenario: Scenario) -> None:
    """Wherever a cancellation falls: nothing hangs, each end ends, and the end is told once or not at all."""

    async def run(scope: trio.CancelScope) -> None:
        watched: list[tuple[Port, Witness]] = []
        tasks = trio.lowlevel.current_statistics().tasks_living
        await scenario(scope, watched)
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        for port, witness in watched:
            if scenario is not close_everything:
                ended_once(port, witness)
            assert port.statistics().tasks_waiting_send == 0

    assert cancel_everywhere(run) > 10


# Nothing is left ------------------------------------------------------------------------------------------------------


async def test_ports_leave_no_cycle(nursery: trio.Nursery) -> None:
    """With the collector off, a port and the messages it kept go when the last reference does."""
    gc.collect()
    gc.disable()
    try:
        ports: list[Any] = list(open_port_pair(nursery))
        for port in ports:
            port.on_disconnect.add_listener(lambda port: None)
            port.post_message("kept")
        ports[0].on_message.add_listener(lambda message, port: None)
        await settle()
        ports[0].disconnect()
        await settle()
        alive = [weakref.ref(port) for port in ports]
        channels = [weakref.ref(port._end.lane.sink) for port in ports]
        del port
        ports.clear()
        await settle()
        assert [reference() for reference in (*alive, *channels)] == [None] * 4
    finally:
        gc.enable()


@pytest.mark.parametrize("reading", [False, True])
async def test_connections_of_a_browser_leave_nothing(reading: bool) -> None:
    """Thousands of connects and disconnects, with the collector off: the number of objects does not grow."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background, page = extension.open_page(), extension.open_page()

        @background.runtime.on_connect.add_listener
        def greet(port: Port) -> None:
            if not reading:
                port.on_message.add_listener(lambda message, port: port.post_message(message))

        async def connect_often(count: int) -> None:
            for _ in range(count):
                port = page.runtime.connect()
                port.post_message({"n": 1})
                if reading:
                    async with port:
                        await trio.lowlevel.checkpoint()
                else:
                    await port.receive()
                    port.disconnect()
                await settle()

        await connect_often(50)
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            await connect_often(1000)
            assert len(gc.get_objects()) - before < 100
        finally:
            gc.enable()
    assert not browser._registry.contexts


async def sleep_with(port: Port) -> None:
    await trio.sleep_forever()


async def test_a_browser_leaves_no_task_and_no_open_channel() -> None:
    """Whatever was open when the block ended."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with open_world() as world:
        opener, receiver = await world.connect()
        Witness(receiver)
        opener.post_message(1)
        _, forgotten = await world.connect()
        async with trio.open_nursery() as nursery:
            await nursery.start(world.background.runtime.serve, sleep_with)
            world.page.runtime.connect()
            await settle()
            nursery.cancel_scope.cancel()
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    for port in (opener, receiver, forgotten):
        statistics = port._end.lane.sink.statistics()
        assert statistics.open_receive_channels == 0
        assert not port._end.can_send
        assert port.statistics().state in ("closed", "ended")


@each_dialect
async def test_who_reads_from_a_port_whose_peer_crashed(nursery: trio.Nursery, dialect: Any) -> None:
    """Rules 20 and 25: an error in trio, an orderly end in the browsers, which tell of no crash at all."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    with pytest.raises(ScriptedError):
        async with opener:
            raise ScriptedError("secret")
    with pytest.raises(trio.BrokenResourceError if dialect == "trio" else trio.EndOfChannel):
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
    with trio.fail_after(5):
        await left.wait()


async def test_listeners_run_in_the_context_of_their_scope(nursery: trio.Nursery) -> None:
    """Context variables are those of whoever opened the ports, not of whoever posts."""
    variable = contextvars.ContextVar("variable", default="nobody")
    seen: list[str] = []
    variable.set("opener")
    opener, receiver = open_port_pair(nursery)
    receiver.on_message.add_listener(lambda message, port: seen.append(variable.get()))
    receiver.on_disconnect.add_listener(lambda port: seen.append(variable.get()))

    async def post() -> None:
        variable.set("poster")
        opener.post_message(1)
        opener.disconnect()

    nursery.start_soon(post)
    await settle()
    assert seen == ["opener", "opener"]
