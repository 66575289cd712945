"""A page with mistakes is not begun."""

from pathlib import Path

import pytest

from engine.core.errors import SpecError
from tests.flow.pages import Shop

THINGS = "things: { from: things, columns: { id: { path: id, type: integer } } }"
TYPED = "tables: { " + THINGS + ", q: { sql: SELECT %s FROM things } }"


def test_a_run_of_a_page_with_mistakes_asks_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: thing, columns: { id: id } } }")
    with pytest.raises(SpecError) as caught:
        shop.engine.run("shop")
    assert ["unknown-endpoint"] == [finding.code for finding in caught.value.findings]
    assert not (shop.storage / "raw_data").exists()


def test_sql_that_does_not_fit_its_columns_is_told_before_the_first_request(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TYPED % "nix")
    with pytest.raises(SpecError, match='no column is called "nix"'):
        shop.engine.run("shop")
    assert not (shop.storage / "raw_data").exists()
