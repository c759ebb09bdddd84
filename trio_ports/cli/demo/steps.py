"""What is told of a scene, one record a step. With ``--json`` these are the lines; their fields are a promise."""

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


class PortOpened(Step, frozen=True, tag="opened"):
    """A script has a port."""

    scene: str
    port: int
    """A number, unique in the scene."""
    name: str
    side: Literal["opener", "receiver"]
    who: str
    """Whose port it is."""
    whom: str
    """Who is on the other side."""
    sender: dict[str, Any] | None
    """What a receiver is told of the opener, without what is unknown."""


class MessagePosted(Step, frozen=True, tag="posted"):
    """A message was accepted for sending."""

    scene: str
    port: int
    """The sender's."""
    name: str
    who: str
    """Who sends."""
    whom: str
    """To whom."""
    message: Any


class MessageDelivered(Step, frozen=True, tag="delivered"):
    """A message is handed to the script that it was sent to."""

    scene: str
    port: int
    """The receiver's."""
    name: str
    who: str
    """Who sent it."""
    whom: str
    """Who gets it."""
    message: Any


class PortDisconnected(Step, frozen=True, tag="disconnected"):
    """A port is over."""

    scene: str
    port: int
    name: str
    who: str
    """Whose port it is."""
    whom: str
    """Who is, or was, on the other side."""
    here: bool
    """This side ended it; otherwise this side is told that the other one did."""
    cause: str | None
    """One of the values of `trio_ports.Cause`; null after an orderly end."""
    error: str | None
    """The same for people."""


class Trouble(Step, frozen=True, tag="trouble"):
    """Something should have happened and did not, or the other way round."""

    scene: str
    text: str


class SceneEnded(Step, frozen=True, tag="scene-ended"):
    """A scene is over."""

    scene: str
    ok: bool
    """All that should happen did, and nothing else."""
    connections: int
    posted: int
    delivered: int
    disconnected: int
    """How many ports, of either side, ended."""


class DemoEnded(Step, frozen=True, tag="demo-ended"):
    """The demo is over."""

    ok: bool
    failed: list[str]
    """The scenes that had trouble."""
    connections: int
    posted: int
    delivered: int
    disconnected: int
