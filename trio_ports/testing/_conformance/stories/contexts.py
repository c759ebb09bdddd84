"""Connections between contexts: from connect to on_connect, names and senders, and when a context or a page goes.

Rules 1, 5, 7 to 9, 11, 15, 20, 26, 27, 29 and 31 in a browser.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..history.generate import Scope
from ..history.moves import (
    EventName,
    add_listener,
    by,
    close,
    close_context,
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
    uninstall,
)
from .routing import PLACES, all_listen, opened, opened_in
from .story import HOW, Story

TAB = [open_tab("t1")]
LISTENS = [*TAB, turn("a", listen())]
POSTS = turn("t1/a", *opened(), post(1, "c"))
CONNECTS = turn("t1/a", *opened())


def tell_connecting() -> Iterator[Story]:
    """Rules 1 and 5."""
    history = [*LISTENS, POSTS]
    yield Story(1, "connect returns an open port at once, and on_connect fires only after the call.", history)
    sentence = "on_connect, the messages and the end come in this order, although all was done in one turn."
    yield Story(5, sentence, [*LISTENS, turn("t1/a", *opened(), post(1, "c"), post(2, "c"), disconnect("c"))])


def tell_listening(scope: Scope) -> Iterator[Story]:
    """Rules 7, 15, 29 and 31."""
    yield Story(
        7,
        "A listener of on_connect that disconnects ends a connection that there was: the opener gets an orderly end.",
        [*TAB, turn("a", listen(disconnect(None))), POSTS],
    )
    yield Story(7, "A listener of on_connect may post at once.", [*TAB, turn("a", listen(post("hello", None))), POSTS])
    sentence = "Messages and the end are delivered while an async listener of on_connect is still running."
    both = turn("t1/a", *opened(), post(1, "c"), post(2, "c"))
    history = [*TAB, turn("a", listen(stay())), both, turn("t1/a", disconnect("c"))]
    yield Story(15, sentence, history)
    if scope.listeners_raise:
        history = [*TAB, turn("a", listen(throw())), both]
        yield Story(7, "A listener of on_connect that raises does not undo the connection.", history)
    else:
        raises = add_listener("on_message", "raises", throw(), port=None)
        entered = [*TAB, turn("a", listen(raises, heard=False)), turn("t1/a", *opened()), enter("a", "c")]
        history = [*entered, turn("t1/a", post(1, "c")), leave("a", "return", "c")]
        yield Story(31, "What a listener of a context's port raises leaves through the port's block.", history)
    sentence = "A received port that nobody listens to keeps its messages for a listener that is added later."
    yield Story(15, sentence, [*TAB, turn("a", listen(heard=False)), POSTS, turn("a", hear("c"))])
    drops = add_listener("on_connect", "drops", remove_listener("on_connect", "second", port=None), port=None)
    second = add_listener("on_connect", "second", port=None)
    history = [*TAB, turn("a", drops, second, listen()), POSTS]
    yield Story(29, "A listener of on_connect that an earlier one removes is not called.", history)


def tell_descriptions() -> Iterator[Story]:
    """Rules 8 and 9."""
    for name in ("", "a name", "c"):
        history = [*LISTENS, turn("t1/a", *opened(name=name))]
        yield Story(8, f"Both ends of a runtime.connect have the name that was given: {name!r}.", history)
        history = [*TAB, turn("t1/a", listen()), turn("a", *opened_in("t1", name=name))]
        yield Story(8, f"Both ends of a tabs.connect have the name that was given: {name!r}.", history)
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
        history = [*described, turn(opener, *opened(extension="b"))]
        yield Story(9, f"sender describes {who} to another extension.", history)
    history = [*described, turn("t1/web", *opened(extension="b"))]
    yield Story(9, "sender describes a web page, which has no extension.", history)
    for opener in ("a", "p1/a", "g1/a"):
        sentence = f"sender describes {PLACES[opener]} to the content scripts that it reaches by tabs.connect."
        yield Story(9, sentence, [*described, turn(opener, *opened_in("t1"))])


def tell_closing() -> Iterator[Story]:
    """Rules 9, 20 and 27."""
    history = [*LISTENS, POSTS, turn("a", close_context())]
    yield Story(20, "When the receiving context closes the opener gets an orderly end.", history)
    history = [*LISTENS, POSTS, turn("t1/a", post(2, "c"), close_context())]
    yield Story(20, "When the opening context closes the receiver gets the last message and an orderly end.", history)
    ways = {"return": "ends", "cancel": "is cancelled", "crash": "is left by an exception"}
    for at, who in (("a", "receiving"), ("t1/a", "opening")):
        for how in HOW:
            end = "an error" if how == "crash" else "an orderly end"
            history = [*LISTENS, enter(at, None), POSTS, leave(at, how, None)]
            yield Story(20, f"When the {who} context's block {ways[how]} the other side gets {end}.", history)
    frame = [open_tab("t1"), open_frame("f1", "t1"), turn("a", listen()), turn("f1/a", *opened())]
    other = [open_tab("t1"), turn("b", listen()), turn("t1/b", *opened())]
    for last, what in ((navigate("t1"), "navigated"), (close("t1"), "closed")):
        history = [*LISTENS, POSTS, last]
        yield Story(27, f"When a tab is {what} its content script's ports end without an error.", history)
        yield Story(27, f"When a tab is {what} the ports of its frames end too.", [*frame, last])
        yield Story(27, f"When a tab is {what} the ports of every extension's content script end.", [*other, last])
    yield Story(27, "When a frame is closed its content script's ports end.", [*frame, close("f1")])
    nested = [open_tab("t1"), open_frame("f1", "t1"), open_frame("f2", "f1"), turn("a", listen())]
    nested += [turn("f2/a", *opened("inner")), turn("t1/a", *opened("outer"))]
    for last, what in ((close("f1"), "closed"), (navigate("f1"), "navigated")):
        yield Story(27, f"When a frame is {what} the ports of the frames in it end, and no others.", [*nested, last])
    history = [*LISTENS, POSTS, turn("t1/a", *opened("d"), disconnect("c")), turn("t1/a", post(2, "d"))]
    yield Story(27, "When one connection ends another one between the same contexts goes on.", history)
    listens = [open_tab("t1"), turn("b", listen(event="on_connect_external"))]
    history = [*listens, turn("t1/a", *opened(extension="b")), uninstall("b")]
    yield Story(20, "When an extension is uninstalled its ports end.", history)
    history = [*LISTENS, POSTS, navigate("t1"), CONNECTS]
    yield Story(9, "After a navigation sender names the new document and what the tab shows now.", history)


def tell_private_windows() -> Iterator[Story]:
    """Rules 65 and 66."""
    private = [open_tab("t1", web=True, incognito=True), *all_listen("a", "b")]
    sentence = "The background of an extension that is let into private windows hears its content script there."
    yield Story(65, sentence, [*private, turn("t1/b", *opened(), post(1, "c"))])
    history = [*private, turn("t1/b", listen()), turn("b", *opened_in("t1"), post(1, "c"))]
    yield Story(65, "It reaches that script by tabs.connect.", history)
    for opener, who in (("t1/b", "another extension's content script"), ("t1/web", "a web page")):
        history = [*private, turn(opener, *opened(extension="a"), post(1, "c"))]
        yield Story(65, f"An extension that is kept out of private windows is nobody for {who} there.", history)
    history = [*private, turn("t1/web", *opened(extension="b"), post(1, "c"))]
    yield Story(65, "A web page in a private window reaches an extension that is let in.", history)
    for view in ("popup", "devtools"):
        views = [*TAB, open_page("g1", "a", view=view), *all_listen("a", "g1/a")]
        for opener in ("a", "t1/a"):
            sentence = f"A {view} page hears {PLACES[opener]}, as other pages do."
            yield Story(66, sentence, [*views, turn(opener, *opened(), post(1, "c"))])
        history = [*views, turn("g1/a", *opened(), post(1, "c"))]
        yield Story(66, f"A {view} page connects to the background, and has no tab.", history)


def tell_two_pages() -> Iterator[Story]:
    """Rules 11, 26 and 27."""
    two = [open_tab("t1"), open_page("g1", "a", hidden=True), *all_listen("a", "g1/a"), CONNECTS]
    sentence = "Two pages both get what the opener posts, and what each of them posts reaches the opener only."
    yield Story(11, sentence, [*two, turn("t1/a", post(1, "c")), turn("a", post(2, "c")), turn("g1/a", post(3, "c"))])
    for first, other in (("a", "g1/a"), ("g1/a", "a")):
        goes_on = [turn("t1/a", post(1, "c")), turn(other, post(2, "c"))]
        history = [*two, turn(first, disconnect("c")), *goes_on]
        yield Story(26, "When one of two pages disconnects the opener and the other page go on.", history)
        history = [*two, turn(first, disconnect("c")), turn(other, disconnect("c"))]
        yield Story(26, "When both pages have disconnected the opener's on_disconnect fires.", history)
        history = [*two, turn(first, close_context()), *goes_on]
        yield Story(26, "When one of two pages closes the opener and the other page go on.", history)
    history = [*two, turn("t1/a", post(1, "c"), disconnect("c"))]
    yield Story(27, "Both pages get the opener's last message and its end.", history)


def tell_closing_at_once() -> Iterator[Story]:
    """Rules 5 and 20, where a context closes in the turn of the connect, or in a listener."""
    history = [*LISTENS, turn("t1/a", *opened(), post(1, "c"), by("a", close_context()))]
    yield Story(20, "A connect to a context that closes in the same turn ends in good order.", history)
    yield Story(
        5,
        "A receiver gets on_connect, the messages and the end of an opener whose context closes in the same turn.",
        [*LISTENS, turn("t1/a", *opened(), post(1, "c"), post(2, "c"), close_context())],
    )
    events: tuple[EventName, ...] = ("on_message", "on_disconnect")
    for event in events:
        closes, more = add_listener(event, "closes", close_context(), port="c"), add_listener(event, "more", port="c")
        sentence = f"After a listener of {event} has closed its own context no other listener is called there."
        posts = [turn("t1/a", post(1, "c"), post(2, "c")), turn("t1/a", disconnect("c"))]
        history = [*LISTENS, CONNECTS, turn("a", closes, more), *posts]
        yield Story(20, sentence, history)
    second = add_listener("on_connect", "second", port=None)
    sentence = "After a listener of on_connect has closed its own context no other listener is called there."
    yield Story(20, sentence, [open_tab("t1"), turn("a", listen(close_context()), second), CONNECTS])
