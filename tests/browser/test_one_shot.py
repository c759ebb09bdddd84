"""One-shot messages: who gets them, what counts as the answer, and what the sender learns otherwise. Rules 60 to 64."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec
import pytest
import trio
from support import ScriptedError, World, cancel_everywhere, each_dialect, open_world, refuse_elsewhere, settle

from trio_ports import (
    Cause,
    Context,
    LocalProtocolError,
    MessageSender,
    MessageShapeError,
    MessageTooLargeError,
    NoAnswerError,
    NotSerializableError,
    Observation,
    Opened,
    SendResponse,
)
from trio_ports._protocol.dialects import NO_RECEIVER_TEXT

NOBODY = NO_RECEIVER_TEXT
TRUE_CLOSED = (
    "A listener indicated an asynchronous response by returning true, "
    "but the message channel closed before a response was received"
)
FORGOTTEN = "Promised response from onMessage listener went out of scope"
OURS = "Whoever was to answer went away, or gave up, before there was an answer."
FAILED = "The other end failed."
PENDING = "pending"


@attrs.define
class Asked:
    """A call of send_message in a task of its own."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    outcome: Any = PENDING

    async def run(self, call: Callable[[], Awaitable[Any]]) -> None:
        with self.scope:
            try:
                self.outcome = await call()
            except NoAnswerError as error:
                self.outcome = error.cause, str(error)


class Messages(World):
    """A world whose other page asks."""

    nursery: trio.Nursery

    async def ask(self, message: Any = "hi", *, of: Context | None = None) -> Asked:
        """Send a message, and see what comes of it until everything waits."""
        asked = Asked()
        runtime = (of or self.page).runtime
        self.nursery.start_soon(asked.run, lambda: runtime.send_message(message))
        await settle()
        return asked

    async def outcome(self, *listeners: Callable[..., Any], other: Callable[..., Any] | None = None) -> Any:
        """Return what comes of a message for these listeners of the background, and another page's."""
        for listener in listeners:
            self.background.runtime.on_message.add_listener(listener)
        if other is not None:
            self.extension.open_page("other.html").runtime.on_message.add_listener(other)
        asked = await self.ask()
        return asked.outcome


@asynccontextmanager
async def open_messages(**options: Any) -> AsyncGenerator[Messages]:
    async with open_world(**options) as world, trio.open_nursery() as nursery:
        messages = Messages.__new__(Messages)
        messages.__dict__.update(world.__dict__)
        messages.nursery = nursery
        yield messages
        nursery.cancel_scope.cancel()


KEPT: list[SendResponse] = []


@pytest.fixture(autouse=True)
def forget_kept() -> None:
    KEPT.clear()


def nothing(message: Any, sender: MessageSender, send_response: SendResponse) -> None:
    pass


def responds(message: Any, sender: MessageSender, send_response: SendResponse) -> None:
    send_response("responded")


def keeps(message: Any, sender: MessageSender, send_response: SendResponse) -> bool:
    KEPT.append(send_response)
    return True


def forgets(message: Any, sender: MessageSender, send_response: SendResponse) -> bool:
    return True


def raises(message: Any, sender: MessageSender, send_response: SendResponse) -> None:
    raise ScriptedError("boo")


async def promises(message: Any, sender: MessageSender, send_response: SendResponse) -> Any:
    await trio.lowlevel.checkpoint()
    return "promised"


async def breaks(message: Any, sender: MessageSender, send_response: SendResponse) -> None:
    raise ScriptedError("boo")


# What an answer is ----------------------------------------------------------------------------------------------------


@each_dialect
async def test_what_listeners_are_called_with(dialect: Any) -> None:
    """Rule 60: the message, the sender as ports have it, and a function to answer with."""
    async with open_messages(dialect=dialect) as world:
        seen: list[Any] = []
        world.background.runtime.on_message.add_listener(lambda *args: seen.append(args))
        tab = world.browser.open_tab("https://example.org/")
        script = world.extension.inject(tab)
        await world.ask({"a": [1]}, of=script)
        ((message, sender, send_response),) = seen
        assert message == {"a": [1]}
        assert (sender.id, sender.url, sender.tab.id) == ("notes@example.org", "https://example.org/", tab.id)
        assert callable(send_response)


