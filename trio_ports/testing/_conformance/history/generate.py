"""Generate histories: one move after the other is drawn, and a model says at each point what makes sense."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, final

import attrs
from hypothesis import strategies as st

from ...strategies import json_messages
from ..model import DIALECT_RULES, MIB, Context, DialectRules, Model, Port
from . import moves
from .moves import EXTENSIONS, NOBODY, History, Move, Step

T = TypeVar("T")

FILLED: Final = 2000
"""The largest bound that a history fills."""
MOST_CONTEXTS: Final = 14
MOST_PORTS: Final = 16

_ACTIONS: Final[dict[str, list[Step]]] = {
    "one": [],
    "two": [],
    "bye": [moves.disconnect(None)],
    "adds": [moves.add_listener("on_message", "one", port=None)],
    "drops": [moves.remove_listener("on_message", "two", port=None)],
    "holds": [moves.hold()],
    "raises": [moves.throw()],
    "insists": [moves.disconnect(None), moves.post_or_raise("too late")],
}
_ANSWERS: Final[dict[str, list[Step]]] = {
    "echo": [moves.echo()],
    "answers": [moves.post("one", None), moves.post("two", None)],
}
_END_ACTIONS: Final[dict[str, list[Step]]] = {
    "end": [],
    "end two": [],
    "end adds": [moves.add_listener("on_disconnect", "end", port=None)],
    "end drops": [moves.remove_listener("on_disconnect", "end two", port=None)],
    "end posts": [moves.post("too late", None), moves.disconnect(None)],
}
_CONNECT_ACTIONS: Final[dict[str, list[Step]]] = {
    "hears": moves.hear(None),
    "is silent": [],
    "greets": [*moves.hear(None), moves.post("hello", None)],
    "refuses": [moves.disconnect(None)],
    "insists": [moves.disconnect(None), moves.post_or_raise("too late")],
    "raises": [moves.throw()],
}

_STEPS: Final = (*["post"] * 8, *["listen"] * 4, "end", "end", "unlisten", "unlisten", "has", "disconnect")
"""A history is about what happens while a connection is open, so it should stay open for long."""
_LEAVING: Final = ("bye", "insists")
"""Listeners that disconnect."""
_REFUSING: Final = ("refuses", "insists")
"""The same, of connections."""
_KINDS: Final = ("function", "function", "function", "method", "awaitable", "partial", "object")
_LENGTHS: Final = (100, 300, 5_000, 70_000)
_ONE_SHOT_ACTIONS: Final[dict[str, list[Step]]] = {
    "is silent": [],
    "answers later": [moves.answer_later()],
    "responds": [moves.respond("responded")],
    "returns": [moves.answer_with("returned")],
    "promises": [moves.promise("promised")],
    "responds and promises": [moves.respond("responded"), moves.promise("promised")],
    "raises": [moves.throw()],
}
_UNDECIDED: Final = {"is silent", "answers later"}
"""The listeners that do not answer at once. Which of several contexts that do is the first is not ruled."""
_VALUES: Final = json_messages(max_leaves=4)
_SPECIALS: Final = ("NaN", "Infinity", "cycle", "function", "bytes")


@functools.cache
def _numbers(below: int) -> st.SearchStrategy[int]:
    return st.integers(0, below - 1)


@final
@attrs.frozen
class Scope:
    """What a history may contain."""

    receivers: int = 1
    """How many receivers the one connection has, where there is no browser."""
    browser: bool = False
    """It takes place in a browser."""
    beyond_browsers: bool = True
    """It uses what real browsers lack: ``send``, ``receive``, ``async with``, listeners that wait, values that are not
    JSON."""
    listeners_raise: bool = True
    """Listeners may raise, and it is logged."""
    supports_async_with: bool = True
    """Ports can be entered with ``async with``."""
    wire: str = ""
    """The end that is the kit's own, at a wire."""


