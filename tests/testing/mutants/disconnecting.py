"""Mutants of rules 18 to 27: who learns of an end, when, and what may be done afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import trio
from testing.mutants.mutant import (
    TWO_RECEIVERS,
    Mutant,
    call_soon,
    calling,
    in_browser,
    in_ports,
    ports,
    take_frames,
)
from testing.proxies import ProxyEvent, ProxyPort

from trio_ports._browser import browser, registry, script
from trio_ports._ports.delivery import Delivery
from trio_ports._protocol.errors import Cause, PortError


def state(port: ProxyPort) -> str:
    """Return the state of the correct port."""
    return str(port.real.statistics().state)


# Rules 18, 19 and 22: who is notified -------------------------------------------------------------------------------


def disconnect_and_notify(when: str) -> Callable[[ProxyPort], None]:
    """Make a ``disconnect`` that calls one's own listeners if the port was in this state."""

    def disconnect(port: ProxyPort) -> None:
        before = state(port)
        port.real.disconnect()
        if before == when:
            for listener in port.on_disconnect.wrapped:
                call_soon(listener, port)

    return disconnect


def call_twice(_: ProxyPort, listener: Any, *args: Any) -> Any:
    listener(*args)
    return listener(*args)


class Once(ProxyPort):
    gone = False

    def disconnect(self) -> None:
        if self.gone:
            raise trio.ClosedResourceError
        self.gone = True
        super().disconnect()


def disconnect_unless_ended(port: ProxyPort) -> None:
    if state(port) == "ended":
        raise trio.BrokenResourceError
    port.real.disconnect()


# Rule 20: the end of a scope ----------------------------------------------------------------------------------------


class Discreet(ProxyPort):
    async def __aexit__(self, *error: object) -> Any:
        self.real.disconnect()
        return await super().__aexit__(*error)


class Alarmist(ProxyPort):
    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        if isinstance(error, trio.Cancelled):
            self.real._delivery.close(PortError("The other end failed.", cause=Cause.CRASHED), vanished=False)
        return await self.real.__aexit__(kind, error, traceback)


class Lingering(ProxyPort):
    async def __aenter__(self) -> Any:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(self, *error: object) -> Any:
        await trio.lowlevel.checkpoint()


def close_without_ports(close: Any) -> Any:
    def call(self: Any, error: Any) -> None:
        self.scope.members.clear()
        close(self, error)

    return call


def call_all_listeners(_: Any) -> Any:
    def call(self: Any, event: Any, port: Any) -> None:
        for listener in event.listeners:
            result = None
            if not event.has_listener(listener):
                continue
            try:
                result = listener(port)
            except Exception as error:  # noqa: BLE001 - as the original does
                script.listener_failed(port, error, self._options)
            if result is not None:
                port._delivery.hold()
                self.scope.start_soon(self._run_listener, result, port)

    return call


# Rule 21: what was on its way ---------------------------------------------------------------------------------------


def other_ends(port: ProxyPort) -> list[ProxyPort]:
    """Return the ends that a disconnect of this one has something on its way to."""
    return [other for other in port.others if other is not port and state(port) == "open"]


def disconnect_and_take_back_all(port: ProxyPort) -> None:
    for other in other_ends(port):
        take_frames(other)
    port.real.disconnect()


def disconnect_and_take_back_one(port: ProxyPort) -> None:
    for other in other_ends(port):
        for frame in take_frames(other)[:-1]:
            port.real._end.send_nowait(frame)
    port.real.disconnect()


class EarlyEnd(ProxyPort):
    ended = False

    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call
        self.on_disconnect.call = self.call_end

    def call(self, listener: Any, message: Any, port: Any) -> Any:
        if state(self) == "ending" and not self.ended:
            self.ended = True
            for ender in self.on_disconnect.wrapped:
                ender(self)
        return listener(message, port)

    def call_end(self, listener: Any, port: Any) -> Any:
        return None if self.ended else listener(port)


class Overhearing(ProxyPort):
    def disconnect(self) -> None:
        frames = take_frames(self)
        super().disconnect()
        for frame in frames:
            trio.lowlevel.spawn_system_task(self.deliver, msgspec.json.decode(frame))

    async def deliver(self, message: Any) -> None:
        for listener in self.on_message.wrapped:
            result = listener(message, self)
            if result is not None:
                await result


# Rule 23: posting and sending after the end -------------------------------------------------------------------------


