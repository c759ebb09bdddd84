"""The commands `trio-ports install`, `uninstall` and `list`, in a HOME of their own."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import click.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_support import CHROMIUM_ID, FIREFOX_ID, files_below, write_manifest

from trio_ports.cli.commands import program
from trio_ports.cli.install import _command
from trio_ports.native import FileChange
from trio_ports.native import install as install_application

NAME = "com.example.app"
LAUNCHER = f".local/share/trio-ports/{NAME}"
MOZILLA = f".mozilla/native-messaging-hosts/{NAME}.json"
CHROMIUM = f".config/chromium/NativeMessagingHosts/{NAME}.json"
EXTENSION = ("--extension", FIREFOX_ID)
ORIGIN = ("--origin", CHROMIUM_ID)
Command = Callable[..., click.testing.Result]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which Firefox and Chromium have been started, and the current folder, with a script."""
    home = tmp_path / "home"
    for folder in (".mozilla/firefox", ".config/chromium/Default"):
        (home / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", "/bin")
    (tmp_path / "app.py").write_text("print(1)")
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def call(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call a command in this process."""
    monkeypatch.delenv("PYTHONPATH")
    return lambda *arguments: click.testing.CliRunner().invoke(program, arguments)


def flat(text: str) -> str:
    """Return a message of click's, which is wrapped, in one line."""
    return " ".join(text.split())


# install --------------------------------------------------------------------------------------------------------


def test_a_script_for_the_browsers_that_are_there(call: Command, home: Path, tmp_path: Path) -> None:
    """It shows what was done and what to do next."""
    done = call("install", NAME, "app.py", *EXTENSION, *ORIGIN)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"created  {home / LAUNCHER}",
        f"created  {home / MOZILLA}  (firefox, zen, thunderbird)",
        f"created  {home / CHROMIUM}  (chromium)",
        f"It starts {sys.executable} {tmp_path / 'app.py'}, for {FIREFOX_ID}, {CHROMIUM_ID}.",
        f'In the extension: permission "nativeMessaging", and runtime.connectNative("{NAME}").',
        f"To talk to it from here: trio-ports talk {NAME}",
        f"If a browser does not start it: trio-ports doctor {NAME}",
        f"To remove it: trio-ports uninstall {NAME}",
    ]
    assert json.loads((home / MOZILLA).read_bytes())["allowed_extensions"] == [FIREFOX_ID]
    assert json.loads((home / CHROMIUM).read_bytes())["allowed_origins"] == [f"chrome-extension://{CHROMIUM_ID}/"]


def test_a_dry_run(call: Command, home: Path) -> None:
    """It announces what would be done, and does nothing."""
    done = call("install", NAME, "app.py", *EXTENSION, "--dry-run")
    assert done.output.splitlines()[1] == f"would be created  {home / MOZILLA}  (firefox, zen, thunderbird)"
    assert done.output.splitlines()[-1] == "Nothing was written."
    assert files_below(home) == {}
    assert call("install", NAME, "app.py", *EXTENSION).exit_code == 0
    again = call("install", NAME, "app.py", *EXTENSION, "--dry-run")
    assert again.output.startswith("unchanged  ")


def test_for_programs(call: Command, home: Path, tmp_path: Path) -> None:
    """The report as JSON; variables, a description and options of the program, after two dashes."""
    options = ("--env", "A=1=2", "--description", "Notes", "--json", *ORIGIN, *ORIGIN, "--origin", "d" * 32)
    done = call("install", NAME, *options, "--", "app.py", "--loud")
    report = json.loads(done.output)
    assert report["name"] == NAME
    assert report["command"] == [sys.executable, str(tmp_path / "app.py"), "--loud"]
    assert report["changes"] == [
        {"file": str(home / LAUNCHER), "action": "created", "done": True, "registered": None, "browsers": []},
        {"file": str(home / CHROMIUM), "action": "created", "done": True, "registered": None, "browsers": ["chromium"]},
    ]
    manifest = json.loads((home / CHROMIUM).read_bytes())
    assert manifest["description"] == "Notes"
    assert manifest["allowed_origins"] == [f"chrome-extension://{CHROMIUM_ID}/", f"chrome-extension://{'d' * 32}/"]
    assert "export A=1=2\n" in (home / LAUNCHER).read_text()


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (("--browser", "firefox"), {MOZILLA}),
        (("--browser", "chromium,brave"), {CHROMIUM, f".config/BraveSoftware/Brave-Browser/{CHROMIUM[17:]}"}),
        (("--profile", "{home}/profile"), {f"profile/NativeMessagingHosts/{NAME}.json"}),
    ],
)
def test_for_some_browsers(call: Command, home: Path, options: tuple[str, ...], files: set[str]) -> None:
    """Named ones get their manifest, whether they are there or not; a profile gets its own."""
    options = tuple(option.format(home=home) for option in options)
    folder = ("--launcher-folder", str(home / "programs"))
    assert call("install", NAME, "app.py", *EXTENSION, *ORIGIN, *folder, *options).exit_code == 0
    assert {*files_below(home)} == {*files, f"programs/{NAME}"}
    listed = json.loads(call("list", "--json", *(options if "--profile" in options else ())).output)
    assert {each["file"] for each in listed if each["name"] == NAME} == {str(home / file) for file in files}
    removal = options if "--profile" in options else ()
    assert call("uninstall", NAME, *removal).exit_code == 0
    assert not {*files} & {*files_below(home)}


