"""The scenes, in the order of the documentation page. Source: MDN, ``runtime.Port``, "Examples"."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from trio_ports import Cause, Event, Port, open_browser

from ..._native.ping_pong import install_ping_pong
from .stage import Stage

CHROMIUM_ID: Final = "knldjmfmopnpolahpmmgbagdohdnhkik"
FIREFOX_ID: Final = "ping_pong@example.org"
"""The extension's ids: native manifests have different fields for Firefox's and Chromium's."""


async def greeting(stage: Stage) -> None:
    """A content script and the background script."""
    async with open_browser(dialect=stage.dialect, observer=stage.observe) as browser:
        extension = browser.install("greetings@example.org")
        background = extension.open_page("background.html")
        tab = browser.open_tab("https://example.com/")
        page: Event[Callable[[], object]] = Event("page.on_clicked")
        button: Event[Callable[[], object]] = Event("button.on_clicked")
        console: list[str] = []

        # background-script.js
        @background.runtime.on_connect.add_listener
        def connected(port: Port) -> None:
            stage.follow(port, "background", "content script")
            port.post_message({"greeting": "hi there content script!"})

            @port.on_message.add_listener
            def answer(message: Any, port: Port) -> None:
                port.post_message({"greeting": f"the content script said: {message['greeting']}"})

            @button.add_listener
            def clicked() -> None:
                port.post_message({"greeting": "they clicked the button!"})

        # content-script.js
        my_port = extension.inject(tab).runtime.connect(name="port-from-cs")
        stage.follow(my_port, "content script", "background")
        my_port.on_message.add_listener(lambda message, _: console.append(message["greeting"]))
        my_port.post_message({"greeting": "hello from content script"})
        page.add_listener(lambda: my_port.post_message({"greeting": "they clicked the page!"}))

        # What follows
        await stage.heard("background", {"greeting": "hello from content script"})
        await stage.heard("content script", {"greeting": "hi there content script!"})
        await stage.heard("content script", {"greeting": "the content script said: hello from content script"})
        await stage.user("clicks the page", *page.listeners)
        await stage.heard("background", {"greeting": "they clicked the page!"})
        await stage.heard("content script", {"greeting": "the content script said: they clicked the page!"})
        await stage.user("clicks the extension's button", *button.listeners)
        await stage.heard("content script", {"greeting": "they clicked the button!"})
        await stage.user("closes the tab", tab.close)
        await stage.told_end("background")


async def tabs(stage: Stage) -> None:
    """Several content scripts, kept by the id of their tab."""
    async with open_browser(dialect=stage.dialect, observer=stage.observe) as browser:
        extension = browser.install("greetings@example.org")
        background = extension.open_page("background.html")
        sites = [browser.open_tab(f"https://{name}.example.com/") for name in ("news", "mail", "maps")]
        button: Event[Callable[[], object]] = Event("button.on_clicked")
        console: list[str] = []

        # background-script.js
        ports: dict[int, Port] = {}

        @background.runtime.on_connect.add_listener
        def connected(port: Port) -> None:
            assert port.sender is not None
            assert port.sender.tab is not None
            tab_id = port.sender.tab.id
            stage.follow(port, "background", f"script in tab {tab_id}")
            port.post_message({"greeting": f"hi there tab {tab_id}!"})
            port.on_message.add_listener(lambda message, _: console.append(message["thanks"]))
            ports[tab_id] = port
            port.on_disconnect.add_listener(lambda _: ports.pop(tab_id))

        @button.add_listener
        def clicked() -> None:
            for port in ports.values():
                port.post_message({"greeting": "they clicked the button!"})

        # content-script.js, once in every tab
        for tab in sites:
            my_port = extension.inject(tab).runtime.connect(name="port-from-cs")
            stage.follow(my_port, f"script in tab {tab.id}", "background")
            my_port.on_message.add_listener(lambda message, port: port.post_message({"thanks": message["greeting"]}))

        # What follows
        news, mail, maps = (f"script in tab {tab.id}" for tab in sites)
        for tab in sites:
            await stage.heard(f"script in tab {tab.id}", {"greeting": f"hi there tab {tab.id}!"})
            await stage.heard("background", {"thanks": f"hi there tab {tab.id}!"})
        await stage.user("clicks the extension's button", *button.listeners)
        for script in (news, mail, maps):
            await stage.heard(script, {"greeting": "they clicked the button!"})
            await stage.heard("background", {"thanks": "they clicked the button!"})
        await stage.user(f"closes tab {sites[1].id}", sites[1].close)
        await stage.told_end("background")
        await stage.user("clicks the extension's button", *button.listeners)
        for script in (news, maps):
            await stage.heard(script, {"greeting": "they clicked the button!"})
            await stage.heard("background", {"thanks": "they clicked the button!"})
        await stage.user("uninstalls the extension", extension.uninstall)
        for script in (news, maps):
            await stage.told_end(script)


