"""Connecting: route a call, open the connection, announce it to the receivers. What ``connect`` does once it may."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from trio.lowlevel import enable_ki_protection

from .._ports.connection import End
from .._ports.port import Port
from .._protocol.contexts import ContextState
from .backgrounds import wake
from .calls import Call, no_receiver
from .entries import ContextEntry
from .ports import open_ends
from .registry import Registry
from .routing import find_receivers


@enable_ki_protection
def connect(registry: Registry, opener: ContextEntry, call: Call, message_type: Any) -> Port[Any, Any]:
    """Connect a context to whoever hears its call, in this browser and on its bus; return the opener's port."""
    decoder = registry.options.decoder(message_type)
    receivers, peers = find_receivers(registry, call, opener), registry.peers()
    if opener.script.state is ContextState.ORPHANED:
        receivers, peers = [], ()  # Its extension, if it is back, is another one.
    near, fars = open_ends(registry.options, len(receivers) + len(peers), one_shot=call.one_shot)
    _announce(registry, receivers, fars[: len(receivers)], call)
    if registry.elsewhere is not None and peers:
        registry.elsewhere.call(call, dict(zip(peers, fars[len(receivers) :], strict=True)))
    if not fars:
        near.lose_peer(no_receiver())
    return opener.script.make_port(near, decoder, name=call.name)


def answer(registry: Registry, call: Call) -> End | None:
    """Connect an opener in another browser to whoever hears its call here; return its end, or None if nobody does."""
    receivers = find_receivers(registry, call, None)
    if not receivers:
        return None
    near, fars = open_ends(registry.options, len(receivers), one_shot=call.one_shot)
    _announce(registry, receivers, fars, call)
    return near


def _announce(registry: Registry, receivers: Sequence[ContextEntry], ends: Sequence[End], call: Call) -> None:
    """Let the receivers hear of a call: at once, or as soon as a background that it wakes is there. Source: rule 44."""
    first_turn = None
    for receiver in receivers:
        wake(registry, receiver)
        first_turn = first_turn if receiver.script.first_turn is None else receiver.script.first_turn
    for receiver, end in zip(receivers, ends, strict=True):
        receiver.script.announce(end, call, first_turn)


@enable_ki_protection
def start_application(
    registry: Registry, opener: ContextEntry, extension_id: str, application: str, message_type: Any
) -> Port[Any, Any]:
    """Start a native application and return the port to it; failing to start ends that port later.

    The application outlives its context for as long as its end takes.
    """
    from .._native.browser_side.start import run_application  # Most programs never start an application.

    dialect = registry.options.dialect
    decoder = registry.options.decoder(message_type)
    near, (far,) = open_ends(registry.options)
    port = opener.script.make_port(near, decoder, name=application if dialect.native_port_name else "")
    if opener.script.idle is not None:
        opener.script.idle.note_native(port)
    folders = registry.manifest_folders
    run = partial(run_application, far, extension_id=extension_id, dialect=dialect, manifest_folders=folders)
    registry.nursery.start_soon(run, application)
    return port
