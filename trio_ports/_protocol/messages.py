"""Messages: encode what is posted, and decode what arrives.

A message is a JSON value. It is encoded in the call that posts it, so that a mistake
raises on the sender's line, and decoded once for each receiving port. msgspec does both.
It refuses a few rare messages that are JSON: lone surrogates, which are legal in
JavaScript, and numbers beyond a double (``1e999``), which become infinite as in
JavaScript. The standard library's ``json`` takes these.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, cast

import attrs
import msgspec

from .dialects import Dialect
from .errors import MalformedMessageError, MessageShapeError, MessageTooLargeError, NotSerializableError
from .nesting import TOO_DEEP_TEXT, decode_deep, encode_deep, is_too_deep, most_levels

BOM: Final = b"\xef\xbb\xbf"
_BYTES_LIKE: Final = (bytes, bytearray, memoryview)
_PLAIN_TYPES: Final = frozenset({dict, list, tuple, str, int, float, bool, type(None)})
_CONTAINERS: Final = frozenset({dict, list, tuple})
_USUAL_BITS: Final = 64
_LARGE_BYTES: Final = 16 * 1024
_UNREADABLE: Final = (ValueError, RecursionError)
"""What decoding raises, msgspec's exceptions included. Anything else is raised by a type's own code."""
_PATH_IN_TEXT: Final = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>.+)`)?$", re.DOTALL)


class Encoder:
    """Turns messages into bytes.

    Call `encode`. The hot path of a port first tries the two encodings itself: a small
    message without a mark is valid.

    Args:
        max_message_bytes: the largest encoded message, in bytes.
        too_large_text: the error's text for a larger one, if the dialect has one.
    """

    __slots__ = ("_too_large_text", "encode_json", "mark", "max_message_bytes", "plain_bytes")

    def __init__(self, *, max_message_bytes: float, too_large_text: str | None = None) -> None:
        self.max_message_bytes: float = max_message_bytes
        self._too_large_text = too_large_text
        self.encode_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
        # msgspec encodes bytes objects as base64 text, and has no option to refuse them.
        # In MessagePack they have a mark of their own: C4, or C5 or C6 if they are longer
        # than 255 bytes. A second encoding, all in C, finds out that there are none
        # faster than a walk through the message. If there is a mark, it may be chance
        # (part of a number or a letter), and the walk decides. This encoding is sorted
        # because it then also refuses keys that are not text: two such keys may become
        # the same text, and the walk finds them.
        self.mark: Callable[[Any], bytes] = msgspec.msgpack.Encoder(order="sorted").encode
        self.plain_bytes: float = min(255, max_message_bytes)
        """A frame up to this size is within the limit, and has no bytes object over 255 bytes."""

    def encode(self, message: Any, frame: bytes | None = None) -> bytes:
        """Encode ``message``.

        Args:
            message: the message that is posted.
            frame: the result of `encode_json`, if it was called already.

        Raises:
            NotSerializableError, MessageTooLargeError: the caller's mistake.
        """
        failure: Exception | None = None
        marked = b""
        levels: int | None = None
        try:
            if frame is None:
                frame = self.encode_json(message)
            # In a large message a chance mark is likely, and a second encoding takes much memory.
            if len(frame) <= _LARGE_BYTES or (levels := _count_plain_levels(message)) is None:
                marked = self.mark(message)
        except Exception as error:  # noqa: BLE001 - whatever it was, the message is looked at again
            failure = error.with_traceback(None)  # The traceback would keep this frame, and so the message, alive.
        try:
            if frame is None:
                text = json.dumps(_make_plain(message), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
                frame = text.encode("utf-8", "backslashreplace")  # Lone surrogates become JSON's own escapes.
            elif (failure or 0xC4 in marked or 0xC5 in marked or 0xC6 in marked) and (
                levels := _count_plain_levels(message)
            ) is None:
                _make_plain(message)
        except RecursionError:
            frame = self._encode_deep(message)
        if is_too_deep(frame) if levels is None else levels > most_levels(len(frame)):
            raise NotSerializableError(f"The message is {TOO_DEEP_TEXT}", path="$")
        if len(frame) > self.max_message_bytes:
            raise MessageTooLargeError(size=len(frame), limit=self.max_message_bytes, text=self._too_large_text)
        return frame

    def _encode_deep(self, message: Any) -> bytes:
        try:
            return encode_deep(message, self.encode)
        except RecursionError:
            # Records are encoded by msgspec, which goes only as deep as the interpreter lets it.
            text = f"The message is {TOO_DEEP_TEXT}, or too deeply in records, or it contains itself"
            raise NotSerializableError(text, path="$") from None
        except ValueError as error:
            raise NotSerializableError(f"The message cannot be encoded: {error}", path="$") from None


def _count_plain_levels(message: Any) -> int | None:
    """Return how many levels of lists and dicts a message has that is in JSON's own types and text keys, else None.

    A large message with numbers in it nearly always contains a mark by chance, and a walk
    through it takes ten times as long as encoding it. This function looks at one level
    after the other, without a step of Python for each value. It does not look into
    values of other types, because their referents may be the whole program; the walk
    does that.
    """
    level = [message]
    count = 0
    while True:
        types = set(map(type, level))
        if not types <= _PLAIN_TYPES or (dict in types and not _has_text_keys(level)):
            return None
        if types.isdisjoint(_CONTAINERS):
            return count
        level = gc.get_referents(*level)
        count += 1


def _has_text_keys(level: list[Any]) -> bool:
    """Return whether all keys of the dicts among these values are text."""
    dicts = itertools.compress(level, map(operator.is_, map(type, level), itertools.repeat(dict)))
    return set(map(type, itertools.chain.from_iterable(dicts))) <= {str}


def _make_plain(message: Any) -> Any:
    """Return ``message`` in plain types, or raise an error that names the bad value, or RecursionError."""
    try:
        plain = msgspec.to_builtins(message, builtin_types=_BYTES_LIKE, str_keys=True)
    except Exception:  # noqa: BLE001 - the walk finds out what it was, and where
        plain = message
    try:
        plain = _Walk().plain(plain, "$")
        _check_keys(message, "$")
    except (NotSerializableError, RecursionError):
        raise
    except Exception as error:
        raise NotSerializableError(f"The message cannot be encoded: {error}", path="$") from error
    return plain


class _Walk:
    """A walk through a message: raises at the first part that is not JSON, and returns the rest in plain types."""

    def __init__(self) -> None:
        self._above: set[int] = set()

    def plain(self, value: Any, path: str) -> Any:
        if isinstance(value, int):
            return _plain_number(value, path)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, _BYTES_LIKE):
            kind = type(cast("object", value)).__name__
            raise NotSerializableError(f"{kind} is not JSON; encode it as text, in base64 for example", path=path)
        if id(value) in self._above:
            raise NotSerializableError("The message contains itself", path=path)
        self._above.add(id(value))
        result = self._plain_container(value, path)
        self._above.remove(id(value))
        return result

    def _plain_container(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            items = cast("Mapping[Any, Any]", value).items()
            return {_plain_key(key, path): self.plain(item, _step(path, key)) for key, item in items}
        if isinstance(value, (list, tuple, set, frozenset)):
            parts = cast("Iterable[Any]", value)
            return [self.plain(item, f"{path}[{index}]") for index, item in enumerate(parts)]
        names = _field_names(value)
        if names is not None:
            return {name: self.plain(getattr(value, name), _step(path, name)) for name in names}
        try:
            return msgspec.to_builtins(value)
        except Exception as error:
            raise NotSerializableError(f"{type(value).__name__} is not JSON", path=path) from error


def _plain_number(value: int, path: str) -> int:
    """Return a whole number; raise if it is longer than Python is willing to write."""
    if value.bit_length() > _USUAL_BITS:
        try:
            str(value)
        except ValueError as error:
            raise NotSerializableError(f"A number cannot be encoded: {error}", path=path) from None
    return value


def _check_keys(value: Any, path: str) -> None:
    """Raise if two keys of one dict become the same text: one of their values would be lost."""
    if isinstance(value, dict):
        items: Iterable[tuple[Any, Any]] = cast("Mapping[Any, Any]", value).items()
        texts: set[str] = set()
        for key, _ in items:
            text = _plain_key(key, path)
            if text in texts:
                raise NotSerializableError(f"two keys become the same text, {text!r}", path=_step(path, key))
            texts.add(text)
        for key, item in items:
            _check_keys(item, _step(path, key))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(cast("Iterable[Any]", value)):
            _check_keys(item, f"{path}[{index}]")
    else:
        for name in _field_names(value) or ():
            _check_keys(getattr(value, name, None), _step(path, name))


def _plain_key(key: Any, path: str) -> str:
    """Return the text that a key becomes; raise if it cannot become text."""
    if isinstance(key, str):
        return key
    kind = type(key).__name__
    if not isinstance(key, _BYTES_LIKE):
        try:
            (plain,) = msgspec.json.decode(msgspec.json.encode({key: None}))
            return str(plain)
        except (TypeError, ValueError):
            pass
    raise NotSerializableError(f"a key of type {kind} is not JSON", path=_step(path, key))


def _step(path: str, key: Any) -> str:
    """Return the path of an item; characters that cannot be printed are escaped."""
    return f"{path}.{key if isinstance(key, str) and key.isprintable() else ascii(key)}"


def _field_names(value: Any) -> Iterable[str] | None:
    """Return the fields of a Struct, dataclass or attrs instance; None for anything else."""
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if attrs.has(value.__class__):
        return [field.name for field in attrs.fields(value.__class__)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value)]
    return None


@attrs.frozen
class Reading:
    """How arrived bytes are decoded: which exceptions from the strict rules are allowed."""

    accepts_bom: bool = True
    replaces_invalid_utf8: bool = False
    empty_is_null: bool = False
    """An empty frame is read as None: Firefox sends one for ``postMessage(undefined)``."""
    ignores_malformed: bool = False
    malformed_text: str | None = None

    @classmethod
    def of(cls, dialect: Dialect) -> Reading:
        """Return what the extension's side of this dialect allows."""
        texts = dialect.native_texts
        return cls(
            accepts_bom=dialect.accepts_bom,
            replaces_invalid_utf8=dialect.replaces_invalid_utf8,
            ignores_malformed=dialect.ignores_malformed,
            malformed_text=texts.malformed if texts else None,
        )


