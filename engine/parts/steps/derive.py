"""New columns from SQL expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from engine.core.kinds import Given, Step
from engine.core.sql import Sql, expression
from engine.core.values import ColumnName

if TYPE_CHECKING:
    import polars as pl


class Derive(Step):
    """Adds columns, or replaces those that exist, in the order in which they stand: each may use those before it.

    Example:
        - derive: { age_days: "date_diff('day', created_at, run.started_at)", is_old: age_days > 365 }
    """

    short: ClassVar[str | None] = "columns"
    columns: dict[ColumnName, Sql] = Field(min_length=1, description="Column -> SQL expression over the row.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the columns."""
        columns = dict(rows.collect_schema())
        for name, sql in self.columns.items():
            value, columns[name] = expression(sql, columns, given.view.constants)
            rows = rows.with_columns(value.alias(name))
        return rows
