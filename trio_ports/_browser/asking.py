"""Asking: send a one-shot message and wait for its answer. What ``send_message`` does once it may.

Source: rules 60 to 64.
"""

from __future__ import annotations

from typing import Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._ports.failures import closed_scope_error
from .._protocol.errors import Cause, NoAnswerError, PortError
from .calls import Call
from .connecting import connect
from .entries import ContextEntry
from .ports import peer_vanished, post_frame
from .registry import Registry

_GONE_TEXT: Final = "Whoever was to answer went away, or gave up, before there was an answer."


@enable_ki_protection
async def ask(registry: Registry, asker: ContextEntry, call: Call, message: Any, message_type: Any) -> Any:
    """Send a message to whoever hears the call, and return the first answer; None if nobody has anything to say."""
    frame = registry.options.encoder.encode(message)  # First: if it cannot be sent, nobody is called.
    await trio.lowlevel.checkpoint_if_cancelled()
    port = connect(registry, asker, call, message_type)
    try:
        post_frame(port, frame)
        return await port.receive()
    except trio.EndOfChannel:
        if not peer_vanished(port):
            return None
        texts = registry.options.dialect.one_shot_texts
        raise NoAnswerError(texts.gone if texts else _GONE_TEXT, cause=Cause.UNANSWERED) from None
    except trio.BrokenResourceError as broken:
        why = broken.__cause__
        assert isinstance(why, PortError), "the other side has gone with an error"
        raise NoAnswerError(str(why), cause=why.cause) from None
    except trio.ClosedResourceError:
        raise closed_scope_error(f"{asker!r} is closed") from None
    finally:
        port.disconnect()
