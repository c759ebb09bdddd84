"""The command `trio-ports try`: the demonstration in a real browser that is already on this machine.

The browser gets a throw-away profile with an extension and a native application in it. Nothing of the user's is read
or written, and nothing is left.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any, Final

import click
import trio
from rich.text import Text

from .._drivers import BrowserError, BrowserGoneError, BrowserKind, Context, Event, Lab, open_lab, steps
from .._native.ping_pong import install_ping_pong
from .output import Output
from .running import run

GREETING: Final = {"greeting": "hi from content script"}
EXPECTED: Final[dict[str, list[object]]] = {
    "background": ["port-from-cs", GREETING, "pong", [1, None, "ü"], None],
    "content script": [GREETING],
}
"""What each side has to be told: the connection's name, the messages, and the end without an error."""


@click.command("try")
@click.option(
    "--browser", "kind", type=click.Choice(["firefox", "chromium"]), required=True, help="Which browser to start."
)
@click.option("--headless", is_flag=True, help="Without a window: for machines. Ends after the conversation.")
def try_browser(kind: BrowserKind, headless: bool) -> None:
    """Watch ports and a native application talk in a real browser.

    The browser starts with a profile of its own, an extension and the application ping_pong in it, and what they say is
    told as it happens. With a window it stays open until you close it, or until Ctrl-C. Everything is removed at the
    end. Ends with 0 if all went as it should, and with 1 if not.
    """
    if not headless and not has_display():
        raise click.ClickException(
            "there is no display to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set. "
            "Add --headless to go without a window."
        )
    output = Output()
    complete = False

    async def program() -> int:
        nonlocal complete
        async with open_lab(kind, headless=headless) as lab:
            output.write_text(Text(f"{lab.browser.name} {lab.browser.version}, with a profile of its own"))
            with suppress(trio.TooSlowError):
                complete = await converse(lab, output)
            if not headless:
                output.write_text(Text("The browser stays open until you close it, or until Ctrl-C."))
                await trio.sleep_forever()
        return 0

    problems: list[BaseException] = []
    status = 0
    try:
        status = run(program, output)
    except* BrowserError as group:
        problems = leaves_of(group)
    if any(isinstance(each, BrowserGoneError) for each in problems) and complete:
        problems = []  # Somebody had seen enough, and closed it.
    if problems:
        raise click.ClickException(str(problems[0]))
    if status == 0:
        output.write_text(Text("All was removed." if complete else "It did not go as it should. All was removed."))
        status = 0 if complete else 1
    raise click.exceptions.Exit(status)


def has_display() -> bool:
    """Say whether windows can be opened, as far as the environment tells."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def leaves_of(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """Return the exceptions in a group, and in the groups in it."""
    leaves: list[BaseException] = []
    for each in group.exceptions:
        nested: Any = each
        leaves += leaves_of(nested) if isinstance(each, BaseExceptionGroup) else [each]
    return leaves


async def converse(lab: Lab, output: Output) -> bool:
    """Have the extension's content script, its background and the application talk, and say whether all was told."""
    identity = lab.extension_id("a")
    allowed: dict[str, Any] = {"allowed_extensions": [identity]}
    if lab.browser.kind == "chromium":
        allowed = {"allowed_origins": [f"chrome-extension://{identity}/"]}
    install_ping_pong(lab.browser.manifest_folder, **allowed)
    background = lab.background("a")
    script = (await lab.open_tab()).context("a")
    places = {"background": background, "content script": script}
    told: dict[str, list[Any]] = {place: [] for place in places}

    async def play(context: Context, *wanted: steps.Step, count: int) -> None:
        await lab.command(context, *wanted)
        await lab.wait_until(lambda: sum(len(each.events) for each in places.values()) >= count)
        for place, each in places.items():
            for event in each.events[len(told[place]) :]:
                told[place].append(value_of(event))
                output.write_text(describe_event(place, event))

    echo = steps.add_listener("on_message", "echo", steps.echo())
    await lab.command(background, steps.add_listener("on_connect", "on_connect", echo, steps.hear(None)[1]))
    said = steps.post("p", GREETING)
    await play(script, steps.connect("p", name="port-from-cs"), *steps.hear("p"), said, count=3)
    native = steps.connect_native("ping_pong", "ping_pong"), *steps.hear("ping_pong")
    await play(background, *native, steps.post("ping_pong", "ping"), count=4)
    await play(background, steps.post("ping_pong", [1, None, "ü"]), count=5)
    await play(script, steps.disconnect("p"), count=6)
    await lab.command(background, steps.disconnect("ping_pong"))
    return told == EXPECTED


def value_of(event: Event) -> Any:
    """Return what an event says."""
    return {"on_connect": event.name, "on_message": event.message}.get(event.event, event.error)


def describe_event(place: str, event: Event) -> Text:
    """Write an event for people."""
    value = json.dumps(value_of(event), ensure_ascii=False)
    return Text.assemble((f"{place:>14} ", "bold"), f"{event.port}.{event.event} ", (value, "green"))
