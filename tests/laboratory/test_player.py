"""The player of histories in real browsers: its results, its notes, and what it refuses."""

from __future__ import annotations

import pytest
import trio
from laboratory.shared import story
from support import PATIENCE_SECONDS

from trio_ports._laboratory import contexts
from trio_ports._laboratory.names import Names
from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports.testing._conformance.history.moves import (
    connect,
    enter,
    has_listener,
    listen,
    open_tab,
    post,
    turn,
    wait,
)


@story
async def test_steps_that_make_no_sense(player: LaboratoryPlayer) -> None:
    """A port that is not there, and a label that is taken, are the history's mistakes and in no log."""
    await player.play(turn("a", post(1), connect("p"), connect("p")))
    assert player.results == ["there is no port p", "ok", "there is a port p already"]
    assert [record["event"] for record in player.contexts["a"].log] == []


@story
async def test_a_move_that_no_browser_has(player: LaboratoryPlayer) -> None:
    """It is refused by its name."""
    with pytest.raises(ValueError, match="no move 'enter'"):
        await player.play(enter("a"))
    with pytest.raises(ValueError, match="no private windows"):
        await player.play(open_tab("t1", incognito=True))


@story
async def test_a_wait_in_vain(player: LaboratoryPlayer) -> None:
    """It ends after a while; the log shows what came until then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contexts, "WAIT_SECONDS", 0.4)
        with trio.fail_after(PATIENCE_SECONDS):
            await player.play(wait("a", "p", 1))
    assert player.contexts["a"].log == []


@story
async def test_every_value_is_told_apart(player: LaboratoryPlayer) -> None:
    """What JSON lacks, and what is too long to report."""
    values = [None, False, 0, "", {"": []}, "\ud800", "x" * 63, {"$": "long", "length": 1_000_000}, ["x" * 64]]
    await player.play(open_tab("t1"))
    await player.play(turn("a", listen()))
    await player.play(
        turn("t1/a", connect("p"), *map(post, values), post([{"$": "long", "length": 64}]), post({"$": "NaN"}))
    )
    nan = {"firefox": {"$": "NaN"}, "chromium": None}[player.laboratory.browser.kind]
    received = [record["message"] for record in player.contexts["a"].log if record["event"] == "on_message"]
    assert received == [*values, values[-1], nan]
    await player.play(turn("a", *[has_listener("on_connect", name, port=None) for name in ("on_connect", "other")]))
    assert player.results[-2:] == [True, False]


def test_a_sender_is_noted_with_names_for_numbers() -> None:
    """An address of an extension keeps its scheme; what has no name stays as it is."""
    names = Names({"abc": "a"})
    names.add("t1", "http://127.0.0.1/1", tab=5, frame=0, document="D1")
    names.add("t1", "http://127.0.0.1/2", tab=5, frame=0, document="D2")
    sender = {"id": "abc", "url": "http://127.0.0.1/2", "origin": "http://127.0.0.1", "tab": 5, "frameId": 0}
    assert names.note_sender({**sender, "documentId": "D1", "contextId": 9}) == {
        "id": "a",
        "url": "t1.2",
        "origin": True,
        "tab": "t1",
        "frameId": "t1",
        "documentId": "t1.1",
    }
    assert names.note_sender({"id": "x", "origin": "null", "documentId": "D3"}) == {
        "id": "x",
        "origin": "null",
        "documentId": "None",
    }
    urls = ("moz-extension://01234567-89ab-cdef-0123-456789abcdef/p", "x-extension://def/p")
    assert [names.note_sender({"url": url}) for url in urls] == [
        {"url": f"moz-extension://{{uuid}} {urls[0]}"},
        {"url": f"x-extension://def {urls[1]}"},
    ]
    assert names.note_sender({"url": "chrome-extension://abc/p"}) == {
        "url": "chrome-extension://{id} chrome-extension://abc/p"
    }
    assert names.note_sender(None) is None
