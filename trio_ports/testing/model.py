"""A reference model of ports: the rules in plain Python, without an event loop and without the package.

It plays histories. A move changes the model at once; `Model.settle` then does what a run does until everything waits.
Each port has a script, a generator that delivers its messages and its end and yields what it waits for. What the
listeners of a context should have been told is in its `log`; what became of a waiting call is in its `Call`.

The order between different senders, and between different ports, is not ruled.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "blocked", "closed", "broken", "full", "busy", "end", "cancelled", "not-json", "too-large"]
Leaving = Literal["last", "all", "opener"]
Wait = Callable[[], bool]
CONNECT_EVENTS = ("on_connect", "on_connect_external")


@dataclass(frozen=True)
class Rules:
    """Where the dialects differ, and what limits there are."""

    keeps_unheard: bool
    """Rules 15 and 24."""
    keeps_error: bool
    """Rule 25."""
    tells_crashes: bool
    """Rule 20."""
    receiver_disconnects: Leaving
    """Rule 26."""
    receiver_vanishes: Leaving
    calls_removed: bool
    """Rule 29."""
    bound: float
    """Rule 17."""
    largest: float
    """Rule 16."""
    tab_by_tabs_connect: bool
    """Rule 9, as for the rest."""
    document_without_tab: bool
    background_origin: bool
    lifecycle: str | None
    document_overrules: str = "nothing"
    """Rule 4: what a document's id makes of the tab and the frame that are given with it."""
    tells_late: bool = False
    """A wire lies between the ends: one learns that the other has gone only when all that came before was taken."""


MIB = 1024 * 1024
RULES = {
    "trio": Rules(True, True, True, "last", "last", False, 1024, 64 * MIB, True, True, True, None),
    "firefox": Rules(
        False, True, False, "all", "all", False, math.inf, math.inf, True, True, True, None, "tab and frame"
    ),
    "chrome": Rules(
        False, False, False, "opener", "last", True, math.inf, 64 * MIB, False, False, False, "active", "tab"
    ),
}


class Unserializable(Exception):
    """A message is no JSON."""


