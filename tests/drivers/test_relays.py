"""Real browsers reach an application that runs: this one."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import trio
from drivers.laboratory import story
from drivers.test_facts import told

import trio_ports
from trio_ports import Port
from trio_ports._drivers import Lab, steps
from trio_ports.native import install, open_native_listener

NAME = "lab.relayed"
GONE = {"firefox": None, "chromium": "Native host has exited."}
PACKAGES = str(Path(trio_ports.__file__).parent.parent)
# The browser's environment has none of the test run's, so the package is named here.
START = f"import sys; sys.path.insert(0, {PACKAGES!r}); from trio_ports.cli import main; main()"


def install_relay(lab: Lab, folder: str) -> None:
    ids = [lab.extension_id(extension) for extension in "ab"]
    allowed: dict[str, Any] = {"allowed_extensions": ids}
    if lab.browser.kind == "chromium":
        allowed = {"allowed_origins": [f"chrome-extension://{each}/" for each in ids]}
    command = [sys.executable, "-P", "-c", START, "relay", "--folder", folder, NAME]
    install(NAME, command, manifest_folders=[lab.browser.manifest_folder], **allowed)


@story
async def test_two_extensions_reach_one_application(lab: Lab) -> None:
    """Each is known by its id and gets its own answers; either side's end is the other's, in good order."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        install_relay(lab, folder)
        async with open_native_listener(NAME, folder=folder) as listener:
            ports: dict[str, Port] = {}
            for extension in "ab":
                context = lab.background(extension)
                await lab.command(context, steps.connect_native("n", NAME), *steps.hear("n"))
                await lab.command(context, steps.post("n", [1, extension]))
                port = await listener.accept()
                assert port.sender is not None
                assert port.sender.id == lab.extension_id(extension)
                ports[extension] = port
            for extension in "ba":
                await ports[extension].send(["answer", await ports[extension].receive()])
            for extension in "ab":
                context = lab.background(extension)
                await lab.wait_until(lambda context=context: bool(told(lab, context)))
                assert told(lab, context) == [("message", ["answer", [1, extension]])]
            await lab.command(lab.background("a"), steps.disconnect("n"))
            await ports["a"].wait_disconnected()
            assert ports["a"].error is None
            ports["b"].post_message("last")
            ports["b"].disconnect()
            await lab.wait_until(lambda: len(told(lab, lab.background("b"))) == 3)
            assert told(lab, lab.background("b"))[1:] == [("message", "last"), ("disconnect", GONE[lab.browser.kind])]


@story
async def test_nobody_listens(lab: Lab) -> None:
    """The extension's port ends, as it does when an application exits."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        install_relay(lab, folder)
        background = lab.background("a")
        await lab.command(background, steps.connect_native("n", NAME), *steps.hear("n"))
        with trio.fail_after(30):
            await lab.wait_until(lambda: bool(told(lab, background)))
        assert told(lab, background) == [("disconnect", GONE[lab.browser.kind])]
