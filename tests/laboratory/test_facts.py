"""What both browsers are known to do with ports, played in both: the laboratory has to see it again.

Where the two differ, the expectation is a table by browser.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from laboratory.shared import story

from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports.testing._conformance.history.moves import (
    Move,
    add_listener,
    change,
    close,
    connect,
    connect_native,
    describe,
    disconnect,
    fill,
    hear,
    listen,
    navigate,
    open_frame,
    open_page,
    open_tab,
    post,
    remove_listener,
    tabs_connect,
    throw,
    turn,
    wait,
)

NOBODY = "Could not establish connection. Receiving end does not exist."
CLOSED = {
    "firefox": "Error: Attempt to postMessage on disconnected port",
    "chromium": "Error: Attempting to use a disconnected port object",
}
ENDED = ("end", None)
TAB = open_tab("t1")
PAIR = (TAB, turn("a", listen()), turn("t1/a", connect("p"), hear()))
"""A tab's content script connects to the background; both listen to everything."""


async def play(player: LaboratoryPlayer, *moves: Move) -> None:
    for move in moves:
        await player.play(move)


def told(player: LaboratoryPlayer, at: str, start: int = 0) -> list[tuple[str, Any]]:
    """Return what a context's listeners were called with, in short."""
    return [shorten(record) for record in player.contexts[at].log[start:]]


def shorten(record: dict[str, Any]) -> tuple[str, Any]:
    match record["event"]:
        case "on_message":
            return record["listener"], record["message"]
        case "on_disconnect":
            return record["listener"], record["error"]
        case "raised":
            return record["call"], record["error"]
        case event:
            return event, record["name"]


def kind(player: LaboratoryPlayer) -> str:
    return player.laboratory.browser.kind


@story
async def test_all_that_was_posted_arrives_before_the_end(player: LaboratoryPlayer) -> None:
    """A hundred messages and a disconnect in one turn with the connect: all arrive, in order."""
    await play(player, TAB, turn("a", listen()), turn("t1/a", connect("p"), hear(), fill(0, 100), disconnect()))
    assert told(player, "a") == [("on_connect", "p"), *(("message", number) for number in range(100)), ENDED]
    assert told(player, "t1/a") == []


@story
async def test_nobody_listens(player: LaboratoryPlayer) -> None:
    """From a content script and from the background; what was posted is gone, and the error comes once."""
    await play(player, TAB)
    for opener in "t1/a", "a":
        await play(player, turn(opener, connect("p"), hear(), post(1)))
        assert told(player, opener) == [("end", NOBODY)]
    assert set(player.results) == {"ok"}


@story
async def test_nobody_hears_itself(player: LaboratoryPlayer) -> None:
    """A context's own listener does not count."""
    await play(player, open_page("p1", "a"), turn("p1/a", listen(), connect("p"), hear()))
    assert told(player, "p1/a") == [("end", NOBODY)]


@story
async def test_an_unknown_extension_and_one_that_does_not_listen(player: LaboratoryPlayer) -> None:
    """The same error for both."""
    for extension in "nobody", "b":
        await play(player, turn("a", connect(extension, extension=extension), hear(extension)))
    assert told(player, "a") == [("end", NOBODY)] * 2


@story
async def test_only_the_other_end_is_told(player: LaboratoryPlayer) -> None:
    """Whoever disconnects gets no event; once more, from either side, nothing happens."""
    await play(player, *PAIR, turn("t1/a", *[disconnect()] * 3), turn("a", disconnect()))
    assert set(player.results) == {"ok"}
    assert (told(player, "t1/a"), told(player, "a", 1)) == ([], [ENDED])


@story
async def test_both_disconnect_at_once(player: LaboratoryPlayer) -> None:
    """Neither is told: the opener disconnects on a message, and the receiver had done so after posting it."""
    leave = add_listener("on_message", "leave", disconnect(None))
    await play(player, TAB, turn("a", listen()), turn("t1/a", connect("p"), leave, hear()))
    await play(player, turn("a", post("go"), disconnect()))
    assert told(player, "t1/a") == [("leave", "go"), ("message", "go")]
    assert told(player, "a") == [("on_connect", "p")]


