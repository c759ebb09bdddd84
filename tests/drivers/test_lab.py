"""The laboratory itself: resetting, and what it says when it is asked for nonsense."""

from __future__ import annotations

import pytest
import trio
from drivers.laboratory import story

from trio_ports._drivers import BrowserCommandError, BrowserGoneError, Lab, steps
from trio_ports._drivers import lab as lab_module


@story
async def test_nothing_passes_from_one_history_to_the_next(lab: Lab) -> None:
    """After a reset there is no port, no listener and no event; tabs are used again, without their frames."""
    tab, background = await lab.open_tab(), lab.background("a")
    frame = await lab.open_frame(tab)
    page = await lab.open_page("a")
    for context in background, page.context("a"):
        await lab.command(context, steps.listen())
    for context in tab.context("a"), frame.context("a"):
        await lab.command(context, steps.connect("p"), *steps.hear("p"), steps.post("p", 1))
    await lab.reset()
    assert lab.logs() == {}
    assert frame.context("a").gone.is_set()
    again = await lab.open_tab()
    assert (again, again.frames) == (tab, [])
    assert await lab.open_page("a") is page
    await lab.command(again.context("a"), steps.connect("p"), *steps.hear("p"))
    await lab.settle()
    assert [event.event for event in lab.logs()[again.context("a")]] == ["on_disconnect"]
    assert len(lab.logs()) == 1


@story
async def test_steps_that_make_no_sense(lab: Lab) -> None:
    """A port that is not there, and a label that is taken, are the caller's mistakes and no events."""
    background = lab.background("a")
    with pytest.raises(ValueError, match=r"post in .*: there is no port p"):
        await lab.command(background, steps.post("p", 1))
    await lab.command(background, steps.connect("p"))
    with pytest.raises(ValueError, match="there is a port p already"):
        await lab.command(background, steps.connect("p"))
    assert lab.logs() == {}


@story
async def test_a_context_that_has_gone(lab: Lab) -> None:
    """Nothing can be asked of it any more."""
    tab = await lab.open_tab()
    await lab.close_tab(tab)
    with pytest.raises(BrowserGoneError, match="has ended"):
        await lab.command(tab.context("a"), steps.connect("p"))


@story
async def test_what_the_browser_refuses(lab: Lab) -> None:
    """A tab that there is not; and a tab's top frame is not closed as a frame."""
    with pytest.raises(BrowserCommandError, match="close_tab"):
        await lab.background("a").stage("close_tab", tab=987_654_321)
    tab = await lab.open_tab()
    with pytest.raises(ValueError, match="top frame"):
        await lab.close_frame(tab)


@story
async def test_two_ports_that_echo_each_other_never_settle(lab: Lab) -> None:
    """settle() gives up in the end, and a reset ends it."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    back = steps.add_listener("on_message", "echo", steps.echo())
    await lab.command(background, steps.add_listener("on_connect", "on_connect", back))
    again = steps.add_listener("on_message", "echo", steps.echo(), port="p")
    await lab.command(script, steps.connect("p", name="p"), again, steps.post("p", "ball"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab_module, "WAIT_SECONDS", 0.3)
        with pytest.raises(trio.TooSlowError):
            await lab.settle()


@story
async def test_every_value_is_told_apart(lab: Lab) -> None:
    """What JSON has no word for, and what is too long to report."""
    script, background = (await lab.open_tab()).context("a"), lab.background("a")
    await lab.command(background, steps.listen())
    await lab.command(script, steps.connect("p", name="p"))
    values = [None, False, 0, "", {"": []}, "\ud800", "x" * 100]
    await lab.command(script, *[steps.post("p", value) for value in values])
    await lab.command(script, steps.post("p", {"$": "long", "length": 1_000_000}), steps.post("p", {"$": "NaN"}))
    await lab.settle()
    nan = {"firefox": {"$": "NaN"}, "chromium": None}[lab.browser.kind]
    received = [event.message for event in lab.logs()[background] if event.event == "on_message"]
    assert received == [*values, {"$": "long", "length": 1_000_000}, nan]
    has, hasnt = await lab.command(
        background, steps.has_listener("on_connect", "on_connect"), steps.has_listener("on_connect", "other")
    )
    assert (has.value, hasnt.value) == (True, False)
