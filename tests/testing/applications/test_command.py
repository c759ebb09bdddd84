"""``trio-ports check``: what the command writes, and its exit status."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support import PATIENCE_SECONDS
from testing.applications.faults import command
from testing.applications.remains import wait_until_gone

from trio_ports._protocol.places import CHROMIUM, FIREFOX
from trio_ports.testing._applications import checks


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "trio_ports", "check", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def flat(text: str) -> str:
    """Return a message of click's, which is wrapped, in one line."""
    return " ".join(text.split())


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
    assert summary == "It is an echo. 0 passed, 1 failed (breaks in a browser), 0 warnings."


def test_a_warning_and_a_skip() -> None:
    """Skipped checks are counted, and the status is 0."""
    done = check("--rule", "12", "--rule", "38", "--patience", "5", *command("pong"))
    assert done.returncode == 0
    last = done.stdout.splitlines()[-1]
    assert last.startswith("It answers. 2 passed, 0 failed, 0 warnings, 1 skipped. An echo made with the same library")


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
    assert {finding["grade"] for finding in report["findings"]} == {"", "differs from the letter"}
    assert report["format"] == 1
    assert report["versions"] == {"trio_ports": version("trio_ports"), "python": platform.python_version()}
    assert report["platform"] == platform.platform()
    assert datetime.fromisoformat(report["started"]).tzinfo is not None
    assert report["seconds"] >= sum(finding["seconds"] for finding in report["findings"])
    assert report["manifest"] is None


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
    assert "nor a program on the PATH; the file in this folder is ./host.py" in flat(done.stderr)


def test_a_report_that_could_not_be_written(tmp_path: Path) -> None:
    """A report that could not be written is refused before anything is started."""
    done = check("--junit", str(tmp_path / "nowhere" / "report.xml"), *command("none"))
    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert not done.stdout


def test_one_cause_in_lines() -> None:
    """The first check shows what is wrong, and the others say which check that was."""
    done = check("--rule", "35", "--rule", "38", *command("lines"))
    first, *others = done.stdout.splitlines()[:3]
    assert first.startswith(
        "fail rule 35  the arguments of either browser: it writes a line end, '\\n', after a message"
    )
    assert others == [
        "skip rule 38  the end of its input: as in 'the arguments of either browser'",
        "skip rule 38  what it leaves behind: as in 'the arguments of either browser'",
    ]
    assert done.stdout.splitlines()[-1].startswith("It gives no answer that can be read. 0 passed")


def test_the_list() -> None:
    """``--list`` shows each check with its rule and a link, for people and for programs, and starts nothing."""
    lines = check("--list").stdout.splitlines()
    listed = json.loads(check("--list", "--json").stdout)
    assert [f"rule {each['rule']}  {each['check']}: {each['sentence']}" for each in listed] == lines[::2]
    assert [each["link"] for each in listed] == [line.strip() for line in lines[1::2]]
    assert [each["check"] for each in listed] == [each.name for each in checks.CHECKS]


def write_baseline(file: Path, status: str, name: str) -> list[str]:
    file.write_text(json.dumps({"findings": [{"check": name, "status": status}]}))
    return ["--baseline", str(file)]


def test_a_baseline(tmp_path: Path) -> None:
    """What failed before may fail again, and is counted by itself."""
    before = check("--json", "--rule", "13", *command("false"))
    baseline = tmp_path / "baseline.json"
    baseline.write_text(before.stdout)
    done = check(
        "--baseline", str(baseline), "--junit", str(tmp_path / "report.xml"), "--rule", "13", *command("false")
    )
    assert (before.returncode, done.returncode) == (1, 0)
    assert done.stdout.startswith("expected rule 13  every JSON value: null is swallowed")
    assert done.stdout.endswith("It is an echo. 0 passed, 0 failed, 0 warnings, 1 failed as expected.\n")
    assert ET.parse(tmp_path / "report.xml").getroot().get("skipped") == "1"


