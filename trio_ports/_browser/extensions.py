"""Extensions: their pages and their content scripts."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

from .._protocol.errors import LocalProtocolError
from .._protocol.patterns import ExternallyConnectable
from .._util import check_type
from .contexts import Context
from .tabs import Tab

if TYPE_CHECKING:
    from .browser import Browser


@final
class Extension:
    """An installed extension. Made by `Browser.install`."""

    __slots__ = ("_base", "_browser", "_contexts", "_pages", "externally_connectable", "id", "installed")

    def __init__(
        self, browser: Browser, extension_id: str, externally_connectable: ExternallyConnectable | None
    ) -> None:
        self._browser = browser
        self.id: str = extension_id
        """What others connect to."""
        self.externally_connectable: ExternallyConnectable | None = externally_connectable
        """Who may connect from outside; None: every extension, and no web page."""
        self.installed: bool = True
        self._contexts: dict[Context, None] = {}
        """Its live contexts, in the order they were made."""
        self._pages: dict[Context, None] = {}
        """Those of them that `Runtime.connect` reaches, content scripts left out: there may be many of these."""
        installation = uuid.uuid5(uuid.NAMESPACE_URL, f"{extension_id!r}#{browser._new_document_id()}")
        self._base = browser._options.dialect.extension_url.format(id=extension_id, uuid=installation)

    @enable_ki_protection
    def open_page(self, path: str = "background.html", *, tab: Tab | None = None) -> Context:
        """Open one of the extension's pages.

        Args:
            path: inside the extension.
            tab: where it is shown: in the top frame if no script runs there, otherwise in a frame of its own. Without
                one it is a page in the background; the first of these is the background page, as long as it lives.

        Raises:
            TypeError, ValueError: for arguments that are not as above.
            trio.ClosedResourceError: if the extension is uninstalled or the tab closed.
            LocalProtocolError: if the tab is another browser's.
        """
        self._browser._require_here("extension.open_page")
        check_type("path", path, str)
        if "://" in path.partition("?")[0]:
            raise ValueError(f"path must be one inside the extension, as 'pages/options.html' is, not {path!r}")
        self._require_installed()
        url = f"{self._base}/{path.lstrip('/')}"
        if tab is None:
            has_background = any(context.kind == "background" for context in self._pages)
            return self._keep(
                Context(self._browser, "page" if has_background else "background", url=url, extension=self)
            )
        self._require_tab(tab)
        frame = tab.frames[0]
        if frame._contexts:
            frame = tab.open_frame(url)
        else:
            frame.navigate(url)
        return self._keep(Context(self._browser, "page", url=url, extension=self, frame=frame))

    @enable_ki_protection
    def inject(self, tab: Tab, frame_id: int = 0) -> Context:
        """Run the extension's content script in a frame; there is one context for it in each document.

        Raises:
            trio.ClosedResourceError: if the extension is uninstalled or the tab closed.
            LocalProtocolError: if the tab is another browser's or has no such frame.
        """
        self._browser._require_here("extension.inject")
        self._require_installed()
        self._require_tab(tab)
        frame = tab._require_frame(frame_id)
        for context in frame._contexts:
            if context.extension is self and context.kind == "content_script":
                return context
        return self._keep(Context(self._browser, "content_script", url=frame.url, extension=self, frame=frame))

    @enable_ki_protection
    def uninstall(self) -> None:
        """Remove the extension: all its contexts close. Sync and idempotent."""
        self._browser._require_here("extension.uninstall")
        if self.installed:
            self.installed = False
            self._browser._extensions.pop(self.id, None)
            for context in tuple(self._contexts):
                context.close()

    def _forget(self, context: Context) -> None:
        """Take a closed context out."""
        self._contexts.pop(context, None)
        self._pages.pop(context, None)

    def _keep(self, context: Context) -> Context:
        self._contexts[context] = None
        if context.kind != "content_script":
            self._pages[context] = None
        return context

    def _require_installed(self) -> None:
        self._browser._require_open()
        if not self.installed:
            raise trio.ClosedResourceError(f"{self!r} is uninstalled")

    def _require_tab(self, tab: Tab) -> None:
        check_type("tab", tab, Tab)
        if tab.browser is not self._browser:
            raise LocalProtocolError(f"{tab!r} belongs to another browser")
        tab._require_open()

    def __repr__(self) -> str:
        return f"<Extension {self.id!r}{'' if self.installed else ' (uninstalled)'}>"
