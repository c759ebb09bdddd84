"""``trio-ports check``: what the command writes, and its exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support import PATIENCE_SECONDS
from testing.applications.faults import command
from testing.applications.remains import wait_until_gone


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "trio_ports", "check", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def test_nothing_failed() -> None:
    """A line for each check, a summary, and 0."""
    done = check("--rule", "33", "--rule", "12", *command("none"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "pass rule 33  frames in every cut",
        "pass rule 12  numbers that no double holds",
        "pass rule 33  an empty frame",
        "",
        "It is an echo. 3 passed, 0 failed, 0 warnings.",
    ]


def test_something_failed() -> None:
    """The line says what, the summary which rule, and the status is 1."""
    done = check("--rule", "13", *command("false"))
    assert done.returncode == 1
    first, *_, rule, summary = done.stdout.splitlines()
    assert first.startswith("fail rule 13  every JSON value: null is swallowed; false is swallowed; 0 is swallowed")
    assert rule.startswith("rule 13: It takes every JSON value: null, false, 0 and the empty text are messages too")
    assert summary == "It is an echo. 0 passed, 1 failed, 0 warnings."


def test_a_warning_and_a_skip() -> None:
    """Skipped checks are counted, and the status is 0."""
    done = check("--rule", "12", "--rule", "38", "--patience", "5", *command("pong"))
    assert done.returncode == 0
    last = done.stdout.splitlines()[-1]
    assert last.startswith("It answers. 1 passed, 0 failed, 0 warnings, 1 skipped. An echo made with the same library")


def test_reports_for_programs(tmp_path: Path) -> None:
    """The report is written as JSON to standard output, and as JUnit to a file."""
    junit = tmp_path / "report.xml"
    options = ["--json", "--junit", str(junit), "--rule", "36", "--rule", "33"]
    done = check(*options, *command("empty"))
    report = json.loads(done.stdout)
    assert report["manner"] == "echo"
    assert {finding["rule"] for finding in report["findings"]} == {33, 36}
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))
    assert suite.get("tests") == str(len(report["findings"]))
    assert (done.returncode == 0) == report["ok"]


def test_junit_of_all_kinds(tmp_path: Path) -> None:
    """Failures, skips and warnings each have their element, whatever their text contains."""
    junit = tmp_path / "report.xml"
    check("--junit", str(junit), "--patience", "5", *command("prints"))
    text = junit.read_text(encoding="utf-8")
    suite = ET.fromstring(text)
    assert suite.get("failures") == str(len(suite.findall("*/failure")))
    assert suite.get("skipped") == str(len(suite.findall("*/skipped")))
    assert "hello, this is my log" in text
    check("--junit", str(junit), "--rule", "38", *command("status"))
    assert "warning: at the end of its input it exited with status 3" in junit.read_text(encoding="utf-8")


def test_a_program_that_is_not_there() -> None:
    """A missing program is wrong usage: the status is 2."""
    done = check("/nowhere/at/all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "trio-ports: cannot start /nowhere/at/all: No such file or directory\n"


def test_strictly() -> None:
    """With --strict, a warning fails the command."""
    arguments = ["--rule", "33", *command("empty")]
    assert check(*arguments).returncode == 0
    assert check("--strict", *arguments).returncode == 1


def test_a_script_that_is_not_there() -> None:
    """A missing script of an interpreter is wrong usage too."""
    done = check(sys.executable, "/nowhere/host.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "trio-ports: cannot start /nowhere/host.py: No such file or directory\n"


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("", 0o644, "Permission denied (try chmod +x)"),
        (
            "#!/nowhere/at/all",
            0o755,
            "No such file or directory (the file exists, but the interpreter that its first line",
        ),
        ("1", 0o755, "Exec format error (a script needs a first line"),
    ],
)
def test_programs_that_cannot_be_started(tmp_path: Path, text: str, mode: int, why: str) -> None:
    """The message gives advice where the system's words mislead."""
    program = tmp_path / "host"
    program.write_text(text)
    program.chmod(mode)
    done = check(str(program))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"trio-ports: cannot start {program}: {why}")


def test_a_folder(tmp_path: Path) -> None:
    """A folder is not a program, and the message says so."""
    assert check(str(tmp_path)).stderr == f"trio-ports: cannot start {tmp_path}: It is a folder\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_stopped(tmp_path: Path, number: signal.Signals) -> None:
    """The application and what it has started end with the command."""
    told = tmp_path / "children"
    program = [sys.executable, "-m", "trio_ports", "check", *command("parent"), str(told)]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL) as checking:
        while not told.exists() or not told.read_text().endswith("\n"):
            time.sleep(0.01)
        checking.send_signal(number)
        assert checking.wait(PATIENCE_SECONDS) == 128 + number
    for child in told.read_text().split():
        with pytest.raises(ProcessLookupError):
            wait_until_gone(int(child))


def test_no_program() -> None:
    """Without a program there is nothing to check: the status is 2."""
    assert check().returncode == 2


def test_a_program_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a slash is looked for on the PATH, and the message says so."""
    (tmp_path / "host.py").touch()
    monkeypatch.chdir(tmp_path)
    done = check("host.py")
    assert done.returncode == 2
    assert "No such file or directory on the PATH (the one in this folder is ./host.py)" in done.stderr


def test_a_report_that_could_not_be_written(tmp_path: Path) -> None:
    """A report that could not be written is refused before anything is started."""
    done = check("--junit", str(tmp_path / "nowhere" / "report.xml"), *command("none"))
    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert not done.stdout
