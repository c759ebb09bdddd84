"""Histories for each row of the dialects' table, and for each finding: what drawing would hardly reach.

Each story is played in the real browsers and in the dialects, which have to agree; and when a row of the table is
flipped, one of them has to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
from differential.applications import NAME

from trio_ports.testing._conformance.history.moves import (
    EventName,
    History,
    Move,
    Step,
    add_listener,
    answer_later,
    answer_with,
    ask,
    ask_tab,
    close,
    connect,
    connect_native,
    disconnect,
    echo,
    hear,
    listen,
    load_again,
    lose,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    post_or_raise,
    promise,
    push_state,
    register_background,
    remove_listener,
    respond,
    stop_background,
    tabs_connect,
    throw,
    turn,
    wait,
)

MIB: Final = 1024 * 1024


@attrs.frozen
class Story:
    """One history, and the native application that it needs."""

    rule: str
    """What it shows, for the support matrix: the rule's number and a sentence."""
    history: Sequence[Move]
    plan: Sequence[Any] | None = None
    """What the application does: see `differential.applications`."""
    how: str = "well"
    """How that application is installed."""


def native(events: int, *steps: Step, at: str = "a", port: str = "n") -> History:
    """Connect to the application, do more in the same turn, and wait for so many events."""
    return [turn(at, connect_native(port, NAME), hear(port), *steps), wait(at, port, events)]


def opened(opener: str = "t1/a", receiver: str = "a", *more: Step, name: str = "p") -> History:
    """Connect a tab's content script with a context that listens."""
    return [turn(receiver, listen()), turn(opener, connect(name), hear(name), *more)]


def frames(*bodies: bytes) -> list[Any]:
    """Write frames, and wait for the end."""
    return [*(["frame", body.hex()] for body in bodies), ["eof"]]


def hears(listener: str, *actions: Step, event: EventName = "on_one_shot") -> Step:
    """Listen for one-shot messages."""
    return add_listener(event, listener, *actions, port=None)


def one_shot(name: str, *actions: Step) -> History:
    """Send a message to a background with one listener, which is called ``name`` as the message is."""
    gone = remove_listener("on_one_shot", name, port=None)
    return [turn("a", hears(name, *actions)), turn("t1/a", ask(name)), turn("a", gone)]


TAB: Final = open_tab("t1")
PAGE: Final = open_page("p1", "a")
SLEEPS: Final = register_background("s", listen(), listen(event="on_connect_external"))

