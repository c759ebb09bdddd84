"""What a class shows to its users is what they may call."""

from __future__ import annotations

import pytest

import trio_ports
import trio_ports.bus

SHOWN = {
    trio_ports.Browser: "closed install open_tab",
    trio_ports.Extension: "disable enable enabled externally_connectable id inject inject_user_script"
    " installed open_page register_background register_content_script reload uninstall update",
    trio_ports.Background: "context extension stop wake",
    trio_ports.Context: "browser close closed document_id extension frame incognito kind runtime"
    " state tab tabs url view",
    trio_ports.Frame: "activate close closed document_id id navigate open_frame parent push_state tab url",
    trio_ports.Tab: "browser close closed crash discard frame frames go_back go_forward id incognito"
    " navigate open_frame prerender push_state reload url web_page_script",
    trio_ports.Runtime: "connect connect_native id last_error on_connect on_connect_external"
    " on_message on_message_external on_user_script_connect on_user_script_message send_message serve",
    trio_ports.Tabs: "connect send_message",
    trio_ports.Port: "aclose disconnect error name on_disconnect on_message post_message receive receive_nowait send"
    " sender statistics wait_disconnected",
    trio_ports.Event: "add_listener has_listener listeners remove_listener",
    trio_ports.bus.Bus: "name peers share wait_peers",
}


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: kind.__name__)
def test_public_names(kind: type) -> None:
    """No name that is the package's own is shown."""
    assert [name for name in dir(kind) if not name.startswith("_")] == SHOWN[kind].split()
