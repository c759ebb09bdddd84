"""A frame of a tab in a real browser, and the contexts that live in it."""

from __future__ import annotations

from typing import final

import attrs

from .players import Context


@final
@attrs.define(eq=False)
class Frame:
    """One frame of a tab and the contexts in it, until it is closed or navigated."""

    tab: int
    """The browser's number of its tab."""
    id: int
    """The browser's number of the frame; 0 is the top one."""
    url: str
    document: str | None
    """The id of its document, where the browser tells it."""
    contexts: dict[str, Context] = attrs.field(repr=False)
    """By extension; ``"web"`` is the page's own."""
    parent: Frame | None = attrs.field(default=None, repr=False)
    """The frame round it; None for a tab's top frame."""
    frames: list[Frame] = attrs.field(factory=list["Frame"], init=False, repr=False)
    """The frames in it, in the order in which they were opened."""

    def context(self, extension: str) -> Context:
        """Return the context of an extension: its content script, or its page if the frame shows that."""
        return self.contexts[extension]

    def family(self) -> list[Frame]:
        """Return the frame and all frames in it."""
        return [self, *(each for frame in self.frames for each in frame.family())]
