"""A story, and what stories are made of."""

from __future__ import annotations

from typing import final

import attrs

from ..history.moves import History, Leaving, Step, hear, turn

OPENER, RECEIVER = "opener", "receiver"
BOTH = ((OPENER, RECEIVER), (RECEIVER, OPENER))
HOW: tuple[Leaving, ...] = ("return", "cancel", "crash")


@final
@attrs.frozen
class Story:
    """A history that is about one rule."""

    rule: int
    history: History


def hears(here: str, *actions: Step) -> History:
    """Let an end listen to both its events."""
    return [turn(here, hear("p", *actions))]
