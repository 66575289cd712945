"""One run of the Apigee page that several tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.flow.report import Result
from tests.pipelines.apigee_run import Stage, opened


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result]]:
    """The whole page, collected in pages of seven, and what came of it. Only to be looked at."""
    storage: Path = tmp_path_factory.mktemp("apigee") / "storage"
    with opened(storage, max_page=7, max_count=7) as stage:
        yield stage, stage.run()
