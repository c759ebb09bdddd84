"""A content script and a background page that greet each other."""

import trio

from trio_ports import open_browser


async def main() -> None:
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background = extension.open_page("background.html")
        tab = browser.open_tab("https://example.com/")
        script = extension.inject(tab)

        @background.runtime.on_connect.add_listener
        def greet(port):
            port.post_message({"greeting": f"hello, {port.sender.url}"})

        async with script.runtime.connect(name="from-the-page") as port:
            print(await port.receive())  # {'greeting': 'hello, https://example.com/'}


trio.run(main)