@story
async def test_the_receiver_disconnects_in_its_on_connect(player: LaboratoryPlayer) -> None:
    """The opener is told, without an error."""
    await play(player, TAB, turn("a", listen(disconnect(None))), turn("t1/a", connect("p"), hear()))
    assert (told(player, "t1/a"), told(player, "a")) == ([ENDED], [("on_connect", "p")])


@story
async def test_posting_after_the_end_raises(player: LaboratoryPlayer) -> None:
    """On both sides, in on_disconnect too."""
    late = add_listener("on_disconnect", "late", post("late", None), port=None)
    await play(player, TAB, turn("a", listen(late)), turn("t1/a", connect("p"), hear()))
    await play(player, turn("t1/a", disconnect(), post(1)), turn("a", post(1)))
    closed = CLOSED[kind(player)]
    assert player.results[-3:] == ["ok", closed, closed]
    assert told(player, "t1/a") == []
    assert told(player, "a") == [("on_connect", "p"), ENDED, ("late", None), ("post", closed)]


@story
async def test_a_message_and_an_end_that_nobody_listens_for_are_lost(player: LaboratoryPlayer) -> None:
    """A listener that is added later gets neither."""
    message, end = hear()
    await play(player, TAB, turn("a", listen(heard=False)), turn("t1/a", connect("p"), post("early")))
    await play(player, turn("a", message), turn("t1/a", post("late"), disconnect()), turn("a", end))
    assert told(player, "a") == [("on_connect", "p"), ("message", "late")]
    # Chromium alone refuses to give the event of a port that has ended, if nobody had asked for it before.
    assert (player.results[-1] == "ok") == (kind(player) == "firefox")


@story
async def test_every_context_that_listens_gets_everything(player: LaboratoryPlayer) -> None:
    """And the opener gets the replies of all."""
    receivers = ("a", "p1/a", "p2/a")
    await play(player, TAB, open_page("p1", "a"), open_page("p2", "a"))
    for number, receiver in enumerate(receivers):
        await play(player, turn(receiver, listen(*hear(None, post(number, None)), heard=False)))
    await play(player, turn("t1/a", connect("p"), hear(), post("x")))
    for receiver in receivers:
        assert told(player, receiver) == [("on_connect", "p"), ("message", "x")]
    assert sorted(told(player, "t1/a")) == [("message", 0), ("message", 1), ("message", 2)]


@story
async def test_one_of_several_receivers_disconnects(player: LaboratoryPlayer) -> None:
    """The opener is told at once; the other receivers only in Firefox, in Chromium they post into nothing."""
    await play(player, open_page("p1", "a"), turn("p1/a", listen()), *PAIR, turn("p1/a", disconnect()))
    await play(player, turn("a", post(1)))
    assert told(player, "t1/a") == [ENDED]
    if kind(player) == "firefox":
        assert (told(player, "a", 1), player.results[-1]) == ([ENDED], CLOSED["firefox"])
    else:
        assert (told(player, "a", 1), player.results[-1]) == ([], "ok")


@story
async def test_one_of_several_receivers_goes_away(player: LaboratoryPlayer) -> None:
    """Firefox ends the connection, Chromium goes on with those that are left."""
    await play(player, open_page("p1", "a"), turn("p1/a", listen()), *PAIR, close("p1"))
    ends = [ENDED] if kind(player) == "firefox" else []
    assert (told(player, "t1/a"), told(player, "a", 1)) == (ends, ends)


@story
async def test_listeners_of_one_context_share_the_port(player: LaboratoryPlayer) -> None:
    """Two on_connect listeners get the same object; a listener added twice is called once."""
    first, second = (add_listener("on_connect", name, hear(None)[0], port=None) for name in ("first", "second"))
    await play(player, TAB, turn("a", first, second, first), turn("t1/a", connect("p"), post(1)))
    calls = [(record["listener"], record["port"]) for record in player.contexts["a"].log]
    assert calls == [("first", "p"), ("second", "p"), ("message", "p")]


