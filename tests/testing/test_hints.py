"""Hints: a report says when other limits were passed than the ports have."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
from testing import makers, mutants

import trio_ports
from trio_ports.testing import Limits, RuleBrokenError, check_port


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
            "may have another message limit than was passed: pass it as limits=Limits(max_message_bytes=…)",
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
