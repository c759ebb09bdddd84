"""A sound native application, and everything that can be wrong with it, one at a time and in pairs.

What the doctor says of each is compared with what real browsers say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

NAME = "lab.planted"
PROGRAM = f"""\
#!{sys.executable} -IS
import os, sys, time
def write(data):
    while data:
        data = data[os.write(1, data):]
def frame(body, order=sys.byteorder):
    return len(body).to_bytes(4, order) + body
def read(size):
    data = b""
    while len(data) < size and (piece := os.read(0, size - len(data))):
        data += piece
    return data
# at its start
while head := read(4):
    body = read(int.from_bytes(head, sys.byteorder))
    write(frame(body))  # its answer
# at its end
"""
MESSAGE = {"text": "é"}
"""What it is sent: its characters are fewer than its bytes."""


@attrs.define
class Application:
    """An application in a folder, until it is written there."""

    folder: Path
    fields: dict[str, Any]
    """The manifest's."""
    program: str = PROGRAM
    last_touch: list[Callable[[Application], object]] = attrs.field(factory=list)
    """What is done to the files once they are written."""

    @property
    def manifest_file(self) -> Path:
        return self.folder / f"{NAME}.json"

    @property
    def program_file(self) -> Path:
        return self.folder / "program"

    def write(self) -> None:
        self.program_file.write_text(self.program, encoding="utf-8", newline="")
        self.program_file.chmod(0o755)
        self.manifest_file.write_text(json.dumps(self.fields), encoding="utf-8")
        for touch in self.last_touch:
            touch(self)


Plant = Callable[[Application], object]


@attrs.frozen
class Fault:
    """Something that is wrong with an application."""

    names: frozenset[str]
    """The findings that the doctor has to name, and no others."""
    plants: tuple[Plant, ...]

    def __add__(self, other: Fault) -> Fault:
        return Fault(self.names | other.names, (*self.plants, *other.plants))


def plant(folder: Path, fault: Fault, extension_ids: list[str], origins: list[str]) -> Application:
    """Write an application with that fault, for those extensions."""
    fields: dict[str, Any] = {"name": NAME, "description": "Planted", "path": str(folder / "program"), "type": "stdio"}
    if extension_ids:
        fields["allowed_extensions"] = extension_ids
    if origins:
        fields["allowed_origins"] = origins
    application = Application(folder, fields)
    for each in fault.plants:
        each(application)
    application.write()
    return application


# How faults are planted ---------------------------------------------------------------------------------------------


def field(**changes: Any) -> Plant:
    """Change fields of the manifest, or remove them (``...``)."""

    def change(application: Application) -> None:
        for name, value in changes.items():
            application.fields[name] = value
            if value is ...:
                del application.fields[name]

    return change


def allowed(change: Callable[[str], Any]) -> Plant:
    """Change the extensions that the manifest names."""

    def change_lists(application: Application) -> None:
        for name in ("allowed_extensions", "allowed_origins"):
            if name in application.fields:
                application.fields[name] = [change(each) for each in application.fields[name]]

    return change_lists


def no_list(application: Application) -> None:
    for name in ("allowed_extensions", "allowed_origins"):
        application.fields.pop(name, None)


def someone_else(identity: str) -> str:
    return f"chrome-extension://{'b' * 32}/" if identity.startswith("chrome") else "somebody@else.example"


def code(place: str, text: str) -> Plant:
    """Put code into the program."""

    def insert(application: Application) -> None:
        assert place in application.program
        application.program = application.program.replace(place, f"{text}\n{place}" if place.startswith("#") else text)

    return insert


def first_line(line: str, end: str = "\n") -> Plant:
    """Give the program another first line."""

    def change(application: Application) -> None:
        application.program = line + end + application.program.partition("\n")[2]

    return change


def after(touch: Plant) -> Plant:
    """Do something to the files once they are written."""
    return lambda application: application.last_touch.append(touch)


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def carriage_returns(application: Application) -> None:
    application.program = application.program.replace("\n", "\r\n")


START, ANSWER, END = "# at its start", "write(frame(body))  # its answer", "# at its end"


def fault(name: str, *plants: Plant) -> Fault:
    return Fault(frozenset([name] if name else []), plants)


