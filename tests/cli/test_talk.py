"""The command `trio-ports talk`, with applications in processes of their own."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID
from support import PATIENCE_SECONDS

from trio_ports.native import install

APPLICATION = f"""\
import sys
sys.path[:0] = {sys.path!r}
import trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port() as port:
        print("it has begun", file=sys.stderr, flush=True)
        async for message in port:
            if message == "leave":
                return
            if message == "crash":
                sys.exit(3)
            await port.send([message, sys.argv[-1]])
trio.run(main)
"""
LINGER = ("--linger", str(PATIENCE_SECONDS))
Child = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def application(tmp_path: Path) -> list[str]:
    """An application, as a command: it answers, and leaves or crashes when it is told to."""
    file = tmp_path / "an application.py"
    file.write_text(APPLICATION)
    return [sys.executable, str(file)]


@pytest.fixture
def say(child: Child, tmp_path: Path) -> Child:
    """Talk, with some input, in a HOME of its own."""

    def run(*arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": ""}
        return subprocess.run(
            [sys.executable, "-m", "trio_ports", "talk", *arguments],
            input=text,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=PATIENCE_SECONDS,
            env={**os.environ, **home},
        )

    return run


def lines_of(text: str) -> list[Any]:
    """Return the JSON values in some lines."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("family", "asking"),
    [(None, "trio-ports@example.invalid"), ("chromium", f"chrome-extension://{'a' * 32}/")],
)
def test_a_command(say: Child, application: list[str], family: str | None, asking: str) -> None:
    """It is started as the family starts it; its answers come as lines of JSON, what it says otherwise elsewhere."""
    options = [] if family is None else ["--as", family]
    ran = say("--json-lines", *LINGER, *options, *application, text='1\n{"a":\n[2]}\n\n"ü"\nnull\n"leave"\n')
    assert lines_of(ran.stdout) == [[message, asking] for message in (1, {"a": [2]}, "ü", None)]
    assert (ran.stderr, ran.returncode) == ("it has begun\n", 0)


def test_what_people_see(say: Child, application: list[str]) -> None:
    """Both directions with their sizes, and how it ended."""
    ran = say(*LINGER, *application, text='"hi"\n"leave"\n')
    said = [line.split(maxsplit=1)[1] for line in ran.stdout.splitlines()[:-1]]
    assert sorted(said) == [
        "stderr  it has begun",
        '\u2190     35 B  ["hi","trio-ports@example.invalid"]',
        '\u2192      4 B  "hi"',
        '\u2192      7 B  "leave"',
    ]
    assert ran.stdout.splitlines()[-1] == "The application has disconnected."


@pytest.mark.parametrize("options", [[], ["--json-lines"]])
def test_an_application_that_crashes(say: Child, application: list[str], options: list[str]) -> None:
    """The status is 1, and the reason is told."""
    ran = say(*LINGER, *options, *application, text='"crash"\n')
    assert ran.returncode == 1
    assert "exited with status 3" in (ran.stderr if options else ran.stdout)


@pytest.mark.parametrize("options", [[], ["--json-lines"]])
def test_mistakes_in_the_input(say: Child, application: list[str], options: list[str]) -> None:
    """Each is told, and the conversation goes on; what is not complete at the end is not sent."""
    text = f'[NaN]\n{{"a":\n\n/what\n"{"x" * 5}\n\n[1,\n'
    ran = say("--linger", "0", *options, *application, text=text)
    told = ran.stderr if options else ran.stdout
    assert told.count("This is not JSON") == 3
    assert "/disconnect ends the conversation" in told
    assert "This is not complete: [1," in told
    assert ran.returncode == 0


def test_what_cannot_be_sent(say: Child, application: list[str]) -> None:
    """A message that is too large is refused, and the next one is sent; no end of line is needed."""
    ran = say("--json-lines", *LINGER, *application, text=f'"{"x" * (64 << 20)}"\n"leave"')
    assert (ran.stdout, ran.returncode) == ("", 0)
    assert "67,108,864" in ran.stderr or "67108864" in ran.stderr


