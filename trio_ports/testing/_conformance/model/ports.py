"""The contexts of the model and the ports that they own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .connections import WIRE, Call, Connection, Direction, Inbox, Message, Seen
from .dialects import DialectRules, Outcome, UnserializableError, show, weigh

if TYPE_CHECKING:
    from .questions import Question

Wait = Callable[[], bool]
RUNTIME_EVENTS = ("on_connect", "on_connect_external", "on_one_shot", "on_one_shot_external")


def _at_once() -> bool:
    return True


def posts_in(claim: object) -> float:
    """Return how many posts succeeded in a step of which this came."""
    words = str(claim).split(" after ")
    return int(words[1]) if len(words) > 1 else math.inf if claim == "ok" else 0


@dataclass(eq=False)
class Context:
    """A script's context in a browser, or the owner of an end where there is no browser."""

    name: str
    kind: Literal["end", "background", "page", "script", "web"] = "end"
    extension: str | None = None
    tab: str | None = None
    frame: str | None = None
    document: str | None = None
    view: str | None = None
    alive: bool = True
    inside: bool = False
    """A task is in its ``async with``."""
    ports: dict[str, Port] = field(default_factory=dict[str, "Port"])
    listeners: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The listeners of the context's own events."""
    functions: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict[tuple[str, str], list[Any]])
    log: list[Seen] = field(default_factory=list[Seen])
    received: int = 0
    asked: dict[str, Question] = field(default_factory=dict[str, "Question"])
    """The one-shot messages that it has sent."""
    kept: dict[str, Question] = field(default_factory=dict[str, "Question"])
    """Those that it may answer later."""

    def label_for(self, port: Port) -> str:
        label = port.name
        if not label or label in self.ports:
            self.received += 1
            label = f"@{self.received}"
        self.ports[label] = port
        return label

    def learn(self, step: dict[str, Any]) -> None:
        """Remember a listener's actions, unless it is known already."""
        self.functions.setdefault((step["event"], step["listener"]), step.get("actions", []))

    def listen(self, step: dict[str, Any]) -> Any:
        """Add, remove or look for a listener of one of the context's events, and return the step's result."""
        listeners = self.listeners.setdefault(step["event"], [])
        name = step["listener"]
        if step["do"] == "has_listener":
            return name in listeners
        if step["do"] == "add_listener":
            self.learn(step)
            if name not in listeners:
                self.listeners[step["event"]] = [*listeners, name]
        else:
            self.listeners[step["event"]] = [other for other in listeners if other != name]
        return "ok"

    def close(self, error: str | None = None) -> None:
        """Rules 20, 27 and 64."""
        self.alive = False
        for question in self.asked.values():
            question.is_over = True
        for question in self.kept.values():
            question.lose(self, error)
        for port in self.ports.values():
            port.held = False
            port.leave_scope(error, vanished=True)