@each_dialect
@pytest.mark.parametrize("answer", [None, False, 0, "", [], {"a": [{}]}])
async def test_any_json_value_is_an_answer(dialect: Any, answer: Any) -> None:
    """Rule 61: whatever way it is given, False and None included where it is clear that they are meant."""

    async def promise(*_: Any) -> Any:
        return answer

    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(lambda m, s, respond: respond(answer)) == answer
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(promise) == answer
    async with open_messages(dialect=dialect) as world:
        asked = Asked()
        world.background.runtime.on_message.add_listener(keeps)
        world.nursery.start_soon(asked.run, lambda: world.page.runtime.send_message(1))
        await settle()
        assert asked.outcome == PENDING
        KEPT[0](answer)
        await settle()
        assert asked.outcome == answer


@each_dialect
async def test_what_a_listener_returns(dialect: Any) -> None:
    """Rule 61: in trio it is the answer, unless it is None or a bool; browsers ignore it."""
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(lambda *_: {"a": 1}) == ({"a": 1} if dialect == "trio" else None)
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(lambda *_: False, nothing) is None


@each_dialect
async def test_an_async_listener_that_returns_true_answers_true(dialect: Any) -> None:
    """Rule 61: True means later only where a sync listener returns it."""

    async def agrees(*_: Any) -> bool:
        return True

    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(agrees) is True


@each_dialect
async def test_no_sooner_and_no_later(dialect: Any) -> None:
    """Rule 61: after a listener has returned None, its send_response does nothing; nor does a second answer."""
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(lambda m, s, respond: KEPT.append(respond)) is None
        KEPT[0]("too late")
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(lambda m, s, respond: [respond(1), respond(2)].clear()) == 1
    async with open_messages(dialect=dialect) as world:
        world.background.runtime.on_message.add_listener(keeps)
        asked = await world.ask()
        KEPT[1](1)
        KEPT[1](2)
        await settle()
        assert asked.outcome == 1


@each_dialect
async def test_a_listener_that_answers_in_two_ways(dialect: Any) -> None:
    """Rule 61: the first counts; in Firefox what it returns or raises, however late."""

    def both(m: Any, s: Any, respond: SendResponse) -> Awaitable[Any]:
        respond("responded")
        return promises(m, s, respond)

    async def later(m: Any, s: Any, respond: SendResponse) -> str:
        respond("responded")
        await trio.lowlevel.checkpoint()
        return "promised"

    for listener in (both, later):
        async with open_messages(dialect=dialect) as world:
            assert await world.outcome(listener) == ("promised" if dialect == "firefox" else "responded")


@pytest.mark.parametrize(("dialect", "expected"), [("firefox", (Cause.CRASHED, "boo")), ("chrome", "responded")])
async def test_a_listener_that_answers_and_raises(dialect: Any, expected: Any) -> None:
    """Rule 61, the same with an exception."""

    def both(m: Any, s: Any, respond: SendResponse) -> None:
        respond("responded")
        raise ScriptedError("boo")

    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(both) == expected


# Several listeners ----------------------------------------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (nothing, responds, "responded"),
        (responds, nothing, "responded"),
        (keeps, responds, "responded"),
        (promises, responds, "responded"),
        (nothing, promises, "promised"),
        (forgets, promises, "promised"),
        (keeps, nothing, PENDING),
        (nothing, nothing, None),
    ],
)
async def test_two_listeners(dialect: Any, one: Any, two: Any, expected: Any) -> None:
    """Rule 62: the first answer counts, in one context or in two; with none, None comes once all have declined."""
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(one, two) == expected
    async with open_messages(dialect=dialect) as world:
        in_two = (Cause.UNANSWERED, FORGOTTEN) if one is forgets and dialect == "firefox" else expected
        assert await world.outcome(one, other=two) == in_two


