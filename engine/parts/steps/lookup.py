"""Columns of a file beside the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.core import kinds
from engine.core.kinds import Given, Step
from engine.core.template import Template
from engine.core.values import CellRange
from engine.parts.steps._matching import On, Other, Take, matched

if TYPE_CHECKING:
    import polars as pl


class Lookup(Step):
    """Puts columns of a csv, parquet or xlsx file beside each row; null where no row of it matches.

    Keys of different types are compared by their texts, because files often hold numbers as texts. When two different
    rows of the file match, the step fails and names the key.

    A cell of the sheet that holds an error (`#REF!`) fails the step, which names it; `range` leaves cells out.

    Example:
        - lookup: { file: owners.xlsx, sheet: Owners, on: { owner_email: Email }, take: { team: Team } }
    """

    file: Template = Field(description="The file, beside the page.")
    sheet: str | None = Field(
        None, description="The sheet of a workbook, or a pattern for several (`Q* 2026`); the first unless said."
    )
    header_row: int | None = Field(None, ge=1, description="The row of the column names; the first unless said.")
    range: CellRange | None = Field(None, description="The cells of the sheet, header included: `B3:F200`, `B:F`.")
    on: On = Field(description="Column of this table -> column of the file.")
    take: Take = Field(description="The columns to take: a list, or new name -> name in the file.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the columns."""
        name = f"{self.file}, sheet {self.sheet}" if self.sheet else str(self.file)
        wanted = self.lookup()
        other = Other(name, lambda: given.lookup(wanted).lazy(), as_text=True)
        return matched(rows, other, self.on, self.take, given)

    def lookup(self) -> kinds.Lookup:
        """The file."""
        area = kinds.Area((self.header_row,) if self.header_row else (), self.range)
        return kinds.Lookup(self.file, self.sheet, area)
