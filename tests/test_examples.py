"""The examples of the documentation run, and print what they say they print."""

import enum
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import trio

from trio_ports import NotSerializableError, open_port_pair

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_prints_what_its_comments_say(example: Path) -> None:
    """The comment behind each `print` is what a reader sees who runs the example."""
    promised = re.findall(r"print\(.*\)  # (.*)", example.read_text(encoding="utf-8"))
    run = subprocess.run([sys.executable, "-W", "error", example], capture_output=True, check=False, text=True)
    assert (run.stderr, run.returncode, run.stdout.splitlines()) == ("", 0, promised)


def test_readme_shows_the_first_example() -> None:
    """The README's first example is the one that is run here."""
    example = (ROOT / "docs" / "examples" / "pair.py").read_text(encoding="utf-8")
    assert example.partition("\n\n")[2] in (ROOT / "README.md").read_text(encoding="utf-8")


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


class Pair(NamedTuple):
    x: int
    y: int


NAMES = {each.__name__: each for each in (Colour, Point, Pair, date, datetime, time, timedelta, Decimal, Path, UUID)}


def rows_of_messages() -> list[tuple[list[str], str]]:
    """Return the table of the page on messages: the values of each row, and as what they arrive."""
    lines = (ROOT / "docs" / "howto" / "messages.rst").read_text(encoding="utf-8").splitlines()
    _, top, below_titles, bottom = (number for number, line in enumerate(lines) if line.startswith("==="))
    left, middle, _ = (len(column) for column in lines[top].split())
    return [
        (re.findall(r"``(.+?)``", line[: left + 1]), line[left + 2 : left + middle + 4].strip())
        for line in lines[below_titles + 1 : bottom]
    ]


@pytest.mark.parametrize(("posted", "arrives"), rows_of_messages())
async def test_what_arrives_is_what_the_table_of_messages_says(
    posted: list[str], arrives: str, nursery: trio.Nursery
) -> None:
    """Each value in the left column arrives as the middle column says, or is refused."""
    opener, receiver = open_port_pair(nursery)
    values = [eval(each, dict(NAMES)) for each in posted]
    if arrives == "an error":
        for value in values:
            with pytest.raises(NotSerializableError):
                opener.post_message(value)
    else:
        got: list[Any] = []
        for value in values:
            opener.post_message(value)
            got.append(await receiver.receive())
        assert (got if len(got) > 1 else got[0]) == eval(arrives.strip("`"))
    opener.disconnect()


async def test_typed_messages_arrive_as_the_page_on_messages_says(nursery: trio.Nursery) -> None:
    """A dataclass comes back as one where somebody asked for it."""
    caller, answerer = open_port_pair(nursery, message_type=Point)
    caller.post_message(Point(1, 2))
    assert await answerer.receive() == Point(1, 2)
    caller.disconnect()
