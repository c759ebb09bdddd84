"""Subjects: programs in any language whose ports are checked, over a protocol of JSON lines."""
