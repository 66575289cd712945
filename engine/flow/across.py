"""What rules ask of all rows together, in eight bytes a row: which values repeat, and which are in no other table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from engine.core.errors import Mistake
from engine.core.kinds import Reference, Rule
from engine.flow.frames import AT
from engine.flow.merge import FOREVER, RUN, UNTIL, Merger
from engine.flow.seal import PLAIN, Seal
from engine.flow.sort import Sorter

HASH = " hash"
VALUE = " value"
THERE = " there"
"""No column that a page names begins with a space."""
RUN_ROWS = 250_000
"""Rows of a few columns that are sorted in memory."""
PART_ROWS = 1_000_000
"""So many hashes are looked at together."""
NONE = pl.Series(HASH, dtype=pl.UInt64)


@dataclass(frozen=True)
class Every:
    """All rows of a table that was read, as often as they are asked for, and room for sorting what is found in them.

    They come in any order; but for `compared` and `shown`, rows that the table leaves out later may be among them.
    """

    some: Callable[[Sequence[str]], Iterable[pl.DataFrame]]
    """These columns of all rows."""
    compared: Callable[[Sequence[str]], Iterable[pl.DataFrame]]
    """The same of the rows that must differ from each other, with their numbers and the runs that they are there."""
    shown: Callable[[str], Iterable[pl.DataFrame]]
    """One column of all rows that the table shows."""
    new: Callable[[str], Iterable[pl.DataFrame]]
    """One column of the rows that came now."""
    folder: Path
    seal: Seal = PLAIN
    run_rows: int = RUN_ROWS

    def sorter(self, name: str) -> Sorter:
        """Sorts rows of a few columns by their hash: those of one value come together."""
        return Sorter(self.folder / name, [HASH], self.run_rows, max(1, self.run_rows // 20), self.run_rows, self.seal)


def of_sorter(sorter: Sorter, merger: Merger) -> Every:
    """The rows of a table of collected records."""

    def compared(names: Sequence[str]) -> Iterator[pl.DataFrame]:
        if merger.takes_places:
            return (frame.select(*names, AT, RUN, UNTIL) for frame in map(merger.comparable, sorter.merged()))
        return map(beside, sorter.columns(names))

    def shown(name: str) -> Iterator[pl.DataFrame]:
        asked = [] if merger.where is None else merger.where.meta.root_names()
        return map(merger.shown, sorter.columns([name, *asked]))

    new = partial(sorter.columns, came_now=True)
    return Every(sorter.columns, compared, shown, lambda name: new([name]), sorter.folder, sorter.seal)


def of_frame(rows: pl.DataFrame, folder: Path, seal: Seal) -> Every:
    """The rows of a table that is in memory, as if they had come one after the other in one run."""
    return Every(
        lambda names: [rows.select(names)],
        lambda names: [beside(rows.select(*names, AT))],
        lambda name: [rows.select(name)],
        lambda name: [rows.select(name)],
        folder,
        seal,
    )


def beside(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of which none takes another's place."""
    return rows.with_columns(pl.lit(0, pl.Int64).alias(RUN), pl.lit(FOREVER, pl.Int64).alias(UNTIL))


# --- values that repeat


def repeats(rules: Sequence[Rule], key: Sequence[str], every: Every) -> dict[int, pl.Series]:
    """For rules that want other columns than the key to be unique: the rows that repeat an earlier one."""
    found = {}
    for number, rule in enumerate(rules):
        columns = rule.unique()
        if columns and set(columns) != set(key):
            found[number] = repeated_rows(every, columns, f"unique-{number}")
    return found


def repeated_rows(every: Every, columns: Sequence[str], name: str = "unique") -> pl.Series:
    """The arrival numbers, in order, of rows whose values in some columns a row has that was there before.

    Hashes of all rows, eight bytes each, find the few that may be repeated; those are compared by value.
    """
    twice = _twice(_hash(frame, columns) for frame in _whole(every.some(columns), columns))
    found = [NONE]
    if twice.len():
        sorter = every.sorter(name)
        for frame in _whole(every.compared(columns), columns):
            rows = frame.select(*columns, AT, RUN, UNTIL, _hash(frame, columns))
            repeated, rest = behind(rows.filter(among(twice, rows[HASH])), columns)
            found.append(repeated)
            sorter.add(rest)
        found += [behind(frame, columns)[0] for frame in sorter.merged()]
    ordered = pl.concat(found).sort()
    return ordered.filter((ordered != ordered.shift()).fill_null(True))


def _twice(hashes: Iterable[pl.Series]) -> pl.Series:
    """The hashes that come more than once, in order; a share of them is sorted at a time."""
    held = list(hashes)
    parts = 1 + sum(one.len() for one in held) // PART_ROWS
    found = [NONE]
    for part in range(parts):
        share = pl.concat([NONE, *(one.filter(one % parts == part) for one in held)]).sort()
        found.append(share.filter(share == share.shift()).unique())
    return pl.concat(found).sort()


def behind(rows: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.Series, pl.DataFrame]:
    """The numbers of rows that repeat one of these before them, and the rows that others yet may repeat."""
    most = pl.col(UNTIL).cum_max().shift(1).over(columns)
    ordered = rows.sort(AT, nulls_last=False).with_columns(most.alias(THERE))
    repeated = ordered.filter(pl.col(THERE) > pl.col(RUN))[AT].drop_nulls().alias(HASH)
    longer = (pl.col(UNTIL) > pl.col(THERE)).fill_null(True)
    return repeated, ordered.filter(longer).drop(THERE)


