"""The application that is checked: what every check is given to start it and to talk to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import final

import attrs

from .program import FIREFOX_ARGUMENTS, MOMENT_SECONDS, Manner, Program, open_program


@final
class UnresponsiveError(Exception):
    """The application no longer answers what it answered at first."""


@final
@attrs.define
class Candidate:
    """The application that is checked, and what earlier checks have learned of it.

    What an earlier check has reported is not waited for in full again.
    """

    command: tuple[str, ...]
    patience: float
    manner: Manner
    was_unresponsive: bool = False
    """It did not answer in time once."""
    never_leaves: bool = False
    """It did not leave at the end of its input."""

    def start(self, *arguments: str) -> AbstractAsyncContextManager[Program]:
        """Start the application with these arguments, or with Firefox's."""
        return open_program((*self.command, *(arguments or FIREFOX_ARGUMENTS)), patience=self.patience)

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
            UnresponsiveError: it does not; the text says what has become of it.
        """
        seconds = min(self.patience, MOMENT_SECONDS) if self.was_unresponsive else None
        if not await program.is_responsive(self.manner, seconds):
            self.was_unresponsive = True
            raise UnresponsiveError(program.fate())
