"""A background page whose conversation ends when the user closes the tab."""

import trio

from trio_ports import open_browser


async def main() -> None:
    async with open_browser() as browser, trio.open_nursery() as nursery:
        extension = browser.install("notes@example.org")
        background = extension.open_page("background.html")

        async def note_down(port):
            async for message in port:
                print(message)  # milk
            print("The page has gone.")  # The page has gone.
            nursery.cancel_scope.cancel()

        await nursery.start(background.runtime.serve, note_down)
        tab = browser.open_tab("https://example.com/")
        port = extension.inject(tab).runtime.connect()
        await port.send("milk")
        tab.close()


trio.run(main)
