"""The environment that a browser gives to the programs that it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from ..._protocol.manifests import Family

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


def environment_of(family: Family) -> dict[str, str]:
    """Return the environment of a program that a browser starts which was started from the desktop."""
    if _WINDOWS:
        return dict(os.environ)  # There the registry has everybody's.
    kept = {name: value for name, value in os.environ.items() if name in _SESSION or name.startswith(_SESSION_PREFIXES)}
    return {**kept, "PATH": _PATH, **_ADDED[family]}
