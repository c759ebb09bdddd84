"""Players: what those of one connection cannot be asked, and what only those in browsers do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import trio_ports
from trio_ports.testing import moves, open_browser_player, open_port_player


def test_ends_have_no_tabs() -> None:
    """What belongs to a world cannot be asked of the ends of one connection."""

    async def main() -> None:
        async with open_port_player(lambda nursery: trio_ports.open_port_pair(nursery)) as player:
            asked: list[tuple[Any, Any]] = [
                (player.tab_number, "t1"),
                (player.frame_number, "t1"),
                (player.document_of, "t1"),
            ]
            for question, about in asked:
                with pytest.raises(NotImplementedError):
                    question(about)

    trio.run(main)


async def test_a_native_application_is_waited_for(tmp_path: Path) -> None:
    """A move waits for what another process decides; a port describes itself until its context has closed."""
    async with open_browser_player(partial(trio_ports.open_browser, manifest_folders=[tmp_path])) as player:
        await player.play(moves.turn("a", moves.connect_native("n", "not.there"), moves.hear("n")))
        await player.play(moves.wait("a", "n", 1))
        (record,) = player.contexts["a"].log
        assert (record["event"], record["error"]) == ("on_disconnect", "manifest-not-found")
        await player.play(moves.turn("a", moves.describe("n"), moves.close_context(), moves.describe("n")))
        described = {"name": "not.there", "sender": None, "error": "manifest-not-found"}
        assert player.results[-3:] == [described, "ok", "gone"]


async def test_a_wait_in_vain(autojump_clock: trio.testing.MockClock) -> None:
    """It ends after a while."""
    async with open_browser_player(trio_ports.open_browser) as player:
        await player.play(moves.wait("a", "n", 1))
        assert player.contexts["a"].log == []


def test_native_applications_are_described_for_people() -> None:
    """As the call that a program would make."""
    assert moves.describe_step(moves.connect_native("n", "x.y")) == "n = runtime.connect_native('x.y')"
