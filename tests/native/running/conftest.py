"""What the tests of running applications share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def private_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, which a test's own folder does not do everywhere."""
    with tempfile.TemporaryDirectory(prefix="ports-", dir="/tmp") as folder:
        yield Path(folder)
