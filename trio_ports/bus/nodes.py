"""Nodes: a node sends bytes to other nodes, and reports which of them are there."""

from __future__ import annotations

from typing import Protocol, TypeAlias, final

import attrs


@final
@attrs.frozen
class Joined:
    """Another node is there: it has come, or was there before this one."""

    peer: str
    """Its name."""


@final
@attrs.frozen
class Gone:
    """Another node is gone: it left, was killed, hangs, or cannot be reached."""

    peer: str
    """Its name."""


@final
@attrs.frozen
class Arrived:
    """Another node has sent something."""

    peer: str
    """Its name."""
    data: bytes
    """The bytes that it sent."""


NodeEvent: TypeAlias = Joined | Gone | Arrived


class Node(Protocol):
    """One member of a bus, for `open_bus`. Write one for anything that can carry bytes.

    Packets to one peer arrive in order. A packet may be lost; the bus notices that, and at
    once, at both sides, if the node reports `Gone`. You can send to another node once it
    has joined. Packets that arrive from a node before that, or after it is gone, are
    ignored.
    """

    @property
    def name(self) -> str:
        """This node's name. No other node of the bus has this name, or ever had it."""
        ...

    async def send(self, peer: str, data: bytes) -> None:
        """Send ``data`` to a node, waiting while that node cannot take more.

        If the node is gone, throw ``data`` away. A checkpoint; after a cancelled call it
        may or may not have been sent.
        """

    async def receive(self) -> NodeEvent:
        """Wait for the next event: who has joined, who is gone, what arrived, in order.

        A checkpoint; a cancelled call has taken nothing.

        Raises:
            trio.EndOfChannel: this node has ended, and reaches nobody any more.
        """
        ...

    async def aclose(self) -> None:
        """Leave the bus. The others see that this node is gone."""
