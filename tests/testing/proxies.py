"""Ports that stand before real ones and pass everything on: what mutants are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ProxyEvent:
    """An event that calls its listeners itself, as the rules say; mutants change a method of it."""

    def __init__(self, proxy: ProxyPort, real: Any) -> None:
        self.proxy = proxy
        self.real = real
        self.wrapped: dict[Any, Any] = {}

    def add_listener(self, listener: Any) -> Any:
        self.real.add_listener(self.wrapped.setdefault(listener, self.wrap(listener)))
        return listener

    def remove_listener(self, listener: Any) -> None:
        self.real.remove_listener(self.wrapped.get(listener, listener))

    def has_listener(self, listener: Any) -> bool:
        return bool(self.real.has_listener(self.wrapped.get(listener, listener)))

    def wrap(self, listener: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: self.call(listener, *args[:-1], self.proxy)

    def call(self, listener: Callable[..., Any], *args: Any) -> Any:
        return listener(*args)


class OwnEvent(ProxyEvent):
    """An event with its own list of listeners: one real listener calls them."""

    def __init__(self, proxy: ProxyPort, real: Any) -> None:
        super().__init__(proxy, real)
        self.listeners: list[Any] = []
        self.heard = self.dispatch

    def add_listener(self, listener: Any) -> Any:
        if listener not in self.listeners:
            self.real.add_listener(self.heard)
            self.listeners = [*self.listeners, listener]
        return listener

    def remove_listener(self, listener: Any) -> None:
        self.listeners = [other for other in self.listeners if other != listener]
        if not self.listeners:
            self.real.remove_listener(self.heard)

    def has_listener(self, listener: Any) -> bool:
        return listener in self.listeners

    async def dispatch(self, *args: Any) -> None:
        for listener in self.listeners:
            result = self.call(listener, *args[:-1], self.proxy)
            if result is not None:
                await result


class ProxyPort:
    """A port that passes everything on."""

    message_event: type[ProxyEvent] = ProxyEvent
    end_event: type[ProxyEvent] = ProxyEvent

    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        self.real = real
        self.others = others
        """All ends of the connection, the opener's first."""
        self.on_message: Any = self.message_event(self, real.on_message)
        self.on_disconnect: Any = self.end_event(self, real.on_disconnect)

    @property
    def is_opener(self) -> bool:
        return self.others[0] is self

    @property
    def name(self) -> Any:
        return self.real.name

    @property
    def sender(self) -> Any:
        return self.real.sender

    @property
    def error(self) -> Any:
        return self.real.error

    def post_message(self, message: Any) -> None:
        self.real.post_message(message)

    def disconnect(self) -> None:
        self.real.disconnect()

    async def send(self, message: Any) -> None:
        await self.real.send(message)

    async def receive(self) -> Any:
        return await self.real.receive()

    async def wait_disconnected(self) -> None:
        await self.real.wait_disconnected()

    def statistics(self) -> Any:
        return self.real.statistics()

    async def __aenter__(self) -> Any:
        await self.real.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        return await self.real.__aexit__(*error)
