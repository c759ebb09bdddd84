"""The life of contexts in the model: backgrounds that sleep, extensions that go and come back, documents that stay."""

from __future__ import annotations

from typing import Any

from .dialects import DialectRules
from .places import Places
from .ports import Context


class Lives(Places):
    """Places whose contexts start, stop and are left alone. Rules 44, 45, 47, 48 and 50."""

    def __init__(self, rules: DialectRules) -> None:
        super().__init__(rules)
        self.disabled: set[str] = set()
        self.unloaded: set[str] = set()
        """The tabs in which nothing runs before they are loaded again."""

    def settle(self) -> None:
        """Do everything that can be done without a move."""
        raise NotImplementedError

    # Backgrounds that sleep -----------------------------------------------------------------------------------------

    def _background(self, extension: str) -> Context | None:
        found = [c for c in self._living() if c.kind == "background" and c.extension == extension]
        return found[0] if found else None

    def _may_register_background(self, move: dict[str, Any]) -> bool:
        return move["extension"] in self.extensions

    def _play_register_background(self, move: dict[str, Any]) -> None:
        background = self._background(move["extension"])
        if background is not None and move["extension"] not in self.sleeping:
            background.close()
        self.sleeping[move["extension"]] = move["script"]

    def _may_stop_background(self, move: dict[str, Any]) -> bool:
        return move["extension"] in self.sleeping

    def _play_stop_background(self, move: dict[str, Any]) -> None:
        background = self._background(move["extension"])
        if background is not None:
            background.close()

    def _wake(self, extension: str) -> None:
        if extension in self.sleeping and extension in self.extensions and self._background(extension) is None:
            context = self.add_context(Context(extension, "background", extension, document=extension))
            for step in self.sleeping[extension]:
                context.listen(step)

    def find_receivers(self, opener: Context, step: dict[str, Any]) -> tuple[list[Context], str]:
        """Return the contexts that a connect reaches, once a background that it starts has been through its turn."""
        if step["do"] == "connect":
            target = step["extension"] or opener.extension
            allowed = target in self.connectable if opener.kind == "web" else self._lets_in(target, opener.extension)
            if target is not None and allowed:
                self._wake(target)
        return super().find_receivers(opener, step)

    # Extensions that go and come back -------------------------------------------------------------------------------

    def _play_uninstall(self, move: dict[str, Any]) -> None:
        self._unload(move["extension"])

    def _may_disable(self, move: dict[str, Any]) -> bool:
        return move["extension"] in self.extensions

    def _play_disable(self, move: dict[str, Any]) -> None:
        self.disabled.add(move["extension"])
        self._unload(move["extension"])

    def _may_enable(self, move: dict[str, Any]) -> bool:
        return move["extension"] in self.disabled

    def _play_enable(self, move: dict[str, Any]) -> None:
        extension = move["extension"]
        self.disabled.remove(extension)
        self.extensions.append(extension)
        if self.rules.scripts_live_on:
            return
        others = [context for context in self._living() if context.kind == "script"]
        for tab, frame, document in {(c.tab, c.frame, c.document): None for c in others}:
            self.add_context(Context(f"{frame}/{extension}", "script", extension, tab, frame, document))

    def _unload(self, extension: str) -> None:
        """Close an extension's pages. Its content scripts get what was on their way, and then they are over."""
        self.extensions.remove(extension)
        contexts = [context for context in self._living() if context.extension == extension]
        scripts = [context for context in contexts if context.kind == "script"]
        for context in contexts:
            if context.kind != "script":
                context.close()
        for script in scripts:
            for port in script.ports.values():
                if not self.rules.scripts_live_on:
                    port.enders.clear()
                port.sever()
            script.alive = False
        self.settle()
        for script in scripts:
            if not self.rules.scripts_live_on:
                script.close()

    # Documents ------------------------------------------------------------------------------------------------------

    def _may_push_state(self, move: dict[str, Any]) -> bool:
        return self._may_navigate(move)

    def _play_push_state(self, move: dict[str, Any]) -> None:
        self.pushed[move["frame"]] = self.pushed.get(move["frame"], 0) + 1

    def _may_lose(self, move: dict[str, Any]) -> bool:
        return any(c.frame == move["tab"] == c.tab and c.kind == "script" for c in self._living())

    def _play_lose(self, move: dict[str, Any]) -> None:
        """Rule 50: the tab stays."""
        self.unloaded.add(move["tab"])
        for context in self._living():
            if context.tab == move["tab"]:
                context.close("crashed" if move["how"] == "crash" else None)

    def _may_load_again(self, move: dict[str, Any]) -> bool:
        return move["tab"] in self.unloaded

    def _play_load_again(self, move: dict[str, Any]) -> None:
        self.unloaded.remove(move["tab"])
        self._fill(move["tab"], move["tab"])
