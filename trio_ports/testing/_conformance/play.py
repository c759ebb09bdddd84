"""Play a history with the ports under test and with the model, side by side, and shorten one that breaks a rule."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, final

import attrs
import trio
import trio.testing

from .compare.compare import Comparison
from .compare.difference import Difference
from .compare.hints import hint_of
from .history.generate import Scope
from .history.moves import EXTENSIONS, History, Move
from .history.shrink import SECONDS, shrink
from .model import DialectRules, Model
from .options import Options
from .players.browser import open_browser_player
from .players.ends import Maker, open_port_player
from .players.player import ComparedPlayer, Record, SubjectError

SUBJECT: Final = "the subject"
"""Where something differs if the subject has failed as a program."""
REST_SECONDS: Final = 60.0
"""How long a history may take before it counts as endless. A message of 64 MiB takes seconds on a busy machine."""
SECONDS_PER_MOVE: Final = 1.0
TURNS_PER_MOVE: Final = 200_000
"""How many turns of the scheduler a move may take before it counts as endless: about two seconds."""
IDLE_SECONDS: Final = 1.0
"""How long all tasks wait, while something is opened or closed, before they count as waiting for ever."""
ARRIVAL_SECONDS: Final = 30.0
"""How long messages may be under way outside this Trio run. On a busy machine a process takes seconds to start."""


@final
@attrs.frozen
class Subject:
    """What is under test, and what it is compared with."""

    open_player: Callable[[], AbstractAsyncContextManager[ComparedPlayer]]
    make_model: Callable[[], Model]
    rules: DialectRules
    scope: Scope
    """What may be done to it."""
    outside_trio: bool = False
    """Something outside this Trio run carries its messages, so that they take time."""
    arrival_seconds: float = ARRIVAL_SECONDS
    """How long they may take."""
    run: Callable[..., Any] = trio.run
    """Runs an async function with its arguments, where something is outside this Trio run."""


def make_port_subject(maker: Maker, receivers: int, options: Options, *, wire: str = "") -> Subject:
    """Return the connection that ``maker`` opens, which has so many receivers.

    ``wire``: the end that is a stream, and gets an end of the kit's own.
    """
    if wire:
        options = attrs.evolve(options, over_a_wire=True, supports_async_with=False)
    rules = options.make_rules()
    enters = options.supports_async_with
    return Subject(
        lambda: open_port_player(maker, outside_trio=options.outside_trio, largest=rules.largest),
        lambda: Model.of_ends(rules, receivers, supports_async_with=enters),
        rules,
        Scope(receivers=receivers, supports_async_with=enters, listeners_raise=rules.logs, wire=wire),
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
@attrs.define
class Played:
    """A history that was played."""

    history: History
    """Its moves up to the first difference, without those that made no sense."""
    difference: Difference | None = None
    logs: Mapping[str, Sequence[Record]] = attrs.Factory(dict[str, list[Record]])
    """The calls of the listeners of each context."""
    hint: str = ""


@final
class Turns(trio.abc.Instrument):
    """Counts the turns of the scheduler, and ends a history in which tasks run on for ever."""

    def __init__(self) -> None:
        self.patience: trio.CancelScope = trio.CancelScope()
        self._number = 0

    def begin_move(self) -> None:
        """Count from the beginning."""
        self._number = 0

    def before_io_wait(self, timeout: float) -> None:
        """Count one more."""
        del timeout
        self._number += 1
        if self._number == TURNS_PER_MOVE:
            self.patience.cancel()


def make_clock() -> trio.abc.Clock:
    """Return the clock for what is all in one Trio run, where tasks that all wait for a second wait for ever."""
    return trio.testing.MockClock(autojump_threshold=IDLE_SECONDS)


def play(subject: Subject, history: History) -> Played:
    """Play a history, leaving out the moves that make no sense."""
    turns = Turns()
    played: Played
    if subject.outside_trio:
        played = subject.run(_play, subject, history, turns)
    else:
        played = trio.run(_play, subject, history, turns, clock=make_clock(), instruments=[turns])
    return played


async def _play(subject: Subject, history: History, turns: Turns) -> Played:
    played = Played([])
    expected, found = "that it stays open", "it was cancelled"
    turns.patience.deadline = trio.current_time() + REST_SECONDS + SECONDS_PER_MOVE * len(history)
    with turns.patience:
        try:
            async with subject.open_player() as player:
                try:
                    await _play_moves(subject, player, history, played, turns)
                finally:
                    played.logs = {name: actor.log for name, actor in player.contexts.items()}
                found = ""
        except SubjectError as error:
            played.difference = Difference("scope", SUBJECT, "that it answers", str(error))
        except Exception as error:  # noqa: BLE001 - Whatever it is, it is what came of the history.
            expected, found = "that nothing leaves it", repr(error)
    if played.difference is None and turns.patience.cancelled_caught:
        played.difference = Difference("scope", SUBJECT, "that it comes to rest", "it goes on or waits for ever")
    elif played.difference is None and found:
        played.difference = Difference("scope", "the maker's scope", expected, found)
    return played


async def _play_moves(subject: Subject, player: ComparedPlayer, history: History, played: Played, turns: Turns) -> None:
    reference = subject.make_model()
    comparison = Comparison(reference, player)
    for move in history:
        if reference.may(move):
            played.history.append(move)
            turns.begin_move()
            await player.play(move)
            reference.play(move, player.witness)
            played.difference = await _compare(subject, comparison, player, move)
            if played.difference is not None:
                played.hint = hint_of(played.difference, reference.rules, player)
                return


async def _compare(subject: Subject, comparison: Comparison, player: ComparedPlayer, move: Move) -> Difference | None:
    """Compare; while messages may still be under way outside this Trio run, again after each change."""
    difference = comparison.compare(move)
    if difference is not None and subject.outside_trio:
        with trio.move_on_after(subject.arrival_seconds):
            while difference is not None:
                with trio.move_on_after(0.002):
                    await player.wait_changed()
                await player.settle()
                difference = comparison.compare(move)
    return difference


def shorten(subject: Subject, played: Played, seconds: float = SECONDS) -> Played:
    """Leave out of a history what is not needed to break the rule."""
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

    shrink(played.history, attempt, seconds=seconds)
    return best


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep what listeners raise on purpose out of the log."""
    logger = logging.getLogger("trio_ports")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
