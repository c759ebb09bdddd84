"""What `trio-ports check` starts, and with which arguments: a command, or what a native manifest names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

import attrs
import click

from .._protocol.errors import ManifestError
from .._protocol.manifests import NativeManifest
from ..testing._applications.candidate import CALLERS
from .application import Application, find_application


@final
@attrs.frozen
class Subject:
    """An application that is checked, and how it is started."""

    command: tuple[str, ...]
    callers: tuple[tuple[str, ...], ...] = CALLERS
    """The arguments that the browsers add that may start it."""
    manifest: Path | None = None


def find_subject(words: Sequence[str]) -> Subject:
    """Return what these words stand for; click.UsageError if that is nothing, or a manifest that no browser accepts."""
    application = find_application(words)
    if application.command:
        return Subject(application.command)
    file, manifest = _readable(application)
    firefox = [(str(file), extension) for extension in manifest.allowed_extensions[:1]]
    chromium = [each for origin in manifest.allowed_origins[:1] for each in ((origin,), (origin, "--parent-window=0"))]
    return Subject((manifest.path,), (*firefox, *chromium) or CALLERS, file)


def _readable(application: Application) -> tuple[Path, NativeManifest]:
    """Return the first manifest that is right for a browser that looks there."""
    problems: list[str] = []
    for found in application.manifests:
        try:
            return found.file, found.read()
        except (OSError, ManifestError) as error:
            problems.append(f"by {found.family.capitalize()}'s rules, {error}")
    files = ", ".join(dict.fromkeys(str(found.file) for found in application.manifests))
    raise click.UsageError(f"{files} is not a manifest that a browser accepts: {'; '.join(dict.fromkeys(problems))}")
