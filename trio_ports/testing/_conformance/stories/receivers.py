"""Rules 11, 17, 20, 26 and 27 for a connection with two receivers, of which one may be slow or leave."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    Step,
    add_listener,
    by,
    cancel,
    disconnect,
    enter,
    fill,
    hear,
    leave,
    pass_turns,
    post,
    race,
    release,
    start_receive,
    start_send,
    start_wait,
    turn,
)
from .story import END, HOLDS, HOW, ONE, OPENER, RECEIVER, SECOND, Story

ALL_HEAR = [turn(at, hear()) for at in (OPENER, RECEIVER, SECOND)]
LEFT = {
    "return": "Both receivers get an orderly end when the opener's block ends.",
    "cancel": "Both receivers get an orderly end when the opener's block is cancelled.",
    "crash": "Both receivers get an error when an exception leaves the opener's block.",
}


def tell_receivers() -> Iterator[Story]:
    """Rules 11, 20, 26 and 27."""
    yield Story(11, "What the opener posts reaches both receivers.", [*ALL_HEAR, turn(OPENER, post(1), post(2))])
    history = [*ALL_HEAR, turn(RECEIVER, post(1)), turn(SECOND, post(2))]
    yield Story(11, "What a receiver posts reaches the opener, and not the other receiver.", history)
    for first, other in ((RECEIVER, SECOND), (SECOND, RECEIVER)):
        history = [*ALL_HEAR, turn(first, disconnect()), turn(OPENER, post(1)), turn(other, post(2))]
        yield Story(26, "A receiver that disconnects leaves the opener and the other receiver connected.", history)
        history = [*ALL_HEAR, turn(first, disconnect()), turn(other, disconnect()), turn(OPENER, post(1))]
        yield Story(26, "The opener's on_disconnect fires when the last receiver has disconnected.", history)
        history = [*ALL_HEAR, turn(first, post(1), disconnect()), turn(other, post(2), disconnect())]
        yield Story(26, "The opener gets the last messages of both receivers before its on_disconnect.", history)
    history = [*ALL_HEAR, turn(OPENER, post(1), disconnect())]
    yield Story(27, "Both receivers get the opener's last message and then its end.", history)
    for how in HOW:
        yield Story(20, LEFT[how], [*ALL_HEAR, enter(OPENER), leave(OPENER, how)])


def tell_slow_receivers(bound: int) -> Iterator[Story]:
    """Rules 17 and 26."""
    full = [fill(0, bound)]
    half = turn(OPENER, fill(0, bound // 2 + 1))
    sentence = "A receiver that never listens is disconnected with an error rather than fill up and block the others."
    yield Story(17, sentence, [turn(OPENER, END), turn(RECEIVER, ONE), half, half, turn(SECOND, hear())])
    slow = [turn(RECEIVER, HOLDS), turn(SECOND, ONE), turn(OPENER, post("held"))]
    history = [*slow, turn(OPENER, *full, post("over")), release(RECEIVER)]
    yield Story(17, "post_message raises when one of two receivers is full, in the turn that filled it.", history)
    sentence = "post_message raises when one of two receivers is full, although the other has taken everything since."
    yield Story(17, sentence, [*slow, turn(OPENER, *full), turn(OPENER, post("over")), release(RECEIVER)])
    waits = [start_send(name, OPENER, name) for name in ("first", "second")]
    history = [*slow, turn(OPENER, *full), *waits, turn(RECEIVER, disconnect())]
    yield Story(17, "Tasks that wait for room at a slow receiver go on when it disconnects.", history)
    reads = [start_receive("a", RECEIVER), turn(OPENER, post("read")), turn(SECOND, ONE)]
    history = [*reads, turn(OPENER, *full), turn(OPENER, post("over")), start_receive("b", RECEIVER)]
    yield Story(17, "A receiver that reads now and then holds the opener back as a slow listener does.", history)
    yield from _tell_of_both_full(full)
    yield from _tell_of_leaving_while_full(full)


def _tell_of_both_full(full: list[Step]) -> Iterator[Story]:
    """One receiver's send stands before the answers that another one's listener has posted beyond the bound."""
    answers = add_listener("on_message", "answers", post("answer", None))
    asked = [
        turn(RECEIVER, *full, answers),
        start_send("sent", SECOND, "sent"),
        turn(OPENER, post("question")),
        turn(OPENER, post("another")),
        start_receive("c", OPENER),
    ]
    sentence = "A listener that waits behind another receiver's send goes on when that send is cancelled."
    yield Story(17, sentence, [*asked, cancel("sent")])
    sentence = "A listener that waits behind another receiver's send goes on when that receiver disconnects."
    yield Story(26, sentence, [*asked, turn(SECOND, disconnect())])


def _tell_of_leaving_while_full(full: list[Step]) -> Iterator[Story]:
    """A receiver leaves while the opener's sends wait for room at another one, or at this one."""
    waits = [start_send(name, OPENER, name) for name in ("first", "second")]
    for slow, other in ((RECEIVER, SECOND), (SECOND, RECEIVER)):
        held = [turn(OPENER, END), turn(slow, HOLDS), turn(OPENER, post("held")), turn(OPENER, *full)]
        history = [*held, *waits, turn(other, disconnect()), release(slow)]
        sentence = "When a receiver leaves that never listened, sends go on waiting for the other one, which is full."
        yield Story(17, sentence, history)
        history = [turn(other, ONE), *held, *waits, turn(other, disconnect()), release(slow)]
        sentence = "When a receiver leaves that had room, sends go on waiting for the other one, which is full."
        yield Story(17, sentence, history)
        history = [*held, *waits, turn(slow, disconnect()), turn(other, ONE)]
        yield Story(17, "When a full receiver leaves, sends go on to one that has not listened yet.", history)
        history = [turn(other, ONE), *held, *waits, turn(other, disconnect()), turn(slow, disconnect())]
        yield Story(23, "When the last receiver leaves after others, sends that wait are refused.", history)
        history = [turn(other, ONE), *held, *waits, turn(OPENER, disconnect()), release(slow)]
        yield Story(
            23, "When the opener leaves, its sends that wait are refused, and all get what was posted.", history
        )
        for turns in (1, 2):
            cut = race(OPENER, by(slow, disconnect()), pass_turns(turns), cancel("first"))
            history = [turn(other, ONE), *held, *waits, cut, turn(OPENER, post("after"))]
            sentence = "A send that is cancelled just after a full receiver left was sent or was not."
            yield Story(17, f"{sentence[:-1]}: {turns} turns after.", history)


def tell_last_receivers() -> Iterator[Story]:
    """Rules 20, 25 and 26: the opener learns how the last one left."""
    for first, last in ((RECEIVER, SECOND), (SECOND, RECEIVER)):
        for how in HOW:
            reads = [start_receive("read", OPENER), start_wait("wait", OPENER)]
            history = [*reads, enter(last), turn(first, disconnect()), turn(last, post(1)), leave(last, how)]
            sentence = f"When the last receiver's block is left by {how}, the opener's end is that one's."
            yield Story(20, sentence, [*history, start_receive("more", OPENER)])
            history = [*ALL_HEAR, enter(first), leave(first, how), turn(OPENER, post(1)), turn(last, disconnect())]
            sentence = f"When the first receiver's block is left by {how}, the opener's end is still the last one's."
            yield Story(26, sentence, history)
