"""Other words for the values of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from engine.core.kinds import Given, Step
from engine.core.values import ColumnName
from engine.core.wire import as_text
from engine.parts._columns import Text, each_value, known, wrong_type

if TYPE_CHECKING:
    import polars as pl


def _source_texts(value: Any) -> Any:
    return {as_text(key): one for key, one in value.items()} if isinstance(value, dict) else value


class Map(Step):
    """Replaces values by others; in a list, each element. The column is text afterwards. Null stays null.

    Example:
        - map: { column: severity, values: { crit: critical, inf: info }, otherwise: keep }
    """

    column: ColumnName = Field(description="The column.")
    values: Annotated[dict[str, Text | None], BeforeValidator(_source_texts)] = Field(
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
