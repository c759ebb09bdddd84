"""Rules 18 to 24: who learns of a disconnect or of the end of a block, when, and what can still be done after it."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    Leaving,
    add_listener,
    by,
    disconnect,
    enter,
    fill,
    finish,
    leave,
    post,
    release,
    remove_listener,
    start_next,
    start_receive,
    start_send,
    start_wait,
    turn,
)
from .story import END, HOLDS, HOW, OPENER, RECEIVER, Story, both_ways, hears

NO_END = remove_listener("on_disconnect", "end")
LEFT = {
    "return": "A block that ends by itself disconnects in good order",
    "cancel": "A block that is cancelled disconnects in good order",
    "crash": "A block that an exception leaves disconnects with an error",
}


@both_ways
def tell_disconnecting(here: str, there: str) -> Iterator[Story]:
    """Rules 18, 19, 21 and 22."""
    yield Story(19, "A disconnect fires the other end's on_disconnect.", [turn(there, END), turn(here, disconnect())])
    yield Story(18, "A disconnect does not fire on its own side.", [turn(here, END), turn(here, disconnect())])
    history = [*hears(here), *hears(there), turn(here, disconnect(), by(there, disconnect()))]
    yield Story(19, "When both sides disconnect in the same moment neither on_disconnect fires.", history)
    history = [*hears(there), turn(here, post(1), post(2), disconnect())]
    yield Story(21, "Messages that were posted before a disconnect are delivered before on_disconnect.", history)
    history = [*hears(here), *hears(there), turn(there, post(1), post(2), by(here, disconnect()))]
    yield Story(21, "Messages on their way to the side that disconnects are gone.", history)
    history = [*hears(here), *hears(there), turn(here, post(1), disconnect())]
    yield Story(18, "A side that posts and then disconnects hears nothing more, whatever it listens to.", history)
    history = [turn(there, HOLDS, END), turn(here, post(1), post(2), disconnect()), release(there), release(there)]
    yield Story(21, "A listener that is still busy with a message delays the next one and on_disconnect.", history)
    sentence = "A side that disconnects after the other one, while its listener is busy, gets no on_disconnect."
    history = [turn(there, HOLDS, END), turn(here, post(1), disconnect()), turn(there, disconnect()), release(there)]
    yield Story(18, sentence, history)
    again = add_listener("on_disconnect", "again", disconnect(None))
    history = [turn(there, END), turn(here, disconnect(), disconnect()), turn(here, disconnect())]
    yield Story(22, "A second disconnect does nothing, in the same turn or later.", history)
    history = [*hears(here), *hears(there), turn(here, disconnect()), turn(there, disconnect(), disconnect())]
    yield Story(22, "A disconnect after the other side's does nothing.", history)
    yield Story(22, "A disconnect inside on_disconnect does nothing.", [turn(there, again), turn(here, disconnect())])


@both_ways
def tell_afterwards(here: str, there: str) -> Iterator[Story]:
    """Rules 23 and 24."""
    late = add_listener("on_disconnect", "late", post("late", None))
    history = [turn(here, disconnect(), post(1)), turn(here, post(2))]
    yield Story(23, "Posting after one's own disconnect raises, in the same turn and later.", history)
    history = [turn(here, disconnect()), turn(there, post(1))]
    yield Story(23, "Posting after the other side's end raises, although nobody listened for that end.", history)
    sentence = "Posting in the moment of the other side's disconnect is silent; once the end was delivered it raises."
    yield Story(23, sentence, [*hears(there), turn(here, disconnect(), by(there, post(1))), turn(there, post(2))])
    yield Story(23, "Posting inside on_disconnect raises.", [turn(there, late), turn(here, disconnect())])
    history = [turn(here, disconnect()), start_send("send", there, 1), start_send("own", here, 1)]
    yield Story(23, "After the end send raises on both sides.", history)
    again = add_listener("on_disconnect", "again")
    history = [turn(here, disconnect()), turn(there, END), turn(there, END, again), turn(there, again)]
    yield Story(24, "A listener that is added after the end is called once, however often it is added.", history)
    history = [turn(here, disconnect()), turn(there, END), turn(there, NO_END), turn(there, END)]
    yield Story(24, "A late listener that is removed and added again is not called a second time.", history)
    sentence = "A listener that was called at the end, removed and added again is not called a second time."
    yield Story(24, sentence, [turn(there, END), turn(here, disconnect()), turn(there, NO_END), turn(there, END)])
    waits = [start_wait("wait", there), start_wait("own", here)]
    yield Story(24, "wait_disconnected returns on both sides when one disconnects.", [*waits, turn(here, disconnect())])
    history = [turn(here, disconnect()), *waits]
    yield Story(24, "wait_disconnected returns at once when the connection is over.", history)


@both_ways
def tell_sending_late(here: str, there: str) -> Iterator[Story]:
    """Rule 23, while there is still something to be read from the side that has gone."""
    kept = [start_receive("a", there), turn(here, post(1), post(2), disconnect())]
    last = [start_receive("b", there), start_receive("c", there)]
    sentence = "send knows that the other side has gone, and post_message does not, while its messages are still read."
    yield Story(23, sentence, [*kept, start_send("send", there, 3), turn(there, post(4)), *last])


@both_ways
def tell_blocks(here: str, there: str) -> Iterator[Story]:
    """Rule 20."""
    for how in HOW:
        history = [*hears(here), *hears(there), enter(here), turn(here, post(1)), leave(here, how)]
        yield Story(20, f"{LEFT[how]}, after the last message.", history)
        reads = [start_receive("a", there), start_receive("b", there), start_next("c", there)]
        history = [enter(here), turn(here, post(1)), leave(here, how), *reads, start_wait("own", here)]
        yield Story(20, f"{LEFT[how]}, as a task that reads on the other side sees it.", history)
    history = [*hears(here), enter(here), turn(there, disconnect()), leave(here)]
    yield Story(20, "A block that ends after the other side's disconnect changes nothing.", history)
    history = [enter(here), turn(there, post(1), disconnect()), leave(here), start_receive("a", here)]
    yield Story(20, "What was kept in a block is gone when the block ends.", history)
    groups: tuple[tuple[Leaving, str], ...] = (
        ("group", "A crash in a nursery inside a block is a crash."),
        ("mixed", "A crash while the block is cancelled is a crash."),
        ("cancelled group", "A block that is cancelled while it has a nursery disconnects in good order."),
    )
    for how, sentence in groups:
        history = [*hears(there), enter(here), leave(here, how)]
        yield Story(20, sentence, [*history, start_receive("own", here)])
    for how in HOW:
        waiting = [start_next("next", there), start_wait("wait", there)]
        sentence = f"{LEFT[how]}, and async for, which waits on the other side, ends in the matching way."
        yield Story(25, sentence, [*waiting, enter(here), leave(here, how)])
        reading = [start_receive("read", there), enter(here), leave(here, how), start_next("next", there)]
        yield Story(25, f"{LEFT[how]}, and each later step of async for ends in the same way.", reading)


def tell_scopes(bound: int) -> Iterator[Story]:
    """Rule 20, for the scope that owns both ends."""
    both = [*hears(OPENER), *hears(RECEIVER)]
    for last, words in ((finish("cancel"), "is cancelled"), (finish("return"), "ends")):
        sentence = f"When the scope that owns both ends {words}, each is over and one of them is told."
        yield Story(20, sentence, [*both, last])
        yield Story(20, f"When the scope of ends that were never used {words}, each is over.", [last])
        waits = [start_receive("read", OPENER), start_wait("wait", OPENER), start_next("next", RECEIVER)]
        sentence = f"When the scope that owns both ends {words}, tasks that wait in them do not wait any more."
        yield Story(20, sentence, [*waits, last])
        history = [*both, turn(OPENER, post(1), post(2)), turn(RECEIVER, disconnect()), last]
        yield Story(20, f"When the scope of ends that were over before {words}, nothing more happens.", history)
        if bound:
            full = [turn(OPENER, fill(0, bound)), start_send("send", OPENER, "sent"), turn(OPENER, END)]
            yield Story(
                20, f"When the scope {words}, a task that waits for room does not wait any more.", [*full, last]
            )
