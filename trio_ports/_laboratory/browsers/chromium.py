"""Start a throw-away Chromium with extensions loaded, and remove every trace of it afterwards."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from .browser import Browser
from .cdp import Cdp
from .errors import BrowserGoneError, BrowserStartError
from .find import find_browser
from .firefox import make_environment
from .process import BrowserProcess

START_SECONDS: Final = 60.0
QUIT_SECONDS: Final = 3.0

ARGUMENTS: Final = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    # Nothing leaves the machine.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--no-proxy-server",
    "--no-pings",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    # Timers of a tab that is not in front run as in the one that is.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    # A page that is left is gone, and its ports with it: the back/forward cache would keep both.
    "--disable-features=BackForwardCache,LocalNetworkAccessChecks,Translate,MediaRouter,OptimizationHints",
    "--remote-debugging-pipe",
    "--enable-unsafe-extension-debugging",
)


@asynccontextmanager
async def open_chromium(
    process: BrowserProcess, *extension_folders: Path, home: Path | None = None, headless: bool = True
) -> AsyncGenerator[Browser]:
    """Start Chromium with the extensions loaded, and have it quit at the end of the block.

    The profile is new and private, in the folder of the process; with that both are gone, cancelled or crashed too.
    Service workers of extensions don't fall asleep, as a debugger is attached to them.

    Args:
        process: one in which nothing was started yet.
        extension_folders: unpacked extensions.
        home: stands for the user's home, and stays; a private one that is removed, if None.
        headless: without a window.

    Raises:
        BrowserNotFoundError: none is installed.
        BrowserStartError: it ended, or answered nothing within a minute.
        BrowserCommandError: it refused an extension.
    """
    program = find_browser("chromium")
    profile = process.folder / "profile"
    manifests = profile / "NativeMessagingHosts"
    manifests.mkdir(parents=True)
    home = home or process.folder / "home"
    home.mkdir(exist_ok=True)
    command = [str(program), f"--user-data-dir={profile}", *ARGUMENTS]
    command += ["--headless"] if headless else []
    # Chromium refuses to run as root with its sandbox.
    command += ["--no-sandbox"] if os.geteuid() == 0 else []
    cdp = Cdp(await process.start_with_pipe([*command, "about:blank"], make_environment(home)))
    try:
        with trio.fail_after(START_SECONDS):
            product = (await cdp.command("Browser.getVersion"))["product"]
    except (BrowserGoneError, trio.TooSlowError) as error:
        raise BrowserStartError("Chromium did not answer", process.output()) from error
    workers = [{"type": "service_worker"}]
    await cdp.command(
        "Target.setAutoAttach",
        {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True, "filter": workers},
    )
    ids: dict[Path, str] = {}
    for each in extension_folders:
        answer = await cdp.command("Extensions.loadUnpacked", {"path": str(each.absolute())})
        ids[each] = answer["id"]
    name, _, version = product.partition("/")
    try:
        yield Browser("chromium", name, version, home, manifests, ids)
    finally:
        await quit_politely(cdp)


async def quit_politely(cdp: Cdp) -> None:
    """Ask Chromium to quit, so that native applications meet their end of file; whatever happens, it is ended next."""
    with trio.move_on_after(QUIT_SECONDS, shield=True), suppress(BrowserGoneError):
        await cdp.command("Browser.close")
        await cdp.wait_gone()
