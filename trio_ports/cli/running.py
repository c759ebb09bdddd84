"""Run a command in Trio until it has finished, a signal stops it, or nobody reads its output any more."""

from __future__ import annotations

import errno
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import click
import trio

from .output import Output

BROKEN_PIPE: Final = 141
"""128 plus the number of SIGPIPE: the status of a program that SIGPIPE ends."""


def run(program: Callable[[], Awaitable[int]], output: Output) -> int:
    """Run ``program`` and return the exit status: its own, or one that says why it was cancelled."""
    return finish(trio.run(_supervise, program, output), output)


def finish(status: int, output: Output) -> int:
    """Return the exit status of a command that would have ended with ``status`` if all its output was written."""
    if output.error is None:
        return status
    output.abandon()
    if output.error.errno == errno.EPIPE:
        return BROKEN_PIPE
    click.echo(f"trio-ports: cannot write the output: {output.error.strerror}", err=True)
    return 1


async def _supervise(program: Callable[[], Awaitable[int]], output: Output) -> int:
    """Run ``program``; cancel it on a signal, or when its output is lost.

    Signals are received and not raised, because a KeyboardInterrupt could come at any
    point, and the scopes have to end in order. A second signal has its usual effect.
    """
    status = 1
    async with trio.open_nursery() as nursery:

        async def watch(task_status: trio.TaskStatus[None]) -> None:
            nonlocal status
            with trio.open_signal_receiver(*_wanted_signals()) as arrivals:
                task_status.started()
                number = await anext(arrivals)
            status = 128 + number
            nursery.cancel_scope.cancel()

        output.on_lost = nursery.cancel_scope.cancel
        await nursery.start(watch)
        status = await program()
        nursery.cancel_scope.cancel()
    return status


def leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions in a group, however deep; or the one exception, if it is not a group."""
    nested: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return [leaf for each in nested for leaf in leaves(each)] or [error]


def _wanted_signals() -> list[signal.Signals]:
    """Return the signals that ask a program to stop, except those that its parent told it to ignore."""
    present = [number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGHUP")]
    return [number for number in present if signal.getsignal(number) is not signal.SIG_IGN]
