"""Every error of the package: the type says whose fault it was, the cause says why.

::

    PortError(cause=…)                  what port.error holds
    ├─ RemoteProtocolError              the other side broke the rules (also a ProtocolError)
    │  ├─ FrameTooLargeError            size, limit, printed
    │  ├─ MalformedMessageError         raw
    │  │  └─ MessageShapeError          path, raw
    │  └─ TruncatedError                received, expected
    ├─ NoAnswerError                    what send_message raises
    └─ NativeApplicationError           application, status, signal, stderr
       └─ ApplicationNameError          also a LocalProtocolError
    ProtocolError
    ├─ RemoteProtocolError
    └─ LocalProtocolError               your call broke the rules
       ├─ NotSerializableError          path (also a TypeError)
       ├─ MessageTooLargeError          size, limit
       ├─ ManifestError                 field, value, rule (also a ValueError)
       ├─ AlreadyListeningError         application, address
       └─ ContextInvalidatedError
    AlreadyInstalledError               extension_id (also a ValueError)
    NoHomeError                         also a RuntimeError

The causes are stable and made for programs. The texts are made for people and may
change. For waiting and closing, Trio's own errors are used: ``trio.ClosedResourceError``
(this side has closed), ``trio.BrokenResourceError`` (the other side has gone; its
``__cause__`` is the :class:`PortError`), ``trio.BusyResourceError``,
``trio.WouldBlock`` and ``trio.EndOfChannel``.
"""

from __future__ import annotations

import enum
from typing import Any, final

from .dialects import INVALIDATED_TEXT


@final
class Cause(enum.Enum):
    """Why a connection ended with an error. The values are stable: store them, compare them, print them."""

    NO_RECEIVER = "no-receiver"
    """Nobody listens there, or the opener may not connect. It is kept secret which."""
    CRASHED = "crashed"
    """The scope that owned the other end failed with an exception."""
    PAGE_CACHED = "page-cached"
    """The other end's page went into the back/forward cache, in a dialect in which that ends its connections."""
    UNANSWERED = "unanswered"
    """Whoever was to answer a one-shot message went away, or gave up, before there was an answer."""
    UNREAD = "unread"
    """This receiver never read and its queue was full, while other receivers did read."""
    WIRE_BROKEN = "wire-broken"
    """What carried the connection (a socket, a pipe, a machine) failed."""
    MALFORMED = "malformed"
    """The other side sent bytes that are not a JSON message."""
    TOO_LARGE = "too-large"
    """The other side sent, or announced, a message over the limit."""
    TRUNCATED = "truncated"
    """The other side's bytes ended inside a frame."""
    BAD_NAME = "bad-name"
    """No native application can have that name."""
    MANIFEST_NOT_FOUND = "manifest-not-found"
    """There is no manifest for the native application in any of the places."""
    MANIFEST_INVALID = "manifest-invalid"
    """The native application's manifest was found, but it breaks a rule."""
    NOT_ALLOWED = "not-allowed"
    """The manifest does not list this extension."""
    PROGRAM_MISSING = "program-missing"
    """There is no file at the path that the manifest names."""
    NOT_EXECUTABLE = "not-executable"
    """The program exists but may not be executed."""
    INTERPRETER_MISSING = "interpreter-missing"
    """The program's first line names an interpreter that does not exist."""
    EXITED = "exited"
    """The native application ended with a status other than 0 or by a signal, or before it
    sent the one answer that was asked for."""
    STDIN_CLOSED = "stdin-closed"
    """The native application closed its standard input and is still running."""
    STDOUT_CLOSED = "stdout-closed"
    """The native application closed its standard output and is still running."""


class _CopyableError(Exception):
    """An error that can be copied and pickled although its arguments have names."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[_CopyableError], args: tuple[Any, ...], state: dict[str, Any]) -> _CopyableError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class PortError(_CopyableError):
    """Why a connection ended: the value of ``port.error``.

    Args:
        text: for people.
        cause: for programs.
    """

    def __init__(self, text: str, *, cause: Cause) -> None:
        super().__init__(text)
        self.cause = cause
        self.stderr: tuple[str, ...] = ()
        """The last lines that a native application wrote to standard error, if it was one."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r}, cause={self.cause})"


@final
class NoAnswerError(PortError):
    """A one-shot message got no answer.

    The cause is `Cause.NO_RECEIVER` if nobody was there, `Cause.CRASHED` if the listener that was to answer failed, and
    `Cause.UNANSWERED` if it went away or gave up first.
    """


class ProtocolError(_CopyableError):
    """A rule of the protocol was broken; the subclass says by whom."""


class LocalProtocolError(ProtocolError):
    """Your call broke a rule. Nothing was sent, and nothing has changed."""


class RemoteProtocolError(PortError, ProtocolError):
    """The other side broke a rule, and the connection is over."""


@final
class NotSerializableError(LocalProtocolError, TypeError):
    """The message is not JSON.

    Args:
        text: what is wrong.
        path: where in the message, from the root ``$``: ``$.users[3].photo``.
    """

    def __init__(self, text: str, *, path: str) -> None:
        super().__init__(f"{text} - at `{path}`")
        self.path = path


