"""Draw histories that a real browser can play: the kit's moves, and its model to say what makes sense."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from trio_ports.testing import Scope
from trio_ports.testing.choosing import Chooser
from trio_ports.testing.model import RULES, Model
from trio_ports.testing.moves import EXTENSIONS, History, Move, Step, listen, open_frame, open_page, open_tab, turn

SCOPE: Final = Scope(world=True, blocks=False)
KINDS: Final = ("connect", "connect", "turn", "turn", "turn", "turn", "listen", "place")
LISTENERS: Final = listen(), listen(event="on_connect_external")
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
    model = Model.of_world(RULES[dialect], EXTENSIONS)
    chooser = Chooser(draw, model, SCOPE)
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
        for move in _adapt(_choose(chooser, model, kind), webs=dialect == "chrome"):
            if _may(model, move) and (_is_lively(model, move) or not draw(st.integers(0, 5))):
                play(move)
    return history


def _choose(chooser: Chooser, model: Model, kind: str) -> Move | None:
    return chooser._choose_connect() if kind == "connect" else chooser.choose(kind)


def _may(model: Model, move: Move) -> bool:
    """Say whether a move makes sense; the ports that a turn opens are there for its later steps."""
    if move["move"] != "turn":
        return model.may(move)
    opened: set[str] = set()
    for step in move["steps"]:
        if step.get("port") in opened:
            continue
        if not model.may({**move, "steps": [step]}):
            return False
        if step["do"] in ("connect", "tabs_connect"):
            opened.add(step["port"])
    return True


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
