"""A script: what runs in one context. It owns the ports there, and calls the listeners of connections that arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, cast, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._ports.connection import End
from .._ports.events import Event
from .._ports.failures import raise_as_it_is
from .._ports.options import Options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.errors import PortError
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender
from .calls import Call, no_receiver
from .ports import expect_listeners, hold, judge_listener, release

ConnectEvent: TypeAlias = Event[Callable[[Port[Any, Any]], object]]

BATCH: Final = 64
"""How many connections are announced before others run."""


@final
class Script:
    """What runs in one context: a scope for ports and tasks, listeners, and connections that are not announced yet."""

    __slots__ = (
        "_announcing",
        "_options",
        "_pending",
        "_scope",
        "ended",
        "errors",
        "on_connect",
        "on_connect_external",
        "served",
    )

    def __init__(self, options: Options, nursery: trio.Nursery) -> None:
        self.on_connect: ConnectEvent = Event("on_connect", arguments=("port",))
        self.on_connect_external: ConnectEvent = Event("on_connect_external", arguments=("port",))
        self.served: list[ConnectEvent] = []
        """Those of the two that a task serves."""
        self.errors: dict[trio.lowlevel.Task, PortError] = {}
        """``last_error``, by the task that runs a port's on_disconnect listeners now; several may wait at a time."""
        self.ended: trio.Event = trio.Event()
        self._options = options
        self._scope = Scope(nursery)
        self._pending: deque[tuple[End, Call]] = deque()
        self._announcing = False

    @property
    def closed(self) -> bool:
        """Its context has been closed."""
        return self._scope.closed

    def event(self, *, external: bool) -> ConnectEvent:
        """Return the event that a call fires."""
        return self.on_connect_external if external else self.on_connect

    def listens(self, *, external: bool) -> bool:
        """Return whether anybody here listens for such calls."""
        return bool(self.event(external=external).listeners)

    def make_port(
        self, end: End, decoder: Decoder, *, name: str, sender: MessageSender | None = None, held: bool = False
    ) -> Port[Any, Any]:
        """Make this script's port for one end of a connection.

        Args:
            end: which now belongs to the port.
            decoder: for what arrives.
            name: the port's.
            sender: the opener, for a receiver's port.
            held: nothing is delivered until the port is released.
        """
        return Port(
            end, self._scope, self._options, decoder, name=name, sender=sender, held=held, show_error=self.show_error
        )

    def show_error(self, error: PortError | None) -> None:
        """Set ``last_error`` for the current task, or clear it; only in dialects whose ports do not keep the error."""
        if self._options.dialect.keeps_error:
            return
        task = trio.lowlevel.current_task()
        if error is None:
            self.errors.pop(task, None)
        else:
            self.errors[task] = error

    # Connections that arrive ----------------------------------------------------------------------------------------

    def announce(self, end: End, call: Call) -> None:
        """Call the listeners for a connection later, after those that came before. Never waits.

        Args:
            end: the receiver's, which now belongs to this script.
            call: that opened it.
        """
        expect_listeners(end)
        self._pending.append((end, call))
        if not self._announcing:
            self._announcing = self._scope.start_soon(self._announce_pending) is not None

    @enable_ki_protection
    async def _announce_pending(self) -> None:
        try:
            while self._pending:
                for _ in range(min(len(self._pending), BATCH)):
                    if self._pending:  # A listener may have closed this context.
                        self._announce_next()
                if self._pending:  # Many came at a time, or a listener has connected to this context: let others run.
                    await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._announcing = False

    def _announce_next(self) -> None:
        end, call = self._pending.popleft()
        event = self.event(external=call.external)
        if not event.listeners:
            end.withdraw(no_receiver())
            return
        port = self.make_port(end, self._options.decoder(Any), name=call.name, sender=call.sender, held=True)
        try:
            self._call_listeners(event, port)
        finally:
            release(port)

    @disable_ki_protection
    def _call_listeners(self, event: ConnectEvent, port: Port[Any, Any]) -> None:
        for listener in event.listeners:
            if self.closed:  # By a listener before: a context that was closed runs no listeners.
                return
            if not event.has_listener(listener) and not self._options.dialect.calls_removed_listeners:
                continue
            try:
                result = listener(port)
            except BaseException as error:  # noqa: BLE001 - raised again, or logged as the dialect has it
                self._listener_failed(port, error)
                continue
            if isinstance(result, Awaitable):
                hold(port)
                if not self._scope.start_soon(self._run_listener, result, port):
                    _discard(cast("Awaitable[object]", result))

    @disable_ki_protection
    async def _run_listener(self, listener: Awaitable[object], port: Port[Any, Any]) -> None:
        if self.closed:
            _discard(listener)
            return
        # The port's own task starts after this one's first step, so that the listener reaches its first checkpoint
        # before a message is delivered.
        release(port, within_task=True)
        try:
            await listener
        except BaseException as error:  # noqa: BLE001 - raised again, or logged as the dialect has it
            self._listener_failed(port, error)

    def _listener_failed(self, port: Port[Any, Any], error: BaseException) -> None:
        """Report what an on_connect listener raised to the observer, which logs it, or raise it: its port crashes."""
        raised = judge_listener(port, error, self._options)
        try:
            if raised is not None:
                raise_as_it_is(raised)
        finally:
            del error, raised  # Its traceback holds this frame.

    # The end of its context -----------------------------------------------------------------------------------------

    def close(self, error: PortError | None) -> None:
        """Disconnect all ports and cancel all tasks. Idempotent.

        Args:
            error: for the other sides; None for an orderly end.
        """
        self._scope.close(error)
        while self._pending:
            self._pending.popleft()[0].close(error, vanished=True)
        self.ended.set()

    async def settle(self, error: PortError | None) -> None:
        """Let everything that is under way reach the listeners, before the browser closes this script's context."""
        self._scope.ending = True
        with trio.CancelScope(shield=True):
            while self._announcing:
                await trio.lowlevel.checkpoint()
            await self._scope.settle(error)

    async def wait_idle(self) -> None:
        """Wait, shielded, until the tasks that run here now have finished."""
        await self._scope.wait_idle()


def _discard(listener: Awaitable[object]) -> None:
    """Close a coroutine that will not run, so that Python does not warn about it."""
    if isinstance(listener, Coroutine):
        listener.close()
