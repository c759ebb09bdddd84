"""An examination of a native application: how it is started, and what it does when it is spoken to."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, final

import attrs
import trio

from .answers import NotAFrameError
from .hosts import MOMENT_SECONDS, Host, Manner, open_host

Status: TypeAlias = Literal["pass", "warn", "fail", "skip"]

PROBES: Final[tuple[Any, ...]] = (["trio-ports", 1], "ping")
"""What an application is asked to see whether it answers; only of the first one an echo is taken for one."""
FIREFOX: Final = ("/manifests/check.json", "check@trio-ports.invalid")
"""The arguments that it is started with, unless it is about others."""
SETTLE_SECONDS: Final = 0.05
HASTE: Final = 5
"""The second probe is posted after this part of the patience: both are waited for together."""
COMMAND_NOT_EXECUTABLE: Final = 126
COMMAND_NOT_FOUND: Final = 127
"""The exit status of shells, ``env`` and the like."""


@final
class UnwellError(Exception):
    """It does not answer what it answered before."""


@final
@attrs.define
class Examination:
    """What every check is given, and what it is to know of those before it."""

    command: tuple[str, ...]
    patience: float
    manner: Manner
    is_unwell: bool = False
    """It was found not to answer what it answered at first: the next time it is not waited for as long."""
    stays: bool = False
    """It was found not to leave at the end of its input."""

    def start(self, *arguments: str) -> AbstractAsyncContextManager[Host]:
        """Start the application, with these arguments or Firefox's."""
        given = arguments or FIREFOX
        return open_host((*self.command, *given), patience=self.patience, start_seconds=self.patience * 2)

    @asynccontextmanager
    async def converse(self) -> AsyncGenerator[Host]:
        """Start the application and hear it, or let it read something: what is judged then is not its start."""
        async with self.start() as host:
            if self.manner.kind == "silent":
                host.post(self.manner.marker)
                await host.wait_started()
            else:
                await self.require_well(host)
            yield host

    async def require_well(self, host: Host) -> None:
        """Raise unless it lives and answers, if it does at all; the second time it is not waited for as long.

        Raises:
            UnwellError: with what has become of it.
        """
        if not await host.is_well(self.manner, min(self.patience, MOMENT_SECONDS) if self.is_unwell else None):
            self.is_unwell = True
            raise UnwellError(host.fate())


Check: TypeAlias = Callable[[Examination], Awaitable[tuple[Status, str]]]


async def find_manner(command: tuple[str, ...], patience: float) -> Manner:
    """Find out what the application does when it is spoken to.

    Raises:
        FileNotFoundError, PermissionError: what the command starts says that there is no such program.
    """
    examination = Examination(command, patience, Manner("silent", None))
    probes = list(PROBES)
    while probes:
        async with examination.start() as host:
            posted: list[Any] = []
            while probes and not host.is_gone:
                posted.append(probes.pop(0))
                host.post(posted[-1])
                try:
                    manner = await _hear_manner(host, posted, patience / HASTE if probes else patience)
                except NotAFrameError:
                    return Manner("silent", posted[-1])
                if manner is not None:
                    return manner
                if host.is_deaf:
                    return Manner("silent", posted[-1], reads=False)
            if await host.wait_gone(0):
                require_program(command, host.returncode or 0, host.last_words())
    return Manner("silent", PROBES[0])


async def _hear_manner(host: Host, posted: list[Any], seconds: float) -> Manner | None:
    """Say what its answers tell; None if there are none. It may have something to say before it answers."""
    answer = await host.next_answer(seconds)
    if answer is None:
        return None
    with trio.move_on_after(MOMENT_SECONDS):
        while answer is not None:
            if answer.is_same(PROBES[0]):
                await trio.sleep(SETTLE_SECONDS)
                return Manner("silent" if host.has_begun else "echo", PROBES[0])
            answer = await host.next_answer()
    if len(posted) > 1:  # The first one may have been answered late.
        host.post(posted[-1])
        return Manner("answers", posted[-1] if await host.next_answer() is not None else posted[0])
    return Manner("answers", posted[0])


def require_program(command: tuple[str, ...], status: int, said: str) -> None:
    """Raise if what the command starts has ended because the program that it names is not there.

    Args:
        command: the program and its arguments.
        status: how it ended, without a word on its standard output.
        said: its last line on standard error.

    Raises:
        FileNotFoundError: a shell, an ``env`` or an interpreter found no such program.
        PermissionError: a shell or an ``env`` may not start it.
    """
    if status == COMMAND_NOT_FOUND:
        raise FileNotFoundError(errno.ENOENT, said or os.strerror(errno.ENOENT), command[0])
    if status == COMMAND_NOT_EXECUTABLE:
        raise PermissionError(errno.EACCES, said or os.strerror(errno.EACCES), command[0])
    script = next((word for word in command[1:] if not word.startswith("-")), None)
    if status and script and Path(script).name in said and not Path(script).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), script)
