"""One-shot messages between browsers on a bus: they go where connections go. Rules 60 to 64."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from bus.sharing import URL, share
from support import each_dialect
from trio.testing import wait_all_tasks_blocked

from trio_ports import Cause, MessageTooLargeError, NoAnswerError
from trio_ports._protocol.dialects import DIALECTS, NO_RECEIVER_TEXT


@each_dialect
async def test_asking_elsewhere(dialect: Any) -> None:
    """The page in the other browser answers in any of the ways that there are."""

    async def promise(message: Any, sender: Any, _: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return [message, sender.id]

    def keep(message: Any, _: Any, send_response: Any) -> bool:
        kept.append(send_response)
        return True

    kept: list[Any] = []
    async with share(dialect=dialect) as (_, (one, two)):
        event = two.page.runtime.on_message
        event.add_listener(promise)
        assert await one.page.runtime.send_message({"a": None}) == [{"a": None}, one.extension.id]
        event.remove_listener(promise)
        event.add_listener(lambda *_: None)
        assert await one.page.runtime.send_message(1) is None
        event.add_listener(keep)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect, "kept", one.page.runtime.send_message, 1)
            await wait_all_tasks_blocked()
            kept.pop()("kept")
        tab = two.browser.open_tab(URL)
        two.extension.inject(tab).runtime.on_message.add_listener(promise)
        assert await one.page.tabs.send_message(tab.id, 2) == [2, one.extension.id]


async def _expect(answer: Any, call: Any, *args: Any) -> None:
    assert await call(*args) == answer


async def _fail(cause: Cause | None, text: str | None, call: Any, *args: Any) -> None:
    with pytest.raises(NoAnswerError) as caught:
        await call(*args)
    assert cause in (None, caught.value.cause)
    assert text in (None, str(caught.value))


@each_dialect
async def test_nobody_and_nobody_any_more(dialect: Any) -> None:
    """What the sender learns is the same as in one browser."""
    texts = DIALECTS[dialect].one_shot_texts
    async with share(3, dialect=dialect, listener_errors="log") as (_, (one, two, three)):
        ask = one.page.runtime.send_message
        await _fail(Cause.NO_RECEIVER, NO_RECEIVER_TEXT, ask, 1)
        three.page.runtime.on_message.add_listener(lambda *_: None)
        assert await ask(1) is None

        def fail(*_: Any) -> None:
            raise ValueError("boo")

        two.page.runtime.on_message.add_listener(fail)
        await _fail(Cause.CRASHED, "The other end failed." if dialect == "trio" else "boo", ask, 1)
        two.page.runtime.on_message.remove_listener(fail)
        kept: list[Any] = []
        two.page.runtime.on_message.add_listener(lambda m, s, respond: bool(kept.append(respond)) or True)
        ours = "Whoever was to answer went away, or gave up, before there was an answer."
        async with trio.open_nursery() as nursery:
            if dialect == "firefox":  # There, that somebody has nothing to say is an answer then.
                nursery.start_soon(_expect, None, ask, 1)
            else:
                nursery.start_soon(_fail, Cause.UNANSWERED, texts.gone if texts else ours, ask, 1)
            await wait_all_tasks_blocked()
            two.page.close()


async def test_a_node_that_is_lost() -> None:
    """The sender learns at once that the wire broke."""
    async with share() as (network, (one, two)):
        kept: list[Any] = []
        two.page.runtime.on_message.add_listener(lambda m, s, respond: bool(kept.append(respond)) or True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fail, Cause.WIRE_BROKEN, None, one.page.runtime.send_message, 1)
            await wait_all_tasks_blocked()
            network.kill(two.name)
        kept.pop()("too late")


async def test_a_sender_that_gives_up() -> None:
    """Cancelled before or after its message is there: nothing is left of it anywhere."""
    kept: list[Any] = []
    async with share() as (_, (one, two)):
        two.page.runtime.on_message.add_listener(lambda m, s, respond: bool(kept.append(respond)) or True)
        for waits in (True, False):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(one.page.runtime.send_message, 1)
                    await trio.lowlevel.checkpoint()
                    if waits:
                        await wait_all_tasks_blocked()
                    scope.cancel()
            await wait_all_tasks_blocked()
            for place in (one, two):
                assert not place.page._entry.script.scope.members
        assert kept
        kept.pop()("too late")


async def test_a_node_that_is_lost_while_a_message_is_on_its_way() -> None:
    """What never arrived is not dispatched."""
    seen: list[Any] = []
    async with share() as (network, (one, two)):
        two.page.runtime.on_message.add_listener(lambda m, *_: seen.append(m))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fail, None, None, one.page.runtime.send_message, "x" * 1_000_000)
            while not two.page._entry.script.scope.members:
                await trio.lowlevel.checkpoint()
            network.kill(one.name)
        await wait_all_tasks_blocked()
        assert seen == []


async def test_large_messages() -> None:
    """As large as any message may be, in both directions; and no larger."""
    size = 600_000
    async with share(max_message_bytes=size) as (_, (one, two)):
        two.page.runtime.on_message.add_listener(lambda m, s, respond: respond(m))
        text = "x" * (size - 2)
        assert await one.page.runtime.send_message(text) == text
        with pytest.raises(MessageTooLargeError):
            await one.page.runtime.send_message(text + "x")
