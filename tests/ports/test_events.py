"""Events: who is called, and in which order. Rules 28 and 29."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support import each_dialect, settle

from trio_ports import Event, Port, open_port_pair


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
    event: Event[Any] = Event("on_message", owner.refuse)
    event.add_listener(print)
    event.add_listener(print)
    with pytest.raises(trio.BusyResourceError):
        event.add_listener(repr)
    assert owner.asked == [print, repr]
    assert event.listeners == (print,)
    del owner
    event.add_listener(repr)
    assert event.listeners == (print, repr)


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
