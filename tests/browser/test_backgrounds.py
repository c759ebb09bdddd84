"""Backgrounds that sleep: rules 44 to 46."""

from __future__ import annotations

import contextvars
import functools
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from support import ScriptedError, Witness, each_dialect, refuse_elsewhere, settle
from trio.testing import MockClock

import trio_ports
from trio_ports import Background, Cause, Context, Extension, Port, open_browser
from trio_ports._protocol.dialects import DialectName

browsers = pytest.mark.parametrize("dialect", ["firefox", "chrome"])


def on_the_clock(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on a clock that jumps whenever every task waits for it."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        trio.run(functools.partial(test, **arguments), clock=MockClock(autojump_threshold=0))

    return run


class Worker:
    """A background's script that echoes, and remembers what happens to it."""

    def __init__(self, extension: Extension, **options: Any) -> None:
        self.starts: list[Context] = []
        self.heard: list[str] = []
        self.ends: list[Port] = []
        self.background: Background = extension.register_background(self.start, **options)

    def start(self, context: Context) -> None:
        self.starts.append(context)
        context.runtime.on_connect.add_listener(self.hear)

    def hear(self, port: Port) -> None:
        self.heard.append(port.name)
        port.on_message.add_listener(lambda message, port: port.post_message({"you said": message}))
        port.on_disconnect.add_listener(self.ends.append)


def inject(browser: trio_ports.Browser, extension: Extension) -> Context:
    return extension.inject(browser.open_tab("https://example.com/"))


def error_of(context: Context, port: Port) -> list[Cause | None]:
    """Remember why a port ends, in every dialect."""
    causes: list[Cause | None] = []

    def note(port: Port) -> None:
        error = port.error or context.runtime.last_error
        causes.append(None if error is None else error.cause)

    port.on_disconnect.add_listener(note)
    return causes


# Rule 44: it is started by whoever calls --------------------------------------------------------------------------


@each_dialect
async def test_a_call_starts_it(dialect: DialectName) -> None:
    """It begins asleep; a connect starts it, and everything that was posted meanwhile arrives."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        worker = Worker(extension)
        assert worker.background.context is None
        assert worker.background.extension is extension
        port = inject(browser, extension).runtime.connect(name="c")
        witness = Witness(port)
        port.post_message(1)
        port.post_message(2)
        assert worker.starts == []  # Not inside the call.
        await settle()
        assert (len(worker.starts), worker.heard) == (1, ["c"])
        assert witness.seen == [{"you said": 1}, {"you said": 2}]
        assert worker.background.context is worker.starts[0]
        assert (worker.starts[0].kind, worker.starts[0].state) == ("background", "running")


@each_dialect
async def test_one_start_serves_all(dialect: DialectName) -> None:
    """Five connects from each of two tabs: one start, and every on_connect in order."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        worker = Worker(extension)
        for tab in "ab":
            script = inject(browser, extension)
            for number in range(5):
                script.runtime.connect(name=f"{tab}{number}")
        await settle()
        assert len(worker.starts) == 1
        assert worker.heard == [f"{tab}{number}" for tab in "ab" for number in range(5)]
        worker.background.wake()  # It runs already.
        await settle()
        assert len(worker.starts) == 1


@on_the_clock
@each_dialect
@pytest.mark.parametrize("late", ["never", "later", "after a checkpoint"])
async def test_nobody_listens_when_the_first_turn_is_over(late: str, dialect: DialectName) -> None:
    """The opener gets the error that it gets when nobody is there; the background runs all the same."""
    heard: list[Port] = []

    async def start(context: Context) -> None:
        if late == "after a checkpoint":
            await trio.lowlevel.checkpoint()
        elif late == "later":
            await trio.sleep(0.3)
        else:
            return
        context.runtime.on_connect.add_listener(heard.append)

    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(start)
        script = inject(browser, extension)
        causes = error_of(script, script.runtime.connect())
        await settle()
        assert (causes, heard) == ([Cause.NO_RECEIVER], [])
        assert background.context is not None
        await trio.sleep(0.4)
        script.runtime.connect()
        await settle()
        assert len(heard) == (late != "never")


@each_dialect
async def test_an_async_start(dialect: DialectName) -> None:
    """What it adds before it first waits counts; what it goes on with is cancelled when the background stops."""
    ends: list[str] = []

    async def start(context: Context) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await context.runtime.serve(answer)
            finally:
                ends.append("stopped")

    async def answer(port: Port) -> None:
        async for message in port:
            await port.send({"you said": message})

    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(start)
        async with inject(browser, extension).runtime.connect() as port:
            await port.send("hello")
            assert await port.receive() == {"you said": "hello"}
            background.stop()
            await port.wait_disconnected()
        await settle()
        assert ends == ["stopped"]


@each_dialect
async def test_a_page_listens_too(dialect: DialectName) -> None:
    """It hears as well, but only once the background has started; and it is a page, not a background."""
    order: list[str] = []

    def start(context: Context) -> None:
        order.append("start")
        context.runtime.on_connect.add_listener(lambda _: order.append("background"))

    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        extension.register_background(start)
        popup = extension.open_page("popup.html")
        assert popup.kind == "page"
        popup.runtime.on_connect.add_listener(lambda _: order.append("page"))
        inject(browser, extension).runtime.connect()
        await settle()
        assert order[0] == "start"
        assert sorted(order[1:]) == ["background", "page"]


@each_dialect
async def test_a_page_hears_alone(dialect: DialectName) -> None:
    """Where the background adds no listener, the connection is one with the page."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(lambda _: None)
        heard: list[Port] = []
        extension.open_page("popup.html").runtime.on_connect.add_listener(heard.append)
        script = inject(browser, extension)
        causes = error_of(script, script.runtime.connect())
        await settle()
        assert (len(heard), causes) == (1, [])
        assert background.context is not None


async def test_another_extension_and_a_web_page_start_it() -> None:
    """A call from outside that is let in starts it as well, and one that is not let in does not."""
    async with open_browser() as browser:
        dictionary = browser.install(
            "dictionary@example.org", externally_connectable={"matches": ["https://example.com/*"], "ids": []}
        )
        starts: list[Context] = []
        heard: list[Port] = []

        def start(context: Context) -> None:
            starts.append(context)
            context.runtime.on_connect_external.add_listener(heard.append)

        dictionary.register_background(start)
        browser.install("notes@example.org").open_page().runtime.connect("dictionary@example.org")
        await settle()
        assert starts == []
        browser.open_tab("https://example.com/").web_page_script().runtime.connect("dictionary@example.org")
        await settle()
        assert (len(starts), len(heard)) == (1, 1)


@each_dialect
async def test_a_one_shot_message_starts_it(dialect: DialectName) -> None:
    """It is answered; if no listener is there, or the background stops before it answers, the sender learns of it."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        kept: list[object] = []

        def listen(message: object, _: object, send_response: Callable[[object], None]) -> bool:
            if message == "later":
                kept.append(send_response)
                return True
            send_response({"you said": message})
            return False

        background = extension.register_background(lambda context: context.runtime.on_message.add_listener(listen))
        script = inject(browser, extension)
        assert await script.runtime.send_message("hello") == {"you said": "hello"}
        background.stop()
        assert await script.runtime.send_message("again") == {"you said": "again"}
        causes: list[Cause] = []

        async def ask(message: str) -> None:
            with pytest.raises(trio_ports.NoAnswerError) as caught:
                await script.runtime.send_message(message)
            causes.append(caught.value.cause)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "later")
            await settle()
            background.stop()
        extension.register_background(lambda _: None)
        await ask("anybody?")
        assert causes == [Cause.UNANSWERED, Cause.NO_RECEIVER]


