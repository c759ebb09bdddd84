"""End to end: real browsers start this package's native application through a manifest that `install` wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from differential.applications import allow
from differential.traces import show_message
from differential.worlds import World
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trio_ports import native
from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports._native.ping_pong import install_ping_pong
from trio_ports.testing import json_messages
from trio_ports.testing._conformance.history.moves import connect_native, disconnect, hear, post, turn, wait

MIB: Final = 1024 * 1024
PORT: Final = "ping_pong"


@pytest.fixture
def installed(world: World) -> Iterator[World]:
    """The example of MDN's page, installed for the player extension."""
    folder = Path(world.manifest_folder)
    install_ping_pong(folder, **allow(world.extension_ids["a"]))
    yield world
    native.uninstall("ping_pong", manifest_folders=[folder], launcher_folder=folder)


def converse(world: World, messages: list[Any], answers: int, *, end: bool = True) -> list[tuple[str, Any]]:
    """Post the messages to the application and return what was answered, and the error if it ended by itself."""

    async def story(player: LaboratoryPlayer) -> list[tuple[str, Any]]:
        posts = [post(message, PORT) for message in messages]
        await player.play(turn("a", connect_native(PORT, "ping_pong"), hear(PORT), posts))
        await player.play(wait("a", PORT, answers))
        if end:
            await player.play(turn("a", disconnect(PORT)))
            await player.play(wait("a", PORT, answers))
        log = player.contexts["a"].log
        return [(each["event"], each["message" if each["event"] == "on_message" else "error"]) for each in log]

    return world.laboratory.play(story)


def test_ping(installed: World) -> None:
    """``"ping"`` is answered with ``"pong"``, a text with itself; the end from the browser's side is told to nobody."""
    assert converse(installed, ["ping", "hällo \u2028"], 2) == [("on_message", "pong"), ("on_message", "hällo \u2028")]


def test_all_json_values(installed: World) -> None:
    """Whatever is JSON comes back as it was."""

    @settings(
        max_examples=5,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(json_messages().filter(lambda value: value != "ping"), min_size=30, max_size=30))
    def play(messages: list[Any]) -> None:
        answers = [message for _, message in converse(installed, messages, len(messages))]
        assert list(map(show_message, answers)) == list(map(show_message, messages))

    play()


def test_one_mib(installed: World) -> None:
    """A frame of 1 MiB exactly is carried back; of one byte more the application says why it can't be."""
    exact, more = ({"$": "long", "length": MIB - 2 + extra} for extra in (0, 1))
    first, second, third = converse(installed, [exact, more, "ping"], 3)
    assert first == ("on_message", exact)
    assert str(MIB) in second[1]["error"]
    assert third == ("on_message", "pong")


def test_a_flood(installed: World) -> None:
    """Five thousand messages posted in one turn are answered, in order."""
    numbers = list(range(5000))
    assert converse(installed, numbers, len(numbers)) == [("on_message", number) for number in numbers]


def test_the_applications_end(world: World) -> None:
    """An application that leaves its port's block has ended, without an error of its own; what it said comes first."""
    folder = Path(world.manifest_folder)
    program = folder / "leaves.py"
    program.write_text(LEAVES, encoding="utf-8")
    words = [sys.executable, "-P", str(program)]
    try:
        native.install(
            "ping_pong", words, manifest_folders=[folder], launcher_folder=folder, **allow(world.extension_ids["a"])
        )
        error = {"firefox": None, "chromium": "Native host has exited."}[world.kind]
        told = converse(world, ["one", "two"], 3, end=False)
        assert told == [("on_message", "one"), ("on_message", "bye"), ("on_disconnect", error)]
    finally:
        native.uninstall("ping_pong", manifest_folders=[folder], launcher_folder=folder)
        program.unlink()


LEAVES: Final = """
import trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port() as port:
        await port.send(await port.receive())
        await port.send("bye")
trio.run(main)
"""
