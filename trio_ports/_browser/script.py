"""A script: what runs in one context. It owns the ports there, and calls the listeners of connections that arrive."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, cast, final

import attrs
import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._ports.connection import End
from .._ports.events import Event
from .._ports.options import Options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.errors import PortError
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender
from .calls import Call, no_receiver
from .ports import hold, listener_failed, release

ConnectEvent: TypeAlias = Event[Callable[[Port[Any, Any]], object]]

BATCH: Final = 64
"""How many connections are announced before others run."""


@final
@attrs.define(eq=False, repr=False)
class Script:
    """What runs in one context: a scope for ports and tasks, listeners, and connections that are not announced yet."""

    _options: Options
    scope: Scope
    on_connect: ConnectEvent = attrs.field(factory=lambda: Event("on_connect", arguments=("port",)))
    on_connect_external: ConnectEvent = attrs.field(factory=lambda: Event("on_connect_external", arguments=("port",)))
    served: list[ConnectEvent] = attrs.field(factory=list[ConnectEvent])
    """Those of the two that a task serves."""
    errors: dict[trio.lowlevel.Task, PortError] = attrs.field(factory=dict[trio.lowlevel.Task, PortError])
    """``last_error``, by the task that runs a port's on_disconnect listeners now; several may wait at a time."""
    ended: trio.Event = attrs.field(factory=trio.Event)
    _pending: deque[tuple[End, Call]] = attrs.field(factory=deque[tuple[End, Call]])
    _announcing: bool = False

    @property
    def closed(self) -> bool:
        """Its context has been closed."""
        return self.scope.closed

    def event(self, call: Call) -> ConnectEvent:
        """Return the event that a call fires."""
        return self.on_connect_external if call.external else self.on_connect

    def make_port(
        self, end: End, decoder: Decoder, *, name: str, sender: MessageSender | None = None, held: bool = False
    ) -> Port[Any, Any]:
        """Make this script's port, which owns ``end``. If it is held, it delivers nothing until it is released."""
        return Port(
            end, self.scope, self._options, decoder, name=name, sender=sender, held=held, show_error=self.show_error
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

    def announce(self, end: End, call: Call) -> None:
        """Call the listeners for a connection later, after those that came before. Owns the receiver's ``end``."""
        end.hold_sender()  # As if somebody listened, until a port there knows whether anybody does.
        self._pending.append((end, call))
        if not self._announcing:
            self._announcing = self.scope.start_soon(self._announce_pending) is not None

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
        event = self.event(call)
        if not event.listeners:
            end.withdraw(no_receiver())
            return
        port = self.make_port(end, self._options.decoder(Any), name=call.name, sender=call.sender, held=True)
        try:
            # A copy of the context: what a listener sets for one connection is not seen by those of the next.
            contextvars.copy_context().run(self._call_listeners, event, port)
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
                listener_failed(port, error, self._options)
                continue
            if isinstance(result, Awaitable):
                hold(port)
                if not self.scope.start_soon(self._run_listener, result, port):
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
            listener_failed(port, error, self._options)

    def close(self, error: PortError | None) -> None:
        """Disconnect all ports, with ``error`` for the other sides, and cancel all tasks. Idempotent."""
        self.scope.close(error)
        while self._pending:
            self._pending.popleft()[0].close(error, vanished=True)
        self.ended.set()

    async def settle(self, error: PortError | None) -> None:
        """Let everything that is under way reach the listeners, before the browser closes this script's context."""
        self.scope.ending = True
        with trio.CancelScope(shield=True):
            while self._announcing:
                await trio.lowlevel.checkpoint()
            await self.scope.settle(error)


def _discard(listener: Awaitable[object]) -> None:
    """Close a coroutine that will not run, so that Python does not warn about it."""
    if isinstance(listener, Coroutine):
        listener.close()
