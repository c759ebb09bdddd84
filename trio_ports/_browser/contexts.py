"""A context: one script's world. It owns the ports that are opened from it and those that reach it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from .._ports.connection import End
from .._ports.failures import closed_scope_error, crash_error, judge, raise_as_it_is
from .._ports.observers import ListenerFailed
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.dialects import NO_RECEIVER_TEXT
from .._protocol.errors import Cause, LocalProtocolError, PortError
from .._protocol.senders import MessageSender
from .runtime import Runtime, Tabs

if TYPE_CHECKING:
    from typing import Self

    from .browser import Browser
    from .calls import Call
    from .extensions import Extension
    from .tabs import Frame, Tab

ContextKind: TypeAlias = Literal["background", "page", "content_script", "web_page"]
ConnectEvent: TypeAlias = Literal["on_connect", "on_connect_external"]

BATCH: Final = 64
"""How many connections are announced before others run."""


@final
class Context:
    """One script's world: a background page, another extension page, a content script in a frame, or a web page.

    Made by `Extension.open_page`, `Extension.inject` and `Tab.web_page`. ``async with context:`` closes it at the end
    of the block; leaving the block by an exception is a crash, of which the other ends of its ports are told.

    Attributes:
        kind: ``"background"``, ``"page"``, ``"content_script"`` or ``"web_page"``.
        url: what it runs in.
        document_id: the document it belongs to.
        runtime: the extension's way to others.
    """

    __slots__ = (
        "_announcing",
        "_browser",
        "_extension",
        "_frame",
        "_pending",
        "_scope",
        "_tabs",
        "document_id",
        "kind",
        "runtime",
        "url",
    )

    def __init__(
        self,
        browser: Browser,
        kind: ContextKind,
        *,
        url: str,
        extension: Extension | None = None,
        frame: Frame | None = None,
    ) -> None:
        self._browser = browser
        self._extension = extension
        self._frame = frame
        self._scope = Scope(browser._nursery)
        self._pending: deque[tuple[ConnectEvent, End, str, MessageSender]] = deque()
        self._announcing = False
        self._tabs = Tabs(self)
        self.kind: ContextKind = kind
        self.url: str = url
        self.document_id: str = browser._new_document_id() if frame is None else frame.document_id
        self.runtime: Runtime = Runtime(self)
        browser._contexts[self] = None
        if frame is not None:
            frame._contexts.append(self)

    @property
    def browser(self) -> Browser:
        """The browser it lives in."""
        return self._browser

    @property
    def extension(self) -> Extension | None:
        """The extension whose script this is; None for a web page."""
        return self._extension

    @property
    def frame(self) -> Frame | None:
        """The frame it lives in; None for a page that is shown in no tab."""
        return self._frame

    @property
    def tab(self) -> Tab | None:
        """The tab it lives in; None for a page that is shown in no tab."""
        return None if self._frame is None else self._frame.tab

    @property
    def tabs(self) -> Tabs:
        """The way to content scripts; for the extension's own pages.

        Raises:
            LocalProtocolError: in a content script or a web page.
        """
        if self.kind not in ("background", "page"):
            raise LocalProtocolError(f"a {self.kind.replace('_', ' ')} has no tabs; its extension's pages have")
        return self._tabs

    @property
    def closed(self) -> bool:
        """The context has ended."""
        return self._scope.closed

    @enable_ki_protection
    def close(self) -> None:
        """End the context: its ports disconnect, in good order, and its tasks are cancelled. Sync and idempotent.

        A context that was closed runs no listeners.
        """
        self._browser._require_here("context.close")
        self._close(None)

    @enable_ki_protection
    async def __aenter__(self) -> Self:
        """Narrow the context's scope to a block. A checkpoint; a cancelled call has closed the context.

        Raises:
            trio.ClosedResourceError: if the context is closed.
        """
        self._require_open("async with context")
        try:
            await trio.lowlevel.checkpoint()
        except BaseException as error:
            self._close(crash_error(error))
            raise
        return self

    @enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close(crash_error(error))
        await self._scope.wait_idle()
        if error is None:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    def __repr__(self) -> str:
        owner = "" if self._extension is None else f" of {self._extension.id}"
        where = "" if self._frame is None else f" in frame {self._frame.id} of tab {self._frame.tab.id}"
        return f"<Context {self.kind}{owner}{where} {self.url!r}{' (closed)' if self.closed else ''}>"

    # For the package ------------------------------------------------------------------------------------------------

    def _require_open(self, what: str) -> None:
        """Raise unless ``what`` can be called here and now."""
        self._browser._require_here(what)
        if self.closed:
            raise closed_scope_error(f"{self!r} is closed")

    @enable_ki_protection
    def _open_port(self, call: Call, message_type: Any) -> Port[Any, Any]:
        """Connect from here to whoever hears ``call``, and return this context's end."""
        browser = self._browser
        options = browser._options
        decoder = options.decoder(message_type)
        near = browser._call(call, self)
        return Port(near, self._scope, options, decoder, name=call.name, show_error=self.runtime._show_error)

    def _listens(self, event: ConnectEvent) -> bool:
        """Say whether a connection would be heard here."""
        return not self.closed and bool(getattr(self.runtime, f"_{event}").listeners)

    def _announce(self, event: ConnectEvent, end: End, name: str, sender: MessageSender) -> None:
        """Tell this context of a connection, later and in order."""
        end.hold_sender()
        self._pending.append((event, end, name, sender))
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
        event, end, name, sender = self._pending.popleft()
        listeners = getattr(self.runtime, f"_{event}").listeners
        if not listeners:
            end.withdraw(PortError(NO_RECEIVER_TEXT, cause=Cause.NO_RECEIVER))
            return
        options = self._browser._options
        decoder = options.decoder(Any)
        show_error = self.runtime._show_error
        port: Port[Any, Any] = Port(
            end, self._scope, options, decoder, name=name, sender=sender, held=True, show_error=show_error
        )
        try:
            self._call_listeners(listeners, event, port)
        finally:
            port._delivery.release()

    @disable_ki_protection
    def _call_listeners(self, listeners: tuple[Any, ...], event: ConnectEvent, port: Port[Any, Any]) -> None:
        current = getattr(self.runtime, f"_{event}")
        for listener in listeners:
            if self.closed:  # By a listener before: a context that was closed runs no listeners.
                return
            if not current.has_listener(listener) and not self._browser._options.dialect.calls_removed_listeners:
                continue
            try:
                result = listener(port)
            except BaseException as error:  # noqa: BLE001 - raised again, or logged as the dialect has it
                self._listener_failed(port, error)
                continue
            if isinstance(result, Awaitable):
                port._delivery.hold()
                if not self._scope.start_soon(self._run_listener, result, port):
                    _discard(cast("Awaitable[object]", result))

    @disable_ki_protection
    async def _run_listener(self, listener: Awaitable[object], port: Port[Any, Any]) -> None:
        if self.closed:
            _discard(listener)
            return
        # The port's own task starts after this one's first step, so that the listener reaches its first checkpoint
        # before a message is delivered.
        port._delivery.release(within_task=True)
        try:
            await listener
        except BaseException as error:  # noqa: BLE001 - raised again, or logged as the dialect has it
            self._listener_failed(port, error)

    def _listener_failed(self, port: Port[Any, Any], error: BaseException) -> None:
        """Tell the observer what an on_connect listener raised, which logs it, or end its port as a crash and raise."""
        verdict = judge(error, self._browser._options.listener_errors)
        observer = self._browser._options.observer
        if verdict.reported is not None and observer is not None:
            observer(ListenerFailed(port, verdict.reported, verdict.ends_port))
        if verdict.ends_port:
            port._delivery.close(crash_error(error), vanished=True)
        try:
            if verdict.raised is not None:
                raise_as_it_is(verdict.raised)
        finally:
            del error, verdict

    def _close(self, error: PortError | None) -> None:
        if self.closed:
            return
        self._browser._contexts.pop(self, None)
        if self._frame is not None:
            self._frame._contexts.remove(self)
        if self._extension is not None:
            self._extension._forget(self)
        self._scope.close(error)
        while self._pending:
            self._pending.popleft()[1].close(error, vanished=True)
        self.runtime._closed.set()

    @enable_ki_protection
    async def _tear_down(self, error: PortError | None) -> None:
        """Close as the browser does at its end: first everything that is under way reaches this context's listeners."""
        self._scope.ending = True
        with trio.CancelScope(shield=True):
            while self._announcing:
                await trio.lowlevel.checkpoint()
            await self._scope.settle(error)
        self._close(error)


def _discard(listener: Awaitable[object]) -> None:
    """Let go of a listener that will not run, without a warning that it never did."""
    if isinstance(listener, Coroutine):
        listener.close()
