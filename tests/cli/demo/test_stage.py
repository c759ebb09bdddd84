"""The stage notices whatever should not happen."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio

from trio_ports import Cause, Opened, open_browser, open_port_pair
from trio_ports.cli.demo.command import PATIENCE_SECONDS, play
from trio_ports.cli.demo.scenes import Scene
from trio_ports.cli.demo.stage import Stage
from trio_ports.cli.demo.steps import DemoEnded, Step, Trouble


async def troubles(scene: Callable[[Stage], Awaitable[None]], dialect: Any = "trio") -> list[str]:
    """Play a scene that must go wrong and return what was told of it."""
    steps: list[Step] = []
    assert not await play([Scene("odd", "Odd", scene)], dialect=dialect, tell=steps.append)
    ended = steps[-1]
    assert isinstance(ended, DemoEnded)
    assert (ended.ok, ended.failed) == (False, ["odd"])
    return [step.text for step in steps if isinstance(step, Trouble)]


def connect(stage: Stage, browser: Any, listener: Callable[[Any], object]) -> Any:
    """Connect a page to the background and return its port."""
    extension = browser.install("odd@example.org")
    extension.open_page().runtime.on_connect.add_listener(listener)
    return extension.open_page("page.html").runtime.connect()


async def test_silence(autojump_clock: trio.testing.MockClock) -> None:
    """What does not come is named."""

    async def scene(stage: Stage) -> None:
        await stage.heard("background", "hello")

    assert await troubles(scene) == [f"waited {PATIENCE_SECONDS} s in vain for background to get 'hello'"]
    assert trio.current_time() - PATIENCE_SECONDS < 10


@pytest.mark.parametrize(("cause", "how"), [(None, "in good order"), (Cause.CRASHED, "by crashed")])
async def test_no_end(cause: Cause | None, how: str, autojump_clock: trio.testing.MockClock) -> None:
    """An end that does not come is named too."""

    async def scene(stage: Stage) -> None:
        await stage.told_end("background", cause=cause)

    assert await troubles(scene) == [f"waited {PATIENCE_SECONDS} s in vain for background to learn of an end {how}"]


async def test_scene_that_fails() -> None:
    """What a scene raises is told, each exception of a group."""

    async def scene(stage: Stage) -> None:
        raise ExceptionGroup("", [ValueError("one"), ExceptionGroup("", [KeyError("two")])])

    assert await troubles(scene) == ["the scene failed: ValueError('one'); KeyError('two')"]


async def test_waiting_in_vain() -> None:
    """Where a connection has ended with an error, what it should have brought is not waited for."""

    async def scene(stage: Stage) -> None:
        async with open_browser(observer=stage.observe) as browser:
            page = browser.install("notes@example.org").open_page()
            stage.follow(page.runtime.connect(), "page", "background")
            await stage.heard("page", "hello")

    (trouble, *_) = await troubles(scene)
    assert trouble.startswith("waited in vain: page learned that background has gone (Could not establish connection.")
    assert trouble.endswith("and not page to get 'hello'")


async def test_surprises_and_strangers() -> None:
    """A message nobody asked for is noticed, and a port that no script of the scene has."""

    async def scene(stage: Stage) -> None:
        async with open_browser(observer=stage.observe) as browser:
            got = trio.Event()

            def listen(port: Any) -> None:
                port.on_message.add_listener(lambda m, p: got.set())

            port = connect(stage, browser, listen)
            stage.follow(port, "page", "background")
            port.post_message("hello")
            await got.wait()

    found = await troubles(scene)
    assert any(text.startswith("nobody expected MessageDelivered(") for text in found)
    assert any(text.startswith("no script has <Port") for text in found)


async def test_port_that_never_ends() -> None:
    """Each port must end once."""

    async def scene(stage: Stage) -> None:
        async with trio.open_nursery() as nursery:
            port, _ = open_port_pair(nursery)
            stage.observe(Opened(port, 1))
            stage.follow(port, "left", "right")
            nursery.cancel_scope.cancel()

    assert await troubles(scene) == ["the port of left to right ended 0 times"]


async def listener_scene(stage: Stage, *, listens: bool) -> None:
    async with open_browser(dialect=stage.dialect, observer=stage.observe) as browser:
        done = trio.Event()

        def background(port: Any) -> None:
            stage.follow(port, "background", "page")
            port.on_disconnect.add_listener(lambda p: done.set())
            if listens:
                port.on_message.add_listener(lambda m, p: {}["nothing"])

        port = connect(stage, browser, background)
        stage.follow(port, "page", "background")
        port.post_message("hello")
        port.disconnect()
        await done.wait()
        await stage.told_end("background")
        if listens:
            await stage.heard("background", "hello")


async def test_message_nobody_listens_for() -> None:
    """A message that a browser's dialect drops is noticed."""
    assert await troubles(partial(listener_scene, listens=False), "firefox") == [
        'background was not listening when "hello" arrived'
    ]


async def test_listener_that_fails() -> None:
    """So is a listener's error that a browser's dialect logs."""
    assert await troubles(partial(listener_scene, listens=True), "chrome") == [
        "a listener of background failed: KeyError('nothing')"
    ]


async def test_other_scenes_go_on() -> None:
    """Trouble in one scene is no reason not to play the next one."""

    async def bad(stage: Stage) -> None:
        raise ValueError

    async def good(stage: Stage) -> None:
        await stage.user("does something", partial(done.append, "something"))

    done: list[str] = []
    steps: list[Step] = []
    assert not await play([Scene("a", "A", bad), Scene("b", "B", good)], dialect="trio", tell=steps.append)
    assert done == ["something"]
    assert getattr(steps[-1], "failed", None) == ["a"]


async def test_user_takes_time(autojump_clock: trio.testing.MockClock) -> None:
    """Where somebody is looking, the user thinks before each act."""
    stage = Stage("x", dialect="trio", tell=lambda step: None, pause_seconds=0.25)
    before = trio.current_time()
    await stage.user("clicks")
    assert trio.current_time() - before == pytest.approx(0.25)