def posting_in_silence(*errors: type[Exception]) -> type[ProxyPort]:
    """Make ports whose ``post_message`` does nothing where it should raise one of these errors."""

    def post_message(port: ProxyPort, message: Any) -> None:
        with contextlib.suppress(*errors):
            port.real.post_message(message)

    return ports(post_message=post_message)


def post_unless_ending(port: ProxyPort, message: Any) -> None:
    if state(port) == "ending":
        raise trio.BrokenResourceError
    port.real.post_message(message)


def post_or_blame_the_other(port: ProxyPort, message: Any) -> None:
    try:
        port.real.post_message(message)
    except trio.ClosedResourceError:
        raise trio.BrokenResourceError from None


async def send_unless_ending(port: ProxyPort, message: Any) -> None:
    if state(port) == "ending":
        await trio.lowlevel.checkpoint()
    else:
        await port.real.send(message)


async def send_in_silence(port: ProxyPort, message: Any) -> None:
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await port.real.send(message)


# Rule 24: listeners that come late, and waiting for the end ---------------------------------------------------------


class NoLateListeners(ProxyEvent):
    def add_listener(self, listener: Any) -> Any:
        return listener if state(self.proxy) == "ended" else super().add_listener(listener)


class Insistent(ProxyEvent):
    def add_listener(self, listener: Any) -> Any:
        if state(self.proxy) == "ended":
            self.remove_listener(listener)
            self.wrapped.pop(listener, None)
        return super().add_listener(listener)


