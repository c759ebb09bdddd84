"""Subjects that are broken on purpose, one way each. The table in the documentation lists them."""

from __future__ import annotations

import contextlib
import itertools
import json
import unicodedata
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any
from unittest import mock

import attrs
import msgspec
import trio
from testing import makers
from testing.proxies import OwnEvent, ProxyEvent, ProxyPort

from trio_ports._browser import browser, connecting, registry, routing, runtime, script
from trio_ports._ports import block, connection, core, lanes
from trio_ports._protocol import dialects, patterns
from trio_ports._protocol.errors import Cause, MessageTooLargeError, PortError

SMALL = {"max_buffer_size": 3, "max_message_bytes": 500}


@attrs.frozen
class Mutant:
    """A subject that breaks a rule."""

    rule: int
    does: str
    port: type[ProxyPort] = ProxyPort
    maker: Callable[[], Any] = partial(makers.open_pair, **SMALL)
    patch: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    options: dict[str, Any] = attrs.Factory(dict)
    browser: bool = False
    """It is a browser that is broken."""

    @asynccontextmanager
    async def make(self) -> AsyncGenerator[tuple[ProxyPort, ...]]:
        async with self.maker() as ends:
            others: list[ProxyPort] = []
            others += [self.port(end, others) for end in ends]
            yield tuple(others)


MUTANTS: list[Mutant] = []


def find_mutant(does: str) -> Mutant:
    """Return the mutant that does this."""
    (found,) = [mutant for mutant in MUTANTS if mutant.does == does]
    return found


def breaks(rule: int, does: str, **options: Any) -> Callable[[type[ProxyPort]], type[ProxyPort]]:
    """Note a class of ports as a mutant."""

    def note(port: type[ProxyPort]) -> type[ProxyPort]:
        MUTANTS.append(Mutant(rule, does, port, **options))
        return port

    return note


def breaks_event(rule: int, does: str, *, end: bool = False, **options: Any) -> Any:
    """Note a class of events as a mutant."""

    def note(event: type[ProxyEvent]) -> type[ProxyEvent]:
        kind = type(event.__name__, (ProxyPort,), {"end_event" if end else "message_event": event})
        MUTANTS.append(Mutant(rule, does, kind, **options))
        return event

    return note


TWO = {"maker": partial(makers.open_in_browser, 2, **SMALL)}
LOGGED = {"maker": partial(makers.open_pair, dialect="firefox"), "options": {"dialect": "firefox"}}


# Names and senders --------------------------------------------------------------------------------------------------


@breaks(8, "changes the name on its way")
class Renamed(ProxyPort):
    @property
    def name(self) -> Any:
        return self.real.name if self.is_opener else self.real.name.upper()


@breaks(9, "leaks the sender to the opener")
class Leaking(ProxyPort):
    @property
    def sender(self) -> Any:
        return makers.SENDER


@breaks(9, "tells the receiver no sender")
class Anonymous(ProxyPort):
    sender = None  # type: ignore[assignment]


# Messages -----------------------------------------------------------------------------------------------------------


@breaks(10, "delivers every other message before the one before it")
class Reordering(ProxyPort):
    kept: Any = None

    def post_message(self, message: Any) -> None:
        if message == 2:
            self.kept = message
            return
        super().post_message(message)
        if self.kept is not None:
            kept, self.kept = self.kept, None
            super().post_message(kept)


@breaks(10, "delivers a message twice")
class Doubling(ProxyPort):
    def post_message(self, message: Any) -> None:
        super().post_message(message)
        if message == 4:
            super().post_message(message)


@breaks(10, "loses a message of many")
class Losing(ProxyPort):
    def post_message(self, message: Any) -> None:
        if message != 3:
            super().post_message(message)


@breaks(11, "lets receivers hear each other", **TWO)
class Gossiping(ProxyPort):
    def post_message(self, message: Any) -> None:
        super().post_message(message)
        if not self.is_opener:
            self.others[0].real.post_message(message)


