"""Addresses: where a running application and its relays meet, in a private folder of their user."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .finding import Folder

_MOST_PATH_BYTES: Final = 103
"""What every system has room for in a socket's path, without the NUL at its end."""
_MOST_NAME_LETTERS: Final = 40
_PACKAGE: Final = "trio-ports"
_PRIVATE: Final = 0o700
_WINDOWS: Final = os.name == "nt"


def require_sockets() -> None:
    """Raise NotImplementedError on a system where Trio has no sockets of this kind."""
    if _WINDOWS:
        raise NotImplementedError("a running application cannot be reached on Windows: Trio has no Unix sockets there")


def address_of(application: str, folder: Path) -> Path:
    """Return the path of an application's socket.

    A long name gives way to a digest of it: the path of a socket must be short.

    Raises:
        ValueError: the folder's own path is too long.
    """
    name = application
    if len(name) > _MOST_NAME_LETTERS:
        name = hashlib.sha256(name.encode()).hexdigest()[:_MOST_NAME_LETTERS]
    path = folder / f"{name}.socket"
    size = len(os.fsencode(path))
    if size > _MOST_PATH_BYTES:
        raise ValueError(
            f"the path of the socket, {path}, has {size} bytes, and no system promises room for more than "
            f"{_MOST_PATH_BYTES}: give a folder with a shorter path"
        )
    return path


def addresses(application: str, folder: Folder | None) -> Iterator[Path]:
    """Return where an application's socket may be, the best place first.

    Args:
        application: its name.
        folder: the only place, where somebody gave one.

    Raises:
        ValueError: that folder's path is too long.
    """
    if folder is not None:
        yield address_of(application, Path(folder).absolute())
        return
    for place in _user_folders():
        try:
            yield address_of(application, place)
        except ValueError:
            continue


def _user_folders() -> Iterator[Path]:
    """Return the user's own places.

    Whoever started the two programs may have told them different things of the first one, or nothing; so there is a
    second one, of which nobody is told anything.
    """
    runtime = _runtime_folder()
    if runtime is not None:
        yield runtime
    yield Path("/tmp", f"{_PACKAGE}-{os.geteuid()}")


def _runtime_folder() -> Path | None:
    """Return the folder that the system has for sockets; None if it has none that is safe."""
    import platformdirs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of systems without one; a substitute serves as well.
        try:
            return Path(platformdirs.user_runtime_dir(_PACKAGE, appauthor=False))
        except OSError:
            return None


def make_private(folder: Path) -> None:
    """Make a folder that is the user's alone, unless it is there.

    Raises:
        PermissionError: others can get into it, or it is another user's.
        OSError: it cannot be made.
    """
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(f"{folder} must be a folder of your own that nobody else can enter (chmod 700)")


def is_private(folder: Path) -> bool:
    """Say whether a folder is there and is the user's alone."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def is_own_peer(connected: Any) -> bool:
    """Say whether the program at the other end of a socket is the same user's.

    Where the system does not tell, the folder's permissions have to do.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return bool(user == os.geteuid())
