"""Histories: what is done to ports, written as data; how one is generated, and how one is made shorter."""

from . import moves

__all__ = ["moves"]