@breaks(11, "tells the first receiver only", **TWO)
class Favouring(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call

    def call(self, listener: Any, message: Any, port: Any) -> Any:
        return None if self is self.others[-1] else listener(message, port)


@breaks(12, "encodes late: what the sender changes afterwards is seen")
class Sharing(ProxyPort):
    shared: list[Any] = []

    def post_message(self, message: Any) -> None:
        if isinstance(message, list):
            Sharing.shared.append(message)
            message = {"shared": len(Sharing.shared) - 1}
        super().post_message(message)

    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call

    def call(self, listener: Any, message: Any, port: Any) -> Any:
        shared = isinstance(message, dict) and "shared" in message
        return listener(Sharing.shared[message["shared"]] if shared else message, port)


@breaks(12, "writes bytes as text")
class Base64(ProxyPort):
    def post_message(self, message: Any) -> None:
        super().post_message(message.decode() if isinstance(message, bytes) else message)


@breaks(12, "swallows what is no JSON")
class Swallowing(ProxyPort):
    def post_message(self, message: Any) -> None:
        with contextlib.suppress(TypeError):
            super().post_message(message)


@breaks(12, "posts NaN as a text")
class NotANumber(ProxyPort):
    def post_message(self, message: Any) -> None:
        super().post_message("NaN" if message != message else message)  # noqa: PLR0124


@breaks(13, "swallows null")
class NullIsNothing(ProxyPort):
    def post_message(self, message: Any) -> None:
        if message is not None:
            super().post_message(message)


@breaks(13, "swallows whatever is false")
class FalseIsNothing(ProxyPort):
    def post_message(self, message: Any) -> None:
        if message or isinstance(message, (list, dict)):
            super().post_message(message)


@breaks(13, "reads an empty list as nothing")
class EmptyIsNothing(ProxyPort):
    async def receive(self) -> Any:
        message = await super().receive()
        return await super().receive() if message == [] else message


@breaks(13, "takes null for the end")
class NullIsTheEnd(ProxyPort):
    async def receive(self) -> Any:
        message = await super().receive()
        if message is None:
            raise trio.EndOfChannel
        return message


@breaks_event(14, "calls listeners with the message only")
class MessageOnly(ProxyEvent):
    def call(self, listener: Any, *args: Any) -> Any:
        return listener(*args[:1])


@breaks(15, "drops what nobody listens for")
class Dropping(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        real.on_message.add_listener(print_nothing)


def print_nothing(message: Any, port: Any) -> None:
    pass


@breaks(15, "keeps the last message only")
class Forgetful(ProxyPort):
    def post_message(self, message: Any) -> None:
        for other in self.others:
            if other is not self and not other.on_message.wrapped and other.real.statistics().state == "open":
                drain(other)
        super().post_message(message)


def drain(port: ProxyPort) -> None:
    """Throw away what waits at a port."""
    while port.real.statistics().messages_waiting:
        port.real._end.receive_nowait()


@breaks(15, "keeps what a browser drops", maker=makers.open_pair, options={"dialect": "firefox"})
class Keeping(ProxyPort):
    pass


@breaks(16, "has no limit of size", maker=partial(makers.open_pair, max_buffer_size=3))
class Limitless(ProxyPort):
    pass


@breaks(
    16, "refuses a message of exactly the limit", maker=partial(makers.open_pair, **{**SMALL, "max_message_bytes": 499})
)
class Stingy(ProxyPort):
    pass


@breaks(17, "has no bound", maker=partial(makers.open_pair, max_message_bytes=500))
class Boundless(ProxyPort):
    pass


@breaks(17, "has room for one message less", maker=partial(makers.open_pair, **{**SMALL, "max_buffer_size": 2}))
class Narrow(ProxyPort):
    pass


@breaks(17, "drops what does not fit")
class Overflowing(ProxyPort):
    def post_message(self, message: Any) -> None:
        with contextlib.suppress(trio.WouldBlock):
            super().post_message(message)


@breaks(17, "does not wait for room in send")
class Hasty(ProxyPort):
    async def send(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()
        self.real.post_message(message)


@breaks(17, "delivers a send that was cancelled while it waited")
class Regretting(ProxyPort):
    async def send(self, message: Any) -> None:
        try:
            await super().send(message)
        except trio.Cancelled:
            trio.lowlevel.spawn_system_task(self.send_later, message)
            raise

    async def send_later(self, message: Any) -> None:
        with contextlib.suppress(trio.ClosedResourceError, trio.BrokenResourceError):
            await self.real.send(message)


# Disconnecting ------------------------------------------------------------------------------------------------------


class LateCalls(ProxyPort):
    """Ports with something to do in a task of their own."""

    def soon(self, function: Callable[[], Any]) -> None:
        trio.lowlevel.spawn_system_task(self._run, function)

    async def _run(self, function: Callable[[], Any]) -> None:
        function()


@breaks(18, "fires on the one who disconnects")
class Echoing(LateCalls):
    def disconnect(self) -> None:
        first = self.real.statistics().state == "open"
        super().disconnect()
        if first:
            for listener in self.on_disconnect.wrapped:
                self.soon(partial(listener, self))


@breaks_event(19, "fires twice", end=True)
class Twice(ProxyEvent):
    def call(self, listener: Any, *args: Any) -> Any:
        listener(*args)
        return listener(*args)


@breaks_event(19, "never fires", end=True)
class Never(ProxyEvent):
    def call(self, listener: Any, *args: Any) -> Any:
        return None


@breaks(19, "fires when both have disconnected")
class Crossing(LateCalls):
    def disconnect(self) -> None:
        both = self.real.statistics().state == "ending"
        super().disconnect()
        if both:
            for listener in self.on_disconnect.wrapped:
                self.soon(partial(listener, self))


@breaks(20, "takes a crash for an orderly end")
class Discreet(ProxyPort):
    async def __aexit__(self, *error: object) -> Any:
        self.real.disconnect()
        return await super().__aexit__(*error)


@breaks(20, "takes a cancelled scope for a crash")
class Alarmist(ProxyPort):
    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        if isinstance(error, trio.Cancelled):
            self.real._close(PortError("The other end failed.", cause=Cause.CRASHED), vanished=False)
        return await self.real.__aexit__(kind, error, traceback)


@breaks(20, "does not disconnect at the end of its block")
class Lingering(ProxyPort):
    async def __aenter__(self) -> Any:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(self, *error: object) -> Any:
        await trio.lowlevel.checkpoint()


@breaks(21, "throws away what is on its way when it disconnects")
class Draining(ProxyPort):
    def disconnect(self) -> None:
        for other in self.others:
            if other is not self and self.real.statistics().state == "open":
                drain(other)
        super().disconnect()


@breaks(21, "loses the last message before a disconnect")
class Truncating(ProxyPort):
    def disconnect(self) -> None:
        for other in self.others:
            if (
                other is not self
                and self.real.statistics().state == "open"
                and other.real.statistics().messages_waiting
            ):
                frames = []
                while other.real.statistics().messages_waiting:
                    frames.append(other.real._end.receive_nowait())
                for frame in frames[:-1]:
                    self.real._end.send_nowait(frame)
        super().disconnect()


@breaks(21, "tells the end before the last message")
class EarlyEnd(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call
        self.on_disconnect.call = self.call_end
        self.told = False

    def call(self, listener: Any, message: Any, port: Any) -> Any:
        if self.real.statistics().state == "ending" and not self.told:
            self.told = True
            for ender in self.on_disconnect.wrapped:
                ender(self)
        return listener(message, port)

    def call_end(self, listener: Any, port: Any) -> Any:
        return None if self.told else listener(port)


@breaks(21, "delivers what was on its way to the one who disconnected")
class Overhearing(ProxyPort):
    def disconnect(self) -> None:
        waiting = self.real.statistics().messages_waiting
        frames = [self.real._end.receive_nowait() for _ in range(waiting)]
        super().disconnect()
        for frame in frames:
            trio.lowlevel.spawn_system_task(self.deliver, msgspec.json.decode(frame))

    async def deliver(self, message: Any) -> None:
        for listener in self.on_message.wrapped:
            result = listener(message, self)
            if result is not None:
                await result


@breaks(22, "raises at the second disconnect")
class Once(ProxyPort):
    gone = False

    def disconnect(self) -> None:
        if self.gone:
            raise trio.ClosedResourceError
        self.gone = True
        super().disconnect()


@breaks(22, "raises at a disconnect after the other side's")
class Sensitive(ProxyPort):
    def disconnect(self) -> None:
        if self.real.statistics().state == "ended":
            raise trio.BrokenResourceError
        super().disconnect()


@breaks(23, "posts silently after it has disconnected")
class SilentAfterClose(ProxyPort):
    def post_message(self, message: Any) -> None:
        with contextlib.suppress(trio.ClosedResourceError):
            super().post_message(message)


@breaks(23, "posts silently after the other side's end")
class SilentAfterEnd(ProxyPort):
    def post_message(self, message: Any) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            super().post_message(message)


@breaks(23, "raises before the other side's end was delivered")
class Clairvoyant(ProxyPort):
    def post_message(self, message: Any) -> None:
        if self.real.statistics().state == "ending":
            raise trio.BrokenResourceError
        super().post_message(message)


@breaks(23, "blames the other side for its own disconnect")
class Accusing(ProxyPort):
    def post_message(self, message: Any) -> None:
        try:
            super().post_message(message)
        except trio.ClosedResourceError:
            raise trio.BrokenResourceError from None


@breaks(23, "sends without a word before the other side's end was delivered")
class SilentSendMeanwhile(ProxyPort):
    async def send(self, message: Any) -> None:
        if self.real.statistics().state == "ending":
            await trio.lowlevel.checkpoint()
        else:
            await super().send(message)


@breaks(23, "sends to nobody without a word")
class SilentSend(ProxyPort):
    async def send(self, message: Any) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await super().send(message)


@breaks_event(24, "forgets listeners that are added after the end", end=True)
class NoLateListeners(ProxyEvent):
    def add_listener(self, listener: Any) -> Any:
        return listener if self.proxy.real.statistics().state == "ended" else super().add_listener(listener)


@breaks_event(24, "calls a late listener each time that it is added", end=True)
class Insistent(ProxyEvent):
    def add_listener(self, listener: Any) -> Any:
        if self.proxy.real.statistics().state == "ended":
            self.remove_listener(listener)
            self.wrapped.pop(listener, None)
        return super().add_listener(listener)


@breaks(24, "never returns from wait_disconnected")
class Patient(ProxyPort):
    async def wait_disconnected(self) -> None:
        await trio.sleep_forever()


@breaks(24, "returns from wait_disconnected at once")
class Impatient(ProxyPort):
    async def wait_disconnected(self) -> None:
        await trio.lowlevel.checkpoint()


@breaks(24, "waits with the end for a reader although nobody ever read")
class AwaitingReader(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        real._has_read = True


@breaks(24, "waits with the end for a reader, and tells nothing of itself")
class AwaitingReaderInSilence(AwaitingReader):
    @property
    def statistics(self) -> Any:
        raise AttributeError("statistics")


@breaks(25, "has an error after an orderly end")
class Complaining(ProxyPort):
    @property
    def error(self) -> Any:
        return PortError("gone", cause=Cause.WIRE_BROKEN) if self.real.statistics().state == "ended" else None


@breaks(25, "returns None at the end instead of raising")
class NoneAtTheEnd(ProxyPort):
    async def receive(self) -> Any:
        try:
            return await super().receive()
        except trio.EndOfChannel:
            return None


@breaks(25, "ends reading in good order after a crash")
class Soothing(ProxyPort):
    async def receive(self) -> Any:
        try:
            return await super().receive()
        except trio.BrokenResourceError:
            raise trio.EndOfChannel from None


@breaks(26, "ends for everybody when one receiver leaves", **TWO)
class Contagious(ProxyPort):
    def disconnect(self) -> None:
        super().disconnect()
        if not self.is_opener:
            self.others[0].real.disconnect()


@breaks(26, "does not tell the opener of the last receiver's end", **TWO)
class Abandoned(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_disconnect.call = self.call

    def call(self, listener: Any, port: Any) -> Any:
        return None if self.is_opener else listener(port)


@breaks(27, "does not tell the second receiver of the opener's end", **TWO)
class Forgotten(ProxyPort):
    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_disconnect.call = self.call

    def call(self, listener: Any, port: Any) -> Any:
        return None if self is self.others[-1] else listener(port)


# Listeners ----------------------------------------------------------------------------------------------------------


@breaks_event(28, "calls the last listener first")
class Backwards(OwnEvent):
    def add_listener(self, listener: Any) -> Any:
        super().add_listener(listener)
        self.listeners.insert(0, self.listeners.pop()) if len(self.listeners) > 1 else None
        return listener


@breaks_event(28, "calls a listener twice that was added twice")
class Counting(OwnEvent):
    def add_listener(self, listener: Any) -> Any:
        self.real.add_listener(self.heard)
        self.listeners = [*self.listeners, listener]
        return listener


@breaks_event(28, "does not remove listeners")
class Sticky(ProxyEvent):
    def remove_listener(self, listener: Any) -> None:
        pass


@breaks_event(28, "raises when what was never added is removed")
class Strict(OwnEvent):
    def remove_listener(self, listener: Any) -> None:
        self.listeners.remove(listener)


@breaks_event(28, "says of every listener that it has it")
class Agreeing(ProxyEvent):
    def has_listener(self, listener: Any) -> bool:
        return True


@breaks_event(29, "calls a listener in the dispatch that added it")
class Growing(OwnEvent):
    def add_listener(self, listener: Any) -> Any:
        if listener not in self.listeners:
            self.real.add_listener(self.heard)
            self.listeners.append(listener)
        return listener


@breaks_event(29, "calls a listener that was removed in the dispatch")
class Loyal(OwnEvent):
    async def dispatch(self, *args: Any) -> None:
        for listener in tuple(self.listeners):
            result = self.call(listener, *args[:-1], self.proxy)
            if result is not None:
                await result


class Snapshot(OwnEvent):
    """As the rules say."""

    async def dispatch(self, *args: Any) -> None:
        for listener in tuple(self.listeners):
            if listener in self.listeners and self.goes_on():
                result = self.call(listener, *args[:-1], self.proxy)
                if result is not None:
                    await result

    def goes_on(self) -> bool:
        return True


@breaks_event(30, "stops in the middle of a message when a listener disconnects")
class Abrupt(Snapshot):
    def goes_on(self) -> bool:
        return bool(self.proxy.real.statistics().state != "closed")


@breaks(30, "goes on delivering after a listener has disconnected")
class Unstoppable(ProxyPort):
    left = False

    def disconnect(self) -> None:
        waiting = self.real.statistics().messages_waiting
        frames = [self.real._end.receive_nowait() for _ in range(waiting)]
        super().disconnect()
        self.left = True
        if frames and getattr(self, "busy", False):
            trio.lowlevel.spawn_system_task(self.deliver, frames)

    def __init__(self, real: Any, others: list[ProxyPort]) -> None:
        super().__init__(real, others)
        self.on_message.call = self.call

    def call(self, listener: Any, *args: Any) -> Any:
        self.busy = True
        try:
            return listener(*args)
        finally:
            self.busy = False

    async def deliver(self, frames: list[bytes]) -> None:
        for frame, listener in itertools.product(frames, self.on_message.wrapped):
            listener(msgspec.json.decode(frame), self)


@breaks_event(31, "calls nobody after a listener that raises", **LOGGED)
class Discouraged(Snapshot):
    pass


@breaks(31, "ends the connection when a listener raises", **LOGGED)
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


@breaks(32, "calls listeners inside post_message")
class Reentrant(ProxyPort):
    def post_message(self, message: Any) -> None:
        others = [other for other in self.others if other is not self]
        if message == 1 and self.real.statistics().state == "open":
            for listener in [listener for other in others for listener in other.on_message.wrapped]:
                listener(message, others[0])
        else:
            super().post_message(message)


@breaks(32, "calls on_disconnect inside disconnect")
class Immediate(ProxyPort):
    def disconnect(self) -> None:
        first = self.real.statistics().state == "open"
        super().disconnect()
        for other in self.others:
            if other is not self and first:
                for listener in other.on_disconnect.wrapped:
                    listener(other)


# Browsers -----------------------------------------------------------------------------------------------------------


def patched(rule: int, does: str, target: Any, name: str, dialect: str = "trio") -> Callable[[Any], Any]:
    """Note a browser as a mutant in which a function is another one, made from the original."""

    def note(make: Callable[[Any], Any]) -> Any:
        original = getattr(target, name)
        patch = partial(mock.patch.object, target, name, make(original))
        MUTANTS.append(Mutant(rule, does, patch=patch, browser=True, options={"dialect": dialect}))
        return make

    return note


@patched(1, "tells receivers inside connect", script.Script, "announce")
def announcing_at_once(announce: Any) -> Any:
    def call(self: Any, end: Any, call: Any) -> None:
        announce(self, end, call)
        if self._pending:
            self._announce_next()

    return call


def of_pages(find: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Change who hears a ``runtime.connect``."""

    def hear(where: Any, call: Any, opener: Any) -> Any:
        receivers = find(where, call, opener)
        return receivers if call.extension_id is None else change(receivers)

    return hear


@patched(2, "lets the opener hear itself", connecting, "find_receivers")
def hearing_itself(find: Any) -> Any:
    def hear(where: Any, call: Any, opener: Any) -> Any:
        receivers = find(where, call, opener)
        own = call.extension_id is not None and not call.external and opener.script.listens(external=False)
        return [*receivers, opener] if own and opener.kind != "content_script" else receivers

    return hear


@patched(2, "tells the first page only", connecting, "find_receivers")
def telling_one(find: Any) -> Any:
    return of_pages(find, lambda receivers: receivers[:1])


@patched(2, "tells a page twice", connecting, "find_receivers")
def telling_twice(find: Any) -> Any:
    return of_pages(find, lambda receivers: receivers + receivers[:1])


@patched(3, "tells others of on_connect", script.Script, "event")
def mixing_up(event: Any) -> Any:
    return lambda self, *, external: event(self, external=external and not self.on_connect.listeners)


@patched(3, "reaches content scripts by runtime.connect", connecting, "find_receivers")
def reaching_scripts(find: Any) -> Any:
    def hear(where: Any, call: Any, opener: Any) -> Any:
        receivers = find(where, call, opener)
        extension = where.extensions.get(call.extension_id)
        others = [] if extension is None or call.external else list(extension.contexts)
        scripts = [c for c in others if c.kind == "content_script" and c is not opener]
        return receivers + [c for c in scripts if c.script.listens(external=False)]

    return hear


@patched(4, "does not look at frame_id", connecting, "find_receivers")
def any_frame(find: Any) -> Any:
    return lambda where, call, opener: find(where, attrs.evolve(call, frame_id=None), opener)


@patched(4, "does not look at document_id", connecting, "find_receivers")
def any_document(find: Any) -> Any:
    return lambda where, call, opener: find(where, attrs.evolve(call, document_id=None), opener)


@patched(4, "reaches the top frame only", connecting, "find_receivers")
def top_frame_only(find: Any) -> Any:
    def hear(where: Any, call: Any, opener: Any) -> Any:
        receivers = find(where, call, opener)
        return [c for c in receivers if call.tab_id is None or c.frame.id == 0]

    return hear


@patched(5, "tells nobody when the opener has gone meanwhile", script.Script, "_announce_next")
def gone_already(announce: Any) -> Any:
    def call(self: Any) -> None:
        if self._pending and self._pending[0][0].peer_gone:
            self._pending.popleft()
        else:
            announce(self)

    return call


@patched(6, "never ends a connection that reaches nobody", connecting, "no_receiver")
def waiting_for_ever(_: Any) -> Any:
    return lambda: PortError("It has gone.", cause=Cause.CRASHED)


@patched(6, "says that a connection was forbidden", connecting, "no_receiver")
def telling_why(_: Any) -> Any:
    return lambda: PortError("You may not connect there.", cause=Cause.NO_RECEIVER)


@patched(7, "ends the connection when an on_connect listener raises", script.Script, "_listener_failed", "chrome")
def giving_up(fail: Any) -> Any:
    def call(self: Any, port: Any, error: BaseException) -> None:
        port.disconnect()
        fail(self, port, error)

    return call


@patched(8, "gives every port the same name", runtime, "connect")
def one_name(connect: Any) -> Any:
    return lambda where, opener, call, kind: connect(where, opener, attrs.evolve(call, name="port"), kind)


def describing(rule: int, does: str, dialect: str = "trio", **changes: Any) -> None:
    """Note a browser as a mutant that describes openers otherwise."""

    def make(describe: Any) -> Any:
        return lambda *args, **options: attrs.evolve(describe(*args, **options), **changes)

    patched(rule, does, runtime, "describe_opener", dialect)(make)


describing(9, "does not tell the opener's extension", id=None)
describing(9, "does not tell the opener's address", url=None)
describing(9, "does not tell the opener's tab", tab=None)
describing(9, "says of every opener that it is in the top frame", frame_id=0)
describing(9, "does not tell the opener's document", document_id=None)
describing(9, "tells Firefox of Chromium's life cycle", "firefox", document_lifecycle="active")


@patched(9, "tells Chromium the tab by tabs.connect", runtime, "describe_opener", "chrome")
def by_tab(describe: Any) -> Any:
    return lambda opener, dialect, *, by_tab=False: describe(opener, dialect)


@patched(20, "does not disconnect the ports of a context that closes", script.Script, "close")
def leaving_ports(close: Any) -> Any:
    def call(self: Any, error: Any) -> None:
        self._owner.ports.clear()
        close(self, error)

    return call


@patched(20, "tells nobody that a context has crashed", browser, "crash_error")
def hushing_up(_: Any) -> Any:
    return lambda _: None


@patched(27, "keeps the ports of a page that was navigated", registry.Registry, "_end_document")
def keeping_pages(_: Any) -> Any:
    return lambda self, frame: None


@patched(27, "ends a navigated page with an error", registry.Registry, "_end_document")
def crashing_pages(_: Any) -> Any:
    def call(self: Any, frame: Any) -> None:
        for context in tuple(frame.contexts):
            self.close_context(context, PortError("The page has gone.", cause=Cause.CRASHED))

    return call


class Everybodys(dict[Any, Any]):
    """What everybody finds, whatever they look for."""

    def get(self, key: Any, default: Any = None) -> Any:
        return next(iter(self.values()))


def show_everybody(where: Any, error: Any) -> None:
    """Let ``last_error`` of a script say ``error`` to every task."""
    where.errors = {} if error is None else Everybodys({None: error})


@patched(25, "keeps last_error when the listeners have run", script.Script, "show_error", "chrome")
def lasting(_: Any) -> Any:
    return lambda self, error: show_everybody(self, error) if error is not None else None


# Patched, as somebody else would break them --------------------------------------------------------------------------


@breaks(12, "posts bytes inside a list as text")
class DeepBase64(ProxyPort):
    def post_message(self, message: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            message = msgspec.json.decode(msgspec.json.encode(message)) if isinstance(message, list) else message
        super().post_message(message)


@breaks(13, "composes letters")
class Composing(ProxyPort):
    def post_message(self, message: Any) -> None:
        super().post_message(unicodedata.normalize("NFC", message) if isinstance(message, str) else message)


@breaks(13, "leaves out what is null in an object")
class Sparse(ProxyPort):
    def post_message(self, message: Any) -> None:
        if isinstance(message, dict):
            message = {key: value for key, value in message.items() if value is not None}
        super().post_message(message)


@breaks(16, "counts letters instead of bytes", maker=partial(makers.open_pair, **{**SMALL, "max_message_bytes": 2000}))
class CountingLetters(ProxyPort):
    def check(self, message: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            size = len(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
            if size > SMALL["max_message_bytes"]:
                raise MessageTooLargeError(size=size, limit=SMALL["max_message_bytes"])

    def post_message(self, message: Any) -> None:
        self.check(message)
        super().post_message(message)

    async def send(self, message: Any) -> None:
        self.check(message)
        await super().send(message)


@breaks(25, "ends async for in good order after a crash")
class Iterated(ProxyPort):
    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except (trio.EndOfChannel, trio.BrokenResourceError):
            raise StopAsyncIteration from None


@breaks(25, "raises from nowhere after a crash")
class Causeless(ProxyPort):
    async def receive(self) -> Any:
        try:
            return await super().receive()
        except trio.BrokenResourceError:
            raise trio.BrokenResourceError from None


RAISING = {
    "maker": partial(makers.open_pair, **{**SMALL, "listener_errors": "raise"}),
    "options": {"listener_errors": "raise"},
}


def broken(rule: int, does: str, target: Any, name: str, **options: Any) -> Callable[[Any], Any]:
    """Note ports as a mutant in which a function of the package is another one, made from the original."""

    def note(make: Callable[[Any], Any]) -> Any:
        patch = partial(mock.patch.object, target, name, make(getattr(target, name)))
        MUTANTS.append(Mutant(rule, does, patch=patch, **options))
        return make

    return note


@broken(31, "swallows what a listener raises", core.PortCore, "_listener_failed", **RAISING)
def swallowing(_: Any) -> Any:
    return lambda self, error: None


@broken(31, "lets nothing of a listener's exception out of a block", block.Block, "raise_errors", **RAISING)
def keeping_errors(_: Any) -> Any:
    return lambda self, leaving: None


@broken(31, "hides from the other side that a listener raised", core.PortCore, "_owner_failed", **RAISING)
def hiding(fail: Any) -> Any:
    def call(self: Any, error: BaseException) -> Any:
        if not isinstance(error, trio.Cancelled):
            self._close(None, vanished=True)
        return fail(self, error)

    return call


@broken(24, "tells a listener again that is taken out and added again", core.PortCore, "_deliver_end")
def forgetting(deliver: Any) -> Any:
    def call(self: Any) -> None:
        deliver(self)
        self._told = []

    return call


@broken(17, "posts as long as one receiver has room", lanes.Direction, "has_room", **TWO)
def hasty(_: Any) -> Any:
    def has_room(self: Any, more: int = 1) -> bool:
        return any(not lane.heard or lane.used + more <= self.bound for lane in self.lanes)

    return has_room


@broken(17, "lets those wait on who waited for a receiver that has left", connection.Connection, "_make_room", **TWO)
def waiting_on(_: Any) -> Any:
    return lambda self: None


@patched(3, "lets in extensions that the key does not name", patterns.ExternallyConnectable, "allows_extension")
def letting_in(_: Any) -> Any:
    return lambda self, extension_id: True


@patched(3, "lets nobody in whom no key names", routing, "_lets_in")
def keeping_out(lets_in: Any) -> Any:
    return lambda extension, dialect, call: extension.externally_connectable and lets_in(extension, dialect, call)


@patched(3, "lets every web page in", routing, "_lets_in")
def public(lets_in: Any) -> Any:
    return lambda extension, dialect, call: call.opener_id is None or lets_in(extension, dialect, call)


@patched(4, "looks for a document in the tab that is named", dialects, "DIALECTS", "firefox")
def in_its_tab(table: Any) -> Any:
    return {**table, "firefox": attrs.evolve(table["firefox"], document_id_overrules="nothing")}


@patched(9, "does not tell what the opener's tab shows", routing, "SenderTab")
def blank_tab(tab: Any) -> Any:
    return lambda tab_id, _: tab(tab_id, "")


@patched(9, "keeps the document when it navigates", registry.Registry, "navigate")
def same_document(navigate: Any) -> Any:
    def call(self: Any, frame: Any, url: str) -> None:
        document = frame.document_id
        navigate(self, frame, url)
        self.documents[document] = self.documents.pop(frame.document_id)
        frame.document_id = document

    return call


@patched(15, "delivers nothing before an async on_connect listener has returned", script.Script, "_run_listener")
def waiting_for_listeners(_: Any) -> Any:
    async def call(self: Any, listener: Any, port: Any) -> None:
        await listener
        port._release()

    return call


@patched(20, "calls the other listeners of a context that one has closed", script.Script, "_call_listeners")
def calling_all(_: Any) -> Any:
    def call(self: Any, event: Any, port: Any) -> None:
        for listener in event.listeners:
            result = None
            if not event.has_listener(listener):
                continue
            try:
                result = listener(port)
            except Exception as error:  # noqa: BLE001 - as the original does
                self._listener_failed(port, error)
            if result is not None:
                port._hold()
                self._owner.start_soon(self._run_listener, result, port)

    return call


@patched(25, "shows last_error in every dialect", script.Script, "show_error")
def always_shown(_: Any) -> Any:
    return show_everybody


@patched(27, "closes the top frame of a tab only", registry.Registry, "close_tab")
def closing_the_top(_: Any) -> Any:
    def call(self: Any, tab: Any) -> None:
        self.tabs.pop(tab.id, None)
        if tab.frames:
            self._remove_frame(tab.frames[0])

    return call
