"""What the kit meets seldom: limits that few connections have, moves that make no sense, systems that are not here."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trio_ports.cli.report import why_not_started
from trio_ports.testing import EventLike, PortLike, moves
from trio_ports.testing._conformance.history.generate import Scope
from trio_ports.testing._conformance.history.moves import History, describe_step
from trio_ports.testing._conformance.history.shrink import MANY, shrink
from trio_ports.testing._conformance.model import DIALECT_RULES, Model
from trio_ports.testing._conformance.players.wire import _refuse
from trio_ports.testing._conformance.stories import port_stories
from trio_ports.testing._conformance.subjects import process
from trio_ports.testing._conformance.subjects.protocol import Hello


def test_types_for_ports_of_others() -> None:
    """They name what the kit calls."""
    assert {"post_message", "on_message", "disconnect"} < {*dir(PortLike)}
    assert {"add_listener", "remove_listener", "has_listener"} < {*dir(EventLike)}


def test_rare_steps_are_described() -> None:
    """As code, or as what happens."""
    assert describe_step({"do": "echo"}) == "port.post_message(message)"
    assert describe_step({"do": "break", "data": "00ff"}) == r"write b'\x00\xff' and leave"


def test_one_of_many_steps_is_left() -> None:
    """A turn that has too many of them is thinned out by halves."""
    many = moves.turn("opener", *(moves.post(number) for number in range(3 * MANY)))

    def attempt(candidate: History) -> History | None:
        return candidate if any(step.get("message") == 7 for move in candidate for step in move["steps"]) else None

    assert shrink([many], attempt) == [moves.turn("opener", moves.post(7))]


def test_a_history_that_cannot_be_shortened_in_time_stays() -> None:
    """No further history is played when the tries are used up."""
    history = [moves.turn("opener", moves.post(1), moves.post(2))]
    assert shrink(history, lambda candidate: candidate, tries=0) == history


def test_races_that_make_no_sense() -> None:
    """A call is started once, and cancelled only if it was started."""
    model = Model.of_ends(DIALECT_RULES["trio"])
    start = {"do": "start", "call": "receive", "port": "p", "as": "r"}
    race = {"move": "race", "at": "opener"}
    assert model.may({**race, "steps": [start]})
    assert not model.may({**race, "steps": [start, start]})
    assert not model.may({**race, "steps": [{"do": "cancel", "call": "nothing"}]})
    assert not model.may({**race, "steps": [{"do": "post", "port": "nothing", "message": 1}]})


@pytest.mark.parametrize("bound", [1, 3])
@pytest.mark.parametrize("dialect", ["trio", "firefox", "chrome"])
@pytest.mark.parametrize("scope", [Scope(receivers=2, supports_async_with=False), Scope(wire="receiver")])
def test_stories_for_each_kind_of_connection(bound: float, dialect: Any, scope: Scope) -> None:
    """There are some, whatever the connection can and cannot do."""
    stories = [*port_stories(replace(DIALECT_RULES[dialect], bound=bound), scope)]
    assert {story.rule for story in stories} > {10, 15, 21}


def test_constants_are_refused() -> None:
    """``NaN`` is no JSON, also where the kit reads the bytes."""
    with pytest.raises(ValueError, match="NaN"):
        json.loads("NaN", parse_constant=_refuse)


def test_a_subject_that_cannot_do_everything_at_once() -> None:
    """A turn of several contexts is left out for it."""
    move = moves.turn("opener", moves.post(1), {**moves.post(2), "at": "receiver"})
    assert "turns of several contexts" in Hello(1, "x", at_once=False).lacks(move)
    assert "turns of several contexts" not in Hello(1, "x").lacks(move)


def test_a_program_that_is_not_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of this folder has to be named as such."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("")
    why = why_not_started(FileNotFoundError(errno.ENOENT, "No such file or directory"), Path("app.py"))
    assert why.endswith("(the one in this folder is ./app.py)")


def test_a_process_is_killed_alone_where_there_are_no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows."""
    killed: list[str] = []

    class FakeProcess:
        def kill(self) -> None:
            killed.append("killed")

    monkeypatch.setattr(process, "_WINDOWS", True)
    fake: Any = FakeProcess()
    process._kill(fake)
    assert killed == ["killed"]
