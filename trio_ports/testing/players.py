"""Players: they do with real ports what a history says, and note what comes of it.

`EndsPlayer` has the ends of one connection, `WorldPlayer` a browser. Both note the same things in the same words as
the model does, so that the two can be compared; and as the players in real browsers do, whose differences are tested
with the same histories.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, final

import trio
from trio.testing import wait_all_tasks_blocked

from .._ports.blocks import open_body
from .._protocol.dialects import NO_RECEIVER_TEXT
from .._protocol.errors import MessageTooLargeError
from .._protocol.urls import origin_of
from .answers import is_list, is_object
from .model.dialects import is_special
from .moves import EXTENSIONS, NOBODY, EventName, Move, Step

Maker: TypeAlias = Callable[..., Any]
"""Opens a connection: returns its ends, the opener's first, or something that can be awaited or entered for them."""

_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (trio.ClosedResourceError, "closed"),
    (trio.BrokenResourceError, "broken"),
    (trio.WouldBlock, "full"),
    (trio.BusyResourceError, "busy"),
    (trio.EndOfChannel, "end"),
    (StopAsyncIteration, "end"),
    (MessageTooLargeError, "too-large"),
    (TypeError, "not-json"),
    (ValueError, "not-json"),
)
PORT_MEMBERS: Final = (
    "name",
    "sender",
    "error",
    "on_message",
    "on_disconnect",
    "post_message",
    "disconnect",
    "send",
    "receive",
    "wait_disconnected",
)
"""What a port has at least."""
STRANGER: Final = "?"
"""The label of a port that nobody knows."""
LAST_ERROR: Final = "last_error too"
"""Noted of an error that both ``port.error`` and ``runtime.last_error`` show."""
_SECRET: Final = "the other side must not read this"
_SITE: Final = "https://example.org"
LONG: Final = 64
"""A text of so many x, or more, is noted by its length."""


class ScriptedError(Exception):
    """What a history raises, in a listener or a block."""

    def __init__(self) -> None:
        super().__init__(_SECRET)


def word_for(error: BaseException) -> str:
    """Say what an exception means, in a word."""
    for kind, word in _WORDS:
        if isinstance(error, kind):
            return word
    return f"{type(error).__name__}: {error}"


def cause_of(error: Any) -> str | None:
    """Return the cause of ``port.error`` as it is noted; with its text, where that is not as it should be."""
    if error is None:
        return None
    cause = getattr(error, "cause", None)
    cause = str(getattr(cause, "value", cause))
    text = str(error)
    if (cause == "no-receiver" and text != NO_RECEIVER_TEXT) or _SECRET in text:
        return f"{cause}: {text}"
    return cause


def make_message(value: Any) -> Any:
    """Return the value that a history writes down."""
    if is_special(value):
        cycle: list[Any] = []
        cycle.append(cycle)
        special: dict[str, Any] = {
            "long": "x" * int(value.get("length", 0)),
            "NaN": float("nan"),
            "Infinity": float("inf"),
            "function": make_message,
            "bytes": b"bytes" + bytes(value.get("length", 0)),
            "cycle": cycle,
        }
        return special[value["$"]]
    if is_list(value):
        return [make_message(item) for item in value]
    return {key: make_message(item) for key, item in value.items()} if is_object(value) else value


def show_message(value: Any) -> Any:
    """Return a value as it is noted."""
    if isinstance(value, str) and len(value) >= LONG and value.count("x") == len(value):
        return {"$": "long", "length": len(value)}
    return value


