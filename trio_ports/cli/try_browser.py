"""The command `trio-ports try`: one's own extension, or a demonstration, in a real browser that is on this machine.

The browser gets a temporary profile with an extension and a native application in it.
Nothing of the user's is read or written, and everything is removed at the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import trio
from rich.text import Text

from .._laboratory.browsers.errors import BrowserError, BrowserGoneError
from .._laboratory.browsers.find import SEARCHES, BrowserKind
from .._native.ping_pong import install_ping_pong
from .._protocol.errors import ManifestError
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
from .try_extension import Outcome, find_subjects, try_subjects

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
    "--browser", type=click.Choice(["firefox", "chromium", "both"]), required=True, help="Which browser to start."
)
@click.option(
    "--extension",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="An extension of your own.",
)
@click.option(
    "--app",
    metavar="NAME-or-COMMAND",
    help='Its native application: an installed one, the path of a manifest, or a command, as "python app.py".',
)
@click.option("--name", help="What the extension calls the application, if its scripts do not show that.")
@click.option("--watch", "watches", is_flag=True, help="Load the extension again whenever you change a file.")
@click.option("--headless", is_flag=True, help="Do not open a window, and end after the conversation.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per line, for programs.")
def try_browser(
    *,
    browser: str,
    extension: Path | None,
    app: str | None,
    name: str | None,
    watches: bool,
    headless: bool,
    as_json: bool,
) -> None:
    """Watch an extension and a native application talk in a real browser.

    The browser starts with a profile of its own, in which your extension finds your
    application. What they say is shown as it happens. With a window, the browser stays
    open until you close it or press Ctrl-C. Without --extension, it shows a demonstration
    of ports, which needs an extra: pip install trio_ports[browsers]

    Your own browsers are not touched, and everything is removed at the end. Ends with 0
    if the two have talked, and with 1 if not.

    Example: trio-ports try --extension ./extension --app "python app.py" --browser firefox
    """
    kinds: list[BrowserKind] = [kind for kind in SEARCHES if browser in (kind, "both")]
    output = Output()
    if extension is not None and app is not None:
        subjects = find_subjects(extension, app, name, kinds)
        program = partial(try_subjects, subjects, output, headless=headless, watches=watches, as_json=as_json)
        trouble = "The application has said nothing."
    elif extension is not None or app is not None:
        raise click.UsageError("--extension and --app belong together")
    else:
        check_demonstration(name, watches, as_json, len(kinds) > 1)
        program = partial(demonstrate, kinds[0], output, headless=headless)
        trouble = "It did not go as it should."
    if not headless:
        require_display()
    talked = run_in_browser(program, output)
    if not as_json:
        output.write_text(Text("All was removed." if talked else f"{trouble} All was removed."))
    raise click.exceptions.Exit(0 if talked else 1)


def run_in_browser(program: Callable[[Outcome], Awaitable[None]], output: Output) -> bool:
    """Run a program that opens browsers, and return whether all was well in the end.

    Raises:
        click.ClickException: a browser could not be used, or ended too early.
        click.exceptions.Exit: a signal ended it, or a lost output.
    """
    outcome = Outcome()

    async def run_program() -> int:
        await program(outcome)
        return 0

    problems: list[BaseException] = []
    status = 0
    try:
        status = run(run_program, output)
    except* (BrowserError, ManifestError) as group:
        problems = leaves(group)
    if any(isinstance(each, BrowserGoneError) for each in problems) and outcome.complete:
        problems = []  # The user has closed it after the conversation.
    if problems:
        raise click.ClickException(str(problems[0]))
    if status:
        raise click.exceptions.Exit(status)
    return outcome.complete


async def demonstrate(kind: BrowserKind, output: Output, outcome: Outcome, *, headless: bool) -> None:
    """Show the demonstration; with a window, until the browser is closed."""
    async with open_player(kind, headless=headless) as player:
        browser = player.laboratory.browser
        output.write_text(Text(f"{browser.name} {browser.version}, with a profile of its own"))
        with suppress(trio.TooSlowError):
            outcome.complete = await converse(player, output)
        if not headless:
            output.write_text(Text("The browser stays open until you close it, or until Ctrl-C."))
            await trio.sleep_forever()


def check_demonstration(*given: object) -> None:
    """Raise an error if the demonstration is not possible, or gets options that are not its own."""
    if any(given):
        raise click.UsageError("--name, --watch, --json and --browser both are for an --extension, which is missing")
    require_websockets()


def require_display() -> None:
    """Raise an error that says what to do if no window can be opened."""
    if not has_display():
        raise click.ClickException(
            "there is no display to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Add --headless to go without a window."
        )


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
