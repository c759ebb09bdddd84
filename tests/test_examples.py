"""The examples of the documentation run, and print what they say they print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
