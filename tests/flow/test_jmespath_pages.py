"""The paths of the pages that ship with the engine: Polars reads them all, and gives what jmespath.py gives."""

from __future__ import annotations

from random import Random

import pytest

from engine.app import Engine
from engine.flow.columns import Wanted, reading
from engine.flow.reshape import Reshaper
from engine.spec.model import Table
from tests.flow.differential import UNREADABLE, by_hand, by_reader
from tests.flow.expressions import Documents, hint
from tests.house.source import ROOT

BARE = ("@",)
"""Reads a record that is a bare text, which has no fields that Polars could read."""
PAGES = sorted((ROOT / "pipelines").glob("*.yaml"))


def _wanted(table: Table) -> list[Wanted]:
    """The columns that are read of the rows of a table, single values as texts: few of those made are times."""
    columns = {name: column for name, column in table.columns.items() if not column.sql}
    read = Reshaper(table.rows, columns).columns if table.rows else columns
    return [
        Wanted(name, one.path, one.type if one.type in ("list", "json") else "string") for name, one in read.items()
    ]


def _tables() -> list[object]:
    engine = Engine.from_config(env={})
    return [
        pytest.param(_wanted(table), id=f"{page.stem} {name}")
        for page in PAGES
        for name, table in engine.page(page).pipeline.tables.items()
        if not table.sql
    ]


def _slow(wanted: list[Wanted]) -> dict[str, str]:
    paths = {one.name: one.path for one in wanted}
    return {paths[name]: why for name, why in reading(wanted).slow.items()}


@pytest.mark.parametrize("wanted", _tables())
def test_polars_reads_all_columns_of_the_pages(wanted: list[Wanted]) -> None:
    assert {} == {path: why for path, why in _slow(wanted).items() if path not in BARE}


@pytest.mark.parametrize("wanted", _tables())
def test_the_rows_of_the_pages_are_those_of_jmespath(wanted: list[Wanted]) -> None:
    chance = Random("".join(one.path for one in wanted))
    for wrong in (0.0, 0.05):
        source, expected = Documents(chance, wrong), hint(*(one.path for one in wanted))
        documents = [source.one(expected) for _ in range(20)]
        rows = zip(documents, by_hand(wanted, documents), by_reader(wanted, [documents]), strict=True)
        assert [] == [row for row in rows if row[1] != UNREADABLE and repr(row[1]) != repr(row[2])]
