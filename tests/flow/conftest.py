"""A tiny vendor that is open for the length of a test, and a desk to collect from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.desk import Desk, Tiny


@pytest.fixture
def vendor() -> Iterator[Tiny]:
    with Tiny() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, vendor: Tiny) -> Desk:
    return Desk(tmp_path, vendor)
