"""An examination of a native application: how it is started, and what it does when it is spoken to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Literal, TypeAlias, final

import attrs
import trio

from .answers import NotAFrameError
from .hosts import MOMENT_SECONDS, Host, Manner, open_host

Status: TypeAlias = Literal["pass", "warn", "fail", "skip"]

PROBES: Final[tuple[Any, ...]] = (["trio-ports", 1], "ping")
"""What an application is asked to see whether it answers; only of the first one an echo is taken for one."""
SETTLE_SECONDS: Final = 0.05


@final
class UnwellError(Exception):
    """It does not answer what it answered before."""


@final
@attrs.frozen
class Examination:
    """What every check is given."""

    command: tuple[str, ...]
    patience: float
    manner: Manner

    def start(self, *arguments: str) -> AbstractAsyncContextManager[Host]:
        """Start the application, with a browser's arguments."""
        given = arguments or ("/manifests/check.json", "check@trio-ports.invalid")
        known = self.manner.kind == "silent" and self.manner.marker is not None
        start_seconds = self.patience * (1 if known else 2)  # Of one that says nothing it would be waited for always.
        return open_host((*self.command, *given), patience=self.patience, start_seconds=start_seconds)

    @asynccontextmanager
    async def converse(self) -> AsyncGenerator[Host]:
        """Start the application and, if it answers at all, hear it: what is judged then is not its start."""
        async with self.start() as host:
            if self.manner.kind != "silent" and not await host.is_well(self.manner):
                raise UnwellError(host.fate())
            yield host


Check: TypeAlias = Callable[[Examination], Awaitable[tuple[Status, str]]]


async def find_manner(command: tuple[str, ...], patience: float) -> Manner:
    """Find out what the application does when it is spoken to."""
    examination = Examination(command, patience, Manner("silent", None))
    probes = list(PROBES)
    while probes:
        async with examination.start() as host:
            while probes and not host.is_gone:
                probe = probes.pop(0)
                host.post(probe)
                try:
                    manner = await _hear_manner(host, probe)
                except NotAFrameError:
                    return Manner("silent", probe)
                if manner is not None:
                    return manner
    return Manner("silent", PROBES[0])


async def _hear_manner(host: Host, probe: Any) -> Manner | None:
    """Say what its answers tell; None if there are none. It may have something to say before it answers."""
    answer = await host.next_answer()
    if answer is None:
        return None
    with trio.move_on_after(MOMENT_SECONDS):
        while answer is not None:
            if answer.is_same(probe) and probe == PROBES[0]:
                await trio.sleep(SETTLE_SECONDS)
                return Manner("silent" if host.has_begun else "echo", probe)
            answer = await host.next_answer()
    return Manner("answers", probe)
