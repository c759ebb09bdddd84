"""Which native application a person means by NAME: an installed one, one by its manifest, or a command.

`find_application` decides, for every command in the same way:

1. Several words are a command.
2. One word that ends with ``.json`` is the path of a manifest.
3. One word that is the name of an application which is installed for a browser is that
   application, even if there is a program with that name.
4. Any other word is a command.

Whether a manifest can be read, and a program started, is not looked at: that something
is wrong with it may be what the person wants to know.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final, final

import attrs
import click
from click.shell_completion import CompletionItem

from .._native.browser_side.find import family_for, files_of, read_file
from .._native.installing.install import install
from .._native.installing.listing import installed_names
from .._protocol.errors import ManifestError
from .._protocol.manifests import Family, NativeManifest, extension_origin, is_application_name
from .._protocol.places import BROWSERS

FAMILIES: Final[tuple[Family, ...]] = ("firefox", "chromium")
ASKING: Final[dict[Family, str]] = {"firefox": "trio-ports@example.invalid", "chromium": "a" * 32}
"""The extension that asks an application which is given as a command, in each family."""
COMMAND_NAME: Final = "command"
"""What an application is called that is given as a command."""


@final
@attrs.frozen
class FoundManifest:
    """A file that is there, where a browser looks for an application's manifest."""

    file: Path
    name: str
    """The application's name."""
    family: Family
    """By whose rules it is read."""
    browser: str | None = None
    """The browser that looks there; None if its path was given."""

    def read(self) -> NativeManifest:
        """Read it as a browser does; ManifestError or OSError if a browser would not accept it."""
        return read_file(self.file, self.name, self.family)


@final
@attrs.frozen
class Application:
    """A native application that a person means."""

    name: str
    """What an extension calls it; `COMMAND_NAME` if it was given as a command."""
    command: tuple[str, ...] = ()
    """The words of the command; none if it was given in another way."""
    manifests: tuple[FoundManifest, ...] = ()
    """Its manifests, in the order in which browsers look. If its path was given, the
    file is there once for each family. A command has some in `open_application` only."""
    manifest_folders: tuple[Path, ...] | None = None
    """Where its manifest is looked for, instead of the browsers' places."""


def find_application(words: Sequence[str], *, browser: str | None = None) -> Application:
    """Return the application that ``words`` mean.

    Args:
        words: an application's name, or the path of a manifest, or the words of a
            command.
        browser: the browser whose places are searched; all of them unless given.

    Raises:
        click.UsageError: they mean nothing that is there.
    """
    word = words[0]
    if len(words) > 1:
        return Application(COMMAND_NAME, tuple(words))
    if word.endswith(".json"):
        file = Path(word).absolute()
        try:
            file.stat()
        except OSError as error:
            raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
        manifests = tuple(FoundManifest(file, file.stem, family) for family in FAMILIES)
        return Application(file.stem, manifests=manifests, manifest_folders=(file.parent,))
    if is_application_name(word, "firefox"):
        if found := tuple(_installed(word, browser)):
            return Application(word, manifests=found)
        if shutil.which(word) is None:
            where = "any browser" if browser is None else browser
            here = f"; the file in this folder is ./{word}" if os.path.lexists(word) else ""
            raise click.UsageError(f"{word} is neither installed for {where}, nor a program on the PATH{here}")
    return Application(COMMAND_NAME, (word,))


def complete_name(
    ctx: click.Context,  # noqa: ARG001 - The signature is click's.
    param: click.Parameter,
    incomplete: str,
) -> list[CompletionItem]:
    """Return the names of installed applications that begin like that; and a file, if an argument may be one."""
    names = [name for name in installed_names() if name.startswith(incomplete)]
    files = [CompletionItem(incomplete, type="file")] if param.nargs != 1 else []
    return [*files, *map(CompletionItem, names)]  # In this order, for bash's sake.


@contextlib.contextmanager
def open_application(
    words: Sequence[str], *, browser: str | None = None, extension_id: str | None = None
) -> Generator[Application]:
    """Return the application that ``words`` mean; a command is installed, for this block, where no browser looks.

    Args:
        words: as for `find_application`, and so is ``browser``.
        browser: the browser whose places are searched.
        extension_id: the extension that may start a command; one for each family unless
            given.

    Raises:
        click.UsageError: they mean nothing that a browser can start.
    """
    application = find_application(words, browser=browser)
    if not application.command:
        yield application
        return
    with tempfile.TemporaryDirectory(prefix="trio-ports-") as folder:
        yield _install_command(application, extension_id, Path(folder))


def absolute_words(command: Sequence[str]) -> list[str]:
    """Return a command that can be started in any folder, as browsers do; click.UsageError if there is no program."""
    first, *rest = command
    program = shutil.which(first)
    if program is None:
        raise click.UsageError(_why_no_program(first))
    files = [str(Path(word).absolute()) if Path(word).is_file() else word for word in rest]
    return [str(Path(program).absolute()), *files]


def _why_no_program(word: str) -> str:
    """Say why the first word of a command is no program, and what to write instead."""
    if word != Path(word).name and Path(word).is_file():
        return f"{word} may not be executed: chmod +x {word}, or name its interpreter too, as in python {word}"
    if is_application_name(word, "firefox") and next(_installed(word, None), None) is not None:
        return f"{word} is an installed application, and more words make a command: options come before {word}"
    return f"there is no program {word!r}"


def _installed(name: str, browser: str | None) -> Iterator[FoundManifest]:
    """Find the manifests of that name, for one browser or for all. Several browsers may look in the same place."""
    for each, places in BROWSERS.items():
        if browser in (None, each):
            for file in files_of(name, places.family, each):
                with contextlib.suppress(OSError):
                    file.stat()
                    yield FoundManifest(file, name, places.family, each)


def _install_command(application: Application, extension_id: str | None, folder: Path) -> Application:
    """Install a command in a folder."""
    asking: dict[Family, str] = ASKING if extension_id is None else {family_for(extension_id, None): extension_id}
    try:
        *_, manifest = install(
            application.name,
            absolute_words(application.command),
            manifest_folders=[folder],
            allowed_extensions=[asking["firefox"]] if "firefox" in asking else [],
            allowed_origins=[extension_origin(asking["chromium"])] if "chromium" in asking else [],
        )
    except ManifestError as error:
        raise click.UsageError(str(error)) from error
    manifests = tuple(FoundManifest(manifest.file, application.name, family) for family in asking)
    return attrs.evolve(application, manifests=manifests, manifest_folders=(folder,))
