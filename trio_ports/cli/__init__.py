"""The command line, `trio-ports`: each sub-command is a module of its own, imported when it is used."""

from __future__ import annotations

import sys
from typing import Final

INTERRUPTED: Final = 130
"""128 plus the number of SIGINT, as shells do it."""

COMPLETE_VARIABLE: Final = "_TRIO_PORTS_COMPLETE"
"""Set by shells that want to know how a line could go on."""


def main() -> None:
    """Run the command line and exit: with 0 if all went well, 1 if not, 2 for wrong usage, 130 after Ctrl-C."""
    status: int | None = INTERRUPTED
    try:
        status = _run()
    except* KeyboardInterrupt:
        pass  # It came before or after the command itself watched for it. Everything that ran has ended by now.
    sys.exit(status)


def _run() -> int | None:
    import click

    from .commands import program

    try:
        status: int | None = program(standalone_mode=False, complete_var=COMPLETE_VARIABLE)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    return status
