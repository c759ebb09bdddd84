"""The command `trio-ports doctor`, as its user calls it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, files_below
from planted_faults import ANSWER, END, FAULTS, NAME, SOUND, START, code, fault, field, first_line, plant
from support import PATIENCE_SECONDS

from trio_ports._native.browser_side import present
from trio_ports._protocol.manifests import extension_origin
from trio_ports._protocol.places import BROWSERS
from trio_ports.cli.doctor import conversation
from trio_ports.cli.doctor.findings import CHECKS, KINDS
from trio_ports.testing._applications.causes import Cause

Command = Callable[..., click.testing.Result]
ORIGIN = extension_origin(CHROMIUM_ID)
PLACES = {"firefox": ".mozilla/native-messaging-hosts", "chromium": ".config/chromium/NativeMessagingHosts"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary_folder: Path) -> Path:
    """A user's home, where Firefox and Chromium are there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(present, "shutil", types.SimpleNamespace(which=lambda program: None))
    monkeypatch.setattr(conversation, "WATCH_SECONDS", 0.2)
    for browser, folder in PLACES.items():
        (tmp_path / folder).mkdir(parents=True)
        if browser == "chromium":
            (tmp_path / folder).with_name("Default").mkdir()
    (tmp_path / ".config/mozilla/firefox").mkdir(parents=True)
    return tmp_path


def install(home: Path, browser: str, planted: Any = SOUND) -> Path:
    """Write the application where the browser looks."""
    return plant(home / PLACES[browser], planted, [FIREFOX_ID], [ORIGIN]).manifest_file


def report_of(result: click.testing.Result) -> dict[str, Any]:
    """Return the JSON report, by browser."""
    report = json.loads(result.stdout)
    assert (report["format"], set(report["versions"])) == (1, {"trio_ports", "python"})
    assert report["seconds"] >= 0
    for each in report["browsers"]:
        assert [*dict.fromkeys(finding["check"] for finding in each["findings"])] == [*CHECKS]
    return {each["browser"]: each for each in report["browsers"]}


def ids_of(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding["id"], finding["status"]) for finding in report["findings"] if finding["id"]]


def test_a_sound_application(home: Path, command: Command) -> None:
    """Each browser that is there, and what its extension sees; the status is 0."""
    for browser in PLACES:
        install(home, browser)
    before = files_below(home)
    result = command("doctor", NAME, "--send", '{"a": "\u00e9"}')
    assert (result.exit_code, files_below(home)) == (0, before)
    assert f"firefox, for {FIREFOX_ID}" in result.stdout
    assert f"chromium, for {CHROMIUM_ID}" in result.stdout
    assert result.stdout.count('PASS  answer   {"a":"\u00e9"}') == 2
    assert result.stdout.count("The extension sees a port that works.") == 2
    assert "chromium: nothing fails\n" in result.stdout


def test_what_people_read(home: Path, command: Command) -> None:
    """The finding with its id, and a line that says what to do; the text that the extension sees; the status is 1."""
    install(home, "firefox", FAULTS["somebody else is allowed"] + FAULTS["it fails when it leaves"])
    result = command("doctor", "--browser", "firefox", "--extension", FIREFOX_ID, "--send", "1", NAME)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    (number,) = [number for number, line in enumerate(lines) if "not-allowed: " in line]
    assert lines[number].startswith(f"  FAIL  allowed  not-allowed: {FIREFOX_ID} is not in allowed_extensions")
    assert lines[number + 1].strip() == "Add the extension to allowed_extensions in the manifest."
    assert f"  The extension sees its port end: No such native application {NAME}" in lines
    assert "firefox: not-allowed (warnings: exit-status)" in lines


@pytest.mark.parametrize(
    ("browser", "planted", "text"),
    [
        ("firefox", FAULTS["it dies of an error"], "its port end without any text."),
        ("chromium", FAULTS["it dies of an error"], "its port end: Native host has exited."),
        ("chromium", FAULTS["NaN"], "a port that stays open, and no error."),
    ],
)
def test_what_the_extension_sees(home: Path, command: Command, browser: str, planted: Any, text: str) -> None:
    """In words."""
    install(home, browser, planted)
    result = command("doctor", "--browser", browser, "--send", "1", NAME)
    assert f"The extension sees {text}\n" in result.stdout


