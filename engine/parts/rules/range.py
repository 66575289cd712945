"""A column that lies between two bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from engine.core.errors import Mistake
from engine.core.kinds import Check, Rule, View
from engine.core.sql import Sql, columns_of, expression
from engine.core.sql.words import called
from engine.core.values import ColumnName
from engine.core.wire import as_text
from engine.parts._columns import fails_where, known, meaning, runs, wrong_type

if TYPE_CHECKING:
    import polars as pl


class Computed(BaseModel):
    """A bound that is computed for each row."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", arbitrary_types_allowed=True)
    sql: Sql = Field(description="An expression over the row, `param.…` and `run.…`.")


def _bound(value: Any) -> Any:
    if value is None or isinstance(value, (bool, list)):
        raise Mistake("value", f"{value!r} is no bound", "write a number, a time, or { sql: … }")
    return value if isinstance(value, (dict, Computed)) else as_text(value)


NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)
DAY = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
SURE = {"integer": NUMBER, "float": NUMBER, "date": DAY, "datetime": DAY}
"""Column type -> the bounds that surely are of it."""
Bound = Annotated[str | Computed, BeforeValidator(_bound, json_schema_input_type=float | str | Computed)]


class Range(Rule):
    """The column is at least `min` and at most `max`; in a list, each element. Null passes.

    A time without an offset is in UTC; a date as the bound of a time is its first moment.

    Example:
        - range: { column: score, min: 0, max: 10, tolerance: 1% }
        - range: { column: created_at, min: 2010-01-01, max: { sql: run.started_at } }
    """

    column: ColumnName = Field(description="The column: numbers, times or dates.")
    min: Bound | None = Field(None, description="The least value: a number, a time, or `{ sql: … }`.")
    max: Bound | None = Field(None, description="The greatest value: a number, a time, or `{ sql: … }`.")

    @model_validator(mode="after")
    def _has_a_bound(self) -> Range:
        if self.min is None and self.max is None:
            raise Mistake("value", "a range needs a bound", "write min:, max: or both")
        low, high = str(self.min), str(self.max)
        numbers = NUMBER.fullmatch(low) and NUMBER.fullmatch(high) and float(low) > float(high)
        if numbers or (DATE.fullmatch(low) and DATE.fullmatch(high) and low > high):
            text = f"no value is at least {low} and at most {high}"
            raise Mistake("value", text, f"write min: {high}, max: {low}")
        return self

    def checks(self, view: View) -> Sequence[Check]:
        """One check a bound."""
        known([self.column], view.columns)
        below = self._check(view, self.min, "below", lambda value, bound: value < bound)
        above = self._check(view, self.max, "above", lambda value, bound: value > bound)
        return [check for check in (below, above) if check]

    def uses(self) -> Sequence[str]:
        """The column, and those of computed bounds."""
        bounds = [bound.sql for bound in (self.min, self.max) if isinstance(bound, Computed)]
        return [self.column, *sorted({column for sql in bounds for column in columns_of(sql)})]

    def suits(self, types: Mapping[str, str]) -> bool:
        """Numbers between numbers, and times between dates, both as they are mostly written."""
        sure = SURE.get(types.get(self.column, ""))
        return sure is not None and all(sure.fullmatch(str(one)) for one in (self.min, self.max) if one is not None)

    def _check(
        self, view: View, bound: str | Computed | None, word: str, beyond: Callable[[pl.Expr, pl.Expr], pl.Expr]
    ) -> Check | None:
        import polars as pl

        if bound is None:
            return None
        shown = bound.sql if isinstance(bound, Computed) else bound

        def fails(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
            if not (dtype.is_numeric() or dtype in (pl.Datetime, pl.Date)):
                raise wrong_type(self.column, dtype, "a range is for numbers and times")
            if isinstance(bound, Computed):
                limit, kind = expression(bound.sql, view.columns, view.constants)
                # Polars compares numbers with times without a word.
                if (dtype.is_numeric(), dtype.is_temporal()) != (kind.is_numeric(), kind.is_temporal()):
                    raise wrong_type(self.column, dtype, f"{bound.sql} is of type {called(kind)}")
                return beyond(value, limit)
            fraction = dtype.is_integer() and not bound.lstrip("-").isdigit()
            return beyond(value, pl.lit(meaning(bound, pl.Float64() if fraction else dtype, self.column)))

        where = fails_where(self.column, view.columns[self.column], fails)
        runs(where, view.columns, f"{self.column} cannot be compared with {shown}")
        return Check(f"range {self.column}", where, f"{self.column} is {word} {shown}", self.column)
