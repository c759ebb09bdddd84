"""Where browsers look for native manifests, as a table.

A user's place is relative to the home directory, on macOS to ``Library/Application
Support`` in it. A key on Windows is relative to ``Software``, under HKEY_CURRENT_USER
first and HKEY_LOCAL_MACHINE next. On Linux, ``XDG_CONFIG_HOME`` replaces ``.config`` if
it is set. A browser of Chromium's family that was started with ``--user-data-dir=D``
looks in ``D/NativeMessagingHosts``. Browsers from Snap and Flatpak see none of these
places without the desktop's portal.

Source: rule 42; the vendors' pages for the system folders of macOS.
"""

from __future__ import annotations

from typing import Final, final

import attrs

from .manifests import Family


@final
@attrs.frozen(kw_only=True)
class Places:
    """The places where one browser looks, in the order in which it looks."""

    browser: str
    """Its name in commands and functions."""
    family: Family = "chromium"
    """Whose rules it applies to a manifest."""
    linux_user: tuple[str, ...]
    linux_system: tuple[str, ...] = ()
    mac_user: tuple[str, ...]
    mac_system: tuple[str, ...] = ()
    windows_keys: tuple[str, ...] = ()
    verified: bool = True
    """Whether somebody has seen it look there, or its vendor says so."""


_HOSTS: Final = "NativeMessagingHosts"

_MOZILLA_KEY: Final = rf"Mozilla\{_HOSTS}"
_CHROME_KEY: Final = rf"Google\Chrome\{_HOSTS}"
_CHROMIUM_KEY: Final = rf"Chromium\{_HOSTS}"

FIREFOX: Final = Places(
    browser="firefox",
    family="firefox",
    linux_user=(".mozilla/native-messaging-hosts",),
    linux_system=("/usr/lib/mozilla/native-messaging-hosts", "/usr/lib64/mozilla/native-messaging-hosts"),
    mac_user=(f"Mozilla/{_HOSTS}",),
    mac_system=(f"/Library/Application Support/Mozilla/{_HOSTS}",),
    windows_keys=(_MOZILLA_KEY,),
)
CHROME: Final = Places(
    browser="chrome",
    linux_user=tuple(
        f".config/{name}/{_HOSTS}" for name in ("google-chrome", "google-chrome-beta", "google-chrome-unstable")
    ),
    linux_system=("/etc/opt/chrome/native-messaging-hosts",),
    mac_user=(f"Google/Chrome/{_HOSTS}",),
    mac_system=(f"/Library/Google/Chrome/{_HOSTS}",),
    windows_keys=(_CHROME_KEY,),
)
CHROMIUM: Final = Places(
    browser="chromium",
    linux_user=(f".config/chromium/{_HOSTS}",),
    linux_system=("/etc/chromium/native-messaging-hosts",),
    mac_user=(f"Chromium/{_HOSTS}",),
    mac_system=(f"/Library/Application Support/Chromium/{_HOSTS}",),
    windows_keys=(_CHROMIUM_KEY, _CHROME_KEY),
)
EDGE: Final = Places(
    browser="edge",
    linux_user=(f".config/microsoft-edge/{_HOSTS}",),
    linux_system=("/etc/opt/edge/native-messaging-hosts",),
    mac_user=(f"Microsoft Edge/{_HOSTS}",),
    mac_system=(f"/Library/Microsoft/Edge/{_HOSTS}",),
    windows_keys=(rf"Microsoft\Edge\{_HOSTS}", _CHROMIUM_KEY, _CHROME_KEY),
)
BRAVE: Final = attrs.evolve(
    CHROME,
    browser="brave",
    linux_user=(f".config/BraveSoftware/Brave-Browser/{_HOSTS}",),
    mac_user=(f"BraveSoftware/Brave-Browser/{_HOSTS}",),
)
VIVALDI: Final = attrs.evolve(
    CHROME,
    browser="vivaldi",
    linux_user=(f".config/vivaldi/{_HOSTS}",),
    linux_system=("/etc/opt/vivaldi/native-messaging-hosts",),
    mac_user=(f"Vivaldi/{_HOSTS}",),
)
LIBREWOLF: Final = Places(
    browser="librewolf",
    family="firefox",
    linux_user=(".librewolf/native-messaging-hosts",),
    linux_system=("/usr/lib/librewolf/native-messaging-hosts",),
    mac_user=(f"LibreWolf/{_HOSTS}",),
    windows_keys=(_MOZILLA_KEY,),
    verified=False,
)
WATERFOX: Final = Places(
    browser="waterfox",
    family="firefox",
    linux_user=(".waterfox/native-messaging-hosts",),
    mac_user=(f"Waterfox/{_HOSTS}",),
)
THUNDERBIRD: Final = attrs.evolve(
    FIREFOX, browser="thunderbird", mac_user=(f"Thunderbird/{_HOSTS}",), mac_system=(), verified=False
)

BROWSERS: Final[dict[str, Places]] = {
    places.browser: places
    for places in (FIREFOX, CHROME, CHROMIUM, EDGE, BRAVE, VIVALDI, LIBREWOLF, WATERFOX, THUNDERBIRD)
}