def test_a_name_that_no_application_can_have(home: Path, command: Command) -> None:
    """Firefox raises at the call, Chromium ends the port."""
    result = command("doctor", "lab-dash")
    assert result.exit_code == 1
    assert 'an exception at the call: Type error for parameter application (String "lab-dash"' in result.stdout
    assert "its port end: Invalid native messaging host name specified." in result.stdout


def test_json(home: Path, command: Command) -> None:
    """For programs: everything, with the causes that the package's errors have."""
    file = install(home, "chromium", FAULTS["no program"])
    result = command("doctor", "--json", "--browser", "chromium", NAME)
    assert result.exit_code == 1
    report = report_of(result)["chromium"]
    assert (report["family"], report["ok"], report["extension"]) == ("chromium", False, CHROMIUM_ID)
    assert report["manifest"] == str(file)
    assert report["seen"] == {"event": "disconnect", "text": "Specified native messaging host not found."}
    (finding,) = [each for each in report["findings"] if each["id"]]
    assert (finding["check"], finding["status"], finding["cause"]) == ("program", "fail", "program-missing")


def test_an_application_for_one_browser(home: Path, command: Command) -> None:
    """That there is no manifest for another browser is a warning, unless that one is asked for by name."""
    install(home, "firefox")
    report = report_of(command("doctor", "--json", NAME))
    assert ids_of(report["chromium"]) == [("manifest-not-found", "warn")]
    assert report["chromium"]["ok"]
    result = command("doctor", "--json", "--browser", "firefox,chromium", NAME)
    assert ids_of(report_of(result)["chromium"]) == [("manifest-not-found", "fail")]
    assert result.exit_code == 1


def test_an_application_that_nobody_has(home: Path, command: Command) -> None:
    """Then it is a failure; without a browser on the machine, the two families' first ones are asked."""
    (home / ".config/chromium/Default").rmdir()
    (home / ".config/mozilla/firefox").rmdir()
    (home / ".config/mozilla").rmdir()
    result = command("doctor", "--json", NAME)
    assert result.exit_code == 1
    for browser in PLACES:
        assert ids_of(report_of(result)[browser]) == [("manifest-not-found", "fail")]


def test_the_extension_decides_whom_to_ask(home: Path, command: Command) -> None:
    """Only its family's browsers, whether one is there or not; a browser that is named is asked all the same."""
    for browser in PLACES:
        install(home, browser)
    report = report_of(command("doctor", "--json", "--extension", FIREFOX_ID, NAME))
    assert {*report} == {"firefox"}
    (home / ".config/chromium/Default").rmdir()
    report = report_of(command("doctor", "--json", "--extension", "b" * 32, NAME))
    assert ids_of(report["chromium"]) == [("not-allowed", "fail")]
    both = ("--extension", "x@example", "--extension", "b" * 32, "--browser", "firefox,chromium")
    report = report_of(command("doctor", "--json", *both, NAME))
    assert [each["extension"] for each in report.values()] == ["x@example", "b" * 32]


def test_the_path_of_a_manifest(home: Path, command: Command, tmp_path: Path) -> None:
    """The families that it is for; both, if it says nothing of them or cannot be read."""
    folder = tmp_path / "anywhere"
    folder.mkdir()
    file = plant(folder, SOUND, [FIREFOX_ID], []).manifest_file
    assert {*report_of(command("doctor", "--json", str(file)))} == {"firefox"}
    plant(folder, fault("", field(allowed_extensions=...)), [FIREFOX_ID], [])
    assert {*report_of(command("doctor", "--json", str(file)))} == {"firefox", "chromium"}
    file.unlink()
    file.mkdir()
    report = report_of(command("doctor", "--json", str(file)))
    assert [ids_of(each) for each in report.values()] == [[("manifest-unreadable", "fail")]] * 2


