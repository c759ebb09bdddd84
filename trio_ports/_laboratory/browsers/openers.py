"""The function that starts each kind of browser."""

from __future__ import annotations

from typing import Final

from .chromium import open_chromium
from .firefox import open_firefox

OPENERS: Final = {"firefox": open_firefox, "chromium": open_chromium}
