"""Rules 60 to 64: one-shot messages, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..history.generate import Scope
from ..history.moves import (
    NOBODY,
    EventName,
    Step,
    add_listener,
    answer_later,
    answer_with,
    ask,
    ask_tab,
    close,
    close_context,
    enter,
    install,
    leave,
    navigate,
    open_frame,
    open_page,
    open_tab,
    promise,
    remove_listener,
    respond,
    throw,
    turn,
)
from .routing import PLACES
from .story import HOW, Story

TAB = [open_tab("t1")]
TWO = [*TAB, open_page("g1", "a", hidden=True)]
ASKS = turn("t1/a", ask("q"))


def hears(listener: str, *actions: Step, event: EventName = "on_one_shot") -> Step:
    """Listen for one-shot messages, and answer as the actions say."""
    return add_listener(event, listener, *actions, port=None)


JSON_VALUES: tuple[Any, ...] = (None, False, 0, "", [1], {"a": 1})
SILENT, LATER = hears("silent"), hears("later", answer_later())


def tell_who_is_reached() -> Iterator[Story]:
    """Rules 9 and 60."""
    yield Story(60, "A background that listens gets a content script's message.", [*TAB, turn("a", SILENT), ASKS])
    everywhere = [
        open_tab("t1", web=True),
        open_frame("f1", "t1"),
        open_tab("t2"),
        open_page("p1", "a"),
        open_page("g1", "a", hidden=True),
        *[turn(at, hears("one")) for at in ("a", "b", "p1/a", "g1/a", "t1/a", "t1/b", "f1/a", "t2/a")],
        *[turn(at, hears("external", event="on_one_shot_external")) for at in ("a", "b", "p1/a", "g1/a")],
    ]
    for asker in ("a", "t1/a", "g1/a", "p1/a"):
        sentence = f"Among many contexts, {PLACES[asker]} sends to each other page of the extension, and nobody else."
        yield Story(60, sentence, [*everywhere, turn(asker, ask("q", {"a": [None]}))])
        history = [*everywhere, turn(asker, ask("q", extension="b"))]
        yield Story(60, f"Another extension gets the message of {PLACES[asker]} as one from outside.", history)
    for extension, what in (("a", "no web page sends to"), ("b", "that matches it a web page sends to")):
        sentence = f"An extension {what}, as none connects." if extension == "a" else f"An extension {what}."
        yield Story(60, sentence, [*everywhere, turn("t1/web", ask("q", extension=extension))])
    chooses = [*TAB, install("c", allows="b"), turn("c", hears("external", event="on_one_shot_external"))]
    for asker in ("a", "b"):
        sentence = f"An extension that allows one other extension treats {PLACES[asker]}'s message accordingly."
        yield Story(60, sentence, [*chooses, turn(asker, ask("q", extension="c"))])
    for tab, frame, document in (
        ("t1", None, None),
        ("t1", "t1", None),
        ("t1", "f1", None),
        ("t1", "nowhere", None),
        ("t1", None, "f1"),
        ("t2", None, "f1"),
        ("t3", None, None),
        ("p1", None, None),
    ):
        where = f"tab {tab}, frame {frame}, document {document}"
        history = [*everywhere, turn("a", ask_tab("q", tab, frame=frame, document=document))]
        yield Story(60, f"tabs.send_message reaches whom tabs.connect would reach: {where}.", history)
    history = [*everywhere, turn("p1/a", ask_tab("q", "p1"))]
    yield Story(60, "A page that sends to the tab that shows it does not reach itself.", history)


def tell_nobody() -> Iterator[Story]:
    """Rule 60."""
    for extension, who in ((None, "its own"), ("b", "another"), (NOBODY, "an absent")):
        history = [*TAB, turn("t1/a", ask("q", extension=extension))]
        yield Story(60, f"If nobody listens, whoever sends to {who} extension gets an error.", history)
    yield Story(60, "A context does not hear its own message.", [turn("a", SILENT), turn("a", ask("q"))])
    removed = remove_listener("on_one_shot", "silent", port=None)
    history = [*TAB, turn("a", SILENT), turn("a", removed), ASKS]
    yield Story(60, "A listener that was removed is nobody.", history)


def tell_answers(scope: Scope) -> Iterator[Story]:
    """Rules 61 and 63."""
    for value in JSON_VALUES:
        history = [*TAB, turn("a", hears("responds", respond(value))), ASKS]
        yield Story(61, f"send_response answers with any JSON value: {value!r}.", history)
        history = [*TAB, turn("a", hears("promises", promise(value))), ASKS]
        yield Story(61, f"An awaitable answers with any JSON value: {value!r}.", history)
    history = [*TAB, turn("a", hears("agrees", promise(True))), ASKS]
    yield Story(61, "An awaitable that returns True answers True.", history)
    history = [*TAB, turn("a", LATER), ASKS, turn("a", respond(1, "q"), respond(2, "q"))]
    yield Story(61, "A listener that returns True answers later, and once.", history)
    history = [*TAB, turn("a", hears("returns", answer_with({"a": 1}))), ASKS]
    yield Story(61, "What a listener returns is its answer.", history)
    history = [*TAB, turn("a", hears("refuses", answer_with(False))), ASKS]
    yield Story(61, "False is what a listener returns that has nothing to say.", history)
    history = [*TAB, turn("a", hears("twice", respond(1), respond(2))), ASKS]
    yield Story(61, "The first of two calls of send_response counts.", history)
    history = [*TAB, turn("a", hears("both", respond("responded"), promise("promised"))), ASKS]
    yield Story(61, "If a listener answers, and returns an awaitable as well, what comes first counts.", history)
    if scope.listeners_raise:
        history = [*TAB, turn("a", hears("raises", throw())), ASKS]
        yield Story(63, "What a listener raises reaches the sender as an error.", history)
        history = [*TAB, turn("a", hears("raises", throw()), LATER, hears("responds", respond(1))), ASKS]
        yield Story(63, "What a listener raises comes before the answers of later ones.", history)
        history = [*TAB, turn("a", hears("both", respond("responded"), throw())), ASKS]
        yield Story(61, "If a listener answers, and raises as well, what comes first counts.", history)


def tell_several() -> Iterator[Story]:
    """Rule 62."""
    answers = hears("responds", respond("responded"))
    for first, what in (
        (SILENT, "has nothing to say"),
        (LATER, "never answers"),
        (hears("p", promise(1)), "is slower"),
    ):
        history = [*TAB, turn("a", first, answers), ASKS]
        yield Story(62, f"Of two listeners, one of which {what}, the other's answer counts.", history)
    history = [*TAB, turn("a", SILENT, hears("silent too")), ASKS]
    yield Story(62, "If no listener has anything to say, the sender gets None.", history)
    for one, other in (("a", "g1/a"), ("g1/a", "a")):
        history = [*TWO, turn(one, SILENT), turn(other, answers), ASKS]
        yield Story(62, f"If {PLACES[one]} has nothing to say, the answer of {PLACES[other]} counts.", history)
        history = [
            *TWO,
            turn(one, LATER),
            turn(other, LATER),
            ASKS,
            turn(one, respond(1, "q")),
            turn(other, respond(2, "q")),
        ]
        yield Story(62, f"If two contexts answer later, the first one's counts: {PLACES[one]}.", history)
        history = [*TWO, turn(one, LATER), turn(other, SILENT), ASKS]
        yield Story(62, f"As long as {PLACES[one]} may answer, nothing is known.", history)
    history = [*TWO, turn("a", SILENT), turn("g1/a", SILENT), ASKS]
    yield Story(62, "If no context has anything to say, the sender gets None.", history)


def tell_leaving() -> Iterator[Story]:
    """Rule 64."""
    waits = [*TWO, turn("a", LATER), ASKS]
    yield Story(
        64, "When the page that was to answer closes, the sender gets an error.", [*waits, turn("a", close_context())]
    )
    for how in HOW:
        history = [*TWO, turn("a", LATER), enter("a", None), ASKS, leave("a", how, None)]
        yield Story(64, f"When that page's block is left ({how}), the sender gets an error.", history)
    history = [
        *TWO,
        turn("a", LATER),
        turn("g1/a", LATER),
        ASKS,
        turn("a", close_context()),
        turn("g1/a", respond(1, "q")),
    ]
    yield Story(64, "When one of two that were to answer closes, the other may still answer.", history)
    history = [*TWO, turn("a", SILENT), turn("g1/a", LATER), ASKS, turn("g1/a", close_context())]
    yield Story(
        64, "When one that was to answer closes, and another has nothing to say, the sender gets an error.", history
    )
    for last, what in ((close("t1"), "closes"), (navigate("t1"), "navigates"), (turn("t1/a", close_context()), "ends")):
        history = [*waits, last, turn("a", respond(1, "q"))]
        yield Story(64, f"When the sender's tab {what}, the answer has no effect.", history)
    tab = [*TAB, turn("t1/a", LATER), turn("a", ask_tab("q", "t1"))]
    for last, what in ((close("t1"), "closes"), (navigate("t1"), "navigates")):
        yield Story(64, f"When the tab that was to answer {what}, the sender gets an error.", [*tab, last])
