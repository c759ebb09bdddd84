"""The actors of a player in this process: each carries out steps in one context and logs what its listeners get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

import trio

from ...._protocol.errors import MessageTooLargeError, NoAnswerError
from ..history.moves import ONE_SHOT_EVENTS, RUNTIME_EVENTS, EventName, ListenerKind, Step
from .notation import GONE, LAST_ERROR, STRANGER, ScriptedError, cause_of, make_message, show_message, word_for
from .player import Record


class Stage:
    """What the actors of one player share.

    Subclasses say how errors and senders are written down; where there are tabs, they also know their numbers.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.inside = ""
        """The sync call that is running now."""
        self.largest_message: float | None = None
        """The largest message that may be posted, once a refusal has shown it."""
        self._change = trio.Event()

    def note_change(self) -> None:
        """Wake the tasks that wait for something to happen."""
        self._change.set()
        self._change = trio.Event()

    async def wait_changed(self) -> None:
        """Wait until something is logged, a call returns or a port ends."""
        await self._change.wait()

    def show_exception(self, error: Exception) -> str:
        """Return what a step raised as it is written down."""
        if isinstance(error, MessageTooLargeError):
            self.largest_message = error.limit
        return word_for(error)

    def show_error(self, error: Any) -> str | None:
        """Return ``port.error`` or ``runtime.last_error`` as it is written down."""
        return cause_of(error)

    def show_sender(self, sender: Any) -> Any:
        """Return a sender as it is written down: with the history's names for the browser's numbers."""
        raise NotImplementedError

    def extension_id(self, name: str | None) -> str | None:
        """Return an extension's id: its name, unless a subclass says otherwise."""
        return name

    def tab_number(self, name: str) -> int:
        """Return a tab's number."""
        raise NotImplementedError

    def frame_number(self, name: str | None) -> int | None:
        """Return a frame's number."""
        raise NotImplementedError

    def document_of(self, name: str | None) -> str | None:
        """Return the id of the document that a frame shows."""
        raise NotImplementedError