def test_a_baseline_that_is_out_of_date(tmp_path: Path) -> None:
    """What no longer fails is a failure, so that the baseline is kept up to date; what was not seen is none."""
    baseline = write_baseline(tmp_path / "baseline.json", "expected", "every JSON value")
    done = check(*baseline, "--rule", "13", *command("none"))
    assert done.returncode == 1
    assert "fail rule 13  every JSON value: it no longer fails: take it out of the baseline" in done.stdout
    baseline = write_baseline(tmp_path / "baseline.json", "fail", "numbers that no double holds")
    assert check(*baseline, "--rule", "12", *command("pong")).returncode == 0


def test_a_strict_baseline(tmp_path: Path) -> None:
    """With --strict, a baseline is about warnings too."""
    baseline = write_baseline(tmp_path / "baseline.json", "warn", "an empty frame")
    assert check("--strict", *baseline, "--rule", "33", *command("empty")).returncode == 0
    assert check("--strict", *baseline, "--rule", "33", *command("none")).returncode == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not a report that --json wrote"),
        ("[]", "is not a report that --json wrote"),
        ('{"findings": [{"check": "no such check", "status": "fail"}]}', "names no check of --list: no such check"),
    ],
)
def test_what_is_not_a_baseline(tmp_path: Path, text: str, why: str) -> None:
    """It is wrong usage, and nothing is started."""
    file = tmp_path / "baseline.json"
    file.write_text(text)
    done = check("--baseline", str(file), *command("none"))
    assert (done.returncode, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.split())


def install_host(home: Path, name: str, **allowed: list[str]) -> Path:
    """Install an echo that leaves at once unless it is started with the arguments that the manifest promises."""
    host = home / "host"
    promised = [*allowed.get("allowed_extensions", []), *allowed.get("allowed_origins", [])]
    lines = [
        f"#!{sys.executable} -E",
        "import sys",
        f"if not set(sys.argv) & set({promised}): sys.exit('not for you')",
        "while head := sys.stdin.buffer.read(4):",
        "    body = sys.stdin.buffer.read(int.from_bytes(head, sys.byteorder))",
        "    sys.stdout.buffer.write(head + body)",
        "    sys.stdout.buffer.flush()",
    ]
    host.write_text("\n".join(lines))
    host.chmod(0o755)
    places = FIREFOX if "allowed_extensions" in allowed else CHROMIUM
    manifest = home / places.linux_user[0] / f"{name}.json"
    manifest.parent.mkdir(parents=True)
    fields = {"name": name, "description": "a test", "path": str(host), "type": "stdio", **allowed}
    manifest.write_text(json.dumps(fields))
    return manifest


@pytest.mark.parametrize(
    "allowed",
    [
        {"allowed_origins": [f"chrome-extension://{'b' * 32}/"]},
        {"allowed_extensions": ["notes@example.org"]},
    ],
    ids=["chromium", "firefox"],
)
def test_an_installed_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: dict[str, list[str]]
) -> None:
    """It is found by its name and by its manifest, and started as the browsers do that may start it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    manifest = install_host(tmp_path, "org.example.notes", **allowed)
    for word in ("org.example.notes", str(manifest)):
        done = check("--json", "--rule", "35", word)
        report = json.loads(done.stdout)
        assert [finding["status"] for finding in report["findings"]] == ["pass"]
        assert (report["command"], report["manifest"]) == ([str(tmp_path / "host")], str(manifest))


def test_an_application_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where it was looked for; a manifest that browsers refuse is refused here too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    done = check("org.example.absent")
    assert (done.returncode, done.stdout) == (2, "")
    assert "org.example.absent is neither installed for any browser, nor a program on the PATH" in flat(done.stderr)
    manifest = install_host(tmp_path, "org.example.notes", allowed_origins=["https://example.org/"])
    done = check(str(manifest))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a manifest that a browser accepts" in flat(done.stderr)
