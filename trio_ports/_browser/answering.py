"""Answering: what the listeners of one context make of a one-shot message. Source: rules 60 to 64.

The message has arrived by a port of its own. The answer is the one message that is posted there; a disconnect without
one means that nobody here has anything to say, and the loss of this side that somebody had, and is gone.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from threading import get_ident
from typing import Any, TypeAlias, cast, final
from weakref import finalize

import attrs
import trio
from trio.lowlevel import disable_ki_protection

from .._ports.events import Event
from .._ports.failures import FAILED_TEXT, is_cancellation
from .._ports.options import Options
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.errors import Cause, NotSerializableError, PortError
from .._protocol.senders import MessageSender
from .._util import require_trio
from .ports import fail, is_open, listener_failed, post_frame, vanish


@final
class SendResponse:
    """Answers a one-shot message: ``send_response(answer)``. The third argument of on_message listeners."""

    __slots__ = ("__weakref__", "_reply", "_thread")

    def __init__(self, reply: _Reply) -> None:
        self._reply = reply
        self._thread = get_ident()

    def __call__(self, answer: Any = None) -> None:
        """Answer the message. Never waits.

        Does nothing if there is an answer already, or if nobody waits for one any more. Once the listener has returned
        it counts only if the listener returned True or, except in ``firefox``, something awaitable.

        Raises:
            NotSerializableError, MessageTooLargeError: ``answer`` cannot be sent; nothing was.
            RuntimeError: outside Trio, or in another thread.
        """
        require_trio("send_response", self._thread)
        self._reply.respond(answer)


MessageEvent: TypeAlias = Event[Callable[[Any, MessageSender, SendResponse], object]]


@final
@attrs.define(eq=False)
class Answering:
    """A message that has reached a context, until it is answered there or nobody there will answer it."""

    _port: Port[Any, Any]
    _scope: Scope
    _options: Options
    _waiting: int = attrs.field(default=0, init=False)
    """How many may answer yet; the dispatch counts as one."""
    _was_promised: bool = attrs.field(default=False, init=False)
    """A listener was going to answer later."""

    def dispatch(self, event: MessageEvent, message: Any) -> None:
        """Call the listeners of an event."""
        self._waiting = 1
        try:
            # A copy of the context: what a listener sets for one message is not seen by those of the next.
            contextvars.copy_context().run(self._call_listeners, event, message)
        finally:
            self.give_up()

    @disable_ki_protection
    def _call_listeners(self, event: MessageEvent, message: Any) -> None:
        for listener in event.listeners:
            if self._scope.closed:  # By a listener before: a context that was closed runs no listeners.
                return
            if event.has_listener(listener) or self._options.dialect.calls_removed_listeners:
                self._call(listener, message)

    def _call(self, listener: Callable[[Any, MessageSender, SendResponse], object], message: Any) -> None:
        dialect = self._options.dialect
        reply = _Reply(self)
        send_response = SendResponse(reply)
        sender = self._port.sender
        assert sender is not None, "it is a receiver's port"
        try:
            result = listener(message, sender, send_response)
            if isinstance(result, Awaitable):
                self._expect(reply, later=dialect.first_answer_counts)
                if not self._scope.start_soon(self._await_answer, result):
                    discard(cast("Awaitable[object]", result))
            elif result is True:
                self._expect(reply, later=True)
                token = trio.lowlevel.current_trio_token()
                finalize(send_response, _give_up_soon, self, token).atexit = False
            elif reply.frame is None and dialect.returned_values_answer and result is not None and result is not False:
                reply.respond(result)
        except BaseException as error:  # noqa: BLE001 - raised again, or logged as the dialect has it
            if reply.frame is not None and dialect.first_answer_counts:
                self.answer(reply.frame)
            self._fail(error)
            return
        if reply.frame is not None and (dialect.first_answer_counts or not isinstance(result, Awaitable)):
            self.answer(reply.frame)
        reply.has_returned = True

    def _expect(self, reply: _Reply, *, later: bool) -> None:
        """Note that a listener will answer; ``later``: by ``send_response``, if it comes to that."""
        self._waiting += 1
        self._was_promised = True
        reply.counts_later = later

    @disable_ki_protection
    async def _await_answer(self, listener: Awaitable[object]) -> None:
        if self._scope.closed:
            discard(listener)
            return
        try:
            answer = await listener
            if is_open(self._port):
                self.answer(self.encode(answer))
        except BaseException as error:  # noqa: BLE001 - raised again, or logged as the dialect has it
            self._fail(error)
        finally:
            self.give_up()

    def encode(self, answer: Any) -> bytes:
        """Return the bytes of an answer; raise if it has none."""
        return self._options.encoder.encode(answer)

    def answer(self, frame: bytes) -> None:
        """Answer the message, unless that was done or nobody waits for it any more."""
        if is_open(self._port):
            post_frame(self._port, frame)
            self._port.disconnect()

    def _fail(self, error: BaseException) -> None:
        """Let the sender know that a listener has failed, and report or raise what it raised."""
        if not is_cancellation(error) and is_open(self._port):
            dialect = self._options.dialect
            text = str(error) if dialect.tells_failures else FAILED_TEXT
            if dialect.one_shot_texts is not None and isinstance(error, NotSerializableError):
                text = dialect.one_shot_texts.not_serializable
            fail(self._port, PortError(text, cause=Cause.CRASHED))
        listener_failed(self._port, error, self._options)

    def give_up(self) -> None:
        """Note that one of those that might have answered will not. After the last one the port ends."""
        self._waiting -= 1
        if self._waiting or not is_open(self._port):
            return
        texts = self._options.dialect.one_shot_texts
        if not self._was_promised:
            self._port.disconnect()
        elif texts is None or texts.forgotten is None:
            vanish(self._port)
        else:
            fail(self._port, PortError(texts.forgotten, cause=Cause.UNANSWERED))


@final
@attrs.define(eq=False)
class _Reply:
    """What one listener has said so far, by its ``send_response``."""

    _answering: Answering
    frame: bytes | None = attrs.field(default=None, init=False)
    """The answer that it gave while it was called, encoded."""
    has_returned: bool = attrs.field(default=False, init=False)
    counts_later: bool = attrs.field(default=False, init=False)
    """What it says after it has returned counts."""

    def respond(self, answer: Any) -> None:
        """Take an answer, if it counts."""
        if not self.has_returned:
            frame = self._answering.encode(answer)
            self.frame = frame if self.frame is None else self.frame
        elif self.counts_later:
            self._answering.answer(self._answering.encode(answer))


def _give_up_soon(answering: Answering, token: trio.lowlevel.TrioToken) -> None:
    """Note that the only function that could have answered exists no more: at any point of the program, in any thread.

    A listener that returned True and kept no ``send_response`` is the usual case.
    """
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(answering.give_up)


def discard(listener: Awaitable[object]) -> None:
    """Close a coroutine that will not run, so that Python does not warn about it."""
    if isinstance(listener, Coroutine):
        cast("Coroutine[Any, Any, object]", listener).close()
