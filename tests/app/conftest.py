"""A vendor that is asked for real, and a storage beside it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.kept import Kept, Three
from tests.flow.desk import Tiny


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with Tiny() as vendor:
        yield Kept(tmp_path, vendor)


@pytest.fixture(scope="session")
def thrice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Kept, list[str]]:
    """A storage of three runs that others are copied from."""
    with Tiny() as vendor:
        kept = Kept(tmp_path_factory.mktemp("thrice"), vendor)
        return kept, [kept.run(event=day).run for day in (1, 2, 3)]


@pytest.fixture
def three(kept: Kept, thrice: tuple[Kept, list[str]]) -> Three:
    """The three runs that all have, with the time and the events behind them."""

    def take() -> list[str]:
        before, runs = thrice
        shutil.copytree(before.storage, kept.storage)
        kept.desk.time.now, kept.events = before.desk.time.now, list(before.events)
        return list(runs)

    return take
