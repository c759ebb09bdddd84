"""Check ports and browsers: play the stories and random histories, and raise an error that names the broken rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import attrs
import trio
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from .history.generate import histories
from .history.moves import History
from .options import DialectName, Limits, ListenerErrors, Options
from .play import Subject, make_browser_subject, make_port_subject, play, quiet, shorten
from .players.ends import Maker, open_ends
from .stories import Story, browser_stories, port_stories

HEALTH_CHECKS: Final[list[HealthCheck]] = list(HealthCheck)  # pyright: ignore[reportAssignmentType] - It is an Enum.


@final
@attrs.frozen
class Report:
    """What a check has played."""

    rules: tuple[int, ...]
    """The numbers of the rules that there was a story for."""
    histories: int
    """How many histories were played, stories included."""


def check_port(
    maker: Maker,
    *,
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    back_pressure: bool = True,
    reports_crashes: bool | None = None,
    supports_async_with: bool = True,
    listener_errors: ListenerErrors | None = None,
    over_a_wire: bool = False,
    outside_trio: bool = False,
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
        dialect: whose rules the ports obey.
        limits: of the connections that ``maker`` opens.
        back_pressure: posting beyond the bound raises. Without it nothing is posted beyond.
        reports_crashes: an end has an error if the other end's owner failed; as in the dialect unless given.
        supports_async_with: an end can be entered with ``async with``. Pass False if ``maker`` has done so already.
        listener_errors: what becomes of a listener's exception; as in the dialect unless given.
        over_a_wire: the messages are carried as bytes. Then an end cannot know how full the other one is or why it
            went, and learns that it went only after all its messages were taken.
        outside_trio: something outside this Trio run carries the messages: a pipe, a socket, another process. Then
            there is a wire, and the check waits for what should happen.
        examples: how many random histories.
        max_moves: how long they may be.
        on_progress: called with how many histories were played, and how many there will be.

    Raises:
        RuleBrokenError: with the rule's number and sentence, and the shortest history found in which it is broken.
        RuntimeError: inside Trio.
    """
    _require_no_trio("check_port")
    options = Options(
        dialect=dialect,
        limits=limits,
        back_pressure=back_pressure,
        reports_crashes=reports_crashes,
        supports_async_with=supports_async_with,
        listener_errors=listener_errors,
        over_a_wire=over_a_wire,
        outside_trio=outside_trio,
    )
    subject = make_port_subject(maker, trio.run(_count_receivers, maker), options)
    stories = list(port_stories(subject.rules, subject.scope))
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
        dialect: the browser's dialect.
        limits: of its connections.
        listener_errors: what becomes of a listener's exception; as in the dialect unless given.
        examples: how many random histories.
        max_moves: how long they may be.
        on_progress: called with how many histories were played, and how many there will be.

    Raises:
        RuleBrokenError: as `check_port`.
        RuntimeError: inside Trio.
    """
    _require_no_trio("check_browser")
    options = Options(dialect=dialect, limits=limits, listener_errors=listener_errors)
    subject = make_browser_subject(maker, options)
    return _check(subject, list(browser_stories(subject.scope)), examples, max_moves, on_progress)


def _require_no_trio(what: str) -> None:
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(f"{what} runs loops of its own: call it outside Trio, or with trio.to_thread.run_sync")


async def _count_receivers(maker: Maker) -> int:
    async with open_ends(maker) as ends:
        return len(ends) - 1


def _check(
    subject: Subject, stories: list[Story], examples: int, max_moves: int, on_progress: Callable[[int, int], object]
) -> Report:
    done = 0
    total = len(stories) + examples

    def require_agreement(history: History, rule: int | None = None) -> None:
        nonlocal done
        played = play(subject, history)
        if played.difference is not None:
            raise shorten(subject, played, rule)
        done += 1
        on_progress(min(done, total), total)

    with quiet():
        for story in stories:
            require_agreement(story.history, story.rule)
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
                require_agreement(history)

            play_random()
    return Report(tuple(sorted({story.rule for story in stories})), done)
