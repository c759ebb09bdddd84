"""Rules 5, 11, 20, 26 and 27 in a browser: what happens to ports when a context, a page or an extension goes."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    EventName,
    add_listener,
    by,
    close,
    close_context,
    disconnect,
    enter,
    leave,
    listen,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    turn,
    uninstall,
)
from .connecting import LISTENS
from .routing import all_listen, opened
from .story import HOW, Story

POSTS = turn("t1/a", *opened(), post(1, "c"))
CONNECTS = turn("t1/a", *opened())


def tell_closing() -> Iterator[Story]:
    """Rule 20."""
    yield Story(
        20,
        "When the receiving context closes the opener gets an orderly end.",
        [*LISTENS, POSTS, turn("a", close_context())],
    )
    yield Story(
        20,
        "When the opening context closes the receiver gets the last message and an orderly end.",
        [*LISTENS, POSTS, turn("t1/a", post(2, "c"), close_context())],
    )
    ways = {"return": "ends", "cancel": "is cancelled", "crash": "is left by an exception"}
    for at, who in (("a", "receiving"), ("t1/a", "opening")):
        for how in HOW:
            end = "an error" if how == "crash" else "an orderly end"
            yield Story(
                20,
                f"When the {who} context's block {ways[how]} the other side gets {end}.",
                [*LISTENS, enter(at, None), POSTS, leave(at, how, None)],
            )


def tell_pages() -> Iterator[Story]:
    """Rule 27."""
    frame = [open_tab("t1"), open_frame("f1", "t1"), turn("a", listen()), turn("f1/a", *opened())]
    other = [open_tab("t1"), turn("b", listen()), turn("t1/b", *opened())]
    for last, what in ((navigate("t1"), "navigated"), (close("t1"), "closed")):
        yield Story(
            27, f"When a tab is {what} its content script's ports end without an error.", [*LISTENS, POSTS, last]
        )
        yield Story(27, f"When a tab is {what} the ports of its frames end too.", [*frame, last])
        yield Story(27, f"When a tab is {what} the ports of every extension's content script end.", [*other, last])
    yield Story(27, "When a frame is closed its content script's ports end.", [*frame, close("f1")])
    yield Story(
        27,
        "When one connection ends another one between the same contexts goes on.",
        [*LISTENS, POSTS, turn("t1/a", *opened("d"), disconnect("c")), turn("t1/a", post(2, "d"))],
    )


def tell_uninstalling() -> Iterator[Story]:
    """Rule 20, for a whole extension."""
    listens = [open_tab("t1"), turn("b", listen(event="on_connect_external"))]
    yield Story(
        20,
        "When an extension is uninstalled its ports end.",
        [*listens, turn("t1/a", *opened(extension="b")), uninstall("b")],
    )


def tell_two_pages() -> Iterator[Story]:
    """Rules 11, 26 and 27."""
    two = [open_tab("t1"), open_page("g1", "a", hidden=True), *all_listen("a", "g1/a"), CONNECTS]
    yield Story(
        11,
        "Two pages both get what the opener posts, and what each of them posts reaches the opener only.",
        [*two, turn("t1/a", post(1, "c")), turn("a", post(2, "c")), turn("g1/a", post(3, "c"))],
    )
    for first, other in (("a", "g1/a"), ("g1/a", "a")):
        goes_on = [turn("t1/a", post(1, "c")), turn(other, post(2, "c"))]
        yield Story(
            26,
            "When one of two pages disconnects the opener and the other page go on.",
            [*two, turn(first, disconnect("c")), *goes_on],
        )
        yield Story(
            26,
            "When both pages have disconnected the opener's on_disconnect fires.",
            [*two, turn(first, disconnect("c")), turn(other, disconnect("c"))],
        )
        yield Story(
            26,
            "When one of two pages closes the opener and the other page go on.",
            [*two, turn(first, close_context()), *goes_on],
        )
    yield Story(
        27, "Both pages get the opener's last message and its end.", [*two, turn("t1/a", post(1, "c"), disconnect("c"))]
    )


def tell_closing_at_once() -> Iterator[Story]:
    """Rules 5 and 20, where a context closes in the turn of the connect, or in a listener."""
    yield Story(
        20,
        "A connect to a context that closes in the same turn ends in good order.",
        [*LISTENS, turn("t1/a", *opened(), post(1, "c"), by("a", close_context()))],
    )
    yield Story(
        5,
        "A receiver gets on_connect, the messages and the end of an opener whose context closes in the same turn.",
        [*LISTENS, turn("t1/a", *opened(), post(1, "c"), post(2, "c"), close_context())],
    )
    events: tuple[EventName, ...] = ("on_message", "on_disconnect")
    for event in events:
        closes, more = add_listener(event, "closes", close_context(), port="c"), add_listener(event, "more", port="c")
        yield Story(
            20,
            f"After a listener of {event} has closed its own context no other listener is called there.",
            [
                *LISTENS,
                CONNECTS,
                turn("a", closes, more),
                turn("t1/a", post(1, "c"), post(2, "c")),
                turn("t1/a", disconnect("c")),
            ],
        )
    second = add_listener("on_connect", "second", port=None)
    yield Story(
        20,
        "After a listener of on_connect has closed its own context no other listener is called there.",
        [open_tab("t1"), turn("a", listen(close_context()), second), CONNECTS],
    )
