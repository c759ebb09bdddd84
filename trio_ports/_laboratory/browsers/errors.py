"""What can go wrong with a browser that is driven, and whose doing it is."""

from __future__ import annotations

from typing import final

import attrs


class BrowserError(Exception):
    """A browser could not be found, did not start, refused a command or went away."""


@final
@attrs.define(eq=False)
class BrowserNotFoundError(BrowserError):
    """No such browser is installed; the text says where it was looked for and how to install one."""

    browser: str
    """``"firefox"`` or ``"chromium"``."""
    programs: tuple[str, ...]
    """The names looked for on the PATH."""
    variable: str
    """The environment variable that may name the program instead."""
    packages: str
    """How to install one."""

    def __str__(self) -> str:
        return (
            f"no {self.browser} found: neither {', '.join(self.programs)} on the PATH nor a program in "
            f"{self.variable}. To install it: {self.packages}"
        )


@final
@attrs.define(eq=False)
class BrowserStartError(BrowserError):
    """The browser was started and did not become usable."""

    reason: str
    """What was waited for, or what ended."""
    output: str
    """The last lines that the browser printed, both streams together."""

    def __str__(self) -> str:
        return f"{self.reason}; the browser's last lines:\n{self.output}" if self.output else self.reason


@final
@attrs.define(eq=False)
class BrowserCommandError(BrowserError):
    """The browser refused a command of Marionette or CDP."""

    command: str
    """The command's name in its protocol."""
    error: str
    """The browser's own words."""

    def __str__(self) -> str:
        return f"{self.command}: {self.error}"


@final
class BrowserGoneError(BrowserError):
    """The connection to the browser ended: it crashed, or somebody closed it."""
