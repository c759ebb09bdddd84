"""Processes of this machine, found by what they were started with."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path


def is_running(pid: int) -> bool:
    """Say whether there is such a process, and not just what is left until somebody asks for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def start_of(pid: int) -> float:
    """Return when a process started, in ticks of the clock; its number does not tell, as numbers are used again."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return math.inf


def find_processes(text: str) -> list[int]:
    """Return the processes in whose arguments or environment the text is, the one that started first in front."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            if text.encode() in told and int(folder.name) != os.getpid() and is_running(int(folder.name)):
                found.append(int(folder.name))
    return sorted(found, key=start_of)
