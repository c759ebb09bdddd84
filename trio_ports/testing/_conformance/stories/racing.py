"""Rules 10, 15, 17, 18, 21 and 24: what happens between two turns of the scheduler, where a call may be cancelled."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    by,
    cancel,
    disconnect,
    fill,
    pass_turns,
    post,
    race,
    start_next,
    start_receive,
    start_send,
    start_wait,
    turn,
)
from .story import HOLDS, ONE, Story, both_ways, hears

LATER = (1, 2, 3, 4)
"""After how many turns of the scheduler the race is decided. Which tasks run first in a turn is left to chance."""


@both_ways
def tell_cancelled_sends(here: str, there: str, bound: float) -> Iterator[Story]:
    """Rules 10 and 17."""
    listens = hears(there)
    send = start_send("sent", here, "cancelled")
    history = [*listens, race(here, send, cancel("sent")), turn(here, post("after"))]
    yield Story(17, "A send that begins in a cancelled scope sends nothing.", history)
    for turns in LATER:
        history = [*listens, race(here, send, pass_turns(turns), cancel("sent")), turn(here, post("after"))]
        sentence = f"A send that is cancelled {_after(turns)} was sent if it returned, and not if it was cancelled."
        yield Story(17, sentence, history)
    if bound > 1:
        sends = start_send("sent", here, 1, then=[post(2), disconnect()])
        yield Story(10, "What a task posts after its send returned comes after what it sent.", [*listens, sends])
    sends = start_send("sent", here, 1, then=[disconnect()])
    yield Story(21, "A message whose send returned before a disconnect is delivered before the end.", [*listens, sends])


@both_ways
def tell_cancelled_full_sends(here: str, there: str, bound: int) -> Iterator[Story]:
    """Rule 17, for sends that wait for room."""
    full = [turn(here, fill(0, bound))]
    waits = [*full, start_send("first", here, "first"), start_send("second", here, "second")]
    for turns in LATER:
        history = [*waits, race(here, by(there, ONE), pass_turns(turns), cancel("first")), turn(here, post("after"))]
        sentence = f"A send that waits for room and is cancelled {_after(turns)} there was some was sent or was not."
        yield Story(17, sentence, history)
    history = [*waits, race(here, cancel("first"), cancel("second")), turn(there, ONE)]
    yield Story(17, "Two sends that wait for room and are cancelled in the same turn are never delivered.", history)
    history = [*full, race(here, start_send("first", here, "first"), cancel("first")), turn(there, ONE)]
    yield Story(17, "A send beyond the bound that begins in a cancelled scope is never delivered.", history)
    sends = [start_send("first", here, "first", then=[disconnect()]), turn(there, ONE)]
    yield Story(21, "A send that got room before its side disconnects is delivered.", [*full, *sends])


@both_ways
def tell_cancelled_reads(here: str, there: str) -> Iterator[Story]:
    """Rules 10, 15 and 24."""
    first, last = start_receive("first", there), [start_receive(name, there) for name in ("a", "b")]
    has_read = [first, turn(here, post("first"))]
    for start, what in ((start_receive, "receive"), (start_next, "async for")):
        read = start("read", there)
        history = [*has_read, turn(here, post(1)), race(there, read, cancel("read")), last[0]]
        yield Story(15, f"A task in {what} that begins in a cancelled scope takes no message.", history)
        history = [read, race(there, by(here, post(1)), cancel("read")), *last, turn(here, post(2))]
        sentence = f"A message that arrives in the turn in which a task in {what} is cancelled is not lost."
        yield Story(15, sentence, history)
        history = [read, race(there, cancel("read"), by(here, post(1))), *last, turn(here, post(2))]
        sentence = f"A message that arrives just after a task in {what} was cancelled is not lost."
        yield Story(15, sentence, history)
        for turns in LATER:
            cut = race(there, by(here, post(1)), pass_turns(turns), cancel("read"))
            history = [read, cut, *last, turn(here, post(2))]
            sentence = f"A message that arrived before a task in {what} was cancelled {_after(turns)} is not lost."
            yield Story(15, sentence, history)
            cut = race(there, read, pass_turns(turns), cancel("read"))
            history = [*has_read, turn(here, post(1)), cut, *last, turn(here, post(2))]
            sentence = f"A message that was kept is not lost when a task in {what} is cancelled {_after(turns)}."
            yield Story(15, sentence, history)
    end = [start_wait("wait", there), race(there, by(here, disconnect()), cancel("wait")), start_wait("again", there)]
    yield Story(24, "wait_disconnected may be cancelled in the turn of the disconnect, and called again.", end)
    read = start_receive("read", there, then=[disconnect(), post("late")])
    history = [read, turn(here, post(1), post(2)), start_receive("own", there)]
    yield Story(21, "What a reader has not taken when its side disconnects is gone.", history)


@both_ways
def tell_disconnects(here: str, there: str) -> Iterator[Story]:
    """Rules 18 and 21."""
    both = [*hears(here), *hears(there)]
    posts = [post(1), post(2), post(3)]
    for turns in LATER:
        history = [*both, race(here, *posts, pass_turns(turns), by(there, disconnect()))]
        sentence = f"After a disconnect no message is delivered that arrived {_before(turns)} it."
        yield Story(21, sentence, history)
        history = [turn(there, ONE, HOLDS), race(here, *posts, pass_turns(turns), by(there, disconnect()))]
        sentence = f"After a disconnect an async listener gets no message that arrived {_before(turns)} it."
        yield Story(21, sentence, history)
        history = [*both, race(here, disconnect(), pass_turns(turns), by(there, disconnect()))]
        sentence = f"Of two disconnects, one {_before(turns)} the other, one at most is reported."
        yield Story(18, sentence, history)


def _after(turns: int) -> str:
    return "in the turn" if turns == 0 else "a turn after" if turns == 1 else f"{turns} turns after"


def _before(turns: int) -> str:
    return "a turn before" if turns == 1 else f"{turns} turns before"
