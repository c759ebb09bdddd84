"""Real browsers reach an application that runs: this one."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import trio
from laboratory.shared import story
from laboratory.test_facts import told
from support import PATIENCE_SECONDS

import trio_ports
from trio_ports import Port
from trio_ports._laboratory.player import LaboratoryPlayer
from trio_ports.native import install, open_native_listener
from trio_ports.testing._conformance.history.moves import connect_native, disconnect, hear, post, turn, wait

NAME = "lab.relayed"
GONE = {"firefox": None, "chromium": "Native host has exited."}
PACKAGES = str(Path(trio_ports.__file__).parent.parent)
# The browser's environment has none of the test run's, so the package is named here.
START = f"import sys; sys.path.insert(0, {PACKAGES!r}); from trio_ports.cli import main; main()"


def install_relay(player: LaboratoryPlayer, folder: str) -> None:
    laboratory = player.laboratory
    ids = [laboratory.extension_id(extension) for extension in "ab"]
    allowed: dict[str, Any] = {"allowed_extensions": ids}
    if laboratory.browser.kind == "chromium":
        allowed = {"allowed_origins": [f"chrome-extension://{each}/" for each in ids]}
    command = [sys.executable, "-P", "-c", START, "relay", "--folder", folder, NAME]
    install(NAME, command, manifest_folders=[laboratory.browser.manifest_folder], **allowed)


@story
async def test_two_extensions_reach_one_application(player: LaboratoryPlayer) -> None:
    """Each is known by its id and gets its own answers; either side's end is the other's, in good order."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        install_relay(player, folder)
        async with open_native_listener(NAME, folder=folder) as listener:
            ports: dict[str, Port] = {}
            for extension in "ab":
                await player.play(turn(extension, connect_native("n", NAME), hear("n"), post([1, extension], "n")))
                port = await listener.accept()
                assert port.sender is not None
                assert port.sender.id == player.laboratory.extension_id(extension)
                ports[extension] = port
            for extension in "ba":
                await ports[extension].send(["answer", await ports[extension].receive()])
            for extension in "ab":
                await player.play(wait(extension, "n", 1))
                assert told(player, extension) == [("message", ["answer", [1, extension]])]
            await player.play(turn("a", disconnect("n")))
            await ports["a"].wait_disconnected()
            assert ports["a"].error is None
            ports["b"].post_message("last")
            ports["b"].disconnect()
            await player.play(wait("b", "n", 3))
            assert told(player, "b", 1) == [("message", "last"), ("end", GONE[player.laboratory.browser.kind])]


@story
async def test_nobody_listens(player: LaboratoryPlayer) -> None:
    """The extension's port ends, as it does when an application exits."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        install_relay(player, folder)
        await player.play(turn("a", connect_native("n", NAME), hear("n")))
        with trio.fail_after(PATIENCE_SECONDS):
            await player.play(wait("a", "n", 1))
        assert told(player, "a") == [("end", GONE[player.laboratory.browser.kind])]
