"""What a check says, and what it is given."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from testing import makers, mutants
from testing.mutants import MUTANTS

import trio_ports
import trio_ports.testing
from trio_ports.testing import (
    RULES,
    Limits,
    RuleBrokenError,
    browser_state_machine,
    check_browser,
    check_port,
    port_state_machine,
)

FEW = settings(max_examples=100, stateful_step_count=20, phases=[Phase.generate], database=None)


def find_mutant(does: str) -> mutants.Mutant:
    (found,) = [mutant for mutant in MUTANTS if mutant.does == does]
    return found


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
        check_port(find_mutant("swallows null").make, limits=Limits(**mutants.SMALL), listener_errors="log")
    error = caught.value
    assert (error.rule, error.sentence) == (13, RULES[13].sentence)
    assert str(RULES[13]) in str(error)
    assert [move["move"] for move in error.history] == ["turn", "turn"]
    assert "null" in error.difference.expected
    assert error.difference.found == "nothing"
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


class Reserved(mutants.ProxyPort):
    """Tells nothing of itself, and of a message that is too large only that it is."""

    @property
    def statistics(self) -> Any:
        raise AttributeError("statistics")

    def post_message(self, message: Any) -> None:
        try:
            super().post_message(message)
        except trio_ports.MessageTooLargeError as error:
            raise ValueError("too large") from error


@pytest.mark.parametrize(
    ("made_with", "given", "hint"),
    [
        ({"max_buffer_size": 3}, {}, "seem to have a bound of 3: pass limits=Limits(max_buffer_size=3)"),
        ({"max_buffer_size": math.inf}, {}, "seem to have no bound: pass limits=Limits(max_buffer_size=math.inf)"),
        (
            {"max_message_bytes": 500},
            {},
            "seem to carry messages of up to 500 bytes: pass limits=Limits(max_message_bytes=500)",
        ),
        (
            {},
            {"max_message_bytes": 500},
            "may have another message limit than was given: pass it as limits=Limits(max_message_bytes=…)",
        ),
    ],
)
def test_limits_that_were_not_given(made_with: Any, given: Any, hint: str) -> None:
    """The report of a maker whose connections have other limits says what to pass."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(partial(makers.open_pair, **made_with), limits=Limits(**given), listener_errors="log", examples=0)
    assert caught.value.hint == f"the maker's connections {hint}"
    assert str(caught.value).endswith(f"Hint: {caught.value.hint}")


def test_a_bound_that_nobody_tells() -> None:
    """It is said all the same what it may be."""
    reserved = mutants.Mutant(17, "tells nothing", Reserved, maker=partial(makers.open_pair, max_buffer_size=3))
    with pytest.raises(RuleBrokenError) as caught:
        check_port(reserved.make, listener_errors="log", examples=0)
    assert caught.value.hint.endswith("pass it as limits=Limits(max_buffer_size=…)")


class Forgetful(Reserved):
    """Forgets every null."""

    def post_message(self, message: Any) -> None:
        if message is not None:
            super().post_message(message)


class Precise(mutants.ProxyPort):
    """Takes a null for more than it carries."""

    def post_message(self, message: Any) -> None:
        if message is None:
            raise trio_ports.MessageTooLargeError(size=4, limit=500)
        super().post_message(message)


@pytest.mark.parametrize("port", [Forgetful, Precise])
def test_no_hint(port: Any) -> None:
    """Where the limits are as they were given, or the difference is of another kind, there is none."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(mutants.Mutant(13, "", port).make, limits=Limits(**mutants.SMALL), listener_errors="log", examples=0)
    assert not caught.value.hint


def test_a_scope_that_fails() -> None:
    """What leaves the maker's scope belongs to nobody: rule 31."""
    made: list[int] = []

    @asynccontextmanager
    async def make() -> AsyncGenerator[Any]:
        async with makers.open_pair(listener_errors="log") as ends:
            yield ends
        made.append(1)
        if len(made) > 1:
            raise KeyError("the scope")

    with pytest.raises(RuleBrokenError, match="that nothing leaves it") as caught:
        check_port(make, listener_errors="log")
    assert "the scope" in caught.value.difference.found


def test_machines_find_nothing_wrong_with_ours() -> None:
    """They do everything that can be done to the ends of a connection, and to a browser."""
    some = settings(max_examples=40, stateful_step_count=40, phases=[Phase.generate], database=None, deadline=None)
    pair = port_state_machine(makers.open_pair, listener_errors="log")
    run_state_machine_as_test(pair, settings=some)
    browser = browser_state_machine(partial(trio_ports.open_browser, listener_errors="log"), listener_errors="log")
    run_state_machine_as_test(browser, settings=some)


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
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
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


