"""Mutate the package's own source by machine, and count how many of the mutants the kit alone finds.

``nox -s mutate -- --every 20`` runs each twentieth mutant of ``trio_ports/_ports``. A mutant changes one place: a
comparison, an ``and`` or ``or``, a ``not``, a constant, or it leaves out a statement. It is killed if `check_port` or
`check_browser` finds a broken rule, or if it does not end. Survivors are printed with their line.

We tried mutmut and cosmic-ray: both run a test suite for each mutant, and copy or rewrite the package for it. Here a
process imports the package with one module changed in memory, and nothing else is needed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.machinery
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 300
UNSEEN = {"__repr__", "__reduce__", "statistics", "_check_rules"}
"""Functions that are for people, and not for the rules."""
OTHERS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def find_places(tree: ast.AST) -> Iterator[ast.AST]:
    """Return the nodes in functions that can be changed."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name not in UNSEEN:
            for statement in function.body:
                yield from (node for node in ast.walk(statement) if can_be_changed(node))


def can_be_changed(node: ast.AST) -> bool:
    """Return whether a node can be changed in one of the ways below."""
    match node:
        case ast.Compare(ops=[operator]):
            return type(operator) in OTHERS
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.AugAssign() | ast.Raise() | ast.Delete():
            return True
        case ast.Assign(targets=[target]):
            return not isinstance(target, ast.Name)  # Without a local name, nothing would run.
        case ast.Expr(value=value):
            return not isinstance(value, ast.Constant)
        case ast.Constant(value=value):
            return isinstance(value, bool | int)
    return False


def change(node: Any) -> None:
    """Change a node in place."""
    match node:
        case ast.Compare():
            node.ops = [OTHERS[type(node.ops[0])]()]
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.Constant():
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1
        case ast.UnaryOp():
            become(node, ast.Call(ast.Name("bool", ast.Load()), [node.operand], []))
        case _:
            become(node, ast.Pass())


def become(node: ast.AST, other: ast.AST) -> None:
    """Let a node be another one, at the same place."""
    node.__class__ = other.__class__  # type: ignore[assignment]
    node.__dict__ = {**ast.copy_location(other, node).__dict__}


def mutate(source: str, number: int) -> tuple[ast.Module, int]:
    """Return the tree of a module with one place changed, and its line."""
    tree = ast.parse(source)
    node: Any = list(dict.fromkeys(find_places(tree)))[number]
    line = copy.copy(node.lineno)
    change(node)
    return ast.fix_missing_locations(tree), line


def install(path: Path, number: int) -> None:
    """Let a module of the package be imported with one place changed."""
    read = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: Any, name: str) -> CodeType | None:
        if Path(self.get_filename(name)) != path:
            return read(self, name)
        return compile(mutate(path.read_text(encoding="utf-8"), number)[0], str(path), "exec")

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


def check() -> None:
    """Run the kit, with few random histories, and stop at the first finding."""
    sys.path.insert(0, str(ROOT / "tests"))
    from testing import makers

    import trio_ports
    from trio_ports.testing import Limits, check_browser, check_port

    small = {"max_buffer_size": 3, "max_message_bytes": 500}
    limits, few = Limits(**small), {"examples": 30, "seconds": 0.0}
    for errors in ("log", "raise"):
        check_port(
            partial(makers.open_pair, listener_errors=errors, **small), limits=limits, listener_errors=errors, **few
        )
    check_port(partial(makers.open_in_browser, 2, **small), limits=limits, listener_errors="log", **few)
    check_browser(partial(trio_ports.open_browser, listener_errors="log"), listener_errors="log", **few)
    for dialect in ("firefox", "chrome"):
        check_port(partial(makers.open_in_browser, 2, dialect=dialect), dialect=dialect, listener_errors="log", **few)


def run(path: Path, number: int) -> tuple[str, str]:
    """Check one mutant in a process of its own, and return what came of it and what its report begins with."""
    command = [sys.executable, __file__, "--one", str(path), str(number)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "killed", "it does not end"
    found = [line for line in done.stderr.splitlines() if "Error" in line]
    return ("killed" if done.returncode else "survived"), found[-1] if found else ""


def main() -> None:
    """Run mutants, and print the survivors and the score."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument(
        "files", nargs="*", type=Path, help="the files to mutate; those of trio_ports/_ports unless given"
    )
    parser.add_argument("--every", type=int, default=1, help="run every so manieth mutant only")
    parser.add_argument("--first", type=int, default=0, help="begin with this one")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--one", nargs=2, metavar=("FILE", "NUMBER"), help="check this mutant, in this process")
    options = parser.parse_args()
    if options.one:
        install(Path(options.one[0]), int(options.one[1]))
        check()
        return
    files = [file.resolve() for file in options.files] or sorted((ROOT / "trio_ports" / "_ports").glob("*.py"))
    places = [
        (file, number)
        for file in files
        for number in range(len(dict.fromkeys(find_places(ast.parse(file.read_text(encoding="utf-8"))))))
    ][options.first :: options.every]
    killed, begin = 0, time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        for (file, number), (outcome, _) in zip(places, pool.map(lambda place: run(*place), places), strict=True):
            killed += outcome == "killed"
            if outcome == "survived":
                tree, line = mutate(file.read_text(encoding="utf-8"), number)
                text = file.read_text(encoding="utf-8").splitlines()[line - 1].strip()
                print(f"survived: {file.relative_to(ROOT)}:{line} ({number}): {text}", flush=True)
                del tree
    print(f"{killed} of {len(places)} mutants killed in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
