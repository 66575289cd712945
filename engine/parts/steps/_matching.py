"""Columns of another table or file put beside the rows that match: what join and lookup share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine.core.errors import DataError, Mistake
from engine.core.kinds import Given
from engine.core.sql.words import called
from engine.core.values import ColumnName
from engine.parts._columns import known

if TYPE_CHECKING:
    import polars as pl


def _new_names(value: Any) -> Any:
    """`[name, email]` is `{ name: name, email: email }`."""
    return {one: one for one in value} if isinstance(value, list) else value


Take = Annotated[
    dict[ColumnName, ColumnName],
    Field(min_length=1),
    BeforeValidator(_new_names, json_schema_input_type=list[str] | dict[str, str]),
]
Names = Mapping[ColumnName, ColumnName]
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
On = Annotated[dict[ColumnName, ColumnName], Field(min_length=1)]


@dataclass(frozen=True)
class Other:
    """The rows that are looked into, with a name for messages."""

    name: str
    read: Callable[[], pl.LazyFrame]
    as_text: bool = False
    """Whether keys of different types are compared by their texts."""


def matched(rows: pl.LazyFrame, other: Other, on: Names, take: Names, given: Given) -> pl.LazyFrame:
    """The rows in their order, each once, with the taken columns of the row that matches, or null."""
    import polars as pl

    mine = dict(rows.collect_schema())
    known(on, mine)
    if taken := next((name for name in take if name in mine), None):
        raise Mistake("column-exists", f'there already is a column "{taken}"', f"take: {{ other_name: {take[taken]} }}")
    own = {left: mine[left] for left in on}
    wanted = (other.name, *on.items(), *take.items(), *own.values())
    if wanted not in given.kept:
        given.kept[wanted] = _found(other, on, take, own)
    found = given.kept[wanted]
    keys = [_key(n) for n in range(len(on))]
    left_on = [pl.col(left).cast(found.rows.schema[key]).alias(key) for left, key in zip(on, keys, strict=True)]

    def beside(batch: pl.DataFrame) -> pl.DataFrame:
        mine = batch.with_columns(left_on)
        few = found.of(mine.select(keys))
        return mine.join(few, on=keys, how="left", maintain_order="left").drop(keys)

    return rows.map_batches(beside, schema={**mine, **{name: found.rows.schema[name] for name in take}})


def _key(number: int) -> str:
    """A name that no column of a page has: those have no spaces."""
    return f"key {number}"


@dataclass(frozen=True)
class Found:
    """The keys and the taken columns of the other rows, one row a key, found by the keys' hashes.

    So a batch looks for its own keys: to join it with all rows would hash all of them once more.
    """

    rows: pl.DataFrame
    hashes: pl.Series
    """Those of the keys, ascending."""
    order: pl.Series
    """Which row each hash is of."""

    @classmethod
    def by(cls, keys: Sequence[str], rows: pl.DataFrame) -> Found:
        """The rows by these of their columns."""
        hashes = rows.select(keys).hash_rows(seed=0)
        order = hashes.arg_sort()
        return cls(rows, hashes.gather(order), order)

    def of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The rows that have one of these keys, or its hash."""
        import polars as pl

        wanted = keys.hash_rows(seed=0).unique().sort()
        first, until = (self.hashes.search_sorted(wanted, side=side) for side in SIDES)
        return self.rows[self.order.gather(pl.int_ranges(first, until, eager=True).explode().drop_nulls())]

    def alike(self) -> pl.DataFrame:
        """The rows whose hash others have too, in their order."""
        same = self.hashes == self.hashes.shift()
        return self.rows[self.order.filter((same | same.shift(-1)).fill_null(False)).sort()]


def _found(other: Other, on: Names, take: Names, own: Mapping[ColumnName, pl.DataType]) -> Found:
    """The keys and the taken columns of the other rows, one row a key."""
    import polars as pl

    rows = other.read()
    theirs = dict(rows.collect_schema())
    known([*on.values(), *take.values()], theirs, f"in {other.name}")
    keys = {}
    for number, (left, right) in enumerate(on.items()):
        keys[_key(number)] = pl.col(right)
        if own[left] != theirs[right]:
            if not other.as_text:
                here = f"{left} is of type {called(own[left])}"
                there = f"{right} in {other.name} is of type {called(theirs[right])}"
                raise Mistake("column-type", f"{here}, {there}", "give both the same type")
            keys[_key(number)] = pl.col(right).cast(pl.String)
    found = rows.select(**keys, **{new: pl.col(old) for new, old in take.items()})
    return _one_row_each(found.drop_nulls(list(keys)).collect(), list(keys), other.name, list(on.values()))


def _one_row_each(rows: pl.DataFrame, keys: list[str], name: str, on: list[str]) -> Found:
    """The rows without repeats; raises DataError when two different ones have the same key."""
    import polars as pl

    found = Found.by(keys, rows)
    alike = found.alike()
    different = alike.unique(maintain_order=True)
    double = different.filter(pl.struct(keys).is_duplicated()).head(1)
    if double.height:
        key = ", ".join(f"{column} = {double[0, hidden]}" for column, hidden in zip(on, keys, strict=True))
        raise DataError(
            f"{name} has several different rows with {key}, so none can be chosen",
            "match on columns that name one row, or make a table with one row each first (sql: SELECT … GROUP BY …)",
        )
    return found if different.height == alike.height else Found.by(keys, rows.unique(maintain_order=True))
