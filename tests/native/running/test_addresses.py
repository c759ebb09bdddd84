"""Addresses: short, in a private folder, the same for both programs."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path
from typing import Any, NoReturn

import platformdirs
import pytest

from trio_ports._native.running import addresses as module
from trio_ports._native.running.addresses import (
    address_of,
    addresses,
    is_own_peer,
    is_private,
    make_private,
    require_sockets,
)


def test_the_address_has_the_name_of_the_application(private_folder: Path) -> None:
    """Whoever looks into the folder sees what listens."""
    assert list(addresses("com.example.app", private_folder)) == [private_folder / "com.example.app.socket"]


def test_a_folder_may_be_relative_to_where_one_is(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made absolute at once."""
    monkeypatch.chdir(private_folder)
    assert list(addresses("app", "here")) == [private_folder / "here" / "app.socket"]


def test_a_long_name_has_a_short_address() -> None:
    """A digest stands for it; two long names do not share one."""
    first, second = (address_of("a" * 200 + last, Path("/run/user/1000/trio-ports")) for last in "xy")
    assert first != second
    assert len(os.fsencode(first)) < 104
    assert first == address_of("a" * 200 + "x", Path("/run/user/1000/trio-ports"))


def test_a_folder_with_a_long_path_is_refused() -> None:
    """The text says how long the path is, and how long it may be."""
    with pytest.raises(ValueError, match=r"has 212 bytes, and not every system allows more than 103"):
        list(addresses("app", "/" + "x" * 200))


@pytest.fixture
def substitute() -> Path:
    return Path("/tmp", f"trio-ports-{os.geteuid()}")


def test_the_system_says_where_sockets_are(
    private_folder: Path, monkeypatch: pytest.MonkeyPatch, substitute: Path
) -> None:
    """And where somebody was told another folder, or none, there is a second one."""
    monkeypatch.setattr(platformdirs, "user_runtime_dir", lambda name, **_: str(private_folder / name))
    assert [path.parent for path in addresses("app", None)] == [private_folder / "trio-ports", substitute]


def test_a_system_without_such_a_folder(monkeypatch: pytest.MonkeyPatch, substitute: Path) -> None:
    """If there is none that is safe, the second one is the first."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PermissionError

    monkeypatch.setattr(platformdirs, "user_runtime_dir", refuse)
    assert [path.parent for path in addresses("app", None)] == [substitute]


def test_a_system_whose_folder_is_too_deep(monkeypatch: pytest.MonkeyPatch, substitute: Path) -> None:
    """The second one is short in any case."""
    monkeypatch.setattr(platformdirs, "user_runtime_dir", lambda *_, **__: "/" + "x" * 200)
    assert [path.parent for path in addresses("app", None)] == [substitute]


def test_a_folder_is_made_private(private_folder: Path) -> None:
    """With those above it; one that is private already is taken as it is."""
    folder = private_folder / "a" / "b"
    assert not is_private(folder)
    before = os.umask(0)
    try:
        for _ in range(2):
            make_private(folder)
            assert is_private(folder)
    finally:
        os.umask(before)
    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder)] == [0o700, 0o700]


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o777])
def test_a_folder_that_others_can_enter_is_refused(private_folder: Path, mode: int) -> None:
    """Whoever could get in could take the application's place."""
    private_folder.chmod(mode)
    with pytest.raises(PermissionError, match="nobody else can enter"):
        make_private(private_folder)


def test_what_is_no_folder_is_refused(private_folder: Path) -> None:
    """A link into somebody else's folder, for example."""
    (private_folder / "folder").mkdir(mode=0o700)
    (private_folder / "link").symlink_to(private_folder / "folder")
    with pytest.raises(PermissionError):
        make_private(private_folder / "link")


def test_another_users_folder_is_refused(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Private to somebody else is not private. The text says to whom, by a number if the user has no name."""
    private_folder.chmod(0o700)
    assert is_private(private_folder)
    user = os.geteuid()
    monkeypatch.setattr(module.os, "geteuid", lambda: user + 1)
    assert not is_private(private_folder)
    with pytest.raises(PermissionError, match=f"belongs to the user {pwd.getpwuid(user).pw_name}"):
        make_private(private_folder)

    def unknown(_: int) -> NoReturn:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(PermissionError, match=f"belongs to the user with the number {user}"):
        make_private(private_folder)


def test_who_is_at_the_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the same user, of another one, or nobody can tell."""
    left, right = socket.socketpair()
    with left, right:
        assert is_own_peer(left)
        user = os.geteuid()
        monkeypatch.setattr(module.os, "geteuid", lambda: user + 1)
        assert is_own_peer(left) is not hasattr(socket, "SO_PEERCRED")
        monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)
        assert is_own_peer(left)


def test_windows_has_no_such_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at the call."""
    require_sockets()
    monkeypatch.setattr(module, "_WINDOWS", True)
    with pytest.raises(NotImplementedError, match="Windows"):
        require_sockets()
