"""The connections of the model: their inboxes, the tasks that wait for room, and what happens when a port leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .dialects import DialectRules, Outcome

WIRE = "wire"
"""The error of an end to which something came that is not a frame, whatever its cause is."""


class Member(Protocol):
    """What a connection knows of a port."""

    error: str | None
    swallows: bool
    """What is posted here reaches nobody, and nobody says so."""
    waiters: list[Call]

    @property
    def connection(self) -> Connection: ...

    @property
    def inbox(self) -> Inbox: ...

    @property
    def out(self) -> Direction: ...

    def peer_left(self, error: str | None) -> None:
        """The other side has gone."""


@dataclass(frozen=True)
class Message:
    """A message, and the number of the port that posted it."""

    sender: int
    value: Any
    number: int = 0
    """How many that port posted before it."""


@dataclass
class Seen:
    """What the log of a context should have."""

    record: dict[str, Any]
    sender: int | None = None
    """The port that the message is from."""


@dataclass(eq=False)
class Call:
    """A call that may wait, and what came of it."""

    port: Member | None = None
    kind: str = ""
    outcome: Outcome = "blocked"
    message: Message | None = None
    claim: str = ""
    """What came of it in the subject, as far as that is known."""
    doomed: bool = False
    """It will be cancelled before it has done anything."""
    then: Callable[[], list[Any]] | None = None
    """Carries out what the call's task does next."""
    then_results: list[Any] = field(default_factory=list[Any])

    def finish(self, outcome: Outcome, message: Message | None = None) -> None:
        self.outcome, self.message = outcome, message
        if self.then is not None and outcome == "ok":
            self.then_results = self.then()


@dataclass(eq=False)
class Direction:
    """One of a connection's two directions: its inboxes, and the calls that wait for room in them."""

    bound: float
    inboxes: list[Inbox] = field(default_factory=list["Inbox"])
    waiting: list[tuple[Member, Message | None, Call]] = field(default_factory=list[Any])
    """An entry without a message is a listener whose own posts exceeded the bound."""

    def has_room(self, more: int, *, handed: bool = True) -> bool:
        """Return whether so many fit. ``handed``: what a reader has been given and not taken yet counts."""
        counted = [inbox for inbox in self.inboxes if inbox.heard or len(self.inboxes) == 1]
        return all((inbox.used if handed else len(inbox.messages)) + more <= self.bound for inbox in counted)

    def admit(self) -> None:
        """Let waiting calls go on as long as there is room, first come, first served."""
        while (
            self.waiting
            and not self.waiting[0][2].doomed
            and not all(inbox.closed for inbox in self.inboxes)
            and self.has_room(0 if self.waiting[0][1] is None else 1)
        ):
            port, message, call = self.waiting.pop(0)
            if message is not None:
                port.connection.deliver(self, message)
            call.finish("ok")

    def admit_all_of(self, port: Member) -> None:
        """Let a port's sends go on beyond the bound: its listener posts something that comes after them."""
        for entry in [entry for entry in self.waiting if entry[0] is port and entry[1] is not None]:
            self.waiting.remove(entry)
            assert entry[1] is not None
            port.connection.deliver(self, entry[1])
            entry[2].finish("ok")

    def withdraw(self, call: Call) -> None:
        """Forget a call that was cancelled."""
        for entry in [entry for entry in self.waiting if entry[2] is call]:
            self.waiting.remove(entry)
            self.admit()

    def refuse(self, port: Member, outcome: Outcome) -> list[Call]:
        """End the calls of a port that wait for room, and return them."""
        entries = [entry for entry in self.waiting if entry[0] is port]
        for entry in entries:
            self.waiting.remove(entry)
            entry[2].finish(outcome)
        self.admit()
        return [call for _, _, call in entries]


@dataclass(eq=False)
class Inbox:
    messages: deque[Message] = field(default_factory=deque[Message])
    heard: bool = False
    closed: bool = False
    """Its port has disconnected, so no waiting call gets room here any more."""
    reader: Call | None = None
    handed: Message | None = None
    """A message that a waiting reader has been given and not taken yet. A disconnect does not take it away."""
    hands: bool = True
    """A message goes to a waiting reader in the moment of the post. Over a wire it arrives later."""

    def put(self, message: Message) -> None:
        if self.hands and self.reader is not None and not self.reader.doomed and self.handed is None:
            self.handed = message
        else:
            self.messages.append(message)

    @property
    def used(self) -> int:
        return len(self.messages) + (self.handed is not None)


@dataclass(eq=False)
class Connection:
    rules: DialectRules
    opener: Member | None = None
    receivers: list[Member] = field(default_factory=list[Member])
    directions: dict[str, Direction] = field(default_factory=dict[str, Direction])
    """What arrives at the opener, and what arrives at the receivers."""

    def deliver(self, direction: Direction, message: Message) -> None:
        """Put a message into the inboxes. Rule 17: a receiver that never listened is ended when its inbox is full."""
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

    def leave(self, port: Member, error: str | None, *, vanished: bool) -> None:
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

    def remove(self, port: Member) -> None:
        self.receivers.remove(port)
        assert self.opener is not None, "there are receivers as long as there is an opener"
        self.opener.out.inboxes.remove(port.inbox)
        if self.receivers:
            self.opener.out.admit()

    def end_opener(self, error: str | None) -> None:
        opener, self.opener = self.opener, None
        assert opener is not None, "there are receivers as long as there is an opener"
        opener.peer_left(error)

    def end_receivers(self, error: str | None) -> None:
        receivers, self.receivers = self.receivers, []
        for receiver in receivers:
            receiver.peer_left(error)