async def test_what_a_start_raises_leaves_through_the_block() -> None:
    """As a listener's exception does, in ``trio``; those who called learn of a crash."""

    def start(context: Context) -> None:
        context.runtime.on_connect.add_listener(print)
        raise ScriptedError

    with pytest.RaisesGroup(ScriptedError):
        async with open_browser() as browser:
            extension = browser.install("notes@example.org")
            extension.register_background(start)
            port = inject(browser, extension).runtime.connect()
            await trio.sleep_forever()
    assert port.error is not None
    assert port.error.cause is Cause.CRASHED


@browsers
async def test_what_a_start_raises_is_logged(dialect: DialectName, caplog: pytest.LogCaptureFixture) -> None:
    """In the browsers; what it added before is heard as usual."""
    heard: list[Port] = []

    def start(context: Context) -> None:
        context.runtime.on_connect.add_listener(heard.append)
        raise ScriptedError

    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(start)
        inject(browser, extension).runtime.connect()
        await settle()
        assert len(heard) == 1
        assert background.context is not None
    (record,) = caplog.records
    assert "The script of <Context background of notes@example.org" in record.getMessage()


@each_dialect
async def test_every_start_has_a_new_context(dialect: DialectName) -> None:
    """A listener of an earlier one does not count, and the ports of an earlier one stay over."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        first_only: list[Context] = []

        def start(context: Context) -> None:
            if not first_only:
                context.runtime.on_connect.add_listener(print)
            first_only.append(context)

        background = extension.register_background(start)
        script = inject(browser, extension)
        script.runtime.connect()
        await settle()
        background.stop()
        causes = error_of(script, script.runtime.connect())
        await settle()
        one, two = first_only
        assert (one.state, one.closed, two.state) == ("gone", True, "running")
        assert one.document_id != two.document_id
        assert causes == [Cause.NO_RECEIVER]


async def test_it_stops_itself_in_its_first_turn() -> None:
    """Whoever called is told that the other side has gone."""
    stopping: list[Callable[[], None]] = []

    def start(context: Context) -> None:
        context.runtime.on_connect.add_listener(print)
        stopping[0]()

    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(start)
        stopping.append(background.stop)
        script = inject(browser, extension)
        causes = error_of(script, script.runtime.connect())
        await settle()
        assert causes == [None]
        assert background.context is None


async def test_its_block_ends_while_it_starts() -> None:
    """What is under way still reaches listeners that do not wait."""
    heard: list[Port] = []
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        extension.register_background(lambda context: context.runtime.on_connect.add_listener(heard.append))
        inject(browser, extension).runtime.connect()
    assert len(heard) == 1


async def test_it_is_stopped_before_it_begins() -> None:
    """Then its script does not run at all."""
    starts: list[Context] = []
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(starts.append)
        background.wake()
        background.stop()
        await settle()
        assert starts == []
        background.wake()
        background.stop()
        background.wake()
        await settle()
        assert len(starts) == 1


@each_dialect
async def test_it_is_stopped_while_it_works(dialect: DialectName, caplog: pytest.LogCaptureFixture) -> None:
    """A script that notices that its context is closed has ended, and has not failed; anything else is a failure."""
    background: Background
    fails = False

    def start(context: Context) -> None:
        background.stop()
        if fails:
            raise ScriptedError
        context.runtime.connect()

    async with open_browser(dialect=dialect, listener_errors="log") as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(start)
        background.wake()
        await settle()
        assert caplog.records == []
        fails = True
        background.wake()
        await settle()
    assert len(caplog.records) == 1


async def test_waking_it_while_the_block_is_left() -> None:
    """Nothing new begins then."""
    starts: list[Context] = []
    ends: list[Port] = []
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")

        def start(context: Context) -> None:
            starts.append(context)
            context.runtime.on_connect.add_listener(lambda _: None)

        def wake(port: Port) -> None:
            ends.append(port)
            background.wake()

        background = extension.register_background(start)
        page = extension.open_page("popup.html")
        page.runtime.connect().on_disconnect.add_listener(wake)
        await settle()
    assert (len(starts), len(ends)) == (1, 1)


async def test_context_variables() -> None:
    """A script sees those of the task that registered it, whoever wakes it."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        variable.set("registered")
        background = extension.register_background(lambda _: seen.append(variable.get()))
        variable.set("changed")
        background.wake()
        await settle()
        background.stop()
        background.wake()
        await settle()
    assert seen == ["registered", "registered"]


