"""Contexts of the model: who owns ports, and who listens for connections there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .connections import Seen

if TYPE_CHECKING:
    from .ports import Port

CONNECT_EVENTS = ("on_connect", "on_connect_external")


@dataclass(eq=False)
class Context:
    """One script's world, or what owns an end where there is nothing else."""

    name: str
    kind: Literal["end", "background", "page", "script", "web"] = "end"
    extension: str | None = None
    tab: str | None = None
    frame: str | None = None
    document: str | None = None
    alive: bool = True
    inside: bool = False
    """Somebody is in its ``async with``."""
    ports: dict[str, Port] = field(default_factory=dict[str, "Port"])
    listeners: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Of on_connect and on_connect_external."""
    functions: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict[tuple[str, str], list[Any]])
    log: list[Seen] = field(default_factory=list[Seen])
    received: int = 0

    def label_for(self, port: Port) -> str:
        label = port.name
        if not label or label in self.ports:
            self.received += 1
            label = f"@{self.received}"
        self.ports[label] = port
        return label

    def learn(self, step: dict[str, Any]) -> None:
        """Remember a listener's actions; the first ones count."""
        self.functions.setdefault((step["event"], step["listener"]), step.get("actions", []))

    def listen(self, step: dict[str, Any]) -> Any:
        """Do something about the listeners of on_connect or on_connect_external, and return what comes of it."""
        listeners = self.listeners.setdefault(step["event"], [])
        name = step["listener"]
        if step["do"] == "has_listener":
            return name in listeners
        if step["do"] == "add_listener":
            self.learn(step)
            if name not in listeners:
                self.listeners[step["event"]] = [*listeners, name]
        else:
            self.listeners[step["event"]] = [other for other in listeners if other != name]
        return "ok"

    def close(self, error: str | None = None) -> None:
        """DialectRules 20 and 27."""
        self.alive = False
        for port in self.ports.values():
            port.held = False
            port.leave_scope(error, vanished=True)
