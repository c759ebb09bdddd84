"""The public objects of a browser: `Browser`, `Extension`, `Tab`, `Frame` and `Context`.

They lead to each other, and so they share a file. They check what they are called with; the registry does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, final, get_args

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._ports.events import check_callable
from .._ports.failures import crash_error
from .._protocol.contexts import ContextState
from .._protocol.errors import AlreadyInstalledError, LocalProtocolError
from .._protocol.patterns import ExternallyConnectable, MatchPattern
from .._protocol.urls import OPAQUE_ORIGIN, Url, parse_url
from .._util import check_flag, check_list, check_type
from . import navigation
from .backgrounds import register, stop, wake
from .entries import (
    BackgroundEntry,
    ContentScriptEntry,
    ContextEntry,
    ContextKind,
    Entry,
    ExtensionEntry,
    FrameEntry,
    Incognito,
    TabEntry,
    View,
)
from .idle import IDLE_SECONDS
from .injecting import register_content_script
from .registry import Registry
from .runtime import Runtime, Tabs
from .unloading import load, uninstall, unload

EntryT = TypeVar("EntryT", bound=Entry)


class _Face(Generic[EntryT]):
    """What shows an entry of the registry to the program: one object for each entry."""

    __slots__ = ("_entry", "_registry")

    def __init__(self, registry: Registry, entry: EntryT) -> None:
        self._registry = registry
        self._entry = entry
        entry.face = self

    @classmethod
    def _of(cls, registry: Registry, entry: EntryT) -> Self:
        """Return the one object that shows ``entry``."""
        face: Self = entry.face or cls(registry, entry)
        return face

    def __repr__(self) -> str:
        return repr(self._entry)


@final
class Browser:
    """A browser in this process. Made by `open_browser`."""

    __slots__ = ("_registry",)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        registry.face = self

    @property
    def closed(self) -> bool:
        """Its block has ended."""
        return self._registry.closed

    @enable_ki_protection
    def install(
        self,
        extension_id: str,
        *,
        externally_connectable: Mapping[str, Any] | None = None,
        incognito: Incognito = "spanning",
        incognito_access: bool = False,
    ) -> Extension:
        """Install an extension.

        Args:
            extension_id: any text that is not empty.
            externally_connectable: who may connect from outside, as in a manifest: ``{"ids": ["*"], "matches":
                ["https://*.example.com/*"]}``. Unless given, every extension may connect, and no web page.
            incognito: ``"spanning"``, ``"split"`` or ``"not_allowed"``, as in a manifest; see rule 65.
            incognito_access: whether the user lets it into private windows, which browsers do not unless told to.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            AlreadyInstalledError: an extension of that id is installed.
            trio.ClosedResourceError: after the end of the block.
        """
        self._registry.require_here("browser.install")
        check_type("extension_id", extension_id, str)
        if not extension_id:
            raise ValueError("extension_id must not be empty")
        self._registry.require_open()
        if extension_id in self._registry.extensions:
            raise AlreadyInstalledError(extension_id=extension_id)
        key = None if externally_connectable is None else ExternallyConnectable.from_manifest(externally_connectable)
        if incognito not in get_args(Incognito):
            raise ValueError(f"incognito must be one of {', '.join(map(repr, get_args(Incognito)))}, not {incognito!r}")
        check_flag("incognito_access", incognito_access)
        entry = self._registry.install(extension_id, key, incognito, incognito_access=incognito_access)
        return Extension._of(self._registry, entry)

    @enable_ki_protection
    def open_tab(self, url: str = "about:blank", *, incognito: bool = False) -> Tab:
        """Open a tab.

        Args:
            url: what it shows: a whole URL, with its scheme. It is written as browsers do: ``HTTP://Example.com``
                becomes ``http://example.com/``.
            incognito: whether it is in a private window; see rule 65.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            trio.ClosedResourceError: after the end of the block.
        """
        self._registry.require_here("browser.open_tab")
        whole = _read_url(url)
        check_flag("incognito", incognito)
        self._registry.require_open()
        return Tab._of(self._registry, navigation.open_tab(self._registry, whole, incognito=incognito))

    def __repr__(self) -> str:
        registry = self._registry
        what = "closed" if self.closed else f"{len(registry.extensions)} extensions, {len(registry.tabs)} tabs"
        return f"<Browser {registry.options.dialect.name} ({what}) at {id(self):#x}>"


@final
class Extension(_Face[ExtensionEntry]):
    """An installed extension. Made by `Browser.install`."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """What others connect to."""
        return self._entry.id

    @property
    def externally_connectable(self) -> ExternallyConnectable | None:
        """Who may connect from outside; None: every extension, and no web page."""
        return self._entry.externally_connectable

    @property
    def installed(self) -> bool:
        """It has not been uninstalled."""
        return self._entry.installed

    @enable_ki_protection
    def open_page(
        self,
        path: str = "background.html",
        *,
        tab: Tab | None = None,
        view: View | None = None,
        incognito: bool = False,
    ) -> Context:
        """Open one of the extension's pages.

        Args:
            path: inside the extension.
            tab: where it is shown: in the top frame if no script runs there, otherwise in a frame of its own. Without
                one it is a page in the background; the first of these is the background page, as long as it lives.
            view: what kind of page it is, if it is shown elsewhere than in a tab: ``"popup"``, ``"sidebar"``,
                ``"options"`` (in the list of extensions), ``"devtools"`` or ``"offscreen"``; see rule 66.
            incognito: whether it is one of an extension that runs a second time for private windows; see rule 65.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            trio.ClosedResourceError: if the extension is uninstalled or the tab closed.
            LocalProtocolError: if the tab is another browser's, or private and the extension may not be there; or if
                there is no such page.
        """
        self._registry.require_here("extension.open_page")
        _check_path(path)
        self._require_installed()
        self._require_view(view, tab)
        check_flag("incognito", incognito)
        shown_in = None if tab is None else self._require_tab(tab)
        if incognito and self._entry.incognito != "split":
            raise LocalProtocolError(f"{self!r} does not run twice: only one that is installed as split does")
        if incognito:
            self._require_private()
        page = self._registry.open_page(self._entry, self._page_url(path), shown_in, view=view, incognito=incognito)
        return Context._of(self._registry, page)

    @enable_ki_protection
    def register_background(
        self,
        start: Callable[[Context], object],
        *,
        path: str = "background.js",
        idle_seconds: float = IDLE_SECONDS,
    ) -> Background:
        """Give the extension a background that sleeps: a service worker, or an event page.

        It begins asleep. Whoever connects to it while it does not run starts it: ``start(context)`` is called in a
        task, as the script's top level, with a new context each time. The listeners that are there when the first turn
        is over hear of the connections; those of an async ``start`` count if they were added before it first waits.
        Nothing that was there in an earlier context counts. If nobody listens then, the openers get the error that
        they get when nobody is there, and the background runs all the same.

        Called again, this changes the script from the next start on, as an update does.

        Args:
            start: a function, sync or async, that adds the listeners. What an async one goes on with is cancelled when
                the background stops. What it raises leaves as a listener's exception does (rule 31).
            path: the script's, inside the extension.
            idle_seconds: the background stops when it has had nothing to do for so long; `math.inf` for never. See
                rule 46 for what keeps it awake; an open port does not.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            LocalProtocolError: if the extension has a background page that was opened.
            trio.ClosedResourceError: if the extension is uninstalled.
        """
        self._registry.require_here("extension.register_background")
        check_callable("start", start, ("context",))
        _check_path(path)
        check_type("idle_seconds", idle_seconds, (int, float))
        if not idle_seconds > 0:
            raise ValueError(f"idle_seconds must be more than 0, not {idle_seconds!r}")
        self._require_installed()
        registry, entry = self._registry, self._entry
        if entry.background is None and registry.has_background(entry):
            raise LocalProtocolError(f"{self!r} has a background page already: close that first")

        def run(context: ContextEntry) -> object:
            return start(Context._of(registry, context))

        return Background._of(registry, register(registry, entry, run, self._page_url(path), idle_seconds))

    def _page_url(self, path: str) -> Url:
        page = parse_url(f"http://extension/{path.lstrip('/')}")  # The id, which is any text, may not fit into a URL.
        scheme, _, host = self._entry.base_url.partition("://")
        return attrs.evolve(page, scheme=scheme, host=host)

    @enable_ki_protection
    def inject(self, tab: Tab, frame_id: int = 0) -> Context:
        """Run the extension's content script in a frame; there is one context for it in each document.

        Raises:
            trio.ClosedResourceError: if the extension is uninstalled or the tab closed.
            LocalProtocolError: if the tab is another browser's, or has no such frame, or is private and the extension
                may not be there.
        """
        self._registry.require_here("extension.inject")
        self._require_installed()
        frame = _require_frame(self._require_tab(tab), frame_id)
        return Context._of(self._registry, self._registry.open_script(frame, self._entry))

    @enable_ki_protection
    def inject_user_script(self, tab: Tab, frame_id: int = 0, *, world_id: str = "") -> Context:
        """Run the extension's user scripts in a frame; there is one context for each world in each document.

        They connect and send to their own extension, whose pages hear that by ``runtime.on_user_script_connect`` and
        ``on_user_script_message`` (rule 68). Browsers let them, if their world was configured with ``messaging``.

        Raises:
            TypeError: if an argument is of another type.
            trio.ClosedResourceError, LocalProtocolError: as `inject`.
        """
        self._registry.require_here("extension.inject_user_script")
        check_type("world_id", world_id, str)
        self._require_installed()
        frame = _require_frame(self._require_tab(tab), frame_id)
        return Context._of(self._registry, self._registry.open_user_script(frame, self._entry, world_id))

    @enable_ki_protection
    def register_content_script(
        self, start: Callable[[Context], object], *, matches: Sequence[str] = ("<all_urls>",), all_frames: bool = False
    ) -> None:
        """Run a content script in every document of a matching address from now on, as a manifest does.

        ``start(context)`` is called in a task, with the same context that `inject` returns. Documents that are open
        already get the script too, and get it again when the extension comes back after it was disabled or reloaded;
        in ``chrome`` they do not.

        Args:
            start: a function, sync or async. What it raises leaves as a listener's exception does (rule 31).
            matches: match patterns; the script runs where one of them matches.
            all_frames: not only in top frames.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            trio.ClosedResourceError: if the extension is uninstalled or disabled.
        """
        self._registry.require_here("extension.register_content_script")
        check_callable("start", start, ("context",))
        check_list("matches", matches, "match patterns")
        check_flag("all_frames", all_frames)
        patterns = tuple(MatchPattern(pattern) for pattern in matches)
        self._require_installed()
        registry = self._registry

        def run(context: ContextEntry) -> object:
            return start(Context._of(registry, context))

        entry = ContentScriptEntry(start=run, matches=patterns, all_frames=all_frames, variables=copy_context())
        register_content_script(registry, self._entry, entry)

    @property
    def enabled(self) -> bool:
        """It is installed, and has not been disabled."""
        return self._entry.is_there

    @enable_ki_protection
    def disable(self) -> None:
        """Disable the extension, as the user may: whatever runs of it ends, as rule 47 says. Sync and idempotent.

        Raises:
            trio.ClosedResourceError: if the extension is uninstalled.
        """
        self._registry.require_here("extension.disable")
        self._require_installed(enabled=False)
        if self._entry.enabled:
            self._entry.enabled = False
            unload(self._registry, self._entry)

    @enable_ki_protection
    def enable(self) -> None:
        """Let a disabled extension come back. Its background is asleep; its pages stay closed. Sync and idempotent.

        Raises:
            trio.ClosedResourceError: if the extension is uninstalled.
        """
        self._registry.require_here("extension.enable")
        self._require_installed(enabled=False)
        if not self._entry.enabled:
            self._entry.enabled = True
            load(self._registry, self._entry)

    @enable_ki_protection
    def reload(self) -> None:
        """Disable the extension and enable it again, as ``runtime.reload()`` and an update do. Sync.

        Raises:
            trio.ClosedResourceError: if the extension is uninstalled or disabled.
        """
        self._registry.require_here("extension.reload")
        self._require_installed()
        self.disable()
        self.enable()

    @enable_ki_protection
    def update(self, *, externally_connectable: Mapping[str, Any] | None = None) -> None:
        """Replace the extension by another version: a reload with another manifest, without its content scripts.

        Register the content scripts of the new version after this call, and its background before or after it.

        Args:
            externally_connectable: that of the new version; see `Browser.install`.

        Raises:
            TypeError, ValueError: if ``externally_connectable`` is not as in `Browser.install`.
            trio.ClosedResourceError: if the extension is uninstalled or disabled.
        """
        self._registry.require_here("extension.update")
        key = None if externally_connectable is None else ExternallyConnectable.from_manifest(externally_connectable)
        self._require_installed()
        self.disable()
        self._entry.externally_connectable = key
        self._entry.content_scripts.clear()
        self.enable()

    @enable_ki_protection
    def uninstall(self) -> None:
        """Remove the extension: whatever runs of it ends, as rule 47 says. Sync and idempotent."""
        self._registry.require_here("extension.uninstall")
        uninstall(self._registry, self._entry)

    def _require_installed(self, *, enabled: bool = True) -> None:
        self._registry.require_open()
        if not self.installed:
            raise trio.ClosedResourceError(f"{self!r} is uninstalled")
        if enabled and not self._entry.enabled:
            raise trio.ClosedResourceError(f"{self!r} is disabled: enable it first")

    def _require_tab(self, tab: Tab) -> TabEntry:
        check_type("tab", tab, Tab)
        if tab._registry is not self._registry:
            raise LocalProtocolError(f"{tab!r} belongs to another browser")
        _require_open(tab)
        if tab.incognito:
            self._require_private()
        return tab._entry

    def _require_private(self) -> None:
        if not self._entry.may_be_private(self._registry.options.dialect):
            text = f"{self!r} is kept out of private windows: see incognito and incognito_access of browser.install"
            raise LocalProtocolError(text)

    def _require_view(self, view: View | None, tab: Tab | None) -> None:
        if view is not None and view not in get_args(View):
            raise ValueError(f"view must be one of {', '.join(map(repr, get_args(View)))}, not {view!r}")
        if view is not None and tab is not None:
            raise ValueError(f"a page in a tab is no {view}: give tab or view")
        if view == "offscreen" and not self._registry.options.dialect.offscreen_documents:
            raise LocalProtocolError("this browser has no offscreen documents")


@final
class Background(_Face[BackgroundEntry]):
    """A background that sleeps. Made by `Extension.register_background`."""

    __slots__ = ()

    @property
    def extension(self) -> Extension:
        """The extension whose background it is."""
        return Extension._of(self._registry, self._entry.extension)

    @property
    def context(self) -> Context | None:
        """The context that runs now; None while the background is asleep."""
        context = self._entry.context
        asleep = context is None or context.script.state is ContextState.ASLEEP
        return None if asleep or context is None else Context._of(self._registry, context)

    @enable_ki_protection
    def wake(self) -> None:
        """Start it, as an alarm or a click would, unless it runs. Never waits: the script begins a moment later.

        Raises:
            trio.ClosedResourceError: if the extension is uninstalled.
        """
        self._registry.require_here("background.wake")
        self.extension._require_installed()
        if self._entry.context is not None:
            wake(self._registry, self._entry.context)

    @enable_ki_protection
    def stop(self) -> None:
        """Stop it, as the browser does when it was idle or needs memory. Sync and idempotent.

        Its context is gone: its ports disconnect, as rule 20 says, and it gets no event itself. The next call starts
        another one.
        """
        self._registry.require_here("background.stop")
        stop(self._registry, self._entry)


@final
class Tab(_Face[TabEntry]):
    """A tab. Made by `Browser.open_tab`."""

    __slots__ = ()

    @property
    def browser(self) -> Browser:
        """The browser it is in."""
        browser: Browser = self._registry.face
        return browser

    @property
    def id(self) -> int:
        """Its number, for ``tabs.connect``."""
        return self._entry.id

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Its frames, the top one first; empty once the tab is closed."""
        return tuple(Frame._of(self._registry, frame) for frame in self._entry.frames.values())

    @property
    def url(self) -> str | None:
        """What its top frame shows; None once the tab is closed."""
        return self._entry.url

    @property
    def incognito(self) -> bool:
        """Whether it is in a private window."""
        return self._entry.incognito

    @property
    def closed(self) -> bool:
        """The tab was closed."""
        return not self._entry.frames

    def frame(self, frame_id: int) -> Frame | None:
        """Return the frame of that number, or None.

        Raises:
            TypeError: if it is not a number.
        """
        check_type("frame_id", frame_id, int)
        frame = self._entry.frames.get(frame_id)
        return None if frame is None else Frame._of(self._registry, frame)

    @enable_ki_protection
    def open_frame(self, url: str, *, sandboxed: bool = False) -> Frame:
        """Add a frame to the document that the tab shows. See `Frame.open_frame`, which this is for the top frame.

        Raises:
            TypeError, ValueError: for arguments that are not as there.
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.open_frame")
        _require_open(self)
        return Frame._of(self._registry, self._entry.frames[0]).open_frame(url, sandboxed=sandboxed)

    @enable_ki_protection
    def prerender(self, url: str) -> Frame:
        """Prepare a document that the tab may show next, as Chromium does; `Frame.activate` shows it.

        It is in a frame with a number of its own, and runs. ``tabs.connect`` reaches it only by that number or by its
        document_id. Navigating the tab drops it.

        Raises:
            TypeError, ValueError: if ``url`` is not a whole URL.
            LocalProtocolError: in ``firefox``.
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.prerender")
        whole = _read_url(url)
        if not self._registry.options.dialect.prerenders:
            raise LocalProtocolError("this browser does not prerender")
        _require_open(self)
        return Frame._of(self._registry, navigation.prerender(self._registry, self._entry, whole))

    @enable_ki_protection
    def web_page_script(self, frame_id: int = 0) -> Context:
        """Return the script of the web page in a frame: it may connect to extensions that list the page.

        Such a context opens connections, by ``runtime.connect`` with an extension's id; nobody connects to it. There is
        one for each document.

        Raises:
            TypeError: if ``frame_id`` is not a number.
            trio.ClosedResourceError: if the tab is closed.
            LocalProtocolError: if there is no such frame.
        """
        self._registry.require_here("tab.web_page_script")
        _require_open(self)
        frame = _require_frame(self._entry, frame_id)
        return Context._of(self._registry, self._registry.open_script(frame, None))

    @enable_ki_protection
    def navigate(self, url: str) -> None:
        """Show another document in the top frame: everything in the tab ends, without error, and other frames close.

        If nothing but the fragment is new, the document stays, and so does everything in it: see `push_state`. If the
        browser has a back/forward cache, the document that is left is put aside: see `go_back`.

        Raises:
            TypeError, ValueError: if ``url`` is not a whole URL.
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.navigate")
        whole = _read_url(url)
        _require_open(self)
        navigation.navigate(self._registry, self._entry.frames[0], whole)

    @enable_ki_protection
    def push_state(self, url: str) -> None:
        """Change the address of the document in the top frame, as ``history.pushState`` does.

        The document stays, with its ports, and so does the ``sender.url`` of whoever connects from it; ``tab.url``
        changes.

        Args:
            url: a whole URL of the same origin.

        Raises:
            TypeError, ValueError: if ``url`` is not as above.
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.push_state")
        whole = _read_url(url)
        _require_open(self)
        _change_address(self._entry.frames[0], whole)

    @enable_ki_protection
    def go_back(self) -> None:
        """Show what the tab showed before, as its back button does.

        A document that is in the back/forward cache comes back with everything that ran in it. Without the cache (see
        `open_browser`) it is loaded anew.

        Raises:
            LocalProtocolError: if it has shown nothing before.
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.go_back")
        self._go(-1, "before")

    @enable_ki_protection
    def go_forward(self) -> None:
        """Undo one `go_back`.

        Raises:
            LocalProtocolError: if there was none, or the tab has gone elsewhere since.
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.go_forward")
        self._go(1, "after this")

    def _go(self, steps: int, which: str) -> None:
        _require_open(self)
        position = self._entry.position + steps
        if not 0 <= position < len(self._entry.visits):
            raise LocalProtocolError(f"{self!r} has shown nothing {which}")
        navigation.go_to(self._registry, self._entry, position)

    @enable_ki_protection
    def reload(self) -> None:
        """Load the document anew: what ran in it ends, without error, and other frames close.

        Raises:
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.reload")
        _require_open(self)
        navigation.reload(self._registry, self._entry)

    @enable_ki_protection
    def discard(self) -> None:
        """Free the tab's memory, as browsers do with tabs that nobody looks at: everything in it ends, without error.

        The tab stays, in ``chrome`` with another `id`, and no script runs in it until `reload`, which is what showing
        it again does.

        Raises:
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.discard")
        _require_open(self)
        navigation.discard(self._registry, self._entry)

    @enable_ki_protection
    def crash(self) -> None:
        """Let the tab's process crash: everything in it ends, in the browsers without an error.

        In ``trio`` the other sides learn that there was a crash. The tab stays, and `reload` loads it again.

        Raises:
            trio.ClosedResourceError: if the tab is closed.
        """
        self._registry.require_here("tab.crash")
        _require_open(self)
        navigation.crash(self._registry, self._entry)

    @enable_ki_protection
    def close(self) -> None:
        """Close the tab: everything in it ends, without error. Sync and idempotent."""
        self._registry.require_here("tab.close")
        self._registry.close_tab(self._entry)