@final
class Block:
    """A task that stays in an ``async with`` until it is told how to leave."""

    def __init__(self) -> None:
        self._told = trio.Event()
        self._how = ""
        self._scope = trio.CancelScope()
        self.outcome: str = ""
        """How it was left, once it was."""

    async def run(self, block: Any) -> None:
        with self._scope:
            try:
                async with block:
                    await self._told.wait()
                    if self._how == "crash":
                        raise ScriptedError
                self.outcome = "return"
            except ScriptedError:
                self.outcome = "crash"
            except trio.Cancelled:
                self.outcome = "cancel"
                raise
            except BaseExceptionGroup as errors:
                self.outcome = repr(errors) if errors.split(ScriptedError)[1] else "raised"
            except BaseException as error:  # noqa: BLE001 - It is noted.
                self.outcome = repr(error)

    def leave(self, how: str) -> None:
        self._how = how
        if how == "cancel":
            self._scope.cancel()
        else:
            self._told.set()


@final
class CallTask:
    """A call that may wait, and what has come of it."""

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope()
        self.outcome: str = "blocked"
        self.message: Any = None
        self.cause: str | None = None
        """Of the error that a BrokenResourceError came from."""

    async def run(self, function: Callable[[], Awaitable[Any]]) -> None:
        with self.scope:
            try:
                self.message = show_message(await function())
                self.outcome = "ok"
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 - It is noted.
                self.outcome, self.cause = word_for(error), cause_of(error.__cause__)
        if self.scope.cancelled_caught:
            self.outcome = "cancelled"


