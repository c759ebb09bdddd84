"""The checks that every layer makes of its arguments."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from trio_ports._util import check_limit, check_list, check_type, require_trio


def test_outside_trio() -> None:
    """The error names the call and the way from another thread."""
    with pytest.raises(RuntimeError, match=r"port\.fly must be called from inside trio\.run.*from_thread"):
        require_trio("port.fly")


async def test_inside_trio() -> None:
    """Nothing is wrong there."""
    require_trio("port.fly")


def test_types() -> None:
    """One type or several; None is called None."""
    check_type("name", "a", str)
    check_type("name", None, (str, type(None)))
    with pytest.raises(TypeError, match=r"^name must be str, not 1$"):
        check_type("name", 1, str)
    with pytest.raises(TypeError, match=r"^name must be str or None, not 1$"):
        check_type("name", 1, (str, type(None)))


@pytest.mark.parametrize("value", [1, 2**70, math.inf])
def test_limits(value: Any) -> None:
    """A whole number of at least 1, or none."""
    check_limit("max_things", value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1.0, TypeError),
        (-math.inf, TypeError),
        (math.nan, TypeError),
        (True, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
def test_no_limits(value: Any, error: type[Exception]) -> None:
    """Anything else is named with its value."""
    with pytest.raises(error, match="max_things must be"):
        check_limit("max_things", value)


@pytest.mark.parametrize("value", [[], ["a"], ("a",), {"a"}])
def test_lists(value: Any) -> None:
    """Several things, or none."""
    check_list("folders", value, "folders")


@pytest.mark.parametrize("value", ["/tmp", b"/tmp", Path("/tmp"), 5, None])
def test_no_lists(value: Any) -> None:
    """One text would be a list of letters; and one thing is no list."""
    with pytest.raises(TypeError, match=r"^folders must be a list of folders, not "):
        check_list("folders", value, "folders")