@final
class Frame(_Face[FrameEntry]):
    """A frame of a tab. Made by `Tab.open_frame`."""

    __slots__ = ()

    @property
    def tab(self) -> Tab:
        """The tab it is in."""
        return Tab._of(self._registry, self._entry.tab)

    @property
    def id(self) -> int:
        """0 for a tab's top frame, another number for every other."""
        return self._entry.id

    @property
    def parent(self) -> Frame | None:
        """The frame that it is in; None for a tab's top frame."""
        parent = self._entry.parent
        return None if parent is None else Frame._of(self._registry, parent)

    @property
    def url(self) -> str:
        """What it shows."""
        return self._entry.url

    @property
    def document_id(self) -> str:
        """The document it shows; a navigation brings another."""
        return self._entry.document_id

    @property
    def closed(self) -> bool:
        """The frame, or its tab, was closed."""
        return self._entry.closed

    @enable_ki_protection
    def open_frame(self, url: str, *, sandboxed: bool = False) -> Frame:
        """Add a frame to the document that this frame shows.

        Args:
            url: what it shows, as in `Browser.open_tab`. ``about:blank`` and ``about:srcdoc`` have the origin of the
                document round it; a ``javascript:`` URL leaves the frame ``about:blank``.
            sandboxed: whether it has the attribute ``sandbox`` without ``allow-same-origin``: whatever it shows has
                the origin ``"null"``, and so has whatever the frames in it show.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            trio.ClosedResourceError: if this frame is closed.
        """
        self._registry.require_here("frame.open_frame")
        whole = _read_url(url)
        check_flag("sandboxed", sandboxed)
        _require_open(self)
        return Frame._of(self._registry, navigation.open_frame(self._registry, self._entry, whole, sandboxed=sandboxed))

    @enable_ki_protection
    def navigate(self, url: str) -> None:
        """Show another document. What ran in the frame ends, without error, and the frames in it close.

        Raises:
            TypeError, ValueError: if ``url`` is not a whole URL.
            trio.ClosedResourceError: if the frame is closed.
        """
        self._registry.require_here("frame.navigate")
        whole = _read_url(url)
        _require_open(self)
        navigation.navigate(self._registry, self._entry, whole)

    @enable_ki_protection
    def push_state(self, url: str) -> None:
        """Change the address of the document, as `Tab.push_state` does.

        Raises:
            TypeError, ValueError: if ``url`` is not a whole URL of the same origin.
            trio.ClosedResourceError: if the frame is closed.
        """
        self._registry.require_here("frame.push_state")
        whole = _read_url(url)
        _require_open(self)
        _change_address(self._entry, whole)

    @enable_ki_protection
    def activate(self) -> None:
        """Show the document that was prerendered here: this is the tab's top frame from now on, with the number 0.

        Its ports live on, and their ``sender`` stays as it was. What the tab has shown ends, without error.

        Raises:
            LocalProtocolError: if it is not a frame of `Tab.prerender`, or was activated before.
            trio.ClosedResourceError: if the frame is closed.
        """
        self._registry.require_here("frame.activate")
        _require_open(self)
        if not self._entry.prerendered:
            raise LocalProtocolError(f"{self!r} was not prerendered")
        navigation.activate(self._registry, self._entry)

    @enable_ki_protection
    def close(self) -> None:
        """Remove the frame and those in it; a top frame takes its tab along. What ran there ends, without error.

        Idempotent.
        """
        self._registry.require_here("frame.close")
        self._registry.close_frame(self._entry)


