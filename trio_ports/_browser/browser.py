"""The browser: the scope in which everything else lives."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, final

import trio
from trio.lowlevel import enable_ki_protection

from .._ports.blocks import open_body
from .._ports.connection import open_connection
from .._ports.ends import End
from .._ports.failures import crash_error
from .._ports.observers import Observer
from .._ports.setup import ListenerErrors, Setup, make_setup
from .._protocol.dialects import NO_RECEIVER_TEXT, DialectName
from .._protocol.errors import AlreadyInstalledError, Cause, PortError
from .._protocol.patterns import ExternallyConnectable
from .._util import check_type, require_trio
from .calls import Bus, Call, Elsewhere
from .contexts import ConnectEvent, Context
from .extensions import Extension
from .routing import find_receivers
from .tabs import Tab, check_url


@final
class Browser:
    """A browser in this process. Made by `open_browser`."""

    __slots__ = (
        "_contexts",
        "_document_ids",
        "_elsewhere",
        "_extensions",
        "_leaving",
        "_manifest_folders",
        "_nursery",
        "_setup",
        "_tab_ids",
        "_tabs",
        "_thread",
        "closed",
    )

    _nursery: trio.Nursery
    """Where its tasks run: in the block of `open_browser`."""

    def __init__(self, setup: Setup, manifest_folders: tuple[Path, ...] | None, *, alone: bool = True) -> None:
        # On a bus every browser counts from a place of its own; JavaScript's numbers are exact up to 2 to the 53.
        first = 0 if alone else secrets.randbits(32)
        self._document_ids = itertools.count((first << 64) + 1)
        self._tab_ids = itertools.count((first << 20) + 1)
        self._elsewhere: Elsewhere | None = None
        self._thread = get_ident()
        self._setup: Setup = setup
        self._manifest_folders: tuple[Path, ...] | None = manifest_folders
        """Where native manifests are looked for; None: where the browsers look."""
        self.closed: bool = False
        self._leaving: bool = False
        """Its block is being left: nobody is reached any more by what listeners open meanwhile."""
        self._contexts: dict[Context, None] = {}
        """The live contexts, in the order they were made."""
        self._extensions: dict[str, Extension] = {}
        """The installed extensions, by id."""
        self._tabs: dict[int, Tab] = {}
        """The open tabs, by id."""

    @enable_ki_protection
    def install(self, extension_id: str, *, externally_connectable: Mapping[str, Any] | None = None) -> Extension:
        """Install an extension.

        Args:
            extension_id: any text that is not empty.
            externally_connectable: who may connect from outside, as in a manifest: ``{"ids": ["*"], "matches":
                ["https://*.example.com/*"]}``. Unless given, every extension may connect, and no web page.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            AlreadyInstalledError: an extension of that id is installed.
            trio.ClosedResourceError: after the end of the block.
        """
        self._require_here("browser.install")
        check_type("extension_id", extension_id, str)
        if not extension_id:
            raise ValueError("extension_id must not be empty")
        self._require_open()
        if extension_id in self._extensions:
            raise AlreadyInstalledError(extension_id=extension_id)
        key = None if externally_connectable is None else ExternallyConnectable.from_manifest(externally_connectable)
        extension = self._extensions[extension_id] = Extension(self, extension_id, key)
        return extension

    @enable_ki_protection
    def open_tab(self, url: str = "about:blank") -> Tab:
        """Open a tab.

        Args:
            url: what it shows: a whole URL, with its scheme.

        Raises:
            TypeError, ValueError: if ``url`` is not as above.
            trio.ClosedResourceError: after the end of the block.
        """
        self._require_here("browser.open_tab")
        check_url(url)
        self._require_open()
        tab = Tab(self, next(self._tab_ids), url)
        self._tabs[tab.id] = tab
        return tab

    def __repr__(self) -> str:
        what = "closed" if self.closed else f"{len(self._extensions)} extensions, {len(self._tabs)} tabs"
        return f"<Browser {self._setup.dialect.name} ({what}) at {id(self):#x}>"

    # For the package ------------------------------------------------------------------------------------------------

    def _require_here(self, what: str) -> None:
        """Raise unless ``what`` is called in the Trio run that this browser lives in."""
        require_trio(what, self._thread)

    def _require_open(self) -> None:
        """Raise unless the block is still running."""
        if self.closed:
            raise trio.ClosedResourceError(f"{self!r} is closed")

    def _new_document_id(self) -> str:
        """Return an id that no document of this browser has had."""
        return f"{next(self._document_ids):032X}"

    def _forget_tab(self, tab: Tab) -> None:
        """Take a closed tab out."""
        self._tabs.pop(tab.id, None)

    def _call(self, call: Call, opener: Context) -> End:
        """Connect a context to whoever hears ``call``, here and elsewhere, and return the opener's end."""
        receivers, event = find_receivers(self, call, opener)
        peers = () if self._elsewhere is None or self._leaving else self._elsewhere.peers()
        near, fars = self._connect(len(receivers) + len(peers))
        self._announce(call, event, receivers, fars)
        if self._elsewhere is not None and peers:
            ends = dict(zip(peers, fars[len(receivers) :], strict=True))
            self._elsewhere.call(call, ends)
        if not fars:
            near.lose_peer(PortError(NO_RECEIVER_TEXT, cause=Cause.NO_RECEIVER))
        return near

    def _answer(self, call: Call) -> End | None:
        """Connect an opener that lives elsewhere to whoever hears ``call`` here; None if nobody does."""
        receivers, event = find_receivers(self, call, None)
        if not receivers:
            return None
        near, fars = self._connect(len(receivers))
        self._announce(call, event, receivers, fars)
        return near

    def _connect(self, receivers: int) -> tuple[End, list[End]]:
        dialect = self._setup.dialect
        return open_connection(
            receivers,
            max_buffer_size=self._setup.max_buffer_size,
            receiver_disconnects=dialect.receiver_disconnects,
            receiver_vanishes=dialect.receiver_vanishes,
        )

    def _announce(self, call: Call, event: ConnectEvent, receivers: list[Context], ends: list[End]) -> None:
        for context, end in zip(receivers, ends, strict=False):  # What is left are the ends of other browsers.
            context._announce(event, end, call.name, call.sender)

    @asynccontextmanager
    @enable_ki_protection
    async def _shared_on(self, bus: Bus | None) -> AsyncGenerator[None, None]:
        """Act as one with the other browsers of a bus for the block."""
        if bus is None:
            yield
            return
        async with bus.share(self._answer, max_message_bytes=self._setup.max_message_bytes) as elsewhere:
            self._elsewhere = elsewhere
            try:
                yield
            finally:
                self._elsewhere = None

    def _start_application(self, end: End, name: str, extension_id: str) -> None:
        """Run a native application at ``end``; it outlives its context for as long as its own end takes."""
        self._nursery.start_soon(self._run_application, end, name, extension_id)

    async def _run_application(self, end: End, name: str, extension_id: str) -> None:
        from .._native.browser_side.start import run_application  # Most programs never start an application.

        await run_application(
            end, name, extension_id=extension_id, dialect=self._setup.dialect, manifest_folders=self._manifest_folders
        )

    @enable_ki_protection
    async def _tear_down(self, error: PortError | None) -> None:
        """Close the contexts in order, each once everything under way has reached its listeners."""
        self._leaving = True
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()  # Whoever is about to use a port learns first that it is cancelled.
        for context in tuple(self._contexts):
            await context._tear_down(error)
        self.closed = True
        for context in tuple(self._contexts):  # A listener has opened it meanwhile.
            context._close(error)
        for tab in tuple(self._tabs.values()):
            tab.close()


