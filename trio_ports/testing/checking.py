"""Checking: play the stories and many random histories with a subject, and say which rule it breaks."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Final, Literal, final

import attrs
import trio
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from .charts import draw_history
from .choosing import Scope, histories
from .ends import Maker, open_ends
from .hints import hint_of
from .judging import Comparison, Difference
from .model import RULES as DIALECTS
from .model import Model
from .model import Rules as Dialect
from .moves import EXTENSIONS, History, describe_history
from .players import Player, open_ends_player
from .rules import RULES
from .shortening import shorten
from .stories import Story, ends_stories, world_stories
from .worlds import open_world_player

PATIENCE_SECONDS: Final = 5.0
"""How long a move may take; without a wire in between it takes no time."""
HEALTH_CHECKS: Final[list[HealthCheck]] = list(HealthCheck)  # pyright: ignore[reportAssignmentType] - It is an Enum.
SECONDS_PER_MOVE: Final = 1.0

DialectName = Literal["trio", "firefox", "chrome"]
ListenerErrors = Literal["raise", "log"]


@final
@attrs.frozen
class Limits:
    """What the subject's connections carry; None stands for the dialect's own limit."""

    max_buffer_size: float | None = None
    """How many messages may wait in each direction."""
    max_message_bytes: float | None = None
    """The largest encoded message."""


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
@attrs.frozen
class Report:
    """What was checked."""

    rules: tuple[int, ...]
    """The rules that were checked."""
    histories: int
    """How many histories were played."""


@final
@attrs.frozen
class Subject:
    """What is checked, and what it is held against."""

    open_player: Callable[[], AbstractAsyncContextManager[Player]]
    make_model: Callable[[], Model]
    remote: bool = False


@final
@attrs.define
class Verdict:
    """What came of a history: nothing, or a difference in the last of these moves."""

    history: History
    difference: Difference | None = None
    logs: dict[str, list[dict[str, Any]]] = attrs.Factory(dict[str, list[dict[str, Any]]])
    hint: str = ""


def check_port(
    maker: Maker,
    *,
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    back_pressure: bool = True,
    tells_crashes: bool | None = None,
    narrows: bool = True,
    listener_errors: ListenerErrors | None = None,
    wire: bool = False,
    remote: bool = False,
    examples: int = 100,
    max_moves: int = 50,
    on_progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Report:
    """Check that the ends of a connection obey the rules of ports.

    Call it outside Trio: it runs loops of its own. ::

        @asynccontextmanager
        async def make():
            async with trio.open_nursery() as nursery:
                yield open_port_pair(nursery, sender=MessageSender(id="me"))
                nursery.cancel_scope.cancel()

        def test_pair():
            check_port(make)

    It plays a few stories for every rule, then random histories, and compares what happens with a model.

    Args:
        maker: opens a connection and gives its ends, the opener's first. It is a function without arguments, or of a
            nursery, and returns the ends, or something to await or to enter for them.
        dialect: whose rules.
        limits: of the connections that ``maker`` makes.
        back_pressure: posting beyond the bound raises. Without it nothing is posted beyond.
        tells_crashes: an end learns that the other one's owner failed; the dialect's own unless given.
        narrows: an end can be entered with ``async with``; not where ``maker`` has done so.
        listener_errors: what becomes of a listener's exception; the dialect's own unless given.
        wire: bytes are carried between the ends. Then an end does not know how full the other one is, why it went, or
            that it has gone, before all that came before was taken.
        remote: something outside this Trio run carries the messages, as a socket or a process does: what
            should happen is then waited for. There is a wire.
        examples: how many random histories.
        max_moves: how long they may be.
        on_progress: called with how many histories were played, and how many there will be.

    Raises:
        RuleBrokenError: with the rule's number and sentence, and the shortest history found in which it is broken.
        RuntimeError: inside Trio.
    """
    _require_no_trio("check_port")
    subject, scope, rules = make_port_subject(
        maker,
        trio.run(_count_receivers, maker),
        dialect=dialect,
        limits=limits,
        back_pressure=back_pressure,
        tells_crashes=tells_crashes,
        narrows=narrows,
        listener_errors=listener_errors,
        wire=wire,
        remote=remote,
    )
    stories = list(ends_stories(rules, scope))
    return _check(subject, stories, rules, scope, examples, max_moves, on_progress)


def check_browser(
    maker: Callable[[], Any],
    *,
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    listener_errors: ListenerErrors | None = None,
    examples: int = 100,
    max_moves: int = 50,
    on_progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Report:
    """Check that a browser lets contexts reach each other as the rules say, and that their ports obey the rules.

    Args:
        maker: opens the browser: `trio_ports.open_browser`, or a function that calls it with arguments.
        dialect: whose rules; that of the browser.
        limits: of its connections.
        listener_errors: what becomes of a listener's exception there; the dialect's own unless given.
        examples: how many random histories.
        max_moves: how long they may be.
        on_progress: called with how many histories were played, and how many there will be.

    Raises:
        RuleBrokenError: as `check_port`.
        RuntimeError: inside Trio.
    """
    _require_no_trio("check_browser")
    subject, scope, rules = make_browser_subject(maker, dialect=dialect, limits=limits, listener_errors=listener_errors)
    return _check(subject, list(world_stories(scope)), rules, scope, examples, max_moves, on_progress)


def make_port_subject(
    maker: Maker,
    receivers: int,
    *,
    dialect: DialectName,
    limits: Limits,
    back_pressure: bool = True,
    tells_crashes: bool | None = None,
    narrows: bool = True,
    listener_errors: ListenerErrors | None = None,
    wire: bool = False,
    remote: bool = False,
) -> tuple[Subject, Scope, Dialect]:
    """Return what `check_port` checks, what may be done to it, and the rules for it."""
    rules = _make_rules(dialect, limits)
    if wire or remote:
        rules = replace(rules, bound=math.inf, tells_crashes=False, tells_late=True)
    if not back_pressure:
        rules = replace(rules, bound=math.inf)
    if tells_crashes is not None:
        rules = replace(rules, tells_crashes=tells_crashes)
    rules = replace(rules, logs=_logs(dialect, listener_errors))
    scope = Scope(receivers=receivers, narrows=narrows, raises=rules.logs)
    subject = Subject(
        lambda: open_ends_player(maker, remote=remote),
        lambda: Model.of_ends(rules, receivers, narrows=narrows),
        remote=remote,
    )
    return subject, scope, rules


def make_browser_subject(
    maker: Callable[[], Any], *, dialect: DialectName, limits: Limits, listener_errors: ListenerErrors | None
) -> tuple[Subject, Scope, Dialect]:
    """Return what `check_browser` checks, what may be done to it, and the rules for it."""
    rules = replace(_make_rules(dialect, limits), logs=_logs(dialect, listener_errors))
    scope = Scope(world=True, raises=rules.logs)
    return Subject(lambda: open_world_player(maker), lambda: Model.of_world(rules, EXTENSIONS)), scope, rules


def _logs(dialect: DialectName, listener_errors: ListenerErrors | None) -> bool:
    return (listener_errors or ("raise" if dialect == "trio" else "log")) == "log"


def _make_rules(dialect: DialectName, limits: Limits) -> Dialect:
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(map(repr, DIALECTS))}, not {dialect!r}")
    rules = DIALECTS[dialect]
    bound, largest = limits.max_buffer_size, limits.max_message_bytes
    return replace(
        rules,
        bound=rules.bound if bound is None else bound,
        largest=rules.largest if largest is None else largest,
    )


def _require_no_trio(what: str) -> None:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return
    raise RuntimeError(f"{what} runs loops of its own: call it outside Trio, or with trio.to_thread.run_sync")


async def _count_receivers(maker: Maker) -> int:
    async with open_ends(maker) as ends:
        return len(ends) - 1


def _check(  # noqa: PLR0917 - what was given to check_port, for one subject
    subject: Subject,
    stories: list[Story],
    rules: Dialect,
    scope: Scope,
    examples: int,
    max_moves: int,
    on_progress: Callable[[int, int], object],
) -> Report:
    played = 0
    total = len(stories) + examples

    def judge(history: History, rule: int | None = None) -> None:
        nonlocal played
        verdict = play(subject, history)
        if verdict.difference is not None:
            raise shorten_verdict(subject, verdict, rule)
        played += 1
        on_progress(min(played, total), total)

    with quiet():
        for story in stories:
            judge(story.history, story.rule)
        if examples:

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=HEALTH_CHECKS,
                verbosity=Verbosity.quiet,
                report_multiple_bugs=False,
            )
            @given(histories(rules=rules, scope=scope, max_moves=max_moves))
            def play_random(history: History) -> None:
                judge(history)

            play_random()
    return Report(tuple(sorted({story.rule for story in stories})), played)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep what listeners raise on purpose out of the log."""
    logger = logging.getLogger("trio_ports")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


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


async def _agreement(subject: Subject, comparison: Comparison, player: Player, move: Any) -> Difference | None:
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
