"""An application that runs, and two browsers that reach it through relays."""

import sys
import tempfile

import trio

from trio_ports.native import connect_native, install, open_native_listener

NAME = "com.example.desktop"
FIREFOX = "notes@example.org"
CHROMIUM = "abcdefghijklmnopabcdefghijklmnop"


async def talk(port):
    async for message in port:
        await port.send(f"{message}, {port.sender.id}")


async def main() -> None:
    # A folder for this example's sake; with no folder given, the browsers' places and the user's own are meant.
    with tempfile.TemporaryDirectory() as folder:
        install(
            NAME,
            [sys.executable, "-m", "trio_ports", "relay", "--folder", folder, NAME],
            allowed_extensions=[FIREFOX],
            allowed_origins=[f"chrome-extension://{CHROMIUM}/"],
            manifest_folders=[folder],
        )
        async with open_native_listener(NAME, folder=folder) as listener, trio.open_nursery() as nursery:
            await nursery.start(listener.serve, talk)
            async with (
                connect_native(NAME, extension_id=FIREFOX, manifest_folders=[folder]) as firefox,
                connect_native(NAME, extension_id=CHROMIUM, manifest_folders=[folder]) as chromium,
            ):
                await firefox.send("hello")
                await chromium.send("good morning")
                print(await firefox.receive())  # hello, notes@example.org
                print(await chromium.receive())  # good morning, abcdefghijklmnopabcdefghijklmnop
            nursery.cancel_scope.cancel()


trio.run(main)
