"""The command `trio-ports id`: the ids of an extension, and a key that fixes the one in Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

import click

from .._protocol.extension_ids import id_of_folder, id_of_key, new_key
from .._protocol.messages import BOM

MANIFEST: Final = "manifest.json"
GECKO: Final = ("browser_specific_settings", "applications")
"""Where a manifest has Firefox's settings, today and formerly."""


@click.command("id")
@click.option("--new-key", "makes_key", is_flag=True, help="Make a new key, and show it with its id.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, for programs.")
@click.argument("extension", required=False)
def extension_id(*, extension: str | None, makes_key: bool, as_json: bool) -> None:
    """Show the ids of an extension, as a native application's manifest needs them.

    EXTENSION is a folder with a manifest.json, a manifest, a file with a public key, or a
    key as it stands in a manifest. Chromium makes the id from the key; without one, from
    the folder's path. Firefox reads it from the manifest.

    Example: trio-ports id ./my-extension
    """
    if makes_key == (extension is not None):
        raise click.UsageError("give either EXTENSION or --new-key")
    if extension is None:
        key = new_key()
        found = {"key": key, "chromium": id_of_key(key)}
    else:
        found = ids_of(extension)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:<9} {value}")
    if extension is None:
        click.echo('Write this into the manifest: "key": "…". A store gives the extension a key of its own.', err=True)


def ids_of(extension: str) -> dict[str, str]:
    """Return the ids of an extension in each family of browsers that has one for it."""
    file = Path(extension)
    try:
        if file.is_dir():
            file /= MANIFEST
        text = file.read_bytes().removeprefix(BOM).decode() if file.is_file() else extension
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"cannot read {file}: {error}", param_hint="EXTENSION") from error
    if not text.lstrip().startswith("{"):
        return {"chromium": _of_key(text, extension)}
    try:
        manifest: Any = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{file} is not JSON: {error}", param_hint="EXTENSION") from error
    ids: dict[str, str] = {}
    key = manifest.get("key")
    ids["chromium"] = id_of_folder(file.resolve().parent) if key is None else _of_key(str(key), extension)
    for settings in GECKO:
        gecko = _object(_object(manifest.get(settings)).get("gecko"))
        if isinstance(gecko.get("id"), str):
            ids.setdefault("firefox", gecko["id"])
    return ids


def _of_key(key: str, extension: str) -> str:
    try:
        return id_of_key(key)
    except ValueError as error:
        wanted = f"neither a file, nor a folder with a {MANIFEST}, nor a key" if key == extension else str(error)
        raise click.BadParameter(f"{extension}: {wanted}", param_hint="EXTENSION") from error


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
