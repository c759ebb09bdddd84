"""The examples of the documentation run, and print what they say they print."""

import asyncio
import enum
import functools
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
import trio

import trio_ports
from trio_ports import MessageShapeError, NotSerializableError, Port, open_browser, open_port_pair
from trio_ports.native import connect_native, install

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


async def test_the_recipe_for_a_killed_process_is_a_test_that_passes() -> None:
    """The last block of the recipe runs as it stands there."""
    recipe = (ROOT / "docs" / "howto" / "several-processes.rst").read_text(encoding="utf-8")
    program = textwrap.dedent(recipe.rpartition(".. code-block:: python")[2])
    names: dict[str, Any] = {}
    exec(program, names)
    await names["test_the_other_process_is_killed"]()


async def test_the_recipe_for_pages_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Its blocks, one after the other, as one program; those that show other pages, as a second one."""
    recipe = (ROOT / "docs" / "howto" / "pages.rst").read_text(encoding="utf-8")
    _, *blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", recipe)
    assert len(blocks) == 7
    private, prepared = blocks[4:6]
    del blocks[4:6]

    async def look_up(port: Port) -> None:
        await port.send(port.sender and port.sender.url)

    names: dict[str, Any] = {"functools": functools, "look_up": look_up}
    exec("".join(["async def play(browser, nursery):\n", *blocks, "   return background, port\n"]), names)
    exec(f"def browse(browser):\n{private}   tab = private\n{prepared}   return script\n", names)
    async with trio.open_nursery() as nursery, open_browser() as browser:
        background, port = await names["play"](browser, nursery)
        assert await port.receive() == "https://example.com/"
        page = background.extension.open_page("another.html")
        async with page.runtime.connect() as asking:
            await asking.send("what?")
            assert await asking.receive() == {"you said": "what?"}
    assert capsys.readouterr().out == f"reached by {background.url}\n"
    async with open_browser() as browser:
        assert names["browse"](browser).url == "https://example.com/next"


def test_the_recipe_for_ports_of_your_own_is_a_test_that_passes(patient_wires: None) -> None:
    """The first block of the recipe runs as it stands there."""
    recipe = (ROOT / "docs" / "howto" / "test-ports.rst").read_text(encoding="utf-8")
    program = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", recipe)[0]
    names: dict[str, Any] = {}
    exec(textwrap.dedent(program), names)
    names["test_my_ports"]()


def recipe_for_other_loops(mark: str) -> str:
    """Return the blocks in the section with that mark in its title, as one program."""
    page = (ROOT / "docs" / "howto" / "other-loops.rst").read_text(encoding="utf-8")
    (section,) = (each for each in re.split(r"\n(?=.*\n-{5,}\n)", page) if mark in each.partition("\n")[0])
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", section)
    return textwrap.dedent("".join(blocks))


def test_the_recipe_for_a_guest_of_asyncio_runs(tmp_path: Path) -> None:
    """It prints what its comment says, and its ports end in good order if the asyncio task is cancelled."""
    program = recipe_for_other_loops("As a guest of asyncio")
    run = run_python(tmp_path, "-c", program)
    assert (run.stderr, run.stdout) == ("", "{'you said': 'hello'}\n")

    names: dict[str, Any] = {}
    exec(program.removesuffix("asyncio.run(main())\n"), names)
    errors: list[Any] = []

    async def cancel() -> None:
        started = asyncio.Event()

        async def talk() -> None:
            async with trio.open_nursery() as nursery:
                opener, receiver = open_port_pair(nursery)
                receiver.on_disconnect.add_listener(lambda port: errors.append(port.error))
                async with opener:
                    started.set()
                    await trio.sleep_forever()

        talking = asyncio.create_task(names["run_trio"](talk))
        await started.wait()
        talking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talking

    asyncio.run(cancel())
    assert errors == [None]


def test_the_recipe_for_anyio_runs(tmp_path: Path) -> None:
    """The program prints what its comment says, and the test passes."""
    pytest.importorskip("anyio")
    program, _, test = recipe_for_other_loops("AnyIO applications").partition("import pytest\n")
    run = run_python(tmp_path, "-c", program)
    assert (run.stderr, run.stdout) == ("", "{'you said': 'hello'}\n")
    (tmp_path / "test_arrives.py").write_text(f"import pytest\n{test}", encoding="utf-8")
    run = run_python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert (run.returncode, run.stdout.splitlines()[-1].split(" in ")[0]) == (0, "1 passed"), run.stdout


def shown(language: str, mark: str) -> str:
    """Return the one block of the README in that language with that mark in it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = (each for each in re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL) if mark in each)
    return str(block)


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)


async def test_readme_shows_a_native_application(tmp_path: Path) -> None:
    """It answers as it stands there, started as a browser would start it."""
    (tmp_path / "app.py").write_text(shown("python", "open_native_port"), encoding="utf-8")
    install(
        "ping_pong",
        [sys.executable, str(tmp_path / "app.py")],
        allowed_extensions=["me@example.org"],
        manifest_folders=[tmp_path],
    )
    async with connect_native("ping_pong", extension_id="me@example.org", manifest_folders=[tmp_path]) as port:
        for message, answer in (("ping", "pong"), ([1], {"you said": [1]})):
            await port.send(message)
            assert await port.receive() == answer


def test_readme_shows_a_test_and_how_pytest_is_told_of_trio(tmp_path: Path) -> None:
    """The example passes with the configuration that stands above it, and with nothing else."""
    (tmp_path / "pyproject.toml").write_text(shown("toml", "trio_mode"), encoding="utf-8")
    (tmp_path / "test_greeting.py").write_text(shown("python", "async def test_"), encoding="utf-8")
    run = run_python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert (run.returncode, run.stdout.splitlines()[-1].split(" in ")[0]) == (0, "1 passed"), run.stdout


def test_readme_shows_how_a_port_is_checked(tmp_path: Path) -> None:
    """Our own ports keep the rules, so the example says nothing."""
    run = run_python(tmp_path, "-c", shown("python", "check_port"))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


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


async def test_the_example_with_tagged_messages_runs(nursery: trio.Nursery) -> None:
    """As it stands on the page on messages, whose tags are what JavaScript sends."""
    page = (ROOT / "docs" / "howto" / "messages.rst").read_text(encoding="utf-8")
    program = textwrap.dedent(re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", page)[-1])
    names: dict[str, Any] = {"msgspec": msgspec, "trio": trio, "trio_ports": trio_ports, "Port": Port}
    exec(program, names)
    assert await names["ask"](nursery) == ["About ports"]
    opener, receiver = open_port_pair(nursery, message_type=(Any, names["Request"]))
    opener.post_message({"type": "Search", "text": "ports"})
    assert await receiver.receive() == names["Search"](text="ports")
    opener.post_message({"text": "ports"})
    with pytest.raises(MessageShapeError):
        await receiver.receive()
    opener.disconnect()


async def test_typed_messages_arrive_as_the_page_on_messages_says(nursery: trio.Nursery) -> None:
    """A dataclass comes back as one where somebody asked for it."""
    caller, answerer = open_port_pair(nursery, message_type=Point)
    caller.post_message(Point(1, 2))
    assert await answerer.receive() == Point(1, 2)
    caller.disconnect()
