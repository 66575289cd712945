"""What rules ask of all rows together: the same as a plain reading of them, whatever goes to disk meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import Mistake
from engine.core.kinds import Reference
from engine.flow.across import (
    HASH,
    NONE,
    THERE,
    VALUE,
    Every,
    Missing,
    among,
    behind,
    joined,
    missing,
    of_frame,
    of_sorter,
    places,
    repeated_rows,
    twice,
    unmatched,
)
from engine.flow.frames import AT
from engine.flow.merge import FOREVER, OWNER, RUN, UNTIL, Merger
from engine.flow.seal import PLAIN
from engine.flow.sort import Moves, Sorter
from engine.spec.model import Deduplicate

COLUMNS = {"id": pl.Int64, "name": pl.String, "score": pl.Float64, AT: pl.UInt64}
ROWS = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from([None, "a", "b", "ä"]), st.sampled_from([None, 0.0, -0.0, 1.5, math.nan])
    ),
    max_size=30,
)
TEXTS = st.sampled_from([None, "", "a", "b", "ab", "ä"])
REFERENCE = Reference("name", "teams", "id")


@contextmanager
def _sorted(rows: Sequence[tuple[Any, ...]], each: int = 3) -> Iterator[Sorter]:
    """A sorter that was given rows in batches, most of which lie on disk."""
    with TemporaryDirectory() as folder:
        sorter = Sorter(Path(folder), ["id"], run_rows=5, sample_rows=2, range_rows=4)
        frame = pl.DataFrame([(*row, at) for at, row in enumerate(rows)], COLUMNS, orient="row")
        for start in range(0, max(1, len(rows)), each):
            sorter.add(frame.slice(start, each))
        yield sorter


def _repeated(compared: pl.DataFrame, columns: Sequence[str]) -> set[int]:
    """The numbers of rows whose values an earlier row has that is still there, row by row."""
    found, rows = set[int](), compared.sort(AT).to_dicts()
    for at, row in enumerate(rows):
        values = [_plain(row[name]) for name in columns]
        before = [one for one in rows[:at] if [_plain(one[name]) for name in columns] == values]
        if None not in values and any(one[UNTIL] > row[RUN] for one in before):
            found.add(row[AT])
    return found


def _plain(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


@settings(max_examples=min(40, settings().max_examples))
@given(ROWS, st.sampled_from(["replace", "append", "upsert"]), st.booleans(), st.integers(0, 30))
def test_rows_that_repeat_are_those_that_a_plain_reading_finds(
    rows: list[tuple[Any, ...]], mode: str, chooses: bool, second: int
) -> None:
    rule = Deduplicate.model_validate({"keep": "last", "order_by": "score"}) if chooses else None
    merger = Merger(mode, ["id"], rule, [0, second] if second else [0])
    with _sorted(rows) as sorter:
        came_twice = of_sorter(sorter, merger).apart(lambda *_: NONE)
        out = joined([pl.Series(HASH, [0, 3, 9], dtype=pl.UInt64), *came_twice])
        compared = pl.concat([merger.there(frame, partial(among, out)) for frame in sorter.merged()])
        for columns in (["name"], ["name", "score"]):
            found = _repeats(replace(of_sorter(sorter, merger), run_rows=3), columns, out)
            there = found.filter(found.is_in(compared[AT].implode())).to_list()  # the others came twice as they are
            assert sorted(_repeated(compared, columns)) == there


def test_a_row_of_which_only_the_hash_was_there_before_repeats_none() -> None:
    same = {HASH: [7, 7, 7], AT: [0, 1, 2], RUN: [0, 0, 0], UNTIL: [FOREVER] * 3, OWNER: [1, 2, 3]}
    rows = pl.DataFrame({"name": ["a", "b", "a"], **same}, schema_overrides={AT: pl.UInt64})
    assert [2] == behind(rows, ["name"])[0].to_list()


def test_of_a_value_that_all_rows_have_one_row_of_each_frame_is_sorted() -> None:
    there = {RUN: [0] * 1_000, UNTIL: [FOREVER] * 1_000, OWNER: range(1_000)}
    rows = pl.DataFrame({"name": ["a"] * 1_000, AT: range(1_000), **there})
    repeated, rest = behind(rows, ["name"])
    assert (999, 1) == (repeated.len(), rest.height)


@given(st.lists(TEXTS, max_size=40), st.lists(TEXTS, max_size=40))
def test_values_that_are_not_there_are_those_that_a_plain_reading_finds(
    asked: list[str | None], known: list[str | None]
) -> None:
    with _sorted([(at, name, 1.0) for at, name in enumerate(asked)]) as sorter:
        every = replace(of_sorter(sorter, Merger("replace", ["id"], None, [0])), run_rows=3)
        frames = [
            pl.DataFrame({"id": known[:7]}, {"id": pl.String}),
            pl.DataFrame({"id": known[7:]}, {"id": pl.String}),
        ]
        found = missing(REFERENCE, every, frames)
    assert [one is not None and one not in known for one in asked] == found.rows(_texts(asked)).to_list()


@given(st.lists(st.none() | st.lists(TEXTS, max_size=3), max_size=15), st.lists(TEXTS, max_size=4))
def test_of_lists_each_element_is_looked_for(asked: list[list[str | None] | None], known: list[str | None]) -> None:
    column = pl.Series("name", asked, dtype=pl.List(pl.String))
    with TemporaryDirectory() as folder:
        every = replace(_every(pl.DataFrame({"name": column}), Path(folder)), run_rows=2)
        found = missing(REFERENCE, every, [pl.DataFrame({"id": _texts(known)})])
    gone = [one is not None and any(text is not None and text not in known for text in one) for one in asked]
    assert gone == found.rows(column).to_list()


@pytest.mark.parametrize(
    ("kind", "asked", "known", "gone"),
    [
        (pl.Int64, [1, -1, None], [1], [False, True, False]),
        (pl.Float64, [-0.0, math.nan, 0.5], [0.0, math.nan], [False, False, True]),
        (pl.Boolean, [True, False], [True], [False, True]),
    ],
)
def test_values_are_equal_as_their_type_says(
    tmp_path: Path, kind: Any, asked: list[Any], known: list[Any], gone: list[bool]
) -> None:
    column = pl.Series("name", asked, dtype=kind)
    found = missing(REFERENCE, _every(column.to_frame(), tmp_path), [pl.DataFrame({"id": known}, {"id": kind})])
    assert gone == found.rows(column).to_list()


def test_two_values_with_one_hash_are_told_apart(tmp_path: Path) -> None:
    column = _texts(["there", "gone"])
    hashes = column.to_frame().hash_rows(seed=0)
    sorter = _every(column.to_frame(), tmp_path).sorter("forged")
    forged = pl.Series(HASH, [hashes[1], hashes[1], hashes[0]], dtype=pl.UInt64)  # "there" as if it had both
    sorter.add(
        pl.DataFrame([forged, pl.Series(VALUE, ["gone", "there", "there"]), pl.Series(THERE, [False, True, True])])
    )
    found = unmatched(sorter)
    assert ([hashes[1]], ["there"]) == (found.hashes.to_list(), found.there.to_list())
    alike = Missing(hashes.sort(), found.there)
    assert [False, True] == alike.rows(column).to_list()


def test_types_that_can_never_be_equal_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"name is a string, teams\.id is an integer"):
        missing(REFERENCE, _every(pl.DataFrame({"name": ["a"]}), tmp_path), [pl.DataFrame({"id": [1]})])


def test_of_a_table_that_grows_only_what_came_now_is_looked_for(tmp_path: Path) -> None:
    old = tmp_path / "old.parquet"
    pl.DataFrame({"id": [1], "name": ["gone"]}).write_parquet(old)
    with _sorted([(2, "here", 1.0)]) as sorter:
        sorter.take([old])
        every = of_sorter(sorter, Merger("append", ["id"], None, [0]))
        assert ["gone", "here"] == sorted(pl.concat(frame["name"] for frame in every.some(["name"])))
        assert missing(REFERENCE, every, [pl.DataFrame({"id": ["here"]})]).hashes.is_empty()


@pytest.mark.parametrize("came", [[], [pl.DataFrame(schema={"name": pl.String})]], ids=["no frame", "an empty frame"])
def test_of_a_table_to_which_no_row_came_nothing_is_missing(tmp_path: Path, came: list[pl.DataFrame]) -> None:
    every = replace(_every(pl.DataFrame({"name": ["old"]}), tmp_path), new=lambda _: came)
    found = missing(REFERENCE, every, [pl.DataFrame({"id": ["a"]})])
    assert [False] == found.rows(_texts(["old"])).to_list()


def test_rows_that_got_another_number_repeat_by_that_and_those_that_were_dropped_not_at_all() -> None:
    with _sorted([(1, "a", 1.0), (2, "b", 1.0), (3, "b", 1.0), (4, "a", 1.0)], each=2) as sorter:
        sorter.moves = Moves.of([(0, 1), (1, None), (2, 2), (3, 0)])
        assert [1] == _repeats(of_sorter(sorter, Merger("replace", ["id"], None, [0])), ["name"]).to_list()


@given(st.sets(st.integers(0, 50)), st.lists(st.integers(0, 50)))
def test_places_in_what_is_in_order(ordered: set[int], values: list[int]) -> None:
    held = sorted(ordered)
    found = places(pl.Series(held, dtype=pl.UInt64), pl.Series(values, dtype=pl.UInt64))
    assert [held.index(one) if one in ordered else None for one in values] == found.to_list()


def _repeats(every: Every, columns: Sequence[str], out: pl.Series = NONE) -> pl.Series:
    return repeated_rows(every, columns, twice(every, columns), out, "unique")


def _every(rows: pl.DataFrame, folder: Path) -> Every:
    numbered = rows.with_columns(pl.int_range(pl.len(), dtype=pl.UInt64).alias(AT))
    return of_frame(numbered, pl.repeat(False, rows.height, eager=True), folder, PLAIN)


def _texts(values: Sequence[str | None]) -> pl.Series:
    return pl.Series("name", values, dtype=pl.String)
