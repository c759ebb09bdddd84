"""Shrinking: only what matters is left of a history."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from testing import mutants
from testing.proxies import ProxyPort

from trio_ports.testing import Limits, PortStateMachine, RuleBrokenError, check_port, moves, port_state_machine
from trio_ports.testing._conformance.history.moves import History
from trio_ports.testing._conformance.history.shrink import shrink, simpler_messages


def posted(history: History) -> list[Any]:
    """What is posted in a history, in order."""
    return [step["message"] for move in history for step in move.get("steps", []) if step["do"] == "post"]


def test_moves_steps_and_actions_go() -> None:
    """Of a long history the one step is left that matters."""
    noise = [moves.turn("opener", moves.post(number), moves.disconnect()) for number in range(20)]
    matters = moves.add_listener("on_message", "one", moves.disconnect(None), moves.throw())
    history = [*noise, moves.turn("receiver", moves.post(1), matters), *noise]

    def attempt(candidate: History) -> History | None:
        throws = any(moves.throw() in step.get("actions", []) for move in candidate for step in move["steps"])
        return candidate if throws else None

    assert shrink(history, attempt) == [moves.turn("receiver", moves.add_listener("on_message", "one", moves.throw()))]


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ({"nom": "名前" * 10, "é": [1, 2]}, 0),
        ([1, {"a": "needle"}], "needle"),
        ("hay needle hay", "needle"),
        ([{"key": [[]]}, "needle"], "needle"),
        ({"needle": "needle", "other": 3}, "needle"),
    ],
)
def test_messages_become_simple(message: Any, left: Any) -> None:
    """Only what matters is left of a message: of one that does not matter, 0."""

    def attempt(candidate: History) -> History | None:
        (found,) = posted(candidate) or [None]
        matters = left == 0 or "needle" in str(found)
        return candidate if matters and posted(candidate) else None

    assert posted(shrink([moves.turn("opener", moves.post(message))], attempt)) == [left]


@pytest.mark.parametrize(("enough", "left"), [(1, 1), (7, 7), (1024, 1024)])
def test_fills_become_small(enough: int, left: int) -> None:
    """Of many posts at once as many are left as matter, and they are numbered from 1."""

    def attempt(candidate: History) -> History | None:
        counts = [step["count"] for move in candidate for step in move["steps"]]
        return candidate if counts and counts[0] >= enough else None

    history = [moves.turn("opener", moves.fill(4711, 1025))]
    assert shrink(history, attempt) == [moves.turn("opener", moves.fill(1, left))]


def test_messages_of_calls_become_simple() -> None:
    """So does what is sent."""
    history = [moves.start_send("s1", "opener", {"a": "b"})]
    assert shrink(history, lambda candidate: candidate or None)[0]["message"] == 0


def test_what_is_simple_stays() -> None:
    """Which number it is may matter; what is no JSON is what it is about."""
    assert not list(simpler_messages(7))
    assert not list(simpler_messages({"$": "NaN"}))
    assert not list(simpler_messages(None))
    assert list(simpler_messages(True)) == [0, 1, "", [], {}]
    assert list(simpler_messages([5, "x"]))[-4:] == [5, "x", ["x"], [5]]
    assert list(simpler_messages({"a": 1, "b": 2}))[-4:] == [1, 2, {"b": 2}, {"a": 1}]


def test_not_for_ever() -> None:
    """A number of tries is all that it takes."""
    played: list[History] = []

    def attempt(candidate: History) -> None:
        played.append(candidate)

    shrink([moves.turn("opener", moves.post("x" * 100))], attempt, tries=3)
    assert len(played) == 3
    assert shrink([moves.turn("opener", moves.disconnect())], attempt, tries=0) == [
        moves.turn("opener", moves.disconnect())
    ]
    assert len(played) == 3


def test_what_people_read() -> None:
    """The report of a port that loses what has a text in it shows the shortest one."""

    class LosesTexts(ProxyPort):
        def post_message(self, message: Any) -> None:
            if '"' not in json.dumps(message, default=str):
                super().post_message(message)

    with pytest.raises(RuleBrokenError) as caught:
        check_port(mutants.Mutant(10, "loses texts", LosesTexts).make, limits=Limits(**mutants.SMALL))
    assert len(caught.value.history) <= 2
    assert len(str(posted(caught.value.history)[-1])) <= 4


class Complaining(ProxyPort):
    """Raises when it is disconnected."""

    def disconnect(self) -> None:
        """Disconnect, and complain."""
        super().disconnect()
        raise trio.ClosedResourceError


def make_machine() -> type[PortStateMachine]:
    return port_state_machine(mutants.Mutant(22, "raises", Complaining).make, limits=Limits(**mutants.SMALL))


def test_a_machine_shortens_by_itself() -> None:
    """With the settings that it comes with, the history is short, and Hypothesis does not spend minutes on it."""
    with pytest.raises(RuleBrokenError) as caught:
        machine = make_machine()
        run_state_machine_as_test(machine, settings=settings(machine.TestCase.settings, derandomize=True))
    assert len(caught.value.history) <= 2
    assert caught.value.rule == 22


@settings(max_examples=1, deadline=None, database=None)
@given(nothing=st.none())
def test_a_machine_that_hypothesis_shrinks(nothing: None) -> None:
    """Where Hypothesis shrinks, the history is what was done; what makes no sense was not."""
    machine = make_machine()()
    history = [moves.turn("opener", moves.post(1)), moves.turn("opener", moves.disconnect())]
    try:
        for move in history:
            machine.do(move)
        machine.do(moves.cancel("what was never begun"))
        with pytest.raises(RuleBrokenError) as caught:
            machine.does_what_the_model_does()
    finally:
        machine.teardown()
    assert caught.value.history == history