class Port:
    """One end."""

    def __init__(self, number: int, connection: Connection, side: str, inbox: Inbox, out: Direction) -> None:
        self.number = number
        self.connection = connection
        self.rules: DialectRules = connection.rules
        self.side = side
        self.inbox = inbox
        self.out = out
        self.context: Context = Context("")
        self.label = ""
        self.name = ""
        self.sender: dict[str, Any] | None = None
        self.event = "on_connect"
        self.posted: int = 0
        self.accepted: float = 0
        """How many more posts the subject accepted in this step."""
        self.noted: int = 0
        """How many records of it the log has."""
        self.state: str = "open"
        self.error: str | None = None
        self.peer_error: str | None = None
        self.swallows = False
        self.gone: bool = False
        """Its scope has ended, so nothing more happens here."""
        self.held = False
        """on_connect has not fired for it yet."""
        self.had_block = False
        self.inside: bool = False
        """A task is in its ``async with``."""
        self.failed: bool = False
        """A listener's exception has ended its block."""
        self.has_read: bool = False
        self.holding: bool = False
        """A listener is waiting in the middle of a message."""
        self.exceeded: bool = False
        """A listener posted more than there was room for."""
        self.listeners: list[str] = []
        self.enders: list[str] = []
        self.told: set[str] = set()
        self.untold: list[str] = []
        self.leaving: tuple[str | None] | None = None
        """The other side has gone, with this error, and this port does not know it yet."""
        self.waiters: list[Call] = []
        self.refused: list[Call] = []
        """Calls that were refused in this turn. If this side closes in the same turn, they say so instead."""
        self.wait: Wait = self.has_work
        self.script: Iterator[Wait] = self.run()

    # What is done to it -----------------------------------------------------------------------------------------

    def judge(self, value: Any, *, sends: bool = False) -> Outcome:
        """Rules 12, 16 and 23."""
        try:
            show(value)
        except UnserializableError:
            return "not-json"
        if weigh(value) > self.rules.largest:
            return "too-large"
        if self.state == "closed":
            return "closed"
        return "broken" if self.state == "ended" or (sends and self.state == "ending") else "ok"

    def post(self, value: Any, *, own: bool = False) -> Outcome:
        """Rules 17, 22 and 23. ``own``: by a listener of this port."""
        outcome = self.judge(value)
        if outcome != "ok":
            return outcome
        if self.state == "ending" or self.swallows or self.leaving is not None:
            return "ok"
        if not self.out.has_room(1) and not (self.accepted > 0 and self.out.has_room(1, handed=False)):
            if not own:
                return "full"
            self.exceeded = True
            self.out.admit_all_of(self)
        self.connection.deliver(self.out, self.message(value))
        return "ok"

    def fill(self, first: int, count: int) -> str:
        """Post numbers until one is refused."""
        for number in range(count):
            outcome = self.post(first + number)
            self.accepted -= 1
            if outcome != "ok":
                return f"{outcome} after {number}"
        return "ok"

    def message(self, value: Any) -> Message:
        self.posted += 1
        return Message(self.number, show(value), self.posted)

    def send(self, call: Call, value: Any) -> None:
        """Rules 17 and 23."""
        outcome = self.judge(value, sends=True)
        if outcome != "ok" or self.swallows or self.leaving is not None:
            call.finish(outcome)
        else:
            self.out.waiting.append((self, self.message(value), call))
            if len(self.out.waiting) == 1:
                self.out.admit()

    def receive(self, call: Call) -> None:
        """Rules 15 and 25."""
        if self.inbox.reader is not None or self.listeners:
            call.finish("busy")
        else:
            self.has_read = self.inbox.heard = True
            self.inbox.reader = call

    def wait_disconnected(self, call: Call) -> None:
        """Rule 24."""
        self.waiters.append(call)

    def close(self, error: str | None = None, *, vanished: bool = False, breaks: bool = False) -> None:
        """Rules 18 to 22."""
        if self.state in ("open", "ending"):
            self.state = "closed"
            self.inbox.closed = True
            self.inbox.messages.clear()
            self.out.refuse(self, "closed")
            for call in self.refused:
                call.finish("closed")
            self.connection.leave(self, error if self.rules.reports_crashes or breaks else None, vanished=vanished)

    def sever(self) -> None:
        """The extension of its content script has gone: both sides learn of it. Rule 47."""
        self.connection.leave(self, None, vanished=True)
        self.peer_left(None)

    def leave_scope(self, error: str | None = None, *, vanished: bool) -> None:
        """The scope that owns it has ended."""
        self.close(error, vanished=vanished)
        self.inbox.messages.clear()
        self.untold.clear()
        self.gone = True

    def leave_block(self, error: str | None = None) -> None:
        """The block that it was entered with has ended; its context still owns it.

        A late listener that had to wait for another one is called when that one is cancelled.
        """
        self.close(error)
        self.inbox.messages.clear()
        self.inside = False
        if self.holding:
            self.holding, self.script = False, self.run()
            self.wait = self.has_work

    def peer_left(self, error: str | None) -> None:
        """The other side has gone. Over a wire this is known only when all its messages were taken."""
        if self.rules.learns_late:
            self.leaving = (error,)
        else:
            self.lose_peer(error)

    def lose_peer(self, error: str | None) -> None:
        self.leaving = None
        if self.state == "open":
            self.state, self.peer_error = "ending", error
            self.refused = self.out.refuse(self, "broken")

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
        return self.has_arrived() or self.is_over() or bool(self.untold)

    def has_arrived(self) -> bool:
        return bool(self.inbox.messages and (self.listeners or self.drops) and self.state != "closed")

    def run(self) -> Iterator[Wait]:
        while True:
            if self.has_arrived():
                message = self.take()
                self.exceeded = False
                if self.listeners:
                    yield from self.dispatch(message)
                if self.exceeded and self.state == "open" and not self.swallows and not self.out.has_room(0):
                    turn = Call()
                    self.out.waiting.append((self, None, turn))
                    self.out.admit()
                    yield lambda turn=turn: turn.outcome != "blocked"  # type: ignore[misc]
            elif self.is_over():
                self.deliver_end()
            elif self.untold:  # pragma: no branch - work may be gone when its turn comes
                self.tell(self.untold.pop(0))
            yield self.has_work

    def take(self) -> Message:
        message = self.inbox.messages.popleft()
        self.connection.directions[self.side].admit()
        return message

    def note(self, source: int | None = None, /, **record: Any) -> None:
        self.noted += 1
        self.context.log.append(Seen({"port": self.label, **record}, source))

    def dispatch(self, message: Message) -> Iterator[Wait]:
        """Rules 28 to 31."""
        for name in self.listeners:
            if name not in self.listeners and not self.rules.calls_removed:
                continue
            self.note(message.sender, event="on_message", listener=name, message=message.value)
            for action in self.context.functions["on_message", name]:
                if "only" in action and action["only"] != message.value:
                    continue
                if action["do"] == "hold":
                    self.holding = True
                    yield lambda: not self.holding
                elif not self.act(action, message, own=True):
                    break
            if self.gone or self.failed:
                return
            yield _at_once

    def act(self, action: dict[str, Any], message: Message | None = None, *, own: bool = False) -> bool:
        """Carry out a listener's action. Return False if it raised, so that the others are not carried out.

        Rule 43: what is raised because this port is over ends nothing else.
        """
        do, outcome = action["do"], "ok"
        if do == "post_or_raise":
            return self.post(action["message"], own=own) == "ok"
        if do in ("post", "echo"):
            value = message.value if do == "echo" and message is not None else action.get("message")
            outcome = self.post(value, own=own)
        elif do == "disconnect":
            self.close()
        elif do == "close_context":
            self.context.close()
        elif do == "throw" and not self.rules.logs:
            self.failed = True
            self.close("crashed")
        elif action.get("event") in RUNTIME_EVENTS:
            self.context.listen(action)
        elif do == "add_listener":
            outcome = self.add_listener(action)
        elif do == "remove_listener":
            self.remove_listener(action)
        if outcome != "ok":
            self.note(message.sender if message else None, event="raised", call=do, error=outcome)
        return bool(do != "throw")

    def add_listener(self, step: dict[str, Any]) -> Outcome:
        """Rules 15, 24 and 28."""
        self.context.learn(step)
        name = step["listener"]
        if step["event"] == "on_message":
            if name in self.listeners:
                return "ok"
            if self.inbox.reader is not None:
                return "busy"
            self.inbox.heard = True
            self.listeners = [*self.listeners, name]
        elif name not in self.enders:
            self.enders = [*self.enders, name]
            if self.state == "ended" and self.rules.keeps_unheard and name not in self.told:
                self.told.add(name)
                self.untold.append(name)
        return "ok"

    def remove_listener(self, step: dict[str, Any]) -> None:
        if step["event"] == "on_message":
            self.listeners = [other for other in self.listeners if other != step["listener"]]
        else:
            self.enders = [other for other in self.enders if other != step["listener"]]

    def perform(self, step: dict[str, Any], claim: Any = None) -> Any:
        """Carry out a step of a turn, and return what came of it. ``claim``: what came of it in the subject."""
        self.accepted = posts_in(claim)
        if step["do"] == "post":
            return self.post(step["message"])
        if step["do"] == "fill":
            return self.fill(step["first"], step["count"])
        if step["do"] == "add_listener":
            return self.add_listener(step)
        if step["do"] == "has_listener":
            return step["listener"] in (self.listeners if step["event"] == "on_message" else self.enders)
        if step["do"] == "disconnect":
            self.close()
        elif step["do"] == "break":
            self.close(WIRE, breaks=True)
        else:
            self.remove_listener(step)
        return "ok"

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
        """Let the waiting reader go on if it can. Return whether it did."""
        inbox = self.inbox
        call = inbox.reader
        if call is None or call.doomed:
            return False
        inbox.reader = None
        if self.state == "closed" and call.claim == "closed":
            inbox.handed = None  # Whether the task has taken it already when its own side disconnects is not ruled.
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

    def advance(self, records: float = math.inf, *, serves_reader: bool = True) -> bool:
        """Go on as far as possible without waiting. Return whether anything happened.

        Args:
            records: how many the log may have of this port.
            serves_reader: a task that reads may go on.
        """
        self.refused = []
        moved = serves_reader and self.serve_reader()
        self.serve_waiters()
        if self.leaving is not None and not (self.inbox.heard and self.inbox.used):
            self.lose_peer(*self.leaving)
            moved = True
        if self.gone or self.held:
            return moved
        while self.noted < records and self.wait():
            self.wait = next(self.script)
            moved = True
        self.serve_waiters()
        return moved
