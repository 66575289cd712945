"""What an author may write about the charts of an html page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.core.errors import Mistake
from engine.core.values import ColumnName, TableName


class Settings(BaseModel):
    """Settings of a chart: unknown words are refused."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")
    table: TableName = Field(description="The table it draws.")


class Bar(Settings):
    """Horizontal bars, the longest first; words of severity stand in their own order."""

    x: ColumnName = Field(description="The column with one bar for each of its values.")
    y: ColumnName | None = Field(None, description="The number that is summed; without it the rows are counted.")
    by: ColumnName | None = Field(None, description="Splits each bar by the values of this column.")
    title: str = Field("", description="What stands above it; made from the columns unless said.")
    top: int = Field(12, ge=1, le=50, description="So many bars; the rest is summed as one.")


class Line(Settings):
    """A number over time."""

    x: ColumnName = Field(description="The time, or a number.")
    y: ColumnName | None = Field(None, description="The number that is summed; without it the rows are counted.")
    by: ColumnName | None = Field(None, description="One line for each value of this column.")
    title: str = Field("", description="What stands above it; made from the columns unless said.")
    top: int = Field(5, ge=1, le=7, description="So many lines; the rest is summed as one.")


class Donut(Settings):
    """Shares of a whole."""

    x: ColumnName = Field(description="The column with one share for each of its values.")
    y: ColumnName | None = Field(None, description="The number that is summed; without it the rows are counted.")
    title: str = Field("", description="What stands above it; made from the columns unless said.")
    top: int = Field(6, ge=1, le=7, description="So many shares; the rest is summed as one.")


class Number(Settings):
    """One number, large."""

    value: ColumnName | None = Field(
        None, description="The number that is summed, or the claims that are counted; without it the rows are counted."
    )
    label: str = Field(description="What the number is.")


class Chart(BaseModel):
    """One chart; its key chooses which."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")
    bar: Bar | None = Field(None, description="Horizontal bars.")
    line: Line | None = Field(None, description="A number over time.")
    donut: Donut | None = Field(None, description="Shares of a whole.")
    number: Number | None = Field(None, description="One number, large.")

    @model_validator(mode="after")
    def _one_word(self) -> Chart:
        if len([one for one in self._all() if one]) != 1:
            raise Mistake("one-word", "a chart is one of bar, line, donut and number", "write { bar: { … } }")
        return self

    def _all(self) -> tuple[Settings | None, ...]:
        return (self.bar, self.line, self.donut, self.number)

    @property
    def chosen(self) -> Bar | Line | Donut | Number:
        """The settings of the chart it is."""
        return next(one for one in (self.bar, self.line, self.donut, self.number) if one)
