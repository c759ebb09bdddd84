"""The same histories in a real browser and in this package: the same things have to be told."""

from __future__ import annotations

import os

from differential.drawing import real_histories
from differential.worlds import World
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trio_ports.testing import describe_history

EXAMPLES = int(os.environ.get("TRIO_PORTS_DIFFERENTIAL_EXAMPLES", "60"))


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
