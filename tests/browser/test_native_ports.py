"""Native ports as a context opens them: the rows of the dialect table that show without an application. Rules 8, 37."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from native_support import write_application
from support import Witness, each_dialect, open_world, settle

from trio_ports import Cause, LocalProtocolError, NativeApplicationError

TEXTS = {
    "firefox": "No such native application missing",
    "chrome": "Specified native messaging host not found.",
}


@each_dialect
async def test_an_application_without_a_manifest(dialect: Any, tmp_path: Path) -> None:
    """The port opens, and ends later with the reason, in the browser's words; its name is the application's or none."""
    async with open_world(dialect=dialect, manifest_folders=[tmp_path]) as world:
        port = world.background.runtime.connect_native("missing")
        assert port.name == ("" if dialect == "chrome" else "missing")
        assert port.sender is None
        errors: list[Any] = []
        port.on_disconnect.add_listener(lambda port: errors.append(port.error or world.background.runtime.last_error))
        await port.wait_disconnected()
        await settle()
        (error,) = errors
        assert error.cause is Cause.MANIFEST_NOT_FOUND
        if dialect in TEXTS:
            assert str(error) == TEXTS[dialect]


@each_dialect
async def test_a_name_that_no_application_can_have(dialect: Any, tmp_path: Path) -> None:
    """Rule 37: raises at the call in trio and Firefox; in Chromium the port ends."""
    async with open_world(dialect=dialect, manifest_folders=[tmp_path]) as world:
        connect = world.background.runtime.connect_native
        if dialect != "chrome":
            with pytest.raises(NativeApplicationError) as caught:
                connect("no such name!")
            assert caught.value.cause is Cause.BAD_NAME
            return
        port = connect("no such name!")
        witness = Witness(port)
        await port.wait_disconnected()
        await settle()
        assert witness.seen == ["end"]


@each_dialect
async def test_content_scripts_and_native_applications(dialect: Any, tmp_path: Path) -> None:
    """Firefox's content scripts may connect, the others' may not; a web page never."""
    async with open_world(dialect=dialect, manifest_folders=[tmp_path]) as world:
        tab = world.browser.open_tab("https://example.org/")
        script = world.extension.inject(tab)
        if dialect == "firefox":
            await script.runtime.connect_native("missing").wait_disconnected()
        else:
            with pytest.raises(LocalProtocolError, match=r"a content script has no runtime\.connect_native"):
                script.runtime.connect_native("missing")
        with pytest.raises(LocalProtocolError, match=r"a web page has no runtime\.connect_native"):
            tab.web_page_script().runtime.connect_native("missing")


@pytest.mark.parametrize(
    ("arguments", "text"), [({"application": 1}, "application must be str"), ({"message_type": 1}, "message_type must")]
)
async def test_bad_arguments(arguments: dict[str, Any], text: str, tmp_path: Path) -> None:
    """They raise at the call."""
    async with open_world(manifest_folders=[tmp_path]) as world:
        with pytest.raises(TypeError, match=text):
            world.background.runtime.connect_native(**{"application": "missing", **arguments})


@pytest.mark.parametrize("leaves", ["disconnect", "close", "block"])
async def test_what_was_posted_to_an_application_that_is_not_up_yet(tmp_path: Path, leaves: str) -> None:
    """Rules 38 and 39: it is started, and gets it all, although the browser is left at once."""
    write_application(tmp_path, "while True: open('log', 'a').write(receive())")
    async with open_world(manifest_folders=[tmp_path]) as world:
        port = world.background.runtime.connect_native("app")
        for letter in "hello":
            port.post_message(letter)
        if leaves == "disconnect":
            port.disconnect()
        elif leaves == "close":
            world.background.close()
    assert (tmp_path / "log").read_text() == "hello"
