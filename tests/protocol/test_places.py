"""Where browsers look for native manifests: the table keeps its promises."""

from __future__ import annotations

import pytest

from trio_ports._protocol.places import BROWSERS, Places


@pytest.mark.parametrize("places", BROWSERS.values(), ids=BROWSERS)
def test_rows_of_the_table_are_well_formed(places: Places) -> None:
    """A user's places are relative, the system's absolute, keys are Windows' and have no root."""
    assert BROWSERS[places.browser] is places
    assert places.family in ("firefox", "chromium")
    assert places.linux_user
    assert not any(place.startswith("/") for place in (*places.linux_user, *places.mac_user))
    assert all(place.startswith("/") for place in (*places.linux_system, *places.mac_system))
    assert all("\\" in key and not key.startswith("Software") for key in places.windows_keys)


@pytest.mark.parametrize(
    ("browser", "user", "system", "key"),
    [
        (
            "firefox",
            ".mozilla/native-messaging-hosts",
            "/usr/lib/mozilla/native-messaging-hosts",
            r"Mozilla\NativeMessagingHosts",
        ),
        (
            "chrome",
            ".config/google-chrome/NativeMessagingHosts",
            "/etc/opt/chrome/native-messaging-hosts",
            r"Google\Chrome\NativeMessagingHosts",
        ),
        (
            "chromium",
            ".config/chromium/NativeMessagingHosts",
            "/etc/chromium/native-messaging-hosts",
            r"Chromium\NativeMessagingHosts",
        ),
    ],
)
def test_the_common_browsers_are_where_their_vendors_say(browser: str, user: str, system: str, key: str) -> None:
    """Rule 42, written out once more for the three that most people have."""
    places = BROWSERS[browser]
    assert (places.linux_user[0], places.linux_system[0], places.windows_keys[0]) == (user, system, key)


def test_any_browser_has_a_place_of_its_own_somewhere() -> None:
    """The names that people look for are there, each in the order: the main channel, then the others."""
    names = "firefox firefox-flatpak librewolf waterfox floorp zen thunderbird chrome chrome-for-testing chromium edge"
    assert [*BROWSERS] == [*names.split(), "brave", "vivaldi", "opera", "helium", "thorium"]
    for browser, channels in {"chrome": 4, "brave": 4, "edge": 3, "opera": 3, "vivaldi": 2}.items():
        user = BROWSERS[browser].linux_user
        assert len({*user}) == channels
        assert min(user, key=len) == user[0]
