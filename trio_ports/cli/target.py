"""Who asks a native application for a conversation, and where it is looked for: what `connect_native` needs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import final

import attrs
import click

from .._native.browser_side.find import family_for
from .._protocol.errors import ManifestError
from .._protocol.manifests import CHROMIUM_ID, Family, NativeManifest
from .._protocol.places import BROWSERS
from .application import FAMILIES, Application


@final
@attrs.frozen
class Target:
    """What `connect_native` needs to start an application."""

    application: str
    extension_id: str
    browser: str | None = None
    manifest_folders: Sequence[Path] | None = None


def choose_target(
    application: Application, *, family: Family | None, browser: str | None, extension_id: str | None
) -> Target:
    """Return how to start an application.

    Args:
        application: which one.
        family: as whose browser to start it; unless given, the browser's, the
            extension's, or whichever of the two has the application.
        browser: the browser that starts it; unless given, the first that has it.
        extension_id: the extension that asks; unless given, the first that the manifest
            allows. Whether it is allowed is not checked.

    Raises:
        click.UsageError: there is no manifest that allows any extension.
    """
    if browser is not None:
        family = BROWSERS[browser].family
    elif extension_id is not None:
        family = family_for(extension_id, None)
    families = FAMILIES if family is None else (family,)
    manifests = [each for each in application.manifests if each.family in families]
    for found in manifests:
        asking = extension_id
        if asking is None:
            with contextlib.suppress(OSError, ManifestError):
                asking = _first_allowed(found.read(), found.family)
        if asking is not None:
            return Target(application.name, asking, browser or found.browser, application.manifest_folders)
    if extension_id is not None:
        return Target(application.name, extension_id, browser, application.manifest_folders)
    files = ", ".join(dict.fromkeys(str(each.file) for each in manifests))
    if not files:
        raise click.UsageError(f"{application.name} is not installed for a browser of the family {family}")
    raise click.UsageError(f"{files} is no manifest that a browser accepts, or allows nobody: give --extension")


def _first_allowed(manifest: NativeManifest, family: Family) -> str | None:
    if family == "firefox":
        return manifest.allowed_extensions[0]
    found = CHROMIUM_ID.search("".join(manifest.allowed_origins))
    return None if found is None else found[0]