class Decoder:
    """Turns frames into messages.

    Call `decode`; if it raises anything, call `decode_unusual`. There are two steps because
    the second one is rare, and one more call would cost a tenth of the time of a message.

    Args:
        message_type: the type of every message; any type that msgspec decodes into.
        reading: which exceptions from the strict rules are allowed.

    Raises:
        TypeError: msgspec cannot decode into ``message_type``.
    """

    __slots__ = ("_message_type", "_reading", "decode")

    def __init__(self, message_type: Any = Any, reading: Reading = Reading()) -> None:
        wanted = f"message_type must be a type that msgspec decodes into, not {message_type!r}"
        try:
            self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(message_type).decode
        except Exception as error:
            raise TypeError(f"{wanted}: {error}") from error
        if message_type is not Any:
            from msgspec import inspect  # Most ports are untyped.

            if isinstance(inspect.type_info(message_type), inspect.CustomType):
                raise TypeError(f"{wanted}: no message can become one; was @dataclass forgotten?")
            self.decode = _in_utf8(self.decode)
        self._message_type = message_type
        self._reading = reading

    def decode_any(self, frame: bytes) -> Any:
        """Decode a frame of either kind in one call, where speed does not matter; raises as `decode_unusual` does."""
        try:
            return self.decode(frame)
        except Exception as error:  # noqa: BLE001 - a rare message is decoded in another way
            return self.decode_unusual(frame, error)

    def decode_unusual(self, frame: bytes, error: Exception) -> Any:
        """Decode a frame that `decode` refused with ``error``, if it is JSON of a rare kind.

        Raises:
            MessageShapeError: it is JSON, but not a ``message_type``.
            MalformedMessageError: it is not JSON.
        """
        value = self._decode_strictly(frame)
        if self._message_type is Any:
            return value
        # Out of range is a number beyond a double, which says nothing about the type.
        may_fit = not isinstance(error, msgspec.ValidationError) or "out of range" in str(error)
        if isinstance(error, _UNREADABLE) and may_fit:
            try:
                return msgspec.convert(value, self._message_type, str_keys=True)
            except Exception as mismatch:  # noqa: BLE001 - The type's own code may raise anything.
                # It is a ValueError if a lone surrogate stands where a number should be:
                # msgspec cannot write it into its message.
                error = mismatch
        if not isinstance(error, _UNREADABLE):
            raise MessageShapeError(f"{type(error).__name__}: {error} - at `$`", path="$", raw=frame) from error
        found = _PATH_IN_TEXT.match(str(error))
        text, path = (found["text"], found["path"] or "$") if found else (str(error), "$")
        raise MessageShapeError(f"{text} - at `{path}`", path=path, raw=frame) from error

    def _decode_strictly(self, frame: bytes) -> Any:
        """Decode with the standard library by the strict rules: UTF-8 only, no constants, one value."""
        reading = self._reading
        if not frame and reading.empty_is_null:
            return None
        data = frame.removeprefix(BOM) if reading.accepts_bom else frame
        try:
            text = data.decode("utf-8", "replace" if reading.replaces_invalid_utf8 else "strict")
            try:
                return _decode_text(text, refuse_constant)
            except RecursionError:
                if is_too_deep(data):
                    raise ValueError(TOO_DEEP_TEXT) from None
                return decode_deep(text, _decode_text)
        except _UNREADABLE as error:
            # Its content may be a secret, and this text is logged: whoever wants to see it asks `raw`.
            text = f"Not a JSON message: {error}. It has {len(frame)} bytes, which the error has as raw."
            text = reading.malformed_text or text
            raise MalformedMessageError(text, raw=frame) from error


def _in_utf8(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Check the UTF-8 of the whole frame first: msgspec skips fields that a type does not have."""

    def decode_utf8(frame: bytes) -> Any:
        if not frame.isascii():
            frame.decode()
        return decode(frame)

    return decode_utf8


def _decode_text(text: str, on_constant: Callable[[str], Any]) -> Any:
    return json.loads(text, parse_int=_whole, parse_constant=on_constant)


def _whole(digits: str) -> float:
    try:
        return int(digits)
    except ValueError:  # It has more digits than Python reads, so it is far beyond a double.
        return float(digits)


def refuse_constant(name: str) -> NoReturn:
    """Refuse ``NaN`` and ``Infinity``: the ``parse_constant`` of ``json.loads``."""
    raise ValueError(f"{name} is not JSON")
