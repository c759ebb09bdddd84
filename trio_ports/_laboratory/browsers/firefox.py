"""Start a throw-away Firefox with extensions loaded, and remove every trace of it afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from .errors import BrowserStartError
from .find import find_browser
from .process import Browser, BrowserProcess
from .remote import Client, Marionette

START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02

PLACES: Final = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}
"""Variables that name a place in the user's home, if they are set."""
STOP_BACKGROUND: Final = """
    return WebExtensionPolicy.getByID(arguments[0]).extension.terminateBackground({ disableResetIdleForTest: true });
"""
PREFERENCES: Final = Path(__file__).with_name("user.js")


@asynccontextmanager
async def open_firefox(
    process: BrowserProcess, *extension_folders: Path, headless: bool = True
) -> AsyncGenerator[Browser]:
    """Start Firefox with the extensions loaded, and have it quit at the end of the block.

    Its profile and home are new and private, in the folder of the process; with that they are gone, cancelled or
    crashed too.

    Args:
        process: one in which nothing was started yet.
        extension_folders: unpacked extensions with an id in their manifest.
        headless: without a window.

    Raises:
        BrowserNotFoundError: none is installed.
        BrowserStartError: it ended, or answered nothing within a minute.
        BrowserCommandError: it refused an extension.
    """
    program = find_browser("firefox")
    profile = process.folder / "profile"
    profile.mkdir(parents=True)
    shutil.copy(PREFERENCES, profile)
    home = process.folder / "home"
    manifests = home / ".mozilla" / "native-messaging-hosts"
    manifests.mkdir(parents=True)
    command = [str(program), "--no-remote", "--profile", str(profile), "--marionette"]
    command += ["--remote-allow-system-access"]  # To stop an extension's background.
    command += ["--headless"] if headless else []
    await process.start(command, make_environment(home))
    async with await connect(process) as stream:
        client = Client(stream, Marionette())
        session = (await client.command("WebDriver:NewSession", {"capabilities": {}}))["capabilities"]

        async def load(folder: Path) -> str:
            answer = await client.command("Addon:Install", {"path": str(folder), "temporary": True})
            return str(answer["value"])

        async def stop_background(extension_id: str) -> None:
            await client.command("Marionette:SetContext", {"value": "chrome"})
            await client.command("WebDriver:ExecuteScript", {"script": STOP_BACKGROUND, "args": [extension_id]})

        ids = {each: await load(each.absolute()) for each in extension_folders}
        name, version = session["browserName"], session["browserVersion"]
        try:
            yield Browser("firefox", name, version, manifests, ids, load, stop_background)
        finally:
            await client.quit("Marionette:Quit", {"flags": ["eForceQuit"]})


def make_environment(home: Path) -> dict[str, str]:
    """Return what a browser's environment has beyond ours: another home, but still the user's display."""
    environment = {"HOME": str(home), "MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_DISABLE_AUTO_SAFE_MODE": "1"}
    environment |= {name: str(home / place) for name, place in PLACES.items() if name in os.environ}
    authority = Path.home() / ".Xauthority"
    if "XAUTHORITY" not in os.environ and authority.exists():
        environment["XAUTHORITY"] = str(authority)
    return environment


async def connect(process: BrowserProcess) -> trio.SocketStream:
    """Connect to Marionette as soon as Firefox has written its port into the profile, and listens there."""
    port_file = process.folder / "profile" / "MarionetteActivePort"
    with trio.move_on_after(START_SECONDS):
        # No event tells of either; Firefox takes some two seconds.
        while True:
            process.check_running()
            await trio.sleep(POLL_SECONDS)
            with suppress(OSError, ValueError):
                return await trio.open_tcp_stream("127.0.0.1", int(port_file.read_text()))
    raise BrowserStartError(f"Firefox did not open Marionette within {START_SECONDS:.0f} s", process.output())
