"""Rows in the order of their key, whatever their number: sorted runs on disk, merged range by range."""

from __future__ import annotations

import functools
import operator
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import Mistake
from engine.core.sql.words import called
from engine.flow import parquet
from engine.flow.frames import AT
from engine.flow.seal import PLAIN, Seal

RUN_ROWS = 100_000
SAMPLE_ROWS = 5_000
RANGE_ROWS = 100_000
GROUP_ROWS = 10_000
WHOLE = " whole"
"""For a table without a key: the whole row as a text, which its rows are sorted by."""
Key = tuple[Any, ...]


@dataclass
class Run:
    """A sorted file, with its first and last key and some between; `base` rows were there before and have no number."""

    path: Path
    first: Key
    last: Key
    samples: list[Key]


@dataclass
class Sorter:
    """Takes batches in any order and gives them back in key order; rows of equal key stay together."""

    folder: Path
    keys: Sequence[str]
    run_rows: int = RUN_ROWS
    sample_rows: int = SAMPLE_ROWS
    range_rows: int = RANGE_ROWS
    seal: Seal = PLAIN
    runs: list[Run] = field(default_factory=list)
    rows: int = 0
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _schema: pl.Schema = field(default_factory=pl.Schema)

    def add(self, batch: pl.DataFrame) -> None:
        """Take a batch; every hundred thousand rows go to disk."""
        if not self.keys:
            batch = _whole(batch.lazy()).collect()
        self._schema = batch.schema
        self._waiting.append(batch)
        self.rows += batch.height
        if sum(frame.height for frame in self._waiting) >= self.run_rows:
            self._spill()

    def take(self, files: Sequence[Path]) -> None:
        """Take files of rows that were there before, sorted by the key and free of arrival numbers.

        Raises Mistake where one holds values of another type than the batches have.
        """
        for path in files:
            self._must_fit(path)
            keys = parquet.read(path, self.seal, list(self.keys)) if self.keys else self._wholes(path)
            if keys.height:
                self.runs.append(Run(path, keys.row(0), keys.row(-1), self._samples(keys)))

    def _must_fit(self, path: Path) -> None:
        """A column of which only null was known may be of any type by now; one with values may not."""
        other = self._other_types(parquet.schema(path, self.seal))
        held = parquet.read(path, self.seal, list(other)) if other else pl.DataFrame()
        for column in held.iter_columns():
            if column.null_count() < held.height:
                before, now = called(column.dtype), called(other[column.name])
                message = f"{column.name} is {now} in what came now, and {before} in the rows that were there before"
                raise Mistake("type", message, f"declare the type of {column.name}: the table is then made anew")

    def _other_types(self, there: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        """The columns that are there with another type than the batches have, with the type they have in these."""
        return {name: kind for name, kind in self._schema.items() if there.get(name, kind) != kind}

    def _wholes(self, path: Path) -> pl.DataFrame:
        """The keys of a file without a key; sorted anew, since a field more may change their order."""
        return _whole(parquet.scan([path], self.seal)).select(WHOLE).collect().sort(WHOLE)

    def _samples(self, keys: pl.DataFrame) -> list[Key]:
        every = self.sample_rows
        return keys.gather_every(every, every).rows() if keys.height > every else []

    def _by(self) -> list[str]:
        return list(self.keys) or [WHOLE]

    def _sorted(self, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        order = [*self._by(), AT]
        return pl.concat(frames).sort([name for name in order if name in frames[0].columns])

    def _spill(self) -> None:
        frame = self._sorted(self._waiting)
        self._waiting = []
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"run-{len(self.runs):05d}.parquet"
        parquet.write(frame, path, self.seal, compression="lz4", row_group_size=GROUP_ROWS)
        keys = frame.select(self._by())
        if keys.height:
            self.runs.append(Run(path, keys.row(0), keys.row(-1), self._samples(keys)))

    def ranges(self) -> list[tuple[Key | None, Key | None]]:
        """Spans of keys [from, until) that hold about a hundred thousand rows each, in order."""
        if not self.runs:
            return [(None, None)]
        if self._waiting:
            self._spill()
        marks = sorted((mark for run in self.runs for mark in run.samples), key=order)
        step = max(1, self.range_rows // self.sample_rows)
        cuts = list(dict.fromkeys(marks[step::step]))
        return list(zip([None, *cuts], [*cuts, None], strict=True))

    def between(self, low: Key | None, high: Key | None) -> pl.DataFrame | None:
        """The rows of a span, sorted by key and then by arrival; None where there are none at all."""
        if not self.runs:
            return self._sorted(self._waiting) if self._waiting else None
        by = self._by()
        wanted = [run for run in self.runs if not _apart(run, low, high)]
        if not wanted:
            return None
        parts = [within(self._scan(run, low, high), by, low, high) for run in wanted]
        held = pl.concat(parts, how="diagonal").collect()
        # rows that were there before have no arrival number, nor fields that nobody had sent yet
        absent = [pl.lit(None, kind).alias(name) for name, kind in self._schema.items() if name not in held.columns]
        return self._sorted([held.with_columns(absent).select(self._schema.names())])

    def _scan(self, run: Run, low: Key | None, high: Key | None) -> pl.LazyFrame:
        """The rows of a run between the samples around a span: only these are read from its file."""
        rows = parquet.scan([run.path], self.seal)
        schema = rows.collect_schema()
        rows = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in self._other_types(schema).items())
        if not self.keys and WHOLE not in schema:
            return _whole(rows)  # sorted before a field was added: a stretch of the file is no span of the order
        first = 0 if low is None else bisect_left(run.samples, order(low), key=order)
        last = len(run.samples) if high is None else bisect_left(run.samples, order(high), key=order)
        every = self.sample_rows
        length = None if last == len(run.samples) else (last + 1 - first) * every
        return rows.slice(first * every, length)

    def merged(self) -> Iterator[pl.DataFrame]:
        """All rows in key order; one frame without rows where there are none."""
        for low, high in self.ranges():
            frame = self.between(low, high)
            if frame is not None and (frame.height or not self.runs):
                yield frame


def _whole(rows: pl.LazyFrame) -> pl.LazyFrame:
    names = [name for name in rows.collect_schema() if name != AT]
    whole = pl.struct(names).struct.json_encode() if names else pl.lit("{}")  # no record came that names a column
    return rows.with_columns(whole.alias(WHOLE))


def within(rows: pl.LazyFrame, by: Sequence[str], low: Key | None, high: Key | None) -> pl.LazyFrame:
    """The rows whose key lies in [low, high); null comes before everything."""
    if low is not None:
        rows = rows.filter(~_before(by, low))
    return rows.filter(_before(by, high)) if high is not None else rows


def _before(by: Sequence[str], key: Key) -> pl.Expr:
    """Whether a row's key comes before this one, column by column."""
    cases, same = [], pl.lit(True)
    for name, value in zip(by, key, strict=True):
        if value is not None:
            cases.append(same & (pl.col(name).is_null() | (pl.col(name) < pl.lit(value))))
            same = same & (pl.col(name) == pl.lit(value)).fill_null(False)
        else:
            same = same & pl.col(name).is_null()
    return functools.reduce(operator.or_, cases, pl.lit(False)).fill_null(False)


def order(key: Key) -> tuple[tuple[bool, Any], ...]:
    """A key for Python's own sorting, null first."""
    return tuple((value is not None, 0 if value is None else value) for value in key)


def _apart(run: Run, low: Key | None, high: Key | None) -> bool:
    return (low is not None and order(run.last) < order(low)) or (high is not None and order(run.first) >= order(high))


def same_key(frame: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """For rows in key order: whether a row has the key of the row before it."""
    if not by or not frame.height:
        return pl.repeat(False, frame.height, eager=True)
    same = [pl.col(name).eq_missing(pl.col(name).shift()) for name in by]
    head = pl.int_range(pl.len()) > 0
    return frame.select((pl.all_horizontal(same) & head).alias("same")).to_series()


def duplicates(frame: pl.DataFrame, by: Sequence[str], *, apart: Sequence[str] = (AT,)) -> tuple[pl.DataFrame, int]:
    """Rows in key order without those that come again with the same key and content, and how many those were.

    The columns `apart` are no content.
    """
    if not same_key(frame, by).any():
        return frame, 0
    content = [name for name in frame.columns if name in by or name not in apart]
    kept = frame.unique(subset=content, keep="first", maintain_order=True)
    return kept, frame.height - kept.height


def keyless_rows(frame: pl.DataFrame, key: Sequence[str], same: Sequence[str]) -> int:
    """How many rows in key order have no key of their own: null in it, or the `same` as in the row before."""
    if not key:
        return 0
    null = frame.select(pl.any_horizontal(pl.col(name).is_null() for name in key)).to_series()
    return int((null | same_key(frame, same)).sum())
