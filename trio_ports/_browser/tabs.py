"""Tabs and the frames in them. A frame shows a document; navigating replaces it and ends what ran in it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import LocalProtocolError
from .._protocol.urls import find_fault
from .._util import check_type
from .contexts import Context

if TYPE_CHECKING:
    from .browser import Browser


@final
class Frame:
    """A frame of a tab. Made by `Tab.open_frame`."""

    __slots__ = ("_contexts", "_tab", "_url", "closed", "document_id", "id")

    def __init__(self, tab: Tab, frame_id: int, url: str) -> None:
        self._tab = tab
        self._url = url
        self.id: int = frame_id
        """0 for a tab's top frame, another number for every other."""
        self.closed: bool = False
        self._contexts: list[Context] = []
        """The live contexts in it, content scripts and pages, in the order they were made."""
        self.document_id: str = tab.browser._new_document_id()
        """The document it shows; a navigation brings another."""

    @property
    def tab(self) -> Tab:
        """The tab it is in."""
        return self._tab

    @property
    def url(self) -> str:
        """What it shows."""
        return self._url

    @enable_ki_protection
    def navigate(self, url: str) -> None:
        """Show another document. What ran in the frame ends, without error; of a top frame, all other frames close.

        Raises:
            TypeError, ValueError: if ``url`` is no whole URL.
            trio.ClosedResourceError: if the frame is closed.
        """
        self._tab.browser._require_here("frame.navigate")
        check_url(url)
        self._require_open()
        if self.id == 0:
            for frame in self._tab.frames[1:]:
                frame.close()
        self._end_contexts()
        self._url = url
        self.document_id = self._tab.browser._new_document_id()

    @enable_ki_protection
    def close(self) -> None:
        """Remove the frame; closing a top frame closes the tab. What ran in it ends, without error. Idempotent."""
        self._tab.browser._require_here("frame.close")
        if self.id == 0:
            self._tab.close()
        else:
            self._shut()

    def _shut(self) -> None:
        """Close this frame only."""
        if not self.closed:
            self.closed = True
            self._tab._forget_frame(self)
            self._end_contexts()

    def _end_contexts(self) -> None:
        for context in tuple(self._contexts):
            context.close()

    def _require_open(self) -> None:
        """Raise unless the frame is there."""
        if self.closed:
            raise trio.ClosedResourceError(f"{self!r} is closed")

    def __repr__(self) -> str:
        return f"<Frame {self.id} of tab {self._tab.id} {self._url!r}{' (closed)' if self.closed else ''}>"


@final
class Tab:
    """A tab. Made by `Browser.open_tab`."""

    __slots__ = ("_frames", "_new_frame_id", "browser", "id")

    def __init__(self, browser: Browser, tab_id: int, url: str) -> None:
        self.browser: Browser = browser
        self.id: int = tab_id
        """Its number, for ``tabs.connect``."""
        self._new_frame_id = itertools.count(1)
        self._frames: dict[int, Frame] = {}
        self._frames[0] = Frame(self, 0, url)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Its frames, the top one first; empty once the tab is closed."""
        return tuple(self._frames.values())

    @property
    def url(self) -> str | None:
        """What its top frame shows; None once the tab is closed."""
        return self._frames[0].url if self._frames else None

    @property
    def closed(self) -> bool:
        """The tab was closed."""
        return not self._frames

    def frame(self, frame_id: int) -> Frame | None:
        """Return the frame of that number, or None.

        Raises:
            TypeError: if it is no number.
        """
        check_type("frame_id", frame_id, int)
        return self._frames.get(frame_id)

    @enable_ki_protection
    def open_frame(self, url: str) -> Frame:
        """Add a frame to the document that the tab shows.

        Raises:
            TypeError, ValueError: if ``url`` is no whole URL.
            trio.ClosedResourceError: if the tab is closed.
        """
        self.browser._require_here("tab.open_frame")
        check_url(url)
        self._require_open()
        frame = Frame(self, next(self._new_frame_id), url)
        self._frames[frame.id] = frame
        return frame

    @enable_ki_protection
    def web_page(self, frame_id: int = 0) -> Context:
        """Return the web page in a frame, which may open connections to extensions that let it.

        Raises:
            trio.ClosedResourceError: if the tab is closed.
            LocalProtocolError: if there is no such frame.
        """
        self.browser._require_here("tab.web_page")
        frame = self._require_frame(frame_id)
        for context in frame._contexts:
            if context.kind == "web_page":
                return context
        return Context(self.browser, "web_page", url=frame.url, frame=frame)

    @enable_ki_protection
    def navigate(self, url: str) -> None:
        """Show another document in the top frame: everything in the tab ends, without error, and other frames close.

        Raises:
            TypeError, ValueError: if ``url`` is no whole URL.
            trio.ClosedResourceError: if the tab is closed.
        """
        self.browser._require_here("tab.navigate")
        check_url(url)
        self._require_open()
        self._frames[0].navigate(url)

    @enable_ki_protection
    def close(self) -> None:
        """Close the tab: everything in it ends, without error. Sync and idempotent."""
        self.browser._require_here("tab.close")
        frames = self.frames
        self.browser._forget_tab(self)
        for frame in frames:
            frame._shut()

    def _require_open(self) -> None:
        """Raise unless the tab is there."""
        if self.closed:
            raise trio.ClosedResourceError(f"{self!r} is closed")
        self.browser._require_open()

    def _require_frame(self, frame_id: int) -> Frame:
        """Return the frame of that number, or raise."""
        check_type("frame_id", frame_id, int)
        self._require_open()
        frame = self.frame(frame_id)
        if frame is None:
            raise LocalProtocolError(f"tab {self.id} has no frame {frame_id}")
        return frame

    def _forget_frame(self, frame: Frame) -> None:
        """Take a closed frame out."""
        self._frames.pop(frame.id, None)

    def __repr__(self) -> str:
        return f"<Tab {self.id} {'(closed)' if self.closed else repr(self.url)}>"


def check_url(url: str) -> None:
    """Raise unless ``url`` is a whole one, with its scheme, and a host where the web asks for one."""
    check_type("url", url, str)
    if fault := find_fault(url):
        raise ValueError(f"url must be a whole one, as 'https://example.com/' is: {url!r} {fault}")
