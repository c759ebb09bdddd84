"""Tellers: write each step as it happens, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias, final

import msgspec
import trio
from rich.highlighter import JSONHighlighter
from rich.text import Text

from ..output import Output
from . import steps

NAME_WIDTH: Final = 15
WIDE: Final = 72
"""On narrower terminals, in characters, names are not put into columns."""
USER: Final = "the user"

Part: TypeAlias = str | tuple[str, str] | Text
"""A part of a line; with its style, if it has one."""


def json_teller(output: Output) -> Callable[[steps.Step], None]:
    """Return a function that writes a step as one JSON object per line.

    ``event`` comes first, then the step's fields, ``seconds`` last. A line is in ASCII, so
    that every terminal's encoding has the characters.
    """
    began = trio.current_time()

    def tell(step: steps.Step) -> None:
        line: dict[str, Any] = {**msgspec.to_builtins(step), "seconds": round(trio.current_time() - began, 6)}
        output.write(json.dumps(line) + "\n")

    return tell


@final
class TextTeller:
    """Writes one line per step: who, to whom, and what.

    A message is shown when it is posted. If it comes from outside this process, nobody
    here sees it posted, so it is shown when it is delivered.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._began = trio.current_time()
        self._scripts: set[str] = set()
        """The scripts that have a port in the scene."""
        self._column = NAME_WIDTH if output.width >= WIDE else 0
        self._arrow = output.either("→", "->")
        self._end = output.either("×", "x")
        self._good = output.either("✓", "ok:")
        self._bad = output.either("✗", "NOT OK:")

    def tell(self, step: steps.Step) -> None:
        """Write a step."""
        match step:
            case steps.PortStep():
                self._tell_port(step)
            case steps.UserActed():
                self._line(USER, (step.text, "yellow"), style="bold yellow")
            case steps.Trouble():
                self._write("   ", (f"{self._bad} {step.text}", "bold red"))
            case steps.DemoBegan():
                self._write(("Scenes of runtime.Port", "bold"), f", played by real ports in the dialect {step.dialect}")
            case steps.SceneBegan():
                self._scripts.clear()
                self._write()
                self._write((f"{step.number}. {step.title}", "bold"), (f"  --scene {step.scene}", "dim"))
            case steps.SceneEnded():
                if step.ok:
                    ended = f"{self._good} {counted(step)}; each of the {step.disconnected} ports ended once"
                    self._write("   ", (ended, "green"))
            case steps.DemoEnded():
                good, bad = "All went as it should", f"Not all went as it should ({', '.join(step.failed)})"
                sign, words, style = (self._good, good, "bold green") if step.ok else (self._bad, bad, "bold red")
                seconds = trio.current_time() - self._began
                self._write()
                self._write((f"{sign} {words}: {counted(step)}, {seconds:.1f} s.", style))
            case _:
                raise NotImplementedError(f"there is no text for {step}")

    def _tell_port(self, step: steps.PortStep) -> None:
        called = f'"{step.name}"' if step.name else "a port"
        match step:
            case steps.PortOpened(sender=None):
                self._scripts.add(step.who)
                self._line(step.who, f"opens {called} to {step.whom}")
            case steps.PortOpened(sender=dict() as sender):
                self._scripts.add(step.who)
                self._line(step.who, f"is reached by {step.whom} on {called}", (f"  {describe(sender)}", "dim"))
            case steps.PortDisconnected(here=True):
                self._line(step.who, f"{self._end} ends {called} to {step.whom}")
            case steps.PortDisconnected(error=None):
                self._line(step.who, f"{self._end} learns that {step.whom} has ended {called}, in good order")
            case steps.PortDisconnected(error=str() as error):
                why = f"{' '.join(error.split())} ({step.cause})"
                self._line(step.who, f"{self._end} learns that {called} has ended: ", (why, "red"))
            case steps.MessagePosted() | steps.MessageDelivered():
                if isinstance(step, steps.MessagePosted) or step.who not in self._scripts:
                    message = JSONHighlighter()(Text(json.dumps(step.message, ensure_ascii=False)))
                    self._line(step.who, f"{self._arrow} {step.whom:{self._column}}  ", message)
            case _:
                raise NotImplementedError(f"there is no text for {step}")

    def _line(self, who: str, *parts: Part, style: str = "bold cyan") -> None:
        self._write("   ", (f"{who:{self._column}} ", style), *parts)

    def _write(self, *parts: Part) -> None:
        self._output.write_text(Text.assemble(*parts))


def counted(step: steps.SceneEnded | steps.DemoEnded) -> str:
    """Return how many connections and messages there were."""
    return f"{count(step.connections, 'connection')}, {count(step.posted, 'message')}"


def count(number: int, noun: str) -> str:
    """Return a number and a noun, in the plural if needed."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe(sender: dict[str, Any]) -> str:
    """Describe where an opener is, as far as its receivers know."""
    tab = sender.get("tab")
    return f"(tab {tab['id']}, {sender['url']})" if tab else f"({sender['url']})"
