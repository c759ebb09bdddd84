"""Find out what an application does when it receives a message: it sends it back, answers something, or is silent."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from ..._protocol.frames import LENGTH_BYTES, encode_length
from .candidate import Candidate
from .causes import Cause, Trouble
from .frames import frame_of
from .program import LEAVE_SECONDS, MOMENT_SECONDS, Manner, Program
from .stderr import last_line

_PROBES: Final[tuple[Any, ...]] = (["trio-ports", 1], "ping")
"""The messages that an application is sent. Only one that sends back the first is taken for an echo."""
_HASTE: Final = 5
"""The second message follows after this part of the patience, and then both are waited for together."""
_COMMAND_NOT_EXECUTABLE: Final = 126
_COMMAND_NOT_FOUND: Final = 127
"""The exit status of shells, ``env`` and the like."""


_FRAME: Final = frame_of(_PROBES[0])
_MISREADINGS: Final[tuple[tuple[Cause, str, bytes, Any], ...]] = (
    (
        "byte order",
        "it reads the bytes of a length in the other order; use the native one",
        _FRAME[:LENGTH_BYTES][::-1] + _FRAME[LENGTH_BYTES:],
        _PROBES[0],
    ),
    ("line end", "it waits for a line end after a message; browsers send none", _FRAME + b"\n", _PROBES[0]),
    (
        "characters",
        "it reads as many characters as the length says, instead of bytes",
        encode_length(len('"é"')) + '"é"'.encode(),
        "é",
    ),
)
"""What only a program with that mistake answers: the cause, the same for people, what is sent, and the answer."""


async def find_manner(candidate: Candidate) -> Manner:
    """Find out what an application does when it receives a message.

    Raises:
        FileNotFoundError, PermissionError: a shell or an interpreter in the command cannot find or start the program.
    """
    probes = list(_PROBES)
    trouble: Trouble | None = None
    while probes:
        async with candidate.start() as program:
            posted: list[Any] = []
            while probes and not program.has_exited:
                posted.append(probes.pop(0))
                program.post(posted[-1])
                try:
                    patience = candidate.patience
                    manner = await _judge_answers(program, posted, patience / _HASTE if probes else patience)
                except Trouble as found:
                    return Manner("silent", posted[-1], found)
                if manner is not None:
                    return manner
                if program.ignores_input:
                    return Manner("silent", posted[-1], Trouble("it does not read its input", "no response"))
            if program.has_exited:
                await program.wait_exited(0)
                require_program(candidate.command, program.returncode or 0, last_line(program.errors))
                trouble = program.trouble()
            else:
                trouble = await _explain_silence(program)
                candidate.never_leaves = not program.has_exited
    if trouble is None or trouble.cause == "no response":
        trouble = await find_misreading(candidate, "byte order", "line end") or trouble
    return Manner("silent", _PROBES[0], trouble)


async def _judge_answers(program: Program, posted: list[Any], seconds: float) -> Manner | None:
    """Return what the answers show, or None if there are none. Something else may come before the first answer."""
    answer = await program.next_answer(seconds)
    if answer is None:
        return None
    manner: Manner | None = None
    with trio.move_on_after(MOMENT_SECONDS):
        while answer is not None and manner is None:
            if answer.is_same(_PROBES[0]):
                manner = Manner("echo", _PROBES[0])
            else:
                answer = await program.next_answer()
    if manner is None and len(posted) > 1:  # The answer may be a late one to the first message.
        program.post(posted[-1])
        return Manner("answers", posted[-1] if await program.next_answer() is not None else posted[0])
    return await _judge_second(program, manner or Manner("answers", posted[0]))


async def _judge_second(program: Program, manner: Manner) -> Manner:
    """Return the manner of a program that has answered once, with the trouble if it hangs after that."""
    # A program that prints, or writes a line end after each frame, shows it now.
    if await program.is_responsive(manner):
        return manner
    program.end_input()
    trouble = program.trouble()
    if manner.kind == "echo" or not await program.wait_exited(LEAVE_SECONDS):
        return attrs.evolve(manner, trouble=Trouble(f"it answers one message and no more: {trouble}", trouble.cause))
    return manner


async def _explain_silence(program: Program) -> Trouble | None:
    """Return what is wrong with a program that is there and gives no answer; None if it leaves as it should."""
    program.end_input()
    try:
        late = await program.next_answer(LEAVE_SECONDS)
    except Trouble as trouble:
        return trouble
    if late is not None:
        text = f"it writes only when its input has ended, as if it never flushed: {late.shown()}"
    elif program.has_exited:
        return None
    else:
        text = "it neither answers a message nor leaves at the end of its input"
    return Trouble(text, "no response")


async def find_misreading(candidate: Candidate, *causes: Cause) -> Trouble | None:
    """Find out whether one of these causes is why an application does not understand what it reads."""
    for cause, text, data, message in _MISREADINGS:
        if cause in causes:
            async with candidate.start() as program:
                program.write(data)
                try:
                    answer = await program.next_answer(min(candidate.patience, MOMENT_SECONDS))
                except Trouble as trouble:
                    return trouble
                if answer is not None and answer.is_same(message):
                    return Trouble(text, cause)
    return None


def require_program(command: tuple[str, ...], status: int, said: str) -> None:
    """Raise if a command has ended because it cannot find or start the program that it names.

    ``said`` is its last line on standard error. It wrote nothing to its standard output.

    Raises:
        FileNotFoundError: a shell, an ``env`` or an interpreter found no such program.
        PermissionError: a shell or an ``env`` may not start it.
    """
    if status == _COMMAND_NOT_FOUND:
        raise FileNotFoundError(errno.ENOENT, said or os.strerror(errno.ENOENT), command[0])
    if status == _COMMAND_NOT_EXECUTABLE:
        raise PermissionError(errno.EACCES, said or os.strerror(errno.EACCES), command[0])
    script = next((word for word in command[1:] if not word.startswith("-")), None)
    if status and script and Path(script).name in said and not Path(script).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), script)
