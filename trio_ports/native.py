"""Native messaging: programs that a browser starts, and Trio programs that start them as a browser would.

In a program that a browser started, `open_native_port`; in one that runs already, `open_native_listener`. To talk to
one without a browser, `connect_native` and `send_native_message`. To let browsers find one, `install`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._native.native_ports import open_native_port
from ._util import imported_on_demand

if TYPE_CHECKING:
    from ._native.clients import connect_native, send_native_message
    from ._native.finding import find_manifest
    from ._native.installing import install, uninstall
    from ._native.listening import NativeListener, open_native_listener
    from ._native.placing import Change
    from ._protocol.manifests import NativeManifest
else:
    # A browser starts an application for every connection, so what it does not need is imported when it is asked for.
    __getattr__ = imported_on_demand(
        __name__,
        {
            "Change": "._native.placing",
            "NativeListener": "._native.listening",
            "NativeManifest": "._protocol.manifests",
            "connect_native": "._native.clients",
            "find_manifest": "._native.finding",
            "install": "._native.installing",
            "open_native_listener": "._native.listening",
            "send_native_message": "._native.clients",
            "uninstall": "._native.installing",
        },
    )

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "Change",
    "NativeListener",
    "NativeManifest",
    "connect_native",
    "find_manifest",
    "install",
    "open_native_listener",
    "open_native_port",
    "send_native_message",
    "uninstall",
]