@story
async def test_listeners_change_during_a_dispatch(player: LaboratoryPlayer) -> None:
    """Added: called from the next message on. Removed: Firefox skips it at once, Chromium still calls it."""
    changes = add_listener("on_message", "new", port=None), remove_listener("on_message", "old", port=None)
    changer, old = add_listener("on_message", "changer", *changes), add_listener("on_message", "old")
    await play(player, *PAIR, turn("a", changer, old), turn("t1/a", post(1), post(2)))
    kept = [] if kind(player) == "firefox" else [("old", 1)]
    first, second = [("message", 1), ("changer", 1), *kept], [("message", 2), ("changer", 2), ("new", 2)]
    assert told(player, "a", 1) == first + second


@story
async def test_a_listener_that_throws_stops_nothing(player: LaboratoryPlayer) -> None:
    """The others run, the port lives, the other end is told nothing."""
    bad, after = add_listener("on_message", "bad", throw()), add_listener("on_message", "after")
    await play(player, *PAIR, turn("a", bad, after), turn("t1/a", post(1), post(2)))
    assert told(player, "a", 1) == [(name, number) for number in (1, 2) for name in ("message", "bad", "after")]
    assert told(player, "t1/a") == []


@story
async def test_navigating_ends_the_ports_of_the_page(player: LaboratoryPlayer) -> None:
    """Without an error, as nothing is kept for going back; the new page has contexts of its own."""
    await play(player, *PAIR, navigate("t1"))
    assert told(player, "a", 1) == [ENDED]
    await play(player, turn("t1/a", connect("q")), turn("t1/a#0", describe("p")))
    assert told(player, "a", 2) == [("on_connect", "q")]
    assert player.results[-2:] == ["ok", "gone"]


@story
async def test_closing_a_tab_ends_its_ports(player: LaboratoryPlayer) -> None:
    """Without an error."""
    await play(player, *PAIR, close("t1"))
    assert told(player, "a", 1) == [ENDED]


@story
async def test_frames_end_one_by_one(player: LaboratoryPlayer) -> None:
    """A frame that is removed, and one that is navigated, take their own ports with them and no other's."""
    await play(player, *PAIR, open_frame("f1", "t1"), open_frame("f2", "t1"))
    await play(
        player, turn("f1/a", connect("removed")), turn("f2/a", connect("navigated")), close("f1"), navigate("f2")
    )
    ends = [record["port"] for record in player.contexts["a"].log if record["event"] == "on_disconnect"]
    assert ends == ["removed", "navigated"]
    await play(player, turn("a", post("still there")))
    assert player.results[-1] == "ok"


@story
async def test_tabs_connect_reaches_the_frames_that_listen(player: LaboratoryPlayer) -> None:
    """All of them, or the one that was named; a tab without any gives the error."""
    await play(player, TAB, open_frame("f1", "t1"), turn("a", tabs_connect("none", "t1"), hear("none")))
    await play(player, turn("t1/a", listen()), turn("f1/a", listen()))
    await play(player, turn("a", tabs_connect("all", "t1"), tabs_connect("sub", "t1", frame="f1")))
    await play(player, turn("a", tabs_connect("document", "t1", document="f1")))
    assert told(player, "a") == [("end", NOBODY)]
    assert [record["name"] for record in player.contexts["t1/a"].log] == ["all"]
    assert [record["name"] for record in player.contexts["f1/a"].log] == ["all", "sub", "document"]


@story
async def test_another_extension_comes_by_the_other_event(player: LaboratoryPlayer) -> None:
    """on_connect_external, and not on_connect."""
    await play(player, turn("b", listen(), listen(event="on_connect_external")))
    await play(player, turn("a", connect("p", extension="b"), hear(), post(1)))
    assert told(player, "b") == [("on_connect_external", "p"), ("message", 1)]
    sender = player.contexts["b"].log[0]["sender"]
    assert (sender["id"], "tab" in sender) == ("a", False)


