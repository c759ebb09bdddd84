"""Native applications that are broken on purpose, one way each: what `faulty.py` does when it is given a name."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs


@attrs.frozen
class Fault:
    """An application that breaks one rule in one way."""

    rule: int
    name: str
    """The first argument of ``faulty.py``."""
    does: str
    """What it does wrong: a sentence without its subject, "the application"."""
    status: str = "fail"
    """What the check makes of it; ``"warn"`` where a program may do so, although it is a pity."""
    leaves: bool = True
    """It leaves at the end of its input, as soon as it can."""


FAULTS = (
    Fault(12, "nan", "writes Infinity, which is not JSON", "warn"),
    Fault(13, "null", "takes null for the end of its input"),
    Fault(13, "false", "does not answer false, 0 or an empty text"),
    Fault(13, "changes", "changes a text"),
    Fault(17, "flood", "dies of too deep a recursion when many frames come in one piece"),
    Fault(17, "swaps", "answers two messages in the wrong order"),
    Fault(17, "loses", "loses one answer of many"),
    Fault(21, "late", "does not answer the last messages before the end of its input"),
    Fault(33, "characters", "announces the length in letters instead of bytes"),
    Fault(33, "reads characters", "reads as many letters as the length says, instead of bytes"),
    Fault(33, "empty", "dies of an empty frame", "warn"),
    Fault(34, "large", "sends frames of more than 1 MiB"),
    Fault(34, "sizes", "answers messages of more than 60,000 bytes with another one"),
    Fault(34, "mute", "hangs after a message that is too large to be sent back"),
    Fault(34, "small", "leaves when a message of 64 MiB comes", "warn"),
    Fault(34, "gives up", "leaves after a message that is too large to be sent back, and does not say why", "warn"),
    Fault(35, "arguments", "refuses the arguments of Chromium"),
    Fault(35, "prints", "prints a line before its first frame"),
    Fault(35, "mumbles", "prints a line that comes out when it leaves"),
    Fault(35, "hoards", "does not flush its output"),
    Fault(35, "lines", "writes a line end after each frame"),
    Fault(35, "byte order", "writes the bytes of a length in the other order"),
    Fault(35, "reads byte order", "reads the bytes of a length in the other order"),
    Fault(35, "big endian", "reads and writes the bytes of a length in the other order"),
    Fault(35, "reads lines", "waits for a line end after each frame"),
    Fault(35, "counts itself", "counts the bytes of the length too"),
    Fault(35, "hangs at once", "hangs after its first message without an answer", leaves=False),
    Fault(35, "hangs after one", "hangs after its first answer", leaves=False),
    Fault(33, "text mode", "writes CR and LF where it should write LF, in the lengths too"),
    Fault(36, "bare", "dies of an error about a buffer when its input ends inside a frame", "warn"),
    Fault(36, "parses", "dies of an error about JSON when its input ends inside a frame", "warn"),
    Fault(36, "believes", "waits for a message of 4 GiB when its input has ended", "warn", leaves=False),
    Fault(36, "hangs", "hangs when its input ends inside a length", leaves=False),
    Fault(36, "junk", "hangs after a frame that is not JSON", "warn", leaves=False),
    Fault(38, "daemon", "leaves, and something that it started holds its output open"),
    Fault(38, "stays", "does not leave at the end of its input", leaves=False),
    Fault(38, "status", "leaves at the end of its input with another status than 0", "warn"),
    Fault(38, "dies", "is killed by a signal at the end of its input", "warn"),
)


def command(name: str) -> list[str]:
    """Return the command of an application that does this; of a correct one for ``"none"``."""
    return [sys.executable, "-S", "-E", str(Path(__file__).with_name("faulty.py")), name]
