"""Whether a program left a process behind."""

from __future__ import annotations

import os
import time
from pathlib import Path


def wait_until_gone(number: int) -> None:
    """Look for a process until ProcessLookupError says that there is none.

    The system removes a process whose parent has gone in a moment; until then it is a zombie.
    """
    for _ in range(1000):
        if Path(f"/proc/{number}/stat").exists() and ") Z " in Path(f"/proc/{number}/stat").read_text():
            raise ProcessLookupError
        os.kill(number, 0)
        time.sleep(0.01)
