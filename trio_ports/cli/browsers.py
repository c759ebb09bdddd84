"""Which browsers are there."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Final

from .._native.browser_side.find import profile_folders, user_folders
from .._protocol.errors import NoHomeError
from .._protocol.places import BROWSERS, Places

_WINDOWS: Final = os.name == "nt"
PROGRAMS: Final[dict[str, tuple[str, ...]]] = {
    "firefox": ("firefox", "firefox-esr", "firefox-developer-edition", "firefox-nightly"),
    "librewolf": ("librewolf",),
    "waterfox": ("waterfox",),
    "floorp": ("floorp",),
    "zen": ("zen-browser", "zen"),
    "thunderbird": ("thunderbird",),
    "chrome": ("google-chrome", "google-chrome-stable", "google-chrome-beta", "google-chrome-unstable"),
    "chromium": ("chromium", "chromium-browser"),
    "edge": ("microsoft-edge", "microsoft-edge-stable", "microsoft-edge-beta", "microsoft-edge-dev"),
    "brave": ("brave-browser", "brave"),
    "vivaldi": ("vivaldi", "vivaldi-stable"),
    "opera": ("opera",),
    "helium": ("helium",),
    "thorium": ("thorium-browser",),
}
"""What a browser is called on the PATH."""


def present_browsers() -> list[str]:
    """Return the browsers that this user has, in the order of the table."""
    return [name for name, places in BROWSERS.items() if is_present(places)]


def is_present(places: Places) -> bool:
    """Return whether a browser is there: its program, or more of its folder than its manifests."""
    if any(shutil.which(program) for program in PROGRAMS.get(places.browser, ())):
        return True
    if _WINDOWS:
        return False
    with contextlib.suppress(NoHomeError):
        manifests = user_folders([places])
        folders = [*profile_folders(places), *(folder.parent for folder in manifests)]
        return any({*each.iterdir()} - {*manifests} for each in folders if each.is_dir())
    return False
