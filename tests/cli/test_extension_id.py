"""The command `trio-ports id`, beside what a real Chromium says."""

import json
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import click.testing
import pytest
from laboratory.shared import require

from trio_ports._laboratory.browsers.chromium import open_chromium
from trio_ports._laboratory.browsers.process import open_process
from trio_ports._protocol.extension_ids import id_of_folder, id_of_key, new_key
from trio_ports._protocol.manifests import CHROMIUM_ID

Command = Callable[..., click.testing.Result]
MINIMAL = {"manifest_version": 3, "name": "Ids", "version": "1"}


def write_extension(folder: Path, **fields: Any) -> Path:
    """Write an extension that does nothing."""
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({**MINIMAL, **fields}))
    return folder


def ids(command: Command, *arguments: str) -> dict[str, str]:
    """Return what the command says in JSON."""
    result = command("id", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


async def test_chromium_gives_the_same_ids(tmp_path: Path) -> None:
    """To an extension with a key, old or new, and to one that has only its folder."""
    require("chromium")
    key = new_key()
    keyed = write_extension(tmp_path / "keyed", key=key)
    plain = write_extension(tmp_path / "a folder with ü")
    async with open_process() as process, open_chromium(process, keyed, plain) as browser:
        assert browser.extension_ids == {keyed: id_of_key(key), plain: id_of_folder(plain)}


def test_a_folder_on_windows() -> None:
    """Chromium takes its path as Windows has it, in UTF-16."""
    assert id_of_folder(PureWindowsPath("C:/app")) == "phdcbojmbgjfbfhfdkemiebekcgpblee"


def test_a_new_key(command: Command) -> None:
    """Each is another one, and the command finds the same id for the key."""
    first, second = ids(command, "--new-key"), ids(command, "--new-key")
    assert first["chromium"] != second["chromium"]
    assert CHROMIUM_ID.fullmatch(first["chromium"])
    assert ids(command, first["key"]) == {"chromium": first["chromium"]}


def test_a_new_key_for_people(command: Command) -> None:
    """Two lines, and what to do with them on standard error."""
    result = command("id", "--new-key")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["key", "chromium"]
    assert '"key"' in result.stderr


def test_a_file_with_a_public_key(command: Command, tmp_path: Path) -> None:
    """As openssl writes it."""
    key = new_key()
    lines = [key[start : start + 64] for start in range(0, len(key), 64)]
    (tmp_path / "key.pem").write_text("\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]))
    assert ids(command, str(tmp_path / "key.pem")) == {"chromium": id_of_key(key)}


@pytest.mark.parametrize("settings", ["browser_specific_settings", "applications"])
def test_both_families(command: Command, tmp_path: Path, settings: str) -> None:
    """A folder, or its manifest, with a byte order mark too."""
    key = new_key()
    folder = write_extension(tmp_path / "both", key=key, **{settings: {"gecko": {"id": "notes@example.org"}}})
    both = {"chromium": id_of_key(key), "firefox": "notes@example.org"}
    assert ids(command, str(folder)) == both
    manifest = folder / "manifest.json"
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())
    assert ids(command, str(manifest)) == both
    assert command("id", str(folder)).stdout.splitlines() == [f"{name:<9} {value}" for name, value in both.items()]


@pytest.mark.parametrize("settings", [None, [], {"gecko": 5}, {"gecko": {"id": 5}}])
def test_no_id_for_firefox(command: Command, tmp_path: Path, settings: Any) -> None:
    """Firefox makes one up each time."""
    folder = write_extension(tmp_path / "plain", browser_specific_settings=settings)
    assert ids(command, str(folder)) == {"chromium": id_of_folder(folder)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "cannot read"),
        (b'{"key": ', "is not JSON"),
        (b'{"key": "nonsense!"}', "a key is base64"),
        (b'{"key": ""}', "the key is empty"),
        (b"nonsense!", "a key is base64"),
    ],
)
def test_bad_files(command: Command, tmp_path: Path, content: bytes, said: str) -> None:
    """Wrong usage, in one line that says what is wrong."""
    file = tmp_path / "manifest.json"
    file.write_bytes(content)
    result = command("id", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--new-key", "."), ("nonsense!",), ("é" * 8,)])
def test_bad_arguments(command: Command, arguments: tuple[str, ...]) -> None:
    """Neither a key nor a file, or too much, or nothing."""
    assert command("id", *arguments).exit_code == 2


def test_a_folder_that_cannot_be_read(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is told."""
    folder = write_extension(tmp_path / "closed")

    def read_bytes(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert "Permission denied" in command("id", str(folder)).stderr
