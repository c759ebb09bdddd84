"""`trio-ports try --extension`, as far as it goes without a browser."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import click.testing
import pytest
import trio
from native_support import FIREFOX_ID, encode

from trio_ports._laboratory.browsers.errors import BrowserCommandError, BrowserGoneError
from trio_ports._laboratory.console import ConsoleLine
from trio_ports._laboratory.trial import Report, Subject
from trio_ports._protocol.extension_ids import id_of_folder
from trio_ports.cli import try_browser, try_extension
from trio_ports.cli.output import Output
from trio_ports.cli.try_extension import FIRST_SECONDS, LOOK_SECONDS, QUIET_SECONDS, Outcome, Teller, try_subjects
from trio_ports.native import install

Capture = pytest.CaptureFixture[str]
Tellers = Callable[..., Teller]
Command = Callable[..., click.testing.Result]
GECKO = {"browser_specific_settings": {"gecko": {"id": "notes@example.org"}}}
MANIFEST = {"manifest_version": 3, "name": "Notes", "version": "1", "permissions": ["nativeMessaging"], **GECKO}
CALL = 'const port = chrome.runtime.connectNative("com.example.notes");'


@pytest.fixture
def extension(tmp_path: Path) -> Path:
    """The folder of an extension."""
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "background.js").write_text(CALL)
    (folder / "icons").mkdir()
    (folder / "icons" / "icon.png").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Subject]]:
    """What the command would try."""
    found: list[dict[str, Subject]] = []

    async def note(subjects: dict[str, Subject], output: Output, outcome: Outcome, **_: bool) -> None:
        found.append(subjects)
        outcome.complete = True

    monkeypatch.setattr(try_browser, "try_subjects", note)
    return found


def call(command: Command, extension: Path, *arguments: str, browser: str = "both") -> click.testing.Result:
    return command("try", "--browser", browser, "--headless", "--extension", str(extension), *arguments)


def test_a_command(command: Command, extension: Path, tried: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension says what it is called; paths become absolute, so that a browser can start it."""
    monkeypatch.chdir(extension.parent)
    (extension.parent / "app.py").touch()
    result = call(command, extension, "--app", f"{sys.executable} app.py 'two words'")
    assert (result.exit_code, result.output) == (0, "All was removed.\n")
    words = [sys.executable, str(extension.parent / "app.py"), "two words"]
    firefox = Subject(extension, "notes@example.org", "com.example.notes", words)
    chromium = attrs.evolve(firefox, extension_id=id_of_folder(extension))
    assert tried == [{"firefox": firefox, "chromium": chromium}]


def test_a_manifest(command: Command, extension: Path, tried: Any, tmp_path: Path) -> None:
    """It says what the application is called, and which program it is."""
    *_, manifest = install(
        "com.example.other", sys.executable, allowed_extensions=[FIREFOX_ID], manifest_folders=[tmp_path / "hosts"]
    )
    assert call(command, extension, "--app", str(manifest.file), "--json").output == ""
    assert tried[0]["chromium"].application == "com.example.other"
    assert tried[0]["chromium"].command == [sys.executable]


def test_a_name_that_the_scripts_do_not_show(command: Command, extension: Path, tried: Any) -> None:
    """It is given."""
    (extension / "background.js").write_text("chrome.runtime.connectNative(NAME);")
    (extension / "other.mjs").symlink_to("nowhere")
    assert call(command, extension, "--app", sys.executable).exit_code == 2
    assert (
        call(command, extension, "--app", sys.executable, "--name", "com.example.x", browser="firefox").exit_code == 0
    )
    assert tried[0]["firefox"].application == "com.example.x"


@pytest.mark.parametrize(
    ("manifest", "script", "arguments", "said"),
    [
        ({}, CALL, ["--app", "'"], "--app ': No closing quotation"),
        ({}, CALL, ["--app", " "], "--app is empty"),
        ({}, CALL, ["--app", "./nothing"], "there is no program './nothing'"),
        ({}, CALL, ["--app", f"{sys.executable} nothing.py"], "must have an absolute path for its script"),
        ({}, CALL, ["--app", "{folder}/empty.json"], "no browser would accept the manifest of empty: "),
        ({}, CALL, [], "--extension and --app belong together"),
        ({}, "", ["--app", sys.executable], "no script calls connectNative with a plain name: give"),
        ({}, f"{CALL}sendNativeMessage( `a`", ["--app", sys.executable], "the scripts call a, com.example.notes: give"),
        ({}, 'connectNative("Notes")', ["--app", sys.executable], "'Notes' cannot be the name of a native application"),
        ({"permissions": ["tabs"]}, CALL, ["--app", sys.executable], 'for the permission: "permissions": ["nativeM'),
        ({"browser_specific_settings": {}}, CALL, ["--app", sys.executable], "for an extension with an id of its own"),
        ({"key": "?"}, CALL, ["--app", sys.executable], "a key is base64"),
    ],
)
def test_what_cannot_be_tried(
    command: Command, extension: Path, tried: Any, *, manifest: Any, script: str, arguments: list[str], said: str
) -> None:
    """Wrong usage, before a browser is started."""
    (extension / "manifest.json").write_text(json.dumps({**MANIFEST, **manifest}))
    (extension / "background.js").write_text(script)
    (extension.parent / "empty.json").write_text("{}")
    result = call(command, extension, *(each.format(folder=extension.parent) for each in arguments))
    assert (result.exit_code, tried) == (2, [])
    assert said in " ".join(result.output.split())


