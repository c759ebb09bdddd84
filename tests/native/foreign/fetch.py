"""Fetch what others wrote, for the tests that talk to it.

::

    python tests/native/foreign/fetch.py FOLDER
    TRIO_PORTS_FOREIGN=FOLDER python -m pytest tests/native/test_foreign.py tests/testing/test_published_doubles.py

Uses npm, and pip or uv, and writes into FOLDER only.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DOUBLES = HERE.parents[1] / "testing" / "doubles"


def fetch(folder: Path) -> None:
    """Fill ``folder``, unless it holds what is wanted already."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "chrome_native_messaging.cjs", "web_ext_native_msg.mjs"):
        shutil.copy(HERE / name, folder)
    shutil.copytree(DOUBLES, folder / "doubles", dirs_exist_ok=True)
    wanted = "".join((HERE / name).read_text(encoding="utf-8") for name in ("package.json", "requirements.txt"))
    stamp = folder / "fetched.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is missing: install Node")
    # The test frameworks that some want beside them are not needed, and neither are scripts that packages bring along.
    options = ["--silent", "--no-audit", "--no-fund", "--legacy-peer-deps", "--ignore-scripts"]
    subprocess.run([npm, "install", *options], cwd=folder, check=True)
    install = [sys.executable, "-m", "pip", "install"]
    if importlib.util.find_spec("pip") is None:  # It is not in an environment that uv has made.
        install = ["uv", "pip", "install", "--python", sys.executable]
    install += ["--quiet", "--no-deps", "--target", str(folder / "python")]
    subprocess.run([*install, "--requirement", str(HERE / "requirements.txt")], check=True)
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    fetch(Path(sys.argv[1]).absolute())
