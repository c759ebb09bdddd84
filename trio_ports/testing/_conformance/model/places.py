"""The browser of the model: which contexts there are, where they are, and which of them a connect reaches."""

from __future__ import annotations

from typing import Any

from .dialects import DialectRules
from .ports import Context


class Places:
    """The contexts of a history and, if there is a browser, its extensions, tabs and frames."""

    def __init__(self, rules: DialectRules) -> None:
        self.rules = rules
        self.contexts: dict[str, Context] = {}
        self.extensions: list[str] = []
        self.connectable: tuple[str, ...] = ()
        """The extensions that let web pages connect."""
        self.tabs: set[str] = set()
        """The tabs that are open, also those in which no context lives."""
        self.strange: set[str] = set()
        """The tabs with pages of another site than the one whose pages may connect."""
        self.documents: dict[str, int] = {}
        """How many documents a frame has shown."""
        self.sleeping: dict[str, list[dict[str, Any]]] = {}
        """What the script of a background that sleeps does, by its extension."""
        self.pushed: dict[str, int] = {}
        """How often the address of a frame's document has changed."""
        self.private: tuple[str, ...] = ()
        """The extensions that are let into private windows."""
        self.private_tabs: set[str] = set()
        self.parents: dict[str, str] = {}
        """The tab or frame that a frame is in."""
        self.allows: dict[str, str] = {}
        """The one extension that may connect to another one, where only one may."""

    def _may_open_tab(self, move: dict[str, Any]) -> bool:
        return move["tab"] not in self._places()

    def _play_open_tab(self, move: dict[str, Any]) -> None:
        self.tabs.add(move["tab"])
        self.private_tabs.discard(move["tab"])
        if move.get("incognito"):
            self.private_tabs.add(move["tab"])
        self.strange.update([move["tab"]] if "site" in move else [])
        self._fill(move["tab"], move["tab"], web=move["web"])

    def _may_open_page(self, move: dict[str, Any]) -> bool:
        return move["page"] not in self._places() and move["extension"] in self.extensions

    def _play_open_page(self, move: dict[str, Any]) -> None:
        page, extension = move["page"], move["extension"]
        place = None if move["hidden"] else page
        self.tabs.update(() if place is None else [place])
        # With its background closed, the first page in no tab is the new background.
        backgrounds = [c for c in self._living() if c.kind == "background" and c.extension == extension]
        background = not (backgrounds or place or move.get("view") or extension in self.sleeping)
        kind: Any = "background" if background else "page"
        name = f"{page}/{extension}"
        view = move.get("view")
        self.add_context(Context(name, kind, extension, tab=place, frame=place, document=page, view=view))

    def _may_open_frame(self, move: dict[str, Any]) -> bool:
        living = [context for context in self._living() if context.frame == move["tab"]]
        return move["frame"] not in self._places() and any(context.kind == "script" for context in living)

    def _play_open_frame(self, move: dict[str, Any]) -> None:
        (tab,) = {context.tab for context in self._living() if context.frame == move["tab"]}
        assert tab is not None
        self.parents[move["frame"]] = move["tab"]
        self._fill(tab, move["frame"])

    def _may_navigate(self, move: dict[str, Any]) -> bool:
        return any(c.frame == move["frame"] and c.kind == "script" for c in self._living())

    def _play_navigate(self, move: dict[str, Any]) -> None:
        ended = self._shut(move["frame"])
        (tab,) = {context.tab for context in ended if context.frame == move["frame"]}
        web = any(context.kind == "web" and context.frame == move["frame"] for context in ended)
        assert tab is not None
        self._fill(tab, move["frame"], web=web)

    def _may_close(self, move: dict[str, Any]) -> bool:
        return any(context.frame == move["frame"] for context in self._living())

    def _play_close(self, move: dict[str, Any]) -> None:
        self.tabs.discard(move["frame"])
        self._shut(move["frame"])

    def _may_uninstall(self, move: dict[str, Any]) -> bool:
        return move["extension"] in self.extensions

    def _may_install(self, move: dict[str, Any]) -> bool:
        return move["extension"] not in self.contexts

    def _play_install(self, move: dict[str, Any]) -> None:
        name = move["extension"]
        self.add_context(Context(name, "background", name, document=name))
        self.extensions.append(name)
        self.allows[name] = move["allows"]

    def _living(self) -> list[Context]:
        return [context for context in self.contexts.values() if context.alive]

    def _places(self) -> set[str | None]:
        names = {name.partition("/")[0] for name in self.contexts}
        return {*names, *(context.frame for context in self.contexts.values())}

    def _fill(self, tab: str, frame: str, *, web: bool = False) -> None:
        """Show a page in a frame, with the content script of every extension."""
        self.documents[frame] = self.documents.get(frame, 0) + 1
        self.pushed[frame] = 0
        document = f"{frame}.{self.documents[frame]}"
        for extension in self.extensions:
            if tab in self.private_tabs and extension not in self.private:
                continue
            self.add_context(Context(f"{frame}/{extension}", "script", extension, tab, frame, document))
        if web:
            self.add_context(Context(f"{frame}/web", "web", None, tab, frame, document))

    def _shut(self, frame: str) -> list[Context]:
        """Close the contexts of a frame, and of the frames in it; of a top frame, those of the tab. Rule 27."""
        inner = {frame}
        while more := {each for each, parent in self.parents.items() if parent in inner} - inner:
            inner |= more
        ended = [context for context in self._living() if context.frame in inner or context.tab == frame]
        for context in ended:
            context.close()
        return ended

    def add_context(self, context: Context) -> Context:
        """Add a context. It takes the name of one that has ended, which gets another name."""
        old = self.contexts.pop(context.name, None)
        if old is not None:
            number = sum(name.startswith(f"{context.name}#") for name in self.contexts)
            self.contexts[f"{context.name}#{number}"] = old
        self.contexts[context.name] = context
        return context

    def find_receivers(self, opener: Context, step: dict[str, Any]) -> tuple[list[Context], str]:
        """Return the contexts that a connect reaches, and the event that fires there. Rules 2 to 4."""
        others = [context for context in self._living() if context is not opener]
        name = "on_one_shot" if step["do"].startswith("ask") else "on_connect"
        if step["do"] in ("tabs_connect", "ask_tab"):
            others = self._living() if self.rules.reaches_opener else others
            event = name
            overrules = "nothing" if step["document"] is None else self.rules.document_overrules
            if overrules == "tab" and step["frame"] is not None:
                overrules = "nothing"
            there = step["tab"] in self.tabs
            heard = [
                context
                for context in others
                if context.extension == opener.extension
                and (context.tab == step["tab"] or (there and overrules != "nothing"))
                and (step["frame"] in (None, context.frame) or overrules == "tab and frame")
                and (step["document"] is None or context.frame == step["document"])
            ]
        else:
            target = step["extension"] or opener.extension
            event = name if target == opener.extension else f"{name}_external"
            if opener.kind == "web":
                let_in = target in self.connectable and opener.tab not in self.strange
            else:
                let_in = self._lets_in(target, opener.extension)
            let_in = let_in and (opener.tab not in self.private_tabs or target in self.private)
            heard = [c for c in others if let_in and c.extension == target and c.kind in ("background", "page")]
            if opener.kind == "script" and not self.rules.devtools_hear_scripts:
                heard = [context for context in heard if context.view != "devtools"]
        return [context for context in heard if context.listeners.get(event)], event

    def _lets_in(self, target: str | None, extension: str | None) -> bool:
        allowed = self.allows.get(target or "")
        return extension == target or allowed in (None, extension) or not self.rules.key_for_extensions

    def _show_tab(self, tab: str | None) -> str | None:
        """Rules 48 and 65: what the tab shows now counts, and whether it is private."""
        pushed = self.pushed.get(tab or "", 0)
        shown = f"{tab} at {pushed}" if pushed else tab
        return f"{shown} (private)" if tab in self.private_tabs else shown

    def describe(self, opener: Context, step: dict[str, Any]) -> dict[str, Any]:
        """Return the sender that describes an opener. Rule 9."""
        by_tab = step["do"] in ("tabs_connect", "ask_tab")
        names_tab = opener.tab is not None and (self.rules.tab_by_tabs_connect or not by_tab)
        background = opener.kind == "background"
        return {
            "id": opener.extension,
            "url": opener.frame or opener.name,
            "origin": self.rules.background_origin or by_tab or not background,
            "tab": self._show_tab(opener.tab) if names_tab else None,
            "frame": opener.frame if names_tab else None,
            "document": opener.document if names_tab or self.rules.document_without_tab else None,
            "lifecycle": self.rules.lifecycle if names_tab else None,
        }
