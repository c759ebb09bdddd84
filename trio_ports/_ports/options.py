"""The options that every opener takes: a dialect, limits, an observer. Checked here, and kept in one record."""

from __future__ import annotations

import functools
from typing import Any, final

import attrs

from .._protocol.dialects import Dialect, find_dialect
from .._protocol.messages import Decoder, Encoder, Reading
from .._util import check_limit
from .failures import ListenerErrors
from .observers import Observer, joined, log_failures


@final
@attrs.frozen
class Options:
    """How the ports of one opener behave."""

    dialect: Dialect
    listener_errors: ListenerErrors
    max_buffer_size: float
    max_buffer_bytes: float
    max_message_bytes: float
    observer: Observer | None
    encoder: Encoder
    reading: Reading
    """How arrived bytes are decoded."""

    def decoder(self, message_type: Any) -> Decoder:
        """Return a decoder for a port; raise TypeError if msgspec cannot decode into ``message_type``."""
        return _untyped_decoder(self.reading) if message_type is Any else Decoder(message_type, self.reading)


@functools.cache
def _untyped_decoder(reading: Reading) -> Decoder:
    """Return the decoder of untyped ports: one for all of them, as making one costs more than a connection."""
    return Decoder(Any, reading)


def make_options(
    dialect: str,
    listener_errors: ListenerErrors | None = None,
    max_buffer_size: float | None = None,
    max_message_bytes: float | None = None,
    observer: Observer | None = None,
    *,
    max_buffer_bytes: float | None = None,
) -> Options:
    """Check the options that every opener takes; None means the dialect's own."""
    table = find_dialect(dialect)
    errors = table.listener_errors if listener_errors is None else listener_errors
    if errors not in ("raise", "log"):
        raise ValueError(f'listener_errors must be "raise" or "log", not {listener_errors!r}')
    buffer_size = table.max_buffer_size if max_buffer_size is None else max_buffer_size
    check_limit("max_buffer_size", buffer_size)
    buffer_bytes = table.max_buffer_bytes if max_buffer_bytes is None else max_buffer_bytes
    check_limit("max_buffer_bytes", buffer_bytes)
    message_bytes = table.max_message_bytes if max_message_bytes is None else max_message_bytes
    check_limit("max_message_bytes", message_bytes)
    if observer is not None and not callable(observer):
        raise TypeError(f"observer must be callable, not {observer!r}")
    options = _share_options(table, errors, buffer_size, buffer_bytes, message_bytes)
    if observer is None:
        return options
    observers = [observer] if options.observer is None else [options.observer, observer]
    return attrs.evolve(options, observer=joined(observers))


@functools.lru_cache(maxsize=64)
def _share_options(
    dialect: Dialect,
    listener_errors: ListenerErrors,
    max_buffer_size: float,
    max_buffer_bytes: float,
    max_message_bytes: float,
) -> Options:
    """Return the same record for the same options: it costs as much as a connection, in time and in memory."""
    too_large = dialect.too_large_text if max_message_bytes == dialect.max_message_bytes else None
    return Options(
        dialect=dialect,
        listener_errors=listener_errors,
        max_buffer_size=max_buffer_size,
        max_buffer_bytes=max_buffer_bytes,
        max_message_bytes=max_message_bytes,
        observer=joined([log_failures]) if listener_errors == "log" else None,
        encoder=Encoder(max_message_bytes=max_message_bytes, too_large_text=too_large),
        reading=Reading.of(dialect),
    )
