"""Events: who is called, and in which order. Rules 28 and 29."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any
from unittest import mock

import pytest
import trio
import trio.testing
from support import each_dialect, settle

from trio_ports import (
    Event,
    Port,
    open_browser,
    open_port_pair,
)


class Recorder(list[tuple[Any, ...]]):
    """Keeps what it is called with. Two of them are equal as long as they have kept the same."""

    def __call__(self, *arguments: Any) -> None:
        self.append(arguments)

    def method(self) -> None:
        raise NotImplementedError


class Answerer:
    """Listeners that belong to an object, and an object that is one."""

    def hear(self, message: Any, port: Any) -> None:
        raise NotImplementedError

    def hear_message(self, message: Any) -> None:
        raise NotImplementedError

    @staticmethod
    def hear_without_self(message: Any, port: Any) -> None:
        raise NotImplementedError

    def __call__(self, message: Any, port: Any) -> None:
        raise NotImplementedError


class Deaf:
    """An object that can be called, and not with two arguments."""

    def __call__(self) -> None:
        raise NotImplementedError


class Opaque:
    """An object that can be called, and does not let itself be asked with what."""

    __signature__ = "what you like"

    def __call__(self) -> None:
        raise NotImplementedError


def wants_an_option(message: Any, port: Any, *, option: int) -> None:
    raise NotImplementedError


@functools.wraps(wants_an_option)
def wrapper(*arguments: Any) -> None:
    raise NotImplementedError


TAKERS: list[Callable[..., Any]] = [
    lambda message, port: None,
    lambda message, port, more=1: None,
    lambda message=None, port=None: None,
    lambda *arguments: None,
    lambda message, *rest: None,
    lambda message, port, *, option=1: None,
    Answerer().hear,
    Answerer.hear_without_self,
    Answerer(),
    functools.partial(wants_an_option, option=1),
    functools.partial(lambda more, message, port: None, 0),
    wrapper,
    mock.Mock(),
    print,
    repr,
    Opaque(),
    dict,
]


async def test_add_listener_returns_its_argument() -> None:
    """So it works as a decorator."""
    event: Event[Any] = Event("on_message")

    @event.add_listener
    def listen() -> None:
        raise NotImplementedError

    assert event.has_listener(listen)
    assert event.listeners == (listen,)
    assert repr(event) == "<on_message: 1 listeners>"


async def test_a_listener_counts_once_and_keeps_its_place() -> None:
    """Rule 28: added twice it is there once; removed and added again it goes last."""
    event: Event[Any] = Event("on_message")
    first, second = print, repr
    for listener in (first, second, first):
        event.add_listener(listener)
    assert event.listeners == (first, second)
    event.remove_listener(first)
    assert not event.has_listener(first)
    event.add_listener(first)
    assert event.listeners == (second, first)


async def test_equal_listeners_are_two() -> None:
    """Rule 28 speaks of the same function: objects that are equal for the moment are called each."""
    event: Event[Any] = Event("on_message")
    first, second = Recorder(), Recorder()
    event.add_listener(first)
    assert not event.has_listener(second)
    event.remove_listener(second)
    event.add_listener(second)
    assert len(event.listeners) == 2
    event.remove_listener(second)
    assert event.has_listener(first)
    assert not event.has_listener(second)


@pytest.mark.parametrize("name", ["method", "append", "__contains__"])
async def test_a_method_counts_once(name: str) -> None:
    """Python makes a new object for a method each time: it is the same listener, of the same object only."""
    event: Event[Any] = Event("on_message")
    first, second = Recorder(), Recorder()
    event.add_listener(getattr(first, name))
    event.add_listener(getattr(first, name))
    event.add_listener(getattr(second, name))
    assert len(event.listeners) == 2
    event.remove_listener(getattr(first, name))
    assert not event.has_listener(getattr(first, name))
    assert event.has_listener(getattr(second, name))


@pytest.mark.parametrize("dialect", ["trio", "firefox"])
async def test_equal_listeners_are_two_in_a_dispatch(dialect: Any) -> None:
    """Rule 29: one removed by an earlier listener is not called, whatever an equal one does that is there still."""
    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery, dialect=dialect)
        removed, left = Recorder(), Recorder()
        receiver.on_message.add_listener(lambda message, port: port.on_message.remove_listener(removed))
        receiver.on_message.add_listener(removed)
        receiver.on_message.add_listener(left)
        opener.post_message(1)
        await settle()
        assert (removed, left) == ([], [(1, receiver)])
        opener.disconnect()


async def test_removing_what_was_never_added_does_nothing() -> None:
    """Rule 28."""
    event: Event[Any] = Event("on_message")
    event.remove_listener(print)
    assert event.listeners == ()
    assert not event.has_listener(print)


@pytest.mark.parametrize("listener", [None, 1, "name", []])
async def test_a_listener_must_be_callable(listener: Any) -> None:
    """The mistake is at the call, and nothing was added."""
    event: Event[Any] = Event("on_message")
    with pytest.raises(TypeError, match="a listener of on_message must be callable"):
        event.add_listener(listener)
    assert event.listeners == ()


@pytest.mark.parametrize("listener", TAKERS)
async def test_what_takes_the_arguments_is_a_listener(listener: Callable[..., Any]) -> None:
    """However it comes by them; so is what does not let itself be asked, whose call will tell."""
    event: Event[Any] = Event("on_message", arguments=("message", "port"))
    event.add_listener(listener)
    assert event.has_listener(listener)


@pytest.mark.parametrize(
    ("listener", "signature"),
    [
        (lambda: None, r"\(\)"),
        (lambda message: None, r"\(message\)"),
        (lambda message, port, more: None, r"\(message, port, more\)"),
        (wants_an_option, r"\(message: 'Any', port: 'Any', \*, option: 'int'\) -> 'None'"),
        (Answerer().hear_message, r"\(message: 'Any'\) -> 'None'"),
        (Deaf(), r"\(\) -> 'None'"),
        (types.MethodType(Answerer(), 0), r"\(port: 'Any'\) -> 'None'"),
        (functools.partial(lambda message, port: None, 0), r"\(port\)"),
    ],
)
async def test_a_listener_takes_what_it_is_called_with(listener: Callable[..., Any], signature: str) -> None:
    """The mistake is at the call that adds it, not at the first message, and nothing was added."""
    event: Event[Any] = Event("on_message", arguments=("message", "port"))
    told = rf"a listener of on_message is called with \(message, port\), but .* takes {signature}"
    with pytest.raises(TypeError, match=told):
        event.add_listener(listener)
    assert event.listeners == ()


async def test_every_event_says_what_its_listeners_are_called_with(nursery: trio.Nursery) -> None:
    """Messages come with their port, ends and connections are a port."""
    opener, _ = open_port_pair(nursery)
    wrong: Any = [lambda: None, lambda one: None, lambda one, two: None, lambda one, two, three: None]
    async with open_browser() as browser:
        runtime = browser.install("notes@example.org").open_page("background.html").runtime
        for event, count in (
            (opener.on_message, 2),
            (opener.on_disconnect, 1),
            (runtime.on_connect, 1),
            (runtime.on_connect_external, 1),
        ):
            right = wrong[count]
            event.add_listener(right)
            for listener in wrong:
                if listener is not right:
                    with pytest.raises(TypeError, match="is called with"):
                        event.add_listener(listener)
            assert event.listeners == (right,)
    opener.disconnect()


def test_outside_trio() -> None:
    """A listener is added from inside the run that will call it."""
    event: Event[Any] = Event("on_message")
    with pytest.raises(RuntimeError, match=r"on_message\.add_listener must be called from inside trio\.run"):
        event.add_listener(print)


async def test_a_hook_may_refuse() -> None:
    """It hears of new listeners only, before they are added; once its owner is gone nobody is asked."""

    class Owner:
        def __init__(self) -> None:
            self.asked: list[Any] = []

        def refuse(self, listener: Any) -> None:
            self.asked.append(listener)
            if listener is repr:
                raise trio.BusyResourceError

    owner = Owner()
    event: Event[Any] = Event("on_message", owner, Owner.refuse)
    event.add_listener(print)
    event.add_listener(print)
    with pytest.raises(trio.BusyResourceError):
        event.add_listener(repr)
    assert owner.asked == [print, repr]
    assert event.listeners == (print,)
    del owner
    event.add_listener(repr)
    assert event.listeners == (print, repr)


async def test_generator_functions_are_refused(nursery: trio.Nursery) -> None:
    """Calling one runs none of its body."""
    opener, receiver = open_port_pair(nursery)

    class Reader:
        async def hear(self, message: Any, port: Port) -> AsyncGenerator[Any]:
            yield message

    def hear(message: Any, port: Port) -> Generator[Any]:
        yield message

    for listener in (hear, Reader().hear):
        with pytest.raises(TypeError, match="is a generator function, whose body would never run"):
            receiver.on_message.add_listener(listener)
    assert receiver.on_message.listeners == ()
    opener.disconnect()


@each_dialect
async def test_bound_methods_are_the_same_listener(nursery: trio.Nursery, dialect: Any) -> None:
    """Each look at a method makes another object; they are equal, and equal listeners are one."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)

    class Reader:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def hear(self, message: Any, port: Port) -> None:
            self.seen.append(message)

    reader = Reader()
    receiver.on_message.add_listener(reader.hear)
    receiver.on_message.add_listener(reader.hear)
    opener.post_message(1)
    await settle()
    receiver.on_message.remove_listener(reader.hear)
    opener.post_message(2)
    await settle()
    assert reader.seen == [1]


