"""Rules 1, 5, 7, 8, 9, 15, 29 and 31: what happens between connect and on_connect, and how the opener is described."""

from __future__ import annotations

from collections.abc import Iterator

from ..history.moves import (
    add_listener,
    disconnect,
    enter,
    hear,
    leave,
    listen,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    remove_listener,
    stay,
    throw,
    turn,
)
from ..history.scope import Scope
from .routing import PLACES, opened, opened_in
from .story import Story

TAB = [open_tab("t1")]
LISTENS = [*TAB, turn("a", listen())]


def tell_connecting() -> Iterator[Story]:
    """Rules 1 and 5."""
    yield Story(
        1,
        "connect returns an open port at once, and on_connect fires only after the call.",
        [*LISTENS, turn("t1/a", *opened(), post(1, "c"))],
    )
    yield Story(
        5,
        "on_connect, the messages and the end come in this order, although all was done in one turn.",
        [*LISTENS, turn("t1/a", *opened(), post(1, "c"), post(2, "c"), disconnect("c"))],
    )


def tell_listening(scope: Scope) -> Iterator[Story]:
    """Rules 7, 15, 29 and 31."""
    posts = turn("t1/a", *opened(), post(1, "c"))
    yield Story(
        7,
        "A listener of on_connect that disconnects ends a connection that there was: the opener gets an orderly end.",
        [*TAB, turn("a", listen(disconnect(None))), posts],
    )
    yield Story(7, "A listener of on_connect may post at once.", [*TAB, turn("a", listen(post("hello", None))), posts])
    yield Story(
        15,
        "Messages and the end are delivered while an async listener of on_connect is still running.",
        [
            *TAB,
            turn("a", listen(stay())),
            turn("t1/a", *opened(), post(1, "c"), post(2, "c")),
            turn("t1/a", disconnect("c")),
        ],
    )
    if scope.listeners_raise:
        yield Story(
            7,
            "A listener of on_connect that raises does not undo the connection.",
            [*TAB, turn("a", listen(throw())), turn("t1/a", *opened(), post(1, "c"), post(2, "c"))],
        )
    else:
        raises = add_listener("on_message", "raises", throw(), port=None)
        entered = [*TAB, turn("a", listen(raises, heard=False)), turn("t1/a", *opened()), enter("a", "c")]
        yield Story(
            31,
            "What a listener of a context's port raises leaves through the port's block.",
            [*entered, turn("t1/a", post(1, "c")), leave("a", "return", "c")],
        )
    yield Story(
        15,
        "A received port that nobody listens to keeps its messages for a listener that is added later.",
        [*TAB, turn("a", listen(heard=False)), posts, turn("a", hear("c"))],
    )
    drops = add_listener("on_connect", "drops", remove_listener("on_connect", "second", port=None), port=None)
    second = add_listener("on_connect", "second", port=None)
    yield Story(
        29,
        "A listener of on_connect that an earlier one removes is not called.",
        [*TAB, turn("a", drops, second, listen()), posts],
    )


def tell_names() -> Iterator[Story]:
    """Rule 8."""
    for name in ("", "a name", "c"):
        yield Story(
            8,
            f"Both ends of a runtime.connect have the name that was given: {name!r}.",
            [*LISTENS, turn("t1/a", *opened(name=name))],
        )
        yield Story(
            8,
            f"Both ends of a tabs.connect have the name that was given: {name!r}.",
            [*TAB, turn("t1/a", listen()), turn("a", *opened_in("t1", name=name))],
        )


def tell_senders() -> Iterator[Story]:
    """Rule 9."""
    described = [
        open_tab("t1", web=True),
        open_frame("f1", "t1"),
        open_page("p1", "a"),
        open_page("g1", "a", hidden=True),
        *[turn(at, listen()) for at in ("a", "g1/a", "t1/a", "f1/a")],
        turn("b", listen(event="on_connect_external")),
    ]
    for opener in ("t1/a", "f1/a", "p1/a", "g1/a", "a"):
        who = PLACES[opener]
        yield Story(9, f"sender describes {who} to its own extension.", [*described, turn(opener, *opened())])
        yield Story(
            9, f"sender describes {who} to another extension.", [*described, turn(opener, *opened(extension="b"))]
        )
    yield Story(
        9, "sender describes a web page, which has no extension.", [*described, turn("t1/web", *opened(extension="b"))]
    )
    for opener in ("a", "p1/a", "g1/a"):
        yield Story(
            9,
            f"sender describes {PLACES[opener]} to the content scripts that it reaches by tabs.connect.",
            [*described, turn(opener, *opened_in("t1"))],
        )


def tell_new_documents() -> Iterator[Story]:
    """Rule 9, after a navigation."""
    posts = turn("t1/a", *opened(), post(1, "c"))
    yield Story(
        9,
        "After a navigation sender names the new document and what the tab shows now.",
        [*LISTENS, posts, navigate("t1"), turn("t1/a", *opened())],
    )