def test_a_profile(home: Path, command: Command, tmp_path: Path) -> None:
    """Chromium that is started with --user-data-dir looks there, and in the system's places, not in the user's."""
    folder = tmp_path / "profile/NativeMessagingHosts"
    folder.mkdir(parents=True)
    install(home, "chromium")
    report = report_of(command("doctor", "--json", "--profile", str(tmp_path / "profile"), NAME))
    assert ids_of(report["chromium"]) == [("manifest-not-found", "fail")]
    file = plant(folder, SOUND, [], [ORIGIN]).manifest_file
    report = report_of(command("doctor", "--json", "--profile", str(tmp_path / "profile"), NAME))
    assert (report["chromium"]["manifest"], ids_of(report["chromium"])) == (str(file), [])


def test_all_browsers(home: Path, command: Command) -> None:
    """Each that is known, wherever it looks."""
    report = report_of(command("doctor", "--json", "--browser", "all", NAME))
    assert {*report} == {*BROWSERS}


def test_a_command(home: Path, command: Command, tmp_path: Path) -> None:
    """It is installed where no browser looks, and started by a launcher."""
    program = plant(tmp_path, SOUND, [], []).program_file
    result = command("doctor", "--json", "--send", "1", "--", sys.executable, "-I", str(program))
    report = report_of(result)
    assert {browser: ids_of(each) for browser, each in report.items()} == {"firefox": [], "chromium": []}
    report = report_of(command("doctor", "--json", "--extension", CHROMIUM_ID, str(program)))
    assert {*report} == {"chromium"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "NAME"),
        (["--browser", "firefox,netscape", NAME], "'netscape' is neither one of firefox"),
        (["--send", "{'a': 1}", NAME], "this is not JSON"),
        (["--send", "NaN", NAME], "this is not JSON"),
        (["--send", "[" * 100_000, NAME], "this is not JSON"),
        (["--patience", "0", NAME], "0.1"),
        (["./nothing.json"], "cannot read"),
        (["./nothing"], "no program"),
        (["--", "nothing", "--at", "all"], "no program"),
        (["nothing", "--at", "all"], "No such option"),
    ],
)
def test_wrong_usage(home: Path, command: Command, arguments: list[str], text: str) -> None:
    """The status is 2, and the reason is told."""
    result = command("doctor", *arguments)
    assert (result.exit_code, text in result.stderr) == (2, True)


def test_what_an_application_says_cannot_write_to_the_terminal(home: Path, command: Command) -> None:
    """Its text is escaped."""
    install(home, "chromium", fault("", code(START, "os.write(2, b'\\x1b[31mred'); sys.exit(1)")))
    result = command("doctor", "--browser", "chromium", "--send", "1", NAME)
    assert "\x1b" not in result.stdout
    assert r"\x1b[31mred" in result.stdout


def test_interrupted(home: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the application in order: it sees the end of its input, and the status says so."""
    mark = tmp_path / "mark"
    begun, ended = f"open({str(mark)!r}, 'w').close()", f"os.unlink({str(mark)!r})"
    install(home, "firefox", fault("", code(START, begun), code(ANSWER, "pass"), code(END, ended)))
    process = subprocess.Popen(
        [sys.executable, "-m", "trio_ports", "doctor", "--send", "1", "--patience", "1000", NAME],
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
    )
    while not mark.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, output, mark.exists()) == (130, b"", False)


def test_each_finding_has_a_section() -> None:
    """The page has the ids of the table, and says cause and cure of each."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "doctor.rst"
    lines = page.read_text(encoding="utf-8").splitlines()
    titles = [line.strip("`") for line, below in itertools.pairwise(lines) if below == "~" * len(line) != ""]
    assert titles == [*KINDS]
    assert {kind.check for kind in KINDS.values()} <= {*CHECKS}


def test_everything_that_can_be_wrong_with_an_output_is_a_finding() -> None:
    """The kit's causes, which name it, are all in the table."""
    causes = {*Cause.__args__} - {"", "no response", "print", "not JSON"}
    assert {f"output-{cause.replace(' ', '-')}" for cause in causes} <= {*KINDS}


def test_env_that_only_the_shell_has(home: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's PATH is not the shell's."""
    tools = home / "tools"
    tools.mkdir()
    (tools / "my-python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    install(home, "chromium", fault("", first_line("#!/usr/bin/env my-python")))
    report = report_of(command("doctor", "--json", "--browser", "chromium", NAME))
    assert ids_of(report["chromium"]) == [("env-finds-nothing", "fail")]
