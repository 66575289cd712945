"""Rows in the order of their key, however many runs and ranges they were cut into."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.frames import AT
from engine.flow.sort import WHOLE, Moves, Sorter, duplicates, same_key

SCHEMA = {"s": pl.String(), "n": pl.Int64(), "t": pl.Datetime("us", "UTC"), "b": pl.Boolean(), "f": pl.Float64()}
ROWS = st.tuples(
    st.none() | st.sampled_from(["", "a", "B", "é", "z", "\U0001f600", "\uffff"]) | st.text(max_size=2),
    st.none() | st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(0, 5).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)),
    st.none() | st.booleans(),
    st.none() | st.sampled_from([0.0, 0.1, 1.5, -2.5, 1e300]),
)
KEYS = st.lists(st.sampled_from(list(SCHEMA)), max_size=3, unique=True)


def _frame(rows: Sequence[Any], start: int = 0) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.with_columns(pl.int_range(start, start + frame.height, dtype=pl.UInt64).alias(AT))


def _small(folder: str | Path, keys: Sequence[str]) -> Sorter:
    return Sorter(Path(folder), keys, run_rows=7, sample_rows=2, range_rows=6)


def _merged(sorter: Sorter) -> list[pl.DataFrame]:
    return list(sorter.merged())


@settings(max_examples=min(25, settings().max_examples))
@given(rows=st.lists(ROWS, min_size=1, max_size=60), keys=KEYS.filter(bool), batch=st.integers(1, 9))
def test_many_runs_are_merged_into_the_order_of_a_sort_in_memory(rows: list[Any], keys: list[str], batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sorter = _small(folder, keys)
        for at in range(0, len(rows), batch):
            sorter.add(_frame(rows[at : at + batch], at))
        assert _frame(rows).sort([*keys, AT]).rows() == pl.concat(sorter.merged()).rows()


def test_many_runs_of_scattered_keys_are_put_together_before_a_span_is_read_from_each(tmp_path: Path) -> None:
    keys = [at * 7919 % 301 for at in range(301)]
    frame = pl.DataFrame({"n": keys}).with_columns(pl.int_range(len(keys), dtype=pl.UInt64).alias(AT))
    sorter = _small(tmp_path, ["n"])
    sorter.moves = Moves.of([(0, 1000), (200, 0)])  # they move once, also those that are put together
    for piece in frame.iter_slices(5):
        sorter.add(piece)
    found = pl.concat(sorter.merged())
    moved = frame.with_columns(pl.when(pl.col(AT) < 200).then(pl.col(AT) + 1000).otherwise(pl.col(AT) - 200).alias(AT))
    assert moved.sort("n").rows() == found.rows()
    assert 10 > sum(run.first < (150,) < run.last for run in sorter.runs)
    assert len(sorter.runs) == len(list(tmp_path.glob("*.parquet")))


@settings(max_examples=min(25, settings().max_examples))
@given(rows=st.lists(ROWS, min_size=1, max_size=60), keys=KEYS.filter(bool))
def test_rows_of_equal_key_stay_in_one_frame(rows: list[Any], keys: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sorter = _small(folder, keys)
        sorter.add(_frame(rows))
        found = [key for frame in sorter.merged() for key in frame.select(keys).unique().rows()]
        assert len(set(found)) == len(found)


@settings(max_examples=min(25, settings().max_examples))
@given(rows=st.lists(ROWS, min_size=1, max_size=40), shuffled=st.randoms(use_true_random=False))
def test_without_a_key_the_order_does_not_depend_on_that_of_arrival(rows: list[Any], shuffled: Any) -> None:
    other = shuffled.sample(rows, len(rows))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first, second = _small(one, []), _small(two, [])
        first.add(_frame(rows))
        for at, row in enumerate(other):
            second.add(_frame([row], at))
        names = list(SCHEMA)
        assert pl.concat(first.merged()).select(names).rows() == pl.concat(second.merged()).select(names).rows()


@settings(max_examples=min(25, settings().max_examples))
@given(
    base=st.lists(ROWS, max_size=40),
    rows=st.lists(ROWS, max_size=40),
    keys=KEYS,
    cut=st.integers(1, 15),
)
def test_files_of_an_earlier_version_are_merged_with_new_rows(
    base: list[Any], rows: list[Any], keys: list[str], cut: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sorter = _small(folder, keys)
        sorter.add(_frame(rows))
        sorter.take(_published(Path(folder, "base"), base, keys, cut))
        found = pl.concat(sorter.merged()).drop(WHOLE, strict=False)
        before = found.filter(pl.col(AT).is_null()).drop(AT)
        assert sorted(map(repr, _frame(base).drop(AT).rows())) == sorted(map(repr, before.rows()))
        assert sorted(map(repr, _frame(rows).rows())) == sorted(map(repr, found.drop_nulls(AT).rows()))
        if keys:
            assert found.select(keys).sort(keys).rows() == found.select(keys).rows()


def _published(home: Path, rows: list[Any], keys: list[str], cut: int) -> list[Path]:
    """An earlier version of a table, in parts of so many rows."""
    home.mkdir()
    sorter = Sorter(home, keys)
    sorter.add(_frame(rows))
    frame = pl.concat(sorter.merged()).drop(AT, WHOLE, strict=False)
    paths = []
    for at in range(0, max(frame.height, 1), cut):
        paths.append(home / f"part-{at}.parquet")
        frame.slice(at, cut).write_parquet(paths[-1])
    return paths


def test_rows_of_equal_key_come_in_the_order_of_arrival_behind_those_before(tmp_path: Path) -> None:
    sorter = _small(tmp_path / "runs", ["s"])
    sorter.add(_frame([("a", 9, None, None, None)] * 20))
    sorter.take(_published(tmp_path / "base", [("a", 1, None, None, None)], ["s"], 5))
    assert [None, *range(20)] == pl.concat(sorter.merged())[AT].to_list()


def test_rows_of_equal_key_that_were_there_before_stay_in_their_order(tmp_path: Path) -> None:
    before = [(f"{key:02}", at, None, None, None) for key in range(40) for at in range(60)]
    pl.DataFrame(before, SCHEMA, orient="row").write_parquet(tmp_path / "before.parquet")
    sorter = Sorter(tmp_path / "runs", ["s"])
    sorter.add(_frame([(f"{key:02}", 60, None, None, None) for key in range(40)]))
    sorter.take([tmp_path / "before.parquet"])
    found = pl.concat(sorter.merged())["n"].to_list()
    assert [] == [at for at in range(40) if found[61 * at : 61 * at + 61] != [*range(61)]]


def test_without_a_key_no_row_is_lost_where_a_new_field_changes_the_order(tmp_path: Path) -> None:
    numbers = pl.DataFrame({"n": range(200), AT: range(200)}, schema_overrides={AT: pl.UInt64})
    old, new = _small(tmp_path / "old", []), _small(tmp_path / "new", [])
    old.add(numbers)
    written = pl.concat(old.merged()).drop(AT, WHOLE).with_columns(pl.lit(None, pl.String).alias("s"))
    written.write_parquet(tmp_path / "part.parquet")
    new.take([tmp_path / "part.parquet"])
    new.add(numbers.head(3).with_columns(pl.lit("x").alias("s")))
    assert sorted([*range(200), 0, 1, 2]) == sorted(pl.concat(new.merged())["n"])


def test_few_rows_touch_no_disk(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path / "runs", ["s"])
    sorter.add(_frame([("b", 1, None, None, None), ("a", 2, None, None, None)]))
    assert ["a", "b"] == next(sorter.merged())["s"].to_list()
    assert not (tmp_path / "runs").exists()


def test_no_rows_are_one_frame_with_all_columns(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path / "runs", ["s"])
    sorter.add(_frame([]))
    [frame] = _merged(sorter)
    assert (0, [*SCHEMA, AT]) == (frame.height, frame.columns)


def test_only_rows_of_an_earlier_version_have_an_arrival_of_null(tmp_path: Path) -> None:
    sorter = _small(tmp_path / "runs", ["s"])
    sorter.add(_frame([]))
    sorter.take(_published(tmp_path / "base", [("a", 1, None, None, None)] * 3, ["s"], 5))
    assert [None, None, None] == pl.concat(sorter.merged())[AT].to_list()


@pytest.mark.parametrize("keys", [["s"], []], ids=["a key", "no key"])
def test_frames_hold_about_a_range(tmp_path: Path, keys: list[str]) -> None:
    sorter = _small(tmp_path, keys)
    sorter.add(_frame([(f"{at:03d}", at, None, None, None) for at in range(200)]))
    assert 12 >= max(frame.height for frame in sorter.merged())


def test_a_row_that_comes_again_with_key_and_content_is_dropped() -> None:
    rows = pl.DataFrame({"k": [1, 1, 1, None, None], "tags": [["a"], ["a"], ["b"], None, None], AT: range(5)})
    kept, dropped = duplicates(rows, ["k"])
    assert ([0, 2, 3], 2) == (kept[AT].to_list(), dropped)


def test_without_a_key_no_row_is_a_repeat() -> None:
    rows = pl.DataFrame({"k": [1, 1], AT: range(2)})
    assert (2, 0) == (duplicates(rows, [])[0].height, duplicates(rows, [])[1])


def test_a_key_is_compared_with_that_of_the_row_before() -> None:
    rows = pl.DataFrame({"a": [None, None, 1, 1, 2], "b": ["x", "x", "x", "y", "y"]})
    assert [False, True, False, False, False] == same_key(rows, ["a", "b"]).to_list()


# --- rows that are numbered as they came


@settings(max_examples=min(25, settings().max_examples))
@given(
    rows=st.lists(ROWS, min_size=1, max_size=60),
    keys=KEYS,
    sizes=st.lists(st.integers(0, 9), min_size=8, max_size=8),
    came=st.permutations(range(8)),
    dropped=st.sets(st.integers(0, 7)),
)
def test_pages_that_come_in_any_order_give_the_frames_that_those_of_the_plan_give(
    rows: list[Any], keys: list[str], sizes: list[int], came: list[int], dropped: set[int]
) -> None:
    ends = [0, *itertools.accumulate(sizes)]
    pages = [rows[first:last] for first, last in itertools.pairwise(ends)]
    starts = [0, *itertools.accumulate(0 if at in dropped else len(page) for at, page in enumerate(pages))]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        expected, sorter = _small(one, keys), _small(two, keys)
        moves, number = list[tuple[int, int | None]](), 0
        expected.add(_frame([]))
        sorter.add(_frame([]))
        for at, page in enumerate(pages):
            expected.add(_frame([] if at in dropped else page, starts[at]))
        for at in came:
            sorter.add(_frame(pages[at], number))
            moves.append((number, None if at in dropped else starts[at]))
            number += len(pages[at])
        sorter.moves = Moves.of(moves)
        found = [frame.rows() for frame in _merged(sorter) if frame.height]
        assert [frame.rows() for frame in _merged(expected) if frame.height] == found
