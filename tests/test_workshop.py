"""The repository keeps the promises that its README and its contributing page make."""

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL = {"pyproject.toml", "trio_ports", "tests", "docs", "noxfile.py", "README.md", "LICENSE"}
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def repository_files() -> list[Path]:
    """Return what is under version control; in an unpacked archive, what lies at the places that exist there."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
        files = [ROOT / name for name in listed.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        files = []
    if not files:
        places = (place for name in TOP_LEVEL for place in (ROOT / name, *(ROOT / name).rglob("*")))
        files = [place for place in places if "__pycache__" not in place.parts and "_build" not in place.parts]
    return [file for file in files if file.is_file()]


def test_readme_begins_with_the_two_commands() -> None:
    """Whoever opens the README sees first how to try the library and how to check it."""
    title, _, first_block = README.partition("```sh\n")
    assert title.strip() == "# trio_ports"
    assert first_block.splitlines()[:3] == [
        "python -m pip install . && trio-ports demo",
        "python -m pip install nox && nox",
        "```",
    ]


def test_ci_runs_the_readme_command() -> None:
    """Continuous integration calls the very line that the README gives to a contributor, and asks for everything."""
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines.index("export CI=true") < lines.index("python -m pip install nox && nox")
    assert os.name == "nt" or os.access(script, os.X_OK)


def test_readme_picture_exists() -> None:
    """Each picture that the README shows is in the repository."""
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_examples_are_short_python(block: str) -> None:
    """Each example of the README compiles and fits on half a screen."""
    compile(block, "README.md", "exec")
    assert sum(1 for line in block.splitlines() if line.strip()) <= 15


def test_every_session_has_a_docstring() -> None:
    """`nox -l` is the manual: each session says in a sentence what it does."""
    noxfile = ast.parse((ROOT / "noxfile.py").read_bytes())
    functions = [node for node in noxfile.body if isinstance(node, ast.FunctionDef)]
    sessions = {f.name: f for f in functions if any("nox.session" in ast.unparse(d) for d in f.decorator_list)}
    assert {"tests", "repetitions", "coverage", "lint", "types", "layers", "docs", "build"} <= sessions.keys()
    assert [name for name, function in sessions.items() if not ast.get_docstring(function)] == []


def test_layers_name_every_subpackage() -> None:
    """No part of the package escapes the check of its imports."""
    contract = next(c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["id"] == "layers")
    named = set(re.findall(r"\w+", " ".join(contract["layers"] + contract["exhaustive_ignores"])))
    present = {p.parent.name for p in (ROOT / "trio_ports").glob("*/__init__.py")}
    present |= {p.stem for p in (ROOT / "trio_ports").glob("*.py")} - {"__init__"}
    assert present <= named


def test_public_modules_have_a_reference_page() -> None:
    """What may be imported can be looked up."""
    package = ROOT / "trio_ports"
    names = {p.stem for p in package.glob("[!_]*.py")} | {p.parent.name for p in package.glob("[!_]*/__init__.py")}
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.rst"))
    assert [name for name in names - {"cli", "pytest_plugin"} if f"automodule:: trio_ports.{name}" not in pages] == []


def test_top_level_is_what_it_should_be() -> None:
    """The first look at the repository shows a handful of names; dotfiles apart, nothing joins them."""
    names = {file.relative_to(ROOT).parts[0] for file in repository_files()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_no_file_names_a_machine() -> None:
    """No path of somebody's machine and no address of a package registry gets into the repository."""
    # Put together here, so that this file holds none of them.
    hosts = [f"{name}.{domain}" for name in ("pypi", "pythonhosted", "npmjs") for domain in ("org", "com")]
    paths = [f"/{name}/" for name in ("root", "work")]
    found = [
        (str(file.relative_to(ROOT)), word)
        for file in repository_files()
        for word in hosts + paths
        if word.encode() in file.read_bytes()
    ]
    assert found == []


@pytest.mark.skipif("TRIO_PORTS_TEST_WHEEL" not in os.environ, reason="the checkout itself is under test")
def test_the_wheel_is_what_is_tested() -> None:
    """Under nox the package comes from the environment's site-packages."""
    import trio_ports

    assert trio_ports.__file__ is not None
    assert not Path(trio_ports.__file__).is_relative_to(ROOT / "trio_ports")
