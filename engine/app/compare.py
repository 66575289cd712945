"""Two versions of a table beside one another: which rows were added, removed and changed, by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from engine.core import jsontext
from engine.core.errors import Json
from engine.flow.publish import Shelf
from engine.flow.sort import same_key

PASS_ROWS = 4_000_000
"""So many rows are compared at once, twenty bytes each; more take as many passes over their files."""
SLICE_ROWS = 10_000
"""So many rows that differ are read at once."""
KEY, ROW, NTH, AT, NEW, GROUP, CHANGE = " key", " row", " nth", " at", " new", " group", " change"
"""Columns of our own; no column that a page names begins with a space."""


@dataclass(frozen=True)
class Rows:
    """The rows of one version of a table, read file by file."""

    shelf: Shelf
    entry: Mapping[str, Json]
    """What the version says of the table."""

    @cached_property
    def schema(self) -> pl.Schema:
        """The columns as they are stored."""
        return self.shelf.rows(self.entry["files"][:1]).collect_schema()

    @cached_property
    def starts(self) -> pl.Series:
        """The number of the first row of each file."""
        rows = pl.Series([file["rows"] for file in self.entry["files"]], dtype=pl.Int64)
        return rows.cum_sum() - rows

    def frames(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The rows of each file, with the number of the first. Raises StorageError when a file is gone."""
        for start, file in zip(self.starts, self.entry["files"], strict=True):
            yield start, self.shelf.rows([file]).collect()

    def take(self, numbers: pl.Series, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows with these numbers, in this order."""
        part = self.starts.search_sorted(numbers, side="right") - 1
        wanted = pl.DataFrame({"part": part, AT: numbers, GROUP: pl.int_range(numbers.len(), eager=True)})
        found = []
        for (number,), rows in wanted.group_by("part"):
            lazy = self.shelf.rows([self.entry["files"][number]])
            frame = (lazy if columns is None else lazy.select(columns)).collect()
            found.append(frame[rows[AT] - self.starts[number]].with_columns(rows[GROUP]))
        return pl.concat(found).sort(GROUP).drop(GROUP) if found else pl.DataFrame(schema=self.schema)

    def record(self, row: Mapping[str, Json]) -> dict[str, Json]:
        """A row as JSON."""
        found: dict[str, Json] = jsontext.plain(row)
        return found | {name: _read(row[name]) for name in self._nested if row.get(name) is not None}

    @cached_property
    def _nested(self) -> list[str]:
        return [name for name, kind in self.entry["schema"].items() if kind["type"] == "json"]


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions of a table.

    Hashes of all rows find those that differ, 128 bits each, and only these are read by value. Rows that are equal in
    both cancel each other out, one by one. What is left of a key, one row on either side, was changed; all else was
    added or removed. Without a key nothing is changed, only added and removed. Columns that only one has are no part
    of it; where the types of a column differ, numbers are compared as numbers and all else as texts.
    """

    old: Rows
    new: Rows
    key: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that both have."""
        return [name for name in self.new.schema if name in self.old.schema]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows were added, removed and changed, and how many are as they were."""
        found = {False: 0, True: 0}
        found |= dict(self._left.group_by(NEW).len().iter_rows())
        changed = int((self._left[CHANGE] == "changed").sum()) // 2
        same = int(self.new.entry["rows"]) - found[True]
        return {"added": found[True] - changed, "removed": found[False] - changed, "changed": changed, "same": same}

    def changes(self, limit: int | None = None) -> Iterator[dict[str, Json]]:
        """Every change, in the order of the key; without one, what was removed before what was added."""
        rows, at, told = self._left, 0, 0
        while at < rows.height and (limit is None or told < limit):
            size = SLICE_ROWS if limit is None else min(SLICE_ROWS, 2 * (limit - told))
            end = min(at + max(size, 2), rows.height)
            if end < rows.height and rows[GROUP][end] == rows[GROUP][end - 1] and rows[CHANGE][end] == "changed":
                end += 1  # the two rows of a change stay together
            for change in self._told(rows[at:end]):
                if limit is not None and told == limit:
                    return
                told += 1
                yield change
            at = end

    def _told(self, rows: pl.DataFrame) -> Iterator[dict[str, Json]]:
        old, new = (side.take(rows.filter(pl.col(NEW) == which)[AT]) for which, side in self._sides)
        both = rows[CHANGE] == "changed"
        differs = self._differing(
            old.filter(both.filter(~rows[NEW])) if old.height else old,
            new.filter(both.filter(rows[NEW])) if new.height else new,
        )
        olds, news = old.iter_rows(named=True), new.iter_rows(named=True)
        before: Mapping[str, Json] = {}
        for is_new, change in rows.select(NEW, CHANGE).iter_rows():
            if change != "changed":
                side, row = (self.new, next(news)) if is_new else (self.old, next(olds))
                yield {"change": change, **self._keyed(side, row), "row": side.record(row)}
            elif is_new:
                names, after = next(differs), next(news)
                one, other = ({name: row[name] for name in names} for row in (before, after))
                one, other = self.old.record(one), self.new.record(other)
                columns = {name: {"from": one[name], "to": other[name]} for name in names}
                yield {"change": change, **self._keyed(self.new, after), "columns": columns}
            else:
                before = next(olds)

    def _keyed(self, side: Rows, row: Mapping[str, Json]) -> dict[str, Json]:
        return {"key": side.record({name: row[name] for name in self.key})} if self.key else {}

    def _differing(self, old: pl.DataFrame, new: pl.DataFrame) -> Iterator[list[str]]:
        """Of each pair of rows, the columns whose values differ."""
        if not old.height:
            return iter(())
        one, other = self._alike(old), self._alike(new)
        masks = pl.DataFrame({name: one[name].ne_missing(other[name]) for name in self.columns})
        return ([name for name, differs in row.items() if differs] for row in masks.iter_rows(named=True))

    @property
    def _sides(self) -> tuple[tuple[bool, Rows], tuple[bool, Rows]]:
        return (False, self.old), (True, self.new)

    @cached_property
    def _left(self) -> pl.DataFrame:
        """The rows without an equal one on the other side, in the order they are told: number, side, group, change."""
        total = int(self.old.entry["rows"]) + int(self.new.entry["rows"])
        passes = -(-total // PASS_ROWS) or 1
        left = pl.concat([self._unmatched(number, passes) for number in range(passes)])
        if not self.key:
            change = pl.when(NEW).then(pl.lit("added")).otherwise(pl.lit("removed"))
            return left.sort(NEW, AT).with_row_index(GROUP).with_columns(change.alias(CHANGE))
        keyed = []
        for which, side in self._sides:
            mine = left.filter(pl.col(NEW) == which).sort(AT)
            keyed.append(self._alike(side.take(mine[AT], self.key), self.key).hstack(mine))
        rows = pl.concat(keyed).sort(*self.key, NEW, AT)
        rows = rows.select(AT, NEW, (~same_key(rows, self.key)).cum_sum().alias(GROUP))
        pair = (pl.len().over(GROUP) == 2) & (pl.col(NEW).sum().over(GROUP) == 1)
        change = pl.when(pair).then(pl.lit("changed")).when(NEW).then(pl.lit("added")).otherwise(pl.lit("removed"))
        return rows.with_columns(change.alias(CHANGE))

    def _unmatched(self, number: int, passes: int) -> pl.DataFrame:
        """Of one share of the keys: the rows without an equal one on the other side."""
        old, new = (_numbered(self._hashed(which, side, number, passes)) for which, side in self._sides)
        same = [KEY, ROW, NTH]
        return pl.concat([old.join(new, on=same, how="anti"), new.join(old, on=same, how="anti")]).select(AT, NEW)

    def _hashed(self, which: bool, side: Rows, number: int, passes: int) -> pl.DataFrame:
        kinds = {KEY: pl.UInt64, ROW: pl.UInt64, AT: pl.Int64}
        found = [pl.DataFrame(schema=kinds)]
        for start, frame in side.frames():
            rows = self._alike(frame)
            key = rows.select(self.key or self.columns).hash_rows(seed=0)
            at = pl.int_range(start, start + frame.height, eager=True)
            if passes > 1:
                mine = key % passes == number
                rows, key, at = rows.filter(mine), key.filter(mine), at.filter(mine)
            found.append(pl.DataFrame({KEY: key, ROW: rows.hash_rows(seed=1), AT: at}, schema=kinds))
        return pl.concat(found).with_columns(pl.lit(which).alias(NEW))

    def _alike(self, rows: pl.DataFrame, names: Sequence[str] | None = None) -> pl.DataFrame:
        """The columns that both have, each of one type in both versions."""
        return rows.select(self._one_type(name) for name in (self.columns if names is None else names))

    def _one_type(self, name: str) -> pl.Expr:
        old, new = self.old.schema[name], self.new.schema[name]
        if old == new:
            return pl.col(name)
        if old.is_numeric() and new.is_numeric():
            return pl.col(name).cast(pl.Float64)
        return pl.col(name).map_batches(_text, return_dtype=pl.String)


def _numbered(marks: pl.DataFrame) -> pl.DataFrame:
    """Rows with how many equal ones came before them."""
    if marks[ROW].n_unique() == marks.height:
        return marks.with_columns(pl.lit(0, pl.UInt32).alias(NTH))
    return marks.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over(KEY, ROW).alias(NTH))


def _text(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, (pl.List, pl.Struct)):
        lists = pl.Series(values.name, [jsontext.canonical(jsontext.plain(value)) for value in values], pl.String)
        return lists.set(values.is_null(), None)
    return values.cast(pl.String)


def _read(text: str) -> Json:
    """The value of JSON; a text that is none, such as a masked one, as it is."""
    try:
        return jsontext.read(text)
    except jsontext.NoJson:
        return text
