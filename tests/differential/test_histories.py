"""The same histories in a real browser and in this package: the same things have to be told."""

from __future__ import annotations

import os

from differential.drawing import real_histories
from differential.stories import Story, native
from differential.worlds import World, play_story
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trio_ports.testing import describe_history

EXAMPLES = int(os.environ.get("TRIO_PORTS_DIFFERENTIAL_EXAMPLES", "60"))


BODIES = [b"1", b'"text"', b"null", b'{"a":[]}', b"{nonsense", b"", b"1 2", b"\xef\xbb\xbf3", b'"\xff"', b" 4 ", b"NaN"]
ENDS = [[], [["eof"]], [["exit", 0]], [["exit", 9]], [["kill", 9]], [["kill", 15]], [["stdout"], ["eof"]]]
"""How an application ends: by itself, when it is told to, with a status, by a signal, by closing its pipe."""
ENDS += [[["write", "05000000"]], [["write", "0300000031"]]]
"""And inside a frame."""


def test_drawn_applications(world: World) -> None:
    """Whatever an application writes, and however it ends, the extension is told the same as in the real browser."""

    @settings(
        max_examples=max(EXAMPLES // 5, 1),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.sampled_from(BODIES), max_size=4), st.sampled_from(ENDS))
    def play(bodies: list[bytes], end: list[list[object]]) -> None:
        frames = [["frame", body.hex()] for body in [b'"first"', *bodies]]
        plan = [*frames, *end]
        expected = play_story(world, Story("36 · Drawn", native(1), plan), real=True)
        # What comes of it takes longer in one than in the other: the second one is given the time to tell as much.
        count = sum(map(len, expected[1]["told"].values()))
        found = play_story(world, Story("36 · Drawn", native(count), plan), real=False)
        assert found == expected

    play()


def test_drawn_histories(world: World) -> None:
    """Whatever is done to ports, everybody is told the same, port by port, as in the real browser."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def play(data: st.DataObject) -> None:
        history = data.draw(real_histories(world.dialect))
        found, expected = world.imitate(history), world.play(history)
        for number, (ours, theirs) in enumerate(zip(found, expected, strict=True), 1):
            assert ours == theirs, f"move {number} of\n{describe_history(history)}"

    play()
