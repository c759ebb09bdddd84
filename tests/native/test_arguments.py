"""The names that native applications may have."""

from __future__ import annotations

import pytest

from trio_ports import Cause, NativeApplicationError
from trio_ports._native.arguments import check_application_name
from trio_ports._protocol.dialects import DIALECTS


def test_bad_names_raise_at_the_call_where_the_dialect_says_so() -> None:
    """Rule 37: in trio and firefox; in chrome the port ends instead. What is no text is refused everywhere."""
    for dialect in ("trio", "firefox"):
        check_application_name("com.example.App", DIALECTS[dialect])
        with pytest.raises(NativeApplicationError, match="cannot be the name") as caught:
            check_application_name("lab-dash", DIALECTS[dialect])
        assert caught.value.cause is Cause.BAD_NAME
    check_application_name("lab-dash", DIALECTS["chrome"])
    for dialect in DIALECTS.values():
        with pytest.raises(TypeError):
            check_application_name(5, dialect)  # type: ignore[arg-type]
