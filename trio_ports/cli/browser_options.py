"""The options of `install`, `uninstall` and `list` that say which browsers: several in one word, or a profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from .._protocol.places import BROWSERS

ALL: Final = ("all",)
"""Every browser in the table."""
INSTALLED: Final = ("installed",)
"""Those that are there."""


def browser_options(*words: tuple[str], about: str) -> Callable[[Any], Any]:
    """Give a command ``--browser``, names with commas or one of these words, and ``--profile`` in its place.

    The command gets ``browsers``, a tuple of names or one of the tuples ``words``, the
    first of which is the default; and ``profile``, a folder or None.
    """
    several = [word for (word,) in words]

    def read(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:  # noqa: ARG001 - click's.
        names = tuple(dict.fromkeys(value.split(",")))
        for name in names:
            if name not in BROWSERS and (name not in several or len(names) > 1):
                known = ", ".join(BROWSERS)
                text = f"{name!r} is neither one of {known}, nor, alone, {' or '.join(several)}"
                raise click.BadParameter(text, param=param)
        return names

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
        before, comma, last = incomplete.rpartition(",")
        known = [*BROWSERS] if comma else [*several, *BROWSERS]
        return [CompletionItem(f"{before}{comma}{name}") for name in known if name.startswith(last)]

    def read_profile(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:  # noqa: ARG001
        if value is not None and ctx.params["browsers"] != words[0]:
            raise click.UsageError("give --browser or --profile, not both")
        return value

    browser = click.option(
        "--browser", "browsers", default=several[0], show_default=True, metavar="NAME,…", is_eager=True,
        callback=read, shell_complete=complete, help=about,
    )  # fmt: skip
    profile = click.option(
        "--profile", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", callback=read_profile,
        help="Instead, for the Chromium that is started with --user-data-dir=DIR.",
    )  # fmt: skip
    return lambda command: browser(profile(command))