class Actor:
    """A context, or the owner of an end where there is no browser: it has ports and listeners."""

    def __init__(self, stage: Stage, name: str, context: Any = None) -> None:
        self.stage = stage
        self.name = name
        self.context = context
        self.ports: dict[str, Any] = {}
        self.log: list[Record] = []
        self.ended_ports: set[str] = set()
        """The ports whose ``wait_disconnected`` has returned."""
        self._listeners: dict[tuple[str, str], Callable[[], Callable[..., Any]]] = {}
        self._received = 0
        self._last_posted: Any = None
        self._gates: dict[str, trio.Event] = {}
        self._kept: dict[str, Callable[..., Any]] = {}
        """The ``send_response`` of one-shot messages that are to be answered later, by their labels."""

    # Ports --------------------------------------------------------------------------------------------------------

    def adopt(self, port: Any, label: str | None = None) -> str:
        """Give a port a label, unless it has one, and return its label."""
        known = self._label_of(port)
        if known != STRANGER:
            return known
        if label is None:
            label = str(port.name)
            if not label or label in self.ports:
                self._received += 1
                label = f"@{self._received}"
        self.ports[label] = port
        self._gates[label] = trio.Event()
        self.stage.nursery.start_soon(self._watch, label, port)
        return label

    def _label_of(self, port: Any) -> str:
        return next((label for label, other in self.ports.items() if other is port), STRANGER)

    async def _watch(self, label: str, port: Any) -> None:
        await port.wait_disconnected()
        self.ended_ports.add(label)
        self.stage.note_change()

    def release(self, label: str) -> None:
        """Let listeners that hold go on."""
        self._gates[label].set()
        self._gates[label] = trio.Event()

    def release_all(self) -> None:
        """Let every listener that holds go on."""
        for gate in self._gates.values():
            gate.set()

    def disconnect_all(self) -> None:
        """Disconnect every port and release every listener, so that whatever carries the messages can end."""
        self.release_all()
        for port in self.ports.values():
            with suppress(Exception):  # A history that breaks a port here has been reported already.
                port.disconnect()

    # Steps --------------------------------------------------------------------------------------------------------

    def perform(self, step: Step, port: Any = None, message: Any = None) -> Any:
        """Carry out a step, in a listener with the event's own port and message, and return what came of it."""
        if step["do"] == "throw":
            raise ScriptedError
        if step["do"] == "post_or_raise":
            self._post(step, port, message)
            return "ok"
        outer, self.stage.inside = self.stage.inside, step["do"]
        try:
            result = getattr(self, f"_{step['do']}")(step, port, message)
            return "ok" if result is None else result
        except Exception as error:  # noqa: BLE001 - What it is becomes the step's result.
            return self.stage.show_exception(error)
        finally:
            self.stage.inside = outer

    def _ask(self, step: Step, *_: Any) -> None:
        extension = self.stage.extension_id(step["extension"])
        self._await_answer(step, lambda message: self.context.runtime.send_message(message, extension))

    def _ask_tab(self, step: Step, *_: Any) -> None:
        tab, frame, document = (
            self.stage.tab_number(step["tab"]),
            self.stage.frame_number(step["frame"]),
            self.stage.document_of(step["document"]),
        )
        send_message = self.context.tabs.send_message
        self._await_answer(step, lambda message: send_message(tab, message, frame_id=frame, document_id=document))

    def _await_answer(self, step: Step, send_message: Callable[[Any], Any]) -> None:
        label = step["port"]

        async def await_answer() -> None:
            try:
                answer = await send_message([label, make_message(step["message"])])
            except NoAnswerError as error:
                self._append({"port": label, "event": "unanswered", "error": self.stage.show_error(error)})
            except trio.ClosedResourceError:
                pass  # This context has ended.
            else:
                self._append({"port": label, "event": "answered", "message": show_message(answer)})

        self.stage.nursery.start_soon(await_answer)

    def _respond(self, step: Step, *_: Any) -> None:
        self._kept[step["port"]](make_message(step["message"]))

    def _port_of(self, step: Step, port: Any) -> Any:
        return port if step["port"] is None else self.ports[step["port"]]

    def _connect(self, step: Step, *_: Any) -> None:
        extension = self.stage.extension_id(step["extension"])
        self.adopt(self.context.runtime.connect(extension, name=step["name"]), step["port"])

    def _tabs_connect(self, step: Step, *_: Any) -> None:
        port = self.context.tabs.connect(
            self.stage.tab_number(step["tab"]),
            name=step["name"],
            frame_id=self.stage.frame_number(step["frame"]),
            document_id=self.stage.document_of(step["document"]),
        )
        self.adopt(port, step["port"])

    def _post(self, step: Step, port: Any, _: Any) -> None:
        self._last_posted = make_message(step["message"])
        self._port_of(step, port).post_message(self._last_posted)

    def _fill(self, step: Step, port: Any, _: Any) -> str | None:
        real = self._port_of(step, port)
        for number in range(step["count"]):
            try:
                real.post_message(step["first"] + number)
            except Exception as error:  # noqa: BLE001 - What it is becomes the step's result.
                return f"{self.stage.show_exception(error)} after {number}"
        return None

    def _change(self, *_: Any) -> None:
        if hasattr(self._last_posted, "append"):
            self._last_posted.append("changed later")

    def _echo(self, _: Step, port: Any, message: Any) -> None:
        port.post_message(message)

    def _disconnect(self, step: Step, port: Any, _: Any) -> None:
        self._port_of(step, port).disconnect()

    def _break(self, step: Step, port: Any, _: Any) -> None:
        self._port_of(step, port).break_off(bytes.fromhex(step["data"]))

    def _connect_native(self, step: Step, *_: Any) -> None:
        self.adopt(self.context.runtime.connect_native(step["application"]), step["port"])

    def _describe(self, step: Step, port: Any, _: Any) -> Any:
        if self.context.closed:
            return GONE
        real = self._port_of(step, port)
        error, sender = self.stage.show_error(real.error), self.stage.show_sender(real.sender)
        return {"name": real.name, "sender": sender, "error": error}

    def _close_context(self, *_: Any) -> None:
        self.context.close()

    # Listeners ----------------------------------------------------------------------------------------------------

    def _event(self, step: Step, port: Any) -> Any:
        name = step["event"]
        if name in RUNTIME_EVENTS:
            return getattr(self.context.runtime, name.replace("one_shot", "message"))
        return getattr(self._port_of(step, port), name)

    def _add_listener(self, step: Step, port: Any, _: Any) -> None:
        key = step["event"], step["listener"]
        if key not in self._listeners and step["event"] in ONE_SHOT_EVENTS:
            listener = self._make_one_shot_listener(step)
            self._listeners[key] = lambda: listener
        elif key not in self._listeners:
            self._listeners[key] = kind_of_listener(step.get("kind", "function"), *self._make_listener(step))
        self._event(step, port).add_listener(self._listener_of(step))

    def _remove_listener(self, step: Step, port: Any, _: Any) -> None:
        self._event(step, port).remove_listener(self._listener_of(step))

    def _has_listener(self, step: Step, port: Any, _: Any) -> Any:
        return self._event(step, port).has_listener(self._listener_of(step))

    def _listener_of(self, step: Step) -> Callable[..., Any]:
        return self._listeners.get((step["event"], step["listener"]), lambda: print)()

    def _make_listener(self, step: Step) -> tuple[Callable[..., Any], Callable[..., Awaitable[None]]]:
        """Return two functions that log their call and carry out the step's actions: a plain one and an async one.

        They are the same if one of the actions waits. One that was called with a strange port does nothing more.
        """
        event: EventName = step["event"]
        actions: list[Step] = step.get("actions", [])

        def wanted(message: Any, label: str) -> list[Step]:
            here = label != STRANGER
            return [action for action in actions if here and ("only" not in action or action["only"] == message)]

        def listen(*args: Any) -> None:
            message, port, label = self._log_call(event, step["listener"], args)
            for action in wanted(message, label):
                self._act(action, message, port, label)

        async def listen_and_wait(*args: Any) -> None:
            message, port, label = self._log_call(event, step["listener"], args)
            for action in wanted(message, label):
                if action["do"] == "hold":
                    await self._gates[label].wait()
                elif action["do"] != "stay":
                    self._act(action, message, port, label)
            if stays:
                await trio.sleep_forever()

        kinds = {action["do"] for action in actions}
        stays = "stay" in kinds
        return listen_and_wait if kinds & {"hold", "stay"} else listen, listen_and_wait

    def _make_one_shot_listener(self, step: Step) -> Callable[..., Any]:
        """Return a function that logs its call and answers as the step's actions say."""

        async def promise(answer: Any) -> Any:
            return answer

        def listen(labelled: Any, sender: Any, send_response: Any) -> Any:
            label, message = labelled
            shown = {"message": show_message(message), "sender": self.stage.show_sender(sender)}
            self._append({"port": label, "event": step["event"], "listener": step["listener"], **shown})
            result: Any = None
            for action in step.get("actions", ()):
                answer = make_message(action.get("message"))
                if action["do"] == "respond":
                    send_response(answer)
                elif action["do"] == "answer_later":
                    self._kept[label], result = send_response, True
                elif action["do"] == "throw":
                    raise ScriptedError
                else:
                    result = promise(answer) if action["do"] == "promise" else answer
            return result

        return listen

    def _log_call(self, event: EventName, listener: str, args: tuple[Any, ...]) -> tuple[Any, Any, str]:
        """Log a listener's call. Return its message, its port and that port's label."""
        message, port = (*args, None, None)[:2] if event == "on_message" else (None, *args, None)[:2]
        label = self.adopt(port) if event.startswith("on_connect") else self._label_of(port)
        record: Record = {"port": label, "event": event, "listener": listener}
        if label == STRANGER:
            record["given"] = "another port object" if hasattr(port, "post_message") else "no port"
        record.update(self._about(event, port, message))
        if len(args) != (2 if event == "on_message" else 1):
            record["arguments"] = len(args)
        if self.stage.inside:
            record["inside"] = self.stage.inside
        self._append(record)
        return message, port, label

    def _act(self, action: Step, message: Any, port: Any, label: str) -> None:
        outcome = self.perform(action, port, message)
        if outcome != "ok":
            self._append({"port": label, "event": "raised", "call": action["do"], "error": outcome})

    def _append(self, record: Record) -> None:
        self.log.append(record)
        self.stage.note_change()

    def _about(self, event: EventName, port: Any, message: Any) -> Record:
        if event == "on_message":
            return {"message": show_message(message)}
        if event == "on_disconnect":
            error = self.stage.show_error(getattr(port, "error", None))
            last = None if self.context is None else self.context.runtime.last_error
            return {"error": f"{LAST_ERROR}: {error}" if error and last else error or self.stage.show_error(last)}
        return {"name": port.name, "sender": self.stage.show_sender(port.sender)}


