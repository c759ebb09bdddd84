"""The application that is checked: what every check is given to start it and to talk to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, final

import attrs

from .program import LEAVE_SECONDS, MOMENT_SECONDS, Manner, Program, open_program

_ORIGIN: Final = "chrome-extension://abcdefghijklmnopabcdefghijklmnop/"
CALLERS: Final[tuple[tuple[str, ...], ...]] = (
    ("/manifests/check.json", "check@trio-ports.invalid"),
    (_ORIGIN,),
    (_ORIGIN, "--parent-window=0"),
)
"""The arguments that Firefox adds, Chromium, and Chromium on Windows, for extensions that nobody knows."""


@final
@attrs.define
class Candidate:
    """The application that is checked, and what earlier checks have learned of it.

    What an earlier check has reported is not waited for in full again.
    """

    command: tuple[str, ...]
    patience: float
    callers: tuple[tuple[str, ...], ...] = CALLERS
    """The arguments that different browsers add."""
    manner: Manner = attrs.field(init=False)
    was_unresponsive: bool = False
    """It did not answer in time once."""
    never_leaves: bool = False
    """It did not leave at the end of its input."""

    def start(self, *arguments: str) -> AbstractAsyncContextManager[Program]:
        """Start the application with these arguments, or with the first caller's."""
        return open_program(
            (*self.command, *(arguments or self.callers[0])),
            patience=self.patience,
            grace_seconds=0 if self.never_leaves else LEAVE_SECONDS,
        )

    @asynccontextmanager
    async def converse(self) -> AsyncGenerator[Program]:
        """Start the application and see that it answers a message, or reads it: the check is not about its start."""
        async with self.start() as program:
            if self.manner.kind == "silent":
                program.post(self.manner.marker)
                await program.wait_started()
            else:
                await self.require_response(program)
            yield program

    async def require_response(self, program: Program) -> None:
        """Raise unless the program answers a message, or at least reads it if it never answers.

        Raises:
            Trouble: it does not; the text says what has become of it.
        """
        seconds = min(self.patience, MOMENT_SECONDS) if self.was_unresponsive else None
        if not await program.is_responsive(self.manner, seconds):
            self.was_unresponsive = True
            raise program.trouble()
