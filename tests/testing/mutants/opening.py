"""Mutants of rules 1 to 9: who gets a port of a new connection, and what the port says of the opener."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from testing import makers
from testing.mutants.mutant import Mutant, in_browser, ports

from trio_ports._browser import connecting, registry, routing, runtime, script
from trio_ports._protocol import dialects, patterns
from trio_ports._protocol.errors import Cause, PortError


def announce_at_once(announce: Any) -> Any:
    def call(self: Any, end: Any, call: Any, after: Any = None) -> None:
        announce(self, end, call, after)
        if self._pending:
            self._announce_next()

    return call


def forget_those_that_ended(announce: Any) -> Any:
    def call(self: Any) -> None:
        if self._pending and self._pending[0][0].peer_gone:
            self._pending.popleft()
        else:
            announce(self)

    return call


# Who receives a connection ------------------------------------------------------------------------------------------


@attrs.frozen
class Found:
    """Who receives a connection if nothing is broken."""

    receivers: list[Any]
    registry: Any
    call: Any
    opener: Any

    @property
    def by_runtime(self) -> bool:
        """The call was ``runtime.connect``."""
        return self.call.extension_id is not None

    def of_extension(self) -> list[Any]:
        """Return every other context of the extension that is named, if it listens to ``on_connect``."""
        extension = self.registry.extensions.get(self.call.extension_id)
        others = [] if extension is None else extension.contexts
        return [each for each in others if each is not self.opener and each.script.on_connect.listeners]


def routing_mutant(rule: int, does: str, change: Callable[[Found], list[Any]]) -> Mutant:
    """Return the browser in which this function says who receives a connection."""

    def make(find: Any) -> Any:
        return lambda registry, call, opener: change(Found(find(registry, call, opener), registry, call, opener))

    return in_browser(rule, does, connecting, "find_receivers", make)


def with_the_opener(found: Found) -> list[Any]:
    opener = found.opener
    own = found.by_runtime and not found.call.external and opener.script.on_connect.listeners
    return [*found.receivers, opener] if own and opener.kind != "content_script" else found.receivers


def by_on_connect(event: Any) -> Any:
    return lambda self, call: self.on_connect if self.on_connect.listeners else event(self, call)


def with_content_scripts(found: Found) -> list[Any]:
    others = [] if found.call.external else found.of_extension()
    return found.receivers + [context for context in others if context.kind == "content_script"]


def in_top_frames(found: Found) -> list[Any]:
    return [context for context in found.receivers if found.call.tab_id is None or context.frame.id == 0]


def without(name: str) -> Callable[[Any], Any]:
    """Make a ``find_receivers`` that ignores an argument of ``tabs.connect``."""
    return lambda find: lambda registry, call, opener: find(registry, attrs.evolve(call, **{name: None}), opener)


# What a receiver sees of the opener ---------------------------------------------------------------------------------


def sender_mutant(does: str, dialect: str = "trio", **changes: Any) -> Mutant:
    """Return the browser whose senders have other fields."""

    def make(describe: Any) -> Any:
        return lambda *args, **options: attrs.evolve(describe(*args, **options), **changes)

    return in_browser(9, does, runtime, "describe_opener", make, dialect=dialect)


def keep_document(navigate: Any) -> Any:
    def call(self: Any, frame: Any, url: str) -> None:
        document = frame.document_id
        navigate(self, frame, url)
        self.documents[document] = self.documents.pop(frame.document_id)
        frame.document_id = document

    return call


def end_the_connection(fail: Any) -> Any:
    def call(port: Any, error: BaseException, options: Any) -> None:
        port.disconnect()
        fail(port, error, options)

    return call


MUTANTS = [
    in_browser(1, "calls on_connect inside connect", script.Script, "announce", announce_at_once),
    routing_mutant(2, "gives the opener a port to itself", with_the_opener),
    routing_mutant(
        2, "gives a port to the first page only", lambda found: found.receivers[: 1 if found.by_runtime else None]
    ),
    routing_mutant(
        2,
        "gives the first page two ports",
        lambda found: found.receivers + (found.receivers[:1] if found.by_runtime else []),
    ),
    in_browser(
        3, "calls on_connect for another extension's connection", script.Script, "_connect_event", by_on_connect
    ),
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
    in_browser(4, "ignores frame_id", connecting, "find_receivers", without("frame_id")),
    in_browser(4, "ignores document_id", connecting, "find_receivers", without("document_id")),
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
        script.Script,
        "_announce_next",
        forget_those_that_ended,
    ),
    in_browser(
        6,
        "ends a connection that reaches nobody with another error",
        connecting,
        "no_receiver",
        lambda _: lambda: PortError("It has gone.", cause=Cause.CRASHED),
    ),
    in_browser(
        6,
        "ends a connection that reaches nobody with another text",
        connecting,
        "no_receiver",
        lambda _: lambda: PortError("You may not connect there.", cause=Cause.NO_RECEIVER),
    ),
    in_browser(
        7,
        "ends the connection when an on_connect listener raises",
        script,
        "listener_failed",
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
        runtime,
        "connect",
        lambda connect: lambda where, opener, call, kind: connect(where, opener, attrs.evolve(call, name="port"), kind),
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
        runtime,
        "describe_opener",
        lambda describe: lambda opener, dialect, *, by_tab=False: describe(opener, dialect),
        dialect="chrome",
    ),
    in_browser(
        9,
        "leaves out what the opener's tab shows",
        routing,
        "SenderTab",
        lambda tab: lambda tab_id, *_: tab(tab_id, ""),
    ),
    in_browser(9, "keeps a frame's document_id when it navigates", registry.Registry, "load_document", keep_document),
]
