"""Nodes: what a bus is made of. A node sends bytes to others of its kind and says who is there."""

from __future__ import annotations

from typing import Protocol, TypeAlias, final

import attrs


@final
@attrs.frozen
class Joined:
    """A node is there: it came, or was there before this one."""

    peer: str
    """Its name."""


@final
@attrs.frozen
class Gone:
    """A node is there no longer: it left, was killed, hangs, or cannot be reached."""

    peer: str
    """Its name."""


@final
@attrs.frozen
class Arrived:
    """A node has sent something."""

    peer: str
    """Its name."""
    data: bytes
    """What it sent."""


NodeEvent: TypeAlias = Joined | Gone | Arrived


class Node(Protocol):
    """One member of a bus, for `open_bus`. Made by whoever knows how to carry bytes; it need not know what they mean.

    What is sent to one peer arrives in order. It may be lost, which the bus notices; a loss that comes with a `Gone`
    is noticed at once, at both sides. A node can be sent to once it has joined, and nothing counts that arrives from
    one before that, or after it is gone.
    """

    @property
    def name(self) -> str:
        """What this node is called; no other node of the bus has the name, or ever had it."""
        ...

    async def send(self, peer: str, data: bytes) -> None:
        """Send ``data`` to a node, waiting as long as that cannot take more.

        To one that is gone, it is thrown away. A checkpoint; cancelled, it may have been sent or not.
        """

    async def receive(self) -> NodeEvent:
        """Wait for the next event: who came, who is gone, what arrived, in the order in which it happened.

        A checkpoint; cancelled, nothing was taken.

        Raises:
            trio.EndOfChannel: this node has come to its end, and reaches nobody any more.
        """
        ...

    async def aclose(self) -> None:
        """Leave the bus. The others see that this node is gone."""
