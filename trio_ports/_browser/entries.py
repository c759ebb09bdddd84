"""Entries: what the registry keeps of each extension, tab, frame and context. Data, with plain names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, final

import attrs

from .._protocol.patterns import ExternallyConnectable
from .script import Script

ContextKind: TypeAlias = Literal["background", "page", "content_script", "web_page"]


@attrs.define(eq=False, repr=False, kw_only=True)
class Entry:
    """What all of them have."""

    face: Any = attrs.field(default=None, init=False)
    """The public object that shows it; see `browser`."""


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class ExtensionEntry(Entry):
    """An extension."""

    id: str
    base_url: str
    """The address of its pages, without a slash at the end."""
    externally_connectable: ExternallyConnectable | None
    """Who may connect from outside; None: every extension, and no web page."""
    installed: bool = True
    contexts: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """Its live contexts, in the order they were opened."""
    pages: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """The same without content scripts, of which there may be many: whom ``runtime.connect`` reaches."""

    def __repr__(self) -> str:
        return f"<Extension {self.id!r}{'' if self.installed else ' (uninstalled)'}>"


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class TabEntry(Entry):
    """A tab."""

    id: int
    frames: dict[int, FrameEntry] = attrs.field(factory=dict[int, "FrameEntry"])
    """Its frames by their numbers, the top one first; none once the tab is closed."""
    frame_ids: Iterator[int] = attrs.field(factory=itertools.count)

    @property
    def url(self) -> str | None:
        """What its top frame shows; None once the tab is closed."""
        return self.frames[0].url if self.frames else None

    def __repr__(self) -> str:
        return f"<Tab {self.id} {repr(self.url) if self.frames else '(closed)'}>"


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class FrameEntry(Entry):
    """A frame of a tab. It shows a document, in which contexts live; a navigation brings another document."""

    tab: TabEntry
    id: int
    sandboxed: bool
    """Whatever it shows has an origin of its own."""
    url: str = ""
    origin: str = ""
    document_id: str = ""
    contexts: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """The live contexts in it, in the order they were opened."""

    @property
    def closed(self) -> bool:
        """It has been taken out of its tab."""
        return self.id not in self.tab.frames

    def __repr__(self) -> str:
        return f"<Frame {self.id} of tab {self.tab.id} {self.url!r}{' (closed)' if self.closed else ''}>"


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class ContextEntry(Entry):
    """A context."""

    kind: ContextKind
    url: str
    origin: str
    document_id: str
    script: Script
    """What runs in it."""
    extension: ExtensionEntry | None
    """None for a web page."""
    frame: FrameEntry | None
    """None for a page that no tab shows."""

    @property
    def extension_id(self) -> str | None:
        """Its extension's id; None for a web page."""
        return None if self.extension is None else self.extension.id

    def __repr__(self) -> str:
        owner = "" if self.extension is None else f" of {self.extension.id}"
        where = "" if self.frame is None else f" in frame {self.frame.id} of tab {self.frame.tab.id}"
        return f"<Context {self.kind}{owner}{where} {self.url!r}{' (closed)' if self.script.closed else ''}>"
