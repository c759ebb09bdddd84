"""Entries: what the registry keeps of each extension, tab, frame and context. Data, with plain names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextvars import Context as Variables
from typing import Any, Final, Literal, TypeAlias, final

import attrs

from .._protocol.dialects import Dialect
from .._protocol.patterns import ExternallyConnectable, MatchPattern
from .._protocol.urls import Url, parse_url
from .script import Script

BLANK: Final = parse_url("about:blank")
ContextKind: TypeAlias = Literal["background", "page", "content_script", "user_script", "web_page"]
View: TypeAlias = Literal["popup", "sidebar", "options", "devtools", "offscreen"]
Incognito: TypeAlias = Literal["spanning", "split", "not_allowed"]


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
    incognito: Incognito = "spanning"
    """What its manifest says of private windows: one of it serves them as well, it runs twice, or it stays out."""
    incognito_access: bool = False
    """The user lets it into private windows."""
    installed: bool = True
    enabled: bool = True
    background: BackgroundEntry | None = None
    """Its background that sleeps, if it has registered one."""
    content_scripts: list[ContentScriptEntry] = attrs.field(factory=list["ContentScriptEntry"])
    """Those that it has registered."""
    contexts: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """Its live contexts, in the order they were opened."""
    pages: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """The same without scripts in tabs, of which there may be many: whom ``runtime.connect`` reaches."""

    @property
    def is_there(self) -> bool:
        """It is installed, and not disabled."""
        return self.installed and self.enabled

    def may_be_private(self, dialect: Dialect) -> bool:
        """Return whether it is let into private windows. Source: rule 65."""
        is_willing = self.incognito == "spanning" or (self.incognito == "split" and dialect.incognito_split)
        return self.incognito_access and is_willing

    def __repr__(self) -> str:
        state = "" if self.is_there else " (disabled)" if self.installed else " (uninstalled)"
        return f"<Extension {self.id!r}{state}>"


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class BackgroundEntry(Entry):
    """A background that sleeps until somebody calls it. It has one context after the other."""

    extension: ExtensionEntry
    start: Callable[[ContextEntry], object]
    """Runs its script from the top."""
    url: Url
    idle_seconds: float
    variables: Variables
    """The context variables that its script sees: those of the task that registered it."""
    context: ContextEntry | None = None
    """The one that runs, or will run when somebody calls; None as long as the extension is away."""

    def __repr__(self) -> str:
        state = "away" if self.context is None else self.context.script.state.value
        return f"<Background of {self.extension.id} ({state})>"


@final
@attrs.frozen(eq=False, kw_only=True)
class ContentScriptEntry:
    """A content script that runs in every document whose address matches."""

    start: Callable[[ContextEntry], object]
    """Runs it."""
    matches: tuple[MatchPattern, ...]
    all_frames: bool
    """It runs not only in top frames."""
    variables: Variables
    """The context variables that it sees: those of the task that registered it."""


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class TabEntry(Entry):
    """A tab."""

    id: int
    incognito: bool = False
    """It is in a private window."""
    frames: dict[int, FrameEntry] = attrs.field(factory=dict[int, "FrameEntry"])
    """Its frames by their numbers, the top one first; none once the tab is closed."""
    frame_ids: Iterator[int] = attrs.field(factory=itertools.count)
    visits: list[Visit] = attrs.field(factory=lambda: [Visit()])
    """What the back button leads to, in order."""
    position: int = 0
    """Which of the visits it shows."""
    cache: dict[str, CachedDocument] = attrs.field(factory=dict[str, "CachedDocument"])
    """The documents that it has put aside, by their ids."""

    @property
    def url(self) -> str | None:
        """What its top frame shows; None once the tab is closed."""
        return self.frames[0].url if self.frames else None

    def __repr__(self) -> str:
        return f"<Tab {self.id} {repr(self.url) if self.frames else '(closed)'}>"


@final
@attrs.define(eq=False)
class Visit:
    """A step in a tab's history."""

    url: Url = BLANK
    document_id: str = ""


@final
@attrs.frozen(eq=False, kw_only=True)
class CachedDocument:
    """A document in the back/forward cache: what its tab's top frame and its other frames had."""

    loaded_url: str
    origin: str
    document_id: str
    contexts: dict[ContextEntry, None]
    orphans: dict[ContextEntry, None]
    frames: tuple[FrameEntry, ...]

    def all_contexts(self) -> list[ContextEntry]:
        """Return what lives in it, in its top frame and in the others."""
        inner = [context for frame in self.frames for context in (*frame.contexts, *frame.orphans)]
        return [*self.contexts, *self.orphans, *inner]


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class FrameEntry(Entry):
    """A frame of a tab. It shows a document, in which contexts live; a navigation brings another document."""

    tab: TabEntry
    id: int
    parent: FrameEntry | None
    """The frame that it is in; None for a tab's top frame."""
    sandboxed: bool
    """Whatever it shows has an origin of its own."""
    prerendered: bool = False
    """It waits to become the tab's top frame."""
    address: Url = BLANK
    """What it shows; it may change while the document stays."""
    loaded_url: str = ""
    """What the document was loaded from."""
    origin: str = ""
    document_id: str = ""
    contexts: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """The live contexts in it, in the order they were opened."""
    orphans: dict[ContextEntry, None] = attrs.field(factory=dict["ContextEntry", None])
    """The content scripts in it whose extension has gone."""

    @property
    def url(self) -> str:
        """What it shows, as text."""
        return str(self.address)

    @property
    def closed(self) -> bool:
        """It has been taken out of its tab."""
        return self.tab.frames.get(self.id) is not self

    @property
    def is_prerendered(self) -> bool:
        """What it shows is prepared, and not shown yet."""
        return self.prerendered if self.parent is None else self.parent.is_prerendered

    def frames_within(self) -> tuple[FrameEntry, ...]:
        """Return the frames in it, and those in them, in the order in which they were opened."""
        within: set[FrameEntry | None] = {self}
        for frame in self.tab.frames.values():  # No frame was opened before the one that it is in.
            if frame.parent in within:
                within.add(frame)
        return tuple(frame for frame in self.tab.frames.values() if frame in within and frame is not self)

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
    view: View | None = None
    """What kind of page it is, if it is one of those that browsers show elsewhere than in a tab."""
    incognito: bool = False
    """It is in a private window, or serves private windows only."""
    world_id: str | None = None
    """Of a user script: the world that it runs in."""

    @property
    def extension_id(self) -> str | None:
        """Its extension's id; None for a web page."""
        return None if self.extension is None else self.extension.id

    def __repr__(self) -> str:
        owner = "" if self.extension is None else f" of {self.extension.id}"
        where = "" if self.frame is None else f" in frame {self.frame.id} of tab {self.frame.tab.id}"
        return f"<Context {self.kind}{owner}{where} {self.url!r}{' (closed)' if self.script.closed else ''}>"
