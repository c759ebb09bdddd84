"""The scope of a history: what may happen in it, as far as the ports under test can do it."""

from __future__ import annotations

from typing import Final, final

import attrs

FILLED: Final = 2000
"""The largest bound that a history fills."""


@final
@attrs.frozen
class Scope:
    """What a history may contain."""

    receivers: int = 1
    """How many receivers the one connection has, where there is no browser."""
    browser: bool = False
    """It takes place in a browser."""
    beyond_browsers: bool = True
    """It uses what real browsers lack: ``send``, ``receive``, ``async with``, listeners that wait, values that are not
    JSON."""
    listeners_raise: bool = True
    """Listeners may raise, and it is logged."""
    supports_async_with: bool = True
    """Ports can be entered with ``async with``."""
