"""The laboratory itself: what a reset leaves, and what a browser refuses."""

from __future__ import annotations

import pytest
import trio
from laboratory.shared import story

from trio_ports._laboratory import laboratory as laboratory_module
from trio_ports._laboratory.browsers.errors import BrowserCommandError, BrowserGoneError
from trio_ports._laboratory.player import LaboratoryPlayer, open_laboratory_player
from trio_ports.testing._conformance.history.moves import connect, echo, hear, listen, open_tab, post, turn


@story
async def test_nothing_passes_from_one_history_to_the_next(player: LaboratoryPlayer) -> None:
    """After a reset there is no port, no listener and no record; tabs are used again, without their frames."""
    laboratory, ask = player.laboratory, [connect("p"), *hear("p"), post(1)]
    tab, background = await laboratory.open_tab(), laboratory.background("a")
    frame, page = await laboratory.open_frame(tab), await laboratory.open_page("a")
    for context in background, page.contexts["a"]:
        await laboratory.perform(context, listen())
    for context in tab.contexts["a"], frame.contexts["a"]:
        await laboratory.perform(context, *ask)
    await laboratory.settle()
    assert background.log
    await laboratory.reset()
    assert frame.contexts["a"].gone.is_set()
    again = await laboratory.open_tab()
    assert (again, again.frames) == (tab, [])
    assert await laboratory.open_page("a") is page
    script = again.contexts["a"]
    assert [background.log, page.contexts["a"].log, script.log] == [[], [], []]
    await laboratory.perform(script, *ask)
    await laboratory.settle()
    assert [record["event"] for record in script.log] == ["on_disconnect"]
    assert [background.log, page.contexts["a"].log] == [[], []]


@story
async def test_a_context_that_has_gone(player: LaboratoryPlayer) -> None:
    """Nothing can be asked of it any more."""
    tab = await player.laboratory.open_tab()
    await player.laboratory.close(tab)
    with pytest.raises(BrowserGoneError, match="has ended"):
        await player.laboratory.perform(tab.contexts["a"], connect("p"))


@story
async def test_what_the_browser_refuses(player: LaboratoryPlayer) -> None:
    """To close a tab that is not there."""
    with pytest.raises(BrowserCommandError, match="close_tab"):
        await player.laboratory.background("a").stage("close_tab", tab=987_654_321)


@story
async def test_two_ports_that_echo_each_other_never_settle(player: LaboratoryPlayer) -> None:
    """settle() gives up in the end, and a reset ends it."""
    async with open_laboratory_player(player.laboratory) as endless:
        await endless.play(open_tab("t1"))
        await endless.play(turn("a", listen(*hear(None, echo()), heard=False)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(laboratory_module, "WAIT_SECONDS", 0.3)
            with pytest.raises(trio.TooSlowError):
                await endless.play(turn("t1/a", connect("p"), hear("p", echo()), post("ball")))
    await player.play(turn("a", listen()))
    assert player.contexts["a"].log == []