# Rule 45: it stops ------------------------------------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize("opener", ["script", "background"])
async def test_the_other_side_of_its_ports(opener: str, dialect: DialectName) -> None:
    """A plain end, whoever opened the port, then posting raises; the background itself is told nothing."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        worker = Worker(extension)
        tab = browser.open_tab("https://example.com/")
        script = extension.inject(tab)
        ports: list[Port] = []
        script.runtime.on_connect.add_listener(ports.append)
        worker.background.wake()
        await settle()
        (context,) = worker.starts
        if opener == "script":
            ports.append(script.runtime.connect())
        else:
            context.tabs.connect(tab.id).on_disconnect.add_listener(worker.ends.append)
        await settle()
        (port,) = ports
        causes = error_of(script, port)
        worker.background.stop()
        worker.background.stop()
        port.post_message("nobody knows yet")
        await settle()
        assert (causes, worker.ends) == ([None], [])
        with pytest.raises(trio.BrokenResourceError):
            port.post_message("now it is known")
        with pytest.raises(trio.ClosedResourceError):
            context.runtime.connect()


@each_dialect
async def test_connecting_again_from_on_disconnect(dialect: DialectName) -> None:
    """It wakes another one."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        worker = Worker(extension)
        script = inject(browser, extension)
        witness = Witness()

        def connect(_: object = None) -> None:
            port = script.runtime.connect()
            witness.watch(port)
            port.on_disconnect.add_listener(connect)
            port.post_message("hello")

        connect()
        await settle()
        for starts in (2, 3):
            worker.background.stop()
            await settle()
            assert len(worker.starts) == starts
        assert [each for each in witness.seen if isinstance(each, dict)] == [{"you said": "hello"}] * 3


