"""The life of contexts: backgrounds that sleep, extensions that go and come back, documents that stay or are lost.

Rules 44, 45, 47, 48 and 50 in a browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ..history.moves import (
    by,
    disable,
    disconnect,
    enable,
    hear,
    listen,
    load_again,
    lose,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    push_state,
    register_background,
    stop_background,
    turn,
    uninstall,
)
from .routing import opened, opened_in
from .story import Story

TAB = [open_tab("t1")]
SLEEPS = [*TAB, register_background("a", listen())]
CONNECTS = turn("t1/a", *opened(), post(1, "c"))
AGAIN = turn("t1/a", *opened("d"), post(2, "d"))


def tell_starting() -> Iterator[Story]:
    """Rule 44."""
    sentence = "A connect starts a background that is asleep, and it gets what was posted meanwhile."
    yield Story(44, sentence, [*SLEEPS, turn("t1/a", *opened(), post(1, "c"), post(2, "c")), turn("a", post(3, "c"))])
    sentence = "A connect, a post and a disconnect in one turn reach a background that was asleep."
    yield Story(44, sentence, [*SLEEPS, turn("t1/a", *opened(), post(1, "c"), disconnect("c"))])
    both = turn("t1/a", *opened(), *opened("d"), by("t2/a", *opened("e"), post(1, "e")))
    history = [*SLEEPS, open_tab("t2"), both, turn("a", post(2, "c"), post(3, "d"), post(4, "e"))]
    yield Story(44, "One start of a background serves everybody who has called it meanwhile.", history)
    sentence = "A background that adds no listener when it starts reaches nobody, and runs all the same."
    yield Story(44, sentence, [*TAB, register_background("a"), CONNECTS, turn("a", listen()), AGAIN])
    page = [open_page("g1", "a", hidden=True), turn("g1/a", listen())]
    sentence = "A page that listens hears of a connect too that starts the background; the page is no background."
    yield Story(44, sentence, [*SLEEPS, *page, CONNECTS, turn("t1/a", post(2, "c"))])
    sentence = "A page that listens hears alone if the background that is started does not listen."
    yield Story(44, sentence, [*TAB, register_background("a"), *page, CONNECTS, turn("t1/a", post(2, "c"))])
    outside = [open_tab("t1", web=True), register_background("b", listen(event="on_connect_external"))]
    for opener, who in (("t1/web", "a web page"), ("t1/a", "another extension")):
        history = [*outside, turn(opener, *opened(extension="b"), post(1, "c"))]
        yield Story(44, f"A connect from {who} starts a background that is asleep.", history)


def tell_stopping() -> Iterator[Story]:
    """Rule 45."""
    again = [turn("t1/a", post(2, "c")), AGAIN]
    sentence = "When a background stops its ports end without an error, and a connect starts another one."
    yield Story(45, sentence, [*SLEEPS, CONNECTS, stop_background("a"), *again])
    history = [*SLEEPS, CONNECTS, register_background("a"), stop_background("a"), AGAIN]
    yield Story(45, "A listener of a background's earlier life does not count.", history)
    reached = [*SLEEPS, CONNECTS, turn("t1/a", listen())]
    history = [*reached, turn("a", *opened_in("t1", port="e")), stop_background("a"), stop_background("a"), AGAIN]
    yield Story(45, "When a background stops the ports that it has opened end too.", history)
    page = [open_page("g1", "a", hidden=True), turn("g1/a", listen())]
    history = [*SLEEPS, *page, CONNECTS, stop_background("a"), turn("t1/a", post(2, "c"))]
    yield Story(45, "When a background stops that was one of two receivers a message does not start it.", history)


def tell_extensions() -> Iterator[Story]:
    """Rule 47."""
    listens = turn("b", listen(event="on_connect_external"))
    both = turn("t1/a", *opened(), *opened("d", extension="b"), post(1, "d"))
    for last, what in ((disable("a"), "disabled"), (uninstall("a"), "uninstalled")):
        history = [*TAB, turn("a", listen()), listens, both, last]
        yield Story(47, f"When an extension is {what} the ports of its content scripts end for both sides.", history)
    history = [*TAB, turn("b", listen()), turn("a", *opened(extension="b"), *hear("c")), disable("b")]
    yield Story(47, "An extension that is disabled is not reached.", [*history, turn("a", *opened("d", extension="b"))])
    history = [*SLEEPS, CONNECTS, disable("a"), enable("a"), open_tab("t2"), turn("t2/a", *opened("e"), post(1, "e"))]
    yield Story(47, "An extension that is enabled again has its background.", history)
    history = [*TAB, turn("t1/a", listen()), register_background("a", listen()), disable("a"), enable("a")]
    reaches = [open_page("p1", "a"), turn("p1/a", *opened_in("t1"))]
    yield Story(47, "What a content script listened to before its extension went does not count.", [*history, *reaches])


def tell_documents() -> Iterator[Story]:
    """Rules 48 and 50."""
    listens = [*TAB, turn("a", listen()), CONNECTS]
    goes_on = [turn("t1/a", post(2, "c"), *opened("d"), post(3, "d")), turn("a", post(4, "c"))]
    history = [*listens, push_state("t1"), *goes_on]
    yield Story(48, "The ports of a page stay when its address changes, and sender.url is what it was.", history)
    history = [*listens, push_state("t1"), navigate("t1"), turn("t1/a", *opened("d"))]
    yield Story(48, "After a navigation sender describes the new page, whatever the address was before.", history)
    frame = [open_tab("t1"), open_frame("f1", "t1"), turn("a", listen()), push_state("f1"), push_state("t1")]
    yield Story(48, "A frame's sender has the address that its tab shows now.", [*frame, turn("f1/a", *opened())])
    ways: tuple[tuple[Literal["discard", "crash"], str], ...] = (("discard", "is discarded"), ("crash", "crashes"))
    for how, what in ways:
        reached = [turn("a", *opened_in("t1", port="e"))]
        yield Story(50, f"When a tab {what} the ports of its content script end.", [*listens, lose("t1", how)])
        history = [*listens, lose("t1", how), *reached, load_again("t1"), turn("t1/a", *opened("d"), post(2, "d"))]
        yield Story(50, f"Nobody is reached in a tab that {what} before it is loaded again.", history)
