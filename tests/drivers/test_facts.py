"""What both browsers are known to do with ports, played in both: the lab has to see it again.

Where the two differ, the expectation is a table by browser.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from drivers.laboratory import story

from trio_ports._drivers import Context, Event, Frame, Lab, steps

NOBODY = "Could not establish connection. Receiving end does not exist."
CLOSED = {
    "firefox": "Error: Attempt to postMessage on disconnected port",
    "chromium": "Error: Attempting to use a disconnected port object",
}
ENDED = ("disconnect", None)


def told(lab: Lab, context: Context) -> list[tuple[str, Any]]:
    """Return what a context was told, in short."""
    return [shorten(event) for event in lab.logs().get(context, ())]


def shorten(event: Event) -> tuple[str, Any]:
    match event.event:
        case "on_message":
            return str(event.listener), event.message
        case "on_disconnect" | "raised":
            return str(event.listener or event.call), event.error
        case _:
            return event.event, event.name


async def join(lab: Lab, opener: Context, receiver: Context, name: str = "p") -> None:
    """Connect two contexts, both listening to everything, and forget that it happened."""
    await lab.command(receiver, steps.listen())
    await lab.command(opener, steps.connect(name, name=name), *steps.hear(name))
    await lab.settle()
    assert told(lab, receiver)[-1] == ("on_connect", name)
    receiver.events.clear()


async def pair(lab: Lab) -> tuple[Frame, Context, Context]:
    """Open a tab, and connect its content script to the background."""
    tab, background = await lab.open_tab(), lab.background("a")
    script = tab.context("a")
    await join(lab, script, background)
    return tab, script, background


@story
async def test_all_that_was_posted_arrives_before_the_end(lab: Lab) -> None:
    """A hundred messages and a disconnect in one turn with the connect: all arrive, in order."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    await lab.command(background, steps.listen())
    posts = [steps.post("p", number) for number in range(100)]
    await lab.command(script, steps.connect("p", name="p"), *steps.hear("p"), *posts, steps.disconnect("p"))
    await lab.settle()
    assert told(lab, background) == [("on_connect", "p"), *(("message", number) for number in range(100)), ENDED]
    assert told(lab, script) == []


@story
async def test_nobody_listens(lab: Lab) -> None:
    """From a content script and from the background; what was posted is gone, and the error comes once."""
    for opener in (await lab.open_tab()).context("a"), lab.background("a"):
        results = await lab.command(opener, steps.connect("p"), *steps.hear("p"), steps.post("p", 1))
        assert all(result.error is None for result in results)
        await lab.settle()
        assert told(lab, opener) == [("disconnect", NOBODY)]


@story
async def test_nobody_hears_itself(lab: Lab) -> None:
    """A context's own listener does not count."""
    page = (await lab.open_page("a")).context("a")
    await lab.command(page, steps.listen(), steps.connect("p"), *steps.hear("p"))
    await lab.settle()
    assert told(lab, page) == [("disconnect", NOBODY)]


@story
async def test_an_unknown_extension_and_one_that_does_not_listen(lab: Lab) -> None:
    """The same error for both."""
    unknown = {"firefox": "nobody@trio-ports.invalid", "chromium": "a" * 32}[lab.browser.kind]
    background = lab.background("a")
    for extension in unknown, lab.extension_id("b"):
        await lab.command(background, steps.connect(extension, extension=extension), *steps.hear(extension))
        await lab.settle()
    assert told(lab, background) == [("disconnect", NOBODY)] * 2


@story
async def test_only_the_other_end_is_told(lab: Lab) -> None:
    """Whoever disconnects hears nothing; once more, from either side, nothing happens."""
    _, script, background = await pair(lab)
    results = await lab.command(script, *[steps.disconnect("p")] * 3)
    assert [result.error for result in results] == [None] * 3
    await lab.settle()
    await lab.command(background, steps.disconnect("p"))
    await lab.settle()
    assert (told(lab, script), told(lab, background)) == ([], [ENDED])


@story
async def test_both_disconnect_at_once(lab: Lab) -> None:
    """Neither is told: the opener disconnects on a message, and the receiver had done so after posting it."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    await lab.command(background, steps.listen())
    leave = steps.add_listener("on_message", "leave", steps.disconnect(), port="p")
    await lab.command(script, steps.connect("p", name="p"), leave, *steps.hear("p"))
    await lab.settle()
    await lab.command(background, steps.post("p", "go"), steps.disconnect("p"))
    await lab.settle()
    assert told(lab, script) == [("leave", "go"), ("message", "go")]
    assert told(lab, background) == [("on_connect", "p")]


@story
async def test_the_receiver_disconnects_in_its_on_connect(lab: Lab) -> None:
    """The opener is told, without an error."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    await lab.command(background, steps.listen("on_connect", steps.disconnect()))
    await lab.command(script, steps.connect("p", name="p"), *steps.hear("p"))
    await lab.settle()
    assert (told(lab, script), told(lab, background)) == ([ENDED], [("on_connect", "p")])


