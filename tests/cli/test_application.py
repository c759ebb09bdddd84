"""Which application a person means by NAME."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from native_support import CHROMIUM_ID, FIREFOX_ID, FOR_BOTH, PROGRAM, write_manifest

from trio_ports.cli.application import ASKING, COMMAND_NAME, find_application, open_application
from trio_ports.cli.target import Target, choose_target
from trio_ports.native import install

NAME = "com.example.app"
ANY: Any = {"family": None, "browser": None, "extension_id": None}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory that is nobody's, and the current folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_installed_application(home: Path) -> None:
    """Every browser that looks there is named, Firefox first."""
    install(NAME, PROGRAM, **FOR_BOTH, browsers=["firefox", "brave"])
    application = find_application([NAME])
    assert (application.name, application.command, application.manifest_folders) == (NAME, (), None)
    # Zen and Thunderbird look where Firefox looks.
    assert [each.browser for each in application.manifests] == ["firefox", "zen", "thunderbird", "brave"]
    assert [each.family for each in application.manifests] == ["firefox"] * 3 + ["chromium"]
    assert {each.read().name for each in application.manifests} == {NAME}
    (of_brave,) = find_application([NAME], browser="brave").manifests
    assert of_brave == application.manifests[-1]


def test_an_installed_name_comes_before_a_program() -> None:
    """If both are there, the application is meant; the path of the program says otherwise, and so does its absence."""
    assert find_application(["sh"]).command == ("sh",)
    install("sh", PROGRAM, **FOR_BOTH)
    assert find_application(["sh"]).command == ()
    assert find_application(["/bin/sh"]).command == ("/bin/sh",)
    assert find_application(["sh", "-c"]).command == ("sh", "-c")
    assert find_application(["sh"], browser="edge").command == ("sh",)


def test_a_manifest_that_nobody_could_read_is_found(home: Path) -> None:
    """What is wrong with it may be what the person wants to know."""
    file = home / ".mozilla/native-messaging-hosts" / f"{NAME}.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    assert {each.file for each in find_application([NAME]).manifests} == {file}


def test_a_manifest(home: Path) -> None:
    """It is read by the rules of both families, and is looked for in its folder."""
    write_manifest(home, PROGRAM)
    application = find_application(["app.json"])
    assert (application.name, application.command, application.manifest_folders) == ("app", (), (home,))
    assert [(each.file, each.family, each.browser) for each in application.manifests] == [
        (home / "app.json", "firefox", None),
        (home / "app.json", "chromium", None),
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (NAME, f"{NAME} is neither installed for any browser, nor a program on the PATH$"),
        ("app.py", r"nor a program on the PATH; the file in this folder is \./app\.py$"),
        ("none.json", "cannot read .*none.json: No such file"),
    ],
)
def test_what_means_nothing(home: Path, word: str, said: str) -> None:
    """The message says what was looked for."""
    (home / "app.py").touch()
    with pytest.raises(click.UsageError, match=said):
        find_application([word])


def test_a_command_is_installed_for_a_block(home: Path) -> None:
    """Where no browser looks, for an extension of each family; files of this folder become absolute."""
    (home / "app.py").touch()
    with open_application([sys.executable, "app.py", "--loud"]) as application:
        assert (application.name, application.command) == (COMMAND_NAME, (sys.executable, "app.py", "--loud"))
        firefox, chromium = (each.read() for each in application.manifests)
        assert firefox.allowed_extensions == (ASKING["firefox"],)
        assert chromium.allows(ASKING["chromium"], "chromium")
        assert f"{sys.executable} {home / 'app.py'} --loud" in Path(firefox.path).read_text()
    assert not Path(firefox.path).exists()


@pytest.mark.parametrize(("asking", "family"), [(FIREFOX_ID, "firefox"), (CHROMIUM_ID, "chromium")])
def test_a_command_for_one_extension(asking: str, family: str) -> None:
    """Only that one may start it."""
    with open_application([PROGRAM], extension_id=asking) as application:
        (found,) = application.manifests
        assert found.family == family
        assert found.read().allows(asking, found.family)
        assert choose_target(application, **{**ANY, "extension_id": asking}).extension_id == asking


@pytest.mark.parametrize(
    ("words", "said"),
    [(["./none"], "there is no program './none'"), ([sys.executable, "none.py"], "must have an absolute path")],
)
def test_a_command_that_cannot_be_installed(words: list[str], said: str) -> None:
    """It is wrong usage."""
    with pytest.raises(click.UsageError, match=said), open_application(words):
        pass


def test_a_file_that_may_not_be_executed_is_no_program(home: Path) -> None:
    """Whoever named it learns what it lacks, and not that it is not there."""
    (home / "app.py").touch()
    said = "./app.py may not be executed: chmod .x ./app.py, or name its interpreter too, as in python ./app.py"
    with pytest.raises(click.UsageError, match=said), open_application(["./app.py"]):
        pass


def test_options_after_an_installed_application() -> None:
    """Whoever wrote them learns where options belong, and not that the application is not there."""
    install(NAME, PROGRAM, **FOR_BOTH, browsers=["firefox"])
    said = f"{NAME} is an installed application, and more words make a command: options come before {NAME}"
    with pytest.raises(click.UsageError, match=said), open_application([NAME, "--json-lines"]):
        pass


# Who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "asking", "browser"),
    [
        ({}, FIREFOX_ID, "firefox"),
        ({"family": "chromium"}, CHROMIUM_ID, "brave"),
        ({"browser": "brave"}, CHROMIUM_ID, "brave"),
        ({"extension_id": CHROMIUM_ID}, CHROMIUM_ID, "brave"),
        ({"extension_id": "other@example.org"}, "other@example.org", "firefox"),
    ],
)
def test_the_target(given: dict[str, Any], asking: str, browser: str) -> None:
    """The first extension that is allowed asks, in the first browser that has the application."""
    install(NAME, PROGRAM, **FOR_BOTH, browsers=["firefox", "brave"])
    assert choose_target(find_application([NAME]), **{**ANY, **given}) == Target(NAME, asking, browser)


def test_an_extension_of_the_other_family() -> None:
    """Whoever starts it gets the browser's reason."""
    install(NAME, PROGRAM, **FOR_BOTH, browsers=["firefox"])
    target = choose_target(find_application([NAME]), **{**ANY, "extension_id": CHROMIUM_ID})
    assert target == Target(NAME, CHROMIUM_ID)


@pytest.mark.parametrize(
    ("fields", "family", "said"),
    [
        ({"allowed_extensions": ...}, "firefox", "app.json is no manifest that a browser accepts, or allows nobody"),
        ({"allowed_origins": []}, "chromium", "app.json is no manifest that a browser accepts, or allows nobody"),
    ],
)
def test_nobody_is_allowed(home: Path, fields: dict[str, Any], family: str, said: str) -> None:
    """Then the caller has to say who asks."""
    file = write_manifest(home, PROGRAM, **fields)
    application = find_application([str(file)])
    with pytest.raises(click.UsageError, match=said):
        choose_target(application, **{**ANY, "family": family})
    assert json.loads(file.read_bytes())["name"] == "app"


def test_a_family_without_a_manifest() -> None:
    """The message names the family."""
    install(NAME, PROGRAM, **FOR_BOTH, browsers=["firefox"])
    with pytest.raises(click.UsageError, match="is not installed for a browser of the family chromium"):
        choose_target(find_application([NAME]), **{**ANY, "family": "chromium"})
