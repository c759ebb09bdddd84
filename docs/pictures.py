"""Run the commands of the tutorial's second chapter, and keep what they print for its pictures.

`python docs/pictures.py` writes the files in docs/terminal; Sphinx draws them. A test runs the same commands, and
compares what they print now. It needs Firefox, and touches nothing outside a temporary folder.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
CHAPTER = DOCS / "tutorial_extension.rst"
PICTURES = DOCS / "terminal"
BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n\n(?P<lines>(?:   .*\n|\n)+)|^\.\. terminal:: (?P<name>\w+)\n",
    re.MULTILINE,
)
EDITED = Path("extension", "background.js")
BEFORE = 'say("ping");'


def run_chapter(folder: Path) -> dict[str, str]:
    """Run the commands of the chapter in an empty folder, and return what the ones with a picture print."""
    home = folder / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CONFIG_HOME": str(home / "config")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shown = {"FORCE_COLOR": "1", "COLUMNS": "90", "PYTHONUNBUFFERED": "1", "PY_COLORS": "1"}
    environment = {**os.environ, **places, **shown, "PATH": path}
    blocks = [*BLOCK.finditer(CHAPTER.read_text(encoding="utf-8"))]
    pictures: dict[str, str] = {}
    output = ""
    for index, block in enumerate(blocks):
        if block["name"]:
            pictures[block["name"]] = output
        if block["language"] != "sh":
            continue
        for command in block["lines"].split("\n"):
            line = command.strip()
            if line.startswith("cd "):
                folder /= line.removeprefix("cd ")
            elif line.startswith("trio-ports try "):
                after = blocks[index + 1]["lines"].strip()
                output = f"$ {line}\n" + watch(shlex.split(f"{line} --headless"), folder, environment, after)
            elif line and " pip install " not in line:
                ran = subprocess.run(line, shell=True, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE)
                output = f"$ {line}\n{ran.stdout.decode()}"
    return pictures


def watch(command: list[str], folder: Path, environment: Mapping[str, str], after: str) -> str:
    """Run `trio-ports try --watch`: change the extension's script once both have talked, and stop it after that."""
    output = ""
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if line.count("console") and "pong" in line:
                file = folder / EDITED
                file.write_text(file.read_text().replace(BEFORE, after))
            if line.count("console") and "hello" in line:
                process.send_signal(signal.SIGINT)
    return output


def plain(text: str) -> list[str]:
    """Return the different lines in alphabetical order, without what differs between runs: colours, numbers, rulers."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = (re.sub(r" *\d[\d.]*(esr|s)?", " 0", line) for line in text.splitlines())
    return sorted({re.sub(r"[=-]{3,}", "", line).strip() for line in lines})


def main() -> None:
    """Write the files for the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="docs-", dir="/tmp") as folder:
        for name, output in run_chapter(Path(folder)).items():
            (PICTURES / f"{name}.txt").write_text(output, encoding="utf-8")
            print(PICTURES / f"{name}.txt")


if __name__ == "__main__":
    main()
