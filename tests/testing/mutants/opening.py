"""Mutants of rules 1 to 9: who gets a port of a new connection, and what the port says of the opener."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from testing import makers
from testing.mutants.mutant import Mutant, in_browser, ports

from trio_ports._browser import browser, contexts, routing, tabs
from trio_ports._protocol import dialects, patterns
from trio_ports._protocol.errors import Cause, PortError


def announce_at_once(announce: Any) -> Any:
    def call(self: Any, event: Any, end: Any, name: str, sender: Any) -> None:
        announce(self, event, end, name, sender)
        if self._pending:
            self._announce_next()

    return call


def forget_those_that_ended(announce: Any) -> Any:
    def call(self: Any) -> None:
        if self._pending and self._pending[0][1].peer_gone:
            self._pending.popleft()
        else:
            announce(self)

    return call


# Who receives a connection ------------------------------------------------------------------------------------------


@attrs.frozen
class Found:
    """Who receives a connection if nothing is broken."""

    receivers: list[Any]
    event: str
    browser: Any
    call: Any
    opener: Any

    @property
    def by_runtime(self) -> bool:
        """The call was ``runtime.connect``."""
        return self.call.extension_id is not None

    def of_extension(self) -> list[Any]:
        """Return every other context of the extension that is named, if it listens to ``on_connect``."""
        extension = self.browser._extensions.get(self.call.extension_id)
        others = [] if extension is None else extension._contexts
        return [context for context in others if context is not self.opener and context._listens("on_connect")]


def routing_mutant(rule: int, does: str, change: Callable[[Found], tuple[list[Any], str]]) -> Mutant:
    """Return the browser in which this function says who receives a connection, and by which event."""

    def make(find: Any) -> Any:
        return lambda where, call, opener: change(Found(*find(where, call, opener), where, call, opener))

    return in_browser(rule, does, browser, "find_receivers", make)


def with_the_opener(found: Found) -> tuple[list[Any], str]:
    call, opener = found.call, found.opener
    own = found.by_runtime and call.extension_id == call.opener_id and opener._listens("on_connect")
    return [*found.receivers, opener] if own and opener.kind != "content_script" else found.receivers, found.event


def by_on_connect(found: Found) -> tuple[list[Any], str]:
    listening = [context for context in found.receivers if context._listens("on_connect")]
    if listening and found.event == "on_connect_external":
        return listening, "on_connect"
    return found.receivers, found.event


def with_content_scripts(found: Found) -> tuple[list[Any], str]:
    others = found.of_extension() if found.event == "on_connect" else []
    return found.receivers + [context for context in others if context.kind == "content_script"], found.event


def in_top_frames(found: Found) -> tuple[list[Any], str]:
    return [c for c in found.receivers if found.call.tab_id is None or c.frame.id == 0], found.event


def without(name: str) -> Callable[[Any], Any]:
    """Make a ``find_receivers`` that ignores an argument of ``tabs.connect``."""
    return lambda find: lambda where, call, opener: find(where, attrs.evolve(call, **{name: None}), opener)


# What a receiver sees of the opener ---------------------------------------------------------------------------------


def sender_mutant(does: str, dialect: str = "trio", **changes: Any) -> Mutant:
    """Return the browser whose senders have other fields."""

    def make(describe: Any) -> Any:
        return lambda *args, **options: attrs.evolve(describe(*args, **options), **changes)

    return in_browser(9, does, routing, "describe_opener", make, dialect=dialect)


def keep_document(navigate: Any) -> Any:
    def call(self: Any, url: str) -> None:
        document = self.document_id
        navigate(self, url)
        self.document_id = document

    return call


def end_the_connection(fail: Any) -> Any:
    def call(self: Any, port: Any, error: BaseException) -> None:
        port.disconnect()
        fail(self, port, error)

    return call


MUTANTS = [
    in_browser(1, "calls on_connect inside connect", contexts.Context, "_announce", announce_at_once),
    routing_mutant(2, "gives the opener a port to itself", with_the_opener),
    routing_mutant(
        2, "gives a port to the first page only", lambda f: (f.receivers[:1] if f.by_runtime else f.receivers, f.event)
    ),
    routing_mutant(
        2,
        "gives the first page two ports",
        lambda f: (f.receivers + (f.receivers[:1] if f.by_runtime else []), f.event),
    ),
    routing_mutant(3, "calls on_connect for another extension's connection", by_on_connect),
    routing_mutant(3, "gives content scripts a port by runtime.connect", with_content_scripts),
    in_browser(
        3,
        "lets extensions in that externally_connectable does not name",
        patterns.ExternallyConnectable,
        "allows_extension",
        lambda _: lambda self, extension_id: True,
    ),
    in_browser(
        3,
        "lets no other extension in where there is no externally_connectable",
        routing,
        "_lets_in",
        lambda lets_in: lambda extension, *args: extension.externally_connectable and lets_in(extension, *args),
    ),
    in_browser(
        3,
        "lets every web page in",
        routing,
        "_lets_in",
        lambda lets_in: lambda extension, dialect, call: call.opener_id is None or lets_in(extension, dialect, call),
    ),
    in_browser(4, "ignores frame_id", browser, "find_receivers", without("frame_id")),
    in_browser(4, "ignores document_id", browser, "find_receivers", without("document_id")),
    routing_mutant(4, "reaches only the top frame of a tab", in_top_frames),
    in_browser(
        4,
        "looks for a document only in the tab that is named",
        dialects,
        "DIALECTS",
        lambda table: {**table, "firefox": attrs.evolve(table["firefox"], document_id_overrules="nothing")},
        dialect="firefox",
    ),
    in_browser(
        5,
        "does not call on_connect if the opener has disconnected meanwhile",
        contexts.Context,
        "_announce_next",
        forget_those_that_ended,
    ),
    in_browser(
        6,
        "ends a connection that reaches nobody with another error",
        browser,
        "PortError",
        lambda _: lambda text, *, cause: PortError("It has gone.", cause=Cause.CRASHED),
    ),
    in_browser(
        6,
        "ends a connection that reaches nobody with another text",
        browser,
        "NO_RECEIVER_TEXT",
        lambda _: "You may not connect there.",
    ),
    in_browser(
        7,
        "ends the connection when an on_connect listener raises",
        contexts.Context,
        "_listener_failed",
        end_the_connection,
        dialect="chrome",
    ),
    Mutant(
        8,
        "changes the name of the receiver's end",
        ports(name=lambda port: port.real.name if port.is_opener else port.real.name.upper()),
    ),
    in_browser(
        8,
        "gives every port the same name",
        contexts.Context,
        "_open_port",
        lambda open_port: lambda self, call, kind: open_port(self, attrs.evolve(call, name="port"), kind),
    ),
    Mutant(9, "shows the sender at the opener's end too", ports(sender=lambda port: makers.SENDER)),
    Mutant(9, "shows the receiver no sender", ports(sender=lambda port: None)),
    sender_mutant("leaves out the opener's extension", id=None),
    sender_mutant("leaves out the opener's address", url=None),
    sender_mutant("leaves out the opener's tab", tab=None),
    sender_mutant("says of every opener that it is in the top frame", frame_id=0),
    sender_mutant("leaves out the opener's document", document_id=None),
    sender_mutant("shows document_lifecycle in Firefox's dialect", "firefox", document_lifecycle="active"),
    in_browser(
        9,
        "shows the tab by tabs.connect in Chromium's dialect",
        routing,
        "describe_opener",
        lambda describe: lambda opener, *, by_tab=False: describe(opener),
        dialect="chrome",
    ),
    in_browser(
        9, "leaves out what the opener's tab shows", routing, "SenderTab", lambda tab: lambda tab_id, _: tab(tab_id, "")
    ),
    in_browser(9, "keeps a frame's document_id when it navigates", tabs.Frame, "navigate", keep_document),
]
