"""`trio-ports demo` as a program: what it writes, how it ends, what it leaves behind."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trio_ports.cli.demo import command as demo_command
from trio_ports.cli.demo.scenes import SCENES, Scene
from trio_ports.cli.demo.stage import Stage


def test_all_scenes(child, temporary_folder: Path) -> None:
    """As a program in a pipe: all scenes, in order, with a summary, and nothing left behind."""
    ran = child("demo")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.findall(r"--scene (\w+)", ran.stdout) == list(SCENES)
    assert "\x1b" not in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("✓ All went as it should: ")
    assert list(temporary_folder.iterdir()) == []


def test_json_lines(child) -> None:
    """Every line is one JSON object, with the event's name; the last one says how it went."""
    ran = child("demo", "--json", PYTHONIOENCODING="ascii")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.returncode, ran.stderr) == (0, "")
    assert all(isinstance(event["event"], str) and isinstance(event["seconds"], float) for event in events)
    assert events[0]["scenes"] == list(SCENES)
    assert events[-1]["event"] == "demo-ended"
    assert events[-1]["ok"] is True


def test_chosen_scenes(command) -> None:
    """Scenes can be chosen, and are played in the order they are named."""
    result = command("demo", "--scene", "extensions", "--scene", "greeting")
    assert result.exit_code == 0
    assert re.findall(r"--scene (\w+)", result.stdout) == ["extensions", "greeting"]


def test_other_encoding(child) -> None:
    """Without UTF-8 the signs are plain, and nothing is lost."""
    ran = child("demo", "--scene", "greeting", PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert 'content script  -> background       {"greeting": "hello from content script"}' in ran.stdout


def test_no_pauses(command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is looking, no time is given to read."""
    monkeypatch.setattr(demo_command, "PAUSE_SECONDS", 3600)
    assert command("demo", "--scene", "greeting").exit_code == 0


@pytest.mark.parametrize("as_json", [True, False])
def test_failure(as_json: bool, command, monkeypatch: pytest.MonkeyPatch) -> None:
    """If something does not happen that should, the demo says so and ends with 1."""

    async def broken(stage: Stage) -> None:
        raise ValueError("a broken scene")

    monkeypatch.setitem(demo_command.SCENES, "greeting", Scene("greeting", "Broken", broken))
    result = command("demo", "--scene", "greeting", *(["--json"] if as_json else []))
    assert result.exit_code == 1
    assert "the scene failed: ValueError('a broken scene')" in result.stdout


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no such pipes")
def test_nobody_reads(child, temporary_folder: Path) -> None:
    """A reader that has gone, as `head` does, is no reason for a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = child("demo", stdout=writer)
    finally:
        os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, "")
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.skipif("not os.path.exists('/dev/full')", reason="this system has no /dev/full")
def test_full_disk(child) -> None:
    """Output that cannot be written is an error in one line."""
    with Path("/dev/full").open("w") as full:
        ran = child("demo", stdout=full)
    assert (ran.returncode, ran.stderr) == (1, "trio-ports: cannot write the output: No space left on device\n")


class Session:
    """A command in a terminal."""

    def __init__(self, *arguments: str) -> None:
        import pty

        self.pid, self.terminal = pty.fork()
        if self.pid == 0:  # pragma: no cover - Another program from here on.
            os.execv(sys.executable, [sys.executable, "-m", "trio_ports", *arguments])
        self.seen = ""
        self.status: int | None = None

    def read_until(self, text: str | None) -> None:
        """Read until ``text`` has been seen; with None, until the end."""
        while text is None or text not in self.seen:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:  # Linux's word for the end of a terminal.
                data = b""
            if not data:
                assert text is None, self.seen
                return
            self.seen += data.decode()

    def wait(self) -> int:
        self.read_until(None)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


@contextmanager
def open_session(*arguments: str) -> Iterator[Session]:
    session = Session(*arguments)
    try:
        yield session
    finally:
        os.close(session.terminal)
        if session.status is None:
            os.kill(session.pid, signal.SIGKILL)
            os.waitpid(session.pid, 0)


needs_terminal = pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has other terminals")


@needs_terminal
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_in_a_terminal(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is looking gets colours, and time to read."""
    monkeypatch.setenv("TERM", "xterm-256color")
    with open_session("demo") as session:
        assert session.wait() == 0
    took = re.search(r" messages, (\d+\.\d) s\.", session.seen)
    assert took is not None
    assert float(took[1]) > demo_command.PAUSE_SECONDS * session.seen.count("the user ")
    assert "\x1b[" in session.seen
    assert list(temporary_folder.iterdir()) == []


@needs_terminal
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(("scene", "moment"), [("greeting", "Scenes of"), ("native", '"pong"')])
def test_ctrl_c(scene: str, moment: str, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a scene: status 130, no traceback, nothing left behind."""
    monkeypatch.setenv("TERM", "dumb")
    with open_session("demo", "--scene", scene) as session:
        session.read_until(moment)
        os.write(session.terminal, b"\x03")
        assert session.wait() == 130
    assert "Traceback" not in session.seen
    assert "All went" not in session.seen
    assert list(temporary_folder.iterdir()) == []
