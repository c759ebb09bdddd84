"""Where browsers look for native manifests, as a table.

A user's place is relative to the home directory, on macOS to ``Library/Application
Support`` in it. A key on Windows is relative to ``Software``, under HKEY_CURRENT_USER
first and HKEY_LOCAL_MACHINE next. On Linux, ``XDG_CONFIG_HOME`` replaces ``.config`` if
it is set. A browser of Chromium's family that was started with ``--user-data-dir=D``
looks in ``D/NativeMessagingHosts`` instead of the user's place, except on Windows.
Browsers from Snap and Flatpak see none of these places without the desktop's portal;
Flatpak's Firefox has a home of its own, and starts there what it may run outside.

Source: rule 42; the vendors' pages for the system folders of macOS.
"""

from __future__ import annotations

from typing import Final, final

import attrs

from .manifests import Family


@final
@attrs.frozen(kw_only=True)
class Places:
    """The places where one browser looks, in the order in which it looks: the main channel's first."""

    browser: str
    """Its name in commands and functions."""
    family: Family = "chromium"
    """Whose rules it applies to a manifest."""
    linux_user: tuple[str, ...]
    linux_system: tuple[str, ...] = ()
    linux_profiles: tuple[str, ...] = ()
    """Where else its profiles are, if the folder above the manifests does not show that it is there."""
    programs: tuple[str, ...] = ()
    """What it is called on the PATH, except on Windows."""
    mac_user: tuple[str, ...]
    mac_system: tuple[str, ...] = ()
    windows_keys: tuple[str, ...] = ()
    verified: bool = True
    """Whether somebody has seen it look there, or its vendor says so."""


HOSTS: Final = "NativeMessagingHosts"


def _linux(*folders: str) -> tuple[str, ...]:
    return tuple(f".config/{folder}/{HOSTS}" for folder in folders)


