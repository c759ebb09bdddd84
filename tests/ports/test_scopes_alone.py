"""An owner: its tasks and its ports end with it, once."""

from __future__ import annotations

import attrs
import pytest
import trio
from support import ScriptedError, settle

from trio_ports import Cause, Port
from trio_ports._ports.connection import open_connection
from trio_ports._ports.failures import crash_error
from trio_ports._ports.options import make_options
from trio_ports._ports.scopes import Scope


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
