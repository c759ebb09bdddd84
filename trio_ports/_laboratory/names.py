"""What a history calls the things that a browser numbers: tabs, frames, documents, addresses and extensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, final

SENDER_FIELDS: Final = ("id", "url", "origin", "tab", "frameId", "documentId", "documentLifecycle")
"""The documented fields of a sender; Firefox adds others to some."""


@final
class Names:
    """The names of one history, with which the sender of a connection is noted."""

    def __init__(self, extensions: Mapping[str, str]) -> None:
        self._extensions = extensions
        """By their ids."""
        self._shown: dict[str, int] = {}
        self._urls: dict[str, str] = {}
        self._documents: dict[str, str] = {}
        self._frames: dict[tuple[int, int | None], str] = {}

    def add(
        self, place: str, url: str, *, tab: int | None = None, frame: int | None = None, document: str | None = None
    ) -> None:
        """Note what is shown in a place: each address that is new there is another document."""
        if url not in self._urls:
            self._shown[place] = self._shown.get(place, 0) + 1
            self._urls[url] = f"{place}.{self._shown[place]}"
        if tab is not None and frame is not None:
            self._frames[tab, frame] = place
        if document is not None:
            self._documents[document] = self._urls[url]

    def note_sender(self, sender: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return a sender with names for numbers; of its address, an extension's scheme is kept."""
        if sender is None:
            return None
        noted = {field: sender[field] for field in SENDER_FIELDS if field in sender}
        url = str(sender.get("url"))
        place = self._urls.get(url, url)
        scheme, _, rest = url.partition("://")
        host = rest.partition("/")[0]
        if "url" in sender:
            # An extension's address has its id for a host, or a random UUID.
            shown = "{id}" if host in self._extensions else re.sub(r"^[0-9a-f-]{36}$", "{uuid}", host)
            noted["url"] = f"{scheme}://{shown} {place}" if scheme.endswith("-extension") else place
        if "id" in sender:
            noted["id"] = self._extensions.get(sender["id"], sender["id"])
        if "origin" in sender:
            noted["origin"] = sender["origin"] == f"{scheme}://{host}" or sender["origin"]
        if "documentId" in sender:
            # Where no frame says which document a page has, its first mention says it.
            noted["documentId"] = self._documents.setdefault(sender["documentId"], place)
        if "tab" in sender:
            tab, frame = sender["tab"], sender.get("frameId")
            noted["frameId"] = self._frames.get((tab, frame), frame)
            noted["tab"] = self._frames.get((tab, 0), tab)
        return noted
