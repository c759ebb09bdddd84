"""The table of sub-commands."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "demo": "demo.command:demo",
    "init": "init:init",
    "try": "try_browser:try_browser",
    "install": "install:install",
    "uninstall": "uninstall:uninstall",
    "list": "list_installed:list_installed",
    "check": "check:check",
    "check-ports": "check_ports:check_ports",
    "relay": "relay:relay",
    "doctor": "doctor.command:doctor",
    "talk": "talk:talk",
    "id": "extension_id:extension_id",
}
"""For each sub-command, its module in this package and its name there."""


class LazyGroup(click.Group):
    """Imports a sub-command when it is used, so that none has to wait for another one's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - The signature is click's.
        """Return the names, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - The same.
        """Import a sub-command; return None if there is none with that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f".{module}", __package__), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trio-ports")
def program() -> None:
    """Named, two-way connections for Trio: runtime.Port of browser extensions."""
