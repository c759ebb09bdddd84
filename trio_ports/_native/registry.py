"""Windows' registry, whose keys name the manifests there. Source: rule 42.

Most functions take ``system``: False for the user's own keys, True for those of the
machine.
"""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path
from typing import Any


def manifest_key(place: str, application: str) -> str:
    """Return the key that names an application's manifest, in one of the places of a browser."""
    return rf"Software\{place}\{application}"


def has_key(key: str) -> bool:
    """Return whether there is such a key, the user's own or the machine's."""
    for system in (False, True):
        winreg, root = _open(system=system)
        with contextlib.suppress(OSError), winreg.OpenKey(root, key):
            return True
    return False


def applications_in(place: str, *, system: bool) -> list[str]:
    """Return the names of the applications that have a key in one of the places of a browser."""
    winreg, root = _open(system=system)
    with contextlib.suppress(OSError), winreg.OpenKey(root, rf"Software\{place}") as opened:
        return [winreg.EnumKey(opened, index) for index in range(winreg.QueryInfoKey(opened)[0])]
    return []


def read_key(key: str, *, system: bool) -> str | None:
    """Return the file that a key names; None if there is no such key."""
    winreg, root = _open(system=system)
    try:
        return str(winreg.QueryValue(root, key))
    except OSError:
        return None


def write_key(key: str, file: Path, *, system: bool) -> None:
    """Make a key name a file."""
    winreg, root = _open(system=system)
    with winreg.CreateKey(root, key) as opened:
        winreg.SetValue(opened, "", winreg.REG_SZ, str(file))


def remove_key(key: str, *, system: bool) -> None:
    """Remove a key, if it is there."""
    winreg, root = _open(system=system)
    with contextlib.suppress(FileNotFoundError):
        winreg.DeleteKey(root, key)


def _open(*, system: bool) -> tuple[Any, Any]:
    """Return the module, which exists on Windows only, and the root of the keys."""
    winreg: Any = importlib.import_module("winreg")
    return winreg, winreg.HKEY_LOCAL_MACHINE if system else winreg.HKEY_CURRENT_USER
