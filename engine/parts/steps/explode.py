"""One row for each element of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from engine.core.kinds import Given, Step
from engine.core.values import ColumnName
from engine.parts._columns import known, wrong_type

if TYPE_CHECKING:
    import polars as pl


class Explode(Step):
    """Repeats each row for each element of its list; a row whose list is empty or null stays once, with null.

    Example:
        - explode: { column: tags }
    """

    short: ClassVar[str | None] = "column"
    column: ColumnName = Field(description="The column: a list.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The repeated rows."""
        import polars as pl

        columns = rows.collect_schema()
        known([self.column], columns)
        if not isinstance(columns[self.column], pl.List):
            raise wrong_type(self.column, columns[self.column], "explode needs a list")
        return rows.explode(self.column, empty_as_null=True, keep_nulls=True)
