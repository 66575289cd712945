"""How many rows a table has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from engine.core.errors import Mistake
from engine.core.kinds import Rule, View

if TYPE_CHECKING:
    import polars as pl


class RowCount(Rule):
    """The table has at least `min` and at most `max` rows.

    Example:
        - row_count: { min: 1 }
    """

    min: int | None = Field(None, ge=0, description="The least number of rows.")
    max: int | None = Field(None, ge=0, description="The greatest number of rows.")

    @model_validator(mode="after")
    def _has_a_bound(self) -> RowCount:
        if self.min is None and self.max is None:
            raise Mistake("value", "a row count needs a bound", "write min:, max: or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Mistake("value", f"min {self.min} is above max {self.max}")
        return self

    def totals(self) -> Mapping[str, pl.Expr]:
        """The number of rows."""
        import polars as pl

        return {"sum_rows": pl.len()}

    def verdict(self, totals: Mapping[str, Any], view: View) -> str | None:
        """What is wrong with the number."""
        rows = totals["sum_rows"] or 0
        if self.min is not None and rows < self.min:
            return f"there are {rows} rows, fewer than {self.min}"
        if self.max is not None and rows > self.max:
            return f"there are {rows} rows, more than {self.max}"
        return None

    def suits(self, types: Mapping[str, str]) -> bool:
        """Always."""
        return True
