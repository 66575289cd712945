"""Columns of another table of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.core.kinds import Given, Step
from engine.core.values import TableName
from engine.parts.steps._matching import On, Other, Take, matched

if TYPE_CHECKING:
    import polars as pl


class Join(Step):
    """Puts columns of another table beside each row; null where no row of it matches. No row is lost or repeated.

    Null matches nothing. When two different rows of the other table match, the step fails and names the key.

    Example:
        - join: { table: apis, on: { api_id: id }, take: { api_name: name, owner_email: owner_email } }
    """

    table_: TableName = Field(alias="table", description="The other table, after its own enrichment.")
    on: On = Field(description="Column of this table -> column of the other.")
    take: Take = Field(description="The columns to take: a list, or new name -> name there.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the columns."""
        return matched(rows, Other(self.table_, lambda: given.table(self.table_)), self.on, self.take, given)

    def table(self) -> str | None:
        """The other table."""
        return self.table_
