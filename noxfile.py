"""The workshop: every check of the project is a session here, and `nox -l` is the manual.

`nox` without an argument is quick: it runs each kind of check once, on the newest
Python found. Where the variable `CI` is set, as hosts of continuous integration do, it
runs everything: the tests on every Python, measured on the newest, and those that
repeat others at length. What is tested is the wheel, built once and installed into each
environment; the source tree is never importable from there.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2025.11.12"
# An environment takes uv a few seconds, and pip half a minute.
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

# What pip would compile, and most of which is never imported, takes longer than all else that it does; nor need it look
# each time whether there is a newer pip.
os.environ |= {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
# Only Pythons that are here are asked for, and uv fetches packages from where pip was told to.
os.environ |= {"UV_PYTHON_DOWNLOADS": "never"}
if "PIP_INDEX_URL" in os.environ:
    os.environ.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])

ROOT = Path(__file__).parent
DIST = ROOT / "dist"
MEASURED = ROOT / ".nox" / "measured"
WITH_BROWSERS = ("differential", "laboratory")
DRIVERS = "*/trio_ports/_laboratory/*,*/trio_ports/cli/try_browser.py,*/trio_ports/cli/try_extension.py"
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
OLDEST = (3, 11)

PROBE = """
import json, sys
ours = sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final"
print(json.dumps([*sys.version_info[:3]] if ours else None))
"""


def probe(python: Path) -> tuple[int, ...] | None:
    """Return the version of a CPython that runs and is new enough; None for a shim that leads nowhere."""
    try:
        found = subprocess.run([python, "-c", PROBE], capture_output=True, check=True, timeout=60, text=True).stdout
        version = json.loads(found)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return tuple(version) if version and tuple(version[:2]) >= OLDEST else None


def find_pythons() -> dict[str, Path]:
    """Return each minor version found: the one that runs this file, then what pyenv keeps, then the PATH.

    A pyenv shim stands on the PATH for versions that are installed but not selected, and fails when it is called;
    so the directories behind the shims are looked through.
    """
    found = {"{}.{}".format(*sys.version_info): Path(sys.executable)}
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    versions = {python: probe(python) for python in kept.glob("[0-9]*/bin/python3")}
    for python, version in sorted(versions.items(), key=lambda item: item[1] or (), reverse=True):
        if version:
            found.setdefault("{}.{}".format(*version), python)
    for minor in range(OLDEST[1], 20):
        python = shutil.which(f"python3.{minor}")
        if python and f"3.{minor}" not in found and probe(Path(python)):
            found[f"3.{minor}"] = Path(python)
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition(".")[2])))


LOOK = """
from trio_ports._laboratory.browsers.find import SEARCHES, BrowserNotFoundError, find_browser
try:
    print(*map(find_browser, SEARCHES))
except BrowserNotFoundError as missing:
    print("missing:", missing)
"""

FOUND = find_pythons()
# Last on the PATH: nox finds them by their names, and nothing that was there before changes its meaning.
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *(str(python.parent) for python in FOUND.values())])
NEWEST = list(FOUND)[-1]
BOTH_ENDS = list(dict.fromkeys([next(iter(FOUND)), NEWEST]))
chosen = [f"tests-{NEWEST}"]
if "CI" in os.environ:
    chosen = [f"tests-{python}" for python in FOUND if python != NEWEST]
    chosen += ["coverage", *(f"repetitions-{python}" for python in BOTH_ENDS)]
nox.options.sessions = ["build", "lint", "layers", "types", "docs", *chosen]
# Many tests wait, for a process or a browser, so more of them run at a time than there are processors. Which of them
# stay together, and which begin, is for `tests/conftest.py` to say.
IN_PARALLEL = ["-n", str(min(4, os.cpu_count() or 1) + 2)]
ONCE = ["-m", "not repetition", *IN_PARALLEL, str(ROOT / "tests")]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PROJECT, name))


def install_wheel(session: nox.Session, *requirements: str) -> None:
    """Install the wheel that was built with its dependencies, and the requirements given."""
    (wheel,) = DIST.glob("*.whl")
    session.install(str(wheel), *requirements)
    # The version does not change between two builds, so pip has to be told that the content may have.
    session.install("--quiet", "--no-deps", "--force-reinstall", str(wheel))


def leave_the_source(session: nox.Session) -> None:
    """Go to an empty directory, from where `import trio_ports` can only mean the installed wheel."""
    session.chdir(session.create_tmp())
    # A socket's path has room for some hundred characters, and browsers put theirs into the temporary folder.
    session.env.pop("TMPDIR", None)


def from_root(arguments: list[str]) -> list[str]:
    """Return pytest's arguments with paths that hold in any directory; all tests, if no path is among them."""
    paths = {each: str(ROOT / each) for each in arguments if (ROOT / each.partition("::")[0]).is_file()}
    return [*(paths.get(each, each) for each in arguments), *([] if paths else [str(ROOT / "tests")])]


@nox.session
def build(session: nox.Session) -> None:
    """Build the source archive, and from it the wheel that the other sessions install."""
    session.install(*group("build"))
    shutil.rmtree(DIST, ignore_errors=True)
    installer = "uv" if session.venv_backend == "uv" else "pip"
    session.run("python", "-m", "build", "--installer", installer, "--outdir", str(DIST), str(ROOT), silent=True)
    (wheel,) = DIST.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    if "trio_ports/py.typed" not in names:
        session.error("the wheel has no py.typed")
    if strays := [name for name in names if not name.startswith(("trio_ports/", "trio_ports-"))]:
        session.error(f"the wheel holds what it should not: {strays}")


