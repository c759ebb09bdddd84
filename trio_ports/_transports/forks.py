"""Forks: what a child made by ``os.fork``, as multiprocessing does it, must not keep of ours.

A pipe or a socket ends only when the last process that has it closes it, and a lock is
held as long. So a child gives them up at once. Programs that are started with ``exec``
never get them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from typing import Final, Protocol


class HasDescriptor(Protocol):
    """A socket, or a stream over a pipe."""

    def fileno(self) -> int:
        """Return the descriptor; -1 if it is closed."""
        ...


_undoing: Final[dict[object, Callable[[], object]]] = {}


@contextlib.contextmanager
def undone_in_children(undo: Callable[[], object]) -> Generator[None]:
    """Call ``undo`` first of all in each child that is forked in the block."""
    key = object()
    _undoing[key] = undo
    try:
        yield
    finally:
        _undoing.pop(key, None)  # In a child it is gone already.


def kept_from_children(*files: int | HasDescriptor) -> AbstractContextManager[None]:
    """Let descriptors, and those of files, lead nowhere in each child that is forked in the block."""
    return undone_in_children(lambda: _lead_nowhere(files))


def _lead_nowhere(files: Iterable[int | HasDescriptor]) -> None:
    found = [each if isinstance(each, int) else each.fileno() for each in files]
    descriptors = [each for each in found if each >= 0]
    # Not only closed: the child may leave the parent's blocks, which close these numbers
    # again. Closed first: the child may have as many files as are allowed.
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        if descriptor != nowhere:
            os.dup2(nowhere, descriptor, inheritable=False)
    if nowhere not in descriptors:
        os.close(nowhere)


def _undo() -> None:
    while _undoing:
        _, undo = _undoing.popitem()
        with contextlib.suppress(Exception):  # The others are undone all the same.
            undo()


def _no_forks(*, after_in_child: Callable[[], object]) -> None:
    """Do what a system without forks, Windows, has to do."""


_register: Callable[..., None] = getattr(os, "register_at_fork", _no_forks)
_register(after_in_child=_undo)