STORIES: Final[dict[str, Story]] = {
    # Opening ----------------------------------------------------------------------------------------------------------
    "own_connect": Story(
        "2 · The opener's own context never hears its own connect",
        [turn("a", listen(), connect("p"), hear("p"))],
    ),
    "own_tab": Story(
        "2 · A page that calls tabs.connect with the tab that shows it",
        [PAGE, turn("p1/a", listen(), tabs_connect("p", "p1"), hear("p"), post(1)), turn("p1/a", disconnect())],
    ),
    "one_port_for_all_listeners": Story(
        "2 · All listeners of a context share one Port",
        [
            TAB,
            turn("a", listen(), add_listener("on_connect", "second", post("hello", None), port=None)),
            turn("t1/a", connect("p"), hear("p"), post(1)),
        ],
    ),
    "content_scripts_are_not_reached": Story(
        "3 · runtime.connect reaches the background and extension pages, no content script",
        [TAB, PAGE, turn("t1/a", listen()), turn("p1/a", listen()), turn("a", connect("p"), hear("p"), post(1))],
    ),
    "external": Story(
        "3 · Another extension: on_connect_external, never on_connect",
        [
            turn("b", listen(), listen(event="on_connect_external")),
            turn("a", connect("p", extension="b"), hear("p"), post(1)),
        ],
    ),
    "externally_connectable": Story(
        "3 · externally_connectable without ids keeps other extensions out",
        [turn("c", listen(event="on_connect_external")), turn("a", connect("p", extension="c"), hear("p"), post(1))],
    ),
    "frames_of_a_tab": Story(
        "4 · tabs.connect reaches every listening frame, or the one named",
        [
            TAB,
            open_frame("f1", "t1"),
            turn("t1/a", listen()),
            turn("f1/a", listen()),
            turn("a", tabs_connect("all", "t1"), hear("all"), tabs_connect("one", "t1", frame="f1"), hear("one")),
            turn("a", tabs_connect("top", "t1", frame="t1"), hear("top"), post(1, "top"), post(2, "all")),
            turn("a", tabs_connect("document", "t1", document="f1"), hear("document"), post(3, "document")),
        ],
    ),
    "document_of_another_tab": Story(
        "4 · tabs.connect with the id of a document in another tab reaches that document",
        [
            TAB,
            open_tab("t2"),
            turn("t1/a", listen()),
            turn("a", tabs_connect("p", "t2", document="t1"), hear("p"), post(1)),
        ],
    ),
    "document_of_no_tab": Story(
        "4 · tabs.connect to a tab that is not there reaches nobody, whatever the document",
        [TAB, turn("t1/a", listen()), turn("a", tabs_connect("p", "t2", document="t1"), hear("p"), post(1))],
    ),
    "document_in_another_frame": Story(
        "4 · tabs.connect with a frame and the id of a document in another frame",
        [
            TAB,
            open_frame("f1", "t1"),
            turn("t1/a", listen()),
            turn("f1/a", listen()),
            turn("a", tabs_connect("p", "t1", frame="f1", document="t1"), hear("p"), post(1)),
        ],
    ),
    "document_of_another_tabs_frame": Story(
        "4 · tabs.connect with a frame and the id of a document in another tab",
        [
            TAB,
            open_tab("t2"),
            open_frame("f1", "t2"),
            turn("t1/a", listen()),
            turn("a", tabs_connect("p", "t2", frame="f1", document="t1"), hear("p"), post(1)),
            turn("a", tabs_connect("q", "t2", frame="t2", document="t1"), hear("q"), post(1, "q")),
        ],
    ),
    "all_at_once": Story(
        "5 · Connect, a hundred posts and a disconnect in one turn: all arrive, in order, then the end",
        [
            TAB,
            turn("a", listen()),
            turn("t1/a", connect("p"), hear("p"), *(post(number) for number in range(100)), disconnect()),
        ],
    ),
    "nobody": Story(
        "6 · Nobody listens: on_disconnect once, later, with an error that tells nothing",
        [
            TAB,
            turn("t1/a", connect("p"), hear("p"), post(1)),
            turn("a", connect("q", extension="nobody"), hear("q"), tabs_connect("r", "t2"), hear("r")),
        ],
    ),
    "nobody_and_no_opener": Story(
        "6 · Nobody listens, and the opener disconnects in the same turn",
        [TAB, turn("t1/a", connect("p"), hear("p"), disconnect())],
    ),
    "refused": Story(
        "7 · The receiver disconnects inside on_connect: the opener is told, without error",
        [TAB, turn("a", listen(disconnect(None))), turn("t1/a", connect("p"), hear("p"), post(1))],
    ),
    "raising_connect_listener": Story(
        "7 · An on_connect listener that raises does not undo the connection",
        [TAB, turn("a", listen(throw())), turn("t1/a", connect("p"), hear("p"), post(1)), turn("a", post(2))],
    ),
    "senders": Story(
        "9 · What the sender says: of a background, a page, a content script and a frame",
        [
            TAB,
            PAGE,
            open_frame("f1", "t1"),
            turn("a", listen()),
            turn("p1/a", listen()),
            turn("b", listen(event="on_connect_external")),
            turn("a", connect("background")),
            turn("a", connect("outside", extension="b")),
            turn("p1/a", connect("page"), connect("page2", extension="b")),
            turn("t1/a", connect("script"), connect("script2", extension="b")),
            turn("f1/a", connect("frame")),
        ],
    ),
    "senders_by_tabs_connect": Story(
        "9 · What the sender says of an opener that calls tabs.connect",
        [
            TAB,
            PAGE,
            turn("t1/a", listen()),
            turn("a", tabs_connect("background", "t1")),
            turn("p1/a", tabs_connect("page", "t1")),
        ],
    ),
    # The life of contexts ---------------------------------------------------------------------------------------------
    "asleep": Story(
        "44 · A connect starts a background that is asleep; it gets what was posted meanwhile",
        [
            TAB,
            SLEEPS,
            turn("t1/s", connect("p"), hear("p"), post(1), post(2), connect("q"), hear("q"), post(3, "q")),
            turn("s", post("answer")),
        ],
    ),
    "asleep_and_left_at_once": Story(
        "44 · Connect, post and disconnect in one turn, while the background is asleep",
        [TAB, SLEEPS, turn("t1/s", connect("p"), hear("p"), post(1), disconnect())],
    ),
    "asleep_for_others": Story(
        "44 · Another extension starts a background that is asleep",
        [SLEEPS, turn("a", connect("p", extension="s"), hear("p"), post(1))],
    ),
    "stopped": Story(
        "45 · A background is stopped: plain ends, and a connect starts another one",
        [
            TAB,
            SLEEPS,
            turn("t1/s", connect("p"), hear("p"), post(1)),
            turn("t1/s", listen()),
            turn("s", tabs_connect("q", "t1"), hear("q"), post(2, "q")),
            stop_background("s"),
            turn("t1/s", post("too late"), connect("r"), hear("r"), post(3, "r")),
            turn("s", post(4, "r")),
        ],
    ),
    "address_changes": Story(
        "48 · history.pushState: ports and sender.url stay",
        [
            TAB,
            *opened(),
            push_state("t1"),
            turn("t1/a", post("still here"), connect("q"), hear("q"), post("and again", "q")),
            turn("a", post("here too")),
            push_state("t1"),
            turn("t1/a", disconnect()),
        ],
    ),
    "address_of_a_frame_changes": Story(
        "48 · history.pushState in a frame",
        [TAB, open_frame("f1", "t1"), *opened("f1/a"), push_state("f1"), turn("f1/a", connect("q"), post(1, "q"))],
    ),
    "discarded": Story(
        "50 · A tab is discarded: plain ends; nobody is reached there before it is loaded again",
        [
            TAB,
            *opened(),
            turn("t1/a", listen()),
            turn("a", tabs_connect("q", "t1"), hear("q")),
            lose("t1", "discard"),
            turn("a", tabs_connect("r", "t1"), hear("r")),
            load_again("t1"),
            turn("t1/a", listen(), connect("s"), hear("s"), post(1, "s")),
            turn("a", tabs_connect("u", "t1"), hear("u"), post(2, "u")),
        ],
    ),
    # Messages ---------------------------------------------------------------------------------------------------------
    "several_receivers": Story(
        "11 · The opener's message goes to every receiver, a receiver's to the opener alone",
        [
            TAB,
            PAGE,
            turn("a", listen()),
            turn("p1/a", listen()),
            turn("t1/a", connect("p"), hear("p"), post(1)),
            turn("a", post(2)),
            turn("p1/a", post(3)),
        ],
    ),
    "every_value": Story(
        "13 · Any JSON value is a message",
        [
            TAB,
            *opened(),
            turn(
                "t1/a",
                *(post(value) for value in (None, False, 0, "", [], {}, -1.5, 1e300, "\x00\ud800", {"a": [{}]})),
            ),
        ],
    ),
    "no_message": Story(
        "12 · What cannot be encoded raises at the call and sends nothing",
        [TAB, *opened(), turn("t1/a", post({"$": "function"}), post(1))],
    ),
    "unheard_messages": Story(
        "15 · A message that nobody listens for is dropped on arrival",
        [
            TAB,
            turn("a", listen(heard=False)),
            turn("t1/a", connect("p"), post("early")),
            turn("a", hear("p")),
            turn("t1/a", post("late")),
        ],
    ),
    "many_messages": Story(
        "17 · How many messages may wait",
        [
            TAB,
            turn("a", listen(heard=False)),
            turn("t1/a", connect("p"), *(post(number) for number in range(1100))),
            turn("a", hear("p")),
            turn("t1/a", post("last")),
        ],
    ),
    "too_large": Story(
        "16 · A message over 64 MiB",
        [TAB, *opened(), turn("t1/a", post({"$": "long", "length": 64 * MIB}), post(1))],
    ),
    # Disconnecting ----------------------------------------------------------------------------------------------------
    "both_disconnect": Story(
        "19 · Both ends disconnect at once: neither is told",
        [
            TAB,
            turn("a", listen()),
            turn("t1/a", connect("p"), add_listener("on_message", "bye", disconnect(None)), hear("p")),
            turn("a", post("go"), disconnect()),
        ],
    ),
    "twice": Story(
        "22 · disconnect twice, inside on_disconnect, and after the other end went: nothing",
        [
            TAB,
            turn("a", listen(add_listener("on_disconnect", "again", disconnect(None), port=None))),
            turn("t1/a", connect("p"), hear("p"), disconnect(), disconnect()),
            turn("a", disconnect()),
        ],
    ),
    "posting_after_the_end": Story(
        "23 · post_message after the end, on either side, raises",
        [
            TAB,
            turn("a", listen(add_listener("on_disconnect", "late", post("late", None), port=None))),
            turn("t1/a", connect("p"), hear("p")),
            turn("t1/a", disconnect(), post(1)),
            turn("a", post(2)),
        ],
    ),
    "late_listener": Story(
        "24 · A listener added to on_disconnect after the end is not called",
        [
            TAB,
            turn("a", listen(heard=False)),
            turn("t1/a", connect("p")),
            turn("a", remove_listener("on_disconnect", "never")),
            turn("t1/a", disconnect()),
            turn("a", add_listener("on_disconnect", "late")),
        ],
    ),
    "late_event": Story(
        "24 · The events of a Port, first asked for after its end",
        [
            TAB,
            turn("a", listen(heard=False)),
            turn("t1/a", connect("p"), disconnect()),
            turn("a", add_listener("on_disconnect", "late")),
        ],
    ),
    "error_afterwards": Story(
        "25 · port.error, after the end",
        [turn("a", connect("p", extension="nobody"), hear("p"))],
    ),
    "a_receiver_disconnects": Story(
        "26 · One of several receivers disconnects",
        [
            TAB,
            PAGE,
            turn("a", listen()),
            turn("p1/a", listen()),
            turn("t1/a", connect("p"), hear("p")),
            turn("p1/a", disconnect()),
            turn("a", post("to whom?")),
            turn("t1/a", post("and I?")),
        ],
    ),
    "a_receiver_vanishes": Story(
        "26 · One of several receivers goes away",
        [
            TAB,
            PAGE,
            turn("a", listen()),
            turn("p1/a", listen()),
            turn("t1/a", connect("p"), hear("p")),
            close("p1"),
            turn("a", post("to whom?")),
            turn("t1/a", post("and I?")),
        ],
    ),
    "the_last_receiver_vanishes": Story(
        "26 · The last of several receivers goes away",
        [
            TAB,
            PAGE,
            open_page("p2", "a"),
            turn("p1/a", listen()),
            turn("p2/a", listen()),
            turn("t1/a", connect("p"), hear("p")),
            close("p1"),
            close("p2"),
            turn("t1/a", post(1)),
        ],
    ),
    "the_opener_vanishes": Story(
        "27 · The opener's tab is closed: every receiver is told, without error",
        [TAB, PAGE, turn("a", listen()), turn("p1/a", listen()), turn("t1/a", connect("p"), post(1)), close("t1")],
    ),
    "navigating": Story(
        "27 · A tab and a frame are led elsewhere: their ports end, without error, and no others",
        [
            TAB,
            open_frame("f1", "t1"),
            turn("a", listen()),
            turn("t1/a", connect("top"), hear("top")),
            turn("f1/a", connect("frame"), hear("frame")),
            navigate("f1"),
            turn("a", post(1, "top")),
            navigate("t1"),
            turn("t1/a", connect("new"), hear("new"), post(2, "new")),
        ],
    ),
    "a_frame_is_removed": Story(
        "27 · A frame is removed: its ports end, the tab's go on",
        [
            TAB,
            open_frame("f1", "t1"),
            turn("a", listen()),
            turn("t1/a", connect("top"), hear("top")),
            turn("f1/a", connect("frame"), hear("frame")),
            close("f1"),
            turn("a", post(1, "top")),
        ],
    ),
    "frames_in_frames": Story(
        "27 · A frame with a frame in it is led elsewhere, and then removed: the ports of both end, and no others",
        [
            TAB,
            open_frame("f1", "t1"),
            open_frame("f2", "f1"),
            turn("a", listen()),
            turn("t1/a", connect("top"), hear("top")),
            turn("f1/a", connect("outer"), hear("outer")),
            turn("f2/a", connect("inner"), hear("inner")),
            navigate("f1"),
            open_frame("f2", "f1"),
            turn("f2/a", connect("new"), hear("new")),
            close("f1"),
            turn("a", post(1, "top")),
        ],
    ),
    # Listeners --------------------------------------------------------------------------------------------------------
    "order_of_listeners": Story(
        "28 · Listeners are called in order; added twice counts once, removed and added again goes last",
        [
            TAB,
            *opened(),
            turn("a", add_listener("on_message", "one"), add_listener("on_message", "two")),
            turn("a", add_listener("on_message", "one"), remove_listener("on_message", "message")),
            turn("a", add_listener("on_message", "message"), remove_listener("on_message", "never")),
            turn("t1/a", post(1)),
        ],
    ),
    "added_during_a_dispatch": Story(
        "29 · A listener added during a dispatch is first called in the next one",
        [
            TAB,
            *opened(),
            turn("a", add_listener("on_message", "adds", add_listener("on_message", "new", port=None))),
            turn("t1/a", post(1), post(2)),
        ],
    ),
    "removed_during_a_dispatch": Story(
        "29 · A listener removed during a dispatch by an earlier one",
        [
            TAB,
            *opened(),
            turn(
                "a",
                add_listener("on_message", "drops", remove_listener("on_message", "old", port=None)),
                add_listener("on_message", "old"),
            ),
            turn("t1/a", post(1), post(2)),
        ],
    ),
    "removed_ender": Story(
        "29 · A listener of on_disconnect removed during its dispatch by an earlier one",
        [
            TAB,
            *opened(),
            turn(
                "a",
                add_listener("on_disconnect", "drops", remove_listener("on_disconnect", "old", port=None)),
                add_listener("on_disconnect", "old"),
            ),
            turn("t1/a", disconnect()),
        ],
    ),
    "removed_connect_listener": Story(
        "29 · A listener of on_connect removed during its dispatch by an earlier one",
        [
            TAB,
            turn(
                "a",
                add_listener("on_connect", "drops", remove_listener("on_connect", "old", port=None), port=None),
                add_listener("on_connect", "old", port=None),
            ),
            turn("t1/a", connect("p"), hear("p")),
        ],
    ),
    "disconnect_during_a_dispatch": Story(
        "30 · A listener disconnects: the others still get this message, and nothing after it",
        [
            TAB,
            turn("a", listen(add_listener("on_message", "bye", disconnect(None), port=None))),
            turn("a", add_listener("on_connect", "later", add_listener("on_message", "last", port=None), port=None)),
            turn("t1/a", connect("p"), hear("p"), post(1), post(2)),
        ],
    ),
    "raising_listener": Story(
        "31 · A listener that raises: the others run, the Port lives, the peer is not told",
        [
            TAB,
            turn("a", listen(add_listener("on_message", "bad", throw(), port=None))),
            turn("a", add_listener("on_connect", "later", add_listener("on_message", "last", port=None), port=None)),
            turn("t1/a", connect("p"), hear("p"), post(1), post(2)),
        ],
    ),
    "ended_listener": Story(
        "43 · A listener that posts after its own disconnect: the others run, and no other port ends",
        [
            TAB,
            turn("a", listen(add_listener("on_message", "bad", disconnect(None), post_or_raise("late"), port=None))),
            turn("a", add_listener("on_connect", "later", add_listener("on_message", "last", port=None), port=None)),
            turn("t1/a", connect("p"), hear("p"), connect("q"), hear("q"), post(1)),
            turn("t1/a", post(2, "q")),
        ],
    ),
    "echo": Story(
        "32 · Two messages and their answers",
        [
            TAB,
            turn("a", listen(add_listener("on_message", "echo", echo(), port=None))),
            turn("t1/a", connect("p"), hear("p"), post({"a": 1}), post([2])),
        ],
    ),
    # One-shot messages ------------------------------------------------------------------------------------------------
    "one_shot_to_nobody": Story(
        "60 · A one-shot message that nobody gets",
        [
            TAB,
            PAGE,
            turn("t1/a", ask("extension", extension="nobody")),
            turn("a", ask_tab("tab", "t9"), ask_tab("page", "p1"), ask_tab("frame", "t1", frame="nowhere")),
        ],
    ),
    "one_shot_senders": Story(
        "9 · What the sender of a one-shot message says",
        [
            TAB,
            PAGE,
            open_frame("f1", "t1"),
            *(turn(at, hears("silent")) for at in ("a", "p1/a", "t1/a")),
            turn("b", hears("external", event="on_one_shot_external")),
            turn("a", ask("own"), ask("other", extension="b"), ask_tab("script", "t1")),
            turn("p1/a", ask("own page"), ask("other page", extension="b"), ask_tab("page", "t1")),
            turn("t1/a", ask("own script"), ask("other script", extension="b")),
            turn("f1/a", ask("own frame")),
        ],
    ),
    "one_shot_reaches_all": Story(
        "60 · A one-shot message reaches the background and pages; by tabs.send_message every frame, or the one named",
        [
            TAB,
            PAGE,
            open_frame("f1", "t1"),
            *(turn(at, hears("silent")) for at in ("a", "p1/a", "t1/a", "f1/a")),
            turn("t1/a", ask("script", [None])),
            turn("p1/a", ask("page", {"a": 1})),
            turn("a", ask_tab("all", "t1"), ask_tab("one", "t1", frame="f1"), ask_tab("document", "t1", document="f1")),
        ],
    ),
    "one_shot_to_own_tab": Story(
        "60 · A page that calls tabs.send_message with the tab that shows it",
        [PAGE, turn("p1/a", hears("answers", respond("self"))), turn("p1/a", ask_tab("q", "p1"))],
    ),
    "one_shot_answers": Story(
        "61 · A listener answers by send_response, at once or later, or by a promise",
        [
            TAB,
            *one_shot("responds", respond([1])),
            *one_shot("twice", respond(1), respond(2)),
            *one_shot("promises", promise({"a": None})),
            *one_shot("agrees", promise(True)),
            *one_shot("says nothing", promise(None)),
            *one_shot("later", answer_later()),
            turn("a", respond("at last", "later"), respond("again", "later")),
        ],
    ),
    "one_shot_returned": Story(
        "61 · What a listener returns that is no promise", [TAB, *one_shot("returns", answer_with({"a": 1}))]
    ),
    "one_shot_refused": Story(
        "62 · A listener that returns nothing, or False",
        [TAB, *one_shot("nothing"), *one_shot("no", answer_with(False))],
    ),
    "one_shot_twice": Story(
        "61 · A listener that calls send_response and returns a promise, or raises",
        [
            TAB,
            *one_shot("promises", respond("responded"), promise("promised")),
            *one_shot("raises", respond("responded"), throw()),
        ],
    ),
    "one_shot_fails": Story(
        "63 · A listener that raises", [TAB, *one_shot("raises", throw()), *one_shot("later", answer_later())]
    ),
    "one_shot_function": Story(
        "63 · An answer that cannot be encoded", [TAB, *one_shot("function", respond({"$": "function"}))]
    ),
    "one_shot_listeners": Story(
        "62 · Several listeners, in one context and in two: the first answer counts",
        [
            TAB,
            PAGE,
            turn("a", hears("silent"), hears("later", answer_later()), hears("promises", promise("promised"))),
            turn("t1/a", ask("three")),
            turn("a", hears("responds", respond("responded"))),
            turn("t1/a", ask("four")),
            turn("a", *(remove_listener("on_one_shot", each, port=None) for each in ("promises", "responds"))),
            turn("p1/a", hears("page", respond("page"))),
            turn("t1/a", ask("page answers")),
            turn("p1/a", remove_listener("on_one_shot", "page", port=None), hears("page later", answer_later())),
            turn("t1/a", ask("pending")),
            turn("p1/a", respond("late", "pending")),
        ],
    ),
    "one_shot_removed_listener": Story(
        "29 · A listener of one-shot messages that was removed is not called",
        [TAB, *one_shot("removed"), turn("t1/a", ask("again"))],
    ),
    "one_shot_external": Story(
        "60 · A one-shot message from outside fires the other event",
        [
            turn("b", hears("own"), hears("external", respond("hello"), event="on_one_shot_external")),
            turn("a", ask("q", extension="b")),
            turn("c", hears("external", respond("hello"), event="on_one_shot_external")),
            turn("a", ask("refused", extension="c")),
        ],
    ),
    "one_shot_page_goes": Story(
        "64 · The page that was to answer is closed",
        [PAGE, turn("p1/a", hears("later", answer_later())), turn("a", ask_tab("q", "p1")), close("p1")],
    ),
    "one_shot_frame_goes": Story(
        "64 · One of two frames that were to answer is removed, and then the other one",
        [
            TAB,
            open_frame("f1", "t1"),
            turn("t1/a", hears("later", answer_later())),
            turn("f1/a", hears("later", answer_later())),
            turn("a", ask_tab("q", "t1")),
            close("f1"),
            close("t1"),
        ],
    ),
    "one_shot_silent_and_gone": Story(
        "64 · A frame has nothing to say, and the tab that was to answer is closed",
        [
            TAB,
            open_frame("f1", "t1"),
            turn("t1/a", hears("later", answer_later())),
            turn("f1/a", hears("silent")),
            turn("a", ask_tab("q", "t1")),
            close("t1"),
        ],
    ),
    "one_shot_sender_goes": Story(
        "64 · The sender's tab is closed: the answer has no effect",
        [
            TAB,
            turn("a", hears("later", answer_later())),
            turn("t1/a", ask("q")),
            close("t1"),
            turn("a", respond(1, "q")),
        ],
    ),
    # Native applications ----------------------------------------------------------------------------------------------
    "native_echo": Story(
        "8 · A native port's name; it carries messages both ways",
        native(2, post({"a": [1, None, "ü"]}, "n"), post("", "n")),
        [["echo"], ["echo"], ["eof"]],
    ),
    "native_content_script": Story(
        "8 · A content script connects to a native application",
        [TAB, turn("t1/a", connect_native("n", "nowhere.to.be.found"))],
    ),
    "native_missing": Story("37 · No manifest", native(1), [], "missing"),
    "native_forbidden": Story("37 · Not allowed for this extension", native(1), [], "forbidden"),
    "native_no_program": Story("37 · The program is missing", native(1), [], "no_program"),
    "native_not_executable": Story("37 · The program is not executable", native(1), [], "not_executable"),
    "native_no_interpreter": Story("37 · The program's interpreter is missing", native(1), [], "no_interpreter"),
    "native_bad_name": Story(
        "37 · A name that no application can have",
        [turn("a", connect_native("n", ".bad..name."), hear("n")), wait("a", "n", 0)],
    ),
    "native_exits": Story(
        "36 · It exits: all that it wrote is delivered, then the end",
        native(4),
        [["frame", b'"1"'.hex()], ["frame", b"2".hex()], ["frame", b"null".hex()]],
    ),
    "native_exits_with_a_status": Story(
        "36 · It exits with a status other than 0", native(2), [["frame", b"1".hex()], ["exit", 3]]
    ),
    "native_is_killed": Story("36 · A signal ends it", native(2), [["frame", b"1".hex()], ["kill", 9]]),
    "native_closes_stdout": Story(
        "36 · It closes standard output and lives on", native(2), [["frame", b"1".hex()], ["stdout"], ["eof"]]
    ),
    "native_closes_stdin": Story(
        "36 · It closes standard input and lives on: it is noticed when a message is posted",
        [*native(1), turn("a", post(1, "n")), wait("a", "n", 2)],
        [["stdin"], ["frame", b"1".hex()], ["stay"]],
    ),
    "native_truncated": Story(
        "36 · It ends inside a frame", native(2), [["frame", b"1".hex()], ["write", "0400000031"]]
    ),
    "native_invalid": Story("36 · It writes what is no JSON", native(2), frames(b"1", b"{nonsense", b"2")),
    "native_empty_frame": Story("36 · It writes an empty frame", native(2), frames(b"1", b"", b"2")),
    "native_two_values": Story("36 · It writes two values in one frame", native(2), frames(b"1", b"2 3", b"4")),
    "native_bom": Story("36 · It writes a byte order mark", native(2), frames(b"1", b"\xef\xbb\xbf2", b"3")),
    "native_invalid_utf8": Story("36 · It writes invalid UTF-8", native(3), frames(b"1", b'"a\xffb"', b"2")),
    "native_largest": Story("34 · It writes a message of 1 MiB", native(2), [["text", MIB], *frames(b"1")]),
    "native_too_large": Story(
        "34 · It writes a message of 1 MiB and a byte", native(1), [["text", MIB + 1], *frames(b"1")]
    ),
}