@final
class Context(_Face[ContextEntry]):
    """One script's world: a background page, another extension page, a content script in a frame, or a web page.

    Made by `Extension.open_page`, `Extension.inject` and `Tab.web_page_script`. ``async with context:`` closes it at
    the end of the block. Leaving the block by an exception is a crash, which the other ends of its ports learn of.
    """

    __slots__ = ("_runtime", "_tabs")

    def __init__(self, registry: Registry, entry: ContextEntry) -> None:
        super().__init__(registry, entry)
        self._runtime = Runtime(registry, entry)
        self._tabs = Tabs(registry, entry) if entry.kind in ("background", "page") else None

    @property
    def kind(self) -> ContextKind:
        """``"background"``, ``"page"``, ``"content_script"``, ``"user_script"`` or ``"web_page"``."""
        return self._entry.kind

    @property
    def url(self) -> str:
        """The address of the page that it runs in."""
        return self._entry.url

    @property
    def document_id(self) -> str:
        """The document that it belongs to."""
        return self._entry.document_id

    @property
    def view(self) -> View | None:
        """What kind of page it is, if it is shown elsewhere than in a tab; see `Extension.open_page`."""
        return self._entry.view

    @property
    def incognito(self) -> bool:
        """Whether it is in a private window, or serves private windows only."""
        return self._entry.incognito

    @property
    def browser(self) -> Browser:
        """The browser that it lives in."""
        browser: Browser = self._registry.face
        return browser

    @property
    def extension(self) -> Extension | None:
        """The extension whose script this is; None for a web page."""
        extension = self._entry.extension
        return None if extension is None else Extension._of(self._registry, extension)

    @property
    def frame(self) -> Frame | None:
        """The frame that it lives in; None for a page that is shown in no tab."""
        frame = self._entry.frame
        return None if frame is None else Frame._of(self._registry, frame)

    @property
    def tab(self) -> Tab | None:
        """The tab that it lives in; None for a page that is shown in no tab."""
        frame = self._entry.frame
        return None if frame is None else Tab._of(self._registry, frame.tab)

    @property
    def runtime(self) -> Runtime:
        """Connects to other contexts, and hears of their connections."""
        return self._runtime

    @property
    def tabs(self) -> Tabs:
        """Connects to content scripts; only the extension's own pages have it.

        Raises:
            LocalProtocolError: in a content script or a web page.
        """
        if self._tabs is None:
            raise LocalProtocolError(f"a {self.kind.replace('_', ' ')} has no tabs; its extension's pages have")
        return self._tabs

    @property
    def state(self) -> str:
        """``"starting"``, ``"running"``, ``"frozen"``, ``"orphaned"`` or ``"gone"``; the design page explains them."""
        return self._entry.script.state.value

    @property
    def closed(self) -> bool:
        """The context has ended. An orphaned content script has not, in ``chrome``: it can only do nothing any more."""
        return self._entry.script.closed

    @enable_ki_protection
    def close(self) -> None:
        """End the context: its ports disconnect, in good order, and its tasks are cancelled. Sync and idempotent.

        A context that was closed runs no listeners.
        """
        self._registry.require_here("context.close")
        self._registry.close_context(self._entry)

    @enable_ki_protection
    async def __aenter__(self) -> Self:
        """Narrow the context's scope to a block. A checkpoint; a cancelled call has closed the context.

        Raises:
            trio.ClosedResourceError: if the context is closed.
        """
        self._registry.require_live(self._entry, "async with context")
        try:
            await trio.lowlevel.checkpoint()
        except BaseException as error:
            self._registry.close_context(self._entry, crash_error(error))
            raise
        return self

    @enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._registry.close_context(self._entry, crash_error(error))
        await self._entry.script.scope.wait_idle()
        if error is None:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()


def _require_open(place: Tab | Frame) -> None:
    if place.closed:
        raise trio.ClosedResourceError(f"{place!r} is closed")


def _check_path(path: str) -> None:
    check_type("path", path, str)
    if "://" in path.partition("?")[0]:
        raise ValueError(f"path must be one inside the extension, as 'pages/options.html' is, not {path!r}")


def _require_frame(tab: TabEntry, frame_id: int) -> FrameEntry:
    check_type("frame_id", frame_id, int)
    frame = tab.frames.get(frame_id)
    if frame is None:
        raise LocalProtocolError(f"tab {tab.id} has no frame {frame_id}")
    return frame


def _change_address(frame: FrameEntry, url: Url) -> None:
    if url.origin() != frame.address.origin() or url.origin() == OPAQUE_ORIGIN:
        raise ValueError(f"url must have the origin of the document, which is {frame.url!r}, unlike {str(url)!r}")
    navigation.change_address(frame, url)


def _read_url(url: str) -> Url:
    """Take ``url`` apart; raise unless it is a whole one."""
    check_type("url", url, str)
    try:
        return parse_url(url)
    except ValueError as fault:
        raise ValueError(f"url must be a whole one, as 'https://example.com/' is: {url!r} {fault}") from None
