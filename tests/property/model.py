"""A reference model of ports: the rules in plain Python, without an event loop and without the package.

Actions change the model at once; `Model.settle` then does what a run does until everything waits. Each port has a
script, a generator that delivers its messages and its end and yields what it waits for. What a port should have seen is
in `Port.seen`; what became of a waiting call is in its `Call`.

The order between different senders is not ruled, and not compared: see `by_sender`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "blocked", "closed", "broken", "full", "busy", "end", "cancelled"]
Leaving = Literal["last", "all", "opener"]
Wait = Callable[[], bool]
SLOTS = 3
WAITING_SLOT = SLOTS - 1
"""The listener in this slot is async: it waits where a message says "hold"."""


@dataclass(frozen=True)
class Rules:
    """Where the dialects differ."""

    keeps_unheard: bool  # Rules 15 and 24.
    keeps_error: bool  # Rule 25.
    tells_crashes: bool  # Rule 20.
    receiver_disconnects: Leaving  # Rule 26.
    receiver_vanishes: Leaving  # Rule 26.
    calls_removed: bool  # Rule 29.
    bound: float  # Rule 17.


RULES = {
    "trio": Rules(True, True, True, "last", "last", False, 3),
    "firefox": Rules(False, True, False, "all", "all", False, math.inf),
    "chrome": Rules(False, False, False, "opener", "last", True, math.inf),
}


@dataclass(frozen=True)
class Message:
    """What is posted; ``do`` is what the listeners do about it."""

    sender: int
    id: str
    do: Literal["note", "echo", "bye", "add", "drop", "hold", "raise"] = "note"


@dataclass(eq=False)
class Call:
    """A call that may wait, and what has come of it."""

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
        unread = []
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


class Port:
    """One end."""

    def __init__(self, number: int, connection: Connection, side: str, inbox: Inbox, out: Direction) -> None:
        self.number = number
        self.connection = connection
        self.rules = connection.rules
        self.side = side
        self.inbox = inbox
        self.out = out
        self.state = "open"
        self.error: str | None = None
        self.peer_error: str | None = None
        self.swallows = False
        self.gone = False
        """Its scope has ended: nothing more happens here."""
        self.held = False
        """Nobody was told of it yet."""
        self.has_block = False
        self.has_read = False
        self.holding = False
        """A listener waits, in the middle of a message."""
        self.exceeded = False
        """A listener posted more than there was room for."""
        self.listeners: list[int] = []
        self.enders: list[int] = []
        self.told: set[int] = set()
        self.untold: list[int] = []
        self.seen: list[tuple[int, str, int | None]] = []
        """(listener's slot, message's id, its sender), or (slot, "end", None)."""
        self.wait: Wait = self.has_work
        self.script = self.run()

    # What is done to it -----------------------------------------------------------------------------------------

    def post(self, message: Message, *, own: bool = False) -> Outcome:
        """Rules 17, 22 and 23. ``own``: by a listener of this port."""
        if self.state in ("closed", "ended"):
            return "closed" if self.state == "closed" else "broken"
        if self.state == "ending" or self.swallows:
            return "ok"
        if not self.out.has_room(1):
            if not own:
                return "full"
            self.exceeded = True
        self.connection.deliver(self.out, message)
        return "ok"

    def send(self, message: Message) -> Call:
        """Rules 17 and 23."""
        call = Call()
        if self.state != "open":
            call.finish("closed" if self.state == "closed" else "broken")
        elif self.swallows:
            call.finish("ok")
        else:
            self.out.waiting.append((self, message, call))
            if len(self.out.waiting) == 1:
                self.out.admit()
        return call

    def receive(self) -> Call:
        """Rules 15 and 25."""
        call = Call()
        if self.inbox.reader is not None or self.listeners:
            call.finish("busy")
        else:
            self.has_read = self.inbox.heard = True
            self.inbox.reader = call
        return call

    def listen(self, slot: int) -> Outcome:
        if self.inbox.reader is not None:
            return "ok" if slot in self.listeners else "busy"
        if slot not in self.listeners:
            self.inbox.heard = True
            self.listeners = [*self.listeners, slot]
        return "ok"

    def unlisten(self, slot: int) -> None:
        self.listeners = [other for other in self.listeners if other != slot]

    def listen_for_end(self, slot: int) -> None:
        """Rule 24."""
        if slot not in self.enders:
            self.enders = [*self.enders, slot]
            if self.state == "ended" and self.rules.keeps_unheard and slot not in self.told:
                self.told.add(slot)
                self.untold.append(slot)

    def unlisten_for_end(self, slot: int) -> None:
        self.enders = [other for other in self.enders if other != slot]

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
        if self.holding:
            self.holding, self.script = False, self.run()
            self.wait = self.has_work

    def peer_left(self, error: str | None) -> None:
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
                    yield lambda turn=turn: turn.outcome != "blocked"
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

    def dispatch(self, message: Message) -> Iterator[Wait]:
        """Rules 28 to 31."""
        for slot in self.listeners:
            if slot not in self.listeners and not self.rules.calls_removed:
                continue
            self.seen.append((slot, message.id, message.sender))
            if message.do == "echo":
                self.post(Message(self.number, f"{message.id}>{self.number}.{slot}"), own=True)
            elif message.do == "bye":
                self.close()
            elif message.do == "add":
                self.listen((slot + 1) % SLOTS)
            elif message.do == "drop":
                self.unlisten((slot + 1) % SLOTS)
            elif message.do == "hold" and slot == WAITING_SLOT:
                self.holding = True
                yield lambda: not self.holding

    def deliver_end(self) -> None:
        self.state, self.error = "ended", self.peer_error
        self.untold = list(self.enders)
        self.told = set(self.enders)

    def tell(self, slot: int) -> None:
        if slot in self.enders or self.rules.calls_removed:
            self.seen.append((slot, "end", None))

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

    def advance(self) -> bool:
        """Go on as far as it goes without waiting. Say whether anything happened."""
        moved = self.serve_reader()
        if self.gone or self.held:
            return moved
        while self.wait():
            self.wait = next(self.script)
            moved = True
        return moved


class Model:
    """All ports of a run."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.ports: list[Port] = []

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
        """Tell the receiver's side of a connection."""
        raise NotImplementedError

    def _port(self, connection: Connection, side: str, inbox: Inbox, out: Direction) -> Port:
        port = Port(len(self.ports), connection, side, inbox, out)
        self.ports.append(port)
        return port


