"""``runtime`` and ``tabs``: how a context reaches others and is reached. Source: MDN; rules 1 to 9."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast, final

import trio
from trio.lowlevel import enable_ki_protection

from .._ports.connection import open_connection
from .._ports.events import Event, check_callable
from .._ports.failures import raise_unless_late
from .._ports.port import Port
from .._protocol.errors import LocalProtocolError, PortError
from .._util import check_flag, check_type
from . import routing
from .calls import Call

if TYPE_CHECKING:
    from .contexts import Context


@final
class Runtime:
    """``browser.runtime`` of one context."""

    __slots__ = ("_closed", "_context", "_errors", "_on_connect", "_on_connect_external", "_served")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._errors: dict[trio.lowlevel.Task, PortError] = {}
        """By the task that runs a port's on_disconnect listeners now: those of other ports may wait meanwhile."""
        self._on_connect: Event[Callable[[Port[Any, Any]], object]] = Event("on_connect", arguments=("port",))
        self._on_connect_external: Event[Callable[[Port[Any, Any]], object]] = Event(
            "on_connect_external", arguments=("port",)
        )
        self._served: list[Event[Any]] = []
        self._closed: trio.Event = trio.Event()

    @property
    def id(self) -> str | None:
        """The extension's id; None in a web page."""
        extension = self._context.extension
        return None if extension is None else extension.id

    @property
    def last_error(self) -> PortError | None:
        """Why a port ended: in the dialect ``chrome``, for its on_disconnect listeners; otherwise None."""
        return self._errors.get(trio.lowlevel.current_task()) if self._errors else None

    @property
    def on_connect(self) -> Event[Callable[[Port[Any, Any]], object]]:
        """Called with the receiving port when another context of this extension connects.

        A sync listener is called by a task of the context; an async one runs as a task of its own, cancelled when the
        context closes, and reaches its first checkpoint before the first message is delivered. Several such tasks
        start in no particular order, as tasks do.

        Raises:
            LocalProtocolError: in a web page, which nobody connects to.
        """
        if self._context.kind == "web_page":
            self._lacks("on_connect")
        return self._on_connect

    @property
    def on_connect_external(self) -> Event[Callable[[Port[Any, Any]], object]]:
        """The same for other extensions and for web pages, as far as ``externally_connectable`` lets them.

        Raises:
            LocalProtocolError: in a content script or a web page.
        """
        if self._context.kind not in ("background", "page"):
            self._lacks("on_connect_external")
        return self._on_connect_external

    def connect(self, extension_id: str | None = None, *, name: str = "", message_type: Any = Any) -> Port[Any, Any]:
        """Connect to the pages of an extension: every one that listens, but not this context, gets a port.

        Never waits, and nothing is delivered inside the call. If nobody listens, or nobody may be reached, the port's
        on_disconnect fires later, with an error that does not tell which.

        Args:
            extension_id: whose pages; this context's own extension unless given.
            name: what the ports are called.
            message_type: what every message that arrives at the returned port is decoded into and checked against.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            LocalProtocolError: in a web page, without an id.
            trio.ClosedResourceError: if this context is closed.
        """
        context = self._context
        context._require_open("runtime.connect")
        check_type("extension_id", extension_id, (str, type(None)))
        check_type("name", name, str)
        if extension_id == "":
            raise ValueError("extension_id must not be empty")
        target = extension_id or self.id
        if target is None:
            raise LocalProtocolError("a web page belongs to no extension: say which one, connect(extension_id)")
        sender = routing.describe_opener(context)
        call = Call(opener_id=self.id, opener_url=context.url, name=name, sender=sender, extension_id=target)
        return context._open_port(call, message_type)

    @enable_ki_protection
    def connect_native(self, application: str, *, message_type: Any = Any) -> Port[Any, Any]:
        """Start a native application and connect to it. For the extension's own pages.

        Never waits: what cannot be started ends the port later, with the reason. The process ends with the port.

        Args:
            application: the name in its manifest.
            message_type: as in `connect`.

        Raises:
            LocalProtocolError: if no application can have that name (in ``chrome`` the port ends instead), or in a
                context that may not.
            trio.ClosedResourceError: if this context is closed.
        """
        from .._native.names import check_application_name  # Most programs never start an application.

        context = self._context
        setup = context.browser._setup
        context._require_open("runtime.connect_native")
        may = context.kind in ("background", "page") or setup.dialect.content_scripts_connect_native
        if context.extension is None or not may:
            self._lacks("connect_native")
        check_type("application", application, str)
        check_application_name(application, setup.dialect)
        decoder = setup.decoder(message_type)
        near, (far,) = open_connection(max_buffer_size=setup.max_buffer_size)
        name = application if setup.dialect.native_port_name else ""
        port: Port[Any, Any] = Port(near, context._owner, setup, decoder, name=name, show_error=self._show_error)
        context.browser._start_application(far, application, context.extension.id)
        return port

    @enable_ki_protection
    async def serve(
        self,
        handler: Callable[[Port[Any, Any]], Awaitable[object]],
        *,
        external: bool = False,
        message_type: Any = Any,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run ``handler(port)`` as a task for every connection, and disconnect its port when it returns.

        Runs until it is cancelled or the context closes; then the handlers are cancelled. What a handler raises is a
        crash of its port and leaves through here. Start it with ``await nursery.start(context.runtime.serve, handler)``
        and no connection is missed.

        Args:
            handler: an async function.
            external: serve ``on_connect_external`` instead of ``on_connect``.
            message_type: what every message that arrives is decoded into and checked against.
            task_status: told once connections are heard.

        Raises:
            TypeError: for arguments that are not as above.
            trio.BusyResourceError: if another task serves the same event of this context.
            trio.ClosedResourceError: if this context is closed.
        """
        self._context._require_open("runtime.serve")
        check_callable("handler", handler, ("port",), kind="an async function")
        check_flag("external", external)
        decoder = self._context.browser._setup.decoder(message_type)
        event = self.on_connect_external if external else self.on_connect
        if event in self._served:
            raise trio.BusyResourceError(f"another task serves {event!r}")

        async with trio.open_nursery() as nursery:

            def accept(port: Port[Any, Any]) -> None:
                port._decoder = decoder
                port._hold()
                nursery.start_soon(self._serve_port, handler, port)

            event.add_listener(accept)
            self._served.append(event)
            try:
                task_status.started()
                await self._closed.wait()
            finally:
                event.remove_listener(accept)
                self._served.remove(event)
                nursery.cancel_scope.cancel()

    async def _serve_port(self, handler: Callable[[Port[Any, Any]], Awaitable[object]], port: Port[Any, Any]) -> None:
        held = True
        try:
            async with port:
                held = False
                port._release(within_task=True)
                handling = handler(port)
                if not isinstance(cast("object", handling), Awaitable):
                    raise TypeError(f"handler must be an async function: {handler!r} returned {handling!r}")
                await handling
        except (trio.ClosedResourceError, BaseExceptionGroup) as error:
            if not self._context.closed:
                raise
            raise_unless_late(error)
        finally:
            if held:
                port._release()

    def _show_error(self, error: PortError | None) -> None:
        """Let ``last_error`` say ``error``, where that is this dialect's way."""
        if self._context.browser._setup.dialect.keeps_error:
            return
        task = trio.lowlevel.current_task()
        if error is None:
            self._errors.pop(task, None)
        else:
            self._errors[task] = error

    def _lacks(self, what: str) -> NoReturn:
        raise LocalProtocolError(f"a {self._context.kind.replace('_', ' ')} has no runtime.{what}")

    def __repr__(self) -> str:
        return f"<runtime of {self._context!r}>"


@final
class Tabs:
    """``browser.tabs`` of one extension page."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def connect(
        self,
        tab_id: int,
        *,
        name: str = "",
        frame_id: int | None = None,
        document_id: str | None = None,
        message_type: Any = Any,
    ) -> Port[Any, Any]:
        """Connect to this extension's content scripts, and its own pages, in a tab.

        Never waits. A tab, frame or document that is not there is nobody who listens: see `Runtime.connect`.

        Args:
            tab_id: ``tab.id``.
            name: what the ports are called.
            frame_id: only this frame of the tab; 0 is the top one.
            document_id: only this document.
            message_type: as in `Runtime.connect`.

        Raises:
            TypeError: for arguments that are not as above.
            trio.ClosedResourceError: if this context is closed.
        """
        context = self._context
        context._require_open("tabs.connect")
        for what, value, kinds in (
            ("tab_id", tab_id, (int,)),
            ("name", name, (str,)),
            ("frame_id", frame_id, (int, type(None))),
            ("document_id", document_id, (str, type(None))),
        ):
            check_type(what, value, kinds)
        call = Call(
            opener_id=context.runtime.id,
            opener_url=context.url,
            name=name,
            sender=routing.describe_opener(context, by_tab=True),
            tab_id=tab_id,
            frame_id=frame_id,
            document_id=document_id,
        )
        return context._open_port(call, message_type)

    def __repr__(self) -> str:
        return f"<tabs of {self._context!r}>"
