"""Play a history with the ports under test and with the model, side by side, and shorten one that breaks a rule."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, final

import attrs
import trio

from .compare.blame import rule_of
from .compare.compare import Comparison
from .compare.difference import Difference
from .compare.hints import hint_of
from .compare.show import draw_logs
from .history.generate import Scope
from .history.moves import EXTENSIONS, History, Move, describe_history
from .history.shrink import shrink
from .model import DialectRules, Model
from .options import Options
from .players.browser import open_browser_player
from .players.ends import Maker, open_port_player
from .players.in_process import InProcessPlayer
from .players.player import Record
from .rules import RULES

REST_SECONDS: Final = 60.0
"""How long a history may take before it counts as endless. A message of 64 MiB takes seconds on a busy machine."""
SECONDS_PER_MOVE: Final = 1.0
ARRIVAL_SECONDS: Final = 30.0
"""How long messages may be under way outside this Trio run. On a busy machine a process takes seconds to start."""


@final
@attrs.frozen
class Subject:
    """What is under test, and what it is compared with."""

    open_player: Callable[[], AbstractAsyncContextManager[InProcessPlayer]]
    make_model: Callable[[], Model]
    rules: DialectRules
    scope: Scope
    """What may be done to it."""
    outside_trio: bool = False
    """Something outside this Trio run carries its messages, so that they take time."""


def make_port_subject(maker: Maker, receivers: int, options: Options) -> Subject:
    """Return the connection that ``maker`` opens, which has so many receivers."""
    rules = options.make_rules()
    enters = options.supports_async_with
    return Subject(
        lambda: open_port_player(maker, outside_trio=options.outside_trio),
        lambda: Model.of_ends(rules, receivers, supports_async_with=enters),
        rules,
        Scope(receivers=receivers, supports_async_with=enters, listeners_raise=rules.logs),
        outside_trio=options.outside_trio,
    )


def make_browser_subject(maker: Callable[[], Any], options: Options) -> Subject:
    """Return the browser that ``maker`` opens."""
    rules = options.make_rules()
    return Subject(
        lambda: open_browser_player(maker),
        lambda: Model.of_browser(rules, EXTENSIONS),
        rules,
        Scope(browser=True, listeners_raise=rules.logs),
    )


@final
class RuleBrokenError(AssertionError):
    """The ports under test break a rule.

    Args:
        rule: the rule's number.
        history: the shortest one found in which it is broken.
        difference: what should have happened at its end, and what did.
        logs: the calls of the listeners of each context.
        hint: how to call the check, if this looks like a false alarm; empty otherwise.
    """

    def __init__(
        self, rule: int, history: History, difference: Difference, logs: dict[str, list[Record]], hint: str = ""
    ) -> None:
        parts = [str(RULES[rule]), describe_history(history), str(difference), draw_logs(logs)]
        if hint:
            parts.append(f"Hint: {hint}")
        super().__init__("\n\n".join(parts))
        self.rule = rule
        self.sentence: str = RULES[rule].sentence
        self.history = history
        self.difference = difference
        self.hint = hint


@final
@attrs.define
class Played:
    """A history that was played."""

    history: History
    """Its moves up to the first difference, without those that made no sense."""
    difference: Difference | None = None
    logs: dict[str, list[Record]] = attrs.Factory(dict[str, list[Record]])
    """The calls of the listeners of each context."""
    hint: str = ""


def play(subject: Subject, history: History) -> Played:
    """Play a history, leaving out the moves that make no sense."""
    return trio.run(_play, subject, history)


async def _play(subject: Subject, history: History) -> Played:
    played = Played([])
    expected, found = "that it stays open", "it was cancelled"
    try:
        async with subject.open_player() as player:
            with trio.move_on_after(REST_SECONDS + SECONDS_PER_MOVE * len(history)) as patience:
                await _play_moves(subject, player, history, played)
            if patience.cancelled_caught:
                played.difference = Difference("scope", "the subject", "that it comes to rest", "it goes on for ever")
            played.logs = {name: actor.log for name, actor in player.contexts.items()}
            expected = found = ""
    except Exception as error:  # noqa: BLE001 - Whatever it is, it is what came of the history.
        expected, found = "that nothing leaves it", repr(error)
    if played.difference is None and found:
        played.difference = Difference("scope", "the maker's scope", expected, found)
    return played


async def _play_moves(subject: Subject, player: InProcessPlayer, history: History, played: Played) -> None:
    reference = subject.make_model()
    comparison = Comparison(reference, player)
    for move in history:
        if reference.may(move):
            played.history.append(move)
            await player.play(move)
            reference.play(move, player.witness)
            played.difference = await _compare(subject, comparison, player, move)
            if played.difference is not None:
                played.hint = hint_of(played.difference, reference.rules, player)
                return


async def _compare(subject: Subject, comparison: Comparison, player: InProcessPlayer, move: Move) -> Difference | None:
    """Compare; while messages may still be under way outside this Trio run, again after each change."""
    difference = comparison.compare(move)
    if difference is not None and subject.outside_trio:
        with trio.move_on_after(ARRIVAL_SECONDS):
            while difference is not None:
                with trio.move_on_after(0.002):
                    await player.wait_changed()
                await player.settle()
                difference = comparison.compare(move)
    return difference


def shorten(subject: Subject, played: Played, story_rule: int | None = None) -> RuleBrokenError:
    """Leave out of a history what is not needed to break the rule, and return the error for what is left."""
    assert played.difference is not None
    kind = played.difference.kind
    best = played

    def attempt(history: History) -> History | None:
        nonlocal best
        found = play(subject, history)
        if found.difference is None or found.difference.kind != kind:
            return None
        best = found
        return found.history

    shrink(played.history, attempt)
    difference = best.difference or played.difference
    return RuleBrokenError(rule_of(difference, story_rule), best.history, difference, best.logs, best.hint)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep what listeners raise on purpose out of the log."""
    logger = logging.getLogger("trio_ports")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
