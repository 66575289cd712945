"""Each step through its YAML: rows in, rows out, and the mistakes it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from engine.core.errors import ConfigError, DataError, Mistake
from engine.core.kinds import Area, Given, Lookup
from engine.core.values import Secret
from tests.parts.tables import cases, frame, said, step, view

SCOPE = {"secret": {"pepper": Secret("salt and pepper", "pepper")}}


def _given(rows: pl.DataFrame, tables: Mapping[str, pl.LazyFrame], files: Mapping[Lookup, pl.DataFrame]) -> Given:
    return Given(view(rows), tables.__getitem__, files.__getitem__)


def _after(word: str, case: dict[str, Any]) -> pl.DataFrame:
    rows = frame(case)
    tables = {name: frame(table).lazy() for name, table in case.get("tables", {}).items()}
    areas = [Area(tuple(file.get("header_row", ())), file.get("range")) for file in case.get("files", [])]
    given = zip(case.get("files", []), areas, strict=True)
    files = {Lookup(file["file"], file.get("sheet"), area): frame(file) for file, area in given}
    return step(word, case["settings"]).filled(SCOPE).apply(rows.lazy(), _given(rows, tables, files)).collect()


@pytest.mark.parametrize(("word", "case"), cases("steps", asking="out"))
def test_rows_come_out_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    assert_frame_equal(frame(case["out"]), _after(word, case))


@pytest.mark.parametrize(("word", "case"), cases("steps", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, DataError, ValidationError)) as raised:
        _after(word, case)
    assert case["mistake"] in said(raised.value)


def test_join_names_the_table_it_reads() -> None:
    assert "apis" == step("join", {"table": "apis", "on": {"api_id": "id"}, "take": ["name"]}).table()


def test_lookup_names_the_file_it_reads() -> None:
    part = step("lookup", {"file": "owners.xlsx", "sheet": "Owners", "on": {"a": "b"}, "take": ["c"]})
    assert Lookup("owners.xlsx", "Owners") == part.lookup()


def test_other_steps_read_nothing_else() -> None:
    assert (None, None) == (step("drop", "a").table(), step("drop", "a").lookup())


def test_a_mask_never_takes_the_words_of_the_page_for_its_secret() -> None:
    rows = pl.DataFrame({"owner": ["a@x"]})
    unset = step("mask", {"column": "owner", "hmac": "${secret.pepper}"}).filled({"secret": {"pepper": None}})
    with pytest.raises(ConfigError, match="the secret that masks owner is not set"):
        unset.apply(rows.lazy(), _given(rows, {}, {})).collect()


def test_the_other_table_is_read_once_for_all_parts_of_the_rows() -> None:
    rows, tables = pl.DataFrame({"api_id": ["a"]}), {"apis": pl.LazyFrame({"id": ["a"], "name": ["Alpha"]})}
    part = step("join", {"table": "apis", "on": {"api_id": "id"}, "take": ["name"]})
    given = replace(_given(rows, {}, {}), table=tables.pop)
    first = part.apply(rows.lazy(), given).collect()
    assert_frame_equal(first, part.apply(rows.lazy(), given).collect())
