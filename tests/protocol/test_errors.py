"""Errors: the type says who is to blame, and what a program needs is an attribute."""

from __future__ import annotations

import copy
import pickle

import pytest

from trio_ports import (
    AlreadyInstalledError,
    AlreadyListeningError,
    Cause,
    FrameTooLargeError,
    LocalProtocolError,
    MalformedMessageError,
    ManifestError,
    MessageShapeError,
    MessageTooLargeError,
    NativeApplicationError,
    NotSerializableError,
    PortError,
    ProtocolError,
    RemoteProtocolError,
    TruncatedError,
)


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (LocalProtocolError, {ProtocolError}),
        (RemoteProtocolError, {ProtocolError, PortError}),
        (NotSerializableError, {LocalProtocolError, TypeError}),
        (MessageTooLargeError, {LocalProtocolError}),
        (ManifestError, {LocalProtocolError, ValueError}),
        (AlreadyListeningError, {LocalProtocolError}),
        (FrameTooLargeError, {RemoteProtocolError}),
        (MalformedMessageError, {RemoteProtocolError}),
        (MessageShapeError, {MalformedMessageError}),
        (TruncatedError, {RemoteProtocolError}),
        (NativeApplicationError, {PortError}),
    ],
)
def test_type_says_who_is_to_blame(kind: type[Exception], parents: set[type]) -> None:
    """You, the other side, or the native application: nobody has to match a text."""
    assert set(kind.__bases__) == parents
    assert not (issubclass(kind, LocalProtocolError) and issubclass(kind, PortError))


def test_causes_are_stable() -> None:
    """Programs store and compare them, so neither a name nor a value ever changes."""
    assert {cause.name: cause.value for cause in Cause} == {
        name: name.lower().replace("_", "-") for name in Cause.__members__
    }
    values = (
        "no-receiver crashed unanswered unread wire-broken malformed too-large truncated bad-name manifest-not-found "
        "manifest-invalid not-allowed program-missing not-executable interpreter-missing exited stdin-closed "
        "stdout-closed page-cached"
    )
    assert {cause.value for cause in Cause} == set(values.split())


def test_port_error_shows_its_cause() -> None:
    """Its repr has both: the text for people and the cause for programs."""
    error = PortError("The other end failed.", cause=Cause.CRASHED)
    assert str(error) == "The other end failed."
    assert repr(error) == "PortError('The other end failed.', cause=Cause.CRASHED)"


def test_local_errors_carry_data() -> None:
    """What you did wrong is in attributes, and in the text."""
    unserializable = NotSerializableError("bytes is not JSON", path="$.photo")
    assert (unserializable.path, str(unserializable)) == ("$.photo", "bytes is not JSON - at `$.photo`")
    too_large = MessageTooLargeError(size=11, limit=10)
    assert (too_large.size, too_large.limit) == (11, 10)
    assert str(too_large) == "The message has 11 bytes, and this connection carries 10 at most."
    assert str(MessageTooLargeError(size=11, limit=10, text="A browser's words.")) == "A browser's words."
    manifest = ManifestError(field="path", value="x", rule="must be absolute")
    assert (manifest.field, manifest.value, manifest.rule) == ("path", "x", "must be absolute")
    assert str(manifest) == "path: must be absolute (found 'x')"
    assert str(ManifestError(field="", value="", rule="must be JSON")).startswith("the manifest: must be JSON")
    listening = AlreadyListeningError(application="app", address="/run/app.socket")
    assert (listening.application, listening.address) == ("app", "/run/app.socket")
    assert "app already has a listener, at /run/app.socket" in str(listening)


def test_an_id_that_is_taken_is_a_value_error() -> None:
    """No rule of the protocol was broken; the error has the id."""
    error = AlreadyInstalledError(extension_id="notes@example.org")
    assert isinstance(error, ValueError)
    assert not isinstance(error, ProtocolError)
    assert error.extension_id == "notes@example.org"
    assert str(error) == "an extension with the id 'notes@example.org' is already installed"


def test_remote_errors_carry_data() -> None:
    """What the other side did wrong is in attributes, with the cause that the type stands for."""
    too_large = FrameTooLargeError("too large", size=2, limit=1, printed="Hello")
    assert (too_large.size, too_large.limit, too_large.printed, too_large.cause) == (2, 1, "Hello", Cause.TOO_LARGE)
    malformed = MalformedMessageError("no JSON", raw=b"{")
    assert (malformed.raw, malformed.cause) == (b"{", Cause.MALFORMED)
    shape = MessageShapeError("Expected int", path="$.n", raw=b'{"n":""}')
    assert (shape.path, shape.raw, shape.cause) == ("$.n", b'{"n":""}', Cause.MALFORMED)
    truncated = TruncatedError(received=3, expected=9)
    assert (truncated.received, truncated.expected, truncated.cause) == (3, 9, Cause.TRUNCATED)
    assert "3 of 9 bytes" in str(truncated)
    assert "2 of its length field" in str(TruncatedError(received=2, expected=None))


def test_native_application_error_carries_data() -> None:
    """Which application, how it ended, and the last it said."""
    error = NativeApplicationError(
        "It exited.", cause=Cause.EXITED, application="ping_pong", status=3, stderr=("Traceback", "KeyError")
    )
    assert (error.application, error.status, error.signal) == ("ping_pong", 3, None)
    assert error.stderr == ("Traceback", "KeyError")
    assert error.cause is Cause.EXITED


@pytest.mark.parametrize(
    "error",
    [
        PortError("The other end failed.", cause=Cause.CRASHED),
        TruncatedError(received=3, expected=9),
        NativeApplicationError("It exited.", cause=Cause.EXITED, application="ping_pong", status=3),
        MessageShapeError("Expected int", path="$.n", raw=b"{}"),
        NotSerializableError("bytes is not JSON", path="$.photo"),
        MessageTooLargeError(size=11, limit=10),
        AlreadyInstalledError(extension_id="notes@example.org"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_copied_and_pickled(error: Exception) -> None:
    """With everything they carry: to another process, or to be raised again."""
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
