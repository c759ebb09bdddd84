"""Real browsers as subjects of `trio-ports check-ports`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from laboratory.shared import story
from support import PATIENCE_SECONDS

import trio_ports
from trio_ports._laboratory import subject
from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports._laboratory.subject import BrowserHistory
from trio_ports.testing import moves
from trio_ports.testing._conformance.subjects.protocol import Called, Results


def results_of(reports: list[Called | Results]) -> list[Any]:
    (results,) = [report for report in reports if isinstance(report, Results)]
    return [result.error or result.value for result in results.results]


def calls_of(reports: list[Called | Results]) -> list[tuple[str, Any]]:
    return [
        (report.at, report.record.get("message", report.record.get("error")))
        for report in reports
        if isinstance(report, Called)
    ]


@story
async def test_a_history(player: LaboratoryPlayer) -> None:
    """Words stand for the browser's texts, and the subject's own listeners are not reported."""
    history = BrowserHistory(player)
    await history.begin()

    async def play(*steps: Any, at: str = "opener") -> list[Called | Results]:
        return await history.carry_out({"id": 1, "move": moves.turn(at, *steps)})

    begun = await history.carry_out({"id": 1, "begin": True})
    (results,) = begun
    assert isinstance(results, Results)
    assert results.state is not None
    assert not results.state.ports["opener"]["p"].over
    assert results.state.ports["receiver"]["p"].sender is not None
    late = moves.add_listener("on_disconnect", "late", moves.post("late", None), moves.disconnect(None))
    assert results_of(await play(moves.hear("p"), late, moves.has_listener("on_message", "message"))) == [
        None, None, None, True]  # fmt: skip
    bye = moves.add_listener("on_message", "bye", moves.disconnect(None))
    assert results_of(await play(moves.hear("p"), bye, at="receiver")) == [None, None, None]
    reports = [*await play(moves.post(1)), *await history.carry_out({"id": 2, "look": True})]
    assert calls_of(reports) == [("opener", None), ("opener", None), ("opener", "broken"), ("receiver", 1),
                                 ("receiver", 1)]  # fmt: skip
    assert results_of(await play(moves.post(2), at="receiver")) == ["closed"]
    assert results_of(await play(moves.disconnect(), moves.post(2))) == [None, "broken"]
    last = (await history.carry_out({"id": 3, "look": True}))[-1]
    assert isinstance(last, Results)
    assert last.state is not None
    assert [last.state.ports[end]["p"].over for end in ("opener", "receiver")] == [True, True]


@story
async def test_a_port_that_is_disconnected_here(player: LaboratoryPlayer) -> None:
    """It is over at once; a message that is too large is called so, whatever the browser's text."""
    history = BrowserHistory(player)
    await history.begin()
    steps = moves.disconnect(), moves.post(1), moves.post({"$": "long", "length": 2**27})
    reports = await history.carry_out({"id": 1, "move": moves.turn("opener", *steps)})
    assert results_of(reports) == [None, "closed", "too-large"]


def test_a_program() -> None:
    """It is started by the command line, and no rule is broken."""
    paths = [str(Path(trio_ports.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "trio_ports", "check-ports", "--json", "--rule", "8", "--browser", "chromium"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    report = json.loads(done.stdout)
    assert report["ok"], done.stdout
    assert report["dialect"] == subject.DIALECTS["chromium"]
