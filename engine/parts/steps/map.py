"""Other words for the values of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.core.kinds import Given, Step
from engine.core.values import ColumnName, Text
from engine.parts._columns import each_value, known, wrong_type

if TYPE_CHECKING:
    import polars as pl


class Map(Step):
    """Replaces values by others; in a list, each element. The column is text afterwards. Null stays null.

    Example:
        - map: { column: severity, values: { crit: critical, inf: info }, otherwise: keep }
    """

    column: ColumnName = Field(description="The column.")
    values: dict[Text, Text | None] = Field(
        min_length=1, description="Value -> new value, as they are written; null is a new value too."
    )
    otherwise: Text | None = Field("keep", description="What other values become: `keep` as they are, null, or a text.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the new values."""
        columns = rows.collect_schema()
        known([self.column], columns)
        return rows.with_columns(each_value(self.column, columns[self.column], self._mapped))

    def _mapped(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        import polars as pl

        if dtype.is_nested():
            raise wrong_type(self.column, dtype, "a map is for texts, numbers and lists of them")
        text = value.cast(pl.String)
        rest = text if self.otherwise == "keep" else pl.when(text.is_not_null()).then(pl.lit(self.otherwise, pl.String))
        return text.replace_strict(list(self.values), list(self.values.values()), default=rest, return_dtype=pl.String)