@final
class Actor:
    """One context, or what owns an end: its ports, its listeners, and what it was told."""

    def __init__(self, player: Player, name: str, context: Any = None) -> None:
        self.player = player
        self.name = name
        self.context = context
        """The `Context`, in a world."""
        self.ports: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        """What its listeners were told, in order."""
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {}
        self._received = 0
        self._last: Any = None
        self.gates: dict[str, trio.Event] = {}
        self.over: set[str] = set()
        """The ports whose ``wait_disconnected`` has returned."""

    def adopt(self, port: Any, label: str | None = None) -> str:
        """Give a port a label; one that has one keeps it."""
        for known, other in self.ports.items():
            if other is port:
                return known
        if label is None:
            label = str(port.name)
            if not label or label in self.ports:
                self._received += 1
                label = f"@{self._received}"
        self.ports[label] = port
        self.gates[label] = trio.Event()
        self.player.nursery.start_soon(self._watch, label, port)
        return label

    async def _watch(self, label: str, port: Any) -> None:
        await port.wait_disconnected()
        self.over.add(label)
        self.player.changed()

    def release(self, label: str) -> None:
        """Let listeners that hold go on."""
        self.gates[label].set()
        self.gates[label] = trio.Event()

    def let_go(self) -> None:
        """Disconnect every port, and hold no listener any more."""
        for label, port in self.ports.items():
            self.gates[label].set()
            with suppress(Exception):  # What is wrong with it, a history has told already.
                port.disconnect()

    def perform(self, step: Step, port: Any = None, message: Any = None) -> Any:
        """Carry out a step and return what came of it."""
        if step["do"] == "throw":
            raise ScriptedError
        outer, self.player.inside = self.player.inside, step["do"]
        try:
            return getattr(self, f"_{step['do']}")(step, port, message)
        except Exception as error:  # noqa: BLE001 - It is noted.
            self.player.note_limit(error)
            return word_for(error)
        finally:
            self.player.inside = outer

    def _port_of(self, step: Step, port: Any) -> Any:
        return port if step["port"] is None else self.ports[step["port"]]

    def _connect(self, step: Step, *_: Any) -> str:
        extension = step["extension"]
        self.adopt(self.context.runtime.connect(extension, name=step["name"]), step["port"])
        return "ok"

    def _tabs_connect(self, step: Step, *_: Any) -> str:
        port = self.context.tabs.connect(
            self.player.tab_number(step["tab"]),
            name=step["name"],
            frame_id=self.player.frame_number(step["frame"]),
            document_id=self.player.document_of(step["document"]),
        )
        self.adopt(port, step["port"])
        return "ok"

    def _post(self, step: Step, port: Any, _: Any) -> str:
        self._last = make_message(step["message"])
        self._port_of(step, port).post_message(self._last)
        return "ok"

    def _fill(self, step: Step, port: Any, _: Any) -> str:
        real = self._port_of(step, port)
        for number in range(step["count"]):
            try:
                real.post_message(step["first"] + number)
            except Exception as error:  # noqa: BLE001 - It is noted.
                return f"{word_for(error)} after {number}"
        return "ok"

    def _change(self, *_: Any) -> str:
        if hasattr(self._last, "append"):
            self._last.append("changed later")
        return "ok"

    def _echo(self, _: Step, port: Any, message: Any) -> str:
        port.post_message(message)
        return "ok"

    def _disconnect(self, step: Step, port: Any, _: Any) -> str:
        self._port_of(step, port).disconnect()
        return "ok"

    def _close_context(self, *_: Any) -> str:
        self.context.close()
        return "ok"

    def _event(self, step: Step, port: Any) -> Any:
        name = step["event"]
        return getattr(self.context.runtime if name.startswith("on_connect") else self._port_of(step, port), name)

    def _add_listener(self, step: Step, port: Any, _: Any) -> str:
        key = step["event"], step["listener"]
        listener = self._functions.get(key) or self._make_listener(step)
        self._functions[key] = listener
        self._event(step, port).add_listener(listener)
        return "ok"

    def _remove_listener(self, step: Step, port: Any, _: Any) -> str:
        self._event(step, port).remove_listener(self._functions.get((step["event"], step["listener"]), print))
        return "ok"

    def _has_listener(self, step: Step, port: Any, _: Any) -> Any:
        listener = self._functions.get((step["event"], step["listener"]), print)
        return self._event(step, port).has_listener(listener)

    def _make_listener(self, step: Step) -> Callable[..., Any]:  # noqa: C901 - one closure for each thing it may do
        event: EventName = step["event"]
        name: str = step["listener"]
        actions: list[Step] = step.get("actions", [])

        def note(*args: Any) -> tuple[Any, Any, str]:
            message, port = (*args, None, None)[:2] if event == "on_message" else (None, *args, None)[:2]
            label = self.adopt(port) if event.startswith("on_connect") else self._label_of(port)
            record: dict[str, Any] = {"port": label, "event": event, "listener": name}
            if label == STRANGER:
                record["given"] = "another port object" if hasattr(port, "post_message") else "no port"
            record.update(self._about(event, port, message))
            if len(args) != (2 if event == "on_message" else 1):
                record["arguments"] = len(args)
            if self.player.inside:
                record["inside"] = self.player.inside
            self.log.append(record)
            self.player.changed()
            return message, port, label

        def act(action: Step, message: Any, port: Any, label: str) -> None:
            outcome = self.perform(action, port, message)
            if outcome != "ok":
                self.log.append({"port": label, "event": "raised", "call": action["do"], "error": outcome})
                self.player.changed()

        def listen(*args: Any) -> None:
            message, port, label = note(*args)
            for action in actions if label != STRANGER else ():
                act(action, message, port, label)

        async def listen_and_hold(*args: Any) -> None:
            message, port, label = note(*args)
            for action in actions if label != STRANGER else ():
                if action["do"] == "hold":
                    await self.gates[label].wait()
                else:
                    act(action, message, port, label)

        async def listen_and_stay(*args: Any) -> None:
            message, port, label = note(*args)
            for action in actions:
                if action["do"] != "stay":
                    act(action, message, port, label)
            await trio.sleep_forever()

        kinds = {action["do"] for action in actions}
        return listen_and_stay if "stay" in kinds else listen_and_hold if "hold" in kinds else listen

    def _label_of(self, port: Any) -> str:
        labels = [label for label, other in self.ports.items() if other is port]
        return labels[0] if labels else STRANGER

    def _about(self, event: EventName, port: Any, message: Any) -> dict[str, Any]:
        if event == "on_message":
            return {"message": show_message(message)}
        if event == "on_disconnect":
            error = cause_of(getattr(port, "error", None))
            last = None if self.context is None else self.context.runtime.last_error
            return {"error": f"{LAST_ERROR}: {error}" if error and last else error or cause_of(last)}
        return {"name": port.name, "sender": self.player.show_sender(port.sender)}