def size_of(value: Any) -> int:
    """Return how many bytes a value has as JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def show(value: Any) -> Any:
    """Return what arrives of a value that a history writes: rules 12 and 13."""
    if isinstance(value, dict) and "$" in value:
        kind = value["$"]
        if kind == "long":
            return value
        if kind in ("NaN", "Infinity"):
            return None
        raise Unserializable
    return value


def weigh(value: Any) -> int:
    """Return how many bytes a value that a history writes has as JSON."""
    if isinstance(value, dict) and value.get("$") == "long":
        return int(value["length"]) + 2
    return size_of(value)


@dataclass(frozen=True)
class Message:
    """What is posted, and by which port."""

    sender: int
    value: Any
    number: int = 0
    """How many were posted before it, for those who want to know what is missing."""


@dataclass
class Seen:
    """What a context was told."""

    record: dict[str, Any]
    sender: int | None = None
    """The port that the message is from."""


@dataclass(eq=False)
class Call:
    """A call that may wait, and what has come of it."""

    port: Port | None = None
    kind: str = ""
    outcome: Outcome = "blocked"
    message: Message | None = None

    def finish(self, outcome: Outcome, message: Message | None = None) -> None:
        self.outcome, self.message = outcome, message


@dataclass(eq=False)
class Direction:
    """What one side posts, and who waits for room there."""

    bound: float
    inboxes: list[Inbox] = field(default_factory=list)
    waiting: list[tuple[Port, Message | None, Call]] = field(default_factory=list)
    """Without a message it is a listener whose own posts exceeded the bound."""

    def has_room(self, more: int) -> bool:
        counted = [inbox for inbox in self.inboxes if inbox.heard or len(self.inboxes) == 1]
        return all(inbox.used + more <= self.bound for inbox in counted)

    def admit(self) -> None:
        """Let those in who wait, first come first served."""
        while self.waiting and self.has_room(0 if self.waiting[0][1] is None else 1):
            port, message, call = self.waiting.pop(0)
            if message is not None:
                port.connection.deliver(self, message)
            call.finish("ok")

    def withdraw(self, call: Call) -> None:
        """Forget a call that was cancelled."""
        for entry in [entry for entry in self.waiting if entry[2] is call]:
            self.waiting.remove(entry)
            self.admit()

    def refuse(self, port: Port, outcome: Outcome) -> None:
        for entry in [entry for entry in self.waiting if entry[0] is port]:
            self.waiting.remove(entry)
            entry[2].finish(outcome)
        self.admit()


@dataclass(eq=False)
class Inbox:
    messages: deque[Message] = field(default_factory=deque)
    heard: bool = False
    reader: Call | None = None
    handed: Message | None = None
    """What a waiting reader has been handed, and has not come to take yet: a disconnect does not undo it."""

    def put(self, message: Message) -> None:
        if self.reader is not None and self.handed is None:
            self.handed = message
        else:
            self.messages.append(message)

    @property
    def used(self) -> int:
        return len(self.messages) + (self.handed is not None)


@dataclass(eq=False)
class Connection:
    rules: Rules
    opener: Port | None = None
    receivers: list[Port] = field(default_factory=list)
    directions: dict[str, Direction] = field(default_factory=dict)
    """What arrives at the opener, and what arrives at the receivers."""

    def deliver(self, direction: Direction, message: Message) -> None:
        """Put a message where it belongs. Rule 17: one that never listened is ended instead of exceeding the bound."""
        unread: list[Inbox] = []
        for inbox in direction.inboxes:
            if len(direction.inboxes) > 1 and not inbox.heard and inbox.used >= direction.bound:
                unread.append(inbox)
            else:
                inbox.put(message)
        for port in [port for port in self.receivers if port.inbox in unread]:
            self.remove(port)
            port.peer_left("unread")
            if not self.receivers:
                self.end_opener("unread")

    def leave(self, port: Port, error: str | None, *, vanished: bool) -> None:
        if port is self.opener:
            self.opener = None
            self.end_receivers(error)
        elif port in self.receivers:
            whom = self.rules.receiver_vanishes if vanished else self.rules.receiver_disconnects
            self.remove(port)
            if whom == "last" and self.receivers:
                return
            self.end_opener(error)
            if whom == "all":
                self.end_receivers(None)
            for other in self.receivers:
                other.swallows = True
            self.receivers.clear()

    def remove(self, port: Port) -> None:
        self.receivers.remove(port)
        if self.opener is not None:
            self.opener.out.inboxes.remove(port.inbox)
            if self.receivers:
                self.opener.out.admit()

    def end_opener(self, error: str | None) -> None:
        if self.opener is not None:
            opener, self.opener = self.opener, None
            opener.peer_left(error)

    def end_receivers(self, error: str | None) -> None:
        receivers, self.receivers = self.receivers, []
        for receiver in receivers:
            receiver.peer_left(error)


@dataclass(eq=False)
class Context:
    """One script's world, or what owns an end where there is nothing else."""

    name: str
    kind: Literal["end", "background", "page", "script", "web"] = "end"
    extension: str | None = None
    tab: str | None = None
    frame: str | None = None
    document: str | None = None
    alive: bool = True
    inside: bool = False
    """Somebody is in its ``async with``."""
    ports: dict[str, Port] = field(default_factory=dict)
    listeners: dict[str, list[str]] = field(default_factory=dict)
    """Of on_connect and on_connect_external."""
    functions: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    log: list[Seen] = field(default_factory=list)
    received: int = 0

    def label_for(self, port: Port) -> str:
        label = port.name
        if not label or label in self.ports:
            self.received += 1
            label = f"@{self.received}"
        self.ports[label] = port
        return label

    def learn(self, step: dict[str, Any]) -> None:
        """Remember a listener's actions; the first ones count."""
        self.functions.setdefault((step["event"], step["listener"]), step.get("actions", []))

    def close(self, error: str | None = None) -> None:
        """Rules 20 and 27."""
        self.alive = False
        for port in self.ports.values():
            port.held = False
            port.leave_scope(error, vanished=True)


