"""A laboratory without a browser: `open_browser`, told what to do and reporting as players in real browsers do.

What `trio_ports._drivers` has in JavaScript, ``player.js``, is here in Python: the same steps, the same events.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from os import PathLike
from typing import Any, Final, Literal

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

import trio_ports
from trio_ports._drivers.reports import Event, Result

ORIGIN: Final = "http://127.0.0.1:8000"
WAIT_SECONDS: Final = 3.0
SPECIAL: Final[dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    "long": lambda message: "x" * message["length"],
    "NaN": lambda _: float("nan"),
    "function": lambda _: print,
}
LONG: Final = 65536


@attrs.define(eq=False)
class Context:
    """One context of `open_browser`, and the player in it."""

    extension: str
    inner: Any
    _lab: ImitationLab = attrs.field(repr=False)
    events: list[Event] = attrs.field(factory=list[Event], init=False, repr=False)
    ports: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False, repr=False)
    functions: dict[str, Callable[..., Any]] = attrs.field(factory=dict[str, Any], init=False, repr=False)
    received: int = attrs.field(default=0, init=False)
    asked: set[Any] = attrs.field(factory=set[Any], init=False, repr=False)
    """The events of ports that were used."""

    @property
    def url(self) -> str:
        return str(self.inner.url)

    @property
    def id(self) -> str | None:
        identity: str | None = self.inner.runtime.id
        return identity

    # ---- ports, as in player.js --------------------------------------------------------------------------------

    def adopt(self, port: Any, label: str) -> str:
        self.ports[label] = port
        return label

    def label_of(self, port: Any) -> str:
        for label, known in self.ports.items():
            if known is port:
                return label
        if port.name and port.name not in self.ports:
            return self.adopt(port, port.name)
        self.received += 1
        return self.adopt(port, f"@{self.received}")

    def open(self, label: str, port: Any) -> None:
        if label in self.ports:
            raise KeyError(f"there is a port {label} already")
        self.adopt(port, label)

    # ---- steps -------------------------------------------------------------------------------------------------

    def perform(self, step: Mapping[str, Any], port: Any = None, message: Any = None) -> Result:
        """Carry out a step; what it raises is an event, too."""
        if step.get("port") is not None and step["do"] not in ("connect", "tabs_connect", "connect_native"):
            if step["port"] not in self.ports:
                raise ValueError(f"{step['do']} in {self}: there is no port {step['port']}")
            port = self.ports[step["port"]]
        try:
            return Result(value=getattr(self, f"_{step['do']}")(step, port, message))
        except Exception as error:  # noqa: BLE001 - It is the step's result.
            label = step.get("port") or next((key for key, known in self.ports.items() if known is port), None)
            text = f"{type(error).__name__}: {error}"
            self.record(Event("raised", call=step["do"], port=label, error=text))
            return Result(error=text)

    def record(self, event: Event) -> None:
        self.events.append(event)
        self._lab.changed()

    def _connect(self, step: Mapping[str, Any], *_: Any) -> None:
        self.open(step["port"], self.inner.runtime.connect(step["extension"], name=step["name"]))

    def _tabs_connect(self, step: Mapping[str, Any], *_: Any) -> None:
        port = self.inner.tabs.connect(
            step["tab"], name=step["name"], frame_id=step["frame"], document_id=step["document"]
        )
        self.open(step["port"], port)

    def _connect_native(self, step: Mapping[str, Any], *_: Any) -> None:
        self.open(step["port"], self.inner.runtime.connect_native(step["application"]))

    def _post(self, step: Mapping[str, Any], port: Any, _: Any) -> None:
        message = step["message"]
        special = message.get("$") if isinstance(message, dict) else None
        port.post_message(SPECIAL[special](message) if special else copy.deepcopy(message))

    def _echo(self, _: Mapping[str, Any], port: Any, message: Any) -> None:
        port.post_message(message)

    def _disconnect(self, _: Mapping[str, Any], port: Any, __: Any) -> None:
        port.disconnect()

    def _add_listener(self, step: Mapping[str, Any], port: Any, _: Any) -> None:
        self._event(step, port).add_listener(self._listener(step))

    def _remove_listener(self, step: Mapping[str, Any], port: Any, _: Any) -> None:
        self._event(step, port).remove_listener(self._listener(step))

    def _has_listener(self, step: Mapping[str, Any], port: Any, _: Any) -> bool:
        event = self._event(step, port)
        if self._is_forgotten(event, port):
            return False
        return bool(event.has_listener(self._listener(step)))

    def _describe(self, _: Mapping[str, Any], port: Any, __: Any) -> dict[str, Any]:
        error = None if port.error is None else str(port.error)
        return {"name": port.name, "sender": show_sender(port.sender), "error": error}

    def _event(self, step: Mapping[str, Any], port: Any) -> Any:
        name = step["event"]
        if name.startswith("on_connect"):
            return getattr(self.inner.runtime, name)
        event = getattr(port, name)
        if event not in self.asked and self._is_forgotten(event, port):
            raise RuntimeError("Chromium gives no event of a port that has ended, unless it gave it before")
        self.asked.add(event)
        return event

    def _is_forgotten(self, event: Any, port: Any) -> bool:
        """Return whether an event is that of a port that has ended, and the browser Chromium."""
        is_ports = port is not None and event in (port.on_message, port.on_disconnect)
        return bool(self._lab.forgets_events and is_ports and port.statistics().state in ("ended", "closed"))

    def _listener(self, step: Mapping[str, Any]) -> Callable[..., Any]:
        key = f"{step['event']} {step['listener']}"
        return self.functions.setdefault(key, self._make_listener(step))

    def _make_listener(self, step: Mapping[str, Any]) -> Callable[..., Any]:
        name, actions = step["event"], step.get("actions", ())

        def listener(first: Any, second: Any = None) -> None:
            port, message = (second, first) if name == "on_message" else (first, None)
            label = self.label_of(port)
            self.record(Event(name, port=label, listener=step["listener"], **self._about(name, port, message)))
            for action in actions:
                if action["do"] == "throw":
                    raise RuntimeError(action["text"])
                self.perform(action, port, message)

        return listener

    def _about(self, event: str, port: Any, message: Any) -> dict[str, Any]:
        if event == "on_message":
            if isinstance(message, str) and len(message) > LONG:
                message = {"$": "long", "length": len(message)}
            return {"message": copy.deepcopy(message)}
        if event == "on_disconnect":
            error = port.error or self.inner.runtime.last_error
            return {"error": None if error is None else str(error)}
        return {"name": port.name, "sender": show_sender(port.sender)}


def show_sender(sender: Any) -> dict[str, Any] | None:
    """Return a sender as JavaScript has it."""
    if sender is None:
        return None
    names = {
        "id": sender.id,
        "url": sender.url,
        "origin": sender.origin,
        "tab": None if sender.tab is None else sender.tab.id,
        "frameId": sender.frame_id,
        "documentId": sender.document_id,
        "documentLifecycle": sender.document_lifecycle,
    }
    return {name: value for name, value in names.items() if value is not None}


@attrs.define(eq=False)
class Frame:
    """One frame of a tab of `open_browser`."""

    inner: Any
    contexts: dict[str, Context]
    parent: Frame | None = None

    @property
    def tab(self) -> int:
        return int(self.inner.tab.id)

    @property
    def id(self) -> int:
        return int(self.inner.id)

    @property
    def url(self) -> str:
        return str(self.inner.url)

    @property
    def document(self) -> str:
        return str(self.inner.document_id)

    def context(self, extension: str) -> Context:
        return self.contexts[extension]


class ImitationLab:
    """What `trio_ports._drivers.Lab` is for a real browser; from `open_imitation`."""

    def __init__(self, browser: Any, extensions: Mapping[str, Any]) -> None:
        self._browser = browser
        self._extensions = extensions
        self._numbers = itertools.count(1)
        self._change = trio.Event()
        self.forgets_events = False
        """Chromium forgets the events of a port that has ended: a finding, on which no message and no end depends.

        ``hasListener`` says False then, and an event that nobody had asked for before can't be had at all.
        """
        self._contexts: list[Context] = []
        self._backgrounds = {
            name: self._adopt(name, each.open_page("background.html")) for name, each in extensions.items()
        }

    def _adopt(self, name: str, inner: Any) -> Context:
        self._contexts.append(Context(name, inner, self))
        return self._contexts[-1]

    def changed(self) -> None:
        self._change.set()
        self._change = trio.Event()

    @property
    def extensions(self) -> list[str]:
        return list(self._extensions)

    def background(self, extension: str) -> Context:
        return self._backgrounds[extension]

    def extension_id(self, extension: str) -> str:
        return str(self._extensions[extension].id)

    async def open_tab(self, *, web: bool = False) -> Frame:
        tab = self._browser.open_tab(self._make_url())
        return Frame(tab.frames[0], self._fill(tab.frames[0], web=web))

    async def open_page(self, extension: str) -> Frame:
        tab = self._browser.open_tab()
        page = self._extensions[extension].open_page(f"page.html?{next(self._numbers)}", tab=tab)
        return Frame(page.frame, {extension: self._adopt(extension, page)})

    async def close_tab(self, top: Frame) -> None:
        top.inner.close()

    async def navigate(self, frame: Frame) -> None:
        frame.inner.navigate(self._make_url())
        frame.contexts = self._fill(frame.inner, web="web" in frame.contexts)

    async def open_frame(self, parent: Frame) -> Frame:
        frame = parent.inner.tab.open_frame(self._make_url())
        return Frame(frame, self._fill(frame), parent)

    async def close_frame(self, frame: Frame) -> None:
        frame.inner.close()

    async def command(self, context: Context, *steps: Mapping[str, Any]) -> tuple[Result, ...]:
        return tuple([context.perform(step) for step in steps])

    async def settle(self, *, quiet_seconds: float = 0.0) -> None:
        while True:
            await wait_all_tasks_blocked()
            change = self._change
            if not quiet_seconds:
                return
            with trio.move_on_after(quiet_seconds):
                await change.wait()
            if not change.is_set():
                return

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(WAIT_SECONDS):
            while not condition():
                await self._change.wait()

    def logs(self) -> Mapping[Context, Sequence[Event]]:
        return {context: list(context.events) for context in self._contexts if context.events}

    def _make_url(self) -> str:
        return f"{ORIGIN}/page/{next(self._numbers)}"

    def _fill(self, frame: Any, *, web: bool = False) -> dict[str, Context]:
        contexts = {
            name: self._adopt(name, each.inject(frame.tab, frame.id)) for name, each in self._extensions.items()
        }
        if web:
            contexts["web"] = self._adopt("web", frame.tab.web_page_script(frame.id))
        return contexts


@asynccontextmanager
async def open_imitation(
    dialect: Literal["trio", "firefox", "chrome"],
    extension_ids: Mapping[str, str],
    externally_connectable: Mapping[str, Mapping[str, Any] | None],
    *,
    manifest_folders: Sequence[str | PathLike[str]] = (),
    forgets_events: bool = False,
) -> AsyncGenerator[ImitationLab]:
    """Open a browser of this package with the extensions of a real laboratory."""
    async with trio_ports.open_browser(dialect=dialect, manifest_folders=manifest_folders) as browser:
        extensions = {
            name: browser.install(identity, externally_connectable=externally_connectable.get(name))
            for name, identity in extension_ids.items()
        }
        lab = ImitationLab(browser, extensions)
        lab.forgets_events = forgets_events
        yield lab
