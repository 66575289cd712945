"""One bench for all tests of faults here, each with a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.bench import Bench, opened


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("undisturbed")) as bench:
        yield bench


@pytest.fixture
def bench(undisturbed: Bench, tmp_path: Path) -> Bench:
    return undisturbed.at(tmp_path)
