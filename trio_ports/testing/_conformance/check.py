"""Check ports and browsers: play the stories and random histories, and raise an error that names the broken rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, final

import attrs
import trio
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seed_hypothesis

from .findings import Findings
from .history.generate import histories as random_histories
from .history.moves import History
from .options import DialectName, Limits, ListenerErrors, Options
from .play import REST_SECONDS, Subject, make_browser_subject, make_clock, make_port_subject, play, quiet
from .players.ends import Maker, open_ends, wire_side
from .rules import RULES
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


@final
@attrs.frozen
class Plays:
    """What a check plays; `check_port` describes the fields."""

    histories: Sequence[History]
    rules: Collection[int] | None
    stories: bool
    examples: int
    max_moves: int
    seed: int | None
    seconds: float
    on_progress: Callable[[int, int], object]

    def __attrs_post_init__(self) -> None:
        unknown = sorted(set(self.rules or ()) - set(RULES))
        if unknown:
            raise ValueError(f"there is no rule {', '.join(map(str, unknown))}: the page of the rules has the numbers")


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
    histories: Sequence[History] = (),
    rules: Collection[int] | None = None,
    stories: bool = True,
    examples: int = 100,
    max_moves: int = 50,
    seed: int | None = None,
    seconds: float = 20.0,
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

    It plays a few stories for every rule, then random histories, and compares what happens with a model. If a rule is
    broken it goes on, so that the error names every broken rule.

    Args:
        maker: opens a connection and gives its ends, the opener's first. It is a function without arguments, or of a
            nursery, and returns the ends, or something to await or to enter for them. One of two ends may be a
            `trio.abc.Stream`: then a port of the kit's own reads and writes frames there (rule 33).
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
        histories: play these too, and first: what a report asks you to play again.
        rules: the numbers of the rules to check; all unless given.
        stories: play the stories.
        examples: how many random histories. They are played if no story has failed.
        max_moves: how long they may be.
        seed: makes the random histories the same each time. The order in which Trio runs tasks stays random.
        seconds: how long the check goes on after it has found a broken rule, to find others and to shorten histories.
        on_progress: called with how many histories were played, and how many there will be.

    Raises:
        RuleBrokenError: with the rule's number and sentence, and the shortest history found in which it is broken;
            ``others`` has the errors for the other rules that are broken.
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
    receivers, wire = _look_at(maker, outside_trio=outside_trio)
    subject = make_port_subject(maker, receivers, options, wire=wire)
    plays = Plays(histories, rules, stories, examples, max_moves, seed, seconds, on_progress)
    return _check(subject, port_stories(subject.rules, subject.scope), plays)


def check_browser(
    maker: Callable[[], Any],
    *,
    dialect: DialectName = "trio",
    limits: Limits = Limits(),
    listener_errors: ListenerErrors | None = None,
    histories: Sequence[History] = (),
    rules: Collection[int] | None = None,
    stories: bool = True,
    examples: int = 100,
    max_moves: int = 50,
    seed: int | None = None,
    seconds: float = 20.0,
    on_progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Report:
    """Check that a browser lets contexts reach each other as the rules say, and that their ports obey the rules.

    Args:
        maker: opens the browser: `trio_ports.open_browser`, or a function that calls it with arguments.
        dialect: the browser's dialect.
        limits: of its connections.
        listener_errors: what becomes of a listener's exception; as in the dialect unless given.
        histories: play these too, and first: what a report asks you to play again.
        rules: the numbers of the rules to check; all unless given.
        stories: play the stories.
        examples: how many random histories. They are played if no story has failed.
        max_moves: how long they may be.
        seed: makes the random histories the same each time. The order in which Trio runs tasks stays random.
        seconds: how long the check goes on after it has found a broken rule, to find others and to shorten histories.
        on_progress: called with how many histories were played, and how many there will be.

    Raises:
        RuleBrokenError: as `check_port`.
        RuntimeError: inside Trio.
    """
    _require_no_trio("check_browser")
    options = Options(dialect=dialect, limits=limits, listener_errors=listener_errors)
    subject = make_browser_subject(maker, options)
    plays = Plays(histories, rules, stories, examples, max_moves, seed, seconds, on_progress)
    return _check(subject, browser_stories(subject.scope), plays)


def _require_no_trio(what: str) -> None:
    if trio.lowlevel.in_trio_run():
        raise RuntimeError(f"{what} runs loops of its own: call it outside Trio, or with trio.to_thread.run_sync")


def _look_at(maker: Maker, *, outside_trio: bool) -> tuple[int, str]:
    """Open a connection once, and return how many receivers it has, and which end is a stream.

    Raises:
        TimeoutError: the maker opens nothing.
    """
    seen: list[tuple[int, str]] = []

    async def look() -> None:
        with trio.move_on_after(REST_SECONDS):
            async with open_ends(maker) as ends:
                seen.append((len(ends) - 1, wire_side(ends)))

    trio.run(look, clock=None if outside_trio else make_clock())
    if not seen:
        raise TimeoutError(f"the maker opened no connection within {REST_SECONDS:.0f} seconds")
    return seen[0]


def _check(subject: Subject, stories: Iterable[Story], plays: Plays) -> Report:
    chosen = [story for story in stories if plays.stories and (plays.rules is None or story.rule in plays.rules)]
    total = len(chosen) + len(plays.histories) + plays.examples
    findings = Findings(subject, plays.seconds, plays.rules)
    done = 0

    def play_one(history: History, rule: int | None = None) -> None:
        nonlocal done
        if not findings.are_complete:
            findings.note(play(subject, history), rule)
            done += 1
            plays.on_progress(min(done, total), total)

    with quiet():
        for history in plays.histories:
            play_one(history)
        for story in chosen:
            play_one(story.history, story.rule)
        if plays.examples and not findings:  # Whatever breaks a story would break most random histories too.
            _play_random(subject, plays, play_one)
        if findings:
            raise findings.make_error()
    return Report(tuple(sorted({story.rule for story in chosen})), done)


def _play_random(subject: Subject, plays: Plays, play_one: Callable[[History], None]) -> None:
    @settings(
        max_examples=plays.examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=HEALTH_CHECKS,
        verbosity=Verbosity.quiet,
    )
    @given(random_histories(rules=subject.rules, scope=subject.scope, max_moves=plays.max_moves, shrinks=False))
    def play_each(history: History) -> None:
        play_one(history)

    (play_each if plays.seed is None else seed_hypothesis(plays.seed)(play_each))()
