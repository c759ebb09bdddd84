"""Start a throw-away Chromium with extensions loaded, and remove every trace of it afterwards."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from .errors import BrowserGoneError, BrowserStartError
from .find import find_browser
from .firefox import START_SECONDS, make_environment
from .process import Browser, BrowserProcess
from .remote import Cdp, Client

ARGUMENTS: Final = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    # What extensions write to their console is printed too.
    "--enable-logging=stderr",
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
    process: BrowserProcess, *extension_folders: Path, headless: bool = True
) -> AsyncGenerator[Browser]:
    """Start Chromium, as `open_firefox` starts Firefox; the same holds for its arguments and errors.

    Service workers of extensions don't fall asleep, as a debugger is attached to them.
    """
    program = find_browser("chromium")
    profile = process.folder / "profile"
    manifests = profile / "NativeMessagingHosts"
    manifests.mkdir(parents=True)
    home = process.folder / "home"
    home.mkdir()
    command = [str(program), f"--user-data-dir={profile}", *ARGUMENTS]
    command += ["--headless"] if headless else []
    # Chromium refuses to run as root with its sandbox.
    command += ["--no-sandbox"] if os.geteuid() == 0 else []
    pipe = await process.start([*command, "about:blank"], make_environment(home), pipe=True)
    client = Client(pipe, Cdp())
    try:
        with trio.fail_after(START_SECONDS):
            product = (await client.command("Browser.getVersion"))["product"]
    except (BrowserGoneError, trio.TooSlowError) as error:
        raise BrowserStartError("Chromium did not answer", process.output()) from error
    workers = [{"type": "service_worker"}]
    await client.command(
        "Target.setAutoAttach",
        {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True, "filter": workers},
    )

    async def load(folder: Path) -> str:
        return str((await client.command("Extensions.loadUnpacked", {"path": str(folder)}))["id"])

    ids = {each: await load(each.absolute()) for each in extension_folders}
    name, _, version = product.partition("/")

    async def stop_background(extension_id: str) -> None:
        for target in (await client.command("Target.getTargets"))["targetInfos"]:
            if target["type"] == "service_worker" and target["url"].startswith(f"chrome-extension://{extension_id}/"):
                await client.command("Target.closeTarget", {"targetId": target["targetId"]})

    try:
        yield Browser("chromium", name, version, manifests, ids, load, stop_background)
    finally:
        await client.quit("Browser.close")