@story
async def test_posting_after_the_end_raises(lab: Lab) -> None:
    """On both sides, in on_disconnect too."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    late = steps.add_listener("on_disconnect", "late", steps.post(None, "late"))
    await lab.command(background, steps.listen("on_connect", late))
    await lab.command(script, steps.connect("p", name="p"), *steps.hear("p"))
    await lab.settle()
    (_, result) = await lab.command(script, steps.disconnect("p"), steps.post("p", 1))
    assert result.error == CLOSED[lab.browser.kind]
    await lab.settle()
    (result,) = await lab.command(background, steps.post("p", 1))
    assert result.error == CLOSED[lab.browser.kind]
    assert told(lab, script) == [("post", CLOSED[lab.browser.kind])]
    assert told(lab, background)[1:] == [ENDED, ("late", None), *[("post", CLOSED[lab.browser.kind])] * 2]


@story
async def test_a_message_and_an_end_that_nobody_listens_for_are_lost(lab: Lab) -> None:
    """A listener that is added later gets neither."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    await lab.command(background, steps.add_listener("on_connect", "only"))
    await lab.command(script, steps.connect("p", name="p"), steps.post("p", "early"))
    await lab.settle()
    await lab.command(background, steps.hear("p")[0])
    await lab.command(script, steps.post("p", "late"), steps.disconnect("p"))
    await lab.settle()
    await lab.command(background, steps.hear("p")[1])
    await lab.settle()
    # Chromium alone refuses to give the event of a port that has ended, if nobody had asked for it before.
    kept = [each for each in told(lab, background) if each[0] != "add_listener"]
    assert kept == [("on_connect", "p"), ("message", "late")]


@story
async def test_every_context_that_listens_gets_everything(lab: Lab) -> None:
    """And the opener gets the replies of all."""
    receivers = [lab.background("a"), *[(await lab.open_page("a")).context("a") for _ in range(2)]]
    script = (await lab.open_tab()).context("a")
    for number, receiver in enumerate(receivers):
        reply = steps.add_listener("on_message", "message", steps.post(None, number))
        await lab.command(receiver, steps.add_listener("on_connect", "on_connect", reply))
    await lab.command(script, steps.connect("p", name="p"), *steps.hear("p"), steps.post("p", "x"))
    await lab.settle()
    for receiver in receivers:
        assert told(lab, receiver) == [("on_connect", "p"), ("message", "x")]
    assert sorted(told(lab, script)) == [("message", 0), ("message", 1), ("message", 2)]


@story
async def test_one_of_several_receivers_disconnects(lab: Lab) -> None:
    """The opener is told at once; the other receivers only in Firefox, in Chromium they post into nothing."""
    tab, background = await lab.open_tab(), lab.background("a")
    page, script = (await lab.open_page("a")).context("a"), tab.context("a")
    await lab.command(page, steps.listen())
    await join(lab, script, background)
    await lab.command(page, steps.disconnect("p"))
    await lab.settle()
    (result,) = await lab.command(background, steps.post("p", 1))
    assert told(lab, script) == [ENDED]
    if lab.browser.kind == "firefox":
        assert (told(lab, background)[0], result.error) == (ENDED, CLOSED["firefox"])
    else:
        assert (told(lab, background), result.error) == ([], None)


@story
async def test_one_of_several_receivers_goes_away(lab: Lab) -> None:
    """Firefox ends the connection, Chromium goes on with those that are left."""
    tab, background, page = await lab.open_tab(), lab.background("a"), await lab.open_page("a")
    await lab.command(page.context("a"), steps.listen())
    await join(lab, tab.context("a"), background)
    await lab.close_tab(page)
    await lab.settle()
    ends = [ENDED] if lab.browser.kind == "firefox" else []
    assert (told(lab, tab.context("a")), told(lab, background)) == (ends, ends)


