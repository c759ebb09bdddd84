"""``open_browser``: the block in which a browser lives, from its options to its orderly end."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from trio.lowlevel import enable_ki_protection

from .._native.arguments import check_folders
from .._ports.body import Body
from .._ports.failures import ListenerErrors, crash_error
from .._ports.observers import Observer
from .._ports.options import make_options
from .._protocol.dialects import DialectName
from .._util import check_flag, require_trio
from .browser import Browser
from .calls import Bus
from .connecting import answer
from .registry import Registry


@asynccontextmanager
@enable_ki_protection
async def open_browser(
    *,
    dialect: DialectName = "trio",
    listener_errors: ListenerErrors | None = None,
    max_buffer_size: float | None = None,
    max_buffer_bytes: float | None = None,
    max_message_bytes: float | None = None,
    observer: Observer | None = None,
    manifest_folders: Sequence[str | Path] | None = None,
    bus: Bus | None = None,
    back_forward_cache: bool = False,
) -> AsyncGenerator[Browser, None]:
    """Open a browser in this process; everything in it lives in the block.

    Leaving the block closes the contexts in the order in which they were opened. Whatever is under way still reaches
    sync listeners; async listeners are cancelled. What a listener opens meanwhile reaches nobody. Then native
    applications are ended. What a listener raises leaves through the block, in an ExceptionGroup; the block's own
    exception leaves as it is.

    Args:
        dialect: ``"trio"``, ``"firefox"`` or ``"chrome"``.
        listener_errors: ``"raise"`` or ``"log"``; the dialect's own unless given.
        max_buffer_size: how many messages may wait in each direction of a connection, an int of at least 1 or
            ``math.inf``; the dialect's own (1,024 in ``"trio"``) unless given.
        max_buffer_bytes: how many bytes these messages may have together, encoded, likewise;
            the dialect's own unless given. One message alone may have more.
        max_message_bytes: the largest encoded message, in bytes, likewise; 64 MiB in ``"trio"`` and ``"chrome"``.
        observer: called with a record of everything that happens to the browser's ports.
        manifest_folders: where native manifests are looked for, instead of where browsers look.
        bus: joins this browser with others of the same dialect, so that they act as one; see `trio_ports.bus`. At the
            end, what was posted has three seconds to leave.
        back_forward_cache: whether a page that its tab leaves is put aside, so that `Tab.go_back` brings it back as it
            was. What its ports do meanwhile is rule 49. Browsers do that, unless they lack the memory for it.

    Raises:
        TypeError, ValueError: for arguments that are not as above.
        RuntimeError: outside Trio.
        trio.BusyResourceError: if another browser is on this bus object.
    """
    require_trio("open_browser")
    if bus is not None and not hasattr(bus, "share"):
        raise TypeError(f"bus must be a bus, as trio_ports.bus opens them, not {bus!r}")
    check_flag("back_forward_cache", back_forward_cache)
    options = make_options(
        dialect, listener_errors, max_buffer_size, max_message_bytes, observer, max_buffer_bytes=max_buffer_bytes
    )
    folders = None if manifest_folders is None else check_folders(manifest_folders)
    first_number = 0 if bus is None else secrets.randbits(32)
    registry = Registry(options, folders, first_number, back_forward_cache=back_forward_cache)
    body = Body()
    with body.joined():
        async with AsyncExitStack() as sharing:
            if bus is not None:
                shared = bus.share(partial(answer, registry), max_message_bytes=options.max_message_bytes)
                registry.elsewhere = await sharing.enter_async_context(shared)
            async with trio.open_nursery() as registry.nursery:
                try:
                    with body:
                        yield Browser(registry)
                finally:
                    registry.nursery.cancel_scope.cancel()
                    await registry.close(crash_error(body.failure))