async def extensions(stage: Stage) -> None:
    """An extension that connects to another one."""
    async with (
        open_browser(dialect=stage.dialect, observer=stage.observe) as browser,
        trio.open_nursery() as nursery,
    ):
        notes = browser.install("notes@example.org").open_page("background.html")
        dictionary = browser.install("dictionary@example.org").open_page("background.html")
        words = {"port": "a place where ships and messages arrive"}

        # The dictionary's background script
        async def answer(port: Port) -> None:
            assert port.sender is not None
            stage.follow(port, "dictionary", f"{port.sender.id}".partition("@")[0])
            async for word in port:
                port.post_message({word: words.get(word)})

        await nursery.start(partial(dictionary.runtime.serve, answer, external=True))

        # The background script of the notes
        async def look_up(*wanted: str) -> None:
            async with notes.runtime.connect("dictionary@example.org", name="look-up") as port:
                stage.follow(port, "notes", "dictionary")
                for word in wanted:
                    port.post_message(word)
                    await port.receive()

        # What follows
        await stage.user("selects two words in a note")
        await look_up("port", "trio")
        await stage.heard("dictionary", "port", "trio")
        await stage.heard("notes", {"port": words["port"]}, {"trio": None})
        await stage.told_end("dictionary")
        await stage.user("asks for a translation, by an extension that is not installed")
        port = notes.runtime.connect("translator@example.org", name="translate")
        stage.follow(port, "notes", "translator")
        await stage.told_end("notes", cause=Cause.NO_RECEIVER)
        nursery.cancel_scope.cancel()


async def native(stage: Stage) -> None:
    """An extension and a native application, which is a process of its own."""
    with tempfile.TemporaryDirectory(prefix="trio-ports-demo-") as folder:
        extension_id = CHROMIUM_ID if stage.dialect == "chrome" else FIREFOX_ID
        install_ping_pong(
            Path(folder),
            allowed_extensions=[FIREFOX_ID],
            allowed_origins=[f"chrome-extension://{CHROMIUM_ID}/"],
        )
        async with open_browser(dialect=stage.dialect, observer=stage.observe, manifest_folders=[folder]) as browser:
            background = browser.install(extension_id).open_page("background.html")
            button: Event[Callable[[], object]] = Event("button.on_clicked")
            console: list[str] = []

            # background-script.js
            port = background.runtime.connect_native("ping_pong")
            stage.follow(port, "background", "ping_pong")
            port.on_message.add_listener(lambda response, _: console.append(response))
            button.add_listener(lambda: port.post_message("ping"))

            # What follows
            for _ in range(2):
                await stage.user("clicks the extension's button", *button.listeners)
                await stage.heard("background", "pong")
            await stage.user("turns the feature off", port.disconnect)
            await stage.user("turns on one whose application is not installed")
            port = background.runtime.connect_native("tic_tac_toe")
            stage.follow(port, "background", "tic_tac_toe")
            await stage.told_end("background", cause=Cause.MANIFEST_NOT_FOUND)


@attrs.frozen
class Scene:
    """A scene that can be played."""

    name: str
    title: str
    play: Callable[[Stage], Awaitable[None]]


SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene("greeting", "A content script and the background greet each other", greeting),
        Scene("tabs", "Several content scripts, all greeted on one click", tabs),
        Scene("extensions", "From one extension to another", extensions),
        Scene("native", "From an extension to a native application, in a process of its own", native),
    )
}
