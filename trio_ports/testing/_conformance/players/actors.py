"""Actors: who has ports, does with them what a history's steps say, and notes what its listeners are told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, final

import trio

from ..history.moves import EventName, Step
from .notation import LAST_ERROR, STRANGER, ScriptedError, cause_of, make_message, show_message, word_for

if TYPE_CHECKING:
    from .player import Player


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
