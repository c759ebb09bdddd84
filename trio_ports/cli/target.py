"""Which native application a person means: an installed one by its name, one by its manifest, or a command."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final, final

import attrs
import click

from .._native.browser_side.find import family_for, files_of
from .._native.installing.install import install
from .._protocol.errors import ManifestError
from .._protocol.manifests import CHROMIUM_ID, Family, extension_origin, is_application_name, read_manifest
from .._protocol.places import BROWSERS

ASKING: Final[dict[Family, str]] = {"firefox": "trio-ports@example.invalid", "chromium": "a" * 32}
"""The extension that asks an application which is given as a command, in each family."""
COMMAND_NAME: Final = "command"


@final
@attrs.frozen
class Target:
    """What `connect_native` needs to start an application."""

    application: str
    extension_id: str
    browser: str | None = None
    manifest_folders: Sequence[Path] | None = None


@contextlib.contextmanager
def open_target(
    words: Sequence[str], *, family: Family | None, browser: str | None, extension_id: str | None
) -> Generator[Target]:
    """Find the application that ``words`` mean; a command is installed, for this block, where no browser looks.

    Args:
        words: an application's name, or the path of a manifest, or the words of a
            command.
        family: as whose browser to start it; unless given, the extension's, the
            browser's, or whichever of the two has the application.
        browser: the browser whose places are searched.
        extension_id: the extension that asks; unless given, the first that the manifest
            allows.

    Raises:
        click.UsageError: ``words`` mean nothing that can be started.
    """
    if browser is not None:
        family = BROWSERS[browser].family
    elif family is None and extension_id is not None:
        family = family_for(extension_id, None)
    families: list[Family] = ["firefox", "chromium"] if family is None else [family]
    first = words[0]
    file = Path(first)
    if len(words) == 1 and file.suffix == ".json":
        yield _of_manifest(file.absolute(), families, extension_id)
        return
    if len(words) == 1 and is_application_name(first, "firefox") and not _is_program(first):
        yield _installed(first, families, browser, extension_id)
        return
    with tempfile.TemporaryDirectory(prefix="trio-ports-") as folder:
        yield _of_command(words, families[0], extension_id, Path(folder))


def _is_program(word: str) -> bool:
    return shutil.which(word) is not None


def _of_manifest(file: Path, families: Sequence[Family], extension_id: str | None) -> Target:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    allowed = extension_id or _first_allowed(data, families)
    if allowed is None:
        raise click.UsageError(f"{file} is no manifest that a browser accepts, or allows nobody: give --extension")
    return Target(file.stem, allowed, manifest_folders=[file.parent])


def _installed(name: str, families: Sequence[Family], browser: str | None, extension_id: str | None) -> Target:
    for family in families:
        for file in files_of(name, family, browser):
            with contextlib.suppress(OSError):
                allowed = extension_id or _first_allowed(file.read_bytes(), [family])
                if allowed is not None:
                    return Target(name, allowed, browser)
    where = "any browser's places" if browser is None else f"the places of {browser}"
    raise click.UsageError(
        f"{name} is neither installed in {where}, nor a program on the PATH; a program in this folder is ./{name}"
    )


def _first_allowed(data: bytes, families: Sequence[Family]) -> str | None:
    """Return the first extension that a manifest allows, of either family; None if there is none."""
    for family in families:
        with contextlib.suppress(ManifestError):
            manifest = read_manifest(data, family, windows=os.name == "nt")
            if family == "firefox":
                return manifest.allowed_extensions[0]
            if found := CHROMIUM_ID.search("".join(manifest.allowed_origins)):
                return found[0]
    return None


def _of_command(words: Sequence[str], family: Family, extension_id: str | None, folder: Path) -> Target:
    program = shutil.which(words[0])
    if program is None:
        raise click.UsageError(f"there is no program {words[0]!r}")
    asking = extension_id or ASKING[family]
    # A browser starts a program in its own folder: what means a file of this folder has to be absolute.
    files = [str(Path(word).absolute()) if Path(word).is_file() else word for word in words[1:]]
    try:
        install(
            COMMAND_NAME,
            [str(Path(program).absolute()), *files],
            manifest_folders=[folder],
            allowed_extensions=[asking] if family == "firefox" else [],
            allowed_origins=[extension_origin(asking)] if family == "chromium" else [],
        )
    except ManifestError as error:
        raise click.UsageError(str(error)) from error
    return Target(COMMAND_NAME, asking, manifest_folders=[folder])
