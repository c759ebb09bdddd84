"""Checking: play the stories and many random histories with a subject, and say which rule it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import attrs
import trio
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from .history.drawing import histories
from .history.moves import History
from .options import DialectName, Limits, ListenerErrors, Subject, Traits, make_browser_subject, make_port_subject
from .play import play, quiet, shorten_verdict
from .players.ends import Maker, open_ends
from .stories import Story, ends_stories, world_stories

HEALTH_CHECKS: Final[list[HealthCheck]] = list(HealthCheck)  # pyright: ignore[reportAssignmentType] - It is an Enum.


@final
@attrs.frozen
class Report:
    """What was checked."""

    rules: tuple[int, ...]
    """The rules that were checked."""
    histories: int
    """How many histories were played."""


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
    traits = Traits(
        dialect=dialect,
        limits=limits,
        back_pressure=back_pressure,
        tells_crashes=tells_crashes,
        narrows=narrows,
        listener_errors=listener_errors,
        wire=wire,
        remote=remote,
    )
    subject = make_port_subject(maker, trio.run(_count_receivers, maker), traits)
    stories = list(ends_stories(subject.rules, subject.scope))
    return _check(subject, stories, examples, max_moves, on_progress)


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
    traits = Traits(dialect=dialect, limits=limits, listener_errors=listener_errors)
    subject = make_browser_subject(maker, traits)
    return _check(subject, list(world_stories(subject.scope)), examples, max_moves, on_progress)


def _require_no_trio(what: str) -> None:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return
    raise RuntimeError(f"{what} runs loops of its own: call it outside Trio, or with trio.to_thread.run_sync")


async def _count_receivers(maker: Maker) -> int:
    async with open_ends(maker) as ends:
        return len(ends) - 1


def _check(
    subject: Subject,
    stories: list[Story],
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
            @given(histories(rules=subject.rules, scope=subject.scope, max_moves=max_moves))
            def play_random(history: History) -> None:
                judge(history)

            play_random()
    return Report(tuple(sorted({story.rule for story in stories})), played)
