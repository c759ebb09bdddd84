"""The scope of a history: what may happen in it, as far as its subject can do it."""

from __future__ import annotations

from typing import Final, final

import attrs

FILLED: Final = 2000
"""The largest bound that is filled."""


@final
@attrs.frozen
class Scope:
    """What a history may hold."""

    receivers: int = 1
    """How many receivers one connection has, where there is nothing else."""
    world: bool = False
    """It takes place in a browser."""
    blocks: bool = True
    """It uses what a real browser lacks: ``send``, ``receive``, ``async with``, listeners that wait, other values."""
    raises: bool = True
    """Listeners may raise, and it is logged."""
    narrows: bool = True
    """Ports can be entered with ``async with``."""
