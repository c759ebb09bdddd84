"""Tellers: write each step as it happens, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import singledispatchmethod
from typing import Any, Final, final

import msgspec
import trio
from rich.highlighter import JSONHighlighter
from rich.text import Text

from ..output import Output
from .steps import (
    DemoBegan,
    DemoEnded,
    MessageDelivered,
    MessagePosted,
    PortDisconnected,
    PortOpened,
    SceneBegan,
    SceneEnded,
    Step,
    Trouble,
    UserActed,
)

NAME_WIDTH: Final = 15
WIDE: Final = 72
"""On narrower terminals, in characters, names are not put into columns."""
USER: Final = "the user"


@final
class JsonTeller:
    """Writes one JSON object per line: ``event`` first, then the step's fields, ``seconds`` last."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._seconds = stopwatch()

    def tell(self, step: Step) -> None:
        """Write a step, in ASCII, so that every terminal's encoding has the characters."""
        line: dict[str, Any] = {**msgspec.to_builtins(step), "seconds": round(self._seconds(), 6)}
        self._output.write(json.dumps(line) + "\n")


@final
class TextTeller:
    """Writes one line per step: who, to whom, and what.

    A message is shown when it is posted. If it comes from outside this process, nobody
    here sees it posted, so it is shown when it is delivered.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._seconds = stopwatch()
        self._scripts: set[str] = set()
        """The scripts that have a port in the scene."""
        self._column = NAME_WIDTH if output.width >= WIDE else 0
        self._arrow = output.either("→", "->")
        self._end = output.either("×", "x")
        self._good = output.either("✓", "ok:")
        self._bad = output.either("✗", "NOT OK:")

    @singledispatchmethod
    def tell(self, step: Step) -> None:
        """Write a step."""
        raise NotImplementedError(f"there is no text for {step}")

    @tell.register
    def _(self, step: DemoBegan) -> None:
        self._write(("Scenes of runtime.Port", "bold"), f", played by real ports in the dialect {step.dialect}")

    @tell.register
    def _(self, step: SceneBegan) -> None:
        self._scripts.clear()
        self._write()
        self._write((f"{step.number}. {step.title}", "bold"), (f"  --scene {step.scene}", "dim"))

    @tell.register
    def _(self, step: UserActed) -> None:
        self._line(USER, (step.text, "yellow"), style="bold yellow")

    @tell.register
    def _(self, step: PortOpened) -> None:
        self._scripts.add(step.who)
        if step.sender is None:
            self._line(step.who, f"opens {called(step)} to {step.whom}")
        else:
            self._line(step.who, f"is reached by {step.whom} on {called(step)}", (f"  {describe(step.sender)}", "dim"))

    @tell.register
    def _(self, step: MessagePosted) -> None:
        self._message(step)

    @tell.register
    def _(self, step: MessageDelivered) -> None:
        if step.who not in self._scripts:
            self._message(step)

    @tell.register
    def _(self, step: PortDisconnected) -> None:
        if step.here:
            self._line(step.who, f"{self._end} ends {called(step)} to {step.whom}")
        elif step.error is None:
            self._line(step.who, f"{self._end} learns that {step.whom} has ended {called(step)}, in good order")
        else:
            why = " ".join(step.error.split())
            self._line(
                step.who, f"{self._end} learns that {called(step)} has ended: ", (f"{why} ({step.cause})", "red")
            )

    @tell.register
    def _(self, step: Trouble) -> None:
        self._write("   ", (f"{self._bad} {step.text}", "bold red"))

    @tell.register
    def _(self, step: SceneEnded) -> None:
        if step.ok:
            found = f"{count(step.connections, 'connection')}, {count(step.posted, 'message')}"
            self._write("   ", (f"{self._good} {found}; each of the {step.disconnected} ports ended once", "green"))

    @tell.register
    def _(self, step: DemoEnded) -> None:
        took = f"{count(step.connections, 'connection')}, {count(step.posted, 'message')}, {self._seconds():.1f} s."
        self._write()
        if step.ok:
            self._write((f"{self._good} All went as it should: {took}", "bold green"))
        else:
            self._write((f"{self._bad} Not all went as it should ({', '.join(step.failed)}): {took}", "bold red"))

    def _message(self, step: MessagePosted | MessageDelivered) -> None:
        message = JSONHighlighter()(Text(json.dumps(step.message, ensure_ascii=False)))
        self._line(step.who, f"{self._arrow} {step.whom:{self._column}}  ", message)

    def _line(self, who: str, *parts: str | tuple[str, str] | Text, style: str = "bold cyan") -> None:
        self._write("   ", (f"{who:{self._column}} ", style), *parts)

    def _write(self, *parts: str | tuple[str, str] | Text) -> None:
        self._output.write_text(Text.assemble(*parts))


def stopwatch() -> Callable[[], float]:
    """Return a function that returns how many seconds have passed."""
    began = trio.current_time()
    return lambda: trio.current_time() - began


def called(step: PortOpened | PortDisconnected) -> str:
    """Return the name of a connection, in quotes, or what to say instead."""
    return f'"{step.name}"' if step.name else "a port"


def count(number: int, noun: str) -> str:
    """Return a number and a noun, in the plural if needed."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe(sender: dict[str, Any]) -> str:
    """Describe where an opener is, as far as its receivers know."""
    tab = sender.get("tab")
    return f"(tab {tab['id']}, {sender['url']})" if tab else f"({sender['url']})"
