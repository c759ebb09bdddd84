"""What can go wrong with a browser that is driven, and whose doing it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final


class BrowserError(Exception):
    """A browser could not be found, did not start, refused a command or went away."""


@final
class BrowserNotFoundError(BrowserError):
    """No such browser is installed; the text says where it was looked for and how to install one."""

    def __init__(self, browser: str, programs: Sequence[str], variable: str, packages: str) -> None:
        super().__init__(browser, programs, variable, packages)
        self.browser = browser
        """``"firefox"`` or ``"chromium"``."""
        self.programs = tuple(programs)
        """The names looked for on the PATH."""
        self.variable = variable
        """The environment variable that may name the program instead."""
        self.packages = packages
        """How to install one."""

    def __str__(self) -> str:
        return (
            f"no {self.browser} found: neither {', '.join(self.programs)} on the PATH nor a program in "
            f"{self.variable}. To install it: {self.packages}"
        )


@final
class BrowserStartError(BrowserError):
    """The browser was started and did not become usable; ``output`` is the end of what it printed."""

    def __init__(self, reason: str, output: str) -> None:
        super().__init__(reason, output)
        self.reason = reason
        """What was waited for, or what ended."""
        self.output = output
        """The last lines that the browser printed, both streams together."""

    def __str__(self) -> str:
        return f"{self.reason}; the browser's last lines:\n{self.output}" if self.output else self.reason


@final
class BrowserCommandError(BrowserError):
    """The browser refused a command of Marionette or CDP."""

    def __init__(self, command: str, error: str) -> None:
        super().__init__(command, error)
        self.command = command
        """The command's name in its protocol."""
        self.error = error
        """The browser's own words."""

    def __str__(self) -> str:
        return f"{self.command}: {self.error}"


@final
class BrowserGoneError(BrowserError):
    """The connection to the browser ended: it crashed, or somebody closed it."""
