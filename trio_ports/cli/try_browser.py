"""The command `trio-ports try`: the demonstration in a real browser that is already on this machine.

The browser gets a temporary profile with an extension and a native application in it.
Nothing of the user's is read or written, and everything is removed at the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click
import trio
from rich.text import Text

from .._laboratory.browsers.errors import BrowserError, BrowserGoneError
from .._laboratory.browsers.find import BrowserKind
from .._native.ping_pong import install_ping_pong
from ..testing._conformance.history.moves import (
    Move,
    add_listener,
    connect,
    connect_native,
    disconnect,
    echo,
    hear,
    listen,
    open_tab,
    post,
    turn,
    wait,
)
from .output import Output
from .running import leaves, run

if TYPE_CHECKING:
    from .._laboratory.player import LaboratoryPlayer

GREETING: Final = {"greeting": "hi from content script"}
PLACES: Final = {"background": "a", "content script": "t1/a"}
"""The contexts that talk: their names for people, and in histories."""
EXPECTED: Final[dict[str, list[object]]] = {
    "background": ["port-from-cs", GREETING, "pong", [1, None, "ü"], None],
    "content script": [GREETING],
}
"""What each of them has to report: the connection's name, the messages, and an end without an error."""
CONVERSATION: Final[tuple[Move, ...]] = (
    # The listener has a name of its own. As "message" it would be the same function as the
    # listener for the application's answers.
    turn("a", listen(add_listener("on_message", "echo", echo(), port=None), hear(None)[1], heard=False)),
    turn("t1/a", connect("p", name="port-from-cs"), hear("p"), post(GREETING, "p")),
    turn("a", connect_native("ping_pong", "ping_pong"), hear("ping_pong"), post("ping", "ping_pong")),
    wait("a", "ping_pong", 1),
    turn("a", post([1, None, "ü"], "ping_pong")),
    wait("a", "ping_pong", 2),
    turn("t1/a", disconnect("p")),
    turn("a", disconnect("ping_pong")),
)


@click.command("try")
@click.option(
    "--browser", "kind", type=click.Choice(["firefox", "chromium"]), required=True, help="Which browser to start."
)
@click.option("--headless", is_flag=True, help="Do not open a window, and end after the conversation.")
def try_browser(kind: BrowserKind, headless: bool) -> None:
    """Watch ports and a native application talk in a real browser.

    The browser starts with a profile of its own, which has an extension and the
    application ping_pong. Their messages are shown as they happen. With a window, the
    browser stays open until you close it or press Ctrl-C. Everything is removed at the
    end. Ends with 0 if everything went as it should, and with 1 if not. It needs an
    extra: pip install trio_ports[browsers]
    """
    require_websockets()
    if not headless and not has_display():
        raise click.ClickException(
            "there is no display to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Add --headless to go without a window."
        )
    output = Output()
    complete = False

    async def program() -> int:
        nonlocal complete
        async with open_player(kind, headless=headless) as player:
            browser = player.laboratory.browser
            output.write_text(Text(f"{browser.name} {browser.version}, with a profile of its own"))
            with suppress(trio.TooSlowError):
                complete = await converse(player, output)
            if not headless:
                output.write_text(Text("The browser stays open until you close it, or until Ctrl-C."))
                await trio.sleep_forever()
        return 0

    problems: list[BaseException] = []
    status = 0
    try:
        status = run(program, output)
    except* BrowserError as group:
        problems = leaves(group)
    if any(isinstance(each, BrowserGoneError) for each in problems) and complete:
        problems = []  # The user has closed it after the conversation.
    if problems:
        raise click.ClickException(str(problems[0]))
    if status == 0:
        output.write_text(Text("All was removed." if complete else "It did not go as it should. All was removed."))
        status = 0 if complete else 1
    raise click.exceptions.Exit(status)


def require_websockets() -> None:
    """Raise an error that says how to install the extra, if it is missing."""
    try:
        import_module("websockets.trio.server")
    except ModuleNotFoundError as error:
        raise click.ClickException(
            "`try` needs the package websockets, 17 or later: python -m pip install 'trio_ports[browsers]'"
        ) from error


@asynccontextmanager
async def open_player(kind: BrowserKind, *, headless: bool) -> AsyncGenerator[LaboratoryPlayer]:
    """Start a browser with a player in it, for a block."""
    from .._laboratory.laboratory import open_laboratory
    from .._laboratory.player import LaboratoryPlayer

    async with open_laboratory(kind, headless=headless) as laboratory:
        yield LaboratoryPlayer(laboratory)


def has_display() -> bool:
    """Return whether windows can be opened, as far as the environment shows."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


async def converse(player: LaboratoryPlayer, output: Output) -> bool:
    """Let the content script, the background and the application talk; return whether all was as expected."""
    laboratory = player.laboratory
    identity = laboratory.extension_id("a")
    allowed: dict[str, Any] = {"allowed_extensions": [identity]}
    if laboratory.browser.kind == "chromium":
        allowed = {"allowed_origins": [f"chrome-extension://{identity}/"]}
    install_ping_pong(laboratory.browser.manifest_folder, **allowed)
    reported: dict[str, list[object]] = {place: [] for place in PLACES}
    await player.play(open_tab("t1"))
    for move in CONVERSATION:
        await player.play(move)
        for place, context in PLACES.items():
            for record in player.contexts[context].log[len(reported[place]) :]:
                reported[place].append(value_of(record))
                output.write_text(describe_record(place, record))
    return reported == EXPECTED


def value_of(record: dict[str, Any]) -> Any:
    """Return the content of a record: a connection's name, a message, or an error."""
    return {"on_connect": record.get("name"), "on_message": record.get("message")}.get(
        record["event"], record.get("error")
    )


def describe_record(place: str, record: dict[str, Any]) -> Text:
    """Describe for people what a listener was called with."""
    value = json.dumps(value_of(record), ensure_ascii=False)
    return Text.assemble((f"{place:>14} ", "bold"), f"{record['port']}.{record['event']} ", (value, "green"))
