"""A merged table goes on with the files in which nothing changed; only what lies between them is made anew."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.frames import AT
from engine.flow.publish import PART_ROWS
from engine.flow.sort import Moves, Sorter
from engine.flow.untouched import pieces
from tests.flow.pages import Shop, made

KIND = {"k": pl.Int64(), "v": pl.String()}
PAGE = """
tables:
  things:
    from: things
    key: [id]
    mode: upsert
    columns: {{ id: {{ path: id, type: integer }}, v: {{ path: v, type: string }} }}
    {more}
"""
MANY = PART_ROWS * 2 + 5


def _came(keys: list[Any]) -> pl.DataFrame:
    rows = pl.DataFrame({"k": keys, "v": ["new"] * len(keys)}, KIND)
    return rows.with_columns(pl.int_range(rows.height, dtype=pl.UInt64).alias(AT))


def _sorter(folder: Path, there: list[list[Any]], came: list[Any]) -> tuple[Sorter, dict[Path, int]]:
    """Files with these keys each, which were there before, and a sorter that took them and rows that came."""
    files = {folder / f"part-{at}.parquet": at for at in range(len(there))}
    for path, at in files.items():
        pl.DataFrame({"k": there[at], "v": ["old"] * len(there[at])}, KIND).write_parquet(path)
    sorter = Sorter(folder / "runs", ["k"], run_rows=7, sample_rows=2, range_rows=6)
    sorter.add(_came(came))
    sorter.take(list(files))
    return sorter, files


def test_rows_of_which_no_run_was_written_are_put_in_order_without_the_disk(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path / "runs", ["k"])
    sorter.add(_came([3, 1]))
    sorter.add(_came([2]))
    assert [[1, 2, 3]] == [frame["k"].to_list() for frame in pieces(sorter, {}) if not isinstance(frame, Path)]
    assert [] == list(tmp_path.iterdir())


@settings(max_examples=min(40, settings().max_examples))
@given(
    there=st.sets(st.none() | st.integers(0, 60), max_size=40),
    came=st.lists(st.none() | st.integers(-5, 65), max_size=20),
    size=st.integers(1, 9),
)
def test_the_files_that_stay_and_the_rows_between_them_are_all_rows_in_order(
    there: set[Any], came: list[Any], size: int
) -> None:
    keys = sorted(there, key=lambda key: (key is not None, key or 0))
    parts = [keys[at : at + size] for at in range(0, len(keys), size)]
    with tempfile.TemporaryDirectory() as folder:
        sorter, files = _sorter(Path(folder), parts, came)
        found = [pl.read_parquet(one) if isinstance(one, Path) else one.drop(AT) for one in pieces(sorter, files)]
        old = pl.DataFrame({"k": keys, "v": ["old"] * len(keys)}, KIND)
        wanted = pl.concat([old, _came(came).drop(AT)]).sort("k", maintain_order=True)
        assert wanted.rows() == pl.concat(found).rows()


@pytest.mark.parametrize(
    ("came", "stay"),
    [
        ([], [0, 1, 2]),
        ([5], [0, 2]),
        ([3], [1, 2]),  # behind the last key of a file and before the first of the next
        ([-1], [1, 2]),
        ([99], [0, 1]),
        ([None], [1, 2]),
        ([0, 4, 8], []),
    ],
)
def test_a_file_stays_when_no_key_came_from_its_first_to_that_of_the_next(
    tmp_path: Path, came: list[Any], stay: list[int]
) -> None:
    sorter, files = _sorter(tmp_path, [[0, 1], [4, 5], [8, 9]], came)
    assert stay == [files[one] for one in pieces(sorter, files) if isinstance(one, Path)]


def test_no_file_stays_where_rows_that_came_were_dropped(tmp_path: Path) -> None:
    sorter, files = _sorter(tmp_path, [[0, 1], [4, 5], [8, 9]], [1, 5])
    sorter.moves = Moves.of([(0, None), (1, 0)])
    found = list(pieces(sorter, files))
    assert [0, 1, 4, 5, 5, 8, 9] == [key for one in found if isinstance(one, pl.DataFrame) for key in one["k"]]


def _grown(folder: Path, more: str, changes: list[Any]) -> tuple[Shop, list[Any], list[Any]]:
    """A table of three files and what became of it: its files before and after."""
    shop = Shop(folder, PAGE.format(more=more))
    made(shop, [{"id": at * 2, "v": "old"} for at in range(MANY)])
    before = shop.entry()
    shop.later(days=2)
    made(shop, changes)
    which = "base" if before["base"] else "files"
    return shop, before[which], shop.entry()[which]


def test_only_the_files_are_written_in_which_something_changed(tmp_path: Path) -> None:
    shop, before, after = _grown(tmp_path, "", [{"id": 2, "v": "new"}, {"id": 3, "v": "new"}])
    assert before[1:] == after[1:]
    assert [PART_ROWS + 1, PART_ROWS, 5] == [file["rows"] for file in after]
    assert [(0, "old"), (2, "new"), (3, "new"), (4, "old")] == shop.frame().rows()[:4]
    assert MANY + 1 == shop.frame().height == shop.entry()["rows"]


@pytest.mark.slow
def test_what_is_added_at_the_end_leaves_all_files_but_the_last(tmp_path: Path) -> None:
    _, before, after = _grown(tmp_path, "", [{"id": MANY * 2 + at, "v": "new"} for at in range(3)])
    assert before[:2] == after[:2]
    assert [PART_ROWS, PART_ROWS, 8] == [file["rows"] for file in after]


@pytest.mark.slow
def test_files_stay_also_where_the_rows_are_enriched_anew(tmp_path: Path) -> None:
    steps = "enrich: [{ derive: { w: \"concat(v, '!')\" } }]"
    shop, before, after = _grown(tmp_path, steps, [{"id": 2, "v": "new"}])
    assert before[1:] == after[1:]
    assert ["old!", "new!", "old!"] == shop.column("w")[:3]
    assert ["old!"] == shop.frame()["w"].slice(2).unique().to_list()
    assert MANY == shop.frame().height


@pytest.mark.slow
def test_rules_on_the_whole_table_count_the_rows_that_stay(tmp_path: Path) -> None:
    rule = f"validate: [{{ row_count: {{ min: {MANY + 1} }} }}]"
    shop, _, _ = _grown(tmp_path, rule, [{"id": 3, "v": "new"}])
    assert shop.process().tables[0].outcomes[0].verdict is None


def test_a_cleanup_takes_the_files_that_no_version_rests_on_any_more(tmp_path: Path) -> None:
    shop, before, after = _grown(tmp_path, "", [{"id": 2, "v": "new"}])
    shop.later(days=2)
    shop.engine.cleanup(max_age=24)
    there = [path.name for path in sorted((shop.storage / "processed_data/shop").glob("things/*/*"))]
    assert [Path(file["path"]).name for file in [*before[1:], after[0]]] == there
    assert MANY == shop.frame().height