class Port:
    """One end."""

    def __init__(self, number: int, connection: Connection, side: str, inbox: Inbox, out: Direction) -> None:
        self.number = number
        self.connection = connection
        self.rules = connection.rules
        self.side = side
        self.inbox = inbox
        self.out = out
        self.context = Context("")
        self.label = ""
        self.name = ""
        self.sender: dict[str, Any] | None = None
        self.event = "on_connect"
        self.posted = 0
        self.state = "open"
        self.error: str | None = None
        self.peer_error: str | None = None
        self.swallows = False
        self.gone = False
        """Its scope has ended: nothing more happens here."""
        self.held = False
        """Nobody was told of it yet."""
        self.had_block = False
        self.inside = False
        """Somebody is in its ``async with``."""
        self.has_read = False
        self.holding = False
        """A listener waits, in the middle of a message."""
        self.exceeded = False
        """A listener posted more than there was room for."""
        self.listeners: list[str] = []
        self.enders: list[str] = []
        self.told: set[str] = set()
        self.untold: list[str] = []
        self.leaving: tuple[str | None] | None = None
        """The other side has gone, with this error, and nobody knows yet."""
        self.waiters: list[Call] = []
        self.wait: Wait = self.has_work
        self.script = self.run()

    # What is done to it -----------------------------------------------------------------------------------------

    def post(self, value: Any, *, own: bool = False) -> Outcome:
        """Rules 12, 16, 17, 22 and 23. ``own``: by a listener of this port."""
        try:
            shown = show(value)
        except Unserializable:
            return "not-json"
        if weigh(value) > self.rules.largest:
            return "too-large"
        if self.state in ("closed", "ended"):
            return "closed" if self.state == "closed" else "broken"
        if self.state == "ending" or self.swallows or self.leaving is not None:
            return "ok"
        if not self.out.has_room(1):
            if not own:
                return "full"
            self.exceeded = True
        self.connection.deliver(self.out, self.message(shown))
        return "ok"

    def message(self, value: Any) -> Message:
        self.posted += 1
        return Message(self.number, value, self.posted)

    def send(self, value: Any) -> Call:
        """Rules 17 and 23."""
        call = Call(self, "send")
        try:
            shown = show(value)
        except Unserializable:
            call.finish("not-json")
            return call
        if weigh(value) > self.rules.largest:
            call.finish("too-large")
        elif self.state != "open":
            call.finish("closed" if self.state == "closed" else "broken")
        elif self.swallows or self.leaving is not None:
            call.finish("ok")
        else:
            self.out.waiting.append((self, self.message(shown), call))
            if len(self.out.waiting) == 1:
                self.out.admit()
        return call

    def receive(self) -> Call:
        """Rules 15 and 25."""
        call = Call(self, "receive")
        if self.inbox.reader is not None or self.listeners:
            call.finish("busy")
        else:
            self.has_read = self.inbox.heard = True
            self.inbox.reader = call
        return call

    def wait_disconnected(self) -> Call:
        """Rule 24."""
        call = Call(self, "wait_disconnected")
        self.waiters.append(call)
        return call

    def listen(self, name: str) -> Outcome:
        if self.inbox.reader is not None:
            return "ok" if name in self.listeners else "busy"
        if name not in self.listeners:
            self.inbox.heard = True
            self.listeners = [*self.listeners, name]
        return "ok"

    def unlisten(self, name: str) -> None:
        self.listeners = [other for other in self.listeners if other != name]

    def listen_for_end(self, name: str) -> None:
        """Rule 24."""
        if name not in self.enders:
            self.enders = [*self.enders, name]
            if self.state == "ended" and self.rules.keeps_unheard and name not in self.told:
                self.told.add(name)
                self.untold.append(name)

    def unlisten_for_end(self, name: str) -> None:
        self.enders = [other for other in self.enders if other != name]

    def close(self, error: str | None = None, *, vanished: bool = False) -> None:
        """Rules 18 to 22."""
        if self.state in ("open", "ending"):
            self.state = "closed"
            self.inbox.messages.clear()
            self.out.refuse(self, "closed")
            self.connection.leave(self, error if self.rules.tells_crashes else None, vanished=vanished)

    def leave_scope(self, error: str | None = None, *, vanished: bool) -> None:
        """The scope that owns it has ended."""
        self.close(error, vanished=vanished)
        self.inbox.messages.clear()
        self.untold.clear()
        self.gone = True

    def leave_block(self, error: str | None = None) -> None:
        """The block that it was narrowed to has ended; one that had ended before still has the scope it came from."""
        self.close(error)
        self.inbox.messages.clear()
        self.untold.clear()
        self.inside = False
        if self.holding:
            self.holding, self.script = False, self.run()
            self.wait = self.has_work

    def peer_left(self, error: str | None) -> None:
        if self.rules.tells_late and self.inbox.heard and self.inbox.used:
            self.leaving = (error,)
            return
        self.leaving = None
        if self.state == "open":
            self.state, self.peer_error = "ending", error
            self.out.refuse(self, "broken")

    # What it does by itself -------------------------------------------------------------------------------------

    @property
    def drops(self) -> bool:
        return not self.rules.keeps_unheard and not self.has_read

    def is_over(self) -> bool:
        """The end can be delivered. Rules 21 and 24."""
        waits_for_reader = self.has_read and not self.listeners
        wanted = self.listeners or waits_for_reader or self.drops
        return self.state == "ending" and not (self.inbox.messages and wanted)

    def has_work(self) -> bool:
        arrived = self.inbox.messages and (self.listeners or self.drops)
        return bool(arrived or self.is_over() or self.untold)

    def run(self) -> Iterator[Wait]:
        while True:
            if self.inbox.messages and (self.listeners or self.drops) and self.state != "closed":
                message = self.take()
                self.exceeded = False
                if self.listeners:
                    yield from self.dispatch(message)
                if self.exceeded and self.state == "open" and not self.swallows:
                    turn = Call()
                    self.out.waiting.append((self, None, turn))
                    self.out.admit()
                    yield lambda turn=turn: turn.outcome != "blocked"  # type: ignore[misc]
            elif self.is_over():
                self.deliver_end()
            elif self.untold:
                self.tell(self.untold.pop(0))
            else:
                yield self.has_work

    def take(self) -> Message:
        message = self.inbox.messages.popleft()
        self.connection.directions[self.side].admit()
        return message

    def note(self, source: int | None = None, /, **record: Any) -> None:
        self.context.log.append(Seen({"port": self.label, **record}, source))

    def dispatch(self, message: Message) -> Iterator[Wait]:
        """Rules 28 to 31."""
        for name in self.listeners:
            if name not in self.listeners and not self.rules.calls_removed:
                continue
            self.note(message.sender, event="on_message", listener=name, message=message.value)
            for action in self.context.functions["on_message", name]:
                if action["do"] == "hold":
                    self.holding = True
                    yield lambda: not self.holding
                elif not self.act(action, message, own=True):
                    break

    def act(self, action: dict[str, Any], message: Message | None = None, *, own: bool = False) -> bool:
        """Carry out a listener's action; False: it raised, and the others are not carried out."""
        do, outcome = action["do"], "ok"
        if do in ("post", "echo"):
            value = message.value if do == "echo" and message is not None else action.get("message")
            outcome = self.post(value, own=own)
        elif do == "disconnect":
            self.close()
        elif do == "add_listener":
            outcome = self.add_listener(action)
        elif do == "remove_listener":
            self.remove_listener(action)
        if outcome != "ok":
            self.note(message.sender if message else None, event="raised", call=do, error=outcome)
        return do != "throw"

    def add_listener(self, step: dict[str, Any]) -> Outcome:
        self.context.learn(step)
        if step["event"] == "on_message":
            return self.listen(step["listener"])
        self.listen_for_end(step["listener"])
        return "ok"

    def remove_listener(self, step: dict[str, Any]) -> None:
        if step["event"] == "on_message":
            self.unlisten(step["listener"])
        else:
            self.unlisten_for_end(step["listener"])

    def deliver_end(self) -> None:
        self.state, self.error = "ended", self.peer_error
        self.untold = list(self.enders)
        self.told = set(self.enders)

    def tell(self, name: str) -> None:
        if name in self.enders or self.rules.calls_removed:
            shown = self.rules.keeps_error or self.context.kind != "end"
            self.note(event="on_disconnect", listener=name, error=self.error if shown else None)
            for action in self.context.functions["on_disconnect", name]:
                if not self.act(action):
                    break

    def serve_reader(self) -> bool:
        """Give the waiting reader what it gets. Say whether there was anything."""
        inbox = self.inbox
        call = inbox.reader
        if call is None:
            return False
        inbox.reader = None
        if inbox.handed is not None or (inbox.messages and self.state != "closed"):
            handed, inbox.handed = inbox.handed, None
            call.finish("ok", handed or inbox.messages.popleft())
            self.connection.directions[self.side].admit()
        elif self.state == "closed":
            call.finish("closed")
        elif self.state == "open":
            inbox.reader = call
            return False
        else:
            if self.state == "ending":
                self.deliver_end()
            call.finish("end" if self.error is None else "broken")
        return True

    def serve_waiters(self) -> None:
        if self.state in ("closed", "ended"):
            waiters, self.waiters = self.waiters, []
            for call in waiters:
                call.finish("ok")

    def advance(self) -> bool:
        """Go on as far as it goes without waiting. Say whether anything happened."""
        moved = self.serve_reader()
        self.serve_waiters()
        if self.leaving is not None and not self.inbox.used:
            self.peer_left(*self.leaving)
            moved = True
        if self.gone or self.held:
            return moved
        while self.wait():
            self.wait = next(self.script)
            moved = True
        self.serve_waiters()
        return moved


