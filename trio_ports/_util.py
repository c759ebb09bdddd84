"""Checks of arguments that every layer uses, and imports on demand."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from threading import get_ident
from typing import Any

import trio


def require_trio(what: str, thread: int | None = None) -> None:
    """Raise RuntimeError unless the caller runs in Trio.

    Args:
        what: names the call.
        thread: the number of the only thread that may make it; unless given, any
            thread with a Trio run may.
    """
    if not trio.lowlevel.in_trio_run() or thread not in (None, get_ident()):
        raise outside_trio(what)


def outside_trio(what: str) -> RuntimeError:
    """Return the error for a call from outside Trio, or from another thread."""
    return RuntimeError(
        f"{what} must be called from inside trio.run(), in its own thread; "
        "from another thread use trio.from_thread.run_sync()"
    )


def running_task() -> trio.lowlevel.Task | None:
    """Return the task that calls; None if it is a callback of the host loop that Trio is a guest of."""
    return trio.lowlevel.current_task() if trio.lowlevel.in_trio_task() else None


def runs_within(task: trio.lowlevel.Task | None) -> bool:
    """Return whether the caller is ``task``, or a task below it that ``task`` has to wait for."""
    current: trio.lowlevel.Task | None = trio.lowlevel.current_task()
    while current is not None and current is not task:
        current = None if current.parent_nursery is None else current.parent_nursery.parent_task
    return current is task and task is not None


def check_type(name: str, value: Any, expected: type | tuple[type, ...]) -> None:
    """Raise TypeError unless ``value`` is an instance of ``expected``; a bool never is."""
    if not isinstance(value, expected) or isinstance(value, bool):
        kinds = expected if isinstance(expected, tuple) else (expected,)
        wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
        raise TypeError(f"{name} must be {wanted}, not {value!r}")


def check_flag(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is True or False, and not merely true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")


def check_list(name: str, value: Any, of: str) -> None:
    """Raise TypeError unless ``value`` is a list or the like; a string would be one of letters."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of {of}, not {value!r}")


def check_limit(name: str, value: Any) -> None:
    """Raise unless ``value`` is a whole number of at least 1, or ``math.inf``."""
    if value == math.inf and isinstance(value, float):
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int or math.inf, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value!r}")


def imported_on_demand(
    package: str, homes: dict[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a ``__getattr__`` and a ``__dir__`` for a module that imports a name when it is first used.

    Args:
        package: the module's own name.
        homes: the names that each module defines, which is named relative to the package.
    """

    def look_up(name: str) -> Any:
        module = sys.modules[package]
        for home, names in homes.items():
            if name in names:
                value = getattr(importlib.import_module(home, module.__package__), name)
                setattr(module, name, value)
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return look_up, lambda: sorted({*vars(sys.modules[package]), *sys.modules[package].__all__})