@story
async def test_listeners_of_one_context_share_the_port(lab: Lab) -> None:
    """Two on_connect listeners get the same object; a listener added twice is called once."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    first, second = (steps.add_listener("on_connect", name, steps.hear(None)[0]) for name in ("first", "second"))
    await lab.command(background, first, second, first)
    await lab.command(script, steps.connect("p", name="p"), steps.post("p", 1))
    await lab.settle()
    calls = [(event.listener, event.port) for event in lab.logs()[background]]
    assert calls == [("first", "p"), ("second", "p"), ("message", "p")]


@story
async def test_listeners_change_during_a_dispatch(lab: Lab) -> None:
    """Added: called from the next message on. Removed: Firefox skips it at once, Chromium still calls it."""
    _, script, background = await pair(lab)
    changes = [
        steps.add_listener("on_message", "new"),
        steps.remove_listener("on_message", "old"),
    ]
    await lab.command(
        background,
        steps.add_listener("on_message", "changer", *changes, port="p"),
        steps.add_listener("on_message", "old", port="p"),
    )
    await lab.command(script, steps.post("p", 1), steps.post("p", 2))
    await lab.settle()
    old = [] if lab.browser.kind == "firefox" else [("old", 1)]
    first, second = [("message", 1), ("changer", 1), *old], [("message", 2), ("changer", 2), ("new", 2)]
    assert told(lab, background) == first + second


@story
async def test_a_listener_that_throws_stops_nothing(lab: Lab) -> None:
    """The others run, the port lives, the other end is told nothing."""
    _, script, background = await pair(lab)
    await lab.command(
        background,
        steps.add_listener("on_message", "bad", steps.throw("on purpose"), port="p"),
        steps.add_listener("on_message", "after", port="p"),
    )
    await lab.command(script, steps.post("p", 1), steps.post("p", 2))
    await lab.settle()
    assert told(lab, background) == [(name, number) for number in (1, 2) for name in ("message", "bad", "after")]
    assert told(lab, script) == []


@story
async def test_navigating_ends_the_ports_of_the_page(lab: Lab) -> None:
    """Without an error, as nothing is kept for going back; the new page has contexts of its own."""
    tab, script, background = await pair(lab)
    await lab.navigate(tab)
    await lab.settle()
    assert told(lab, background) == [ENDED]
    assert script.gone.is_set()
    await join(lab, tab.context("a"), background, "q")


@story
async def test_closing_a_tab_ends_its_ports(lab: Lab) -> None:
    """Without an error."""
    tab, _, background = await pair(lab)
    await lab.close_tab(tab)
    await lab.settle()
    assert told(lab, background) == [ENDED]


@story
async def test_frames_end_one_by_one(lab: Lab) -> None:
    """A frame that is removed, and one that is navigated, take their own ports with them and no other's."""
    tab, _, background = await pair(lab)
    removed, navigated = await lab.open_frame(tab), await lab.open_frame(tab)
    await join(lab, removed.context("a"), background, "removed")
    await join(lab, navigated.context("a"), background, "navigated")
    await lab.close_frame(removed)
    await lab.settle()
    await lab.navigate(navigated)
    await lab.settle()
    assert [(event.event, event.port) for event in lab.logs()[background]] == [
        ("on_disconnect", "removed"),
        ("on_disconnect", "navigated"),
    ]
    (result,) = await lab.command(background, steps.post("p", "still there"))
    assert result.error is None


@story
async def test_tabs_connect_reaches_the_frames_that_listen(lab: Lab) -> None:
    """All of them, or the one that was named; a tab without any gives the error."""
    tab, background = await lab.open_tab(), lab.background("a")
    frame = await lab.open_frame(tab)
    scripts = [tab.context("a"), frame.context("a")]
    await lab.command(background, steps.tabs_connect("none", tab.tab), *steps.hear("none"))
    await lab.settle()
    for script in scripts:
        await lab.command(script, steps.listen())
    await lab.command(background, steps.tabs_connect("all", tab.tab, name="all"))
    await lab.command(background, steps.tabs_connect("sub", tab.tab, name="sub", frame=frame.id))
    await lab.command(background, steps.tabs_connect("document", tab.tab, name="document", document=frame.document))
    await lab.settle()
    assert told(lab, background) == [("disconnect", NOBODY)]
    assert [event.name for event in lab.logs()[scripts[0]]] == ["all"]
    assert [event.name for event in lab.logs()[scripts[1]]] == ["all", "sub", "document"]


@story
async def test_another_extension_comes_by_the_other_event(lab: Lab) -> None:
    """on_connect_external, and not on_connect."""
    ours, theirs = lab.background("a"), lab.background("b")
    await lab.command(theirs, steps.listen("on_connect"), steps.listen("on_connect_external"))
    await lab.command(ours, steps.connect("p", name="p", extension=lab.extension_id("b")), *steps.hear("p"))
    await lab.command(ours, steps.post("p", 1))
    await lab.settle()
    assert told(lab, theirs) == [("on_connect_external", "p"), ("message", 1)]
    sender = lab.logs()[theirs][0].sender
    assert sender is not None
    assert (sender["id"], "tab" in sender) == (lab.extension_id("a"), False)


