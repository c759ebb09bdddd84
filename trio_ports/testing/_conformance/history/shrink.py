"""Shrink a history: leave out, and make smaller, whatever is not needed to break the rule."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, final

from ..model.dialects import is_list, is_object, is_special
from .moves import History, Move, Step

TRIES: Final = 600
"""How many other histories are played."""
SECONDS: Final = 5.0
"""How long they may take."""
MANY: Final = 20
"""A turn with more steps than this is thinned out by halves first."""
_SMALL: Final[tuple[Any, ...]] = (0, 1, None, "", [], {})


def shrink(
    history: History, attempt: Callable[[History], History | None], *, tries: int = TRIES, seconds: float = SECONDS
) -> History:
    """Return the shortest history found that breaks the same rule.

    Args:
        history: breaks a rule.
        attempt: plays another history. It returns the part that was played, if that breaks the same rule, and None
            otherwise.
        tries: how many histories may be played.
        seconds: how long that may take.
    """
    tried = Tries(attempt, tries, seconds)
    history = _thin(history, tried)
    for index in range(len(history)):
        if index < len(history) and len(history[index].get("steps", [])) > MANY:
            history = _thin_turn(history, index, tried)
    return _settle(history, tried)


@final
class Tries:
    """Plays other histories, until so many were played or the time is up; after that it plays none."""

    def __init__(self, attempt: Callable[[History], History | None], number: int, seconds: float = SECONDS) -> None:
        self._attempt = attempt
        self._left = number
        self._until = time.monotonic() + seconds

    @property
    def are_over(self) -> bool:
        """No further history will be played."""
        return self._left <= 0 or time.monotonic() > self._until

    def __call__(self, history: History) -> History | None:
        """Play a history and return the part that was played, if that breaks the same rule."""
        if self.are_over:
            return None
        self._left -= 1
        return self._attempt(history)


def _thin(history: History, tried: Tries) -> History:
    """Leave out moves: many at once, then fewer."""
    size = max(len(history) // 2, 1)
    while size:
        start = 0
        while start < len(history):
            found = tried(history[:start] + history[start + size :])
            start += size if found is None else 0
            history = found or history
        size //= 2
    return history


def _thin_turn(history: History, index: int, tried: Tries) -> History:
    """Leave out steps of a turn that has many of them."""
    size = len(history[index]["steps"]) // 2
    while size:
        start = 0
        while index < len(history) and start < len(history[index].get("steps", [])):
            move = history[index]
            steps = move["steps"][:start] + move["steps"][start + size :]
            found = tried([*history[:index], {**move, "steps": steps}, *history[index + 1 :]]) if steps else None
            start += size if found is None else 0
            history = found or history
        size //= 2
    return history


def _settle(history: History, tried: Tries) -> History:
    """Take one small thing after another away, as long as there is something to take away."""
    smaller: History | None = history
    while smaller is not None:
        history, smaller = smaller, None
        for candidate in _smaller(history):
            smaller = tried(candidate)
            if smaller is not None or tried.are_over:
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    """Return the history without one of its moves, steps or actions, and with a message that is simpler."""
    for index in reversed(range(len(history))):
        yield history[:index] + history[index + 1 :]
    for index, move in enumerate(history):
        for simpler in _smaller_moves(move):
            yield [*history[:index], simpler, *history[index + 1 :]]


def _smaller_moves(move: Move) -> Iterator[Move]:
    if "message" in move:
        yield from ({**move, "message": value} for value in simpler_messages(move["message"]))
    steps = move.get("steps", [])
    for at, step in enumerate(steps):
        if len(steps) > 1:
            yield {**move, "steps": steps[:at] + steps[at + 1 :]}
        for simpler in _smaller_steps(step):
            yield {**move, "steps": [*steps[:at], simpler, *steps[at + 1 :]]}


def _smaller_steps(step: Step) -> Iterator[Step]:
    if "message" in step:
        yield from ({**step, "message": value} for value in simpler_messages(step["message"]))
    if step["do"] == "fill":
        yield from _smaller_fills(step)
    actions = step.get("actions", [])
    for at in range(len(actions)):
        yield {**step, "actions": actions[:at] + actions[at + 1 :]}


def _smaller_fills(step: Step) -> Iterator[Step]:
    if step["first"] > 1:
        yield {**step, "first": 1}
    if step["count"] > 1:
        yield from ({**step, "count": count} for count in sorted({1, step["count"] // 2, step["count"] - 1}))


def simpler_messages(message: Any) -> Iterator[Any]:
    """Return messages that are simpler than this one. A number is simple; which one it is may matter."""
    if isinstance(message, (int, float)) and not isinstance(message, bool):
        return
    written = len(json.dumps(message))
    if not is_special(message) and message is not None:
        yield from (value for value in _SMALL if len(json.dumps(value)) < written)
        yield from _parts(message)


def _parts(message: Any) -> Iterator[Any]:
    if isinstance(message, str):
        half = len(message) // 2
        yield from (part for part in (message[:half], message[half:], message[1:], message[:-1]) if part != message)
    elif is_list(message):
        yield from message
        yield from (message[:at] + message[at + 1 :] for at in range(len(message)))
    elif is_object(message):
        yield from message.values()
        yield from ({key: value for key, value in message.items() if key != left} for left in message)
