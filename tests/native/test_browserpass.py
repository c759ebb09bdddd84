"""An application that nobody here wrote, from the manifests that its Debian package installed: browserpass.

It answers one request, with the password store's files or an echo, and exits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import each_dialect, lacking

from trio_ports import Cause, NativeApplicationError, open_browser
from trio_ports.native import connect_native, send_native_message

NAME = "com.github.browserpass.native"
FIREFOX_ID = "browserpass@maximbaz.com"
CHROMIUM_ID = "naepdomgkenhinolocfifgehidddafch"
IDS = {"trio": FIREFOX_ID, "firefox": FIREFOX_ID, "chrome": CHROMIUM_ID}
each_browser = pytest.mark.parametrize(
    ("browser", "extension_id"), [("firefox", FIREFOX_ID), ("chromium", CHROMIUM_ID)]
)


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    if not Path("/usr/lib/mozilla/native-messaging-hosts", f"{NAME}.json").exists():
        lacking("install Debian's package webext-browserpass")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A password store of our own: the user's is not touched."""
    monkeypatch.setenv("PASSWORD_STORE_DIR", str(tmp_path))
    (tmp_path / "example.org.gpg").touch()
    return tmp_path


def listing(store: Path) -> dict[str, Any]:
    own = {"id": "own", "name": "own", "path": str(store)}
    return {"action": "list", "settings": {"stores": {"own": own}}}


@each_browser
async def test_it_is_found_and_answers(store: Path, browser: str, extension_id: str) -> None:
    """It is started from where it was installed, answers, and ends in order."""
    async with connect_native(NAME, extension_id=extension_id, browser=browser) as port:
        port.post_message(listing(store))
        answers = [answer async for answer in port]
    assert [answer["data"] for answer in answers] == [{"files": {"own": ["example.org.gpg"]}}]
    assert port.error is None


@each_browser
@pytest.mark.parametrize("value", [{"a": [1, 2.5, "ä😀", None]}, "y" * 900_000, [], "", 0, False, None])
async def test_every_value_comes_back(store: Path, browser: str, extension_id: str, value: Any) -> None:
    """What it is asked to say is what arrives, whatever is asked for in one shot."""
    request = {"action": "echo", "echoResponse": value}
    assert await send_native_message(NAME, request, extension_id=extension_id, browser=browser) == value


@each_dialect
async def test_an_extension_talks_to_it(store: Path, dialect: Any) -> None:
    """From a page of the in-process browser: the answer, then the end, once."""
    async with open_browser(dialect=dialect) as browser:
        page = browser.install(IDS[dialect]).open_page("background.html")
        async with page.runtime.connect_native(NAME) as port:
            ends: list[Any] = []
            port.on_disconnect.add_listener(lambda port: ends.append(port.error))
            port.post_message(listing(store))
            assert (await port.receive())["data"] == {"files": {"own": ["example.org.gpg"]}}
            await port.wait_disconnected()
        assert len(ends) == 1


@each_browser
async def test_it_is_not_started_for_others(browser: str, extension_id: str) -> None:
    """Its manifests name who may; everybody else is refused."""
    other = extension_id.replace("a", "b")
    with pytest.raises(NativeApplicationError) as refusal:
        async with connect_native(NAME, extension_id=other, browser=browser):
            pass
    assert refusal.value.cause is Cause.NOT_ALLOWED


@each_browser
async def test_its_own_error_is_its_answer(store: Path, browser: str, extension_id: str) -> None:
    """What is no request is refused by the application, not by us."""
    answer = await send_native_message(NAME, "nonsense", extension_id=extension_id, browser=browser)
    assert answer["status"] == "error"
