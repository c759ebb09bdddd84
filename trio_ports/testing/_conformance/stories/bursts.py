"""Rules 15, 21, 29, 30 and 31, where something happens in the middle of a burst: about the size of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..history.moves import (
    add_listener,
    disconnect,
    fill,
    hold,
    only,
    post,
    release,
    remove_listener,
    start_receive,
    throw,
    turn,
)
from .listening import TWO
from .story import END, ONE, Story, both_ways, hears

BORDERS: Final = (1, 63, 64, 65, 128)
"""Places in a burst: a loop is likely to let other tasks run after a power of two."""


@both_ways
def tell_borders(here: str, there: str, longest: float, *, logs: bool) -> Iterator[Story]:
    """One story of each kind for each border, as far as so many messages may wait: ``longest``."""
    for number in [number for number in BORDERS if number + 3 <= longest]:
        many, at = turn(here, fill(1, number + 3)), f"at message {number} of a burst"
        end = turn(here, disconnect())
        history = [*hears(there), turn(here, fill(1, number), disconnect())]
        yield Story(21, f"A burst of {number} messages and a disconnect arrive.", history)
        bye = add_listener("on_message", "bye", only(number, disconnect(None)))
        yield Story(30, f"A listener that disconnects {at} is the last one.", [turn(there, bye, ONE, END), many, end])
        drops = add_listener("on_message", "drops", only(number, remove_listener("on_message", "drops", port=None)))
        reads = [start_receive("a", there), start_receive("b", there)]
        yield Story(15, f"A listener that removes itself {at} leaves the rest.", [turn(there, drops), many, *reads])
        history = [turn(there, drops, END), many, end, turn(there, ONE)]
        yield Story(15, f"A listener that removes itself {at} leaves the rest to a late one.", history)
        holds = add_listener("on_message", "holds", only(number, hold()), only(number, post("went on", None)))
        history = [*hears(here), turn(there, holds, TWO, END), many, end, release(there)]
        yield Story(21, f"A listener that waits {at} delays the rest, and then the end.", history)
        history = [turn(there, holds, TWO, END), many, turn(there, disconnect()), release(there)]
        yield Story(21, f"A listener that waits {at} while its side disconnects gets no more.", history)
        adds = add_listener("on_message", "adds", only(number, add_listener("on_message", "two", port=None)))
        yield Story(29, f"A listener that is added {at} is called from the next one on.", [turn(there, adds), many])
        if logs:
            raises = add_listener("on_message", "raises", only(number, throw()))
            yield Story(31, f"A listener that raises {at} gets the rest.", [turn(there, raises, TWO, END), many, end])