@pytest.mark.parametrize("dialect", ["firefox", "chrome"])
@pytest.mark.parametrize("first", [raises, breaks])
async def test_a_failure_counts_as_an_answer(dialect: Any, first: Any) -> None:
    """Rule 62: the sender gets it at once, whoever might have answered later."""
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(first, keeps) == (Cause.CRASHED, "boo")
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(keeps, other=first) == (Cause.CRASHED, "boo")
        KEPT[0]("late")


async def test_what_raises_leaves_through_the_scope() -> None:
    """Rule 63: in trio, as from any listener; the sender is told that it failed, and not how."""
    for listener in (raises, breaks):
        asked = Asked()
        with pytest.raises(ExceptionGroup) as caught:
            async with trio.open_nursery() as nursery, open_world() as world:
                world.background.runtime.on_message.add_listener(listener)
                runtime = world.page.runtime
                nursery.start_soon(asked.run, lambda runtime=runtime: runtime.send_message("hi"))
                await trio.sleep_forever()
        assert caught.group_contains(ScriptedError)
        assert asked.outcome == (Cause.CRASHED, FAILED)


async def test_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Rule 63: where listeners' exceptions are logged, these are too; in trio the text stays here all the same."""
    async with open_messages(listener_errors="log") as world:
        assert await world.outcome(raises) == (Cause.CRASHED, FAILED)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "boo" in caplog.text


@pytest.mark.parametrize(
    ("dialect", "text"), [("firefox", NOBODY), ("chrome", "Could not serialize message."), ("trio", FAILED)]
)
async def test_an_answer_that_cannot_be_encoded(dialect: Any, text: str) -> None:
    """Rule 63: the call raises, as for any message; what leaves the listener is its failure."""

    async def promise(*_: Any) -> Any:
        return {"a": object()}

    for listener in (promise, lambda m, s, respond: respond({"a": object()})):
        async with open_messages(dialect=dialect, listener_errors="log") as world:
            assert await world.outcome(listener) == (Cause.CRASHED, text)

    def cautious(m: Any, s: Any, respond: SendResponse) -> None:
        with pytest.raises(NotSerializableError) as caught:
            respond({"a": object()})
        assert caught.value.path == "$.a"
        respond("responded")

    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(cautious) == "responded"
    if dialect == "trio":
        async with open_messages(listener_errors="log") as world:
            assert await world.outcome(lambda *_: object()) == (Cause.CRASHED, FAILED)


# Nobody, and nobody any more ------------------------------------------------------------------------------------------


@each_dialect
async def test_nobody(dialect: Any) -> None:
    """Rule 60: nobody listens, only oneself does, or the extension is not there: one error for all."""
    async with open_messages(dialect=dialect) as world:
        nobody = (Cause.NO_RECEIVER, NOBODY)
        assert (await world.ask()).outcome == nobody
        world.page.runtime.on_message.add_listener(responds)
        world.background.runtime.on_message_external.add_listener(responds)
        assert (await world.ask()).outcome == nobody
        for call in (
            lambda: world.page.runtime.send_message(1, "absent@example.org"),
            lambda: world.page.tabs.send_message(99, 1),
        ):
            with pytest.raises(NoAnswerError) as caught:
                await call()
            assert caught.value.cause is Cause.NO_RECEIVER
        asked = await world.ask(of=world.page)
        world.background.runtime.on_message.add_listener(responds)
        world.background.runtime.on_message.remove_listener(responds)
        assert asked.outcome == nobody


@each_dialect
async def test_a_listener_removed_before_the_message_comes(dialect: Any) -> None:
    """Rule 60: whoever has no listener when the message comes is nobody."""
    async with open_messages(dialect=dialect) as world:
        event = world.background.runtime.on_message
        event.add_listener(responds)
        # The receivers are found in the call's first step, and called in a later one, after the connection.
        world.background.runtime.on_connect.add_listener(lambda port: event.remove_listener(responds))
        asked = Asked()

        async def ask() -> None:
            world.page.runtime.connect()
            await asked.run(lambda: world.page.runtime.send_message(1))

        world.nursery.start_soon(ask)
        await settle()
        assert asked.outcome == (Cause.NO_RECEIVER, NOBODY)


