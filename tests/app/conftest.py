"""A vendor that is asked for real, and a storage beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.kept import Kept
from tests.flow.desk import Tiny


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with Tiny() as vendor:
        yield Kept(tmp_path, vendor)
