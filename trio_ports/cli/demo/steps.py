"""The steps of a scene, one record each. With ``--json`` these are the lines, and their fields will stay."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Step(msgspec.Struct, frozen=True, tag_field="event"):
    """Something happened."""


class DemoBegan(Step, frozen=True, tag="demo"):
    """The demo begins."""

    dialect: str
    scenes: list[str]


class SceneBegan(Step, frozen=True, tag="scene"):
    """A scene begins."""

    scene: str
    number: int
    title: str


class UserActed(Step, frozen=True, tag="user"):
    """The user did something."""

    scene: str
    text: str


class PortStep(Step, frozen=True):
    """Something happened to a port."""

    scene: str
    port: int
    """The port's number, unique in the scene."""
    name: str
    who: str
    """The script that has the port; of a message, its sender."""
    whom: str
    """Who is, or was, on the other side; of a message, its receiver."""


class PortOpened(PortStep, frozen=True, tag="opened"):
    """A script has a port."""

    side: Literal["opener", "receiver"]
    sender: dict[str, Any] | None
    """The known fields of a receiver's sender; None for an opener."""


class MessagePosted(PortStep, frozen=True, tag="posted"):
    """A message was accepted for sending, at the sender's port."""

    message: Any


class MessageDelivered(PortStep, frozen=True, tag="delivered"):
    """A message is handed to the script that it was sent to, at the receiver's port."""

    message: Any


class PortDisconnected(PortStep, frozen=True, tag="disconnected"):
    """A port is over."""

    here: bool
    """Whether this side disconnected; otherwise the other side did."""
    cause: str | None
    """One of the values of `trio_ports.Cause`; null after an orderly end."""
    error: str | None
    """The same for people."""


class Trouble(Step, frozen=True, tag="trouble"):
    """Something did not happen that should have, or the other way round."""

    scene: str
    text: str


class SceneEnded(Step, frozen=True, tag="scene-ended"):
    """A scene is over."""

    scene: str
    ok: bool
    """Whether exactly the expected steps happened."""
    connections: int
    posted: int
    delivered: int
    disconnected: int
    """How many ports ended, on both sides."""


class DemoEnded(Step, frozen=True, tag="demo-ended"):
    """The demo is over."""

    ok: bool
    failed: list[str]
    """The scenes that had trouble."""
    connections: int
    posted: int
    delivered: int
    disconnected: int
