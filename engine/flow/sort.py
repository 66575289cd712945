"""Rows in the order of their key, whatever their number: sorted runs on disk, merged range by range."""

from __future__ import annotations

import functools
import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import Mistake
from engine.core.sql.words import called
from engine.flow import parquet
from engine.flow.frames import AT
from engine.flow.seal import PLAIN, Seal

CELLS = 2_000_000
"""Rows of more than twenty columns are taken in fewer at a time."""
RUN_ROWS = 100_000
SAMPLE_ROWS = 2_500
RANGE_ROWS = 100_000
GROUP_ROWS = 10_000
TANGLED = 24
"""A span of keys is read from so many runs at most: each costs a reading of its own, and rows that lie around it."""
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


@dataclass(frozen=True)
class Moves:
    """Other numbers of arrival for rows that were numbered as their pages came, before the order of these was known."""

    starts: pl.Series
    """The number that each page began with, ascending."""
    by: pl.Series
    """How far its rows move; null where they are dropped."""

    @classmethod
    def of(cls, pages: Sequence[tuple[int, int | None]]) -> Moves | None:
        """The old and the new first number of each page in the order of the old; None where none moves."""
        if all(old == new for old, new in pages):
            return None
        moves = [None if new is None else new - old for old, new in pages]
        return cls(pl.Series([old for old, _ in pages], dtype=pl.UInt64), pl.Series(moves, dtype=pl.Int64))

    def of_one(self, at: int) -> int | None:
        """The number that one row has now; None where it is dropped."""
        by = self.by[bisect_right(self.starts, at) - 1]
        return None if by is None else at + by

    def moved(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with the numbers they have now, those without one left out; rows that had none keep none."""
        old = frame[AT]
        page = self.starts.search_sorted(old.fill_null(0), side="right") - 1
        new = (old.cast(pl.Int64) + self.by.gather(page)).cast(pl.UInt64).alias(AT)
        found = frame.with_columns(new)
        return found if new.null_count() == old.null_count() else found.filter(old.is_null() | new.is_not_null())


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
    moves: Moves | None = None
    """How the rows are numbered now, where that is not how they came."""
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _schema: pl.Schema = field(default_factory=pl.Schema)
    _spilled: int = 0
    _is_untangled: bool = False

    def add(self, batch: pl.DataFrame) -> None:
        """Take a batch; every hundred thousand rows go to disk."""
        if not self.keys:
            batch = _whole(batch.lazy()).collect()
        self._schema = batch.schema
        self._waiting.append(batch)
        self.rows += batch.height
        if self.waiting >= self._few(self.run_rows):
            self.spill()

    @property
    def waiting(self) -> int:
        """How many rows are in memory."""
        return sum(frame.height for frame in self._waiting)

    @property
    def drops(self) -> bool:
        """Whether any row that was taken counts no more."""
        return self.moves is not None and self.moves.by.null_count() > 0

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

    def _few(self, rows: int) -> int:
        rows = rows if self.keys else rows // 2  # the whole row as a text is as long as the row
        return min(rows, max(self.sample_rows, CELLS // max(1, len(self._schema))))

    def _by(self) -> list[str]:
        return list(self.keys) or [WHOLE]

    def _sorted(self, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        rows = pl.concat(frames)
        order = [name for name in (*self._by(), AT) if name in rows.columns]
        # As most vendors send them; what is put together of sorted frames counts as sorted whatever its nulls.
        if len(order) <= 2 and not any(rows[name].null_count() or not rows[name].is_sorted() for name in order):
            return rows
        # Those that were there before have no number, and stay in their order; where none is, it costs nothing.
        return rows.sort(order, maintain_order=AT in order and bool(rows[AT].null_count()))

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows if self.moves is None else self.moves.moved(rows)

    def spill(self) -> None:
        """Put what is in memory on disk."""
        frame = self._sorted(self._waiting)
        self._waiting = []
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keep(frame)

    def _keep(self, frame: pl.DataFrame) -> None:
        """Write a run of sorted rows."""
        path = self.folder / f"run-{self._spilled:05d}.parquet"
        self._spilled += 1
        parquet.write(frame, path, self.seal, compression="lz4", row_group_size=GROUP_ROWS, statistics=False)
        keys = frame.select(self._by())
        if keys.height:
            self.runs.append(Run(path, keys.row(0), keys.row(-1), self._samples(keys)))

    def ranges(self, low: Key | None = None, high: Key | None = None) -> list[tuple[Key | None, Key | None]]:
        """Spans of keys [from, until) in a greater one that hold about a hundred thousand rows each, in order."""
        if not self.runs:
            return [(low, high)]
        if self._waiting:
            self.spill()
        marks = sorted((mark for run in self.runs for mark in run.samples), key=order)
        step = max(1, self._few(self.range_rows) // self.sample_rows)
        cuts = list(dict.fromkeys(marks[step::step]))
        if not self._is_untangled and self._touched(cuts) > TANGLED * len(cuts):
            self._untangle()
            return self.ranges(low, high)
        if low is not None:
            cuts = [cut for cut in cuts if order(cut) > order(low)]
        if high is not None:
            cuts = [cut for cut in cuts if order(cut) < order(high)]
        return list(zip([low, *cuts], [*cuts, high], strict=True))

    def _touched(self, cuts: Sequence[Key]) -> int:
        """How many runs hold keys on both sides of cuts, counted for each cut."""
        every = [order(cut) for cut in cuts]
        held = ((bisect_left(every, order(run.first)), bisect_left(every, order(run.last))) for run in self.runs)
        return sum(last - first for first, last in held)

    def _untangle(self) -> None:
        """Put runs together group by group, so that those of a group lie one behind the other."""
        spilled = [run for run in self.runs if run.path.parent == self.folder]
        self.runs = [run for run in self.runs if run.path.parent != self.folder]
        self._is_untangled = True
        size = math.isqrt(len(spilled)) + 1
        for at in range(0, len(spilled), size):
            group = spilled[at : at + size]
            for frame in replace(self, runs=group, moves=None).merged():  # they move when they are read for good
                self._keep(frame)
            for run in group:
                run.path.unlink()

    def between(self, low: Key | None, high: Key | None) -> pl.DataFrame | None:
        """The rows of a span, sorted by key and then by arrival; None where there are none at all."""
        if not self.runs:
            return self._sorted([self._numbered(pl.concat(self._waiting))]) if self._waiting else None
        by = self._by()
        wanted = [run for run in self.runs if not _apart(run, low, high)]
        if not wanted:
            return None
        parts = [within(self._scan(run, low, high), by, low, high) for run in wanted]
        held = pl.concat(parts, how="diagonal").collect()
        # rows that were there before have no arrival number, nor fields that nobody had sent yet
        absent = [pl.lit(None, kind).alias(name) for name, kind in self._schema.items() if name not in held.columns]
        return self._sorted([self._numbered(held.with_columns(absent).select(self._schema.names()))])

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

    def holds(self, run: Run, low: Key | None, high: Key | None) -> bool:
        """Whether any row of a run lies in a span."""
        if _apart(run, low, high):
            return False
        marks = [order(key) for key in (run.first, *run.samples, run.last)]
        first = 0 if low is None else bisect_left(marks, order(low))
        if first < len(marks) and (high is None or marks[first] < order(high)):
            return True
        by = self._by()
        return bool(within(self._scan(run, low, high).select(by), by, low, high).head(1).collect().height)

    def merged(self, low: Key | None = None, high: Key | None = None) -> Iterator[pl.DataFrame]:
        """All rows of a span in key order, cut by their number alone; one frame without rows where there are none."""
        found = (self.between(*span) for span in self.ranges(low, high))
        return evenly((frame for frame in found if frame is not None), self._by(), self._few(self.range_rows))

    def columns(self, names: Sequence[str], *, came_now: bool = False) -> Iterator[pl.DataFrame]:
        """Some columns and the number of all rows, or of those that came now, in no order; only these are read."""
        wanted = {name: self._schema[name] for name in dict.fromkeys((*names, AT))}
        for run in self.runs:
            rows = parquet.scan([run.path], self.seal)
            there = rows.collect_schema()
            if not came_now or AT in there:
                absent = [pl.lit(None, kind).alias(name) for name, kind in wanted.items() if there.get(name) != kind]
                yield self._numbered(rows.with_columns(absent).select(*wanted).collect())
        if self._waiting:
            yield self._numbered(pl.concat(frame.select(*wanted) for frame in self._waiting))


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


def evenly(frames: Iterable[pl.DataFrame], by: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
    """Rows in key order in frames of so many, each ending where a key does: wherever they were cut before."""
    held: pl.DataFrame | None = None
    for frame in frames:
        held = frame if held is None or not held.height else pl.concat([held, frame])
        while (until := _end(held, by, rows)) is not None:
            yield held.head(until).rechunk()
            held = held.slice(until)
    if held is not None:
        yield held.rechunk()


def _end(frame: pl.DataFrame, by: Sequence[str], rows: int) -> int | None:
    """Where the first key ends at or behind so many rows, and another begins; None where that is not seen yet."""
    if frame.height <= rows:
        return None
    others = ~same_key(frame.slice(rows - 1), by)[1:]
    first = others.arg_max() if others.any() else None
    return None if first is None else rows + first


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
