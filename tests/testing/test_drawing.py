"""Drawing: what is left out of histories where a subject cannot do it."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings

from trio_ports.testing import Scope, histories, moves
from trio_ports.testing._conformance.history.moves import History

FEW = settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@FEW
@given(histories(scope=Scope(world=True, blocks=False, raises=False), max_moves=60))
def test_what_a_real_browser_lacks(history: History) -> None:
    """Nothing blocks, holds or raises, and every value is JSON."""
    assert not {move["move"] for move in history} & {"start", "cancel", "release", "enter", "leave", "uninstall"}
    text = json.dumps(history)
    assert '"do": "hold"' not in text
    assert '"do": "throw"' not in text
    assert '"$": ' not in text


@FEW
@given(histories(scope=Scope(world=True), max_moves=80))
def test_what_a_browser_of_ours_has(history: History) -> None:
    """Contexts close, and so does everything else."""
    assert all(isinstance(moves.describe_move(move), str) for move in history)