@pytest.mark.parametrize(("dialect", "text"), [("trio", OURS), ("firefox", NOBODY), ("chrome", TRUE_CLOSED)])
async def test_whoever_was_to_answer_goes_away(dialect: Any, text: str) -> None:
    """Rule 64: its page is closed, or it is a task that is cancelled with its page."""

    async def waits(*_: Any) -> None:
        await trio.sleep_forever()

    for listener in (keeps, waits):
        async with open_messages(dialect=dialect) as world:
            world.background.runtime.on_message.add_listener(listener)
            asked = await world.ask()
            assert asked.outcome == PENDING
            world.background.close()
            await settle()
            assert asked.outcome == (Cause.UNANSWERED, text)
    assert KEPT[0]("nobody waits") is None  # type: ignore[func-returns-value]


@each_dialect
async def test_one_of_two_goes_away(dialect: Any) -> None:
    """Rule 64: as long as another may answer, nobody is told."""
    async with open_messages(dialect=dialect) as world:
        other = world.extension.open_page("other.html")
        for context in (world.background, other):
            context.runtime.on_message.add_listener(keeps)
        asked = await world.ask()
        world.background.close()
        await settle()
        assert asked.outcome == PENDING
        for respond in KEPT:
            respond("still here")
        await settle()
        assert asked.outcome == "still here"


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [("trio", (Cause.UNANSWERED, OURS)), ("firefox", None), ("chrome", (Cause.UNANSWERED, TRUE_CLOSED))],
)
async def test_one_goes_away_and_another_declines(dialect: Any, expected: Any) -> None:
    """Rule 64: in Firefox, that somebody has nothing to say is then the answer."""
    async with open_messages(dialect=dialect) as world:
        other = world.extension.open_page("other.html")
        world.background.runtime.on_message.add_listener(nothing)
        other.runtime.on_message.add_listener(keeps)
        asked = await world.ask()
        assert asked.outcome == PENDING
        other.close()
        await settle()
        assert asked.outcome == expected


@pytest.mark.parametrize(("dialect", "text"), [("trio", OURS), ("firefox", FORGOTTEN), ("chrome", TRUE_CLOSED)])
async def test_a_promise_that_nobody_can_keep(dialect: Any, text: str) -> None:
    """Rule 64: True was returned, and send_response exists no more."""
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(forgets) == (Cause.UNANSWERED, text)
    async with open_messages(dialect=dialect) as world:
        assert await world.outcome(keeps) == PENDING
        KEPT.clear()
        gc.collect()


async def test_a_send_response_that_outlives_trio() -> None:
    """It may be dropped at any time."""
    kept: list[SendResponse] = []

    def keep(m: Any, s: Any, respond: SendResponse) -> bool:
        kept.append(respond)
        return True

    async def main() -> None:
        async with open_messages() as world:
            assert await world.outcome(keep) == PENDING

    await trio.to_thread.run_sync(trio.run, main)
    kept.clear()


async def test_a_crash_of_the_answering_page() -> None:
    """Rule 64: leaving the page's block by an exception is a crash."""
    async with open_messages() as world:
        world.background.runtime.on_message.add_listener(keeps)
        with pytest.raises(ScriptedError):
            async with world.background:
                asked = await world.ask()
                raise ScriptedError
        await settle()
        assert asked.outcome == (Cause.CRASHED, FAILED)


async def test_a_listener_that_closes_its_context() -> None:
    """A context that was closed runs no listeners, nor does what they returned run."""
    async with open_messages() as world:
        context = world.background

        def closes(*args: Any) -> Awaitable[Any]:
            context.close()
            return promises(*args)

        assert await world.outcome(closes, responds) == (Cause.UNANSWERED, OURS)

        async def later(*args: Any) -> None:
            raise AssertionError("it must not run")

        other = world.extension.open_page("other.html")
        other.runtime.on_message.add_listener(later)
        other.runtime.on_message.add_listener(lambda *_: other.close())
        assert (await world.ask()).outcome == (Cause.UNANSWERED, OURS)


