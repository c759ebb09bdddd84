"""A script: what runs in one context. It owns the ports there, and calls the listeners of connections that arrive."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast, final

import attrs
import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._ports.connection import End
from .._ports.events import Event
from .._ports.options import Options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.contexts import ContextHappening, ContextState, advance_context
from .._protocol.errors import PortError
from .._protocol.messages import Decoder
from .._protocol.senders import MessageSender
from .answering import Answering, MessageEvent, discard
from .calls import Call, no_receiver
from .idle import IdleClock
from .ports import hold, listener_failed, release

ConnectEvent: TypeAlias = Event[Callable[[Port[Any, Any]], object]]

BATCH: Final = 64
"""How many connections are announced before others run."""
_OF_MESSAGE: Final = ("message", "sender", "send_response")


@final
@attrs.define(eq=False, repr=False)
class Script:
    """What runs in one context: a scope for ports and tasks, listeners, and connections that are not announced yet."""

    _options: Options
    scope: Scope
    state: ContextState = ContextState.RUNNING
    idle: IdleClock | None = None
    """Of a background that sleeps: says when it has nothing more to do."""
    first_turn: trio.Event | None = None
    """Of a background that sleeps: set when its first turn is over, or will never be."""
    on_connect: ConnectEvent = attrs.field(factory=lambda: Event("on_connect", arguments=("port",)))
    on_connect_external: ConnectEvent = attrs.field(factory=lambda: Event("on_connect_external", arguments=("port",)))
    on_user_script_connect: ConnectEvent = attrs.field(
        factory=lambda: Event("on_user_script_connect", arguments=("port",))
    )
    on_message: MessageEvent = attrs.field(factory=lambda: Event("on_message", arguments=_OF_MESSAGE))
    on_message_external: MessageEvent = attrs.field(factory=lambda: Event("on_message_external", arguments=_OF_MESSAGE))
    on_user_script_message: MessageEvent = attrs.field(
        factory=lambda: Event("on_user_script_message", arguments=_OF_MESSAGE)
    )
    served: list[ConnectEvent] = attrs.field(factory=list[ConnectEvent])
    """Those of the events of connections that a task serves."""
    errors: dict[trio.lowlevel.Task, PortError] = attrs.field(factory=dict[trio.lowlevel.Task, PortError])
    """``last_error``, by the task that runs a port's on_disconnect listeners now; several may wait at a time."""
    ended: trio.Event = attrs.field(factory=trio.Event)
    _pending: deque[tuple[End, Call, trio.Event | None]] = attrs.field(
        factory=deque[tuple[End, Call, trio.Event | None]]
    )
    _announcing: bool = False

    @property
    def closed(self) -> bool:
        """Its context has been closed, or will be when its last messages have arrived."""
        lives_on = self._options.dialect.content_scripts_outlive_extension
        return self.state is ContextState.GONE or (self.state is ContextState.ORPHANED and not lives_on)

    def happen(self, happening: ContextHappening) -> None:
        """Change the state of its context."""
        self.state = advance_context(self.state, happening)

    def end_first_turn(self) -> None:
        """Let those who have called a background reach the listeners that are there now, and no later ones."""
        self.happen(ContextHappening.FIRST_TURN_OVER)
        callers, self._pending = self._pending, deque()
        for caller in callers:
            end, call, _ = caller
            if self.event(call).listeners:
                self._pending.append(caller)
            else:
                end.withdraw(no_receiver())
        self._release_callers()

    def _release_callers(self) -> None:
        if self.first_turn is not None:
            self.first_turn.set()

    def may_hear(self, call: Call) -> bool:
        """Return whether somebody listens here, or will perhaps, once the first turn is over. Source: rule 44."""
        is_started = self.state not in (ContextState.ASLEEP, ContextState.STARTING)
        return bool(self.event(call).listeners) or not is_started

    def event(self, call: Call) -> ConnectEvent | MessageEvent:
        """Return the event that a call fires."""
        return self._message_event(call) if call.one_shot else self._connect_event(call)

    def _connect_event(self, call: Call) -> ConnectEvent:
        if call.from_user_script:
            return self.on_user_script_connect
        return self.on_connect_external if call.external else self.on_connect

    def _message_event(self, call: Call) -> MessageEvent:
        if call.from_user_script:
            return self.on_user_script_message
        return self.on_message_external if call.external else self.on_message

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

    def announce(self, end: End, call: Call, after: trio.Event | None = None) -> None:
        """Call the listeners for a connection later, after those that came before. Owns the receiver's ``end``.

        Args:
            end: the receiver's end of the connection.
            call: what was asked for.
            after: set when the first turn of the background that the call has woken is over.
        """
        end.hold_sender()  # As if somebody listened, until a port there knows whether anybody does.
        self._pending.append((end, call, after))
        if not self._announcing:
            self._announcing = self.scope.start_soon(self._announce_pending) is not None

    @enable_ki_protection
    async def _announce_pending(self) -> None:
        try:
            while self._pending:
                await self._wait_first_turn()
                for _ in range(min(len(self._pending), BATCH)):
                    if self._pending and self._is_due:  # A listener may have closed this context.
                        self._announce_next()
                if self._pending:  # Many came at a time, or a listener has connected to this context: let others run.
                    await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._announcing = False

    @property
    def _is_due(self) -> bool:
        """Whether the background that the next call has woken, if it has, is through its first turn."""
        after = self._pending[0][2]
        return after is None or after.is_set()

    async def _wait_first_turn(self) -> None:
        after = self._pending[0][2]
        if after is not None and not after.is_set():
            with trio.CancelScope(shield=True):  # A first turn waits for nothing, so this takes no time.
                await after.wait()

    def _announce_next(self) -> None:
        end, call, _ = self._pending.popleft()
        if not self.event(call).listeners:
            end.withdraw(no_receiver())
        elif call.one_shot:
            self._announce_message(end, call)
        else:
            self._announce_connection(end, call)

    def _announce_connection(self, end: End, call: Call) -> None:
        event = self._connect_event(call)
        port = self.make_port(end, self._options.decoder(Any), name=call.name, sender=call.sender, held=True)
        try:
            # A copy of the context: what a listener sets for one connection is not seen by those of the next.
            contextvars.copy_context().run(self._call_listeners, event, port)
        finally:
            release(port)

    def _announce_message(self, end: End, call: Call) -> None:
        port = self.make_port(end, self._options.decoder(Any), name=call.name, sender=call.sender, held=True)
        answering = Answering(port, self.scope, self._options)
        try:
            message = port.receive_nowait()
        except trio.WouldBlock:  # It comes from another browser, and is on its way.
            self.scope.start_soon(self._answer_later, answering, port, call)
        else:
            release(port)
            answering.dispatch(self._message_event(call), message)

    async def _answer_later(self, answering: Answering, port: Port[Any, Any], call: Call) -> None:
        release(port, within_task=True)
        try:
            message = await port.receive()
        except (trio.EndOfChannel, trio.BrokenResourceError):
            return  # Its sender has gone before it came.
        answering.dispatch(self._message_event(call), message)

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
                    discard(cast("Awaitable[object]", result))

    @disable_ki_protection
    async def _run_listener(self, listener: Awaitable[object], port: Port[Any, Any]) -> None:
        if self.closed:
            discard(listener)
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
        self.happen(ContextHappening.ENDED)
        self.scope.close(error)
        self._release_callers()
        self.withdraw_pending(error)
        self.ended.set()

    def withdraw_pending(self, error: PortError | None = None) -> None:
        """Disconnect the connections that were not announced yet, with ``error`` for the openers."""
        while self._pending:
            self._pending.popleft()[0].close(error, vanished=True)

    async def settle(self, error: PortError | None) -> None:
        """Let everything that is under way reach the listeners, before the browser closes this script's context."""
        self.scope.ending = True
        with trio.CancelScope(shield=True):
            while self._announcing:
                await trio.lowlevel.checkpoint()
            await self.scope.settle(error)