class Model:
    """All contexts and ports of a history."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.contexts: dict[str, Context] = {}
        self.ports: list[Port] = []
        self.calls: dict[str, Call] = {}
        self.results: list[Any] = []
        """What came of each step of the turns, and how each block was left, in order."""
        self.extensions: list[str] = []
        self.connectable: tuple[str, ...] = ()
        """The extensions that let web pages connect."""
        self.documents: dict[str, int] = {}
        """How many documents a frame has shown."""

    @classmethod
    def of_ends(cls, rules: Rules, receivers: int = 1, *, narrows: bool = True) -> Model:
        """Return the model of one connection, whose ends are there from the beginning.

        ``narrows``: they are in no ``async with`` yet.
        """
        model = cls(rules)
        ports = model.connect(receivers)
        names = ["opener", "receiver", *(f"receiver{number}" for number in range(2, receivers + 1))]
        for name, port in zip(names, ports, strict=True):
            context = model.contexts[name] = Context(name)
            context.ports["p"] = port
            port.context, port.label, port.had_block = context, "p", not narrows
        return model

    @classmethod
    def of_world(cls, rules: Rules, extensions: tuple[str, ...]) -> Model:
        """Return the model of a browser with these extensions, each with its background."""
        model = cls(rules)
        for extension in extensions:
            model.add_context(Context(extension, "background", extension, document=extension))
        model.extensions = list(extensions)
        model.connectable = extensions[1:]
        return model

    # Playing ------------------------------------------------------------------------------------------------------

    def play(self, move: dict[str, Any]) -> None:
        """Do what a move says, and let everything happen that follows from it."""
        getattr(self, f"_play_{move['move']}")(move)
        self.settle()

    def may(self, move: dict[str, Any]) -> bool:
        """Say whether a move makes sense now."""
        return bool(getattr(self, f"_may_{move['move']}", self._may_anything)(move))

    def _may_anything(self, move: dict[str, Any]) -> bool:
        raise NotImplementedError(move["move"])

    def _may_turn(self, move: dict[str, Any]) -> bool:
        opened: set[tuple[str, str]] = set()
        return all(self._may_step(step, step.get("at", move["at"]), opened) for step in move["steps"])

    def _may_step(self, step: dict[str, Any], at: str, opened: set[tuple[str, str]]) -> bool:
        """Say whether a step makes sense, after others in the same turn that opened ports."""
        context = self.contexts.get(at)
        if context is None or not context.alive:
            return False
        if step["do"] in ("connect", "tabs_connect"):
            page = context.kind in ("background", "page")
            named = step["do"] == "connect" and (context.kind != "web" or step["extension"] is not None)
            new = step["port"] not in context.ports and (at, step["port"]) not in opened
            opened.add((at, step["port"]))
            return new and (page or named)
        if step.get("event") in CONNECT_EVENTS:
            kinds = ("background", "page", "script") if step["event"] == "on_connect" else ("background", "page")
            return context.kind in kinds
        here = step.get("port") in context.ports or (at, step.get("port")) in opened
        return here or step["do"] in ("change", "close_context")

    def _play_turn(self, move: dict[str, Any]) -> None:
        for step in move["steps"]:
            self.results.append(self._perform(self.contexts[step.get("at", move["at"])], step))

    def _perform(self, context: Context, step: dict[str, Any]) -> Any:
        if step["do"] == "change":
            return "ok"
        if step["do"] == "close_context":
            context.close()
            return "ok"
        if step["do"] in ("connect", "tabs_connect"):
            self._connect(context, step)
            return "ok"
        if step.get("event") in CONNECT_EVENTS:
            return self._on_connect_step(context, step)
        port = context.ports[step["port"]]
        if step["do"] == "post":
            return port.post(step["message"])
        if step["do"] == "disconnect":
            port.close()
        elif step["do"] == "add_listener":
            return port.add_listener(step)
        elif step["do"] == "remove_listener":
            port.remove_listener(step)
        else:
            return step["listener"] in (port.listeners if step["event"] == "on_message" else port.enders)
        return "ok"

    def _on_connect_step(self, context: Context, step: dict[str, Any]) -> Any:
        listeners = context.listeners.setdefault(step["event"], [])
        name = step["listener"]
        if step["do"] == "has_listener":
            return name in listeners
        if step["do"] == "add_listener":
            context.learn(step)
            if name not in listeners:
                context.listeners[step["event"]] = [*listeners, name]
        else:
            context.listeners[step["event"]] = [other for other in listeners if other != name]
        return "ok"

    def _may_start(self, move: dict[str, Any]) -> bool:
        context = self.contexts.get(move["at"])
        return context is not None and context.alive and move["port"] in context.ports and move["as"] not in self.calls

    def _play_start(self, move: dict[str, Any]) -> None:
        port = self.contexts[move["at"]].ports[move["port"]]
        if move["call"] == "send":
            call = port.send(move["message"])
        elif move["call"] == "receive":
            call = port.receive()
        else:
            call = port.wait_disconnected()
        self.calls[move["as"]] = call

    def _may_cancel(self, move: dict[str, Any]) -> bool:
        call = self.calls.get(move["call"])
        return call is not None and call.outcome == "blocked"

    def _play_cancel(self, move: dict[str, Any]) -> None:
        call = self.calls[move["call"]]
        port = call.port
        assert port is not None
        if port.inbox.reader is call:
            port.inbox.reader = None
        port.out.withdraw(call)
        if call in port.waiters:
            port.waiters.remove(call)
        call.finish("cancelled")

    def _holding(self, move: dict[str, Any]) -> Port | None:
        context = self.contexts.get(move["at"])
        port = context.ports.get(move["port"]) if context is not None and context.alive else None
        return port if port is not None and port.holding else None

    def _may_release(self, move: dict[str, Any]) -> bool:
        return self._holding(move) is not None

    def _play_release(self, move: dict[str, Any]) -> None:
        port = self._holding(move)
        assert port is not None
        port.holding = False

    def _may_enter(self, move: dict[str, Any]) -> bool:
        context = self.contexts.get(move["at"])
        if context is None or not context.alive:
            return False
        if move["port"] is None:
            return context.kind != "end" and not context.inside
        port = context.ports.get(move["port"])
        return port is not None and not port.had_block and not port.gone

    def _play_enter(self, move: dict[str, Any]) -> None:
        context = self.contexts[move["at"]]
        if move["port"] is None:
            context.inside = True
        else:
            port = context.ports[move["port"]]
            port.had_block = port.inside = True

    def _may_leave(self, move: dict[str, Any]) -> bool:
        context = self.contexts.get(move["at"])
        if context is None:
            return False
        if move["port"] is None:
            return context.inside and context.alive
        port = context.ports.get(move["port"])
        waits = port is not None and port.holding and move["how"] == "return"
        return port is not None and port.inside and not waits

    def _play_leave(self, move: dict[str, Any]) -> None:
        context = self.contexts[move["at"]]
        error = "crashed" if move["how"] == "crash" else None
        self.results.append(move["how"])
        if move["port"] is None:
            context.inside = False
            context.close(error)
        else:
            context.ports[move["port"]].leave_block(error)

    # The world ------------------------------------------------------------------------------------------------------

    def _may_open_tab(self, move: dict[str, Any]) -> bool:
        return move["tab"] not in self._places()

    def _play_open_tab(self, move: dict[str, Any]) -> None:
        self._fill(move["tab"], move["tab"], web=move["web"])

    def _may_open_page(self, move: dict[str, Any]) -> bool:
        return move["page"] not in self._places() and move["extension"] in self.extensions

    def _play_open_page(self, move: dict[str, Any]) -> None:
        page, extension = move["page"], move["extension"]
        place = None if move["hidden"] else page
        # With its background closed, the first page in no tab is the new background.
        backgrounds = [c for c in self._living() if c.kind == "background" and c.extension == extension]
        kind: Any = "page" if backgrounds or place else "background"
        self.add_context(Context(f"{page}/{extension}", kind, extension, tab=place, frame=place, document=page))

    def _may_open_frame(self, move: dict[str, Any]) -> bool:
        living = [context for context in self._living() if context.frame == move["tab"] == context.tab]
        return move["frame"] not in self._places() and any(context.kind == "script" for context in living)

    def _play_open_frame(self, move: dict[str, Any]) -> None:
        self._fill(move["tab"], move["frame"])

    def _may_navigate(self, move: dict[str, Any]) -> bool:
        return any(c.frame == move["frame"] and c.kind == "script" for c in self._living())

    def _play_navigate(self, move: dict[str, Any]) -> None:
        ended = self._shut(move["frame"])
        (tab,) = {context.tab for context in ended if context.frame == move["frame"]}
        web = any(context.kind == "web" and context.frame == move["frame"] for context in ended)
        assert tab is not None
        self._fill(tab, move["frame"], web=web)

    def _may_close(self, move: dict[str, Any]) -> bool:
        return any(context.frame == move["frame"] for context in self._living())

    def _play_close(self, move: dict[str, Any]) -> None:
        self._shut(move["frame"])

    def _may_uninstall(self, move: dict[str, Any]) -> bool:
        return move["extension"] in self.extensions

    def _play_uninstall(self, move: dict[str, Any]) -> None:
        self.extensions.remove(move["extension"])
        for context in self._living():
            if context.extension == move["extension"]:
                context.close()

    def _living(self) -> list[Context]:
        return [context for context in self.contexts.values() if context.alive]

    def _places(self) -> set[str | None]:
        names = {name.partition("/")[0] for name in self.contexts}
        return {*names, *(context.frame for context in self.contexts.values())}

    def _fill(self, tab: str, frame: str, *, web: bool = False) -> None:
        """Bring a page into a frame, with the content script of every extension."""
        self.documents[frame] = self.documents.get(frame, 0) + 1
        document = f"{frame}.{self.documents[frame]}"
        for extension in self.extensions:
            self.add_context(Context(f"{frame}/{extension}", "script", extension, tab, frame, document))
        if web:
            self.add_context(Context(f"{frame}/web", "web", None, tab, frame, document))

    def _shut(self, frame: str) -> list[Context]:
        """End what runs in a frame; with a top frame, in the whole tab. Rule 27."""
        ended = [context for context in self._living() if frame in (context.frame, context.tab)]
        for context in ended:
            context.close()
        return ended

    def add_context(self, context: Context) -> Context:
        """Let a context live; it takes the name of one that has ended, which is remembered under another one."""
        old = self.contexts.pop(context.name, None)
        if old is not None:
            number = sum(name.startswith(f"{context.name}#") for name in self.contexts)
            self.contexts[f"{context.name}#{number}"] = old
        self.contexts[context.name] = context
        return context

    def hear(self, opener: Context, step: dict[str, Any]) -> tuple[list[Context], str]:
        """Say who hears a connect, and which event. Rules 2 to 4."""
        others = [context for context in self._living() if context is not opener]
        if step["do"] == "tabs_connect":
            event = "on_connect"
            overrules = "nothing" if step["document"] is None else self.rules.document_overrules
            if overrules == "tab" and step["frame"] is not None:
                overrules = "nothing"
            there = any(context.tab == step["tab"] for context in self._living())
            heard = [
                context
                for context in others
                if context.extension == opener.extension
                and (context.tab == step["tab"] or (there and overrules != "nothing"))
                and (step["frame"] in (None, context.frame) or overrules == "tab and frame")
                and (step["document"] is None or context.frame == step["document"])
            ]
        else:
            target = step["extension"] or opener.extension
            event = "on_connect" if target == opener.extension else "on_connect_external"
            let_in = opener.kind != "web" or target in self.connectable
            heard = [c for c in others if let_in and c.extension == target and c.kind in ("background", "page")]
        return [context for context in heard if context.listeners.get(event)], event

    def describe(self, opener: Context, step: dict[str, Any]) -> dict[str, Any]:
        """Say how an opener is described. Rule 9."""
        by_tab = step["do"] == "tabs_connect"
        names_tab = opener.tab is not None and (self.rules.tab_by_tabs_connect or not by_tab)
        background = opener.kind == "background"
        return {
            "id": opener.extension,
            "url": opener.frame or opener.name,
            "origin": self.rules.background_origin or by_tab or not background,
            "tab": opener.tab if names_tab else None,
            "frame": opener.frame if names_tab else None,
            "document": opener.document if names_tab or self.rules.document_without_tab else None,
            "lifecycle": self.rules.lifecycle if names_tab else None,
        }

    def _connect(self, opener: Context, step: dict[str, Any]) -> None:
        contexts, event = self.hear(opener, step)
        ports = self.connect(len(contexts), heard=True)
        sender = self.describe(opener, step)
        for port in ports:
            port.name = step["name"]
        ports[0].context, ports[0].label = opener, step["port"]
        opener.ports[step["port"]] = ports[0]
        for context, port in zip(contexts, ports[1:], strict=True):
            port.held, port.context, port.event, port.sender = True, context, event, sender
            context.ports[f"?{port.number}"] = port

    def connect(self, receivers: int = 1, *, heard: bool = False) -> list[Port]:
        """Return the opener and the receivers. ``heard``: as long as nobody knows whether they will listen. Rule 6."""
        connection = Connection(self.rules)
        forth, back = Direction(self.rules.bound), Direction(self.rules.bound)
        back.inboxes.append(Inbox())
        forth.inboxes.extend(Inbox(heard=heard) for _ in range(receivers))
        ports = [self._port(connection, "opener", back.inboxes[0], forth)]
        ports.extend(self._port(connection, "receiver", inbox, back) for inbox in forth.inboxes)
        connection.opener, connection.receivers = ports[0], ports[1:]
        connection.directions = {"opener": back, "receiver": forth}
        if not receivers:
            connection.end_opener("no-receiver")
        return ports

    def settle(self) -> None:
        """Let everything happen that can."""
        for port in self.ports:
            if port.held:
                self.announce(port)
        while any(port.advance() for port in self.ports):
            pass

    def announce(self, port: Port) -> None:
        """Tell the receiver's side of a connection. Rules 5 to 7."""
        context = port.context
        port.held = False
        del context.ports[f"?{port.number}"]
        listeners = context.listeners[port.event]
        if not listeners:
            port.gone = True
            if port in port.connection.receivers:
                port.connection.remove(port)
                if not port.connection.receivers:
                    port.connection.end_opener("no-receiver")
            return
        port.label = context.label_for(port)
        for name in listeners:
            if name not in context.listeners[port.event] and not self.rules.calls_removed:
                continue
            port.note(event=port.event, listener=name, name=port.name, sender=port.sender)
            for action in context.functions[port.event, name]:
                if not port.act(action):
                    break
        if not port.inbox.heard or not port.listeners:
            port.inbox.heard = bool(port.listeners) or port.has_read
        port.connection.directions["receiver"].admit()

    def _port(self, connection: Connection, side: str, inbox: Inbox, out: Direction) -> Port:
        port = Port(len(self.ports), connection, side, inbox, out)
        self.ports.append(port)
        return port
