"""A story: a short history that shows whether a rule holds, and in one sentence what is at stake."""

from __future__ import annotations

from typing import final

import attrs

from ..history.moves import History, Leaving, Step, hear, turn

OPENER, RECEIVER, SECOND = "opener", "receiver", "receiver2"
BOTH = ((OPENER, RECEIVER), (RECEIVER, OPENER))
"""Each end, and the other one: most stories are played in both directions."""
HOW: tuple[Leaving, ...] = ("return", "cancel", "crash")


@final
@attrs.frozen
class Story:
    """A history that goes wrong where a rule is broken."""

    rule: int
    """The rule's number; where this story fails, this rule is named."""
    sentence: str
    """What is at stake. It holds in the dialect ``trio``; the model knows what the browsers do instead."""
    history: History


def hears(here: str, *actions: Step) -> History:
    """Let an end listen to its messages, with the actions, and to its end."""
    return [turn(here, hear("p", *actions))]