def _whole(frames: Iterable[pl.DataFrame], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    return (frame.drop_nulls(list(columns)) for frame in frames)


def _hash(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return frame.select(columns).hash_rows(seed=0).alias(HASH)


# --- values that are in no other table


@dataclass(frozen=True)
class Missing:
    """Values that a column refers to though they are not there, eight bytes each."""

    hashes: pl.Series
    """Theirs, in order."""
    there: pl.Series
    """Values that are there, and whose hash is one of these all the same."""

    def rows(self, column: pl.Series) -> pl.Series:
        """Which rows refer to one of them; in a list, with any element."""
        if self.hashes.is_empty():
            return pl.repeat(False, column.len(), eager=True)
        values = _values(column)
        gone = values.filter(among(self.hashes, values[HASH]) & ~values[VALUE].is_in(self.there.implode()))
        return pl.int_range(column.len(), eager=True, dtype=pl.UInt32).is_in(gone["row"].implode())


@dataclass(frozen=True)
class References:
    """What the columns of one table refer to though it is not there, each looked for once."""

    table: str
    columns: Collection[str]
    every: Every
    known: Callable[[Reference], Iterable[pl.DataFrame]]
    """A column of another table."""
    _found: dict[Reference, Missing] = field(default_factory=dict)

    def missing(self, reference: Reference) -> Missing:
        """The values that the other table does not have: or this one, where it refers to itself. Raises Mistake."""
        if reference not in self._found:
            own = reference.table == self.table
            if own:
                require(reference, self.columns)
            known = self.every.shown(reference.to) if own else self.known(reference)
            self._found[reference] = missing(reference, self.every, known, f"refers_to-{len(self._found)}")
        return self._found[reference]


def missing(reference: Reference, every: Every, known: Iterable[pl.DataFrame], name: str = "refers_to") -> Missing:
    """The values that a column refers to and that `known`, the frames of the other column, do not have.

    Both are put together by their hashes, in bounded memory, and compared by value. Raises Mistake.
    """
    sorter = every.sorter(name)
    asked, kind = [NONE], None
    for frame in every.new(reference.column):
        values = _values(frame[reference.column]).unique(VALUE)
        kind = values.schema[VALUE]
        sorter.add(values.select(HASH, VALUE, pl.lit(False).alias(THERE)))
        asked += [values[HASH]] if sorter.rows <= RUN_ROWS else []
    if kind is None:  # no row came
        return Missing(NONE, NONE)
    few = pl.concat(asked).unique().sort() if sorter.rows <= RUN_ROWS else None
    for frame in known:
        _must_be_same(reference, kind, frame.schema[reference.to])
        there = frame.select(pl.col(reference.to).alias(VALUE)).drop_nulls().unique()
        there = there.select(_hash(there, [VALUE]), VALUE, pl.lit(True).alias(THERE))
        sorter.add(there if few is None else there.filter(among(few, there[HASH])))
    return unmatched(sorter)


def unmatched(sorter: Sorter) -> Missing:
    """Of values sorted by their hashes: those asked for that are not there."""
    hashes, spared = [NONE], list[pl.Series]()
    for frame in sorter.merged():
        there = frame.filter(pl.col(THERE))
        gone = frame.filter(~pl.col(THERE) & ~pl.col(VALUE).is_in(there[VALUE].implode()))
        hashes.append(gone[HASH].unique())
        spared.append(there.filter(pl.col(HASH).is_in(gone[HASH].implode()))[VALUE])
    return Missing(pl.concat(hashes).sort(), pl.concat(spared))


def _values(column: pl.Series) -> pl.DataFrame:
    """The values of a column, or the elements of its lists, with their row and their hash; null is none."""
    rows = pl.DataFrame({"row": pl.int_range(column.len(), dtype=pl.UInt32, eager=True), VALUE: column})
    values = (rows.explode(VALUE) if isinstance(column.dtype, pl.List) else rows).drop_nulls(VALUE)
    return values.with_columns(_hash(values, [VALUE]))


def require(reference: Reference, columns: Collection[str]) -> None:
    """Raise Mistake where the other table has no such column."""
    if reference.to not in columns:
        there = ", ".join(columns)
        raise Mistake(
            "unknown-column", f'{reference.table} has no column "{reference.to}"', f"its columns are: {there}"
        )


def _must_be_same(reference: Reference, one: pl.DataType, other: pl.DataType) -> None:
    if one != other:
        raise Mistake(
            "column-type",
            f"{reference.column} is {one}, {reference.table}.{reference.to} is {other}",
            "declare the same type for both",
        )


def places(ordered: pl.Series, values: pl.Series) -> pl.Series:
    """Where each value stands in what is in order; null where it is not there."""
    if ordered.is_empty():
        return pl.repeat(None, values.len(), dtype=pl.UInt32, eager=True)
    found = ordered.search_sorted(values).clip(upper_bound=ordered.len() - 1)
    return pl.select(pl.when(ordered.gather(found) == values).then(found)).to_series()


def among(ordered: pl.Series, values: pl.Series) -> pl.Series:
    """Whether each value is one of these, which are in order."""
    return places(ordered, values).is_not_null()
