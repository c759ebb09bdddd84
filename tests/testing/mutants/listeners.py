"""Mutants of rules 28 to 32 and 43: which listeners are called, in which order, and what their exceptions do."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import msgspec
import trio
from testing import makers
from testing.mutants.mutant import SMALL, Mutant, in_browser, in_ports, ports, take_frames
from testing.proxies import OwnEvent, ProxyEvent, ProxyPort

from trio_ports._browser import ports as browser_ports
from trio_ports._ports import block
from trio_ports._ports.delivery import Delivery

LOGGED = {"maker": partial(makers.open_pair, dialect="firefox"), "options": {"dialect": "firefox"}}
RAISED = {
    "maker": partial(makers.open_pair, **{**SMALL, "listener_errors": "raise"}),
    "options": {"listener_errors": "raise"},
}


# Which listeners there are ------------------------------------------------------------------------------------------


class Backwards(OwnEvent):
    def add_listener(self, listener: Any) -> Any:
        super().add_listener(listener)
        if len(self.listeners) > 1:
            self.listeners.insert(0, self.listeners.pop())
        return listener


class Counting(OwnEvent):
    def add_listener(self, listener: Any) -> Any:
        self.real.add_listener(self.heard)
        self.listeners = [*self.listeners, listener]
        return listener


class Sticky(ProxyEvent):
    def remove_listener(self, listener: Any) -> None:
        pass


class Strict(OwnEvent):
    def remove_listener(self, listener: Any) -> None:
        self.listeners.remove(listener)


class Agreeing(ProxyEvent):
    def has_listener(self, listener: Any) -> bool:
        return True


# A listener that changes the list, or disconnects -------------------------------------------------------------------


class Growing(OwnEvent):
    def add_listener(self, listener: Any) -> Any:
        if listener not in self.listeners:
            self.real.add_listener(self.heard)
            self.listeners.append(listener)
        return listener


class Loyal(OwnEvent):
    async def dispatch(self, *args: Any) -> None:
        for listener in tuple(self.listeners):
            result = self.call(listener, *args[:-1], self.proxy)
            if result is not None:
                await result


class Snapshot(OwnEvent):
    """Calls the listeners as rule 29 says; but where one raises, no other is called."""

    async def dispatch(self, *args: Any) -> None:
        for listener in tuple(self.listeners):
            if listener in self.listeners and self.goes_on():
                result = self.call(listener, *args[:-1], self.proxy)
                if result is not None:
                    await result

    def goes_on(self) -> bool:
        return True


class Abrupt(Snapshot):
    def goes_on(self) -> bool:
        return bool(self.proxy.real.statistics().state != "closed")


class Unstoppable(ProxyPort):
    busy = False

    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call

    def disconnect(self) -> None:
        frames = take_frames(self)
        super().disconnect()
        if frames and self.busy:
            trio.lowlevel.spawn_system_task(self.deliver, frames)

    def call(self, listener: Any, *args: Any) -> Any:
        self.busy = True
        try:
            return listener(*args)
        finally:
            self.busy = False

    async def deliver(self, frames: list[bytes]) -> None:
        for frame, listener in itertools.product(frames, self.on_message.wrapped):
            listener(msgspec.json.decode(frame), self)


# What a listener raises ---------------------------------------------------------------------------------------------


class Fragile(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call

    def call(self, listener: Any, *args: Any) -> Any:
        try:
            return listener(*args)
        except Exception:
            self.real.disconnect()
            raise


def close_in_good_order(fail: Any) -> Any:
    def call(self: Any, error: BaseException, *, crash: bool) -> Any:
        if crash:
            self.close(None, vanished=True)
        return fail(self, error, crash=crash)

    return call


# When listeners run -------------------------------------------------------------------------------------------------


def post_by_calling(port: ProxyPort, message: Any) -> None:
    others = [other for other in port.others if other is not port]
    if message == 1 and port.real.statistics().state == "open":
        for listener in [listener for other in others for listener in other.on_message.wrapped]:
            listener(message, others[0])
    else:
        port.real.post_message(message)


def disconnect_by_calling(port: ProxyPort) -> None:
    first = port.real.statistics().state == "open"
    port.real.disconnect()
    for other in port.others:
        if other is not port and first:
            for listener in other.on_disconnect.wrapped:
                listener(other)


class Modest(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        real._delivery.ends_block = True


MUTANTS = [
    Mutant(28, "calls the last listener first", ports(message_event=Backwards)),
    Mutant(28, "calls a listener twice that was added twice", ports(message_event=Counting)),
    Mutant(28, "does not remove listeners", ports(message_event=Sticky)),
    Mutant(28, "raises when a listener is removed that was never added", ports(message_event=Strict)),
    Mutant(28, "says that it has any listener", ports(message_event=Agreeing)),
    Mutant(29, "calls a listener for the message during which it was added", ports(message_event=Growing)),
    Mutant(29, "calls a listener for the message during which it was removed", ports(message_event=Loyal)),
    Mutant(30, "calls no more listeners for a message after one has disconnected", ports(message_event=Abrupt)),
    Mutant(30, "goes on delivering after a listener has disconnected", Unstoppable),
    Mutant(31, "calls no more listeners after one has raised", ports(message_event=Snapshot), **LOGGED),
    Mutant(31, "disconnects when a listener raises", Fragile, **LOGGED),
    in_ports(
        31,
        "ignores a listener's exception",
        Delivery,
        "_leaves",
        lambda _: lambda self, port, error: False,
        **RAISED,
    ),
    in_ports(
        31,
        "does not raise a listener's exception out of the block",
        block.Block,
        "_raise_failures",
        lambda _: lambda self, leaving: None,
        **RAISED,
    ),
    in_ports(
        31,
        "reports to the other end an orderly end when a listener has raised",
        Delivery,
        "_leave_by",
        close_in_good_order,
        **RAISED,
    ),
    in_ports(
        43,
        "fails when its own end leaves a listener of messages or of the end",
        Delivery,
        "_interrupts",
        lambda _: Delivery._leaves,
        **RAISED,
    ),
    in_ports(43, "lets its own end leave its block", block, "without_own_end", lambda _: lambda error, end: error),
    Mutant(43, "leaves an opener's block quietly by its end", Modest),
    in_browser(
        43,
        "fails when its own end leaves a listener of on_connect",
        browser_ports,
        "without_own_end",
        lambda _: lambda error, end: error,
        listener_errors="raise",
    ),
    Mutant(32, "calls listeners inside post_message", ports(post_message=post_by_calling)),
    Mutant(32, "calls on_disconnect inside disconnect", ports(disconnect=disconnect_by_calling)),
]
