"""Draw histories that a real browser can play: the kit's moves, and its model to say what makes sense."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from trio_ports.testing import Scope
from trio_ports.testing._conformance.history.generate import MoveGenerator
from trio_ports.testing._conformance.history.moves import (
    EXTENSIONS,
    History,
    Move,
    Step,
    listen,
    open_frame,
    open_page,
    open_tab,
    turn,
)
from trio_ports.testing._conformance.model import DIALECT_RULES, Model

SCOPE: Final = Scope(browser=True, beyond_browsers=False)
KINDS: Final = ("connect", "connect", "turn", "turn", "turn", "turn", "listen", "place", "place", "place")
LISTENERS: Final = listen(), listen(event="on_connect_external")
LEAVING: Final = {"refuses", "bye"}
"""The listeners of the kit that disconnect their port,"""
SPEAKING: Final = {"greets", "echo", "answers"}
"""and those that post on it."""
BEGINNINGS: Final[tuple[tuple[Move, ...], ...]] = (
    (),
    (open_tab("t1"),),
    (open_tab("t1"), open_frame("f1", "t1")),
    (open_page("p1", "a"), open_tab("t1")),
    (open_page("p1", "a"), open_page("p2", "b")),
)


@st.composite
def real_histories(draw: st.DrawFn, dialect: str, *, max_moves: int = 20) -> History:
    """Generate histories that a real browser can play.

    What two contexts do "at once" has an order that nobody in another process can give them: each context has turns of
    its own. An extension page that is shown nowhere can't be opened from outside: it is shown in a tab.
    """
    model = Model.of_browser(DIALECT_RULES[dialect], EXTENSIONS)
    chooser = MoveGenerator(draw, model, SCOPE)
    history: History = []

    def play(move: Move) -> None:
        model.play(move)
        history.append(move)

    for move in draw(st.sampled_from(BEGINNINGS)):
        play(move)
    contexts = [name for name, context in model.contexts.items() if context.kind != "web"]
    for name in [name for name in contexts if draw(st.integers(0, 3))]:
        play(turn(name, *LISTENERS[: 1 if model.contexts[name].kind == "script" else 2]))
    for _ in range(draw(st.integers(1, max_moves))):
        kind = draw(st.sampled_from(KINDS))
        for move in _adapt(chooser.choose(kind), webs=dialect == "chrome"):
            for part in _take_turns(model, move):
                if model.may(part) and (_is_lively(model, part) or not draw(st.integers(0, 5))):
                    play(part)
    return history


def _take_turns(model: Model, move: Move) -> list[Move]:
    """Return turns in which nobody speaks on a connection that one of several receivers may be leaving.

    A receiver that leaves as soon as it is told something ends the connection for others. Whatever they say meanwhile
    may come before that or after it: it gets a turn of its own, or is not said.
    """
    if move["move"] != "turn":
        return [move]
    parts: list[list[Step]] = [[]]
    hearing: dict[str, set[str]] = {}
    for step in move["steps"]:
        label = str(step.get("port"))
        if step["do"] in ("connect", "tabs_connect"):
            hearing[label] = _hear_connect(model, move["at"], step)
        said = hearing.get(label) or _hear_message(model, move["at"], label)
        if said & LEAVING:
            if said & SPEAKING and step["do"] in ("connect", "tabs_connect", "post"):
                return []
            if step["do"] in ("post", "disconnect"):
                parts.append([])
        parts[-1].append(step)
    return [turn(move["at"], *steps) for steps in parts if steps]


def _hear_connect(model: Model, at: str, step: Step) -> set[str]:
    """Return the names of the listeners that a connect calls, if several contexts have them."""
    contexts, event = model.find_receivers(model.contexts[at], step)
    return {name for context in contexts for name in context.listeners[event]} if len(contexts) > 1 else set()


def _hear_message(model: Model, at: str, label: str) -> set[str]:
    """Return the names of the listeners that an opener's message calls, if there are several receivers."""
    port = model.contexts[at].ports.get(label)
    ends = [each for each in model.ports if port is not None and each.connection is port.connection]
    if port is None or port is not port.connection.opener or len(ends) < 3:
        return set()
    return {name for receiver in port.connection.receivers for name in receiver.listeners}


def _is_lively(model: Model, move: Move) -> bool:
    """Say whether a move is not about a port that is over: those are easily drawn and soon exhausted."""
    ports = [model.contexts[move["at"]].ports.get(step.get("port")) for step in move.get("steps", ())]
    return not any(port is not None and port.state != "open" for port in ports)


def _adapt(move: Move | None, *, webs: bool) -> list[Move]:
    if move is None:
        return []
    if move["move"] == "open_tab":
        return [{**move, "web": move["web"] and webs}]  # In Firefox a web page has no ports.
    if move["move"] == "open_page":
        return [{**move, "hidden": False}]
    if move["move"] != "turn":
        return [move]
    turns: list[Any] = []
    for each in move["steps"]:
        at = each.get("at", move["at"])
        step: Step = {key: value for key, value in each.items() if key != "at"}
        if not turns or turns[-1]["at"] != at:
            turns.append(turn(at))
        turns[-1]["steps"].append(step)
    return turns
