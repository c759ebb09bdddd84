"""What a check reports, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import trio
from support import PATIENCE_SECONDS
from testing import makers, mutants

import trio_ports
import trio_ports.testing
from trio_ports.testing import RULES, Limits, RuleBrokenError, check_browser, check_port


def test_a_report() -> None:
    """It says what was checked; somebody may follow the progress."""
    seen: list[tuple[int, int]] = []
    report = check_port(
        makers.open_pair, examples=3, max_moves=5, listener_errors="log", on_progress=lambda *step: seen.append(step)
    )
    assert set(report.rules) <= set(RULES)
    assert report.histories == len(seen)
    assert seen[-1] == (report.histories, report.histories)


def test_a_broken_rule() -> None:
    """The error has the rule, its sentence, the shortest history and what was found."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(
            mutants.find_mutant("does not post null").make, limits=Limits(**mutants.SMALL), listener_errors="log"
        )
    error = caught.value
    assert (error.rule, error.sentence) == (13, RULES[13].sentence)
    assert str(RULES[13]) in str(error)
    assert {move["move"] for move in error.history} == {"turn"}
    assert len(error.history) <= 2
    assert (error.difference.expected, error.difference.found) == ("1 messages waiting", "0 messages waiting")
    assert "p.post_message(null)" in str(error)


class Wrapped:
    """A port in another object, which its listeners do not get to see."""

    def __init__(self, port: Any) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


def test_a_transparent_wrapper() -> None:
    """It is said what is wrong: listeners get another port than the one they were added to."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(lambda nursery: tuple(map(Wrapped, makers.open_with_nursery(nursery))))
    assert caught.value.rule == 14
    assert caught.value.difference.found.startswith("the listener was called with another port object: ")
    assert caught.value.difference.expected == "the listener one to be called with the port that it was added to"


def test_names() -> None:
    """What is imported on demand is listed."""
    assert set(trio_ports.testing.__all__) <= set(dir(trio_ports.testing))


def test_without_hypothesis() -> None:
    """It is said how to install it; what needs none works."""
    program = """
import sys
sys.modules["hypothesis"] = None
from trio_ports.testing import check_application
import trio_ports.testing
assert "check_port" in dir(trio_ports.testing)
try:
    trio_ports.testing.nothing
except AttributeError:
    from trio_ports.testing import check_port
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert last == ("ModuleNotFoundError: check_port needs Hypothesis: python -m pip install 'trio_ports[testing]'")


def test_inside_trio() -> None:
    """A check needs a loop of its own, and says so; in a thread it has one."""

    async def check_here() -> None:
        with pytest.raises(RuntimeError, match="outside Trio"):
            check_port(makers.open_pair)
        with pytest.raises(RuntimeError, match="outside Trio"):
            check_browser(trio_ports.open_browser)
        await trio.to_thread.run_sync(partial(check_port, makers.open_pair, examples=0, listener_errors="log"))

    trio.run(check_here)


def test_random_histories_find_what_no_story_tells() -> None:
    """A fault that needs a history of some length is found, and the history is made short."""

    class Tiring(mutants.ProxyPort):
        def post_message(self, message: Any) -> None:
            if message != 9:
                super().post_message(message)

    tiring = mutants.Mutant(10, "loses the ninth message", Tiring, maker=makers.open_pair)
    with pytest.raises(RuleBrokenError) as caught:
        check_port(tiring.make, listener_errors="log")
    assert "post_message(9)" in str(caught.value) or "'count': 9" in str(caught.value)
    assert len(caught.value.history) <= 3


def test_something_else_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the advice would be wrong."""

    def load(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr(trio_ports.testing, "_load", load)
    with pytest.raises(ModuleNotFoundError, match="elsewhere"):
        _ = trio_ports.testing.nothing_of_the_kind