# Kinds of listeners -------------------------------------------------------------------------------------------------


def kind_of_listener(
    kind: ListenerKind, listen: Callable[..., Any], listen_and_wait: Callable[..., Awaitable[None]]
) -> Callable[[], Callable[..., Any]]:
    """Return a function that returns the listener of this kind each time that it is added, removed or looked for."""

    def listen_and_return(*args: Any) -> Any:
        returned = listen(*args)
        return iter(()) if returned is None else returned

    if kind == "method":
        method = _Method(listen)
        return lambda: method.listen
    made: dict[ListenerKind, Callable[..., Any]] = {
        "function": listen,
        "awaitable": lambda *args: _Awaitable(partial(listen_and_wait, *args)),
        "partial": partial(listen_and_wait),
        "object": listen_and_return,
    }
    return lambda: made[kind]


class _Method:
    """Has a listener that is a method. Each time that it is asked for, it is another object, equal to the others."""

    def __init__(self, listen: Callable[..., Any]) -> None:
        self._listen = listen

    def listen(self, *args: Any) -> Any:
        return self._listen(*args)


class _Awaitable:
    """Can be awaited, and is not a coroutine. What it does begins when it is awaited."""

    def __init__(self, begin: Callable[[], Awaitable[None]]) -> None:
        self._begin = begin

    def __await__(self) -> Generator[Any, None, None]:
        return (yield from self._begin().__await__())
