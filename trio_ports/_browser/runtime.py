"""``runtime`` and ``tabs``: how a context reaches others and is reached. Source: MDN; rules 1 to 9.

What is called here is checked here; what it then does is in `connecting` and `serving`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, final

import attrs
import trio

from .._native.arguments import check_application_name
from .._ports.events import Event, check_callable
from .._ports.handlers import Handler
from .._ports.port import MessageT, Port
from .._protocol.errors import LocalProtocolError, PortError
from .._protocol.senders import MessageSender
from .._util import check_flag, check_type, running_task
from .answering import SendResponse
from .asking import ask
from .calls import Call
from .connecting import connect, start_application
from .entries import ContextEntry
from .registry import Registry
from .routing import describe_opener
from .serving import serve

if TYPE_CHECKING:
    from typing_extensions import TypeForm


@final
@attrs.define(eq=False, repr=False)
class Runtime:
    """``browser.runtime`` of one context."""

    _registry: Registry
    _context: ContextEntry

    @property
    def id(self) -> str | None:
        """The extension's id; None in a web page, and in a content script whose extension has gone."""
        return None if self._context.script.scope.invalidated else self._context.extension_id

    @property
    def last_error(self) -> PortError | None:
        """Why a port ended: in the dialect ``chrome``, for its on_disconnect listeners; otherwise None."""
        task = running_task()
        return None if task is None else self._context.script.errors.get(task)

    @property
    def on_connect(self) -> Event[Callable[[Port[Any, Any]], object]]:
        """Called with the receiving port when another context of this extension connects.

        A sync listener is called by a task of the context. An async one runs as a task of its own, which is cancelled
        when the context closes; it reaches its first checkpoint before the first message is delivered. Several such
        tasks start in no particular order, as tasks do. What a sync listener sets in context variables is seen by the
        other listeners of the same connection only.

        Raises:
            LocalProtocolError: in a web page or a user script, which nobody connects to.
        """
        if self._context.kind in ("web_page", "user_script"):
            self._lacks("on_connect")
        return self._context.script.on_connect

    @property
    def on_connect_external(self) -> Event[Callable[[Port[Any, Any]], object]]:
        """The same for other extensions and for web pages, as far as ``externally_connectable`` lets them in.

        Raises:
            LocalProtocolError: in a script or a web page.
        """
        if self._context.kind not in ("background", "page"):
            self._lacks("on_connect_external")
        return self._context.script.on_connect_external

    @property
    def on_user_script_connect(self) -> Event[Callable[[Port[Any, Any]], object]]:
        """The same as `on_connect`, for this extension's user scripts, which fire no other event (rule 68).

        Raises:
            LocalProtocolError: in a script or a web page.
        """
        if self._context.kind not in ("background", "page"):
            self._lacks("on_user_script_connect")
        return self._context.script.on_user_script_connect

    @property
    def on_message(self) -> Event[Callable[[Any, MessageSender, SendResponse], object]]:
        """Called with ``(message, sender, send_response)`` for a one-shot message from this extension.

        A listener answers in one of three ways, and the first answer of all listeners counts:

        * by ``send_response(answer)``, during the call or, if it returns True, later;
        * as an async function, by what it returns, which may be None: it runs as a task of the context;
        * by what it returns, if that is neither None nor a bool (not in ``firefox`` and ``chrome``, where that is
          ignored as in these browsers).

        A listener that returns None or False has nothing to say. What it raises goes the way of what an on_connect
        listener raises (rule 31), and the sender gets a NoAnswerError.

        Raises:
            LocalProtocolError: in a web page or a user script, which nobody sends to.
        """
        if self._context.kind in ("web_page", "user_script"):
            self._lacks("on_message")
        return self._context.script.on_message

    @property
    def on_message_external(self) -> Event[Callable[[Any, MessageSender, SendResponse], object]]:
        """The same for other extensions and for web pages, as far as ``externally_connectable`` lets them in.

        Raises:
            LocalProtocolError: in a script or a web page.
        """
        if self._context.kind not in ("background", "page"):
            self._lacks("on_message_external")
        return self._context.script.on_message_external

    @property
    def on_user_script_message(self) -> Event[Callable[[Any, MessageSender, SendResponse], object]]:
        """The same as `on_message`, for this extension's user scripts, which fire no other event (rule 68).

        Raises:
            LocalProtocolError: in a script or a web page.
        """
        if self._context.kind not in ("background", "page"):
            self._lacks("on_user_script_message")
        return self._context.script.on_user_script_message

    def connect(
        self, extension_id: str | None = None, *, name: str = "", message_type: TypeForm[MessageT] = Any
    ) -> Port[Any, MessageT]:
        """Connect to the pages of an extension. Each page that listens gets a port, except for the calling one.

        Never waits, and nothing is delivered inside the call. If nobody listens, or this context may not connect, the
        port's on_disconnect fires later, with an error that does not tell which of the two it was.

        Args:
            extension_id: whose pages; this context's own extension unless given.
            name: what the ports are called.
            message_type: what every message that arrives at the returned port is decoded into and checked against.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            LocalProtocolError: in a web page, without an id; in a user script, with another extension's.
            trio.ClosedResourceError: if this context is closed.
        """
        self._registry.require_live(self._context, "runtime.connect")
        check_type("name", name, str)
        call = self._call(extension_id, name=name)
        return connect(self._registry, self._context, call, message_type)

    async def send_message(
        self, message: Any, extension_id: str | None = None, *, message_type: TypeForm[MessageT] = Any
    ) -> MessageT | None:
        """Send a one-shot message to the pages of an extension and return the first answer.

        Each page that listens to `on_message` gets the message, except for the calling one. If all of them have
        listened, and none has an answer, this returns None. A checkpoint; a call that is cancelled while it waits has
        sent the message, and the answer is dropped.

        Args:
            message: any message; see rule 12.
            extension_id: whose pages; this context's own extension unless given.
            message_type: what the answer is decoded into and checked against.

        Raises:
            NoAnswerError: nobody listens, or this context may not send there (``Cause.NO_RECEIVER``, which does not
                show which of the two it was); a listener failed (``Cause.CRASHED``); or whoever was to answer went
                away (``Cause.UNANSWERED``).
            NotSerializableError, MessageTooLargeError: ``message`` cannot be sent; nobody was called.
            MessageShapeError: the answer is not of the ``message_type``.
            TypeError, ValueError: for arguments that are not as above.
            LocalProtocolError: in a web page, without an id; in a user script, with another extension's.
            trio.ClosedResourceError: if this context is closed, or closes meanwhile.
        """
        self._registry.require_live(self._context, "runtime.send_message")
        call = self._call(extension_id, one_shot=True)
        answer: MessageT | None = await ask(self._registry, self._context, call, message, message_type)
        return answer

    def _call(self, extension_id: str | None, *, name: str = "", one_shot: bool = False) -> Call:
        check_type("extension_id", extension_id, (str, type(None)))
        if extension_id == "":
            raise ValueError("extension_id must not be empty")
        target = extension_id or self.id
        if target is None:
            raise LocalProtocolError("a web page belongs to no extension: say which one, by its extension_id")
        from_user_script = self._context.kind == "user_script"
        if from_user_script and target != self.id:
            raise LocalProtocolError("a user script reaches its own extension only")
        return Call(
            opener_id=self.id,
            opener_url=self._context.url,
            name=name,
            sender=describe_opener(self._context, self._registry.options.dialect),
            extension_id=target,
            incognito=self._context.incognito,
            from_script=self._context.kind == "content_script",
            from_user_script=from_user_script,
            one_shot=one_shot,
        )

    def connect_native(self, application: str, *, message_type: TypeForm[MessageT] = Any) -> Port[Any, MessageT]:
        """Start a native application and connect to it. For the extension's own pages.

        Never waits: if the application cannot be started, the port ends later, with the reason. The process ends with
        the port.

        Args:
            application: the name in its manifest.
            message_type: as in `connect`.

        Raises:
            ApplicationNameError: if no application can have that name (in ``chrome`` the port ends instead).
            LocalProtocolError: in a content script (except in ``firefox``) or a web page.
            trio.ClosedResourceError: if this context is closed.
        """
        context, dialect = self._context, self._registry.options.dialect
        self._registry.require_live(context, "runtime.connect_native")
        may = context.kind in ("background", "page") or dialect.content_scripts_connect_native
        if context.extension is None or not may:
            self._lacks("connect_native")
        check_type("application", application, str)
        check_application_name(application, dialect)
        return start_application(self._registry, context, context.extension.id, application, message_type)

    async def serve(
        self,
        handler: Handler[MessageT],
        *,
        external: bool = False,
        message_type: TypeForm[MessageT] = Any,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run ``handler(port)`` as a task for every connection, and disconnect its port when it returns.

        Runs until it is cancelled or the context closes; then the handlers are cancelled. Start it with
        ``await nursery.start(context.runtime.serve, handler)`` and no connection is missed.

        A handler that its own port's end interrupts has ended, and concerns nobody else (rule 43). To end one
        conversation, call ``port.disconnect()`` and return. What a handler raises otherwise is a crash of its port and
        leaves through here, which cancels the other handlers. As in Trio's own servers, a handler sees the context
        variables of the code that called this.

        Args:
            handler: an async function.
            external: serve ``on_connect_external`` instead of ``on_connect``.
            message_type: what every message that arrives is decoded into and checked against.
            task_status: started as soon as no connection can be missed any more.

        Raises:
            TypeError: for arguments that are not as above.
            trio.BusyResourceError: if another task serves the same event of this context.
            trio.ClosedResourceError: if this context is closed.
        """
        self._registry.require_live(self._context, "runtime.serve")
        check_callable("handler", handler, ("port",), kind="an async function")
        check_flag("external", external)
        decoder = self._registry.options.decoder(message_type)
        event = self.on_connect_external if external else self.on_connect
        await serve(self._context.script, event, handler, decoder, task_status)

    def _lacks(self, what: str) -> NoReturn:
        raise LocalProtocolError(f"a {self._context.kind.replace('_', ' ')} has no runtime.{what}")

    def __repr__(self) -> str:
        return f"<runtime of {self._context!r}>"


@final
@attrs.define(eq=False, repr=False)
class Tabs:
    """``browser.tabs`` of one extension page."""

    _registry: Registry
    _context: ContextEntry

    def connect(
        self,
        tab_id: int,
        *,
        name: str = "",
        frame_id: int | None = None,
        document_id: str | None = None,
        message_type: TypeForm[MessageT] = Any,
    ) -> Port[Any, MessageT]:
        """Connect to this extension's content scripts, and its own pages, in a tab.

        Never waits. If the tab, frame or document is not there, nobody listens: see `Runtime.connect`.

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
        self._registry.require_live(self._context, "tabs.connect")
        check_type("name", name, str)
        call = self._call(tab_id, frame_id, document_id, name=name)
        return connect(self._registry, self._context, call, message_type)

    async def send_message(
        self,
        tab_id: int,
        message: Any,
        *,
        frame_id: int | None = None,
        document_id: str | None = None,
        message_type: TypeForm[MessageT] = Any,
    ) -> MessageT | None:
        """Send a one-shot message to this extension's content scripts, and its own pages, in a tab.

        Returns the first answer; see `Runtime.send_message`. If several frames answer at once, it is one of theirs.

        Args:
            tab_id: ``tab.id``.
            message: any message; see rule 12.
            frame_id: only this frame of the tab; 0 is the top one.
            document_id: only this document.
            message_type: as in `Runtime.send_message`.

        Raises:
            NoAnswerError, NotSerializableError, MessageTooLargeError, MessageShapeError: as `Runtime.send_message`.
            TypeError: for arguments that are not as above.
            trio.ClosedResourceError: if this context is closed, or closes meanwhile.
        """
        self._registry.require_live(self._context, "tabs.send_message")
        call = self._call(tab_id, frame_id, document_id, one_shot=True)
        answer: MessageT | None = await ask(self._registry, self._context, call, message, message_type)
        return answer

    def _call(
        self,
        tab_id: int,
        frame_id: int | None,
        document_id: str | None,
        *,
        name: str = "",
        one_shot: bool = False,
    ) -> Call:
        check_type("tab_id", tab_id, int)
        check_type("frame_id", frame_id, (int, type(None)))
        check_type("document_id", document_id, (str, type(None)))
        return Call(
            opener_id=self._context.extension_id,
            opener_url=self._context.url,
            name=name,
            sender=describe_opener(self._context, self._registry.options.dialect, by_tab=True),
            tab_id=tab_id,
            frame_id=frame_id,
            document_id=document_id,
            one_shot=one_shot,
        )

    def __repr__(self) -> str:
        return f"<tabs of {self._context!r}>"
