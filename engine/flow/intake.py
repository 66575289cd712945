"""How the records of one table become its rows: which columns are read, in which order, and which rows it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from engine.core import select, sql
from engine.core.errors import Json
from engine.flow import columns as kinds
from engine.flow.frames import AT, Reader
from engine.flow.plan import Plan
from engine.flow.units import RunInfo
from engine.spec.model import NOTHING, RAW, Table


@dataclass(frozen=True)
class Intake:
    """Reads slices of records into rows of one table."""

    plan: Plan
    table: Table
    read: Sequence[kinds.Wanted]
    """The columns that are read from records."""
    constants: Mapping[str, object]
    """`run.*` and `param.*` as SQL sees them."""

    def ready(self) -> Intake:
        """The same with all settled that threads would settle more than once. Raises Mistake.

        What they meet later may be settled by two at once, for a cached property has no lock from Python 3.12 on: they
        find the same, as it rests on nothing that changes.
        """
        _ = self.reader, self.types, self.where
        return self

    @cached_property
    def reader(self) -> Reader:
        """Reads the columns of slices."""
        return Reader(kinds.reading(self.read), self.table.null_values, frozenset(self.added), self.table.key)

    @cached_property
    def added(self) -> list[str]:
        """The fields that endpoints add to records and that columns read."""
        if self.table.rows:
            return []
        endpoints = (self.plan.pipeline.endpoints[name] for name in self.table.from_)
        names = {name for endpoint in endpoints for name in endpoint.add}
        read = {root for column in self.read for root in select.compile(column.path).roots}
        return sorted(names if "*" in read else names & read)

    @cached_property
    def wanted(self) -> list[kinds.Wanted]:
        """All columns as the page orders them, the others behind."""
        words = {kind: word for word, kind in kinds.TYPES.items() if word != "json"}
        named = {one.name: one for one in self.read if one.name != RAW or self.table.other_columns == "raw"}
        for name, (_, kind) in self._computed.items():
            named[name] = kinds.Wanted(name, NOTHING, self.table.columns[name].type or words[kind], seen=False)
        return [named[name] for name in dict.fromkeys([*self.table.columns, *named])]

    @cached_property
    def types(self) -> dict[str, pl.DataType]:
        """All columns with their types."""
        return {column.name: kinds.TYPES[column.type] for column in self.wanted}

    @cached_property
    def where(self) -> pl.Expr | None:
        """Which rows the table shows; a deletion only takes a row's place, so no rule looks at it. None for all."""
        where, gone = (self._condition(text) for text in (self.table.where, self.table.delete_when))
        there = None if gone is None else ~gone.fill_null(False)
        return there if where is None else where if there is None else where & there

    @property
    def merges(self) -> bool:
        """Whether a row that is not shown takes the place of the one before it: it goes on to the merger."""
        return self.plan.mode(self.table) == "upsert"

    def rows(self, read: pl.DataFrame) -> pl.DataFrame:
        """What was read with the columns that are worked out of it, without the rows that are left out for good."""
        for name, (value, _) in self._computed.items():
            read = read.with_columns(value.alias(name))
        rows = read.select(*self.types, AT)
        return rows if self.where is None or self.merges else rows.filter(self.where)

    @cached_property
    def _computed(self) -> dict[str, tuple[pl.Expr, pl.DataType]]:
        return kinds.computed(self.table.columns, self.read, self.constants)

    def _condition(self, text: sql.Sql | None) -> pl.Expr | None:
        return sql.expression(text, self.types, self.constants)[0] if text else None


def known_columns(table: Table, entry: Mapping[str, Json]) -> list[kinds.Wanted] | None:
    """The columns that are read, where each type is known before any record came; None where one is not.

    `entry` is what `current.json` says of the table.
    """
    pinned = pinned_types(entry)
    if not all(column.type or column.sql or name in pinned for name, column in table.columns.items()):
        return None
    return [*kinds.settle(table.columns, pinned, []), *whole_record(table)]


def pinned_types(entry: Mapping[str, Json]) -> dict[str, str]:
    """The types of columns that nobody declared, as an earlier run saw them."""
    return {name: kind["type"] for name, kind in entry.get("schema", {}).items() if kind.get("pinned")}


def whole_record(table: Table) -> list[kinds.Wanted]:
    """The record as a column, where anything rests on it."""
    needed = table.other_columns == "raw" or kinds.reads_raw(table.columns)
    return [kinds.Wanted(RAW, "@", "json", seen=False)] if needed else []


def constants(plan: Plan, run: RunInfo) -> dict[str, object]:
    """`run.*` and `param.*` as SQL sees them."""
    params = {f"param.{name}": value for name, value in plan.settings.params.items()}
    return {"run.started_at": run.started_at, "run.id": run.id, **params}