@each_dialect
async def test_listeners_are_called_in_order(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 28: sync and async ones alike, each with the message and the port."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    called: list[Any] = []

    async def second(message: Any, port: Port) -> None:
        await trio.lowlevel.checkpoint()
        called.append(("second", message, port))

    receiver.on_message.add_listener(lambda message, port: called.append(("first", message, port)))
    receiver.on_message.add_listener(second)
    receiver.on_message.add_listener(lambda message, port: called.append(("third", message, port)))
    opener.post_message(0)
    opener.post_message(1)
    await settle()
    assert called == [(name, n, receiver) for n in (0, 1) for name in ("first", "second", "third")]


@each_dialect
async def test_a_listener_added_in_a_dispatch_is_not_called_in_it(nursery: trio.Nursery, dialect: Any) -> None:
    """Rule 29, for messages and for the end."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    called: list[Any] = []

    def late(message: Any, port: Port) -> None:
        called.append(("late", message))

    def early(message: Any, port: Port) -> None:
        called.append(("early", message))
        port.on_message.add_listener(late)

    receiver.on_message.add_listener(early)
    opener.post_message(1)
    opener.post_message(2)
    await settle()
    assert called == [("early", 1), ("early", 2), ("late", 2)]


@pytest.mark.parametrize(("dialect", "still_called"), [("trio", False), ("firefox", False), ("chrome", True)])
async def test_a_listener_removed_in_a_dispatch(nursery: trio.Nursery, dialect: Any, still_called: bool) -> None:
    """Rule 29: by an earlier one; Chromium still calls it in this dispatch."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    called: list[Any] = []

    def removed(message: Any, port: Port) -> None:
        called.append(("removed", message))

    def remover(message: Any, port: Port) -> None:
        called.append(("remover", message))
        port.on_message.remove_listener(removed)

    receiver.on_message.add_listener(remover)
    receiver.on_message.add_listener(removed)
    opener.post_message(1)
    opener.post_message(2)
    await settle()
    assert called == [("remover", 1), *([("removed", 1)] if still_called else []), ("remover", 2)]


@pytest.mark.parametrize(("dialect", "still_called"), [("trio", False), ("firefox", False), ("chrome", True)])
async def test_an_end_listener_removed_in_a_dispatch(nursery: trio.Nursery, dialect: Any, still_called: bool) -> None:
    """Rule 29 holds for on_disconnect too."""
    opener, receiver = open_port_pair(nursery, dialect=dialect)
    called: list[str] = []

    def removed(port: Port) -> None:
        called.append("removed")

    def added(port: Port) -> None:
        called.append("added")

    def remover(port: Port) -> None:
        called.append("remover")
        port.on_disconnect.remove_listener(removed)
        port.on_disconnect.add_listener(added)

    receiver.on_disconnect.add_listener(remover)
    receiver.on_disconnect.add_listener(removed)
    opener.disconnect()
    await settle()
    # In the dialect trio a listener that comes after the end is told of it all the same, later (rule 24).
    expected = ["remover", *(["removed"] if still_called else []), *(["added"] if dialect == "trio" else [])]
    assert called == expected


async def test_events_are_not_assigned_to(nursery: trio.Nursery) -> None:
    """The habit of ``port.onmessage = f``: an error on that line, and the port goes on."""
    opener, _ = open_port_pair(nursery)
    for name in ("on_message", "on_disconnect"):
        with pytest.raises(AttributeError, match=name):
            setattr(opener, name, print)
    opener.disconnect()
