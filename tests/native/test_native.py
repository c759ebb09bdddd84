"""The public face of native messaging."""

from __future__ import annotations

import pytest

import trio_ports
from trio_ports import native as public
from trio_ports.native import open_native_port


def test_the_public_names_are_there() -> None:
    """Each is imported when it is asked for; others are refused as by any module."""
    assert public.open_native_port is open_native_port
    assert all(getattr(public, name).__name__ == name for name in public.__all__)
    for module in (public, trio_ports):
        assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'dial'"):
        public.dial  # noqa: B018
