"""Addresses: where a running application and its relays meet, in a private folder of their user."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..arguments import Folder

_MAX_PATH_BYTES: Final = 103
"""How long the path of a socket may be on every system, without the NUL at its end."""
_MAX_NAME_LETTERS: Final = 40
_PACKAGE: Final = "trio-ports"
_PRIVATE: Final = 0o700
_WINDOWS: Final = os.name == "nt"
_SHARED: Final = Path("/tmp")
"""Where every user has a folder, whatever the environment says."""


def require_sockets() -> None:
    """Raise NotImplementedError on a system where Trio has no Unix sockets."""
    if _WINDOWS:
        raise NotImplementedError("a running application cannot be reached on Windows: Trio has no Unix sockets there")


def address_of(application: str, folder: Path) -> Path:
    """Return the path of an application's socket in a folder; ValueError if the folder's own path is too long."""
    name = application
    if len(name) > _MAX_NAME_LETTERS:  # The path of a socket must be short.
        name = hashlib.sha256(name.encode()).hexdigest()[:_MAX_NAME_LETTERS]
    path = folder / f"{name}.socket"
    size = len(os.fsencode(path))
    if size > _MAX_PATH_BYTES:
        raise ValueError(
            f"the path of the socket, {path}, has {size} bytes, and not every system allows more than "
            f"{_MAX_PATH_BYTES}: give a folder with a shorter path"
        )
    return path


def addresses(application: str, folder: Folder | None) -> Iterator[Path]:
    """Return where an application's socket may be, the best place first: in ``folder``, or the user's own places."""
    if folder is not None:
        yield address_of(application, Path(folder).absolute())
        return
    # The first depends on the environment, which may differ between the application and
    # the relay, because different programs start them. The second does not, so an
    # application listens in both.
    for place in (_runtime_folder(), _SHARED / f"{_PACKAGE}-{os.geteuid()}"):
        if place is not None:
            with contextlib.suppress(ValueError):  # Its path is too long.
                yield address_of(application, place)


def _runtime_folder() -> Path | None:
    """Return the folder that the system has for sockets; None if it has none that is safe."""
    import platformdirs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns where the system has none; its substitute serves as well.
        try:
            return Path(platformdirs.user_runtime_dir(_PACKAGE, appauthor=False))
        except (OSError, RuntimeError):  # There is none that is safe, or the user has no home.
            return None


def make_private(folder: Path) -> None:
    """Make a folder that only its user can enter, or raise OSError: PermissionError if there is one that others can."""
    for missing in reversed([each for each in (folder, *folder.parents) if not os.path.lexists(each)]):
        missing.mkdir(mode=_PRIVATE, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(_refusal(folder))


def refusals(application: str, folder: Folder | None) -> list[str]:
    """Return what is wrong with those places of an application that exist and are not private."""
    folders = [path.parent for path in addresses(application, folder)]
    return [_refusal(each) for each in folders if os.path.lexists(each) and not is_private(each)]


def _refusal(folder: Path) -> str:
    owner = folder.lstat().st_uid
    whose = "" if owner == os.geteuid() else f"; it belongs to {_user_name(owner)}, who has to remove it"
    return f"{folder} must be a folder of your own that nobody else can enter (chmod 700){whose}"


def _user_name(user: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user with the number {user}"


def is_private(folder: Path) -> bool:
    """Return whether a folder exists, belongs to the user, and cannot be entered by others."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def is_own_peer(connected: Any) -> bool:
    """Return whether the program at the other end of a socket runs as the same user.

    Where the system cannot tell, the folder's permissions have to be enough.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return bool(user == os.geteuid())
