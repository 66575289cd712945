"""Rules over all rows ask about the rows of the table: none that is set apart, none whose place another took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import Mark
from engine.core.kinds import View
from engine.flow.across import of_sorter
from engine.flow.frames import AT
from engine.flow.ledger import Waiver
from engine.flow.merge import Merger
from engine.flow.settle import settled
from engine.flow.sort import Sorter
from engine.flow.validate import Placed, Validator
from tests.parts.tables import STARTED_AT, rule

COLUMNS = {"id": pl.Int64, "name": pl.String, "up": pl.String, "score": pl.Int64}
POSITIVE = ("range", {"column": "score", "min": 0})
NAME, UP, KEY = (("unique", {"columns": [name]}) for name in ("name", "up", "id"))
ITSELF = ("refers_to", {"column": "up", "table": "things", "to": "name"})
ROW = st.tuples(
    st.integers(0, 3),
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from([0, 0, 0, -1]),
)
RUNS = st.lists(st.lists(ROW, max_size=5), min_size=1, max_size=3)
ONE_A_KEY = st.lists(st.lists(ROW, max_size=4, unique_by=lambda row: row[0]), min_size=1, max_size=3)
Rows = list[tuple[Any, ...]]


def _made(
    runs: Sequence[Rows],
    mode: str,
    *rules: tuple[str, Any],
    before: Rows | None = None,
    waivers: Sequence[Waiver] = (),
    passes: list[str] | None = None,
) -> tuple[Rows, list[tuple[Any, str]]]:
    """The table that runs leave when they are taken together, and key and rule of what is set apart."""
    with TemporaryDirectory() as folder:
        sorter, starts, at = Sorter(Path(folder), ["id"], run_rows=4, sample_rows=2, range_rows=3), [], 0
        for run in runs:
            starts.append(at)
            rows = [(*row, number) for number, row in enumerate(run, at)]
            sorter.add(pl.DataFrame(rows, {**COLUMNS, AT: pl.UInt64}, orient="row"))
            at += len(run)
        if before is not None:
            pl.DataFrame(before, COLUMNS, orient="row").write_parquet(Path(folder) / "before.parquet")
            sorter.take([Path(folder) / "before.parquet"])
        merger = Merger(mode, ["id"], None, starts)
        parts = [Placed(rule(word, words), word, Mark("page.yaml", 1, 1)) for word, words in rules]
        view = View({name: kind() for name, kind in COLUMNS.items()}, {}, STARTED_AT)
        asked = Validator("things", parts, view, ["id"], waivers=waivers, same=merger.same)
        every = of_sorter(sorter, merger)
        if passes is not None:
            every = replace(every, apart=_counted(every.apart, passes), there=_counted(every.there, passes))
        validator = settled(asked, every, COLUMNS, lambda _: [], replaces=mode == "upsert")
        table, apart = Rows(), list[tuple[Any, str]]()
        for frame in sorter.merged():
            fresh, same_key, left_out, _ = merger.arrived(frame)
            good, bad = validator.split(fresh, same_key)
            table += merger.merged(frame, good, left_out).rows()
            apart += bad.join(frame, on=AT).select("id_right", "rule").rows()
    return table, apart


def _counted(read: Callable[..., Any], passes: list[str]) -> Callable[..., Any]:
    def counted(*asked: Any) -> Any:
        passes.append(read.__name__)
        return read(*asked)

    return counted


def _one_by_one(runs: Sequence[Rows], mode: str, *rules: tuple[str, Any]) -> Rows:
    table: Rows | None = None
    for run in runs:
        table, _ = _made([run], mode, *rules, before=table)
    return table or []


@given(
    ONE_A_KEY,
    st.sampled_from(["append", "upsert"]),
    st.sampled_from([(NAME,), (KEY, NAME), (NAME, UP), (UP, NAME, KEY)]),
)
def test_runs_taken_together_leave_what_they_leave_one_by_one(runs: list[Rows], mode: str, rules: Any) -> None:
    assert _one_by_one(runs, mode, POSITIVE, *rules) == _made(runs, mode, POSITIVE, *rules)[0]


@given(RUNS, st.sampled_from(["append", "upsert"]))
def test_no_two_rows_of_the_table_share_what_must_be_unique(runs: list[Rows], mode: str) -> None:
    for rules in ((NAME,), (KEY, NAME), (NAME, ITSELF)):
        table, _ = _made(runs, mode, POSITIVE, *rules)
        names = [row[1] for row in table if row[1] is not None]
        assert sorted(set(names)) == sorted(names)


@given(st.lists(ROW, max_size=9), st.sampled_from(["replace", "append", "upsert"]))
def test_every_row_refers_to_a_row_of_the_table(rows: Rows, mode: str) -> None:
    table, _ = _made([rows], mode, POSITIVE, ITSELF)
    assert {row[2] for row in table} <= {None, *(row[1] for row in table)}


@given(st.lists(ROW, max_size=9), st.sampled_from(["replace", "append"]))
def test_what_refers_to_nothing_is_set_apart_and_no_more(rows: Rows, mode: str) -> None:
    there = [row for row in dict.fromkeys(rows) if row[3] == 0]
    while gone := [row for row in there if row[2] not in {None, *(one[1] for one in there)}]:
        there = [row for row in there if row not in gone]
    assert sorted(map(repr, there)) == sorted(map(repr, _made([rows], mode, POSITIVE, ITSELF)[0]))


@pytest.mark.parametrize("rules", [(ITSELF,), (ITSELF, NAME)])
def test_a_long_chain_falls_in_a_few_passes(rules: Any) -> None:
    chain, passes = [(at, f"n{at}", f"n{at - 1}", 0) for at in range(200)], list[str]()
    table, apart = _made([[*chain, (200, "x", "x", 0)]], "replace", *rules, passes=passes)
    assert ([(200, "x", "x", 0)], 200) == (table, len(apart))
    assert len(passes) <= 6


@pytest.mark.parametrize(
    ("rules", "runs", "mode", "apart"),
    [
        ([NAME], [[(1, "n", None, -1), (2, "n", None, 0)]], "replace", [(1, "range")]),
        ([NAME], [[(1, "n", None, -1)], [(2, "n", None, 0)]], "upsert", [(1, "range")]),
        ([KEY], [[(1, "m", None, -1), (1, "n", None, 0)]], "replace", [(1, "range")]),
        ([KEY], [[(1, "m", None, -1), (1, "n", None, 0), (1, "o", None, 0)]], "replace", [(1, "range"), (1, "unique")]),
        ([NAME], [[(1, "n", None, 0), (1, "m", None, 0), (2, "n", None, 0)]], "upsert", []),
        ([NAME, UP], [[(1, "n", "x", 0), (2, "n", "y", 0), (3, "m", "y", 0)]], "replace", [(2, "unique")]),
        ([ITSELF], [[(1, "n", None, -1), (2, "m", "n", 0)]], "replace", [(1, "range"), (2, "refers_to")]),
        ([ITSELF], [[(1, "n", "gone", 0), (2, "m", "n", 0)]], "replace", [(1, "refers_to"), (2, "refers_to")]),
        ([ITSELF], [[(1, "n", "m", 0), (2, "m", "n", 0)]], "replace", []),
    ],
    ids=[
        "set apart before it",
        "set apart in a run before it",
        "the same key, set apart",
        "two that stay of one key",
        "replaced in the same run",
        "set apart by another unique",
        "refers to one set apart",
        "refers to one that refers to nothing",
        "two that refer to each other",
    ],
)
def test_a_row_is_set_apart_for_rows_of_the_table_alone(rules: Any, runs: Any, mode: str, apart: Any) -> None:
    assert apart == sorted(_made(runs, mode, POSITIVE, *rules)[1])


def test_a_row_that_does_not_come_into_the_table_leaves_the_one_it_would_replace() -> None:
    before, came = [(1, "n", None, 0), (2, "m", None, 0)], [(1, "m", None, 0), (3, "n", None, 0)]
    table, apart = _made([came], "upsert", NAME, before=before)
    assert (before, [(1, "unique"), (3, "unique")]) == (table, sorted(apart))


def test_a_row_that_is_waived_is_in_the_table() -> None:
    waiver = Waiver("things:range", "things", "range", None, date(2027, 1, 1), "why", "who", "when")
    came = [(1, "n", None, -1), (2, "n", None, 0)]
    assert ([came[0]], [(2, "unique")]) == _made([came], "replace", POSITIVE, NAME, waivers=[waiver])


def test_two_rows_may_change_their_values_in_one_run() -> None:
    came = [(1, "m", None, 0), (2, "n", None, 0)]
    assert (came, []) == _made([came], "upsert", NAME, before=[(1, "n", None, 0), (2, "m", None, 0)])


def test_a_value_whose_row_is_replaced_in_the_same_run_is_not_there() -> None:
    came = [(1, "new", None, 0), (2, "m", "old", 0)]
    table, apart = _made([came], "upsert", ITSELF, before=[(1, "old", None, 0)])
    assert ([came[0]], [(2, "refers_to")]) == (table, apart)


def test_a_row_that_replaces_the_value_it_refers_to_is_set_apart() -> None:
    table, apart = _made([[(1, "new", "old", 0)]], "upsert", ITSELF, before=[(1, "old", None, 0)])
    assert ([(1, "old", None, 0)], [(1, "refers_to")]) == (table, apart)
