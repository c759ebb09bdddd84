"""Scopes: when an owner ends, however it ends, the other ends learn of it once and nothing is left. Rules 20 and 31."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import attrs
import pytest
import trio
from support import ScriptedError, Witness, cancel_everywhere, each_dialect, open_pair, open_world, settle
from trio.testing import assert_checkpoints

from trio_ports import Cause, ListenerFailed, Port, open_port_pair
from trio_ports._ports.connection import open_connection
from trio_ports._ports.failures import crash_error
from trio_ports._ports.options import make_options
from trio_ports._ports.scopes import Scope


def crashed(port: Port, dialect: str = "trio") -> bool:
    """Say whether the port was told of a crash, where the dialect tells."""
    if dialect != "trio":
        return port.error is None
    return port.error is not None and port.error.cause is Cause.CRASHED and "secret" not in repr(port.error)


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


async def rest_in_a_nursery(*_: object) -> None:
    """Wait for ever; cancelled, raise a group."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep_forever()


async def clean_up_badly(*_: object) -> None:
    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ScriptedError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        await trio.sleep_forever()


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


@pytest.mark.parametrize(
    ("error", "crashed"),
    [
        (None, False),
        (ScriptedError("secret"), True),
        (KeyboardInterrupt(), True),
        (ExceptionGroup("", [ScriptedError("secret")]), True),
    ],
)
def test_what_a_crash_is(error: BaseException | None, crashed: bool) -> None:
    """Anything that was raised; the other side is told nothing of what it says."""
    told = crash_error(error)
    assert (told is not None) == crashed
    if told is not None:
        assert (str(told), told.cause) == ("The other end failed.", Cause.CRASHED)


async def test_a_cancellation_is_no_crash() -> None:
    """Alone, or as all that a group holds; beside something else it does not count."""
    caught: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            caught.append(error)
            raise
    (cancelled,) = caught
    assert crash_error(cancelled) is None
    assert crash_error(BaseExceptionGroup("", [cancelled, BaseExceptionGroup("", [cancelled])])) is None
    assert crash_error(BaseExceptionGroup("", [cancelled, ScriptedError()])) is not None


async def test_closing_cancels_tasks_and_ends_ports(nursery: trio.Nursery) -> None:
    """Once; afterwards nothing runs there any more."""
    owner = Scope(nursery)
    options = make_options(dialect="trio")
    near, (far,) = open_connection(max_buffer_size=1)
    port: Port = Port(near, owner, options, options.decoder(int))
    assert owner.start_soon(trio.sleep_forever)
    await settle()
    owner.close()
    owner.close()
    await owner.wait_idle()
    await owner.wait_idle()
    assert port.statistics().state == "closed"
    assert far.peer_gone
    assert not nursery.child_tasks
    assert not owner.start_soon(trio.sleep_forever)


async def test_a_port_that_is_held_as_its_owner_settles(nursery: trio.Nursery) -> None:
    """Whoever holds it will not let go any more: it is closed, and nobody waits for it."""
    owner = Scope(nursery)
    options = make_options(dialect="trio")
    near, (far,) = open_connection(max_buffer_size=1)
    port: Port = Port(near, owner, options, options.decoder(int), held=True)
    far.close()
    assert port.statistics().state == "ending"
    await owner.settle()
    assert port.statistics().state == "closed"
    owner.close()


async def test_a_logged_failure_that_nobody_watches(nursery: trio.Nursery) -> None:
    """The openers always give an observer then; without one it is silent."""
    options = attrs.evolve(make_options(dialect="trio", listener_errors="log"), observer=None)
    near, (far,) = open_connection(max_buffer_size=1)
    port: Port = Port(near, Scope(nursery), options, options.decoder(int))

    @port.on_message.add_listener
    def fail(message: int, port: Port) -> None:
        raise ScriptedError

    far.send_nowait(b"1")
    await settle()
    assert port.statistics().state == "open"
    port.disconnect()


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