class Player:
    """Plays histories; what the two kinds of players share."""

    def __init__(self, nursery: trio.Nursery, *, remote: bool = False) -> None:
        self.nursery = nursery
        self.remote = remote
        self.contexts: dict[str, Actor] = {}
        self.calls: dict[str, CallTask] = {}
        self.results: list[Any] = []
        self.largest_message: float | None = None
        """The largest message that may be posted, as far as a refusal has told."""
        self.inside = ""
        """The sync call that is running now."""
        self._blocks: dict[tuple[str, str | None], Block] = {}
        self._change = trio.Event()

    async def play(self, move: Move) -> None:
        """Do what a move says, and let everything happen that follows from it."""
        outcome: Any = getattr(self, f"_play_{move['move']}")(move)
        if inspect.isawaitable(outcome):
            await outcome
        await self.settle()

    async def settle(self) -> None:
        """Wait until every task waits."""
        await wait_all_tasks_blocked()

    def note_limit(self, error: Exception) -> None:
        """Remember the limit, if this is what refuses a message that is too large."""
        if isinstance(error, MessageTooLargeError):
            self.largest_message = error.limit

    def changed(self) -> None:
        """Wake who waits for something to happen."""
        self._change.set()
        self._change = trio.Event()

    async def wait_changed(self) -> None:
        """Wait for the next thing that is noted."""
        await self._change.wait()

    def _play_turn(self, move: Move) -> None:
        for step in move["steps"]:
            self.results.append(self.contexts[step.get("at", move["at"])].perform(step))

    async def _play_start(self, move: Move) -> None:
        port = self.contexts[move["at"]].ports[move["port"]]
        call = self.calls[move["as"]] = CallTask()
        arguments = (make_message(move["message"]),) if move["call"] == "send" else ()
        function = getattr(port, move["call"], None) or port.receive  # Not everything that is a port has __anext__.
        self.nursery.start_soon(self._run_call, call, lambda: function(*arguments))

    async def _run_call(self, call: CallTask, function: Callable[[], Awaitable[Any]]) -> None:
        await call.run(function)
        self.changed()

    def _play_cancel(self, move: Move) -> None:
        self.calls[move["call"]].scope.cancel()

    def _play_release(self, move: Move) -> None:
        self.contexts[move["at"]].release(move["port"])

    def _play_enter(self, move: Move) -> None:
        actor = self.contexts[move["at"]]
        block = self._blocks[move["at"], move["port"]] = Block()
        self.nursery.start_soon(block.run, actor.context if move["port"] is None else actor.ports[move["port"]])

    async def _play_leave(self, move: Move) -> None:
        block = self._blocks.pop((move["at"], move["port"]))
        block.leave(move["how"])
        await self.settle()
        self.results.append(block.outcome)

    # What a world has, and ends have not ---------------------------------------------------------------------------

    def tab_number(self, name: str) -> int:
        """Return a tab's number."""
        raise NotImplementedError

    def frame_number(self, name: str | None) -> int | None:
        """Return a frame's number."""
        raise NotImplementedError

    def document_of(self, name: str | None) -> str | None:
        """Return the document that is in a frame."""
        raise NotImplementedError

    def show_sender(self, sender: Any) -> Any:
        """Return a sender as it is noted: with the history's names for the browser's."""
        raise NotImplementedError


@final
class EndsPlayer(Player):
    """Plays with the ends of one connection."""

    def __init__(self, nursery: trio.Nursery, ends: Iterable[Any], *, remote: bool = False) -> None:
        super().__init__(nursery, remote=remote)
        for number, port in enumerate(ends):
            name = ("opener", "receiver")[number] if number < 2 else f"receiver{number}"
            actor = self.contexts[name] = Actor(self, name)
            actor.adopt(port, "p")


