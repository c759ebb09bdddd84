"""A process with a browser on a Zenoh bus, whose background page answers everything with itself.

Arguments: an address to connect to, and the lease in seconds. It says ``ready`` when others can call it.
"""

import contextlib
import sys

import trio

import trio_ports
from trio_ports.bus import open_zenoh_bus


async def main() -> None:
    async with (
        open_zenoh_bus(connect=[sys.argv[1]], lease_seconds=float(sys.argv[2])) as bus,
        trio_ports.open_browser(bus=bus) as browser,
    ):
        background = browser.install("notes@example.org").open_page()

        async def echo(port: trio_ports.Port) -> None:
            with contextlib.suppress(trio.BrokenResourceError):  # Whoever called may be killed.
                async for message in port:
                    if message == "leave":
                        nursery.cancel_scope.cancel()
                    await port.send(message)

        async with trio.open_nursery() as nursery:
            await nursery.start(background.runtime.serve, echo)
            print("ready", flush=True)


trio.run(main)
