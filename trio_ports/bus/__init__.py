"""Browsers in several processes, or on several machines, that act as one.

A browser that is opened with ``open_browser(bus=bus)`` shares extensions, tabs and pages
with the others on the bus: ``runtime.connect`` reaches the pages that listen in each of
them, and ``tabs.connect`` finds the tab with that number in any of them.

`open_zenoh_bus` joins processes and machines. `MemoryNetwork` joins browsers of one
process, for tests: it drops packets, and kills, hangs and separates browsers on demand.
`open_bus` takes anything else that can carry bytes, as a `Node`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._util import imported_on_demand
from .buses import Bus, open_bus
from .memory import MemoryNetwork, MemoryNode
from .nodes import Arrived, Gone, Joined, Node, NodeEvent

if TYPE_CHECKING:
    from .zenoh import open_zenoh_bus
else:
    # Zenoh is an extra, so it may be missing.
    __getattr__, __dir__ = imported_on_demand(__name__, {".zenoh": ["open_zenoh_bus"]})


__all__ = [
    "Arrived",
    "Bus",
    "Gone",
    "Joined",
    "MemoryNetwork",
    "MemoryNode",
    "Node",
    "NodeEvent",
    "open_bus",
    "open_zenoh_bus",
]