@dataclass(eq=False)
class Context:
    """One script's world: the background, another page of the extension, or a content script in a frame."""

    kind: Literal["background", "page", "script"]
    frame: int | None = None
    alive: bool = True
    listening: bool = False
    attaches: tuple[int, ...] = ()
    """The slots that its on_connect listener fills, for messages and for the end."""
    ports: list[Port] = field(default_factory=list)

    def close(self, error: str | None = None) -> None:
        """Rules 20 and 27."""
        self.alive = False
        for port in self.ports:
            port.held = False
            port.leave_scope(error, vanished=True)


class Browser(Model):
    """An extension with pages, and one tab with its content scripts."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.contexts: list[Context] = []

    def hear(self, opener: Context, *, in_tab: bool, frame: int | None = None) -> list[Context]:
        """Say who hears a connect. Rules 2 to 4."""
        kinds = ("script",) if in_tab else ("background", "page")
        others = (context for context in self.contexts if context is not opener and context.alive and context.listening)
        return [context for context in others if context.kind in kinds and frame in (None, context.frame)]

    def connect_from(self, opener: Context, *, in_tab: bool, frame: int | None = None) -> list[Port]:
        contexts = self.hear(opener, in_tab=in_tab, frame=frame)
        ports = self.connect(len(contexts), heard=True)
        opener.ports.append(ports[0])
        for context, port in zip(contexts, ports[1:], strict=True):
            port.held = True
            context.ports.append(port)
        return ports

    def announce(self, port: Port) -> None:
        """Rule 5."""
        (context,) = (context for context in self.contexts if port in context.ports)
        port.held = False
        for slot in context.attaches:
            port.listen(slot)
            port.listen_for_end(slot)
        port.inbox.heard = bool(context.attaches)
        port.connection.directions["receiver"].admit()


def by_sender(seen: list[tuple[int, str, int | None]]) -> dict[Any, list[tuple[int, str]]]:
    """Sort what a port saw by who sent it: rule 10 gives an order to each sender's messages, and to nothing else."""
    result: dict[Any, list[tuple[int, str]]] = {}
    for slot, what, sender in seen:
        result.setdefault(sender, []).append((slot, what))
    return result
