"""Columns of a file beside the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.core import kinds
from engine.core.kinds import Given, Step
from engine.core.template import Template
from engine.parts.steps._matching import On, Other, Take, matched

if TYPE_CHECKING:
    import polars as pl


class Lookup(Step):
    """Puts columns of a csv, parquet or xlsx file beside each row; null where no row of it matches.

    Keys of different types are compared by their texts, because files often hold numbers as texts. When two different
    rows of the file match, the step fails and names the key.

    Example:
        - lookup: { file: owners.xlsx, sheet: Owners, on: { owner_email: Email }, take: { team: Team } }
    """

    file: Template = Field(description="The file, beside the page.")
    sheet: str | None = Field(None, description="The sheet of a workbook; the first unless said.")
    on: On = Field(description="Column of this table -> column of the file.")
    take: Take = Field(description="The columns to take: a list, or new name -> name in the file.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the columns."""
        name = f"{self.file}, sheet {self.sheet}" if self.sheet else str(self.file)
        wanted = kinds.Lookup(self.file, self.sheet)
        other = Other(name, lambda: given.lookup(wanted).lazy(), as_text=True)
        return matched(rows, other, self.on, self.take, given)

    def lookup(self) -> kinds.Lookup | None:
        """The file."""
        return kinds.Lookup(self.file, self.sheet)
