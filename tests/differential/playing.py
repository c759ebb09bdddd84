"""Play a history, in a real browser or in an imitation of one, and note what could be observed.

A *trace* has an entry for each move: what its steps returned, and what was then told, by context and port. How it is
made comparable is written down in the documentation, on the page about real browsers; in short:

* The order of events is kept for each port in each context, and forgotten between them.
* Names stand for what browsers number: tabs, frames, documents, addresses, extensions.
* A message is compared as JSON. A number is a number: ``1.0`` and ``-0`` are ``1`` and ``0``.
* The texts of errors are compared wherever the dialects' table has texts. Of the others only the kind is.
* Of a sender, the documented fields are compared.

Two findings of these runs are known, and taken out exactly where they are: see `HistoryPlayer._is_known`, and
`ImitationLab.forgets_events`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import trio

from trio_ports._drivers.reports import Event, Result
from trio_ports._protocol.dialects import CHROME, FIREFOX, NO_RECEIVER_TEXT
from trio_ports.testing._conformance.history.moves import Move

Trace: TypeAlias = list[dict[str, Any]]

NOBODY_IDS: Final = {"firefox": "nobody@trio-ports.invalid", "chromium": "a" * 32}
NO_NUMBER: Final = 2**30
"""Of a tab or a frame that is not there."""
TEXTS: Final = tuple(
    text
    for text in (
        FIREFOX.post_after_close_text,
        CHROME.post_after_close_text,
        CHROME.too_large_text,
        NO_RECEIVER_TEXT,
    )
    if text is not None
)
SENDER_FIELDS: Final = ("id", "url", "origin", "tab", "frameId", "documentId", "documentLifecycle")
QUIET_SECONDS: Final = 0.3
"""How long nothing may happen before what another process does counts as done."""


class HistoryPlayer:
    """Plays one history in a laboratory.

    Args:
        lab: where.
        kind: whose differences are known, and taken out; ``""`` for nobody's.
    """

    def __init__(self, lab: Any, kind: str) -> None:
        self._lab = lab
        self._kind = kind
        self._frames: dict[str, Any] = {}
        self._numbers: dict[tuple[int, int], str] = {}
        self._contexts: dict[str, Any] = {}
        self._names: dict[Any, str] = {}
        self._urls: dict[str, str] = {}
        self._documents: dict[str, str] = {}
        self._shown: dict[str, int] = {}
        self._read: dict[Any, int] = {}
        self._labels: dict[Any, set[str]] = {}
        self._hasty: set[tuple[str, str]] = set()
        for name in lab.extensions:
            self._name(name, lab.background(name), name)

    async def play(self, history: Sequence[Move]) -> Trace:
        """Play the moves one after the other, and say what every port's state is at the end."""
        trace: Trace = []
        for move in history:
            trace.append(await self.play_move(move))
            if move["move"] == "wait":
                # Another process decides when: what it does may be told before this context has had its turn's results.
                early, late = trace[-2]["told"], trace[-1]["told"]
                trace[-1]["told"] = {key: [*early.get(key, ()), *late.get(key, ())] for key in sorted({*early, *late})}
                trace[-2]["told"] = {}
        return [*trace, {"ports": await self._describe()}]

    async def play_move(self, move: Move) -> dict[str, Any]:
        results = await getattr(self, f"_play_{move['move']}")(move)
        await self._lab.settle()
        return {"results": results or [], "told": self._told(results or [])}

    # ---- moves ---------------------------------------------------------------------------------------------------

    async def _play_turn(self, move: Move) -> list[Any]:
        context = self._contexts[move["at"]]
        opened, ended = (
            {(move["at"], step["port"]) for step in move["steps"] if step["do"] in calls}
            for calls in (("connect", "tabs_connect"), ("disconnect",))
        )
        self._hasty |= opened & ended
        steps = [self._translate(step) for step in move["steps"]]
        try:
            results = await self._lab.command(context, *steps)
        except ValueError:
            return ["there is no such port"]  # It could not be opened; that was told.
        return [show_result(step, result) for step, result in zip(steps, results, strict=True)]

    async def _play_wait(self, move: Move) -> None:
        """Wait until a port has been told so much, and nothing more comes: for what another process decides."""
        context = self._contexts[move["at"]]

        def is_there() -> bool:
            return sum(event.port == move["port"] for event in context.events) >= move["events"]

        with suppress(trio.TooSlowError):  # The trace shows what came until then.
            await self._lab.wait_until(is_there)
        await self._lab.settle(quiet_seconds=QUIET_SECONDS)

    async def _play_open_tab(self, move: Move) -> None:
        self._show(move["tab"], await self._lab.open_tab(web=move["web"]))

    async def _play_open_page(self, move: Move) -> None:
        self._show(move["page"], await self._lab.open_page(move["extension"]))

    async def _play_open_frame(self, move: Move) -> None:
        self._show(move["frame"], await self._lab.open_frame(self._frames[move["tab"]]))

    async def _play_navigate(self, move: Move) -> None:
        frame = self._frames[move["frame"]]
        await self._lab.navigate(frame)
        self._forget(frame)
        self._show(move["frame"], frame)

    async def _play_close(self, move: Move) -> None:
        frame = self._frames[move["frame"]]
        await (self._lab.close_tab if frame.parent is None else self._lab.close_frame)(frame)
        self._forget(frame)

    def _forget(self, gone: Any) -> None:
        """Forget a frame and those in it."""
        for name, frame in tuple(self._frames.items()):
            if frame is gone or frame.parent is gone:
                del self._frames[name]

    def _show(self, place: str, frame: Any) -> None:
        self._frames[place] = frame
        self._numbers[frame.tab, frame.id] = place
        shown = self._shown[place] = self._shown.get(place, 0) + 1
        if frame.document is not None:
            self._documents[frame.document] = f"{place}.{shown}"
        for extension, context in frame.contexts.items():
            self._name(f"{place}/{extension}", context, f"{place}.{shown}")

    def _name(self, name: str, context: Any, document: str) -> None:
        old = self._contexts.get(name)
        if old is not None:
            self._names[old] = f"{name}#{sum(each.startswith(f'{name}#') for each in self._names.values())}"
        self._contexts[name] = context
        self._names[context] = name
        self._urls[context.url] = document

    def _translate(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Return a step with the browser's numbers for the history's names."""
        step = dict(step)
        if step["do"] == "connect" and step["extension"] is not None:
            known = step["extension"] in self._contexts
            step["extension"] = self._lab.extension_id(step["extension"]) if known else NOBODY_IDS[self._kind]
        if step["do"] == "tabs_connect":
            tab, frame, document = (self._frames.get(step[each]) for each in ("tab", "frame", "document"))
            step["frame"] = None if step["frame"] is None else frame.id if frame else NO_NUMBER
            step["document"] = None if step["document"] is None else document.document if document else "0" * 32
            step["tab"] = tab.tab if tab else NO_NUMBER
        return step

    # ---- what was told ---------------------------------------------------------------------------------------------

    def _told(self, results: Sequence[Any]) -> dict[str, list[Any]]:
        raised = sum(not (isinstance(result, list) and result[0] == "ok") for result in results)
        told: dict[str, list[Any]] = {}
        for context, events in self._lab.logs().items():
            name = self._names[context]
            seen = self._read.get(context, 0)
            self._read[context] = len(events)
            for event in events[seen:]:
                if event.event == "raised" and raised:
                    raised -= 1  # By a step of the turn itself: it is that step's result.
                    continue
                if self._is_known(name, event):
                    continue
                if event.port is not None:
                    self._labels.setdefault(context, set()).add(event.port)
                told.setdefault(f"{name}: {event.port}", []).append(self._show_event(event))
        return {key: told[key] for key in sorted(told)}

    def _is_known(self, name: str, event: Event) -> bool:
        """Return whether Firefox tells a port that nobody was there, though it was disconnected as soon as opened."""
        hasty = (name, str(event.port)) in self._hasty
        return self._kind == "firefox" and hasty and event.error == NO_RECEIVER_TEXT

    def _show_event(self, event: Event) -> list[Any]:
        match event.event:
            case "on_message":
                return [event.event, event.listener, show_message(event.message)]
            case "on_disconnect":
                return [event.event, event.listener, event.error]
            case "raised":
                return [event.event, event.call, show_error(str(event.call), str(event.error))]
            case _:
                return [event.event, event.listener, event.name, self._show_sender(event.sender)]

    def _show_sender(self, sender: Mapping[str, Any] | None) -> Any:
        if sender is None:
            return None
        shown = {field: sender[field] for field in SENDER_FIELDS if field in sender}
        url = str(sender.get("url"))
        names = {self._lab.extension_id(name): name for name in self._contexts if "/" not in name}
        place = self._urls.get(url, url)
        scheme, _, rest = url.partition("://")
        host = rest.partition("/")[0]
        if scheme.endswith("-extension"):
            host = "{id}" if host in names else "{uuid}" if re.fullmatch(r"[0-9a-f-]{36}", host) else host
            shown["url"] = f"{scheme}://{host} {place}"
        elif "url" in sender:
            shown["url"] = place
        if "id" in sender:
            shown["id"] = names.get(sender["id"], sender["id"])
        if "origin" in sender:
            shown["origin"] = sender["origin"] == f"{scheme}://{rest.partition('/')[0]}" or sender["origin"]
        if "documentId" in sender:
            # Where nobody says which document a page has, its first mention says it.
            shown["documentId"] = self._documents.setdefault(sender["documentId"], place)
        tabs = self._numbers
        if "tab" in sender:
            shown["frameId"] = tabs.get((sender["tab"], sender.get("frameId")), sender.get("frameId"))
            shown["tab"] = tabs.get((sender["tab"], 0), sender["tab"])
        return shown

    def _is_over(self, name: str) -> bool:
        place, _, extension = name.partition("/")
        frame = self._frames.get(place)
        return bool(extension) and (frame is None or frame.contexts.get(extension) is not self._contexts[name])

    async def _describe(self) -> dict[str, Any]:
        """Return the state of every port that was told something and is still somebody's."""
        described: dict[str, Any] = {}
        for context, labels in self._labels.items():
            name = self._names[context]
            if "#" in name or self._is_over(name):
                continue
            for label in sorted(labels):
                (result,) = await self._lab.command(context, {"do": "describe", "port": label})
                value = dict(result.value)
                described[f"{name}: {label}"] = [value["name"], self._show_sender(value["sender"]), value["error"]]
        return described


def show_result(step: Mapping[str, Any], result: Result) -> Any:
    """Return what came of a step."""
    if result.error is not None:
        return show_error(step["do"], result.error)
    return ["ok", result.value if step["do"] == "has_listener" else None]


def show_error(call: str, text: str) -> str:
    """Return a text of the dialects' table as it is, and of any other error only what was refused."""
    for known in TEXTS:
        if known in text:
            return known
    return f"{call} refused"


def show_message(message: Any) -> Any:
    """Return a message so that equal JSON is equal, and nothing else is."""
    match message:
        case bool() | None:
            return message
        case int() | float():
            return f"number {float(message)!r}" if message else "number 0"
        case str():
            return f"text {message}"
        case list():
            return [show_message(each) for each in message]
        case _:
            return {key: show_message(message[key]) for key in sorted(message)}
