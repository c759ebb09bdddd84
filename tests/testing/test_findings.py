"""What a check finds: every broken rule once, with the shortest history, and in the time that it has."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from testing import makers, mutants
from testing.proxies import ProxyPort

import trio_ports
from trio_ports.testing import Limits, RuleBrokenError, check_browser, check_port, moves

SMALL: dict[str, Any] = {"limits": Limits(**mutants.SMALL), "listener_errors": "log", "examples": 0}


class TwoFaults(ProxyPort):
    """Does not post null, and refuses a second disconnect."""

    def post_message(self, message: Any) -> None:
        if message is not None:
            super().post_message(message)

    def disconnect(self) -> None:
        if self.real.statistics().state == "closed":
            raise trio.ClosedResourceError
        super().disconnect()


TWO = mutants.Mutant(13, "has two faults", TwoFaults)


def test_every_broken_rule() -> None:
    """The error has one finding for each rule, and its text has all of them."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(TWO.make, **SMALL)
    error = caught.value
    assert error.rule == 13
    assert 22 in [other.rule for other in error.others]
    assert "Broken rule 2 of " in str(error)
    assert str(error.others[0]) in str(error)


def test_some_rules() -> None:
    """Only the stories of these rules are played, and only they are reported."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(TWO.make, rules=[22], **SMALL)
    assert (caught.value.rule, caught.value.others) == (22, ())
    assert check_port(TWO.make, rules=[18, 21], **SMALL).rules == (18, 21)
    twice = [[moves.turn("receiver", moves.hear()), moves.turn("opener", moves.post(None))]]
    assert check_port(TWO.make, rules=[22], stories=False, histories=twice, **SMALL).histories == 1


def test_a_rule_that_is_not_there() -> None:
    """It is said at the call."""
    with pytest.raises(ValueError, match="there is no rule 99"):
        check_port(makers.open_pair, rules=[10, 99])


def test_a_report_is_played_again() -> None:
    """The call that a report ends with finds the same."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(TWO.make, rules=[13], **SMALL)
    call = str(caught.value).partition("To play it again, call\n")[2]
    with pytest.raises(RuleBrokenError) as again:
        eval(call, {"check_port": lambda make, **given: check_port(make, **{**SMALL, **given}), "make": TWO.make})
    assert again.value.history == caught.value.history


def test_time_is_limited() -> None:
    """Without time, the first finding is reported as it is."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(TWO.make, seconds=0.0, **SMALL)
    assert (caught.value.rule, caught.value.others) == (13, ())
    assert len(caught.value.history[0]["steps"]) == 2  # The story has two listeners, and needs one.


def test_a_seed() -> None:
    """With the same seed the same histories are played."""
    lengths: list[list[int]] = []
    for _ in range(2):
        played: list[int] = []

        @asynccontextmanager
        async def make() -> AsyncGenerator[Any]:
            async with makers.open_pair(listener_errors="log") as ends:
                yield ends
            played.append(ends[0].statistics().messages_unsent + len(played))  # noqa: B023 - It is called in the loop.

        check_port(make, stories=False, examples=5, seed=7, listener_errors="log")
        lengths.append(played)
    assert lengths[0] == lengths[1]


def test_a_browser() -> None:
    """The call names the check of browsers."""
    mutant = next(mutant for mutant in mutants.MUTANTS if mutant.browser and mutant.rule == 8)
    with mutant.patch(), pytest.raises(RuleBrokenError, match=r"check_browser\(make, stories=False"):
        check_browser(trio_ports.open_browser, rules=[8], examples=0, dialect="trio", listener_errors="log")


@asynccontextmanager
async def make_and_hang() -> AsyncGenerator[Any]:
    async with makers.open_pair(listener_errors="log") as ends:
        yield ends
        await trio.sleep(30)  # The kit's clock passes over this.
    if ends[0].statistics().state == "closed" and ends[1].statistics().state == "ended":
        await trio.sleep_forever()


def test_a_teardown_that_hangs() -> None:
    """It is a finding after a second, and not a hang."""
    with pytest.raises(RuleBrokenError, match="waits for ever"):
        check_port(make_and_hang, stories=False, histories=[[moves.turn("opener", moves.disconnect())]], seconds=0.1)


class Hanging(ProxyPort):
    """Loses every message."""

    def post_message(self, message: Any) -> None:
        del message


@asynccontextmanager
async def make_lossy_and_hang() -> AsyncGenerator[Any]:
    async with mutants.Mutant(10, "loses all", Hanging).make() as ends:
        yield ends
    await trio.sleep_forever()


def test_a_teardown_that_hangs_after_a_difference() -> None:
    """What was found before is reported."""
    history = [moves.turn("receiver", moves.hear()), moves.turn("opener", moves.post(1))]
    with pytest.raises(RuleBrokenError) as caught:
        check_port(make_lossy_and_hang, examples=0, stories=False, histories=[history], seconds=0.1)
    assert "message(1)" in caught.value.difference.expected
