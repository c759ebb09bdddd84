"""Find out what an application does when it receives a message: it sends it back, answers something, or is silent."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Final

import trio

from .frames import NotAFrameError
from .program import FIREFOX_ARGUMENTS, MOMENT_SECONDS, Manner, Program, open_program
from .stderr import last_line

_PROBES: Final[tuple[Any, ...]] = (["trio-ports", 1], "ping")
"""The messages that an application is sent. Only one that sends back the first is taken for an echo."""
_HASTE: Final = 5
"""The second message follows after this part of the patience, and then both are waited for together."""
_SETTLE_SECONDS: Final = 0.05
_COMMAND_NOT_EXECUTABLE: Final = 126
_COMMAND_NOT_FOUND: Final = 127
"""The exit status of shells, ``env`` and the like."""


async def find_manner(command: tuple[str, ...], patience: float) -> Manner:
    """Find out what an application does when it receives a message.

    Raises:
        FileNotFoundError, PermissionError: a shell or an interpreter in the command cannot find or start the program.
    """
    probes = list(_PROBES)
    while probes:
        async with open_program((*command, *FIREFOX_ARGUMENTS), patience=patience) as program:
            posted: list[Any] = []
            while probes and not program.has_exited:
                posted.append(probes.pop(0))
                program.post(posted[-1])
                try:
                    manner = await _judge_answers(program, posted, patience / _HASTE if probes else patience)
                except NotAFrameError:
                    return Manner("silent", posted[-1])
                if manner is not None:
                    return manner
                if program.ignores_input:
                    return Manner("silent", posted[-1], reads=False)
            if await program.wait_exited(0):
                require_program(command, program.returncode or 0, last_line(program.errors))
    return Manner("silent", _PROBES[0])


async def _judge_answers(program: Program, posted: list[Any], seconds: float) -> Manner | None:
    """Return what the answers show, or None if there are none. Something else may come before the first answer."""
    answer = await program.next_answer(seconds)
    if answer is None:
        return None
    with trio.move_on_after(MOMENT_SECONDS):
        while answer is not None:
            if answer.is_same(_PROBES[0]):
                # A program that prints, or writes a line end after each frame, shows it now.
                await trio.sleep(_SETTLE_SECONDS)
                return Manner("silent" if program.partial_frame else "echo", _PROBES[0])
            answer = await program.next_answer()
    if len(posted) > 1:  # The answer may be a late one to the first message.
        program.post(posted[-1])
        return Manner("answers", posted[-1] if await program.next_answer() is not None else posted[0])
    return Manner("answers", posted[0])


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