def test_disconnecting(say: Child, application: list[str]) -> None:
    """What comes after it is not sent."""
    ran = say(*LINGER, *application, text="/disconnect\n1\n")
    assert (ran.returncode, "You have disconnected." in ran.stdout, "1 B" in ran.stdout) == (0, True, False)


def test_bytes_as_they_are(say: Child, tmp_path: Path, application: list[str]) -> None:
    """/raw shows what is on the wire, and sends what no message could be; both are noted in their order."""
    record = tmp_path / "record.jsonl"
    text = '/raw\n"\u00fc"\n/raw \\x02\\0\\0\\0\\x32\\x32\n/raw \\q\n/raw\n1\n/raw \\x07\\0\\0\\0"leave"\n'
    ran = say("--record", str(record), *LINGER, *application, text=text)
    said = [line.split(maxsplit=1)[1] for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    for line in (r'\u2192 raw \x04\x00\x00\x00"\xc3\xbc"', r"\u2192 raw \x02\x00\x00\x0022"):
        assert line.replace(r"\u2192", "\u2192") in said
    assert "These are not bytes: after a backslash" in ran.stdout
    assert ran.stdout.count("The bytes on the wire are") == 2
    answers = [event["message"] for event in lines_of(record.read_text()) if event["event"] == "delivered"]
    assert [first for first, _ in answers] == ["\u00fc", 22, 1]
    sent = [event for event in lines_of(record.read_text()) if event["event"] in ("posted", "raw")]
    assert [event.get("text", event.get("message")) for event in sent] == [
        "\u00fc",
        r"\x02\x00\x00\x0022",
        1,
        r'\x07\x00\x00\x00"leave"',
    ]


def test_a_record(say: Child, application: list[str], tmp_path: Path) -> None:
    """What was said, and when, in lines of JSON."""
    record = tmp_path / "record.jsonl"
    say("--record", str(record), *LINGER, *application, text='"hi"\n"leave"\n')
    events = lines_of(record.read_text())
    assert all(event.pop("seconds") >= 0 for event in events)
    assert [event for event in events if event["event"] != "stderr"] == [
        {"event": "posted", "message": "hi"},
        {"event": "posted", "message": "leave"},
        {"event": "delivered", "message": ["hi", "trio-ports@example.invalid"]},
        {"event": "disconnected", "here": False, "error": None},
    ]
    assert {"event": "stderr", "text": "it has begun"} in events


# Which application ----------------------------------------------------------------------------------------------


@pytest.fixture
def installed(application: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an application that both families may start."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    origins = [f"chrome-extension://{CHROMIUM_ID}/"]
    install("com.example.talks", application, allowed_extensions=[FIREFOX_ID], allowed_origins=origins)
    return "com.example.talks"


@pytest.mark.parametrize(
    ("options", "asking"),
    [
        ([], FIREFOX_ID),
        (["--as", "chromium"], f"chrome-extension://{CHROMIUM_ID}/"),
        (["--browser", "chromium"], f"chrome-extension://{CHROMIUM_ID}/"),
        (["--extension", CHROMIUM_ID], f"chrome-extension://{CHROMIUM_ID}/"),
    ],
)
def test_an_installed_application(say: Child, installed: str, options: list[str], asking: str) -> None:
    """The extension is the first that the manifest allows."""
    ran = say("--json-lines", *LINGER, *options, installed, text='1\n"leave"\n')
    assert lines_of(ran.stdout) == [[1, asking]]


def test_a_manifest(say: Child, installed: str, tmp_path: Path) -> None:
    """By its path."""
    (manifest,) = tmp_path.glob(".mozilla/**/*.json")
    ran = say("--json-lines", *LINGER, str(manifest), text='1\n"leave"\n')
    assert lines_of(ran.stdout) == [[1, FIREFOX_ID]]


def test_an_extension_that_is_not_allowed(say: Child, installed: str) -> None:
    """The reason is the browser's."""
    ran = say("--extension", "other@example.org", installed)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "does not allow 'other@example.org'" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["com.example.nobody"], "nobody.json is no manifest that a browser accepts, or allows nobody"),
        (["com.example.none"], "com.example.none is neither installed for any browser, nor a program on the PATH"),
        (["--browser", "edge", "com.example.nobody"], "is neither installed for edge, nor a program"),
        (
            ["--as", "chromium", "com.example.nobody"],
            "com.example.nobody is not installed for a browser of the family chromium",
        ),
        (["./nothing"], "there is no program './nothing'"),
        (["nothing", "--at-all"], "there is no program 'nothing'"),
        (["nowhere.json"], "cannot read"),
        (["{folder}/nobody.json"], "is no manifest that a browser accepts, or allows nobody"),
        (["{folder}/empty.json"], "is no manifest that a browser accepts, or allows nobody"),
        (["--record", "{folder}/none/x", sys.executable], "cannot write"),
        ([sys.executable, "nothing.py"], "must have an absolute path for its script"),
    ],
)
def test_what_cannot_be_started(say: Child, tmp_path: Path, words: list[str], said: str) -> None:
    """Wrong usage, before anything is started."""
    (tmp_path / "empty.json").write_text("{}")
    nobody = {"name": "nobody", "description": "-", "path": "/bin/true", "type": "stdio", "allowed_origins": []}
    (tmp_path / "nobody.json").write_text(json.dumps(nobody))
    (tmp_path / ".mozilla/native-messaging-hosts").mkdir(parents=True)
    (tmp_path / ".mozilla/native-messaging-hosts/com.example.nobody.json").write_text("{}")
    ran = say(*(word.format(folder=tmp_path) for word in words))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in " ".join(ran.stderr.split())


