"""The long form of a page is the same page."""

from pathlib import Path

import pytest

from engine.app.engine import registry
from engine.app.resolved import resolved
from engine.spec.read import read_page

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "pipelines").glob("*.yaml")), *sorted((ROOT / "tests/connectors").glob("*.yaml"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_long_form_reads_back_as_the_same_page(page: Path, tmp_path: Path) -> None:
    source, long = read_page(page, registry()), tmp_path / page.name
    long.write_text(resolved(source))
    assert source.pipeline == read_page(long, registry()).pipeline
