"""Hints: what a difference may come of that is no fault of the subject, but of what the check was told of it."""

from __future__ import annotations

import math
from typing import Any

from ..model import Rules
from ..players.in_process import InProcessPlayer
from .compare import Difference


def hint_of(difference: Difference, rules: Rules, player: InProcessPlayer) -> str:
    """Return a hint for who reads of a difference; nothing, if it does not look like another limit than was given.

    Args:
        difference: what was found.
        rules: what the subject was held to.
        player: has played with the subject, whose limits it may have met.
    """
    words = {difference.expected.partition(" ")[0], difference.found.partition(" ")[0]}
    if "too-large" in words:
        return _of_size(rules.largest, player.largest_message)
    bound = _bound_of(player)
    if rules.tells_late or bound == rules.bound:  # Over a wire nobody knows how many are on their way.
        return ""
    if bound is not None:
        has = "no bound" if bound == math.inf else f"a bound of {bound:.0f}"
        return f"the maker's connections seem to have {has}: pass limits=Limits(max_buffer_size={_written(bound)})"
    if "full" in words:
        return _other("bound", "max_buffer_size")
    return ""


def _of_size(given: float, met: float | None) -> str:
    if met is None:
        return _other("message limit", "max_message_bytes")
    if met == given:
        return ""
    found = f"the maker's connections seem to carry messages of up to {met:.0f} bytes"
    return f"{found}: pass limits=Limits(max_message_bytes={met:.0f})"


def _other(limit: str, option: str) -> str:
    return f"the maker's connections may have another {limit} than was given: pass it as limits=Limits({option}=…)"


def _bound_of(player: InProcessPlayer) -> float | None:
    """Return the bound that the ports tell of themselves; None if they tell none."""
    ports: list[Any] = [port for actor in player.contexts.values() for port in actor.ports.values()]
    told = [port.statistics() for port in ports if hasattr(port, "statistics")]
    return min((each.max_buffer_size for each in told), default=None)


def _written(bound: float) -> str:
    return "math.inf" if bound == math.inf else f"{bound:.0f}"
