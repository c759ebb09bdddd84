"""The error that a check raises: which rules are broken, and the shortest history found for each."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import final

from .compare.blame import rule_of
from .compare.difference import Difference
from .compare.show import draw_logs
from .history.moves import History, describe_history, write_call
from .history.shrink import SECONDS
from .play import Played, Subject, shorten
from .players.player import Record
from .rules import RULES


@final
class RuleBrokenError(AssertionError):
    """The ports under test break a rule.

    Args:
        rule: the rule's number.
        history: the shortest one found in which it is broken.
        difference: what should have happened at its end, and what did.
        logs: the calls of the listeners of each context.
        hint: how to call the check, if this looks like a false alarm; empty otherwise.
        others: the errors for other rules that are broken too.
    """

    def __init__(
        self,
        rule: int,
        history: History,
        difference: Difference,
        logs: Mapping[str, Sequence[Record]],
        hint: str = "",
        *,
        others: Sequence[RuleBrokenError] = (),
    ) -> None:
        parts = [str(RULES[rule]), describe_history(history), str(difference), draw_logs(logs)]
        check = "check_port" if "opener" in logs else "check_browser"
        parts.append(f"To play it again, call\n{write_call(history, check)}")
        if hint:
            parts.append(f"Hint: {hint}")
        for number, other in enumerate(others, 2):
            parts.append(f"{'-' * 80}\nBroken rule {number} of {len(others) + 1}:\n\n{other}")
        super().__init__("\n\n".join(parts))
        self.rule = rule
        self.sentence: str = RULES[rule].sentence
        self.history = history
        self.difference = difference
        self.logs = logs
        self.hint = hint
        self.others: tuple[RuleBrokenError, ...] = tuple(others)

    def with_others(self, others: Sequence[RuleBrokenError]) -> RuleBrokenError:
        """Return this error with those for other rules in it."""
        return RuleBrokenError(self.rule, self.history, self.difference, self.logs, self.hint, others=others)


def make_error(played: Played, story_rule: int | None = None) -> RuleBrokenError:
    """Return the error for a history that breaks a rule. ``story_rule``: that of the story that it comes from."""
    difference = played.difference
    assert difference is not None
    return RuleBrokenError(rule_of(difference, story_rule), played.history, difference, played.logs, played.hint)


@final
class Findings:
    """The histories that break a rule, the shortest for each rule.

    Args:
        subject: what is under test.
        seconds: how long to go on after the first finding.
        rules: those that count; None for all.
    """

    def __init__(self, subject: Subject, seconds: float, rules: Collection[int] | None = None) -> None:
        self._subject = subject
        self._seconds = seconds
        self._rules = rules
        self._until = math.inf
        self._found: dict[int, tuple[Played, int | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def are_complete(self) -> bool:
        """Half of the time is over; the other half is for shortening."""
        return time.monotonic() > self._until - self._seconds / 2

    def note(self, played: Played, story_rule: int | None = None) -> None:
        """Keep a history if it breaks a rule, and no shorter one is known that breaks the same."""
        if played.difference is None:
            return
        rule = rule_of(played.difference, story_rule)
        if self._rules is not None and rule not in self._rules:
            return
        if not self._found:
            # With a hint, other options are needed before it is worth while to look for more.
            self._until = time.monotonic() + (self._seconds / 2 if played.hint else self._seconds)
        if rule not in self._found or size_of(played.history) < size_of(self._found[rule][0].history):
            self._found[rule] = (played, story_rule)

    def make_error(self) -> RuleBrokenError:
        """Shorten the histories, and return the error for the first one, with the others in it.

        A rule whose history turns out to be that of an earlier finding is left out: it is the same fault. With a hint,
        only the first one is reported: the others may come of the same wrong option.
        """
        errors: list[RuleBrokenError] = []
        for number, (played, story_rule) in enumerate(self._found.values()):
            share = (self._until - time.monotonic()) / (len(self._found) - number)
            error = make_error(shorten(self._subject, played, max(0.0, min(SECONDS, share))), story_rule)
            if all(error.history != other.history for other in errors):
                errors.append(error)
        first, *others = errors
        return first.with_others(() if first.hint else others)


def size_of(history: History) -> int:
    """Return how many steps a history has."""
    return sum(len(move.get("steps", "1")) for move in history)
