"""The protocol between a player and the laboratory: JSON, one value a message.

A player is asked to carry out ``{"id": 1, "steps": […]}``, the steps of the kit's language of moves, all in one turn,
or ``{"id": 2, "stage": {…}}``, which concerns the browser and not its ports. It answers with the `Results` of the same
``id``. It says `Hello` when it is there, and reports what each listener is `Called` with, in order: what is reported
before the results has happened before the command was through.

Nothing here depends on a browser or on a WebSocket: a player in another process may exchange the same values as lines.
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal, final

import msgspec

from .._protocol.messages import Decoder, Encoder
from ..testing._conformance.players.player import Record

PlayerKind = Literal["background", "page", "script", "web"]


@final
class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A player is there."""

    extension: str
    """The laboratory's name for the extension; ``"web"`` for a web page."""
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
    """Why the step makes no sense, such as a label that is taken: the history's fault, not the browser's."""


@final
class Results(msgspec.Struct, frozen=True, tag="results"):
    """A command was carried out."""

    id: int
    results: tuple[Result, ...]


@final
class Called(msgspec.Struct, frozen=True, tag="called"):
    """A listener was called, or an action of one raised. An error is its text, and a sender has its own fields."""

    record: Record


Report = Hello | Results | Called

# JavaScript has texts with half of a surrogate pair, which these take as well.
COMMAND_ENCODER: Final = Encoder(max_message_bytes=math.inf)
REPORT_DECODER: Final = Decoder(Report)
