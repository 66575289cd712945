"""What names mean at a place in SQL, and what types its pieces have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

import polars as pl
from sqlglot import exp

from engine.core.errors import Mistake, nearest
from engine.core.sql.functions import FUNCTIONS
from engine.core.sql.syntax import Page, refuse, show

TROUBLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What Polars raises where types do not fit."""


@dataclass
class Source:
    """Rows under one name: their columns, and what must be computed beside them before the SQL runs."""

    columns: dict[str, pl.DataType]
    lifted: dict[str, pl.Expr] = field(default_factory=dict)
    """Name of a computed column -> its expression over the columns and the lifted ones before it."""


@dataclass
class Scope:
    """What names mean at a place in the SQL."""

    sources: Mapping[str, Source]
    constants: Mapping[str, object]
    outer: Scope | None = None
    outputs: dict[str, pl.DataType] = field(default_factory=dict)
    """The SELECT's own columns, as ORDER BY and GROUP BY may name them."""
    shared: frozenset[str] = frozenset()
    """Columns that USING made one of two."""
    nested: Callable[[exp.Query, Scope], None] | None = None
    """What to do with a subquery."""

    def find(self, column: exp.Column) -> tuple[str, pl.DataType]:
        """The source (empty for an output column) and type of a column. Raises Mistake."""
        name, owners = column.name, [alias for alias, one in self.sources.items() if column.name in one.columns]
        if column.table:
            if column.table in self.sources and name in self.sources[column.table].columns:
                return column.table, self.sources[column.table].columns[name]
        elif len(owners) == 1 or (owners and name in self.shared):
            return owners[0], self.sources[owners[0]].columns[name]
        elif name in self.outputs:
            return "", self.outputs[name]
        elif owners:
            raise refuse(column, f'"{name}" is a column of {" and of ".join(owners)}', f"write {owners[0]}.{name}")
        if self.outer and (not column.table or column.table not in self.sources):
            return self.outer.find(column)
        raise self.unknown(column)

    def unknown(self, column: exp.Column) -> Mistake:
        """The mistake for a column that is not there."""
        if column.table and column.table not in self.sources:
            if not any(self.sources):
                return refuse(column, f'"{show(column)}": a row has columns only, so there is no "{column.table}"')
            return refuse(
                column, f'no table here is called "{column.table}"{nearest(column.table, list(self.sources))}'
            )
        some = [self.sources[column.table]] if column.table else list(self.sources.values())
        known = [name for one in some for name in one.columns if name not in one.lifted]
        fix = f"if it is meant as text, write '{column.name}'" if column.this.quoted else ""
        return refuse(
            column, f'no column is called "{column.name}"{nearest(column.name, known + list(self.outputs))}', fix
        )

    def try_type(self, node: exp.Expr) -> pl.DataType | None:
        """The type of a piece, None where it has none."""
        try:
            return self.type_of(node)
        except TROUBLE:
            return None

    def type_of(self, node: exp.Expr) -> pl.DataType | None:
        """The type of a piece, found by running it on a sample row; None where it cannot be. Raises Polars' errors."""
        if isinstance(node, exp.Column):
            return self.find(node)[1]
        if node.find(exp.Query):
            return None
        columns: dict[str, pl.DataType] = {}
        copy = exp.Paren(this=node.copy())
        for column in list(copy.find_all(exp.Column)):
            alias, kind = self.find(column)
            flat = f"{alias}.{column.name}" if alias else column.name
            columns[flat] = kind
            column.replace(exp.column(exp.to_identifier(flat, quoted=True)))
        return _type(write(copy, copy=False), tuple(columns.items()))


@lru_cache(10_000)
def _type(text: str, columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataType:
    return sample(dict(columns)).select(pl.sql_expr(text).alias("it")).schema["it"]


def sample(columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """One row of plain values: over no rows, or only nulls, Polars lets types pass that fail on real ones."""
    return pl.DataFrame([_sampled(kind).alias(name) for name, kind in columns.items()])


@lru_cache(1_000)
def _sampled(kind: pl.DataType) -> pl.Series:
    return pl.Series([_sample(kind)], dtype=kind)


def _sample(kind: pl.DataType) -> object:
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.DataType):
        return [_sample(kind.inner)]
    values: dict[type[pl.DataType], object] = {
        pl.String: "", pl.Boolean: True, pl.Datetime: datetime(2026, 1, 1), pl.Date: date(2026, 1, 1),  # noqa: DTZ001
    }  # fmt: skip
    return 1 if kind.is_numeric() else values.get(type(kind))


def write(node: exp.Expr, *, copy: bool = True) -> str:
    """The SQL that Polars reads; one that nobody needs any more is not copied for it."""
    return node.sql(dialect=Page, identify=True, comments=False, copy=copy)


def settle(kind: pl.DataType, what: str, offset: int = 0) -> pl.DataType:
    """The type of a column of ours that a result becomes. Raises Mistake."""
    if isinstance(kind, pl.Duration):
        raise Mistake(
            "sql", f"{what} is a length of time, which no column can hold", FUNCTIONS["date_diff"], offset=offset
        )
    if kind.is_integer():
        return pl.Int64()
    if kind.is_numeric():
        return pl.Float64()
    if isinstance(kind, pl.Datetime):
        return pl.Datetime("us", "UTC")
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.DataType):
        return pl.List(settle(kind.inner, what, offset))
    return pl.String() if isinstance(kind, pl.Null) else kind