def test_listeners_that_raise_are_left_out() -> None:
    """Where their exceptions leave through the scope, no listener raises in a history."""
    check_port(partial(makers.open_pair, listener_errors="raise"), examples=20)


def test_the_log_is_left_alone() -> None:
    """What listeners raise on purpose is not logged, and afterwards everything is as it was."""
    check_port(partial(makers.open_pair, dialect="chrome"), dialect="chrome", examples=1)
    assert not logging.getLogger("trio_ports").disabled


def test_what_a_subject_cannot_do() -> None:
    """Without back pressure nothing is posted beyond the bound; crashes need not be told."""
    check_port(makers.open_pair, back_pressure=False, tells_crashes=True, listener_errors="log", examples=5)


def test_a_subject_that_never_rests() -> None:
    """Two listeners that answer each other for ever are told from those that come to rest."""

    async def make(nursery: trio.Nursery) -> Any:
        opener, receiver = makers.open_with_nursery(nursery)
        await trio.lowlevel.checkpoint()

        async def turn_round() -> None:
            while True:
                await trio.lowlevel.checkpoint()

        nursery.start_soon(turn_round)
        return opener, receiver

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuleBrokenError, match="for ever"):
        patch.setattr("trio_ports.testing.checking.PATIENCE_SECONDS", 0.05)
        patch.setattr("trio_ports.testing.checking.SECONDS_PER_MOVE", 0.0)
        patch.setattr("trio_ports.testing.shortening.TRIES", 2)
        check_port(make, examples=0)


def test_random_histories_find_what_no_story_tells() -> None:
    """A fault that needs a history of some length is found, and the history is made short."""

    class Tiring(mutants.ProxyPort):
        def post_message(self, message: Any) -> None:
            if message != 9:
                super().post_message(message)

    tiring = mutants.Mutant(10, "loses the ninth message", Tiring, maker=makers.open_pair)
    with pytest.raises(RuleBrokenError) as caught:
        check_port(tiring.make, listener_errors="log")
    assert "post_message(9)" in str(caught.value)
    assert len(caught.value.history) <= 3


@pytest.mark.filterwarnings("ignore")
def test_state_machines_fail() -> None:
    """A state machine of a broken subject fails, and names the rule."""
    machine = port_state_machine(find_mutant("fires twice").make, limits=Limits(**mutants.SMALL), listener_errors="log")
    with pytest.raises(RuleBrokenError, match="rule 19"):
        run_state_machine_as_test(machine, settings=FEW)


def test_state_machines_fill_queues() -> None:
    """With the limits that a connection has by itself they meet what happens when a queue is full."""
    regretting = attrs.evolve(find_mutant("delivers a send that was cancelled while it waited"), maker=makers.open_pair)
    machine = port_state_machine(regretting.make, listener_errors="log")
    with pytest.raises(RuleBrokenError, match="rule 17") as caught:
        run_state_machine_as_test(
            machine, settings=settings(FEW, max_examples=500, stateful_step_count=50, derandomize=True)
        )
    assert len(caught.value.history) <= 4
    assert len(str(caught.value).splitlines()) < 40


def test_a_state_machine_whose_maker_fails() -> None:
    """What the maker raises is raised."""

    def make() -> Any:
        raise OSError("no more ports")

    with pytest.raises(OSError, match="no more ports"):
        port_state_machine(make)()


def test_state_machines_of_browsers_fail() -> None:
    """The same in a browser."""
    mutant = find_mutant("does not tell the opener's tab")
    machine = browser_state_machine(partial(trio_ports.open_browser, listener_errors="log"), listener_errors="log")
    with mutant.patch(), pytest.raises(RuleBrokenError, match="rule 9"):
        run_state_machine_as_test(machine, settings=settings(FEW, max_examples=1000, stateful_step_count=50))


def test_something_else_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the advice would be wrong."""

    def load(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr(trio_ports.testing, "_load", load)
    with pytest.raises(ModuleNotFoundError, match="elsewhere"):
        _ = trio_ports.testing.nothing_of_the_kind


def test_a_dialect_that_there_is_not() -> None:
    """Said as everywhere else."""
    with pytest.raises(ValueError, match="dialect must be one of 'trio', 'firefox', 'chrome', not 'ff'"):
        check_port(makers.open_with_nursery, dialect="ff")  # type: ignore[arg-type]


def test_a_block_that_keeps_an_exception_to_itself() -> None:
    """Its body is cancelled, and nothing leaves it: that is found, though the player is cancelled with it."""
    mutant = find_mutant("lets nothing of a listener's exception out of a block")
    with mutant.patch(), pytest.raises(RuleBrokenError) as caught:
        check_port(mutant.make, limits=Limits(**mutants.SMALL), examples=0, **mutant.options)
    assert caught.value.rule == 31
