"""Start real browsers: Firefox by Marionette, Chromium by CDP over a pipe.

Nothing is installed for it but the browser itself. :func:`open_process` makes a private folder with a supervisor that
removes it; in it :func:`open_firefox` and :func:`open_chromium` start a throw-away browser with extensions loaded.
"""

from .browser import Browser
from .chromium import open_chromium
from .errors import (
    BrowserCommandError,
    BrowserError,
    BrowserGoneError,
    BrowserNotFoundError,
    BrowserStartError,
)
from .find import BrowserKind, find_browser
from .firefox import open_firefox
from .process import BrowserProcess, open_process

__all__ = [
    "Browser",
    "BrowserCommandError",
    "BrowserError",
    "BrowserGoneError",
    "BrowserKind",
    "BrowserNotFoundError",
    "BrowserProcess",
    "BrowserStartError",
    "find_browser",
    "open_chromium",
    "open_firefox",
    "open_process",
]
