"""An echo with `trio_ports.native`: by a listener if the first argument says so, otherwise by a loop."""

import sys

import trio

from trio_ports.native import open_native_port


async def main() -> None:
    async with open_native_port() as port:
        if sys.argv[1] == "listener":
            port.on_message.add_listener(lambda message, port: port.post_message(message))
            await port.wait_disconnected()
        else:
            async for message in port:
                await port.send(message)


trio.run(main)
