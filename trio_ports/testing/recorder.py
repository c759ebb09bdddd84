"""Record what happens to ports and draw it as a sequence chart in plain text."""

from __future__ import annotations

from typing import Any, Final, assert_never, final

from .._ports.observers import Delivered, Disconnected, Dropped, ListenerFailed, Observation, Opened, Posted

_COLUMN: Final = 34
_SHOWN: Final = 24
_PAGE: Final = 100
"""How many letters a title may have."""
_BESIDE: Final = 3
"""How many ports have room beside each other, with their events in words."""
_NARROW: Final = 3
_MOST_COLUMNS: Final = 20
"""How many ports have room in columns that are numbered."""


@final
class ConversationRecorder:
    """An observer that records what happens to ports, and draws it.

    Give it to `open_browser`, `open_port_pair` and the like as ``observer=``.

    Attributes:
        observations: what was observed, in order.
    """

    def __init__(self) -> None:
        self.observations: list[Observation] = []

    def __call__(self, observation: Observation) -> None:
        """Record an observation.

        Raises:
            TypeError: this is something else, because the recorder was added to an event as a listener.
        """
        if not isinstance(observation, Observation):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a recorder is an observer (observer=recorder) and not a listener: got {observation!r}")
        self.observations.append(observation)

    def draw(self) -> str:
        """Return a sequence chart: a column for each port, a line for each thing that happened to it, in order.

        With more ports than there is room for beside each other, the columns are numbered and a legend lists the ports.
        """
        ports: list[Any] = []
        for observation in self.observations:
            if not any(port is observation.port for port in ports):
                ports.append(observation.port)
        sides = ("opener" if port.sender is None else "receiver" for port in ports)
        titles = [f"{at}: {side} {port.name!r}" for at, (side, port) in enumerate(zip(sides, ports, strict=True), 1)]
        if len(ports) <= _BESIDE:
            width, head = _COLUMN, [_row([title[: _COLUMN - 2] for title in titles], _COLUMN)]
        else:
            width = _NARROW if len(ports) <= _MOST_COLUMNS else 0
            numbers = [_row([str(number) for number in range(1, len(ports) + 1)], width)] if width else []
            head = [*(title[:_PAGE] for title in titles), "", *numbers]
        return "\n".join([*head, *(_line(observation, ports, width) for observation in self.observations)])


def _line(observation: Observation, ports: list[Any], width: int) -> str:
    (at,) = (index for index, port in enumerate(ports) if port is observation.port)
    text = _describe(observation)
    if not width:
        return f"{at + 1}: {text}"
    cells = ["│"] * len(ports)
    if width == _COLUMN:
        cells[at] = text
        return _row(cells, width)
    cells[at] = text[0]
    return f"{_row(cells, width).ljust(width * len(ports))}{at + 1}: {text[1:].lstrip('─ ')}"


def _row(cells: list[str], width: int) -> str:
    return "".join(cell.ljust(width) for cell in cells).rstrip()


def _describe(observation: Observation) -> str:
    match observation:
        case Opened():
            return "○ opened"
        case Posted():
            return f"├─ posts {_frame(observation.frame)} ─▶"
        case Delivered():
            return f"├◀ gets {_frame(observation.frame)}"
        case Dropped():
            return f"├ drops {_frame(observation.frame)}"
        case ListenerFailed():
            return f"├ a listener: {type(observation.error).__name__}"
        case Disconnected():
            why = "" if observation.error is None else f" ({observation.error.cause.value})"
            return "× disconnects" if observation.here else f"× is told of the end{why}"
        case _:
            assert_never(observation)


def _frame(frame: bytes) -> str:
    text = frame.decode("utf-8", "replace")
    return text if len(text) <= _SHOWN - 8 else f"{text[: _SHOWN - 9]}…"