def _mac(*folders: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{HOSTS}" for folder in folders)


_MOZILLA_KEY: Final = rf"Mozilla\{HOSTS}"
_CHROME_KEY: Final = rf"Google\Chrome\{HOSTS}"
_CHROMIUM_KEY: Final = rf"Chromium\{HOSTS}"

FIREFOX: Final = Places(
    browser="firefox",
    programs=("firefox", "firefox-esr", "firefox-developer-edition", "firefox-nightly"),
    family="firefox",
    linux_user=(".mozilla/native-messaging-hosts",),
    linux_system=("/usr/lib/mozilla/native-messaging-hosts", "/usr/lib64/mozilla/native-messaging-hosts"),
    linux_profiles=(".config/mozilla",),
    mac_user=_mac("Mozilla"),
    mac_system=(f"/Library/Application Support/Mozilla/{HOSTS}",),
    windows_keys=(_MOZILLA_KEY,),
)
FIREFOX_FLATPAK: Final = Places(
    browser="firefox-flatpak",
    family="firefox",
    linux_user=(".var/app/org.mozilla.firefox/.mozilla/native-messaging-hosts",),
    linux_profiles=(".var/app/org.mozilla.firefox",),
    mac_user=(),
    verified=False,
)
CHROME: Final = Places(
    browser="chrome",
    programs=("google-chrome", "google-chrome-stable", "google-chrome-beta", "google-chrome-unstable"),
    linux_user=_linux("google-chrome", "google-chrome-beta", "google-chrome-unstable", "google-chrome-canary"),
    linux_system=("/etc/opt/chrome/native-messaging-hosts",),
    mac_user=_mac(*(f"Google/Chrome{channel}" for channel in ("", " Beta", " Dev", " Canary"))),
    mac_system=(f"/Library/Google/Chrome/{HOSTS}",),
    windows_keys=(_CHROME_KEY,),
)
CHROME_FOR_TESTING: Final = Places(
    browser="chrome-for-testing",
    # Until version 146 it looked where Chrome looks.
    linux_user=_linux("google-chrome-for-testing"),
    linux_system=("/etc/opt/chrome_for_testing/native-messaging-hosts",),
    mac_user=_mac("Google/ChromeForTesting"),
    mac_system=(f"/Library/Google/ChromeForTesting/{HOSTS}",),
    windows_keys=(_CHROME_KEY,),
)
CHROMIUM: Final = Places(
    browser="chromium",
    programs=("chromium", "chromium-browser"),
    linux_user=_linux("chromium"),
    linux_system=("/etc/chromium/native-messaging-hosts",),
    mac_user=_mac("Chromium"),
    mac_system=(f"/Library/Application Support/Chromium/{HOSTS}",),
    windows_keys=(_CHROMIUM_KEY, _CHROME_KEY),
)
EDGE: Final = Places(
    browser="edge",
    programs=("microsoft-edge", "microsoft-edge-stable", "microsoft-edge-beta", "microsoft-edge-dev"),
    linux_user=_linux("microsoft-edge", "microsoft-edge-beta", "microsoft-edge-dev"),
    linux_system=("/etc/opt/edge/native-messaging-hosts",),
    mac_user=_mac(*(f"Microsoft Edge{channel}" for channel in ("", " Beta", " Dev", " Canary"))),
    mac_system=(f"/Library/Microsoft/Edge/{HOSTS}",),
    windows_keys=(rf"Microsoft\Edge\{HOSTS}", _CHROMIUM_KEY, _CHROME_KEY),
)
_BRAVES: Final = [f"BraveSoftware/Brave-Browser{channel}" for channel in ("", "-Beta", "-Dev", "-Nightly")]
BRAVE: Final = attrs.evolve(
    CHROME,
    browser="brave",
    programs=("brave", "brave-browser"),
    linux_user=_linux(*_BRAVES),
    mac_user=_mac(*_BRAVES),
)
VIVALDI: Final = attrs.evolve(
    CHROME,
    browser="vivaldi",
    programs=("vivaldi", "vivaldi-stable"),
    linux_user=_linux("vivaldi", "vivaldi-snapshot"),
    linux_system=("/etc/opt/vivaldi/native-messaging-hosts",),
    mac_user=_mac("Vivaldi", "Vivaldi-Snapshot"),
)
OPERA: Final = attrs.evolve(
    CHROME,
    browser="opera",
    programs=("opera",),
    linux_user=_linux("opera", "opera-beta", "opera-developer"),
    mac_user=_mac(*(f"com.operasoftware.Opera{channel}" for channel in ("", "Next", "Developer", "GX"))),
    verified=False,
)
HELIUM: Final = attrs.evolve(
    CHROMIUM,
    browser="helium",
    programs=("helium",),
    linux_user=_linux("net.imput.helium"),
    mac_user=_mac("net.imput.helium"),
    verified=False,
)
THORIUM: Final = attrs.evolve(
    CHROMIUM,
    browser="thorium",
    programs=("thorium-browser",),
    linux_user=_linux("thorium"),
    mac_user=_mac("Thorium"),
    verified=False,
)
LIBREWOLF: Final = Places(
    browser="librewolf",
    programs=("librewolf",),
    family="firefox",
    linux_user=(".librewolf/native-messaging-hosts",),
    linux_system=("/usr/lib/librewolf/native-messaging-hosts",),
    mac_user=_mac("LibreWolf"),
    windows_keys=(_MOZILLA_KEY,),
    verified=False,
)
WATERFOX: Final = Places(
    browser="waterfox",
    programs=("waterfox",),
    family="firefox",
    linux_user=(".waterfox/native-messaging-hosts",),
    mac_user=_mac("Waterfox"),
)
FLOORP: Final = Places(
    browser="floorp",
    programs=("floorp",),
    family="firefox",
    linux_user=(".floorp/native-messaging-hosts",),
    mac_user=_mac("Floorp"),
    windows_keys=(_MOZILLA_KEY,),
    verified=False,
)
# Zen looks where Firefox looks, in spite of its own folders.
ZEN: Final = attrs.evolve(
    FIREFOX,
    browser="zen",
    programs=("zen", "zen-browser"),
    linux_user=(".mozilla/native-messaging-hosts", ".zen/native-messaging-hosts"),
    linux_profiles=(".zen", ".config/zen"),
    mac_user=_mac("Mozilla", "zen"),
    verified=False,
)
THUNDERBIRD: Final = attrs.evolve(
    FIREFOX,
    browser="thunderbird",
    programs=("thunderbird",),
    linux_profiles=(".thunderbird",),
    mac_user=_mac("Thunderbird"),
    mac_system=(),
    verified=False,
)

_ALL: Final = (
    *(FIREFOX, FIREFOX_FLATPAK, LIBREWOLF, WATERFOX, FLOORP, ZEN, THUNDERBIRD),
    *(CHROME, CHROME_FOR_TESTING, CHROMIUM, EDGE, BRAVE, VIVALDI, OPERA, HELIUM, THORIUM),
)
BROWSERS: Final[dict[str, Places]] = {places.browser: places for places in _ALL}