@final
class WorldPlayer(Player):
    """Plays in a browser of this package: see `open_world_player`."""

    def __init__(self, nursery: trio.Nursery, browser: Any, extensions: tuple[str, ...]) -> None:
        super().__init__(nursery)
        self.browser = browser
        self.extensions: dict[str, Any] = {
            name: self._install(name, others=name != extensions[0]) for name in extensions
        }
        self._tabs: dict[str, Any] = {}
        self._frames: dict[str, Any] = {}
        self._urls: dict[str, str] = {}
        self._documents: dict[str, str] = {}
        self._shown: dict[str, int] = {}
        for name, extension in self.extensions.items():
            self._add(name, extension.open_page("background.html"), name, name)

    def _install(self, name: str, *, others: bool) -> Any:
        key = {"ids": ["*"], "matches": [f"{_SITE}/*"]} if others else None
        return self.browser.install(name, externally_connectable=key)

    def _add(self, name: str, context: Any, place: str, document: str) -> None:
        old = self.contexts.pop(name, None)
        if old is not None:
            number = sum(other.startswith(f"{name}#") for other in self.contexts)
            self.contexts[f"{name}#{number}"] = old
        self.contexts[name] = Actor(self, name, context)
        self._urls[context.url] = place
        # What an earlier document was called, a later one with its id is called too: it should have had another one.
        self._documents.setdefault(context.document_id, document)

    def _fill(self, frame: Any, name: str, *, web: bool = False) -> None:
        self._frames[name] = frame
        shown = self._shown[name] = self._shown.get(name, 0) + 1
        document = f"{name}.{shown}"
        for key, extension in self.extensions.items():
            self._add(f"{name}/{key}", extension.inject(frame.tab, frame.id), name, document)
        if web:
            self._add(f"{name}/web", frame.tab.web_page(frame.id), name, document)

    def _url(self, name: str) -> str:
        return f"{_SITE}/{name}/{self._shown.get(name, 0)}"

    def _play_open_tab(self, move: Move) -> None:
        tab = self._tabs[move["tab"]] = self.browser.open_tab(self._url(move["tab"]))
        self._fill(tab.frames[0], move["tab"], web=move["web"])

    def _play_open_page(self, move: Move) -> None:
        page, extension = move["page"], move["extension"]
        if move["hidden"]:
            context = self.extensions[extension].open_page(f"{page}.html")
            self._add(f"{page}/{extension}", context, f"{page}/{extension}", page)
            return
        tab = self._tabs[page] = self.browser.open_tab()
        context = self.extensions[extension].open_page(f"{page}.html", tab=tab)
        self._frames[page] = context.frame
        self._add(f"{page}/{extension}", context, page, page)

    def _play_open_frame(self, move: Move) -> None:
        frame = self._tabs[move["tab"]].open_frame(self._url(move["frame"]))
        self._fill(frame, move["frame"])

    def _play_navigate(self, move: Move) -> None:
        name = move["frame"]
        frame = self._frames[name]
        page = self.contexts.get(f"{name}/web")
        web = page is not None and not page.context.closed
        frame.navigate(self._url(name))
        self._fill(frame, name, web=web)

    def _play_close(self, move: Move) -> None:
        self._frames[move["frame"]].close()

    def _play_install(self, move: Move) -> None:
        name = move["extension"]
        key = {"ids": [move["allows"]]}
        extension = self.extensions[name] = self.browser.install(name, externally_connectable=key)
        self._add(name, extension.open_page("background.html"), name, name)

    def _play_uninstall(self, move: Move) -> None:
        self.extensions.pop(move["extension"]).uninstall()

    def tab_number(self, name: str) -> int:
        """Return a tab's number; of one that is not there, a number that no tab has."""
        return int(self._tabs[name].id) if name in self._tabs else 10**9

    def frame_number(self, name: str | None) -> int | None:
        """Return a frame's number."""
        return None if name is None else int(self._frames[name].id) if name in self._frames else 10**9

    def document_of(self, name: str | None) -> str | None:
        """Return the document that is in a frame now."""
        return None if name is None else str(self._frames[name].document_id) if name in self._frames else NOBODY

    def show_sender(self, sender: Any) -> Any:
        """Return a sender as it is noted."""
        if sender is None:
            return None
        tabs = {tab.id: name for name, tab in self._tabs.items()}
        frames = {(frame.tab.id, frame.id): name for name, frame in self._frames.items()}
        tab = None if sender.tab is None else sender.tab.id
        url = str(sender.url)
        return {
            "id": sender.id,
            "url": self._urls.get(url, url),
            "origin": sender.origin is not None and sender.origin == origin_of(url),
            "tab": None if sender.tab is None else _called(tabs.get(tab, tab), sender.tab.url),
            "frame": None if sender.frame_id is None else frames.get((tab or 0, sender.frame_id), sender.frame_id),
            "document": self._documents.get(sender.document_id, sender.document_id),
            "lifecycle": sender.document_lifecycle,
        }