@each_dialect
async def test_another_receiver_is_left(dialect: DialectName) -> None:
    """Rule 26: Firefox ends the connection for everybody. Otherwise it goes on with the page, and wakes nobody."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        worker = Worker(extension)
        seen: list[object] = []
        popup = extension.open_page("popup.html")
        popup.runtime.on_connect.add_listener(
            lambda port: port.on_message.add_listener(lambda message, _: seen.append(message))
        )
        script = inject(browser, extension)
        port = script.runtime.connect()
        causes = error_of(script, port)
        await settle()
        worker.background.stop()
        await settle()
        assert causes == ([None] if dialect == "firefox" else [])
        if dialect != "firefox":
            port.post_message("to the page")
            await settle()
            assert seen == ["to the page"]
        assert len(worker.starts) == 1


async def test_closing_its_context_stops_it() -> None:
    """As ``self.close()`` does; the next call starts another one."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        worker = Worker(extension)
        worker.background.wake()
        await settle()
        worker.starts[0].close()
        assert worker.background.context is None
        worker.background.wake()
        await settle()
        assert len(worker.starts) == 2


# Rule 46: it stops by itself --------------------------------------------------------------------------------------


@on_the_clock
@each_dialect
async def test_it_stops_when_it_is_idle(dialect: DialectName) -> None:
    """After thirty seconds; a silent port does not keep it awake, whoever opened it, and neither does a task."""

    async def start(context: Context) -> None:
        context.tabs.connect(tab.id)
        for _ in range(1000):
            await trio.sleep(5)

    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        tab = browser.open_tab("https://example.com/")
        script = extension.inject(tab)
        ports: list[Port] = []
        script.runtime.on_connect.add_listener(ports.append)
        background = extension.register_background(start)
        background.wake()
        await trio.sleep(29.9)
        assert background.context is not None
        causes = error_of(script, ports[0])
        await trio.sleep(0.2)
        assert background.context is None
        assert causes == [None]


@on_the_clock
@each_dialect
@pytest.mark.parametrize("poster", ["script", "background"])
async def test_posts_keep_it_awake(poster: str, dialect: DialectName) -> None:
    """Those that arrive do everywhere; its own only in Chromium."""
    async with open_browser(dialect=dialect) as browser:
        extension = browser.install("notes@example.org")
        received: list[Port] = []
        background = extension.register_background(
            lambda context: context.runtime.on_connect.add_listener(received.append)
        )
        port = inject(browser, extension).runtime.connect()
        port.on_message.add_listener(lambda *_: None)
        await settle()
        received[0].on_message.add_listener(lambda *_: None)
        for _ in range(4):
            await trio.sleep(9)
            if background.context is not None:
                (port if poster == "script" else received[0]).post_message("tick")
        assert (background.context is not None) == (poster == "script" or dialect == "chrome")
        await trio.sleep(31)
        assert background.context is None