# The sender -----------------------------------------------------------------------------------------------------------


@each_dialect
async def test_a_sender_that_is_cancelled(dialect: Any) -> None:
    """Rule 64: it is gone for the listeners, whose answers go nowhere; nothing is left of the connection."""
    opened: list[Any] = []

    def observe(observation: Observation) -> None:
        if isinstance(observation, Opened):
            opened.append(observation.port)

    async with open_messages(dialect=dialect, observer=observe) as world:
        world.background.runtime.on_message.add_listener(keeps)
        asked = await world.ask()
        asked.scope.cancel()
        await settle()
        assert asked.outcome == PENDING
        KEPT[0]("too late")
        await settle()
        states = [port.statistics().state for port in opened]
        assert sorted(states) == ["closed", "ended"]


def test_cancelled_at_every_step() -> None:
    """A call that is cancelled leaves nothing behind, whenever that happens."""

    async def scenario(scope: trio.CancelScope) -> None:
        async with open_world() as world:
            world.background.runtime.on_message.add_listener(promises)
            with scope:
                assert await world.page.runtime.send_message("hi") == "promised"
            await settle()
            assert await world.page.runtime.send_message("hi") == "promised"
            await settle()
            for context in (world.background, world.page):
                assert not context._entry.script.scope.members

    assert cancel_everywhere(scenario) > 3


async def test_a_message_that_was_sent_arrives() -> None:
    """Rule 60: even if its sender has gone in the same turn."""
    async with open_messages() as world:
        seen: list[Any] = []
        world.background.runtime.on_message.add_listener(lambda m, *_: seen.append(m))
        with trio.CancelScope() as scope:
            call = world.page.runtime.send_message("last words")
            world.nursery.start_soon(lambda: _cancel(scope))
            await call
        await settle()
        assert seen == ["last words"]


async def _cancel(scope: trio.CancelScope) -> None:
    scope.cancel()


@each_dialect
async def test_a_sender_whose_context_closes(dialect: Any) -> None:
    """Its call raises, as any that waits at a port of a closed context."""
    async with open_messages(dialect=dialect) as world:
        world.background.runtime.on_message.add_listener(keeps)
        world.nursery.start_soon(_close_soon, world.page)
        with pytest.raises(trio.ClosedResourceError, match=r"Context page .*is closed"):
            await world.page.runtime.send_message("hi")
        with pytest.raises(trio.ClosedResourceError):
            await world.page.runtime.send_message("hi")
        with pytest.raises(trio.ClosedResourceError):
            await world.page.tabs.send_message(1, "hi")


async def _close_soon(context: Context) -> None:
    await settle()
    context.close()


async def test_what_cannot_be_sent_calls_nobody() -> None:
    """Rule 60: the error comes at once, and names the place."""
    async with open_messages(max_message_bytes=10) as world:
        world.background.runtime.on_message.add_listener(keeps)
        with pytest.raises(NotSerializableError):
            await world.page.runtime.send_message(object())
        with pytest.raises(MessageTooLargeError):
            await world.page.runtime.send_message("x" * 9)
        asked = await world.ask("x" * 8)
        assert len(KEPT) == 1
        with pytest.raises(MessageTooLargeError):
            KEPT[0]("x" * 9)
        KEPT[0]("y" * 8)
        await settle()
        assert asked.outcome == "y" * 8


async def test_many_answers_at_once() -> None:
    """However small the queues of ports, no answer of many pages is in the way of another."""
    async with open_messages(max_buffer_size=1, max_buffer_bytes=1) as world:
        for _ in range(20):
            world.extension.open_page("other.html").runtime.on_message.add_listener(responds)
        assert await world.outcome(responds) == "responded"
        assert (await world.ask()).outcome == "responded"