def test_a_folder_that_is_not_an_extension(command: Command, tmp_path: Path) -> None:
    """Its manifest is missing."""
    result = call(command, tmp_path, "--app", sys.executable)
    assert (result.exit_code, "it has no manifest.json" in " ".join(result.output.split())) == (2, True)


@pytest.mark.parametrize("option", [["--name", "x"], ["--watch"], ["--json"], ["--browser", "both"], ["--app", "x"]])
def test_options_without_an_extension(command: Command, option: list[str]) -> None:
    """They do not fit the demonstration."""
    result = command("try", "--browser", "firefox", "--headless", *option)
    assert (result.exit_code, "--extension" in result.output) == (2, True)


# What is shown ------------------------------------------------------------------------------------------------------


@pytest.fixture
def teller() -> Tellers:
    """Make a teller."""
    return lambda **options: Teller("firefox", Output(), **{"as_json": False, "ends": False, **options})


async def test_a_conversation(autojump_clock: Any, teller: Tellers, capsys: Capture) -> None:
    """Each message is shown once it is complete, from the browser's number of its connection."""
    it = teller()
    it.tell("opened", "Firefox 153")
    it.receive(1, Report("started", pid=42))
    it.receive(1, Report("asked", encode("ping")[:7]))
    it.receive(1, Report("asked", encode("ping")[7:] + b"\n\0\0\0" + '{"a":"ü"}'.encode()))
    assert not it.answered
    it.receive(1, Report("answered", encode("x" * 3000)))
    assert it.answered
    it.receive(1, Report("stderr", b"one\ntw"))
    it.receive(1, Report("stderr", b"o\nthree"))
    it.show_console(ConsoleLine("a\nb", "lib/a.js (3)", is_error=True))
    it.show_console(ConsoleLine("c", "", is_error=False))
    await trio.sleep(1)
    it.receive(1, Report("exited", status=-9))
    it.receive(2, Report("failed", text="it cannot be started"))
    assert capsys.readouterr().out.splitlines() == [
        "firefox        0.000 Firefox 153",
        "firefox   1    0.000 The browser has started the application, process 42.",
        'firefox   1    0.000 →      6 B  "ping"',
        'firefox   1    0.000 →     10 B  {"a":"ü"}',
        f'firefox   1    0.000 ←   3002 B  "{"x" * 1999} … and 1002 more characters',
        "firefox   1    0.000 stderr one",
        "firefox   1    0.000 stderr two",
        "firefox        0.000 console a",
        "        b  lib/a.js (3)",
        "firefox        0.000 console c",
        "firefox   1    1.000 stderr three",
        "firefox   1    1.000 The application has ended, by signal 9.",
        "firefox   2    1.000 it cannot be started",
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello, I was printed\n", "The bytes are text that was printed into the stream"),
        (encode(1) + (2**24).to_bytes(4, sys.byteorder), "exceeds the limit of 1048576 bytes"),
        (b"\1\0\0\0{", "This is not JSON: {"),
    ],
)
async def test_what_ends_the_connection(
    autojump_clock: Any, teller: Tellers, data: bytes, said: str, capsys: Capture
) -> None:
    """It is named once; what comes after it is no message any more."""
    it = teller()
    it.receive(1, Report("started"))
    it.receive(1, Report("answered", data))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "The browser ends the connection" in line)
    assert said in line
    it.receive(1, Report("answered", b"more"))
    assert capsys.readouterr().out == ""


