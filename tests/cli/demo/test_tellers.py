"""What people read."""

import io
import sys
from typing import Any

import pytest

from trio_ports.cli.demo.steps import (
    DemoEnded,
    MessageDelivered,
    PortDisconnected,
    PortOpened,
    PortStep,
    SceneEnded,
    Step,
    Trouble,
)
from trio_ports.cli.demo.tellers import TextTeller
from trio_ports.cli.output import Output


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch):
    """Tell steps and return the lines."""

    def tell(*steps: Step, encoding: str = "utf-8") -> list[str]:
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        monkeypatch.setattr(sys, "stdout", stream)
        teller = TextTeller(Output())
        for step in steps:
            teller.tell(step)
        return stream.buffer.getvalue().decode(encoding).splitlines()  # type: ignore[attr-defined]

    return tell


def disconnected(**fields: Any) -> PortDisconnected:
    usual = {"scene": "x", "port": 1, "name": "n", "who": "a", "whom": "b", "here": False, "cause": None, "error": None}
    return PortDisconnected(**{**usual, **fields})


async def test_ends(told) -> None:
    """Each end says who, which, and why."""
    lines = told(
        disconnected(here=True),
        disconnected(),
        disconnected(cause="exited", error="ping_pong exited\nwith status 1."),
        disconnected(here=True, name=""),
    )
    assert [" ".join(line.split()) for line in lines] == [
        'a × ends "n" to b',
        'a × learns that b has ended "n", in good order',
        'a × learns that "n" has ended: ping_pong exited with status 1. (exited)',
        "a × ends a port to b",
    ]


async def test_message_from_outside(told) -> None:
    """A message is told once: when a script posts it, or when one arrives from a process, whose posting nobody sees."""
    opened = PortOpened("x", 1, "n", "script", "process", "opener", sender=None)
    inside = MessageDelivered("x", 1, "n", "script", "other", message="ping")
    outside = MessageDelivered("x", 1, "n", "process", "script", message={"pong": "grüße"})
    lines = told(opened, inside, outside)
    assert [" ".join(line.split()) for line in lines[1:]] == ['process → script {"pong": "grüße"}']


async def test_trouble(told) -> None:
    """A scene that had trouble has no word of praise, and the demo neither."""
    lines = told(
        Trouble("x", "it rains"),
        SceneEnded("x", ok=False, connections=1, posted=1, delivered=0, disconnected=2),
        DemoEnded(ok=False, failed=["x"], connections=1, posted=1, delivered=0, disconnected=2),
        encoding="ascii",
    )
    assert lines[:2] == ["   NOT OK: it rains", ""]
    assert lines[2].startswith("NOT OK: Not all went as it should (x): 1 connection, 1 message, ")


@pytest.mark.parametrize("step", [Step(), PortStep("x", 1, "n", "a", "b")])
async def test_unknown_step(step: Step, told) -> None:
    """A step without a text is a mistake in the demo."""
    with pytest.raises(NotImplementedError):
        told(step)
