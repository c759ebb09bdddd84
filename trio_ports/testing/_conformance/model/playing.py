"""The model as a whole: it plays histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .connections import Call, Connection, Direction, Inbox
from .dialects import DialectRules
from .lives import Lives
from .ports import RUNTIME_EVENTS, Context, Port
from .questions import Question


@dataclass(frozen=True)
class Glance:
    """What was seen at one point of a race."""

    records: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """How many records the log of a context had of one of its ports."""
    outcomes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What had come of each call."""


@dataclass(frozen=True)
class Witness:
    """What was seen of a move in the subject. The model asks for it only where the rules leave open what happens."""

    results: Sequence[Any] = ()
    """What came of each step so far."""
    passes: Sequence[Glance] = ()
    """At each ``pass`` of a race."""
    outcomes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What came of each call in the end."""


NOTHING_SEEN = Witness()


class Model(Lives):
    """All contexts and ports of a history."""

    def __init__(self, rules: DialectRules) -> None:
        super().__init__(rules)
        self.ports: list[Port] = []
        self.calls: dict[str, Call] = {}
        self._witness = NOTHING_SEEN
        self._doomed: set[str] = set()
        """The calls that this race cancels before they have done anything."""
        self.finished: bool = False
        """The scope that owns everything has ended. From then on, only little is certain."""
        self.questions: list[tuple[Question, list[Context]]] = []
        """The one-shot messages that have not arrived yet, and where they will."""
        self.results: list[Any] = []
        """What came of each step of the turns, and how each block was left, in order."""

    @classmethod
    def of_ends(cls, rules: DialectRules, receivers: int = 1, *, supports_async_with: bool = True) -> Model:
        """Return the model of one connection, whose ends are there from the beginning.

        ``supports_async_with``: they are in no ``async with`` yet.
        """
        model = cls(rules)
        ports = model.connect(receivers)
        names = ["opener", "receiver", *(f"receiver{number}" for number in range(2, receivers + 1))]
        for name, port in zip(names, ports, strict=True):
            context = model.contexts[name] = Context(name)
            context.ports["p"] = port
            port.context, port.label, port.had_block = context, "p", not supports_async_with
        return model

    @classmethod
    def of_browser(cls, rules: DialectRules, extensions: tuple[str, ...]) -> Model:
        """Return the model of a browser with these extensions, each with its background."""
        model = cls(rules)
        for extension in extensions:
            model.add_context(Context(extension, "background", extension, document=extension))
        model.extensions = list(extensions)
        model.connectable = model.private = extensions[1:]
        return model

    # Playing ------------------------------------------------------------------------------------------------------

    def play(self, move: dict[str, Any], witness: Witness = NOTHING_SEEN) -> None:
        """Do a move and everything that follows from it.

        Args:
            move: makes sense now.
            witness: what came of it in the subject.
        """
        self._witness = witness
        for name, call in self.calls.items():
            call.claim = witness.outcomes.get(name, "")
        if move["move"] == "race":
            self._play_race(move)
        else:
            getattr(self, f"_play_{move['move']}")(move)
        self.settle()

    def may(self, move: dict[str, Any]) -> bool:
        """Return whether a move makes sense now."""
        return bool(getattr(self, f"_may_{move['move']}", self._may_anything)(move))

    def _may_anything(self, move: dict[str, Any]) -> bool:
        raise NotImplementedError(move["move"])

    def _may_turn(self, move: dict[str, Any]) -> bool:
        opened: set[tuple[str, str]] = set()
        return all(self._may_step(step, step.get("at", move["at"]), opened) for step in move["steps"])

    def _may_step(self, step: dict[str, Any], at: str, opened: set[tuple[str, str]]) -> bool:
        """Return whether a step makes sense after earlier steps of its turn, which may have opened ports."""
        context = self.contexts.get(at)
        if context is None or not context.alive:
            return False
        if step["do"] in ("connect", "tabs_connect", "ask", "ask_tab"):
            page = context.kind in ("background", "page")
            named = step["do"] in ("connect", "ask") and (context.kind != "web" or step["extension"] is not None)
            known = {*context.ports, *(label for each in self.contexts.values() for label in each.asked)}
            new = step["port"] not in known and (at, step["port"]) not in opened
            opened.add((at, step["port"]))
            return new and (page or named)
        if step.get("event") in RUNTIME_EVENTS:
            kinds = ("background", "page") if "external" in step["event"] else ("background", "page", "script")
            return context.kind in kinds
        if step["do"] == "respond":
            return step["port"] in context.kept
        here = step.get("port") in context.ports or (at, step.get("port")) in opened
        return here or step["do"] in ("change", "close_context")

    def _play_turn(self, move: dict[str, Any]) -> None:
        for step in move["steps"]:
            self.results.append(self._perform(self.contexts[step.get("at", move["at"])], step))

    def _may_race(self, move: dict[str, Any]) -> bool:
        started: set[str] = set()
        opened: set[tuple[str, str]] = set()
        for step in move["steps"]:
            at = step.get("at", move["at"])
            if step["do"] == "start":
                if step["as"] in started or not self._may_start({**step, "at": at}):
                    return False
                started.add(step["as"])
            elif step["do"] == "cancel":
                if step["call"] not in started and not self._may_cancel(step):
                    return False
            elif step["do"] != "pass" and not self._may_step(step, at, opened):
                return False
        return True

    def _play_race(self, move: dict[str, Any]) -> None:
        witness = self._witness
        cancelled = {step["call"] for step in move["steps"] if step["do"] == "cancel"}
        self._doomed = {name for name in cancelled if witness.outcomes.get(name, "blocked") in ("blocked", "cancelled")}
        for name in self._doomed & {*self.calls}:
            self.calls[name].doomed = True
        passes = iter(witness.passes)
        for step in move["steps"]:
            if step["do"] == "pass":
                self._catch_up(next(passes, Glance()))
            elif step["do"] == "start":
                self._play_start({**step, "at": step.get("at", move["at"])})
            elif step["do"] != "cancel":
                self.results.append(self._perform(self.contexts[step.get("at", move["at"])], step))
            elif step["call"] in self._doomed:
                self._play_cancel(step)
        self._doomed = set()

    def _catch_up(self, seen: Glance) -> None:
        """Let happen what had been seen at this point of a race, and no more."""
        names = {call: name for name, call in self.calls.items()}
        moved = True
        while moved:
            moved = False
            for port in self.ports:
                reader = port.inbox.reader
                serves = reader is not None and seen.outcomes.get(names.get(reader, ""), "blocked") != "blocked"
                moved |= port.advance(seen.records.get((port.context.name, port.label), 0), serves_reader=serves)

    def _perform(self, context: Context, step: dict[str, Any]) -> Any:
        do = step["do"]
        if do == "close_context":
            context.close()
        elif do in ("connect", "tabs_connect"):
            self._connect(context, step)
        elif do in ("ask", "ask_tab"):
            self._ask(context, step)
        elif do == "respond":
            context.kept[step["port"]].answer(step["message"])
        elif step.get("event") in RUNTIME_EVENTS:
            return context.listen(step)
        elif do != "change":
            claims = self._witness.results
            claim = claims[len(self.results)] if len(claims) > len(self.results) else None
            return context.ports[step["port"]].perform(step, claim)
        return "ok"

    def _may_start(self, move: dict[str, Any]) -> bool:
        context = self.contexts.get(move["at"])
        return context is not None and context.alive and move["port"] in context.ports and move["as"] not in self.calls

    def _play_start(self, move: dict[str, Any]) -> None:
        context = self.contexts[move["at"]]
        port = context.ports[move["port"]]
        then = partial(self._perform_all, context, move.get("then", []))
        claim = self._witness.outcomes.get(move["as"], "")
        call = Call(port, move["call"], claim=claim, doomed=move["as"] in self._doomed, then=then)
        self.calls[move["as"]] = call
        if move["call"] == "send":
            port.send(call, move["message"])
        elif move["call"] in ("receive", "__anext__"):
            port.receive(call)
        else:
            port.wait_disconnected(call)

    def _perform_all(self, context: Context, steps: list[dict[str, Any]]) -> list[Any]:
        return [self._perform(context, step) for step in steps]

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

    def _may_finish(self, _move: dict[str, Any]) -> bool:
        return not self.finished

    def _play_finish(self, _move: dict[str, Any]) -> None:
        self.finished = True

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
            return context.inside and context.alive and move["how"] != "end"
        port = context.ports.get(move["port"])
        # A listener is waited for where the block ends in good order, which that of an opener does not by its end.
        orderly = move["how"] == "return" or (port is not None and move["how"] == "end" and port.side == "receiver")
        waits = port is not None and port.holding and orderly
        return port is not None and port.inside and not waits

    def _play_leave(self, move: dict[str, Any]) -> None:
        context = self.contexts[move["at"]]
        error = "crashed" if move["how"] in ("crash", "group", "mixed") else None
        port = None if move["port"] is None else context.ports[move["port"]]
        self.results.append("raised" if port is not None and port.failed else self._leaving(move["how"], port))
        if port is None:
            context.inside = False
            context.close(error)
        else:
            port.leave_block(error)

    def _leaving(self, how: str, port: Port | None) -> str:
        """Return how a block is left. Rule 43: by its port's end in good order, if somebody else opened the port."""
        if how != "end" or port is None:
            return {"group": "raised", "mixed": "raised", "cancelled group": "cancel"}.get(how, how)
        port.close()
        return "return" if port.side == "receiver" else str(port.judge(None))

    # Connecting -----------------------------------------------------------------------------------------------------

    def _connect(self, opener: Context, step: dict[str, Any]) -> None:
        contexts, event = self.find_receivers(opener, step)
        ports = self.connect(len(contexts), heard=True)
        sender = self.describe(opener, step)
        for port in ports:
            port.name = step["name"]
        ports[0].context, ports[0].label = opener, step["port"]
        opener.ports[step["port"]] = ports[0]
        for context, port in zip(contexts, ports[1:], strict=True):
            port.held, port.context, port.event, port.sender = True, context, event, sender
            context.ports[f"?{port.number}"] = port

    def _ask(self, asker: Context, step: dict[str, Any]) -> None:
        contexts, event = self.find_receivers(asker, step)
        label = step["port"]
        question = Question(self.rules, asker, label, step["message"], event, sender=self.describe(asker, step))
        asker.asked[label] = question
        self.questions.append((question, contexts))

    def connect(self, receivers: int = 1, *, heard: bool = False) -> list[Port]:
        """Return the opener and the receivers. ``heard``: they count as listening until it is known. Rule 6."""
        connection = Connection(self.rules)
        hands = not self.rules.learns_late
        forth, back = Direction(self.rules.bound), Direction(self.rules.bound)
        back.inboxes.append(Inbox(hands=hands))
        forth.inboxes.extend(Inbox(heard=heard, hands=hands) for _ in range(receivers))
        ports = [self._port(connection, "opener", back.inboxes[0], forth)]
        ports.extend(self._port(connection, "receiver", inbox, back) for inbox in forth.inboxes)
        connection.opener, connection.receivers = ports[0], [*ports[1:]]
        connection.directions = {"opener": back, "receiver": forth}
        if not receivers:
            connection.end_opener("no-receiver")
        return ports

    def settle(self) -> None:
        """Do everything that can be done without a move."""
        for port in self.ports:
            if port.held:
                self.announce(port)
        questions, self.questions = self.questions, []
        for question, contexts in questions:
            question.dispatch(contexts)
        while any(port.advance() for port in self.ports):
            pass

    def announce(self, port: Port) -> None:
        """Fire on_connect at a receiving port. Rules 5 to 7."""
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
            if port.gone:
                return
        if not port.inbox.heard or not port.listeners:
            port.inbox.heard = bool(port.listeners) or port.has_read
        port.connection.directions["receiver"].admit()

    def _port(self, connection: Connection, side: str, inbox: Inbox, out: Direction) -> Port:
        port = Port(len(self.ports), connection, side, inbox, out)
        self.ports.append(port)
        return port