# By hand --------------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal in which the command runs."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.number, text.encode())

    def expect(self, text: str) -> None:
        """Read until some text was shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            ready, _, _ = select.select([self.number], [], [], deadline - time.monotonic())
            assert ready, self.shown
            self.shown += os.read(self.number, 65536).decode()
        self.shown = self.shown.partition(text)[2]


@pytest.fixture
def terminal(temporary_folder: Path, application: list[str]) -> Generator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """Talk to the application in a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "trio_ports", "talk", *application]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "dumb"}
    ) as it:
        try:
            yield Terminal(ours), it
        finally:
            it.kill()
    with contextlib.suppress(OSError):
        os.close(ours)
    os.close(theirs)


def test_by_hand(terminal: tuple[Terminal, "subprocess.Popen[bytes]"]) -> None:
    """There is a prompt, and what arrives does not tear the line that is being typed."""
    screen, it = terminal
    screen.expect("it has begun")
    screen.type('{"a":\n')
    screen.expect("> ")
    screen.type('1}\n"ha')
    screen.expect('{"a":1}')
    screen.expect('[{"a":1}')
    screen.expect('"ha')
    screen.type('lf"\n')
    screen.expect('["half"')
    screen.type("/help\n")
    screen.expect("/disconnect ends the conversation")
    screen.type('"leave"\n')
    screen.expect("The application has disconnected.")
    assert it.wait(PATIENCE_SECONDS) == 0


def test_the_end_of_what_is_typed(terminal: tuple[Terminal, "subprocess.Popen[bytes]"]) -> None:
    """Ctrl-D disconnects, once nothing more comes."""
    screen, it = terminal
    screen.expect("it has begun")
    screen.type("\x04")
    screen.expect("You have disconnected.")
    assert it.wait(PATIENCE_SECONDS) == 0


def test_interrupted_by_hand(terminal: tuple[Terminal, "subprocess.Popen[bytes]"]) -> None:
    """Ctrl-C ends it at the prompt."""
    screen, it = terminal
    screen.expect("it has begun")
    it.send_signal(signal.SIGINT)
    assert it.wait(PATIENCE_SECONDS) == 130
