"""The shop is open, its page is written, and commands are typed in an empty folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shop import Desk, Shop


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with Shop() as shop:
        desk = Desk(tmp_path, shop)
        desk.page()
        yield desk
        shop.go.set()
