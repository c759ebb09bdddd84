"""Trials: a history is played with a subject and beside it with the model, and made short if that breaks a rule."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from typing import Any, Final, final

import attrs
import trio

from .compare.compare import Comparison, Difference
from .compare.hints import hint_of
from .compare.show import draw_history
from .history.moves import History, describe_history
from .history.shrink import shorten
from .options import Subject
from .players.in_process import InProcessPlayer
from .rules import RULES

PATIENCE_SECONDS: Final = 5.0
"""How long a move may take; without a wire in between it takes no time."""
SECONDS_PER_MOVE: Final = 1.0


@final
class RuleBrokenError(AssertionError):
    """The subject breaks a rule.

    Args:
        rule: its number.
        history: the shortest one found in which it is broken.
        difference: what should have happened at its end, and what did.
        chart: the conversation.
        hint: what else it may come of; empty if nothing is known.
    """

    def __init__(self, rule: int, history: History, difference: Difference, chart: str, hint: str = "") -> None:
        parts = [str(RULES[rule]), describe_history(history), str(difference), chart, hint and f"Hint: {hint}"]
        super().__init__("\n\n".join(filter(None, parts)))
        self.rule = rule
        self.sentence: str = RULES[rule].sentence
        self.history = history
        self.difference = difference
        self.hint = hint


@final
@attrs.define
class Verdict:
    """What came of a history: nothing, or a difference in the last of these moves."""

    history: History
    difference: Difference | None = None
    logs: dict[str, list[dict[str, Any]]] = attrs.Factory(dict[str, list[dict[str, Any]]])
    hint: str = ""


def play(subject: Subject, history: History) -> Verdict:
    """Play a history with a subject; moves that make no sense are left out."""
    return trio.run(_play, subject, history)


async def _play(subject: Subject, history: History) -> Verdict:
    verdict = Verdict([])
    failure: BaseException | None = None
    was_cancelled = True
    try:
        async with subject.open_player() as player:
            with trio.move_on_after(PATIENCE_SECONDS + SECONDS_PER_MOVE * len(history)) as patience:
                reference = subject.make_model()
                comparison = Comparison(reference, player)
                for move in history:
                    if reference.may(move):
                        verdict.history.append(move)
                        reference.play(move)
                        await player.play(move)
                        verdict.difference = await _agreement(subject, comparison, player, move)
                        if verdict.difference is not None:
                            verdict.hint = hint_of(verdict.difference, reference.rules, player)
                            break
            if patience.cancelled_caught:
                verdict.difference = Difference(None, "the subject", "that it comes to rest", "it goes on for ever")
            verdict.logs = {name: actor.log for name, actor in player.contexts.items()}
            was_cancelled = False
    except Exception as error:  # noqa: BLE001 - Whatever it is, it is what came of the history.
        failure = error
    if failure is not None and verdict.difference is None:
        verdict.difference = Difference(31, "the maker's scope", "that nothing leaves it", repr(failure))
    elif was_cancelled and verdict.difference is None:
        verdict.difference = Difference(31, "the maker's scope", "that it stays open", "it was cancelled")
    return verdict


async def _agreement(subject: Subject, comparison: Comparison, player: InProcessPlayer, move: Any) -> Difference | None:
    """Compare; where messages travel outside, wait until there is nothing to say, or for as long as is decent."""
    difference = comparison.compare(move)
    if difference is not None and subject.remote:
        with trio.move_on_after(PATIENCE_SECONDS):
            while difference is not None:
                with trio.move_on_after(0.002):
                    await player.wait_changed()
                await player.settle()
                difference = comparison.compare(move)
    return difference


def rule_of(difference: Difference, rule: int | None = None) -> int:
    """Return the rule that a difference breaks.

    Args:
        difference: what was found.
        rule: what the story was about in which it was. That counts, unless the difference speaks for itself.
    """
    if difference.sure or rule is None:
        return difference.rule or rule or 10
    return rule


def shorten_verdict(subject: Subject, verdict: Verdict, rule: int | None = None) -> RuleBrokenError:
    """Leave out what is not needed to break the rule, and return what is left."""
    difference = verdict.difference
    assert difference is not None
    best = verdict

    def attempt(history: History) -> History | None:
        nonlocal best
        found = play(subject, history)
        if found.difference is None or not _is_same(found.difference, difference):
            return None
        best = found
        return found.history

    shorten(verdict.history, attempt)
    found = best.difference or difference
    return RuleBrokenError(rule_of(difference, rule), best.history, found, draw_history(best.logs), best.hint)


def _is_same(one: Difference, other: Difference) -> bool:
    return (one.rule, one.sure) == (other.rule, other.sure)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep what listeners raise on purpose out of the log."""
    logger = logging.getLogger("trio_ports")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
