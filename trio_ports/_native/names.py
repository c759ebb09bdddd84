"""The names of native applications: which ones are allowed, and the error for all others. Source: rule 37."""

from __future__ import annotations

from typing import Final

from .._protocol.dialects import Dialect, DialectName
from .._protocol.errors import ApplicationNameError, Cause
from .._protocol.manifests import Family, is_application_name
from .._util import check_type

FAMILIES: Final[dict[DialectName, Family]] = {"firefox": "firefox", "chrome": "chromium"}
"""Whose rules a dialect follows. In ``trio`` the extension's id decides."""


def check_application_name(name: str, dialect: Dialect) -> None:
    """Raise if no native application can have that name, in dialects that refuse it at the call.

    Raises:
        TypeError: ``name`` is not a text; in every dialect.
        ApplicationNameError: your mistake, with the cause BAD_NAME.
    """
    check_type("the name of a native application", name, str)
    if dialect.native_name_raises and not is_application_name(name, FAMILIES.get(dialect.name, "firefox")):
        raise bad_name(name)


def bad_name(name: str) -> ApplicationNameError:
    """Make the error for a name that no application can have."""
    text = f"{name!r} cannot be the name of a native application: letters, digits, underscores and single dots only."
    return ApplicationNameError(text, cause=Cause.BAD_NAME, application=name)
