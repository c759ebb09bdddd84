"""The command `trio-ports relay`."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import click
import trio

from .._native.running.relay import relay as run_relay
from .._protocol.errors import ApplicationNameError


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder with the application's socket, if it was given one.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="How long to wait for an application that does not listen yet.",
)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def relay(*, name: str, arguments: tuple[str, ...], folder: Path | None, wait: float) -> None:
    """Connect the browser that starts this to an application that is already running.

    A native manifest names this command and the application's NAME; the browser adds its
    own ARGUMENTS. The application listens with open_native_listener(). Ends with 0 if the
    conversation ended in good order, with 1 if the application was lost, and with 69 if
    nobody listens.

    Example: trio-ports relay --wait 5 com.example.app
    """
    if os.isatty(0):
        raise click.UsageError(
            "standard input is a terminal: start the relay from a browser or with trio_ports.native.connect_native()"
        )
    try:
        status = trio.run(functools.partial(run_relay, name, arguments=arguments, folder=folder, wait_seconds=wait))
    except (ApplicationNameError, OSError, ValueError, NotImplementedError) as error:
        raise click.UsageError(str(error)) from error
    sys.exit(status)
