"""The player extension: its folder for one browser, and the players that it runs in each of its contexts."""

from __future__ import annotations

import hashlib
import json
import shutil
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

import attrs
import trio

from .binaries import BrowserKind
from .errors import BrowserCommandError, BrowserGoneError
from .reports import Event, Hello, PlayerKind, Result, Results, encode_command
from .server import Socket

SOURCE: Final = Path(__file__).with_name("extension")


@final
@attrs.frozen
class PlayerExtension:
    """How one player extension differs from another."""

    name: str
    """The laboratory's name for it, such as ``"a"``."""
    manifest: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Added to its manifest, such as ``externally_connectable``."""


def write_extension(folder: Path, kind: BrowserKind, extension: PlayerExtension, settings: str) -> None:
    """Write an extension's folder, ready to be loaded; its id depends on nothing but its name."""
    folder.mkdir(parents=True)
    for name in ("player.js", "page.html"):
        shutil.copyfile(SOURCE / name, folder / name)
    manifest: dict[str, Any] = json.loads((SOURCE / f"manifest.{kind}.json").read_text(encoding="utf-8"))
    if extension.name != "a":
        if kind == "firefox":
            manifest["browser_specific_settings"]["gecko"]["id"] = f"player-{extension.name}@trio-ports.invalid"
        else:
            manifest["key"] = b64encode(hashlib.sha512(extension.name.encode()).digest()).decode()
    (folder / "manifest.json").write_text(json.dumps({**manifest, **extension.manifest}), encoding="utf-8")
    (folder / "settings.js").write_text(settings, encoding="utf-8")


@final
@attrs.define(eq=False)
class Context:
    """One script's world in the browser, in which a player runs."""

    extension: str
    """The laboratory's name for its extension; ``"web"`` for a web page."""
    kind: PlayerKind
    url: str
    id: str | None
    """Its extension's id."""
    page: str | None
    """The address of its extension's page, as far as the context knows it."""
    _socket: Socket = attrs.field(repr=False)
    events: list[Event] = attrs.field(factory=list[Event], init=False, repr=False)
    """What has happened in it since the last reset, in order."""
    used: bool = attrs.field(default=False, init=False, repr=False)
    """Whether it was told anything since the last reset: another one can't have ports or listeners."""
    gone: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)
    """Set when the browser has ended it."""
    _answers: dict[int, tuple[Result, ...] | None] = attrs.field(factory=dict[int, Any], init=False, repr=False)
    _answered: dict[int, trio.Event] = attrs.field(factory=dict[int, trio.Event], init=False, repr=False)
    _number: int = attrs.field(default=0, init=False, repr=False)

    @classmethod
    def of(cls, hello: Hello, socket: Socket) -> Context:
        """Return the context of a player that has just said hello."""
        return cls(hello.extension, hello.kind, hello.url, hello.id, hello.page, socket)

    async def ask(self, command: Mapping[str, Any]) -> tuple[Result, ...]:
        """Have a command carried out, and return its results.

        Raises:
            BrowserGoneError: the context ended before it answered.
        """
        if self.gone.is_set():
            raise BrowserGoneError(f"{self} has ended")
        self._number += 1
        number = self._number
        event = self._answered[number] = trio.Event()
        try:
            try:
                await self._socket.send(encode_command({"id": number, **command}))
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise BrowserGoneError(f"{self} has ended") from error
            await event.wait()
            results = self._answers.pop(number, None)
        finally:
            del self._answered[number]
        if results is None:
            raise BrowserGoneError(f"{self} ended before it answered")
        return results

    async def stage(self, do: str, **parameters: Any) -> Any:
        """Have the player do something to the browser itself, of which no log tells; return the result.

        Raises:
            BrowserCommandError: the browser refused.
            BrowserGoneError: the context ended before it answered.
        """
        (result,) = await self.ask({"stage": {"do": do, **parameters}})
        if result.error is not None:
            raise BrowserCommandError(do, result.error)
        return result.value

    def receive(self, results: Results) -> None:
        """Take a command's results; those of a command that was cancelled are dropped."""
        event = self._answered.get(results.id)
        if event is not None:
            self._answers[results.id] = results.results
            event.set()

    def end(self) -> None:
        """Take note that the browser has ended the context."""
        self.gone.set()
        for event in self._answered.values():
            event.set()
