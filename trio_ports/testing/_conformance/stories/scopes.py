"""Rule 20: the end of the block that a port was entered with is a disconnect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..history.moves import Leaving, disconnect, enter, leave, post, start_next, start_receive, start_wait, turn
from .story import BOTH, HOW, Story, hears

LEFT: Final[dict[Leaving, str]] = {
    "return": "A block that ends by itself disconnects in good order",
    "cancel": "A block that is cancelled disconnects in good order",
    "crash": "A block that an exception leaves disconnects with an error",
}


def tell_blocks() -> Iterator[Story]:
    """Rule 20."""
    for here, there in BOTH:
        for how in HOW:
            yield Story(
                20,
                f"{LEFT[how]}, after the last message.",
                [*hears(here), *hears(there), enter(here), turn(here, post(1)), leave(here, how)],
            )
            reads = [start_receive("a", there), start_receive("b", there), start_next("c", there)]
            yield Story(
                20,
                f"{LEFT[how]}, as a task that reads on the other side sees it.",
                [enter(here), turn(here, post(1)), leave(here, how), *reads, start_wait("own", here)],
            )
        yield Story(
            20,
            "A block that ends after the other side's disconnect changes nothing.",
            [*hears(here), enter(here), turn(there, disconnect()), leave(here)],
        )
        yield Story(
            20,
            "What was kept in a block is gone when the block ends.",
            [enter(here), turn(there, post(1), disconnect()), leave(here), start_receive("a", here)],
        )
