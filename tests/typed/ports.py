"""What a port must have, for type checkers: a port of this package has it."""

from typing import Any

from trio_ports import Port
from trio_ports.testing import EventLike, PortLike


def take_port(port: Port[Any, Any]) -> PortLike:
    return port


def take_typed_port(port: Port[int, str]) -> PortLike:
    return port


def take_event(port: PortLike) -> EventLike:
    return port.on_message