SOUND = fault("")
FAULTS = {
    # The manifest
    "there is none": fault("manifest-not-found", after(lambda it: it.manifest_file.unlink())),
    "the manifest is misspelt": fault(
        "manifest-not-found", after(lambda it: it.manifest_file.rename(it.folder / "lab.plantet.json"))
    ),
    "the manifest is a folder": fault("manifest-unreadable", after(lambda it: to_folder(it.manifest_file))),
    "the manifest is not JSON": fault("manifest-json", after(lambda it: it.manifest_file.write_text("{'name': 1}"))),
    "a trailing comma": fault(
        "manifest-json",
        after(lambda it: it.manifest_file.write_text(it.manifest_file.read_text().removesuffix("}") + ",}")),
    ),
    "another name": fault("manifest-name", field(name="lab.other")),
    "no description": fault("manifest-description", field(description=...)),
    "no type": fault("manifest-type", field(type=...)),
    "another type": fault("manifest-type", field(type="socket")),
    "no path": fault("manifest-path", field(path=...)),
    "a relative path": fault("manifest-path", field(path="program")),
    "a path from the home": fault("manifest-path", field(path="~/gone")),
    "no list": fault("manifest-allowed", no_list),
    "a bad list": fault(
        "manifest-allowed", allowed(lambda each: each.removesuffix("/") if each.startswith("chrome") else "a b")
    ),
    "somebody else is allowed": fault("not-allowed", allowed(someone_else)),
    # The program's file
    "no program": fault("program-missing", after(lambda it: it.program_file.unlink())),
    "a link that leads nowhere": fault(
        "program-missing",
        after(lambda it: it.program_file.unlink()),
        after(lambda it: it.program_file.symlink_to(it.folder / "gone")),
    ),
    "the program is a folder": fault("program-not-a-file", after(lambda it: to_folder(it.program_file))),
    "not executable": fault("program-not-executable", after(lambda it: it.program_file.chmod(0o644))),
    "no first line": fault("program-format", first_line("", "")),
    "a byte order mark": fault("program-format", first_line(f"\ufeff#!{sys.executable}")),
    "DOS line ends": fault("program-line-ends", carriage_returns),
    "no interpreter": fault("interpreter-missing", first_line("#!/opt/gone/python3")),
    "an interpreter that is not executable": fault("interpreter-not-executable", first_line("#!/etc/passwd")),
    "env finds nothing": fault("env-finds-nothing", first_line("#!/usr/bin/env gone-python")),
    "env gets two words": fault("env-finds-nothing", first_line("#!/usr/bin/env python3 -u")),
    # What it does
    "it dies of an error": fault("crashed", code(START, "import gone_tomorrow")),
    "it kills itself": fault("crashed", code(START, "os.kill(os.getpid(), 9)")),
    "it leaves at once": fault("exits-at-once", code(START, "sys.exit()")),
    "it closes its output": fault("output-closed", code(START, "os.close(1); read(1 << 30); sys.exit()")),
    "it prints at its start": fault("output-printed", code(START, "write(b'Hello, I am here\\n')")),
    "it prints something short": fault("output-printed", code(START, "write(b'Hi\\n')"), code(ANSWER, "pass")),
    "it prints with each answer": fault("output-printed", code(ANSWER, "write(frame(body) + b'debug: answered\\n')")),
    "the other byte order": fault("output-byte-order", code(ANSWER, "write(frame(body, 'big'))")),
    "a line end": fault("output-line-end", code(ANSWER, "write(frame(body) + b'\\n')")),
    "it counts characters": fault(
        "output-characters", code(ANSWER, "write(len(body.decode()).to_bytes(4, sys.byteorder) + body)")
    ),
    "it counts its own length": fault(
        "output-length", code(ANSWER, "write((len(body) + 4).to_bytes(4, sys.byteorder) + body)")
    ),
    "not JSON": fault("output-not-json", code(ANSWER, "write(frame(b\"{'a': 1}\"))")),
    "NaN": fault("output-not-json", code(ANSWER, "write(frame(b'NaN'))")),
    "too large": fault("output-too-large", code(ANSWER, "write(frame(b'\"' + b'x' * (2 << 20) + b'\"'))")),
    "only the JSON": fault("output-printed", code(ANSWER, "write(body)")),
    "half a message": fault("output-not-a-frame", code(ANSWER, "write(frame(body)[:-3])")),
    "it never flushes": fault(
        "not-flushed", code(ANSWER, "late = globals().get('late', b'') + frame(body)"), code(END, "write(late)")
    ),
    "it reads nothing": fault("reads-nothing", code(START, "time.sleep(60)")),
    "it never answers": fault("no-answer", code(ANSWER, "pass")),
    "it hangs": fault("hangs", code(ANSWER, "time.sleep(60)")),
    "it never leaves": fault("leaves-late", code(END, "time.sleep(60)")),
    "it fails when it leaves": fault("exit-status", code(END, "sys.exit(3)")),
    "it leaves somebody behind": fault(
        "pipe-held", code(START, "import subprocess; subprocess.Popen(['/bin/sleep', '8'])")
    ),
}
"""Single faults, by what is wrong."""

PAIRS = {
    f"{one}, and {other}": FAULTS[one] + FAULTS[other]
    for one, other in [
        ("no description", "a relative path"),
        ("no type", "somebody else is allowed"),
        ("another name", "a bad list"),
        ("no description", "not executable"),
        ("somebody else is allowed", "no program"),
        ("not executable", "DOS line ends"),
        ("not executable", "no interpreter"),
        ("somebody else is allowed", "it prints at its start"),
        ("another type", "it dies of an error"),
        ("it prints at its start", "it never leaves"),
        ("no description", "it fails when it leaves"),
        ("it never flushes", "it fails when it leaves"),
        ("not JSON", "it never leaves"),
    ]
}
