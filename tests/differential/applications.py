"""Native applications that do what a plan says: answer, exit, die, talk nonsense.

A plan is a list of actions, carried out one after the other: ``["write", HEX]`` bytes to standard output as they are,
``["frame", HEX]`` those bytes as one frame, ``["text", BYTES]`` a frame that holds a text of so many bytes in all,
``["read"]`` waits for one frame, ``["echo"]`` answers it, ``["eof"]`` waits for the end of standard input,
``["stdout"]`` and ``["stdin"]`` close that pipe, ``["stay"]`` waits for a signal, ``["kill", SIGNAL]`` and ``["exit",
STATUS]`` end it. A plan that ends without one ends with status 0.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trio_ports import native

NAME: Final = "differential.planned"
PROGRAM: Final = f"""#!{sys.executable} -IS
import json, os, signal, sys
read, write = sys.stdin.buffer, sys.stdout.buffer
def frame(body):
    write.write(len(body).to_bytes(4, sys.byteorder) + body)
    write.flush()
def take():
    head = read.read(4)
    return read.read(int.from_bytes(head, sys.byteorder)) if head else sys.exit(0)
for do, *rest in json.load(open(__file__ + ".plan")):
    if do == "write":
        write.write(bytes.fromhex(rest[0]))
        write.flush()
    elif do == "frame":
        frame(bytes.fromhex(rest[0]))
    elif do == "text":
        frame(b'"' + b"x" * (rest[0] - 2) + b'"')
    elif do == "read":
        take()
    elif do == "echo":
        frame(take())
    elif do == "eof":
        while read.read(65536):
            pass
    elif do == "stdout":
        os.close(1)
    elif do == "stdin":
        os.close(0)
    elif do == "stay":
        signal.pause()
    elif do == "kill":
        os.kill(os.getpid(), rest[0])
    elif do == "exit":
        os._exit(rest[0])
"""
ELSEWHERE: Final = {"allowed_extensions": ["other@example.org"], "allowed_origins": [f"chrome-extension://{'b' * 32}/"]}


@contextlib.contextmanager
def installed(folder: Path, extension_id: str, plan: Sequence[Any], how: str = "well") -> Iterator[str]:
    """Install an application with that plan in both browsers' way, and remove it again.

    ``how`` may be that something is ``missing``, ``forbidden``, ``no_program``, ``not_executable`` or
    ``no_interpreter``.
    """
    program = folder / "planned.py"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    Path(f"{program}.plan").write_text(json.dumps(plan), encoding="utf-8")
    if how != "missing":
        allowed = ELSEWHERE if how == "forbidden" else allow(extension_id)
        native.install(NAME, program, manifest_folders=[folder], **allowed)
    # What is missing goes missing afterwards: `install` would notice.
    if how == "no_program":
        program.unlink()
    elif how == "not_executable":
        program.chmod(0o644)
    elif how == "no_interpreter":
        program.write_text(PROGRAM.replace(sys.executable, "/nowhere/python", 1), encoding="utf-8")
    try:
        yield NAME
    finally:
        native.uninstall(NAME, manifest_folders=[folder], launcher_folder=folder)
        for file in program, Path(f"{program}.plan"):
            file.unlink(missing_ok=True)


def allow(extension_id: str) -> Mapping[str, Any]:
    """Return whom a manifest lets in."""
    if "@" in extension_id:
        return {"allowed_extensions": [extension_id]}
    return {"allowed_origins": [f"chrome-extension://{extension_id}/"]}
