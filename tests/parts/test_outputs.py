"""Each output through its YAML: rows in, a file out, read back by a reader that is not ours."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import TypeAdapter, ValidationError

from engine.core.errors import Mistake
from engine.core.kinds import About, Output
from tests.parts.tables import REGISTRY, STARTED_AT, cases, frame, said

ABOUT = About("acme", "Acme API Security", "run-1", STARTED_AT, simulated=False)
WORDS = REGISTRY.words("outputs")
FINDINGS = pl.DataFrame(
    {
        "id": ["b", "a", None],
        "score": [0.1, None, 1e21],
        "hits": [9007199254740993, None, -1],
        "open": [True, False, None],
        "at": [datetime(2026, 1, 2, 3, 4, 5, 250_000, UTC), None, datetime(2026, 1, 2, tzinfo=UTC)],
        "tags": [["x", None], [], None],
        "owner": [{"name": 'Ada "A"', "teams": ["core"]}, {"name": None, "teams": []}, {"name": "Bo", "teams": None}],
    }
)


def output(word: str, settings: Any) -> Output:
    """The output as a page names it."""
    return TypeAdapter(Output).validate_python({word: settings}, context={"registry": REGISTRY})


def _written(word: str, settings: Any, tables: Mapping[str, pl.DataFrame], folder: Path, about: About = ABOUT) -> Path:
    part = output(word, settings)
    place = folder / f"report{part.suffix}"
    part.write({name: rows.lazy() for name, rows in tables.items()}, place, about)
    return place


def _case_written(word: str, case: dict[str, Any], folder: Path) -> Path:
    types = {name: kind for name, kind in case.get("columns", {}).items() if isinstance(kind, str)}
    rows = frame({"columns": {}, **case})
    return _written(word, case["settings"], {"findings": rows}, folder, replace(ABOUT, types={"findings": types}))


@pytest.mark.parametrize(("word", "case"), cases("outputs", asking="text"))
def test_the_file_reads_as_the_table_says(word: str, case: dict[str, Any], tmp_path: Path) -> None:
    assert case["text"] == _case_written(word, case, tmp_path).read_bytes().decode()


@pytest.mark.parametrize(("word", "case"), cases("outputs", asking="read"))
def test_a_csv_reader_finds_the_fields(word: str, case: dict[str, Any], tmp_path: Path) -> None:
    with _case_written(word, case, tmp_path).open(encoding="utf-8", newline="") as file:
        assert case["read"] == list(csv.reader(file))


@pytest.mark.parametrize(("word", "case"), cases("outputs", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        _case_written(word, case, tmp_path)
    assert case["mistake"] in said(raised.value)


def test_parquet_keeps_every_cell_and_type(tmp_path: Path) -> None:
    assert_frame_equal(FINDINGS, pl.read_parquet(_written("parquet", "findings", {"findings": FINDINGS}, tmp_path)))


def _json_rows() -> list[dict[str, Any]]:
    times = ["2026-01-02T03:04:05.250Z", None, "2026-01-02T00:00:00Z"]
    return [{**row, "at": time} for row, time in zip(FINDINGS.to_dicts(), times, strict=True)]


def test_json_keeps_every_cell(tmp_path: Path) -> None:
    assert _json_rows() == json.loads(_written("json", "findings", {"findings": FINDINGS}, tmp_path).read_bytes())


def test_jsonl_keeps_every_cell(tmp_path: Path) -> None:
    lines = _written("jsonl", "findings", {"findings": FINDINGS}, tmp_path).read_text("utf-8").splitlines()
    assert _json_rows() == [json.loads(line) for line in lines]


@pytest.mark.parametrize("word", WORDS)
def test_a_bare_word_is_the_table(word: str) -> None:
    settings = {"tables": ["findings"]} if word == "html" else "findings"
    assert ["findings"] == list(output(word, settings).tables())


@pytest.mark.parametrize("word", WORDS)
def test_the_same_rows_give_the_same_bytes(word: str, tmp_path: Path) -> None:
    numbers = pl.int_range(5_000 if word == "excel" else 200_000, eager=True)
    rows = pl.DataFrame(
        {"i": numbers, "f": numbers / 7, "s": numbers.cast(pl.String), "g": (numbers % 5).cast(pl.String)}
    )
    chart = {"bar": {"table": "findings", "x": "g", "y": "f"}}
    settings = {"tables": ["findings"], "charts": [chart]} if word == "html" else "findings"
    first = _written(word, settings, {"findings": rows}, tmp_path).read_bytes()
    assert first == _written(word, settings, {"findings": rows}, tmp_path).read_bytes()


@pytest.mark.parametrize("word", ["parquet", "csv", "json", "jsonl"])
def test_rows_keep_their_order_over_many_batches(word: str, tmp_path: Path) -> None:
    rows = pl.DataFrame({"i": pl.int_range(200_000, eager=True).shuffle(seed=1)})
    place = _written(word, "findings", {"findings": rows}, tmp_path)
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "parquet": pl.read_parquet,
        "csv": pl.read_csv,
        "json": pl.read_json,
        "jsonl": pl.read_ndjson,
    }
    assert rows["i"].to_list() == readers[word](place)["i"].to_list()


def test_a_time_without_a_zone_is_utc_and_another_zone_is_turned_to_it(tmp_path: Path) -> None:
    noon = pl.Series("naive", [datetime(2026, 7, 1, 12, tzinfo=UTC)]).dt.replace_time_zone(None)
    rows = pl.DataFrame([noon, noon.dt.replace_time_zone("Europe/Berlin").alias("berlin")])
    text = _written("csv", "findings", {"findings": rows}, tmp_path).read_text()
    assert "naive,berlin\n2026-07-01T12:00:00Z,2026-07-01T10:00:00Z\n" == text