@final
class MessageTooLargeError(LocalProtocolError):
    """The message is larger than the connection carries.

    Args:
        size: of the encoded message, in bytes.
        limit: in bytes; the ``max_message_bytes`` that the connection was opened with.
        text: the browser's text, if the dialect has one.
    """

    def __init__(self, *, size: int, limit: float, text: str | None = None) -> None:
        super().__init__(text or f"The message has {size} bytes, and this connection carries {limit} at most.")
        self.size = size
        self.limit = limit


@final
class ManifestError(LocalProtocolError, ValueError):
    """A native manifest breaks a rule.

    Args:
        field: of the manifest (``"path"``); empty if the whole file is wrong.
        value: what the field has.
        rule: what the field should have, as a sentence.
    """

    def __init__(self, *, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field or 'the manifest'}: {rule} (found {value!r})")
        self.field = field
        self.value = value
        self.rule = rule


@final
class AlreadyListeningError(LocalProtocolError):
    """A native application already has a listener, in another program or in this one.

    Args:
        application: the name that was asked for.
        address: the path of the other listener's socket, which is left alone.
    """

    def __init__(self, *, application: str, address: str) -> None:
        super().__init__(f"{application} already has a listener, at {address}; it can have only one at a time.")
        self.application = application
        self.address = address


@final
class ContextInvalidatedError(LocalProtocolError):
    """The extension of this content script has gone: it was disabled, reloaded, updated or uninstalled.

    Only in dialects whose content scripts outlive their extension (``chrome``). The script can do nothing about it
    except stop; a new one is injected beside it.
    """

    def __init__(self) -> None:
        super().__init__(INVALIDATED_TEXT)


@final
class AlreadyInstalledError(_CopyableError, ValueError):
    """An extension with that id is already installed. Nothing has changed.

    Args:
        extension_id: the id that was given.
    """

    def __init__(self, *, extension_id: str) -> None:
        super().__init__(f"an extension with the id {extension_id!r} is already installed")
        self.extension_id = extension_id


@final
class NoHomeError(_CopyableError, RuntimeError):
    """The user has no home folder, so nobody knows the user's own places. Nothing has changed."""

    def __init__(self) -> None:
        super().__init__(
            "there is no home folder: HOME is not set, and the system has no entry for this user; "
            "set HOME, or give the folders (manifest_folders)"
        )


@final
class FrameTooLargeError(RemoteProtocolError):
    """The other side announced a frame over the limit. No memory was allocated for it.

    If something was printed into the stream, the text shows the beginning of that.

    Args:
        text: for people.
        size: what was announced, in bytes.
        limit: in bytes.
        printed: the text that the length field and the bytes after it spell, if they
            do: something was printed to standard output.
    """

    def __init__(self, text: str, *, size: int, limit: float, printed: str | None = None) -> None:
        super().__init__(text, cause=Cause.TOO_LARGE)
        self.size = size
        self.limit = limit
        self.printed = printed


class MalformedMessageError(RemoteProtocolError):
    """A frame arrived that is not a single JSON value in UTF-8.

    The text shows nothing of the message, which may be a secret and end in a log.

    Args:
        text: for people.
        raw: the frame's bytes.
    """

    def __init__(self, text: str, *, raw: bytes) -> None:
        super().__init__(text, cause=Cause.MALFORMED)
        self.raw = raw


@final
class MessageShapeError(MalformedMessageError):
    """A message is JSON, but not of the ``message_type`` asked for. The connection goes on.

    Args:
        text: for people.
        path: where in the message, from the root ``$``.
        raw: the frame's bytes.
    """

    def __init__(self, text: str, *, path: str, raw: bytes) -> None:
        super().__init__(text, raw=raw)
        self.path = path


@final
class TruncatedError(RemoteProtocolError):
    """The bytes ended inside a frame.

    Args:
        received: how many bytes of the frame had arrived, its length field included.
        expected: how many it was to have; None if even the length field was incomplete.
    """

    def __init__(self, *, received: int, expected: int | None) -> None:
        whole = "its length field" if expected is None else f"{expected} bytes"
        super().__init__(f"The bytes ended inside a frame: {received} of {whole} had arrived.", cause=Cause.TRUNCATED)
        self.received = received
        self.expected = expected


class NativeApplicationError(PortError):
    """A native application could not be started, or ended badly.

    Args:
        text: for people; says what to fix.
        cause: for programs.
        application: the name that was asked for.
        status: its exit status, if it ended by itself.
        signal: the number of the signal that ended it, if one did.
        stderr: the last lines it wrote to standard error.
    """

    def __init__(
        self,
        text: str,
        *,
        cause: Cause,
        application: str,
        status: int | None = None,
        signal: int | None = None,
        stderr: tuple[str, ...] = (),
    ) -> None:
        super().__init__(text, cause=cause)
        self.application = application
        self.status = status
        self.signal = signal
        self.stderr = stderr


@final
class ApplicationNameError(NativeApplicationError, LocalProtocolError):
    """No native application can have the name that you asked for."""
