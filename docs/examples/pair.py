"""One connection, its two ends in one program."""

import trio

import trio_ports


async def main() -> None:
    async with trio.open_nursery() as nursery:
        caller, answerer = trio_ports.open_port_pair(nursery, name="greetings")

        @answerer.on_message.add_listener
        def answer(message, port):
            port.post_message({"hello": message["name"]})

        async with caller:
            await caller.send({"name": "Ada"})
            print(await caller.receive())  # {'hello': 'Ada'}


trio.run(main)
