"""Which browsers are there, and which of them run in a sandbox."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from ..._protocol.errors import NoHomeError
from ..._protocol.places import BROWSERS, Places
from ..registry import has_key
from .find import home_folder, profile_folders, user_folders

_WINDOWS: Final = os.name == "nt"
SNAPS: Final = {name: name for name in ("firefox", "chromium", "brave", "opera", "vivaldi", "thunderbird")}
FLATPAKS: Final = {
    "firefox": "org.mozilla.firefox",
    "librewolf": "io.gitlab.librewolf-community",
    "waterfox": "net.waterfox.waterfox",
    "floorp": "one.ablaze.floorp",
    "zen": "app.zen_browser.zen",
    "thunderbird": "org.mozilla.Thunderbird",
    "chrome": "com.google.Chrome",
    "chromium": "org.chromium.Chromium",
    "edge": "com.microsoft.Edge",
    "brave": "com.brave.Browser",
    "vivaldi": "com.vivaldi.Vivaldi",
    "opera": "com.opera.Opera",
}
"""What a browser is called in that store."""

SNAP_FOLDERS: Final = ("/snap", "/var/lib/snapd/snap")
FLATPAK_FOLDERS: Final = ("/var/lib/flatpak/app", "~/.local/share/flatpak/app")


def present_browsers() -> list[str]:
    """Return the browsers that this user has, in the order of the table."""
    return [name for name, places in BROWSERS.items() if is_present(places)]


def is_present(places: Places) -> bool:
    """Return whether a browser is there: its program, or more of its folder than manifests; on Windows its key.

    One that runs in a sandbox is there as well.
    """
    if _WINDOWS:
        return any(has_key(rf"Software\{key}".rpartition("\\")[0]) for key in places.windows_keys)
    if find_snap(places.browser) or find_flatpak(places.browser):
        return True
    if any(shutil.which(program) for program in places.programs):
        return True
    with contextlib.suppress(NoHomeError):
        if any(folder.is_dir() for folder in profile_folders(places)):
            return True
        manifests = user_folders([places])
        return any({*each.parent.iterdir()} - {*manifests} for each in manifests if each.parent.is_dir())
    return False


def find_snap(browser: str) -> Path | None:
    """Return where the browser is installed as a snap; None if it is not."""
    name = SNAPS.get(browser)
    return None if name is None else _first_folder(*(Path(folder, name) for folder in SNAP_FOLDERS))


def find_flatpak(browser: str) -> Path | None:
    """Return where the browser is installed by Flatpak; None if it is not."""
    name = FLATPAKS.get(browser)
    if name is None:
        return None
    with contextlib.suppress(NoHomeError):
        home = str(home_folder())
        return _first_folder(*(Path(folder.replace("~", home), name) for folder in FLATPAK_FOLDERS))
    return None


def _first_folder(*folders: Path) -> Path | None:
    return next((folder for folder in folders if folder.is_dir()), None)
