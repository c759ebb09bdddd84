"""Two processes that act as one browser: this one starts the other, which answers."""

import subprocess
import sys

import trio

from trio_ports import open_browser
from trio_ports.bus import open_zenoh_bus

ADDRESS = "tcp/127.0.0.1:17447"


async def answer():
    async with (
        open_zenoh_bus(listen=[ADDRESS]) as bus,
        open_browser(bus=bus) as browser,
        trio.open_nursery() as nursery,
    ):
        background = browser.install("notes@example.org").open_page()

        async def greet(port):
            async for message in port:
                await port.send({"hello": message["name"], "from": port.sender.url})

        await nursery.start(background.runtime.serve, greet)
        print("ready", flush=True)


async def ask():
    async with open_zenoh_bus(connect=[ADDRESS]) as bus, open_browser(bus=bus) as browser:
        await bus.wait_peers()
        page = browser.install("notes@example.org").inject(browser.open_tab("https://example.com/"))
        async with page.runtime.connect(name="greetings") as port:
            await port.send({"name": "Ada"})
            print(await port.receive())  # {'hello': 'Ada', 'from': 'https://example.com/'}


if sys.argv[1:] == ["answer"]:
    trio.run(answer)
else:
    with subprocess.Popen([sys.executable, __file__, "answer"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        trio.run(ask)
        process.terminate()