@story
async def test_a_web_page_connects(lab: Lab) -> None:
    """Only in Chromium, and only to an extension that names it; the sender has no id."""
    tab = await lab.open_tab(web=True)
    page = tab.context("web")
    if lab.browser.kind == "firefox":
        (result,) = await lab.command(page, steps.connect("p", extension=lab.extension_id("b")))
        assert result.error is not None
        return
    theirs = lab.background("b")
    await lab.command(theirs, steps.listen("on_connect_external"))
    await lab.command(page, steps.connect("p", name="p", extension=lab.extension_id("b")), *steps.hear("p"))
    await lab.settle()
    (event,) = lab.logs()[theirs]
    assert event.sender is not None
    assert (event.sender["tab"], "id" in event.sender) == (tab.tab, False)
    await lab.navigate(tab)
    await lab.settle()
    assert told(lab, theirs)[1:] == [ENDED]


@story
async def test_the_sender_says_where_the_opener_lives(lab: Lab) -> None:
    """A frame's content script: its tab, frame and document; the opener's own port has no sender."""
    tab, background = await lab.open_tab(), lab.background("a")
    frame = await lab.open_frame(tab)
    await join(lab, frame.context("a"), background)
    (mine,) = await lab.command(frame.context("a"), steps.describe("p"))
    assert mine.value == {"name": "p", "sender": None, "error": None}
    (result,) = await lab.command(background, steps.describe("p"))
    sender = result.value["sender"]
    assert (sender["tab"], sender["frameId"], sender["documentId"]) == (tab.tab, frame.id, frame.document)
    assert (sender["url"], sender["id"]) == (frame.url, lab.extension_id("a"))


@story
async def test_what_is_no_message(lab: Lab) -> None:
    """A function raises at the call in both; undefined is null in Chromium, and itself in Firefox."""
    _, script, background = await pair(lab)
    function, _ = await lab.command(script, steps.post("p", {"$": "function"}), steps.post("p", {"$": "undefined"}))
    assert function.error is not None
    await lab.settle()
    undefined = {"firefox": {"$": "undefined"}, "chromium": None}[lab.browser.kind]
    assert told(lab, background) == [("message", undefined)]


@story
async def test_there_is_no_such_native_application(lab: Lab) -> None:
    """Opened, then ended with the browser's words."""
    background = lab.background("a")
    await lab.command(background, steps.connect_native("n", "nowhere.to.be.found"), *steps.hear("n"))
    await lab.wait_until(lambda: bool(told(lab, background)))
    await lab.command(background, steps.connect_native("m", "nowhere.to.be.found"), *steps.hear("m"))
    await lab.settle(quiet_seconds=0.2)
    text = {
        "firefox": "No such native application nowhere.to.be.found",
        "chromium": "Specified native messaging host not found.",
    }[lab.browser.kind]
    assert told(lab, background) == [("disconnect", text)] * 2


APPLICATION = f"""#!{sys.executable} -IS
import sys
while head := sys.stdin.buffer.read(4):
    body = sys.stdin.buffer.read(int.from_bytes(head, sys.byteorder))
    sys.stdout.buffer.write(head + body)
    sys.stdout.buffer.flush()
    if body == b'"exit"':
        break
"""


def install_application(lab: Lab) -> str:
    """Write an echo that leaves when it is told to, and its manifest; the browser is already running."""
    program = lab.browser.manifest_folder / "echo.py"
    program.write_text(APPLICATION)
    program.chmod(0o755)
    allowed = {
        "firefox": {"allowed_extensions": [lab.extension_id("a")]},
        "chromium": {"allowed_origins": [f"chrome-extension://{lab.extension_id('a')}/"]},
    }[lab.browser.kind]
    manifest = {"name": "lab.echo", "description": "Echo", "path": str(program), "type": "stdio", **allowed}
    Path(lab.browser.manifest_folder / "lab.echo.json").write_bytes(msgspec.json.encode(manifest))
    return "lab.echo"


@story
async def test_a_native_application_answers_and_leaves(lab: Lab) -> None:
    """All that it wrote before it left is delivered before the end."""
    background = lab.background("a")
    await lab.command(background, steps.connect_native("n", install_application(lab)), *steps.hear("n"))
    await lab.command(background, steps.post("n", {"a": 1}), steps.post("n", "exit"))
    await lab.settle(quiet_seconds=0.5)
    error = {"firefox": None, "chromium": "Native host has exited."}[lab.browser.kind]
    assert told(lab, background) == [("message", {"a": 1}), ("message", "exit"), ("disconnect", error)]
