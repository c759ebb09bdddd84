"""Ports written from the rules alone: accepted if they are right, and refused if they have one race."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from testing.handmade import open_handmade

from trio_ports.testing import Limits, RuleBrokenError, check_port

OPTIONS: dict[str, Any] = {"listener_errors": "log", "supports_async_with": False}
SMALL = {"max_buffer_size": 3, "max_message_bytes": 500}


@pytest.mark.parametrize("limits", [SMALL, {}], ids=["small limits", "the dialect's limits"])
def test_ports_without_a_race(limits: dict[str, float]) -> None:
    """They are accepted, though they share no code with the package."""
    check_port(partial(open_handmade, **limits), limits=Limits(**limits), examples=40, **OPTIONS)


@pytest.mark.parametrize(("race", "rules"), [("send", {17}), ("receive", {15}), ("pump", {21}), ("task", {10, 17, 21})])
@pytest.mark.parametrize("limits", [SMALL, {}], ids=["small limits", "the dialect's limits"])
def test_ports_with_a_race(race: Any, rules: set[int], limits: dict[str, float]) -> None:
    """They are refused, and a story names the rule."""
    with pytest.raises(RuleBrokenError) as caught:
        check_port(partial(open_handmade, race, **limits), limits=Limits(**limits), examples=0, **OPTIONS)
    assert caught.value.rule in rules, str(caught.value)