async def test_the_answers_type() -> None:
    """The answer is decoded into what is asked for, or the call raises; None if nobody has anything to say."""

    class Answer(msgspec.Struct):
        text: str

    async with open_messages() as world:
        runtime = world.page.runtime
        world.background.runtime.on_message.add_listener(lambda m, s, respond: respond(m))
        assert await runtime.send_message({"text": "a"}, message_type=Answer) == Answer("a")
        with pytest.raises(MessageShapeError):
            await runtime.send_message({"text": 1}, message_type=Answer)
        with pytest.raises(TypeError):
            await runtime.send_message(1, message_type=type("Strange", (), {})())


# Who reaches whom -----------------------------------------------------------------------------------------------------


@each_dialect
async def test_tabs_send_message(dialect: Any) -> None:
    """Rule 60: the content scripts of a tab, of one frame or one document, as tabs.connect reaches them."""
    async with open_messages(dialect=dialect) as world:
        tab = world.browser.open_tab("https://example.org/")
        frame = tab.open_frame("https://example.org/frame")
        top, child = world.extension.inject(tab), world.extension.inject(tab, frame.id)
        seen: list[Any] = []

        async def answer(message: Any, sender: MessageSender, _: Any) -> Any:
            seen.append(message)
            return [message, sender.id]

        for context in (top, child):
            context.runtime.on_message.add_listener(answer)
        tabs = world.background.tabs
        assert await tabs.send_message(tab.id, "all") == ["all", "notes@example.org"]
        await settle()
        assert await tabs.send_message(tab.id, "one", frame_id=frame.id) == ["one", "notes@example.org"]
        assert await tabs.send_message(tab.id, "top", document_id=top.document_id) == ["top", "notes@example.org"]
        assert seen == ["all", "all", "one", "top"]


@each_dialect
async def test_messages_from_outside(dialect: Any) -> None:
    """Rule 60: another extension and an allowed web page fire on_message_external, and nothing else."""
    async with open_messages(dialect=dialect) as world:
        other = world.browser.install("other@example.org", externally_connectable={"matches": ["https://ok.org/*"]})
        target = other.open_page()

        async def answer(message: Any, sender: MessageSender, _: Any) -> Any:
            return [message, sender.id]

        target.runtime.on_message.add_listener(raises)
        target.runtime.on_message_external.add_listener(answer)
        allowed = world.browser.open_tab("https://ok.org/").web_page_script()
        assert await allowed.runtime.send_message(1, "other@example.org") == [1, None]
        forbidden = world.browser.open_tab("https://no.org/").web_page_script()
        with pytest.raises(NoAnswerError) as caught:
            await forbidden.runtime.send_message(1, "other@example.org")
        assert caught.value.cause is Cause.NO_RECEIVER
        if dialect == "firefox":
            assert await world.page.runtime.send_message(2, "other@example.org") == [2, "notes@example.org"]


async def test_where_there_are_no_such_events() -> None:
    """Nobody sends to a web page, nor to a content script from outside."""
    async with open_messages() as world:
        tab = world.browser.open_tab("https://example.org/")
        web, script = tab.web_page_script().runtime, world.extension.inject(tab).runtime
        for get in (lambda: web.on_message, lambda: web.on_message_external, lambda: script.on_message_external):
            with pytest.raises(LocalProtocolError, match=r"has no runtime\.on_message"):
                get()
        with pytest.raises(LocalProtocolError, match="extension_id"):
            await web.send_message(1)


async def test_bad_arguments() -> None:
    """Refused at the call, and nobody is called."""
    async with open_messages() as world:
        runtime, tabs = world.page.runtime, world.page.tabs
        world.background.runtime.on_message.add_listener(keeps)
        for error, call in (
            (TypeError, lambda: runtime.send_message("notes@example.org", {"a": 1})),  # type: ignore[arg-type]
            (ValueError, lambda: runtime.send_message(1, "")),
            (TypeError, lambda: tabs.send_message("1", 1)),  # type: ignore[arg-type]
            (TypeError, lambda: tabs.send_message(1, 1, frame_id="0")),  # type: ignore[arg-type]
            (TypeError, lambda: tabs.send_message(1, 1, document_id=0)),  # type: ignore[arg-type]
        ):
            with pytest.raises(error):
                await call()
        with pytest.raises(TypeError, match=r"called with \(message, sender, send_response\)"):
            runtime.on_message.add_listener(lambda message: None)  # type: ignore[arg-type, misc]
        assert not KEPT


