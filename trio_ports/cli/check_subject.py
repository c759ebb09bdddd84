"""What `trio-ports check` is to start: a command, or what a native manifest names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import click

from .._native.browser_side.find import files_of
from .._protocol.errors import ManifestError
from .._protocol.manifests import is_application_name, read_manifest
from .._protocol.places import BROWSERS
from ..testing._applications.candidate import CALLERS


@attrs.frozen
class Subject:
    """An application that is checked, and how it is started."""

    command: tuple[str, ...]
    callers: tuple[tuple[str, ...], ...] = CALLERS
    """The arguments that the browsers add that may start it."""
    manifest: Path | None = None


def find_subject(words: tuple[str, ...]) -> Subject:
    """Return what these words stand for: a command, an installed application's name, or a manifest's path."""
    word = words[0] if len(words) == 1 else ""
    path = Path(word)
    if not word or shutil.which(word) is not None:
        return Subject(words)
    if path.suffix == ".json" and path.is_file():
        return _read(path)
    if path.exists() or not is_application_name(word, "firefox"):
        return Subject(words)
    for file in _files(word):
        if file.is_file():
            return _read(file)
    raise click.UsageError(
        f"cannot start {word}: there is no such program on the PATH, and no browser has a native application "
        "of that name"
    )


def _files(name: str) -> Iterator[Path]:
    for browser, places in BROWSERS.items():
        yield from files_of(name, places.family, browser)


def _read(file: Path) -> Subject:
    """Return what a manifest names. It must be right for one of the browsers' families at least."""
    data = file.read_bytes()
    try:
        manifest = read_manifest(data, "chromium")
    except ManifestError:
        try:
            manifest = read_manifest(data, "firefox")
        except ManifestError as error:
            raise click.UsageError(f"{file} is not a manifest that a browser accepts: {error}") from error
    firefox = [(str(file.absolute()), extension) for extension in manifest.allowed_extensions[:1]]
    chromium = [each for origin in manifest.allowed_origins[:1] for each in ((origin,), (origin, "--parent-window=0"))]
    return Subject((str(file.parent / manifest.path),), (*firefox, *chromium) or CALLERS, file)
