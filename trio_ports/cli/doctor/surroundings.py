"""Where a browser runs in a sandbox, and what each of them gives to the programs that it starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..._native.browser_side.find import home_folder
from ..._protocol.errors import NoHomeError
from ..._protocol.manifests import Family

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

_WINDOWS: Final = os.name == "nt"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games"
"""What a desktop gives the programs that it starts; what shells add to it is not there."""
_SESSION: Final = frozenset(
    (
        *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY"),
        *("XAUTHORITY", "SSH_AUTH_SOCK", "DESKTOP_SESSION", "SESSION_MANAGER", "DBUS_SESSION_BUS_ADDRESS"),
    )
)
_SESSION_PREFIXES: Final = ("LC_", "XDG_", "GNOME_", "KDE_", "QT_", "GTK_")
"""The variables that a desktop session has."""
_ADDED: Final[dict[Family, Mapping[str, str]]] = {
    "firefox": {
        **dict.fromkeys(("MOZ_LAUNCHED_CHILD", "MOZ_APP_SILENT_START", "XRE_PROFILE_PATH", "XRE_BINARY_PATH"), ""),
        "MOZ_ASSUME_USER_NS": "1",
        "__GL_ALLOW_FXAA_USAGE": "0",
        "mesa_glthread": "false",
    },
    "chromium": {"FC_FONTATIONS": "1"},
}
"""What the browser itself adds, as far as it is the same for everybody: seen in Firefox 153 and Chromium 156."""


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


def environment_of(family: Family) -> dict[str, str]:
    """Return the environment of a program that a browser starts which was started from the desktop."""
    if _WINDOWS:
        return dict(os.environ)  # There the registry has everybody's.
    kept = {name: value for name, value in os.environ.items() if name in _SESSION or name.startswith(_SESSION_PREFIXES)}
    return {**kept, "PATH": _PATH, **_ADDED[family]}