@final
class MoveGenerator:
    """Generates moves that make sense, after those that the reference has played."""

    def __init__(
        self,
        draw: Callable[[st.SearchStrategy[Any]], Any],
        reference: Model,
        scope: Scope,
        chance: random.Random | None = None,
    ) -> None:
        self._draw = draw
        self._chance = chance
        self._model = reference
        self._scope = scope
        self._messages = 0
        self._names = 0

    def begin(self) -> History:
        """Return the first moves. A browser without tabs and listeners would make a dull history."""
        if not self._scope.browser or not self._number(4):
            return []
        hears = moves.add_listener("on_connect", "hears", *_CONNECT_ACTIONS["hears"], port=None)
        external = moves.add_listener("on_connect_external", "hears", *_CONNECT_ACTIONS["hears"], port=None)
        listening = [moves.turn("a", hears), moves.turn("b", external), moves.turn("t1/a", hears)]
        chosen = [move for move in listening if self._flip()]
        return [moves.open_tab("t1", web=True), moves.open_frame("f1", "t1"), *chosen]

    def choose(self, kind: str | None = None) -> Move | None:
        """Return the next move, of any kind or of this one; None if what was drawn makes no sense now."""
        move: Move | None = getattr(self, f"_choose_{kind or self._pick(self._kinds())}")()
        return move if move is not None and self._model.may(move) else None

    def _kinds(self) -> list[str]:
        kinds = ["turn", "turn", "turn", "turn"]
        if self._scope.beyond_browsers:
            kinds += ["send", "receive", "cancel", "release", "block", "wait", "fill", "race"]
        if self._scope.browser:
            kinds += ["place", "place", "connect", "connect", "context", "listen", "question", "question"]
        return kinds

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[self._number(len(choices))]

    def _any(self, choices: Sequence[T]) -> T | None:
        return self._pick(choices) if choices else None

    def _number(self, below: int) -> int:
        return int(self._draw(_numbers(below))) if self._chance is None else self._chance.randrange(below)

    def _flip(self) -> bool:
        return self._number(2) == 1

    def _new_name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    def _message(self) -> Any:
        self._messages += 1
        kind = self._number(12)
        if kind < 9:
            return self._messages
        if kind < 10:
            return [self._messages, self._draw(_VALUES)]
        if kind < 11 or not self._scope.beyond_browsers:
            return self._draw(_VALUES)
        kind = self._number(3)
        if kind == 0:
            return {"$": self._pick(_SPECIALS)}
        return [self._long(), {"$": self._pick(_SPECIALS)} if kind == 1 else self._messages]

    def _long(self) -> Any:
        """Return a long text: one that makes a message about as large as it may be, or one that is easy to carry."""
        largest = self._model.rules.largest
        near = [int(largest) - 12 + self._number(12)] if largest <= MIB else []
        return moves.long_text(self._pick([*near, *_LENGTHS]))

    def _json(self) -> Any:
        self._messages += 1
        return [self._messages, self._draw(_VALUES)] if self._number(8) == 0 else self._messages

    def _living(self) -> list[Context]:
        return [c for c in self._model.contexts.values() if c.alive and "#" not in c.name]

    def _ports(self) -> list[Port]:
        return [p for c in self._living() for label, p in c.ports.items() if not label.startswith("?")]

    def _port(self) -> Port | None:
        return self._any(self._ports())

    def _either(self, better: list[Port]) -> Port | None:
        """Choose one of the ports that make a better story, if there are any, more often than not."""
        return self._pick(better) if better and self._number(4) else self._port()

    def _stays_full(self, port: Port) -> bool:
        """Say whether nobody takes what this port posts."""
        peers = [peer for peer in self._model.ports if peer.connection is port.connection and peer.side != port.side]
        return port.state == "open" and not any(peer.listeners for peer in peers)

    def _choose_talk(self) -> Move | None:
        """Post, and no more than that."""
        return self._choose_turn(("post",))

    def _choose_attend(self) -> Move | None:
        """Add and remove listeners of messages, and post to them."""
        return self._choose_turn(("listen", "listen", "listen", "post", "unlisten"))

    def _choose_turn(self, steps_of: Sequence[str] = _STEPS) -> Move | None:
        first = self._port()
        if first is None:
            return None
        steps: list[Step] = []
        for number in range(1 + self._number(5)):
            port = first if number == 0 or self._flip() else self._port()
            assert port is not None
            do = self._pick(steps_of)
            if do == "disconnect" and self._flip():
                do = "post"
            steps.append({**self._step(port, do), "at": port.context.name})
            if self._scope.beyond_browsers and steps[-1]["do"] == "post" and self._flip():
                steps.append({**moves.change(), "at": port.context.name})
        return moves.turn(first.context.name, *steps)

    def _step(self, port: Port, do: str) -> Step:
        label = port.label
        if do == "post":
            return moves.post(self._message(), label)
        if do == "disconnect":
            return moves.disconnect(label)
        if do == "end":
            name = self._pick(list(_END_ACTIONS))
            return self._listener("on_disconnect", name, _END_ACTIONS[name], label)
        actions = self._message_actions(port)
        name = self._pick(list(actions))
        if do == "listen":
            if name in _LEAVING and self._number(4):
                name = "one"
            return self._listener("on_message", name, actions[name], label)
        event, present = self._pick([("on_message", port.listeners), ("on_disconnect", port.enders)])
        name = self._pick(present or [name])
        if do == "has":
            return moves.has_listener(event, name, port=label)  # type: ignore[arg-type]
        return moves.remove_listener(event, name, port=label)  # type: ignore[arg-type]

    def _listener(self, event: moves.EventName, name: str, actions: list[Step], label: str) -> Step:
        """Add a listener of some kind; the kind is part of its name."""
        kind = self._pick(_KINDS) if self._scope.beyond_browsers else "function"
        name = name if kind == "function" else f"{name}, {kind}"
        return moves.add_listener(event, name, *actions, port=label, kind=kind)  # type: ignore[arg-type]

    def _message_actions(self, port: Port) -> dict[str, list[Step]]:
        actions = dict(_ACTIONS)
        if not self._scope.beyond_browsers:
            del actions["holds"]
        if not self._scope.listeners_raise:
            del actions["raises"]
        if any(direction.waiting for direction in port.connection.directions.values()):
            # Whether room comes first, or the message that makes it leave, is not ruled.
            for name in _LEAVING:
                del actions[name]
        # Two that answer each other would never end, and several that answer at once have no order that is ruled.
        if port.side == "receiver" and not self._scope.browser and self._scope.receivers == 1:
            actions |= _ANSWERS
        return actions

    def _choose_fill(self) -> Move | None:
        """Post as many as there is room for, or one more; where there is no room, send; and cancel what waits."""
        bound = self._model.rules.bound
        port = self._either([port for port in self._ports() if self._stays_full(port)])
        if port is None or bound > FILLED:
            return None
        if self._scope.beyond_browsers and self._flip() and not port.out.has_room(1):
            return self._choose_cancel() if port.out.waiting and self._flip() else self._choose_send()
        first, count = self._messages + 1, int(bound) + self._number(2)
        self._messages += count
        more = [moves.post(self._message(), port.label)] if self._flip() else []
        return moves.turn(port.context.name, moves.fill(first, count, port.label), *more)

    def _choose_send(self) -> Move | None:
        port = self._either([port for port in self._ports() if not port.out.has_room(1)])
        if port is None or self._may_leave(port):
            return None
        return moves.start_send(self._new_name("s"), port.context.name, self._message(), port.label)

    def _may_leave(self, port: Port) -> bool:
        """Return whether a listener at either side of a connection may disconnect."""
        ends = [other for other in self._model.ports if other.connection is port.connection]
        return any(name.startswith(_LEAVING) for end in ends for name in end.listeners)

    def _choose_race(self) -> Move | None:
        """Cancel a call, or disconnect, while something else is on its way."""
        port = self._either([port for port in self._ports() if port.state == "open"])
        if port is None or port.state != "open" or self._may_leave(port):
            return None
        at, label = port.context.name, port.label
        pause = [moves.pass_turns(1 + self._number(4))] if self._number(3) else []
        blocked = {call: name for name, call in self._model.calls.items() if call.outcome == "blocked"}
        peers = [peer for peer in self._model.ports if peer.connection is port.connection and peer.side != port.side]
        calls = [name for call, name in blocked.items() if call.port in peers or call.port is port]
        kind = self._pick(["send", "call", "call", "disconnect"])
        posts = [moves.post(self._message(), label) for _ in range(1 + self._number(3))]
        if kind == "send":
            if any(peer.inbox.used + 1 >= self._model.rules.bound for peer in peers):
                return None
            name = self._new_name("s")
            return moves.race(at, moves.start_send(name, at, self._messages, label), *pause, moves.cancel(name))
        if kind == "call":
            return moves.race(at, *posts, *pause, moves.cancel(self._pick(calls))) if calls else None
        gone = self._pick([port, *peers])
        if self._flip() or gone.state != "open" or gone.inside:
            return None
        return moves.race(at, *posts, *pause, moves.by(gone.context.name, moves.disconnect(gone.label)))

    def _choose_receive(self) -> Move | None:
        port = self._port()
        return moves.start_receive(self._new_name("r"), port.context.name, port.label) if port else None

    def _choose_wait(self) -> Move | None:
        port = self._port()
        return moves.start_wait(self._new_name("w"), port.context.name, port.label) if port else None

    def _choose_cancel(self) -> Move | None:
        blocked = {name: call for name, call in self._model.calls.items() if call.outcome == "blocked"}
        sends = [name for name, call in blocked.items() if call.kind == "send"]
        name = self._any(sends if sends and self._flip() else list(blocked))
        return moves.cancel(name) if name else None

    def _choose_release(self) -> Move | None:
        port = self._any([p for c in self._living() for p in c.ports.values() if p.holding])
        return moves.release(port.context.name, port.label) if port else None

    def _choose_block(self) -> Move | None:
        port = self._port()
        if port is None:
            return None
        if port.inside:
            if self._number(3):
                return None
            hows: list[moves.Leaving] = ["return", "cancel", "crash", "end", "group", "mixed", "cancelled group"]
            return moves.leave(port.context.name, self._pick(hows), port.label)
        return moves.enter(port.context.name, port.label)

    # In a browser -----------------------------------------------------------------------------------------------------

    def _choose_place(self) -> Move | None:
        if len(self._living()) >= MOST_CONTEXTS:
            return moves.close(self._pick(["t1", "t2", "f1", "f2"]))
        kind = self._pick(["tab", "tab", "frame", "page", "hidden", "navigate", "close", "uninstall"])
        if kind == "tab":
            incognito = self._scope.beyond_browsers and self._number(6) == 0
            return moves.open_tab(self._pick(["t1", "t2"]), web=self._flip(), incognito=incognito)
        if kind == "frame":
            return moves.open_frame(self._pick(["f1", "f2", "f3"]), self._pick(["t1", "t1", "t2", "f1"]))
        if kind in ("page", "hidden"):
            name = self._pick(["p1", "p2"]) if kind == "page" else self._pick(["g1", "g2"])
            extension, hidden = self._pick(list(EXTENSIONS)), kind == "hidden"
            view = self._pick([None, None, "popup", "devtools"]) if hidden and self._scope.beyond_browsers else None
            return moves.open_page(name, extension, hidden=hidden, view=view)
        if kind == "uninstall":
            return moves.uninstall(EXTENSIONS[1]) if self._scope.beyond_browsers and self._flip() else None
        frame = self._any(sorted({context.frame for context in self._living() if context.frame is not None}))
        if frame is None:
            return None
        return moves.navigate(frame) if kind == "navigate" else moves.close(frame)

    def _choose_listen(self) -> Move | None:
        context = self._any(self._living())
        if context is None:
            return None
        event = self._pick(["on_connect", "on_connect", "on_connect_external"])
        if self._number(5) == 0:
            name = self._pick(list(_CONNECT_ACTIONS))
            return moves.turn(context.name, moves.remove_listener(event, name, port=None))  # type: ignore[arg-type]
        names = [name for name in _CONNECT_ACTIONS if self._scope.listeners_raise or name != "raises"]
        name = self._pick(["hears", "hears", *names])
        # What those get that listen beside a context which refuses is not ruled, as it depends on who is first.
        others = [other for other in self._living() if other is not context and other.extension == context.extension]
        heard = [listener for other in others for listener in other.listeners.get(event, ())]
        if (heard and name in _REFUSING) or set(heard) & {*_REFUSING}:
            return None
        step = moves.add_listener(event, name, *_CONNECT_ACTIONS[name], port=None)  # type: ignore[arg-type]
        return moves.turn(context.name, step)

    def _choose_connect(self) -> Move | None:
        context = self._any(self._living()) if len(self._model.ports) < MOST_PORTS else None
        if context is None:
            return None
        label = self._new_name("c")
        if context.kind in ("background", "page") and self._flip():
            tab = self._pick(["t1", "t1", "t2", "p1"])
            # Browsers number frames, and the top one of every tab is 0: another tab's frame is not nowhere.
            frames = sorted({c.frame for c in self._model.contexts.values() if c.tab == tab and c.frame is not None})
            frame, document = self._pick([(None, None), (None, None), *[(f, None) for f in frames], (None, "t1")])
            step = moves.tabs_connect(label, tab, frame=frame, document=document)
        else:
            extension = self._pick([None, *EXTENSIONS, NOBODY])
            step = moves.connect(label, extension=extension)
        steps = [step, *moves.hear(label)]
        if self._flip():
            steps.append(moves.post(self._message(), label))
        if self._number(4) == 0:
            steps.append(moves.disconnect(label))
        return moves.turn(context.name, *steps)

    def _choose_question(self) -> Move | None:
        """Listen for one-shot messages, send one, or answer one."""
        context = self._any(self._living())
        if context is None:
            return None
        if context.kept and self._flip():
            return moves.turn(context.name, moves.respond(self._json(), self._pick(list(context.kept))))
        if context.kind != "web" and self._flip():
            names = [name for name in _ONE_SHOT_ACTIONS if self._scope.listeners_raise or name != "raises"]
            name, event = self._pick(names), self._pick(["on_one_shot", "on_one_shot", "on_one_shot_external"])
            if self._number(4) == 0:
                return moves.turn(context.name, moves.remove_listener(event, name, port=None))  # type: ignore[arg-type]
            step = moves.add_listener(event, name, *_ONE_SHOT_ACTIONS[name], port=None)  # type: ignore[arg-type]
            return moves.turn(context.name, step)
        label = self._new_name("q")
        if context.kind in ("background", "page") and self._flip():
            step = moves.ask_tab(label, self._pick(["t1", "t1", "t2", "p1"]), self._json())
        else:
            step = moves.ask(label, self._json(), extension=self._pick([None, None, *EXTENSIONS, NOBODY]))
        return None if self._is_race(context, step) else moves.turn(context.name, step)

    def _is_race(self, asker: Context, step: Step) -> bool:
        """Say whether several answers to a one-shot message would be given at once, by different tasks."""
        contexts, event = self._model.find_receivers(asker, step)
        heard = [{*context.listeners[event]} - _UNDECIDED for context in contexts]
        promised = [names & {"promises", "responds and promises"} for names in heard]
        return sum(map(bool, heard)) > 1 or sum(map(len, promised)) > 1

    def _choose_context(self) -> Move | None:
        context = self._any(self._living())
        if context is None or not self._scope.beyond_browsers:
            return None
        if context.inside:
            return moves.leave(context.name, self._pick(["return", "cancel", "crash"]), None)
        if self._flip():
            return moves.turn(context.name, moves.close_context())
        return moves.enter(context.name, None)


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    browser: bool = False,
    receivers: int = 1,
    max_moves: int = 50,
    dialect: str = "trio",
    rules: DialectRules | None = None,
    scope: Scope | None = None,
    shrinks: bool = True,
) -> History:
    """Generate histories in which every move makes sense.

    Args:
        draw: Hypothesis passes it.
        browser: the history takes place in a browser, instead of between the ends of one connection.
        receivers: how many receivers that connection has.
        max_moves: how long a history may be.
        dialect: whose rules say what makes sense.
        rules: these rules instead.
        scope: what may happen, instead of everything.
        shrinks: Hypothesis makes each choice, so that it can shrink the history. Otherwise it makes one for all of
            them, which is faster.
    """
    # Where a listener's exception is not logged, it would end the scope in which the history is played (rule 31).
    logs = dialect != "trio" if rules is None else rules.logs
    scope = scope or Scope(receivers=receivers, browser=browser, listeners_raise=logs)
    rules = rules or DIALECT_RULES[dialect]
    reference = (
        Model.of_browser(rules, EXTENSIONS)
        if scope.browser
        else Model.of_ends(rules, scope.receivers, supports_async_with=scope.supports_async_with)
    )
    chance = None if shrinks else draw(st.randoms(use_true_random=True))
    generator = MoveGenerator(draw, reference, scope, chance)
    history = generator.begin()
    for move in history:
        reference.play(move)
    for _ in range(draw(st.integers(max_moves // 2, max_moves))):
        chosen = generator.choose()
        if chosen is not None:
            reference.play(chosen)
            history.append(chosen)
    if scope.beyond_browsers and draw(st.booleans()):
        history.append(moves.finish(draw(st.sampled_from(("return", "cancel")))))
    return history
