"""Find an installed browser: an environment variable first, then the names it has on the PATH.

A browser is optional: a machine without one gets an error that says how to install it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import attrs

from .errors import BrowserNotFoundError

BrowserKind = Literal["firefox", "chromium"]


@attrs.frozen
class _Search:
    variable: str
    programs: tuple[str, ...]
    packages: str


SEARCHES: Final[Mapping[BrowserKind, _Search]] = {
    "firefox": _Search(
        "TRIO_PORTS_FIREFOX",
        ("firefox-esr", "firefox", "firefox-developer-edition", "firefox-nightly"),
        "`apt-get install firefox-esr` (Debian), `apt-get install firefox` (others), `brew install --cask firefox`",
    ),
    "chromium": _Search(
        "TRIO_PORTS_CHROMIUM",
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "google-chrome-beta"),
        "`apt-get install chromium` (Debian), `dnf install chromium` (Fedora), `brew install --cask chromium`",
    ),
}


def find_browser(kind: BrowserKind) -> Path:
    """Return the program to start.

    The environment variable ``TRIO_PORTS_FIREFOX`` or ``TRIO_PORTS_CHROMIUM`` wins, a path or a name on the PATH.

    Raises:
        BrowserNotFoundError: nothing is installed, or the variable names nothing that can be executed.
    """
    search = SEARCHES[kind]
    chosen = os.environ.get(search.variable)
    for program in (chosen,) if chosen else search.programs:
        found = shutil.which(program)
        if found is not None:
            return Path(found).absolute()
    raise BrowserNotFoundError(kind, search.programs, search.variable, search.packages)
