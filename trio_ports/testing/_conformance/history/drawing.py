"""Drawing histories: a strategy for Hypothesis, which has them chosen move by move."""

from __future__ import annotations

from hypothesis import strategies as st

from ..model import RULES, Model, Rules
from .generate import Chooser
from .moves import EXTENSIONS, History
from .scope import Scope


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    world: bool = False,
    receivers: int = 1,
    max_moves: int = 50,
    dialect: str = "trio",
    rules: Rules | None = None,
    scope: Scope | None = None,
) -> History:
    """Generate histories in which every move makes sense.

    Args:
        draw: Hypothesis gives it.
        world: what happens in a browser, instead of to one connection.
        receivers: how many receivers that connection has.
        max_moves: how long a history may be.
        dialect: whose rules say what makes sense.
        rules: these, instead.
        scope: what moves there are, instead of all.
    """
    scope = scope or Scope(receivers=receivers, world=world)
    rules = rules or RULES[dialect]
    reference = (
        Model.of_world(rules, EXTENSIONS)
        if scope.world
        else Model.of_ends(rules, scope.receivers, narrows=scope.narrows)
    )
    chooser = Chooser(draw, reference, scope)
    history: History = []
    for move in chooser.begin():
        reference.play(move)
        history.append(move)
    for _ in range(draw(st.integers(max_moves // 2, max_moves))):
        chosen = chooser.choose()
        if chosen is not None:
            reference.play(chosen)
            history.append(chosen)
    return history