async def test_for_programs(autojump_clock: Any, teller: Tellers, capsys: Capture) -> None:
    """One object per line."""
    it = teller(as_json=True)
    it.receive(3, Report("started", pid=42))
    it.receive(3, Report("asked", encode({"a": "ü"})))
    it.show_console(ConsoleLine("c", "a.js (1)", is_error=False))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()][1:] == [
        {"event": "asked", "browser": "firefox", "connection": 3, "message": {"a": "ü"}, "seconds": 0},
        {
            "event": "console",
            "browser": "firefox",
            "connection": None,
            "text": "c",
            "place": "a.js (1)",
            "is_error": False,
            "seconds": 0,
        },
    ]


# How it is tried ----------------------------------------------------------------------------------------------------


class FakeTrial:
    """Stands for a trial in a browser."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(try_extension, "open_trial", self._open)
        self.loaded = 0
        self.refuses = False
        self.script: Callable[[Callable[[int, Report], object]], Any] = self._be_silent

    @asynccontextmanager
    async def _open(
        self, kind: Any, subject: Subject, on_report: Any, on_console: Any, *, headless: bool
    ) -> AsyncGenerator[SimpleNamespace]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.script, on_report)
            yield SimpleNamespace(name="Fake", version="1", load_extension=self._load)
            nursery.cancel_scope.cancel()

    async def _be_silent(self, report: Callable[[int, Report], object]) -> None:
        """Report nothing."""

    async def _load(self, folder: Path) -> str:
        self.loaded += 1
        if self.refuses:
            raise BrowserCommandError("load", "it is bad")
        return "id"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTrial:
    """A trial without a browser."""
    return FakeTrial(monkeypatch)


async def try_it(extension: Path, *, headless: bool = True, watches: bool = False) -> tuple[bool, float]:
    """Return whether the application has talked, and how long that took."""
    outcome = Outcome()
    subject = Subject(extension, "id", "name", [sys.executable, "nothing"])
    began = trio.current_time()
    options = {"headless": headless, "watches": watches, "as_json": False}
    await try_subjects({"firefox": subject, "chromium": subject}, Output(), outcome, **options)
    return outcome.complete, trio.current_time() - began


async def test_nobody_talks(autojump_clock: Any, fake: FakeTrial, extension: Path) -> None:
    """Without a window that ends it some time after the extension was loaded."""
    assert await try_it(extension) == (False, FIRST_SECONDS)
    assert fake.loaded == 2


async def test_they_talk(autojump_clock: Any, fake: FakeTrial, extension: Path) -> None:
    """Without a window, it ends when nothing more is said; a slow application has more time for its first answer."""

    async def script(report: Callable[[int, Report], object]) -> None:
        report(1, Report("started"))
        await trio.sleep(FIRST_SECONDS - 1)
        for pause in 1, QUIET_SECONDS - 1, 0:
            report(1, Report("answered", encode("pong")))
            await trio.sleep(pause)

    fake.script = script
    assert await try_it(extension) == (True, FIRST_SECONDS - 1 + 1 + QUIET_SECONDS - 1 + QUIET_SECONDS)


async def test_the_browsers_are_closed(autojump_clock: Any, fake: FakeTrial, extension: Path, capsys: Capture) -> None:
    """With a window that is the end, however long it takes."""

    async def script(report: Callable[[int, Report], object]) -> None:
        report(1, Report("started"))
        report(1, Report("answered", encode("pong")))
        await trio.sleep(5000)
        raise BrowserGoneError("gone")

    fake.script = script
    assert await try_it(extension, headless=False) == (True, 5000)
    assert capsys.readouterr().out.count("The browser was closed.") == 2


async def test_a_change(autojump_clock: Any, fake: FakeTrial, extension: Path, capsys: Capture) -> None:
    """It is loaded again once a change is over, and however often the browser refuses it."""
    script_file = extension / "background.js"

    async def script(report: Callable[[int, Report], object]) -> None:
        if report.__self__._kind == "firefox":  # type: ignore[attr-defined]
            return
        await trio.sleep(LOOK_SECONDS * 1.5)
        for number in range(5):
            script_file.write_text("x" * number)
            await trio.sleep(LOOK_SECONDS)
            assert fake.loaded == 2
        await trio.sleep(LOOK_SECONDS)
        assert fake.loaded == 4
        fake.refuses = True
        script_file.unlink()
        await trio.sleep(LOOK_SECONDS * 3)
        (extension / "new.js").touch()
        fake.refuses = False
        await trio.sleep(FIRST_SECONDS)

    fake.script = script
    with trio.move_on_after(100):
        await try_it(extension, watches=True)
    told = [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines() if "chromium" in line]
    assert told == [
        "Fake 1, with a profile of its own",
        "background.js has changed: the extension was loaded again.",
        "The browser refuses the extension: it is bad",
        "new.js has changed: the extension was loaded again.",
    ]