def _called(tab: Any, url: str) -> Any:
    """Return a tab's name, or more than that, if it is said to show what it does not."""
    return tab if str(tab) in url else f"{tab} with {url!r}"


@asynccontextmanager
async def open_ends(maker: Maker) -> AsyncGenerator[tuple[Any, ...]]:
    """Call a maker, however it makes.

    It is a function that takes a nursery or nothing, and returns the ends, or something that can be awaited or entered
    for them.
    """
    async with open_body() as body, AsyncExitStack() as stack:
        ends: tuple[Any, ...] = ()
        nursery: trio.Nursery | None = None
        if _wants_nursery(maker):
            nursery = await stack.enter_async_context(trio.open_nursery())
        with body:
            made = maker() if nursery is None else maker(nursery)
            if hasattr(made, "__aenter__"):
                made = await stack.enter_async_context(made)
            elif inspect.isawaitable(made):
                made = await made
            ends = _checked(made)
        if ends:
            yield ends
        if nursery is not None:
            nursery.cancel_scope.cancel()


def _checked(made: Any) -> tuple[Any, ...]:
    """Return the ends that a maker made.

    Raises:
        TypeError: they are none.
    """
    wanted = "the maker must return the ends of a connection, the opener's first"
    try:
        ends: tuple[Any, ...] = tuple(made)
    except TypeError:
        raise TypeError(f"{wanted}, and not {made!r}") from None
    for end in ends:
        missing = [name for name in PORT_MEMBERS if not hasattr(end, name)]
        if missing:
            raise TypeError(f"{wanted}: {end!r} is no port, it has no {', '.join(missing)}")
    if len(ends) < 2:
        raise TypeError(f"{wanted}: two at least, and not {len(ends)}")
    return ends


def _wants_nursery(maker: Maker) -> bool:
    with suppress(TypeError, ValueError):
        for parameter in inspect.signature(maker).parameters.values():
            positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            return positional and parameter.default is parameter.empty
    return False


@asynccontextmanager
async def open_ends_player(maker: Maker, *, remote: bool = False) -> AsyncGenerator[EndsPlayer]:
    """Open a connection and a player for its ends, for a block.

    Args:
        maker: opens the connection.
        remote: something outside this Trio run carries the messages.
    """
    async with open_ends(maker) as ends, trio.open_nursery() as nursery:
        player = EndsPlayer(nursery, ends, remote=remote)
        yield player
        # So that what carries the messages waits neither for a listener nor for one end after the other.
        for actor in player.contexts.values():
            actor.let_go()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_world_player(
    maker: Callable[[], Any], *, extensions: tuple[str, ...] = EXTENSIONS
) -> AsyncGenerator[WorldPlayer]:
    """Open a browser and a player for histories of worlds in it, for a block.

    Args:
        maker: opens the browser: `open_browser`, or a function that calls it with arguments.
        extensions: what is installed; all but the first let web pages connect.
    """
    async with maker() as browser, trio.open_nursery() as nursery:
        yield WorldPlayer(nursery, browser, extensions)
        nursery.cancel_scope.cancel()