async def test_another_thread_cannot_answer() -> None:
    """And is told so; the message can still be answered."""
    async with open_messages() as world:
        world.background.runtime.on_message.add_listener(keeps)
        asked = await world.ask()
        await refuse_elsewhere(lambda: KEPT[0]("from afar"))
        KEPT[0]("from here")
        await settle()
        assert asked.outcome == "from here"


@each_dialect
async def test_listeners_are_called_in_order(dialect: Any) -> None:
    """Rules 28 and 29 hold here too: what an earlier listener removes is called in Chromium only."""
    async with open_messages(dialect=dialect) as world:
        seen: list[Any] = []
        event = world.background.runtime.on_message

        def second(*_: Any) -> None:
            seen.append("second")

        @event.add_listener
        def first(*_: Any) -> None:
            seen.append("first")
            event.remove_listener(second)
            event.add_listener(third)

        def third(*_: Any) -> None:
            seen.append("third")

        event.add_listener(second)
        await world.ask()
        assert seen == (["first", "second"] if dialect == "chrome" else ["first"])


@each_dialect
async def test_messages_and_connections_arrive_in_order(dialect: Any) -> None:
    """What one context does to another arrives there in the order in which it was done."""
    async with open_messages(dialect=dialect) as world:
        seen: list[Any] = []
        world.background.runtime.on_connect.add_listener(lambda port: seen.append(port.name))
        world.background.runtime.on_message.add_listener(lambda m, *_: seen.append(m))
        for number in range(20):
            asked = Asked()
            world.nursery.start_soon(asked.run, lambda number=number: world.page.runtime.send_message(number))
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            world.page.runtime.connect(name=f"c{number}")
        await settle()
        assert [each for each in seen if isinstance(each, int)] == list(range(20))


async def test_leaving_the_browser() -> None:
    """What is on its way still reaches sync listeners; whoever waits learns that nobody will answer."""
    asked, seen = Asked(), []
    async with trio.open_nursery() as nursery, open_world() as world:
        world.background.runtime.on_message.add_listener(lambda m, *_: seen.append(m))
        world.background.runtime.on_message.add_listener(keeps)
        nursery.start_soon(asked.run, lambda: world.page.runtime.send_message("hi"))
        await settle()
    assert seen == ["hi"]
    assert asked.outcome == (Cause.UNANSWERED, OURS)


@each_dialect
async def test_a_background_that_sleeps(dialect: Any) -> None:
    """Rules 44 and 64: a message starts it, listener or not; who waits learns when it stops."""
    async with open_world(dialect=dialect) as world, trio.open_nursery() as nursery:
        extension = world.browser.install("sleepy@example.org")
        page = extension.open_page("page.html", view="popup")
        starts: list[Any] = []

        def start(context: Context) -> None:
            starts.append(context)
            if len(starts) != 2:
                context.runtime.on_message.add_listener(keeps if len(starts) == 1 else promises)

        background = extension.register_background(start)
        asked = Asked()
        nursery.start_soon(asked.run, lambda: page.runtime.send_message("hi"))
        await settle()
        assert (len(starts), len(KEPT), asked.outcome) == (1, 1, PENDING)
        background.stop()
        await settle()
        assert asked.outcome[0] is Cause.UNANSWERED
        with pytest.raises(NoAnswerError) as caught:
            await page.runtime.send_message("nobody listens")
        assert caught.value.cause is Cause.NO_RECEIVER
        assert len(starts) == 2
        background.stop()
        assert await page.runtime.send_message("hi") == "promised"
        assert len(starts) == 3
