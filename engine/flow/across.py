"""What rules ask of all rows together, in eight bytes a row: which values repeat, and which are in no other table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from pathlib import Path

import polars as pl

from engine.core.errors import Mistake
from engine.core.kinds import Reference
from engine.core.sql.words import named
from engine.flow.frames import AT
from engine.flow.merge import FOREVER, OWNER, RUN, UNTIL, Merger
from engine.flow.seal import PLAIN, Seal
from engine.flow.sort import Sorter, same_key

HASH = " hash"
VALUE = " value"
THERE = " there"
WHOSE = " whose"
"""No column that a page names begins with a space."""
RUN_ROWS = 250_000
"""Rows of a few columns that are sorted in memory."""
PART_ROWS = 1_000_000
"""So many hashes are looked at together."""
NONE = pl.Series(HASH, dtype=pl.UInt64)
ALONE = pl.lit(0, pl.Int64).alias(RUN), pl.lit(None, pl.UInt64).alias(OWNER)
"""What rows have of which none takes another's place."""


Judge = Callable[[pl.DataFrame, pl.DataFrame, pl.Series], pl.Series]
"""All rows of some keys, the new of them, and which have the key of the row before -> the numbers set apart."""


@dataclass(frozen=True)
class Every:
    """All rows of a table that was read, as often as they are asked for, and room for sorting what is found in them."""

    some: Callable[[Sequence[str]], Iterable[pl.DataFrame]]
    """These columns of all rows, in any order; rows that the table leaves out later may be among them."""
    apart: Callable[[Judge], Iterable[pl.Series]]
    """The numbers of the rows that are not to be in the table, where some are set apart."""
    there: Callable[[Sequence[str], pl.Series], Iterable[pl.DataFrame]]
    """Some columns with the runs that each row is there, where those of these numbers, in order, never are."""
    new: Callable[[str], Iterable[pl.DataFrame]]
    """One column of the rows that came now."""
    folder: Path
    seal: Seal = PLAIN
    run_rows: int = RUN_ROWS

    def sorter(self, name: str, *by: str) -> Sorter:
        """Sorts rows of a few columns by their hash: those of one value come together, unless they go by more."""
        return Sorter(
            self.folder / name, [HASH, *by], self.run_rows, max(1, self.run_rows // 20), self.run_rows, self.seal
        )


def of_sorter(sorter: Sorter, merger: Merger) -> Every:
    """The rows of a table of collected records."""

    def apart(judge: Judge) -> Iterator[pl.Series]:
        for frame in sorter.merged():
            fresh, same_key, left_out, repeated = merger.arrived(frame)
            yield judge(frame, fresh, same_key)
            if repeated:
                kept = pl.concat([fresh[AT], left_out[AT]])
                yield frame[AT].filter(~frame[AT].is_in(kept.implode())).drop_nulls()

    def there(names: Sequence[str], out: pl.Series) -> Iterator[pl.DataFrame]:
        if merger.takes_places:
            return (
                merger.there(frame, partial(among, out)).select(*names, AT, RUN, UNTIL, OWNER)
                for frame in sorter.merged()
            )
        return (beside(frame, out) for frame in sorter.columns(names))

    new = partial(sorter.columns, came_now=True)
    return Every(sorter.columns, apart, there, lambda name: new([name]), sorter.folder, sorter.seal)


def of_frame(rows: pl.DataFrame, same_key: pl.Series, folder: Path, seal: Seal) -> Every:
    """The rows of a table that is in memory, in the order of its key, as if all had come in one run."""
    return Every(
        lambda names: [rows.select(names)],
        lambda judge: [judge(rows, rows, same_key)],
        lambda names, out: [beside(rows.select(*names, AT), out)],
        lambda name: [rows.select(name)],
        folder,
        seal,
    )


def beside(rows: pl.DataFrame, out: pl.Series) -> pl.DataFrame:
    """Rows of which none takes another's place."""
    until = pl.when(among(out, rows[AT])).then(0).otherwise(FOREVER)
    return rows.with_columns(*ALONE, until.cast(pl.Int64).alias(UNTIL))


# --- values that repeat


def twice(every: Every, columns: Sequence[str]) -> pl.Series:
    """The hashes, in order, of values in some columns that more than one row has: few, of eight bytes for each row.

    A share of them is sorted at a time.
    """
    held = [_hash(frame, columns) for frame in _whole(every.some(columns), columns)]
    parts = 1 + sum(one.len() for one in held) // PART_ROWS
    found = [NONE]
    for part in range(parts):
        share = pl.concat([NONE, *(one.filter(one % parts == part) for one in held)]).sort()
        found.append(share.filter(share == share.shift()).unique())
    return pl.concat(found).sort()


def touched(rows: pl.DataFrame, hashes: Mapping[Sequence[str], pl.Series], key: Sequence[str]) -> pl.Series:
    """The numbers of rows that have one of these hashes, or the key of such a row."""
    found = rows.filter(reduce(or_, (among(one, _hash(rows, columns)) for columns, one in hashes.items())))
    alike = rows.join(found, on=list(key), how="semi", nulls_equal=True) if key else found
    return alike[AT].drop_nulls()


def repeated_rows(every: Every, columns: Sequence[str], hashes: pl.Series, out: pl.Series, name: str) -> pl.Series:
    """The numbers, in order, of rows whose values in some columns a row has that was there before.

    Those are compared by value whose hashes come more than once. Rows of the numbers `out` are never there.
    """
    sorter, found = every.sorter(name, AT), [NONE]
    for frame in _whole(every.there(columns, out), columns):
        rows = frame.with_columns(_hash(frame, columns))
        repeated, rest = behind(lasting(rows.filter(among(hashes, rows[HASH])), columns), columns)
        found.append(repeated)
        sorter.add(rest)
    held: pl.DataFrame | None = None
    for frame in sorter.merged():
        repeated, rest = behind(frame if held is None else pl.concat([held, frame]), columns)
        found.append(repeated)
        held = rest.filter((pl.col(UNTIL) > pl.col(RUN)) & pl.col(HASH).is_in(frame[HASH].tail(1).implode()))
    return joined(found)


def lasting(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Rows that are there as long as what takes their place has the same values: who sends them again keeps them."""
    if rows[OWNER].null_count() == rows.height:
        return rows
    same = [*columns, OWNER]
    ordered = rows.sort(*same, AT)
    was = pl.col(UNTIL).shift()
    goes_on = pl.lit(same_key(ordered, same)) & (was == pl.col(RUN)) & (was > pl.col(RUN).shift())
    until = pl.when(~goes_on.shift(-1, fill_value=False)).then(UNTIL).backward_fill()
    return ordered.with_columns(until.alias(UNTIL))


def joined(numbers: Sequence[pl.Series]) -> pl.Series:
    """All of these in order, each once."""
    ordered = pl.concat([NONE, *(one.alias(HASH) for one in numbers)]).sort()
    return ordered.filter((ordered != ordered.shift()).fill_null(True))


def behind(rows: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.Series, pl.DataFrame]:
    """The numbers of rows that repeat one of these before them, and the rows that others yet may repeat.

    None repeats the one whose place it takes.
    """
    most = pl.col(UNTIL).cum_max()
    whose = pl.when(pl.col(UNTIL) == most).then(OWNER).forward_fill()
    before = [most.shift(1).over(columns).alias(THERE), whose.shift(1).over(columns).alias(WHOSE)]
    ordered = rows.sort(AT, nulls_last=False).with_columns(before)
    again = (pl.col(THERE) > pl.col(RUN)).fill_null(False) & (pl.col(WHOSE) != pl.col(OWNER)).fill_null(True)
    longer = pl.col(UNTIL) > pl.col(THERE)
    return ordered.filter(again)[AT].drop_nulls().alias(HASH), ordered.filter(~again | longer).drop(THERE, WHOSE)


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
        values = values_of(column)
        gone = values.filter(among(self.hashes, values[HASH]) & ~values[VALUE].is_in(self.there.implode()))
        return pl.int_range(column.len(), eager=True, dtype=pl.UInt32).is_in(gone["row"].implode())


def missing(reference: Reference, every: Every, known: Iterable[pl.DataFrame], name: str = "refers_to") -> Missing:
    """The values that a column refers to and that `known`, the frames of the other column, do not have.

    Both are put together by their hashes, in bounded memory, and compared by value. Raises Mistake.
    """
    sorter = every.sorter(name)
    asked, kind = [NONE], None
    for frame in every.new(reference.column):
        values = values_of(frame[reference.column]).unique(VALUE)
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


def values_of(column: pl.Series) -> pl.DataFrame:
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
            f"{reference.column} is {named(one)}, {reference.table}.{reference.to} is {named(other)}",
            "give both the same type: write it in columns, or TRY_CAST one of them",
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