class AwaitingReader(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        real._delivery._has_read = True


class AwaitingReaderInSilence(AwaitingReader):
    @property
    def statistics(self) -> Any:
        raise AttributeError("statistics")


async def wait_for_ever(_: ProxyPort) -> None:
    await trio.sleep_forever()


async def wait_for_nothing(_: ProxyPort) -> None:
    await trio.lowlevel.checkpoint()


def forget_whom_it_called(deliver: Any) -> Any:
    def call(self: Any) -> None:
        deliver(self)
        self._informed = ()

    return call


# Rule 25: why it ended ----------------------------------------------------------------------------------------------


def always_lost(port: ProxyPort) -> PortError | None:
    return PortError("gone", cause=Cause.WIRE_BROKEN) if state(port) == "ended" else None


async def receive_none_at_the_end(port: ProxyPort) -> Any:
    try:
        return await port.real.receive()
    except trio.EndOfChannel:
        return None


async def receive_in_good_order(port: ProxyPort) -> Any:
    try:
        return await port.real.receive()
    except trio.BrokenResourceError:
        raise trio.EndOfChannel from None


async def iterate_in_good_order(port: ProxyPort) -> Any:
    try:
        return await port.receive()
    except (trio.EndOfChannel, trio.BrokenResourceError):
        raise StopAsyncIteration from None


async def receive_without_a_cause(port: ProxyPort) -> Any:
    try:
        return await port.real.receive()
    except trio.BrokenResourceError:
        raise trio.BrokenResourceError from None


class SameForAll(dict[Any, Any]):
    """What every task finds, whatever it looks for."""

    def get(self, key: Any, default: Any = None) -> Any:
        return next(iter(self.values()))


def show_everybody(where: Any, error: Any) -> None:
    """Let ``last_error`` of a script be ``error`` for every task."""
    where.errors = {} if error is None else SameForAll({None: error})


# Rules 26 and 27: several receivers, and pages that go --------------------------------------------------------------


def disconnect_everybody(port: ProxyPort) -> None:
    port.real.disconnect()
    if not port.is_opener:
        port.others[0].real.disconnect()


def crash_contexts(_: Any) -> Any:
    def call(self: Any, frame: Any) -> None:
        for context in tuple(frame.contexts):
            self.close_context(context, PortError("The page has gone.", cause=Cause.CRASHED))

    return call


def close_the_top_frame(_: Any) -> Any:
    def call(self: Any, tab: Any) -> None:
        self.tabs.pop(tab.id, None)
        if tab.frames:
            self._remove_frame(tab.frames[0])

    return call


MUTANTS = [
    Mutant(18, "calls on_disconnect of the one who disconnects", ports(disconnect=disconnect_and_notify("open"))),
    Mutant(19, "calls on_disconnect twice", ports(end_event=calling(call_twice))),
    Mutant(19, "never calls on_disconnect", ports(end_event=calling(lambda *args: None))),
    Mutant(19, "calls on_disconnect when both ends disconnect", ports(disconnect=disconnect_and_notify("ending"))),
    Mutant(20, "reports a crash as an orderly end", Discreet),
    Mutant(20, "reports a cancelled scope as a crash", Alarmist),
    Mutant(20, "does not disconnect at the end of its block", Lingering),
    in_browser(
        20, "does not disconnect the ports of a context that closes", script.Script, "close", close_without_ports
    ),
    in_browser(20, "reports a context's crash as an orderly end", browser, "crash_error", lambda _: lambda _: None),
    in_browser(
        20,
        "calls the other listeners of a context that one of them has closed",
        script.Script,
        "_call_listeners",
        call_all_listeners,
    ),
    Mutant(21, "loses what it posted before it disconnects", ports(disconnect=disconnect_and_take_back_all)),
    Mutant(
        21,
        "loses the last message that it posted before it disconnects",
        ports(disconnect=disconnect_and_take_back_one),
    ),
    Mutant(21, "calls on_disconnect before the last message is delivered", EarlyEnd),
    Mutant(21, "delivers what was on its way to the one who disconnected", Overhearing),
    Mutant(22, "raises at the second disconnect", Once),
    Mutant(22, "raises at a disconnect after the other end's", ports(disconnect=disconnect_unless_ended)),
    Mutant(23, "posts without an error after it has disconnected", posting_in_silence(trio.ClosedResourceError)),
    Mutant(23, "posts without an error after the other end's disconnect", posting_in_silence(trio.BrokenResourceError)),
    Mutant(23, "raises before the other end's disconnect is delivered", ports(post_message=post_unless_ending)),
    Mutant(23, "blames the other end for its own disconnect", ports(post_message=post_or_blame_the_other)),
    Mutant(23, "sends without an error before the other end's disconnect is delivered", ports(send=send_unless_ending)),
    Mutant(23, "sends to nobody without an error", ports(send=send_in_silence)),
    Mutant(24, "does not call a listener that is added after the end", ports(end_event=NoLateListeners)),
    Mutant(24, "calls a late listener each time that it is added", ports(end_event=Insistent)),
    Mutant(24, "never returns from wait_disconnected", ports(wait_disconnected=wait_for_ever)),
    Mutant(24, "returns from wait_disconnected at once", ports(wait_disconnected=wait_for_nothing)),
    Mutant(24, "delays the end for a reader although nobody has ever read", AwaitingReader),
    Mutant(24, "delays the end for a reader, and has no statistics", AwaitingReaderInSilence),
    in_ports(
        24,
        "calls a late listener again that was removed and added again",
        Delivery,
        "_deliver_end",
        forget_whom_it_called,
    ),
    Mutant(25, "has an error after an orderly end", ports(error=always_lost)),
    Mutant(25, "returns None at the end instead of raising", ports(receive=receive_none_at_the_end)),
    Mutant(25, "ends reading in good order after a crash", ports(receive=receive_in_good_order)),
    Mutant(25, "ends async for in good order after a crash", ports(__anext__=iterate_in_good_order)),
    Mutant(25, "raises without its cause after a crash", ports(receive=receive_without_a_cause)),
    in_browser(
        25,
        "keeps last_error when the listeners have returned",
        script.Script,
        "show_error",
        lambda _: lambda self, error: None if error is None else show_everybody(self, error),
        dialect="chrome",
    ),
    in_browser(25, "shows last_error in every dialect", script.Script, "show_error", lambda _: show_everybody),
    Mutant(
        26,
        "ends the connection for everybody when one receiver disconnects",
        ports(disconnect=disconnect_everybody),
        maker=TWO_RECEIVERS,
    ),
    Mutant(
        26,
        "does not notify the opener when the last receiver disconnects",
        ports(end_event=calling(lambda port, listener, *args: None if port.is_opener else listener(*args))),
        maker=TWO_RECEIVERS,
    ),
    Mutant(
        27,
        "does not notify the second receiver when the opener disconnects",
        ports(end_event=calling(lambda port, listener, *args: None if port is port.others[-1] else listener(*args))),
        maker=TWO_RECEIVERS,
    ),
    in_browser(
        27,
        "keeps the ports of a page that navigates",
        registry.Registry,
        "_end_document",
        lambda _: lambda self, frame: None,
    ),
    in_browser(27, "reports a page's navigation as a crash", registry.Registry, "_end_document", crash_contexts),
    in_browser(27, "closes only the top frame of a tab", registry.Registry, "close_tab", close_the_top_frame),
]
