"""Connecting: route a call, open the connection, announce it to the receivers. What ``connect`` does once it may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trio.lowlevel import enable_ki_protection

from .._ports.connection import End
from .._ports.port import Port
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
    near, fars = open_ends(registry.options, len(receivers) + len(peers))
    _announce(call, receivers, fars[: len(receivers)])
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
    near, fars = open_ends(registry.options, len(receivers))
    _announce(call, receivers, fars)
    return near


def _announce(call: Call, receivers: Sequence[ContextEntry], ends: Sequence[End]) -> None:
    for receiver, end in zip(receivers, ends, strict=True):
        receiver.script.announce(end, call)


@enable_ki_protection
def start_application(
    registry: Registry, opener: ContextEntry, extension_id: str, application: str, message_type: Any
) -> Port[Any, Any]:
    """Start a native application and return the port to it; failing to start ends that port later.

    The application outlives its context for as long as its end takes.
    """
    decoder = registry.options.decoder(message_type)
    near, (far,) = open_ends(registry.options)
    name = application if registry.options.dialect.native_port_name else ""
    port = opener.script.make_port(near, decoder, name=name)
    registry.nursery.start_soon(_run_application, registry, far, application, extension_id)
    return port


async def _run_application(registry: Registry, end: End, name: str, extension_id: str) -> None:
    from .._native.browser_side.start import run_application  # Most programs never start an application.

    await run_application(
        end,
        name,
        extension_id=extension_id,
        dialect=registry.options.dialect,
        manifest_folders=registry.manifest_folders,
    )
