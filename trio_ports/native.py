"""Native messaging: programs that a browser starts, and programs that start them as a browser would.

- In a program that a browser starts, call `open_native_port`.
- In a program that runs already, call `open_native_listener`. `relay` is what a browser
  starts then.
- To talk to such a program without a browser, call `connect_native`, or
  `send_native_message` for one question.
- To let browsers find it, call `install`; `find_manifest` shows what they find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._native.started.port import open_native_port
from ._util import imported_on_demand

if TYPE_CHECKING:
    from ._native.browser_side.connect import connect_native, send_native_message
    from ._native.browser_side.find import find_manifest
    from ._native.installing.files import FileChange
    from ._native.installing.install import install, uninstall
    from ._native.running.listener import NativeListener, open_native_listener
    from ._native.running.relay import relay
    from ._protocol.manifests import NativeManifest
else:
    # A browser starts an application for every connection, so everything else is
    # imported only on demand.
    __getattr__, __dir__ = imported_on_demand(
        __name__,
        {
            "._native.browser_side.connect": ["connect_native", "send_native_message"],
            "._native.browser_side.find": ["find_manifest"],
            "._native.installing.files": ["FileChange"],
            "._native.installing.install": ["install", "uninstall"],
            "._native.running.listener": ["NativeListener", "open_native_listener"],
            "._native.running.relay": ["relay"],
            "._protocol.manifests": ["NativeManifest"],
        },
    )


__all__ = [
    "FileChange",
    "NativeListener",
    "NativeManifest",
    "connect_native",
    "find_manifest",
    "install",
    "open_native_listener",
    "open_native_port",
    "relay",
    "send_native_message",
    "uninstall",
]