def test_for_all_browsers(call: Command, home: Path) -> None:
    """Those whose family has an extension."""
    assert call("install", NAME, "/bin/sh", "--extension", CHROMIUM_ID, "--browser", "all").exit_code == 0
    files = files_below(home)
    assert len(files) > 7
    assert not any("mozilla" in file for file in files)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([NAME, "app.py"], "which extension may start it? Give --extension or --origin"),
        ([NAME], "Missing argument 'PROGRAM...'"),
        ([NAME, "app.py", "--origin", "https://example.org/"], "is not an origin of Chromium's"),
        ([NAME, "app.py", "--extension", "notes"], "must be a list of one or more extension ids"),
        (["a-b", "app.py", *EXTENSION], "name: must be letters, digits"),
        ([NAME, "none.py", *EXTENSION], "there is no program 'none.py'"),
        ([NAME, "/bin/sh", "none.py", "--loud", *EXTENSION], "No such option"),
        ([NAME, "app.py", *EXTENSION, "--browser", "chromium"], "nobody may start it in chromium: give --origin"),
        ([NAME, "app.py", *ORIGIN, "--browser", "zen"], "nobody may start it in zen: give --extension"),
        ([NAME, "app.py", *EXTENSION, "--browser", "netscape"], "'netscape' is neither one of firefox,"),
        ([NAME, "app.py", *EXTENSION, "--browser", "all,zen"], "'all' is neither one of firefox,"),
        ([NAME, "app.py", *EXTENSION, "--profile", "x"], "--profile is for Chromium's family"),
        ([NAME, "app.py", *ORIGIN, "--profile", "x", "--browser", "all"], "give --browser or --profile, not both"),
        ([NAME, "app.py", *EXTENSION, "--env", "A"], "'A' is not of the form NAME=VALUE"),
        ([NAME, "app.py", *EXTENSION, "--env", "A B=1"], "env must have names of letters"),
        ([NAME, "{folder}/_npx/x", *EXTENSION], "must be in a place that stays"),
    ],
)
def test_wrong_usage(call: Command, home: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    """The status is 2, and nothing is written."""
    (tmp_path / "_npx").mkdir()
    (tmp_path / "_npx" / "x").symlink_to("/bin/sh")
    done = call("install", *(word.format(folder=tmp_path) for word in arguments))
    assert done.exit_code == 2, done.output
    assert said in flat(done.output)
    assert files_below(home) == {}


def test_no_browser_is_there(call: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is 1, and the message says for which one may install all the same."""
    monkeypatch.setenv("PATH", "")
    (home / ".mozilla" / "firefox").rmdir()
    (home / ".mozilla").rmdir()
    done = call("install", NAME, "app.py", *EXTENSION)
    assert done.exit_code == 1
    assert "none of these browsers is here: firefox, firefox-flatpak, librewolf" in flat(done.output)
    assert files_below(home) == {}


def test_a_profile_on_windows(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium would not look there."""
    with mock.patch("trio_ports.cli.install.WINDOWS", new=True):
        done = call("install", NAME, "app.py", *ORIGIN, "--profile", "x")
    assert done.exit_code == 2
    assert "on Windows, the registry counts" in flat(done.output)


def test_what_the_system_refuses(call: Command, home: Path) -> None:
    """The status is 1, and the message names the file and what was done before."""
    error = OSError(errno.ENOSPC, "No space left", str(home / MOZILLA))
    error.add_note("Done before: something")
    with mock.patch("trio_ports.cli.install.install_application", side_effect=error):
        done = call("install", NAME, "app.py", *EXTENSION)
    assert (done.exit_code, flat(done.output)) == (
        1,
        f"Error: {home / MOZILLA}: No space left. Done before: something",
    )
    with mock.patch("trio_ports.cli.uninstall.uninstall_application", side_effect=OSError("odd")):
        assert call("uninstall", NAME).output == "Error: odd\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be in another user's home")
def test_sudo_with_the_home_of_a_user(call: Command, home: Path) -> None:
    """Root's files would lock the user out."""
    os.chown(home, 1000, 1000)
    done = call("install", NAME, "app.py", *EXTENSION)
    assert done.exit_code == 1
    assert "This home is another user's" in flat(done.output)
    assert files_below(home) == {}


def test_a_variable_that_will_not_be_there(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher is deaf to it, and the command says so, if it matters."""
    monkeypatch.setenv("PYTHONPATH", "/srv")
    assert "PYTHONPATH is set here" in call("install", NAME, "app.py", *EXTENSION).output
    assert "PYTHONPATH is set here" not in call("install", NAME, "/bin/sh", *EXTENSION).output
    assert (
        "PYTHONPATH is set here" not in call("install", NAME, "app.py", *EXTENSION, "--env", "PYTHONPATH=/srv").output
    )


def test_a_profile_is_what_comes_next_too(call: Command, tmp_path: Path) -> None:
    """Only its browser finds the manifest, so the next commands name it."""
    folder = tmp_path / "my profile"
    *_, talk, _, remove = call("install", NAME, "app.py", *ORIGIN, "--profile", str(folder)).output.splitlines()
    assert talk == f"To talk to it from here: trio-ports talk '{folder}/NativeMessagingHosts/{NAME}.json'"
    assert remove == f"To remove it: trio-ports uninstall {NAME} --profile '{folder}'"


def test_for_all_users(call: Command, tmp_path: Path) -> None:
    """A program that others may not read is no use to them; nothing else is said of them otherwise."""
    (tmp_path / "app.py").chmod(0o644)
    with mock.patch("trio_ports.cli.install.install_application") as install:
        install.return_value = [FileChange(Path("/etc/x.json"), "created")]
        tmp_path.chmod(0o755)
        lines = call("install", NAME, "/bin/sh", "/nowhere/x", *EXTENSION, "--system").output.splitlines()
        assert not any(line.startswith("Other users") for line in lines)
        assert lines[-1] == f"To remove it: trio-ports uninstall {NAME} --system"
        tmp_path.chmod(0o700)
        shown = call("install", NAME, "app.py", *EXTENSION, "--system").output
    assert f"Other users may not read {tmp_path / 'app.py'}." in shown


@pytest.mark.parametrize("line", [["list"], ["list", "--json"], ["uninstall", NAME, "--json", "--dry-run"]])
def test_output_that_cannot_be_written(child: Any, line: list[str]) -> None:
    """It is one line and the status 1."""
    with Path("/dev/full").open("w") as full:
        install_application(NAME, "/bin/sh", allowed_extensions=[FIREFOX_ID])
        ran = child(*line, stdout=full)
    assert (ran.returncode, ran.stderr) == (1, "trio-ports: cannot write the output: No space left on device\n")


# Which command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mode", "before"),
    [
        ("print(1)", 0o644, [sys.executable]),
        ("print(1)", 0o755, [sys.executable]),
        ("#!/usr/bin/python3\n", 0o644, [sys.executable]),
        ("#!/usr/bin/env python3\n", 0o755, [sys.executable]),
        ("#! /usr/bin/env -S python3 -I\n", 0o755, [sys.executable, "-I"]),
        ("#!/usr/bin/env sh\n", 0o755, ["/bin/sh"]),
        ("#!/usr/bin/env -S sh -e\n", 0o755, ["/bin/sh", "-e"]),
        ("#!/usr/bin/env nothing\n", 0o755, []),
        ("#!/usr/bin/env A=1 sh\n", 0o755, []),
        ("#!/bin/sh\n", 0o755, []),
    ],
)
def test_the_interpreter_of_a_script(tmp_path: Path, text: str, mode: int, before: list[str]) -> None:
    """One that a browser would look for on its own PATH is named absolutely; a Python script runs with this Python."""
    script = tmp_path / "app.py"
    script.write_text(text)
    script.chmod(mode)
    assert _command(["app.py", "app.py", "-x"]) == [*before, str(script), str(script), "-x"]


def test_a_program_on_the_path() -> None:
    """It is found now, as a browser would not find it."""
    assert _command(["sh", "-c", "exit 0"]) == ["/bin/sh", "-c", "exit 0"]


def test_a_program_that_cannot_be_read(tmp_path: Path) -> None:
    """It may be a binary that can be executed all the same."""
    with mock.patch.object(Path, "open", side_effect=PermissionError):
        assert _command(["/bin/sh"]) == ["/bin/sh"]


@pytest.mark.parametrize(
    "name", ["with space", "it's", 'a"b', "line\nend", "50%", "a&b;c", "café", "$HOME", "back\\s", "*"]
)
def test_paths_of_all_kinds(call: Command, home: Path, tmp_path: Path, name: str) -> None:
    """The launcher starts the same Python with the same packages, whatever is in the path and the environment."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "app.py").write_text("import sys, trio; print([sys.executable, sys.prefix, trio.__file__, *sys.argv])")
    word = f"{name} {name}"
    assert call("install", NAME, str(folder / "app.py"), word, *EXTENSION, "--env", f"A={word}").exit_code == 0
    path = json.loads((home / MOZILLA).read_bytes())["path"]
    surroundings = {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "PATH": "", "PYTHONSAFEPATH": "1"}
    ran = subprocess.run(
        [path, "manifest", FIREFOX_ID], capture_output=True, check=True, cwd="/", encoding="utf-8", env=surroundings
    )
    import trio

    expected = [sys.executable, sys.prefix, trio.__file__, str(folder / "app.py"), word, "manifest", FIREFOX_ID]
    assert ran.stdout == f"{expected}\n"
    (listed,) = (each for each in json.loads(call("list", NAME, "--json").output) if each["browsers"][0] == "firefox")
    assert (listed["command"], listed["problem"]) == ([sys.executable, str(folder / "app.py"), word], None)


# uninstall and list ---------------------------------------------------------------------------------------------


def test_uninstalling(call: Command, home: Path) -> None:
    """Lines for people, or JSON; and nothing to do is no failure."""
    call("install", NAME, "app.py", *EXTENSION, *ORIGIN)
    announced = call("uninstall", NAME, "--dry-run")
    assert announced.output.splitlines()[0] == f"would be removed  {home / MOZILLA}  (firefox, zen, thunderbird)"
    partly = call("uninstall", NAME, "--browser", "chromium")
    assert partly.exit_code == 0
    assert partly.output.splitlines() == [f"removed  {home / CHROMIUM}  (chromium)", f"left  {home / LAUNCHER}"]
    rest = call("uninstall", NAME, "--json")
    assert rest.exit_code == 0
    assert [change["action"] for change in json.loads(rest.output)["changes"]] == ["removed", "removed"]
    nothing = call("uninstall", NAME)
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert f"{NAME} is not installed for this user" in nothing.output
    assert call("uninstall", "a-b").exit_code == 2


def test_what_somebody_else_wrote_is_left(call: Command, home: Path) -> None:
    """The status is 1: browsers find it still."""
    (home / MOZILLA).parent.mkdir()
    (home / MOZILLA).write_text("{}")
    done = call("uninstall", NAME)
    assert (done.exit_code, done.output) == (1, f"left  {home / MOZILLA}  (firefox, zen, thunderbird)\n")


def test_the_list(call: Command, home: Path) -> None:
    """What is sound, what is not, and by whom; the status says whether all is well."""
    install_application(NAME, "/bin/sh", allowed_extensions=[FIREFOX_ID], browsers=["firefox"])
    sound = call("list", NAME)
    assert sound.exit_code == 0
    assert sound.output.splitlines() == [
        NAME,
        f"  ok     {home / MOZILLA}  firefox, zen, thunderbird; for this user, by trio-ports",
        "         starts /bin/sh",
    ]
    other = home / MOZILLA
    other.with_name("other.json").write_text("{")
    rude = home / "\x1b[2J"
    rude.symlink_to("/bin/sh")
    write_manifest(other.parent, rude, "rude")
    broken = call("list", "--browser", "firefox")
    assert broken.exit_code == 1
    assert f"  broken {other.with_name('other.json')}  firefox; for this user, by others" in broken.output
    assert "the manifest: must be JSON in UTF-8" in broken.output
    assert f"starts '{home}/\\x1b[2J'" in broken.output
    assert "\x1b" not in broken.output
    report = {each["name"]: each for each in json.loads(call("list", "--json").output)}
    assert report[NAME] == {
        "name": NAME,
        "file": str(home / MOZILLA),
        "browsers": ["firefox", "zen", "thunderbird"],
        "system": False,
        "command": ["/bin/sh"],
        "by": "trio-ports",
        "package": None,
        "sound": True,
        "problem": None,
    }
    assert (report["other"]["by"], report["other"]["sound"]) == ("other", False)


def test_a_list_of_nothing(call: Command, home: Path) -> None:
    """An empty list is fine, but not one of what somebody asked for."""
    assert call("list", "--profile", str(home)).exit_code == 0
    none = call("list", "com.example.none")
    assert (none.exit_code, none.stdout) == (1, "")
    assert "com.example.none is not installed" in none.output
    assert json.loads(call("list", "--json", "com.example.none").stdout) == []


def test_a_package(call: Command, home: Path) -> None:
    """It is named."""
    from trio_ports._native.installing.listing import InstalledManifest

    theirs = InstalledManifest("app", Path("/etc/app.json"), ("edge",), True, ("/bin/sh",), "notes", None)
    with mock.patch("trio_ports.cli.list_installed.installed", return_value=[theirs, theirs]):
        lines = call("list").output.splitlines()
        (report, _) = json.loads(call("list", "--json").output)
    assert lines.count("app") == 1
    assert lines[1] == "  ok     /etc/app.json  edge; for all users, by package notes"
    assert (report["by"], report["package"]) == ("package", "notes")


# A round trip -----------------------------------------------------------------------------------------------------


def snapshot(folder: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Return everything in a folder: modes, and what files contain and links lead to."""
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for each in sorted(folder.rglob("*")):
        mode = each.lstat().st_mode
        content = str(each.readlink()) if each.is_symlink() else each.read_bytes() if each.is_file() else None
        found[str(each.relative_to(folder))] = (stat.S_IMODE(mode), content)
    return found


FOLDERS = [".mozilla", ".config/chromium", ".config/google-chrome", ".config/BraveSoftware/Brave-Browser", ".librewolf"]
homes = st.fixed_dictionaries(
    {
        folder: st.sampled_from(["absent", "empty", "used", "hosts", "foreign", "link", "broken link"])
        for folder in [*FOLDERS, ".local/share/trio-ports"]
    }
)
browser_words = st.one_of(
    st.sampled_from(["installed", "all"]),
    st.lists(st.sampled_from(["firefox", "librewolf", "chromium", "chrome", "brave"]), min_size=1).map(",".join),
)


def furnish(home: Path, kinds: dict[str, str]) -> None:
    """Let a home look as if some browsers had been used, and others had installed something of the same name."""
    for folder, kind in kinds.items():
        hosts = home / folder
        if folder in FOLDERS:
            hosts /= "native-messaging-hosts" if folder in (".mozilla", ".librewolf") else "NativeMessagingHosts"
        file = hosts / (f"{NAME}.json" if folder in FOLDERS else NAME)
        if kind in ("empty", "used"):
            (home / folder).mkdir(parents=True)
        if kind == "used":
            (home / folder / "prefs").write_text("1")
        if kind in ("hosts", "foreign", "link", "broken link"):
            hosts.mkdir(parents=True)
        if kind == "foreign":
            file.write_text(json.dumps({"name": NAME, "path": "/opt/theirs"}))
            file.chmod(0o640)
        if kind in ("link", "broken link"):
            file.symlink_to(home / "theirs.json" if kind == "link" else "nowhere")
    (home / "theirs.json").write_text("{}")


@settings(max_examples=30)
@given(kinds=homes, browsers=browser_words, env=st.booleans(), repeats=st.integers(1, 2))
def test_a_home_is_afterwards_as_it_was(kinds: dict[str, str], browsers: str, env: bool, repeats: int) -> None:
    """install, list, doctor, uninstall leave every file, link, folder and mode as it was before."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        furnish(home, kinds)
        before = snapshot(home)
        surroundings: Any = {"HOME": str(home), "XDG_DATA_HOME": None, "XDG_CONFIG_HOME": None}
        runner = click.testing.CliRunner(env=surroundings)
        variables = ["--env", "A=1"] if env else []
        arguments = [NAME, "/bin/sh", *EXTENSION, *ORIGIN, *variables, "--browser", browsers]
        for _ in range(repeats):
            installed = runner.invoke(program, ["install", *arguments])
            assert installed.exit_code in (0, 1), installed.output
        listed = json.loads(runner.invoke(program, ["list", "--json", NAME]).stdout)
        if len(listed) == 1:  # It takes long.
            runner.invoke(program, ["doctor", "--browser", listed[0]["browsers"][0], NAME])
        assert installed.exit_code == 1 or "trio-ports" in {each["by"] for each in listed}
        assert snapshot(home) != before or installed.exit_code == 1
        runner.invoke(program, ["uninstall", NAME])
        assert snapshot(home) == before
