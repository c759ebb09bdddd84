"""Hints for false alarms: the limits passed to the check do not match those of the ports under test."""

from __future__ import annotations

import math
from typing import Any

from ..model import DialectRules
from ..players.player import ComparedPlayer
from .difference import Difference


def hint_of(difference: Difference, rules: DialectRules, player: ComparedPlayer) -> str:
    """Return a hint; empty, if the difference does not look as if other limits were passed."""
    words = {difference.expected.partition(" ")[0], difference.found.partition(" ")[0]}
    largest = player.largest_message
    if "too-large" in words:
        if largest is None:
            return _hint_of_unknown("message limit", "max_message_bytes")
        found = f"the maker's connections seem to carry messages of up to {largest:.0f} bytes"
        return "" if largest == rules.largest else f"{found}: pass limits=Limits(max_message_bytes={largest:.0f})"
    bound = _bound_of(player)
    if rules.learns_late or bound == rules.bound:  # Over a wire nobody knows how many are on their way.
        return ""
    if bound is not None:
        written, has = ("math.inf", "no bound") if bound == math.inf else (f"{bound:.0f}", f"a bound of {bound:.0f}")
        return f"the maker's connections seem to have {has}: pass limits=Limits(max_buffer_size={written})"
    if "full" in words:
        return _hint_of_unknown("bound", "max_buffer_size")
    return ""


def _hint_of_unknown(limit: str, option: str) -> str:
    return f"the maker's connections may have another {limit} than was passed: pass it as limits=Limits({option}=…)"


def _bound_of(player: ComparedPlayer) -> float | None:
    """Return the bound that the ports report; None if they report none."""
    ports: list[Any] = [port for actor in player.contexts.values() for port in actor.ports.values()]
    reported = [port.statistics().max_buffer_size for port in ports if hasattr(port, "statistics")]
    return min(reported, default=None)
