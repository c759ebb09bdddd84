"""The idle clock of a background: what keeps it awake, and when it has slept in. Source: rule 46."""

from __future__ import annotations

from typing import Any, Final, final
from weakref import WeakSet

import attrs
import trio

from .._ports.observers import Delivered, Disconnected, Dropped, Observation, Opened, Posted
from .._ports.port import Port
from .._ports.scopes import Scope
from .._protocol.dialects import Dialect
from .ports import has_waiting_messages, is_open

IDLE_SECONDS: Final = 30.0
"""How long browsers let a background do nothing."""


@final
@attrs.define(eq=False)
class IdleClock:
    """When a background has last done something that keeps it awake. It observes the background's ports."""

    idle_seconds: float
    _dialect: Dialect
    _active_at: float = attrs.field(factory=trio.current_time, init=False)
    _native_ports: WeakSet[Port[Any, Any]] = attrs.field(factory=WeakSet[Port[Any, Any]], init=False)

    def note_active(self) -> None:
        """Begin to count anew."""
        self._active_at = trio.current_time()

    def note_native(self, port: Port[Any, Any]) -> None:
        """Count only once this port to a native application is over."""
        self._native_ports.add(port)

    def observe(self, observation: Observation) -> None:
        """Note that something happens to a port of the background."""
        match observation:
            case Opened() | Delivered() | Dropped():
                self.note_active()
            case Posted() if self._dialect.own_posts_keep_awake:
                self.note_active()
            case Disconnected(port=port) if port in self._native_ports:
                self.note_active()
            case _:
                pass

    async def wait(self, scope: Scope) -> None:
        """Return when the background, whose ports belong to ``scope``, has been idle for long enough."""
        while True:
            left = self._active_at + self.idle_seconds - trio.current_time()
            if left <= 0 and not self._is_busy(scope):
                return
            await trio.sleep(left if left > 0 else self.idle_seconds)

    def _is_busy(self, scope: Scope) -> bool:
        if any(map(is_open, self._native_ports)):
            return True
        # Where messages are kept until somebody listens, none may be lost because nobody did in time.
        return self._dialect.keeps_unheard_messages and has_waiting_messages(scope)
