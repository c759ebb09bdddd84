"""Drive real browsers: Firefox by Marionette, Chromium by CDP over a pipe, and ports in both of them.

Nothing is installed for it but the browser itself. :func:`open_process` makes a private folder with a keeper, who
removes it; in it :func:`open_firefox` and :func:`open_chromium` start a throw-away browser with extensions loaded.
:func:`open_lab` does all this and adds player extensions, with which any history of ports can be played and observed.
Everything happens on this machine's loopback.
"""

from .binaries import BrowserKind, find_browser
from .browser import Browser
from .chromium import open_chromium
from .errors import (
    BrowserCommandError,
    BrowserError,
    BrowserGoneError,
    BrowserNotFoundError,
    BrowserStartError,
)
from .firefox import open_firefox
from .frames import Frame
from .lab import Lab, open_lab
from .players import Context, PlayerExtension
from .process import BrowserProcess, open_process
from .reports import Event, Result

__all__ = [
    "Browser",
    "BrowserCommandError",
    "BrowserError",
    "BrowserGoneError",
    "BrowserKind",
    "BrowserNotFoundError",
    "BrowserProcess",
    "BrowserStartError",
    "Context",
    "Event",
    "Frame",
    "Lab",
    "PlayerExtension",
    "Result",
    "find_browser",
    "open_chromium",
    "open_firefox",
    "open_lab",
    "open_process",
]
