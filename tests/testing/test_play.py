"""Playing: what counts as broken although every port does what it should."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from testing import makers, mutants

from trio_ports.testing import Limits, RuleBrokenError, check_port


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
        patch.setattr("trio_ports.testing._conformance.play.REST_SECONDS", 0.05)
        patch.setattr("trio_ports.testing._conformance.play.SECONDS_PER_MOVE", 0.0)
        patch.setattr("trio_ports.testing._conformance.history.shrink.TRIES", 2)
        check_port(make, examples=0)


def test_the_log_is_left_alone() -> None:
    """What listeners raise on purpose is not logged, and afterwards everything is as it was."""
    check_port(partial(makers.open_pair, dialect="chrome"), dialect="chrome", examples=1)
    assert not logging.getLogger("trio_ports").disabled


def test_a_block_that_keeps_an_exception_to_itself() -> None:
    """Its body is cancelled, and nothing leaves it: that is found, though the player is cancelled with it."""
    mutant = mutants.find_mutant("does not raise a listener's exception out of the block")
    with mutant.patch(), pytest.raises(RuleBrokenError) as caught:
        check_port(mutant.make, limits=Limits(**mutants.SMALL), examples=0, **mutant.options)
    assert caught.value.rule == 31
