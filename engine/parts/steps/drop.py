"""Columns that go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from engine.core.kinds import Given, Step
from engine.parts._columns import Columns, known, one_or_more

if TYPE_CHECKING:
    import polars as pl


class Drop(Step):
    """Takes columns out.

    Example:
        - drop: [raw_owner, debug]
    """

    short: ClassVar[str | None] = "columns"
    columns: Annotated[Columns, AfterValidator(one_or_more)] = Field(description="The columns.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows without the columns."""
        known(self.columns, rows.collect_schema().names())
        return rows.drop(self.columns)