@on_the_clock
async def test_a_message_that_nobody_took_keeps_it_awake() -> None:
    """In ``trio``, which loses nothing; until somebody takes it."""
    received: list[Port] = []
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(
            lambda context: context.runtime.on_connect.add_listener(received.append)
        )
        inject(browser, extension).runtime.connect().post_message("keep me")
        await trio.sleep(100)
        assert background.context is not None
        assert received[0].receive_nowait() == "keep me"
        await trio.sleep(61)
        assert background.context is None


@on_the_clock
async def test_other_limits() -> None:
    """Sooner, or never."""
    async with open_browser() as browser:
        sooner = browser.install("sooner").register_background(lambda _: None, idle_seconds=6)
        never = browser.install("never").register_background(lambda _: None, idle_seconds=math.inf)
        sooner.wake()
        never.wake()
        await trio.sleep(7)
        assert sooner.context is None
        await trio.sleep(10_000)
        assert never.context is not None


@on_the_clock
@each_dialect
async def test_a_native_port_keeps_it_awake(dialect: DialectName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is over; then the time is counted from there."""

    async def run_application(end: Any, *_: Any, **__: Any) -> None:
        await trio.sleep(100)
        end.close()

    monkeypatch.setattr("trio_ports._native.browser_side.start.run_application", run_application)
    async with open_browser(dialect=dialect, manifest_folders=[Path("/nowhere")]) as browser:
        extension = browser.install("notes@example.org")

        def start(context: Context) -> None:
            context.runtime.connect_native("ping_pong")

        background = extension.register_background(start)
        background.wake()
        await trio.sleep(129)
        assert background.context is not None
        await trio.sleep(2)
        assert background.context is None


# Calls that are refused -------------------------------------------------------------------------------------------


async def test_bad_arguments() -> None:
    """Each is refused at the call, and says what it should be."""
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        register: Any = extension.register_background
        for start in (None, 1, "start", lambda: None, lambda _, __: None):
            with pytest.raises(TypeError):
                register(start)
        for seconds in ("30", None, True):
            with pytest.raises(TypeError, match="idle_seconds must be int or float"):
                register(print, idle_seconds=seconds)
        for seconds in (0, -1, math.nan):
            with pytest.raises(ValueError, match="idle_seconds must be more than 0"):
                register(print, idle_seconds=seconds)
        with pytest.raises(ValueError, match="path must be one inside the extension"):
            register(print, path="https://example.com/")
        with pytest.raises(TypeError):
            register(print, path=None)
        page = extension.open_page()
        with pytest.raises(trio_ports.LocalProtocolError, match="has a background page already"):
            register(print)
        page.close()
        background = register(print)
        await refuse_elsewhere(background.stop, background.wake, functools.partial(register, print))
        extension.uninstall()
        background.stop()
        for call in (background.wake, functools.partial(register, print)):
            with pytest.raises(trio.ClosedResourceError):
                call()
        assert repr(background) == "<Background of notes@example.org (away)>"


async def test_registering_again() -> None:
    """The other script runs from the next start on."""
    ran: list[str] = []
    async with open_browser() as browser:
        extension = browser.install("notes@example.org")
        background = extension.register_background(lambda _: ran.append("one"))
        assert extension.register_background(lambda _: ran.append("two"), path="two.js") is background
        background.wake()
        await settle()
        assert background.context is not None
        assert background.context.url.endswith("/two.js")
        extension.register_background(lambda _: ran.append("three"))
        assert background.context is not None
        background.stop()
        background.wake()
        await settle()
        assert ran == ["two", "three"]
    assert repr(background) == "<Background of notes@example.org (away)>"
