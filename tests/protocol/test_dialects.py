"""The table of dialects as a table; what each row does is told where it is done."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from trio_ports._protocol.dialects import DIALECTS, Dialect, find_dialect


@pytest.mark.parametrize("name", ["trio", "firefox", "chrome"])
def test_dialects_are_found_by_name(name: str) -> None:
    """Three, by the names that users write."""
    assert find_dialect(name) is DIALECTS[name]
    assert find_dialect(name).name == name
    assert len(DIALECTS) == 3


@pytest.mark.parametrize("name", ["safari", "Trio", "", None, [], 1])
def test_other_names_are_refused(name: Any) -> None:
    """The error lists what there is."""
    with pytest.raises(ValueError, match="dialect must be one of 'trio', 'firefox', 'chrome'"):
        find_dialect(name)


def test_every_row_makes_a_difference() -> None:
    """A row in which all dialects agree would be no row but a rule."""
    same = [
        field.name
        for field in attrs.fields(Dialect)
        if len({getattr(dialect, field.name) for dialect in DIALECTS.values()}) == 1
    ]
    assert same == []