def run_tests(session: nox.Session, *arguments: str, runner: Sequence[str] = ("-m", "pytest")) -> None:
    """Run pytest where only the wheel can be imported."""
    session.run("python", "-P", *runner, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), *arguments)


def prepare_tests(session: nox.Session) -> None:
    """Install what the tests need, and see to it that they can import the wheel only."""
    install_wheel(session, *group("tests"))
    leave_the_source(session)
    session.env["TRIO_PORTS_TEST_WHEEL"] = "1"


@nox.session(python=list(FOUND), requires=["build"])
def tests(session: nox.Session) -> None:
    """Run every test that is not a repetition, against the wheel; arguments after `--` go to pytest instead."""
    prepare_tests(session)
    if session.posargs:
        run_tests(session, *from_root(session.posargs))
    else:
        # What browsers do does not depend on the Python that drives them: once is enough.
        left_out = [f"--ignore={ROOT / 'tests' / each}" for each in WITH_BROWSERS if session.python != NEWEST]
        run_tests(session, *left_out, *ONCE)


@nox.session(python=BOTH_ENDS, requires=["build"])
def repetitions(session: nox.Session) -> None:
    """Run the tests that repeat others at length: mutants, swarms, random histories, published applications."""
    prepare_tests(session)
    if shutil.which("npm"):
        # Native applications made with others' libraries, for our client to talk to; without npm their tests skip.
        foreign = ROOT / ".nox" / "foreign"
        session.run("python", str(ROOT / "tests" / "native" / "foreign" / "fetch.py"), str(foreign), silent=True)
        session.env["TRIO_PORTS_FOREIGN"] = str(foreign)
    run_tests(session, "-m", "repetition", *IN_PARALLEL, *session.posargs, str(ROOT / "tests"))


@nox.session(python=NEWEST, default=False)
def mutate(session: nox.Session) -> None:
    """Mutate the package's own source by machine, and count what the kit alone finds; `-- --every 20` for a sample."""
    session.install("-e", str(ROOT), *group("tests"))
    session.run("python", str(ROOT / "tests" / "mutation.py"), *session.posargs)


@nox.session(python=NEWEST, requires=["build"], default=False)
def browsers(session: nox.Session) -> None:
    """Play many more histories in real browsers than `tests` does; arguments after `--` go to pytest."""
    install_wheel(session, *group("tests"))
    leave_the_source(session)
    session.env["TRIO_PORTS_REQUIRE_BROWSERS"] = "1"
    session.env["TRIO_PORTS_DIFFERENTIAL_EXAMPLES"] = os.environ.get("TRIO_PORTS_DIFFERENTIAL_EXAMPLES", "2000")
    # Two thousand histories take a quarter of an hour or so, in one test.
    run_tests(session, "-o", "faulthandler_timeout=7200", *session.posargs, str(ROOT / "tests" / "differential"))


@nox.session(python=NEWEST, requires=["build"], default=False)
def support_matrix(session: nox.Session) -> None:
    """Write the support matrix of the documentation from what the real browsers do now."""
    install_wheel(session, *group("tests"))
    session.env["PYTHONPATH"] = str(ROOT / "tests")
    leave_the_source(session)
    session.run("python", str(ROOT / "tests" / "differential" / "support_matrix.py"), str(ROOT / "docs" / "reference"))


@nox.session(python=NEWEST, requires=["build"])
def coverage(session: nox.Session) -> None:
    """Run the tests of `tests` on the newest Python, and demand that they take every branch of the package."""
    prepare_tests(session)
    shutil.rmtree(MEASURED, ignore_errors=True)
    MEASURED.mkdir(parents=True)
    session.env["COVERAGE_FILE"] = str(MEASURED / "data")
    session.env["COVERAGE_RCFILE"] = str(ROOT / "pyproject.toml")
    run_tests(session, *ONCE, runner=["-m", "coverage", "run", "-m", "pytest"])
    session.run("coverage", "combine", "--quiet", str(MEASURED))
    left_out = []
    if (browsers := str(session.run("python", "-P", "-c", LOOK, silent=True)).strip()).startswith("missing"):
        # Where a browser is missing, the tests that drive it skip: what only they run cannot be asked for.
        session.warn(f"what drives browsers is left out: {browsers}")
        left_out = ["--omit", DRIVERS]
    session.run("coverage", "report", *left_out)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff; `nox -s format` mends what can be mended."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(name="format", default=False)
def format_(session: nox.Session) -> None:
    """Format the sources and mend what ruff can mend."""
    session.install(*group("lint"))
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")


@nox.session(requires=["build"])
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, both strict, as users see them too, and that every public name has one."""
    install_wheel(session, *group("types"))
    session.run("mypy")
    session.run("pyright")
    leave_the_source(session)
    session.run("pyright", "--verifytypes", "trio_ports", "--ignoreexternal")


@nox.session
def layers(session: nox.Session) -> None:
    """Check that every file imports only from the layers below it."""
    session.install(*group("layers"))
    session.run("lint-imports", "--no-cache")


@nox.session(requires=["build"])
def docs(session: nox.Session) -> None:
    """Build the documentation, a warning being an error, and render the news fragments."""
    install_wheel(session, *group("docs"))
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)
    session.run("sphinx-build", "-E", "-W", "--keep-going", "-q", "-n", "docs", "docs/_build/html")
    session.log("docs/_build/html/index.html")
