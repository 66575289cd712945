"""How old the newest row may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from pydantic import Field

from engine.core.clock import rfc3339
from engine.core.kinds import Rule, View
from engine.core.values import ColumnName, Duration
from engine.parts._columns import known, wrong_type

if TYPE_CHECKING:
    import polars as pl


class Freshness(Rule):
    """The newest time in the column is at most so long before the start of the run. A date counts to its last moment.

    A table without rows passes (`row_count` is for that); one whose rows are all null here does not.

    Example:
        - freshness: { column: updated_at, within: 2d, level: warning }
    """

    column: ColumnName = Field(description="The column: times or dates.")
    within: Duration = Field(description="How old the newest row may be: 2d.")

    def totals(self) -> Mapping[str, pl.Expr]:
        """The number of rows, and the newest time."""
        import polars as pl

        return {"sum_rows": pl.len(), "max_time": pl.col(self.column).max()}

    def verdict(self, totals: Mapping[str, Any], view: View) -> str | None:
        """Whether the newest time is too old."""
        import polars as pl

        known([self.column], view.columns)
        dtype = view.columns[self.column]
        if dtype not in (pl.Datetime, pl.Date):
            raise wrong_type(self.column, dtype, "freshness is for times and dates")
        newest = totals["max_time"]
        if newest is None:
            return f"no row has a value in {self.column}" if totals["sum_rows"] else None
        if not isinstance(newest, datetime):
            newest = datetime.combine(newest, time.max)
        newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
        if view.started_at - newest <= self.within.delta:
            return None
        start = rfc3339(view.started_at)
        return f"the newest {self.column} is {rfc3339(newest)}, more than {self.within} before {start}"

    def uses(self) -> Sequence[str]:
        """The column."""
        return [self.column]

    def suits(self, types: Mapping[str, str]) -> bool:
        """Times and dates."""
        return types.get(self.column) in ("datetime", "date")
