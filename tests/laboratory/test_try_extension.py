"""`trio-ports try --extension`, in real browsers, with what `trio-ports init` writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from laboratory.processes import find_processes
from laboratory.shared import require
from support import PATIENCE_SECONDS

BROWSERS = pytest.mark.parametrize("kind", ["firefox", "chromium"])


class Workplace:
    """A folder with a new extension and application, and a home and a place for temporary files of its own."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder = folder / "notes"
        self.home = folder / "home"
        self.temporary = temporary
        self.home.mkdir()
        self._run("init", str(self.folder)).communicate(timeout=PATIENCE_SECONDS)

    @contextmanager
    def start(self, kind: str, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Try what is in the folder."""
        app = f"{sys.executable} {self.folder / 'app.py'}"
        extension = str(self.folder / "extension")
        with self._run(
            "try", "--browser", kind, "--headless", "--extension", extension, "--app", app, *options
        ) as process:
            alarm = threading.Timer(PATIENCE_SECONDS, process.kill)
            alarm.start()
            try:
                yield process
            finally:
                alarm.cancel()
                process.kill()

    def change(self, name: str, before: str, after: str) -> None:
        """Change a text in a file."""
        file = self.folder / name
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))

    def left(self) -> list[Path | int]:
        """Return what is left outside the folder: files, and processes that were started here."""
        return [*self.home.iterdir(), *self.temporary.iterdir(), *find_processes(str(self.temporary))]

    def _run(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "trio_ports", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A workplace whose temporary folder has a short name: with a long one it would not be used."""
    with tempfile.TemporaryDirectory(prefix="tp-", dir="/tmp") as folder:
        yield Workplace(tmp_path, Path(folder))


@BROWSERS
def test_from_nothing_to_a_browser_that_talks(kind: Any, workplace: Workplace) -> None:
    """What was just written talks; without a window it ends by itself, and nothing is left."""
    require(kind)
    with workplace.start(kind) as process:
        told, problems = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, problems) == (0, "")
    _, *lines, last = told.splitlines()
    assert [line.split(maxsplit=3)[3] for line in lines[:3] if "console" not in line] == [
        lines[0].split(maxsplit=3)[3],  # Which process it is.
        '→      6 B  "ping"',
        '←      6 B  "pong"',
    ]
    assert last == "All was removed."
    assert workplace.left() == []


@BROWSERS
def test_every_change_is_seen(kind: Any, workplace: Workplace) -> None:
    """The extension's script, its console, the application, a mistake in the manifest; then Ctrl-C leaves nothing."""
    require(kind)
    with workplace.start(kind, "--watch", "--json") as process:
        expect(process, "asked", message="ping")
        expect(process, "answered", message="pong")
        workplace.change("extension/background.js", 'say("ping")', 'console.error("oh dear"); say("again")')
        events = expect(process, "answered", message={"you said": "again"})
        (loaded,) = (event["text"] for event in events if event["event"] == "loaded")
        assert loaded == "background.js has changed: the extension was loaded again."
        assert any("oh dear" in event["text"] for event in events if event["event"] == "console")
        workplace.change("app.py", "you said", "I heard")
        expect(process, "answered", message={"I heard": "again"})
        workplace.change("extension/manifest.json", '"manifest_version"', "manifest_version")
        expect(process, "refused")
        workplace.change("extension/manifest.json", "manifest_version", '"manifest_version"')
        expect(process, "answered", message={"I heard": "again"})
        process.send_signal(signal.SIGINT)
        _, problems = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, problems) == (130, "")
    assert workplace.left() == []


def test_an_application_that_fails(workplace: Workplace) -> None:
    """It has the user's home. What it says is shown, and how it ended; the status says that it did not talk."""
    require("chromium")
    workplace.change(
        "app.py", "async with open_native_port() as port:", "import os; raise SystemExit(os.environ['HOME'])\n    if 1:"
    )
    with workplace.start("chromium", "--json") as process:
        expect(process, "stderr", text=str(workplace.home))
        expect(process, "exited", text="The application has ended, with status 1.")
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1


def expect(process: subprocess.Popen[str], event: str, **fields: object) -> list[dict[str, Any]]:
    """Read events until one has these fields, and return them."""
    assert process.stdout is not None
    events: list[dict[str, Any]] = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == event and fields.items() <= events[-1].items():
            return events
    raise AssertionError(events)