@asynccontextmanager
@enable_ki_protection
async def open_browser(
    *,
    dialect: DialectName = "trio",
    listener_errors: ListenerErrors | None = None,
    max_buffer_size: float | None = None,
    max_message_bytes: float | None = None,
    observer: Observer | None = None,
    manifest_folders: Sequence[str | Path] | None = None,
    bus: Bus | None = None,
) -> AsyncGenerator[Browser, None]:
    """Open a browser in this process; everything in it lives in the block.

    Leaving the block closes the contexts in order: what was under way reaches sync listeners, async ones are cancelled.
    What a listener opens meanwhile reaches nobody. Then native applications are ended. What a listener raises leaves
    through the block, in an ExceptionGroup; the block's own exception leaves as it is.

    Args:
        dialect: ``"trio"``, ``"firefox"`` or ``"chrome"``.
        listener_errors: ``"raise"`` or ``"log"``; the dialect's own unless given.
        max_buffer_size: how many messages may wait in each direction of a connection, an int of at least 1 or
            ``math.inf``; the dialect's own (1,024 in ``"trio"``) unless given.
        max_message_bytes: the largest encoded message, in bytes, likewise; 64 MiB in ``"trio"`` and ``"chrome"``.
        observer: called with a record of everything that happens to the browser's ports.
        manifest_folders: where native manifests are looked for, instead of where browsers look.
        bus: what it shares with browsers elsewhere, of the same dialect, in order to act as one with them; see
            `trio_ports.bus`. What was posted is given three seconds to leave the block.

    Raises:
        TypeError, ValueError: for arguments that are not as above.
        RuntimeError: outside Trio.
        trio.BusyResourceError: if another browser is on this bus object.
    """
    require_trio("open_browser")
    if bus is not None and not hasattr(bus, "share"):
        raise TypeError(f"bus must be a bus, as trio_ports.bus opens them, not {bus!r}")
    setup = make_setup(
        dialect=dialect,
        listener_errors=listener_errors,
        max_buffer_size=max_buffer_size,
        max_message_bytes=max_message_bytes,
        observer=observer,
    )
    folders = None if manifest_folders is None else _check_folders(manifest_folders)
    browser = Browser(setup, folders, alone=bus is None)
    async with open_body() as body, browser._shared_on(bus), trio.open_nursery() as browser._nursery:
        try:
            with body:
                yield browser
        finally:
            browser._nursery.cancel_scope.cancel()
            await browser._tear_down(crash_error(body.failure))


def _check_folders(folders: Sequence[str | Path]) -> tuple[Path, ...]:
    from .._native.folders import check_folders  # Most programs never start an application.

    return tuple(check_folders(folders))
