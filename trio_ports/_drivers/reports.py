"""What players report to their driver, decoded and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, final

import msgspec

PlayerKind = Literal["background", "page", "script", "web"]


@final
class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A player is there."""

    extension: str
    """The driver's name for the extension; ``"web"`` for a web page."""
    id: str | None
    """The extension's id."""
    kind: PlayerKind
    url: str
    page: str | None
    """Where the extension's page is; None from a page or a content script's point of view."""


@final
class Result(msgspec.Struct, frozen=True):
    """What a step returned, or the text of what it raised."""

    value: Any = None
    error: str | None = None
    mistake: str | None = None
    """Why the step makes no sense, such as a label that is taken: the driver's doing, not the browser's."""


@final
class Results(msgspec.Struct, frozen=True, tag="results"):
    """A command was carried out."""

    id: int
    results: tuple[Result, ...]


@final
class Event(msgspec.Struct, frozen=True, tag="event", omit_defaults=True):
    """A listener was called, or a step raised."""

    event: Literal["on_connect", "on_connect_external", "on_message", "on_disconnect", "raised"]
    port: str | None = None
    """The label of the event's port."""
    listener: str | None = None
    """The name of the listener that was called."""
    name: str | None = None
    """on_connect: the connection's name."""
    sender: Mapping[str, Any] | None = None
    """on_connect: what the browser says about the opener; of its tab only the id."""
    message: Any = None
    error: str | None = None
    """on_disconnect: the text of the error, if there is one; raised: type and text."""
    call: str | None = None
    """raised: the step."""


Report = Hello | Results | Event
DECODER: Final[msgspec.json.Decoder[Report]] = msgspec.json.Decoder(Report)


def decode_report(data: bytes) -> Report:
    """Return what a player reported.

    Raises:
        msgspec.ValidationError: the player and this module disagree.
    """
    try:
        return DECODER.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Half of a surrogate pair is legal in JavaScript, and msgspec has no place for it.
        report: Report = msgspec.convert(json.loads(data), type=Report)
        return report


def encode_command(command: Mapping[str, Any]) -> bytes:
    """Return a command as JSON."""
    try:
        return msgspec.json.encode(command)
    except UnicodeEncodeError:
        return json.dumps(command).encode("ascii")