@story
async def test_a_web_page_connects(player: LaboratoryPlayer) -> None:
    """Only in Chromium, and only to an extension that names it; the sender has no id."""
    await play(player, open_tab("t1", web=True), turn("b", listen(event="on_connect_external")))
    await play(player, turn("t1/web", connect("p", extension="b")))
    if kind(player) == "firefox":
        assert player.results[-1] != "ok"
        return
    (record,) = player.contexts["b"].log
    assert (record["sender"]["tab"], "id" in record["sender"]) == ("t1", False)
    await play(player, navigate("t1"))
    assert told(player, "b", 1) == [ENDED]


@story
async def test_the_sender_says_where_the_opener_lives(player: LaboratoryPlayer) -> None:
    """A frame's content script: its tab, frame and document; the opener's own port has no sender."""
    await play(player, TAB, open_frame("f1", "t1"), turn("a", listen()), turn("f1/a", connect("p")))
    await play(player, turn("f1/a", describe()), turn("a", describe()))
    mine, theirs = player.results[-2:]
    assert mine == {"name": "p", "sender": None, "error": None}
    sender = theirs["sender"]
    assert (sender["tab"], sender["frameId"], sender["documentId"]) == ("t1", "f1", "f1.1")
    assert (sender["url"], sender["id"]) == ("f1.1", "a")


@story
async def test_what_is_no_message(player: LaboratoryPlayer) -> None:
    """A function raises at the call in both; undefined is null in Chromium, and itself in Firefox."""
    await play(player, *PAIR, turn("t1/a", post({"$": "function"}), post({"$": "undefined"})))
    refused, posted = player.results[-2:]
    assert (refused != "ok", posted) == (True, "ok")
    undefined = {"firefox": {"$": "undefined"}, "chromium": None}[kind(player)]
    assert told(player, "a", 1) == [("message", undefined)]


@story
async def test_a_message_is_what_it_was_when_it_was_posted(player: LaboratoryPlayer) -> None:
    """What the sender changes afterwards is not seen."""
    await play(player, *PAIR, turn("t1/a", post([1]), change()))
    assert told(player, "a", 1) == [("message", [1])]


@story
async def test_there_is_no_such_native_application(player: LaboratoryPlayer) -> None:
    """Opened, then ended with the browser's words."""
    for port in "n", "m":
        await play(player, turn("a", connect_native(port, "nowhere.to.be.found"), hear(port)), wait("a", port, 1))
    text = {
        "firefox": "No such native application nowhere.to.be.found",
        "chromium": "Specified native messaging host not found.",
    }[kind(player)]
    assert told(player, "a") == [("end", text)] * 2


APPLICATION = f"""#!{sys.executable} -IS
import sys
while head := sys.stdin.buffer.read(4):
    body = sys.stdin.buffer.read(int.from_bytes(head, sys.byteorder))
    sys.stdout.buffer.write(head + body)
    sys.stdout.buffer.flush()
    if body == b'"exit"':
        break
"""


def install_application(player: LaboratoryPlayer) -> str:
    """Write an echo that leaves when it is asked to, and its manifest; the browser is already running."""
    folder, identity = player.laboratory.browser.manifest_folder, player.laboratory.extension_id("a")
    program = folder / "echo.py"
    program.write_text(APPLICATION)
    program.chmod(0o755)
    allowed = {
        "firefox": {"allowed_extensions": [identity]},
        "chromium": {"allowed_origins": [f"chrome-extension://{identity}/"]},
    }[kind(player)]
    manifest = {"name": "lab.echo", "description": "Echo", "path": str(program), "type": "stdio", **allowed}
    Path(folder / "lab.echo.json").write_bytes(msgspec.json.encode(manifest))
    return "lab.echo"


@story
async def test_a_native_application_answers_and_leaves(player: LaboratoryPlayer) -> None:
    """All that it wrote before it left is delivered before the end."""
    application = install_application(player)
    await play(player, turn("a", connect_native("n", application), hear("n"), post({"a": 1}, "n"), post("exit", "n")))
    await play(player, wait("a", "n", 3))
    error = {"firefox": None, "chromium": "Native host has exited."}[kind(player)]
    assert told(player, "a") == [("message", {"a": 1}), ("message", "exit"), ("end", error)]
