"""What an author may write about the sheets, charts and formats of a workbook."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from engine.core.errors import Mistake
from engine.core.values import ColumnName, TableName
from engine.parts._columns import Columns, one_or_more
from engine.parts.outputs._html.text import human

COVER, DEFINITIONS = "About", "Definitions"
LONGEST = 31
"""Characters of a sheet's name, as Excel allows."""


def _named(value: Any) -> Any:
    """`findings` and `[findings]` are `{ Findings: findings }`. Raises Mistake for a sheet of anything but a table."""
    for name, table in value.items() if isinstance(value, dict) else ():
        if isinstance(table, list | dict):
            says = f'"{name}" is taken for the name of a sheet, and a sheet is of one table; did you mean "sheets"?'
            raise Mistake("excel", says, "write sheets: [findings], or sheets: { Findings: findings }")
    tables = [value] if isinstance(value, str) else value
    return {human(str(one))[:LONGEST]: one for one in tables} if isinstance(tables, list) else value


def _allowed(sheets: dict[str, TableName]) -> dict[str, TableName]:
    """The sheets; raises Mistake where Excel would refuse a name."""
    if not sheets:
        raise Mistake("excel", "a workbook needs a sheet", "write sheets: { Findings: findings }")
    taken = {COVER.lower(), DEFINITIONS.lower(), "history"}
    for name in sheets:
        if not 0 < len(name) <= LONGEST or re.search(r"[\[\]:*?/\\]|^'|'$", name):
            raise Mistake("excel", f'"{name}" cannot name a sheet', r"1 to 31 characters, none of [ ] : * ? / \ in it")
        if name.lower() in taken:
            raise Mistake("excel", f'there is another sheet "{name}"', "choose another name; capitals do not count")
        taken.add(name.lower())
    return sheets


Sheets = Annotated[
    dict[str, TableName],
    BeforeValidator(_named, json_schema_input_type=str | list[str] | dict[str, str]),
    AfterValidator(_allowed),
]


class Settings(BaseModel):
    """Settings of a workbook: unknown words are refused."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Drawn(Settings):
    """A chart over rows of its sheet: nothing is summed, so a table with one row a label is what it wants."""

    x: ColumnName = Field(description="The column of the labels.")
    y: Annotated[Columns, AfterValidator(one_or_more)] = Field(description="The column of numbers, or several.")
    title: str = Field("", description="What stands above it; made from the columns unless said.")
    top: int = Field(20, ge=1, le=30_000, description="So many rows of the sheet are drawn, from its first on.")


class BarChart(Drawn):
    """Horizontal bars in the order of the rows."""


class LineChart(Drawn):
    """Numbers over time."""

    top: int = Field(1000, ge=1, le=30_000, description="So many rows of the sheet are drawn, from its first on.")


class DonutChart(Drawn):
    """Shares of a whole."""

    top: int = Field(8, ge=1, le=50, description="So many rows of the sheet are drawn, from its first on.")


class SheetChart(Settings):
    """One native chart beside the rows of a sheet; its key chooses which."""

    sheet: str = Field(description="The sheet whose rows it draws, and on which it stands.")
    bar: BarChart | None = Field(None, description="Horizontal bars.")
    line: LineChart | None = Field(None, description="Numbers over time.")
    donut: DonutChart | None = Field(None, description="Shares of a whole.")

    @model_validator(mode="after")
    def _one_word(self) -> SheetChart:
        if len([one for one in (self.bar, self.line, self.donut) if one]) != 1:
            raise Mistake("one-word", "a chart is one of bar, line and donut", "write { sheet: …, bar: { … } }")
        return self

    @property
    def chosen(self) -> Drawn:
        """The settings of the chart it is."""
        return next(one for one in (self.bar, self.line, self.donut) if one)


class SheetFormat(Settings):
    """Colours that follow the numbers of one column."""

    sheet: str = Field(description="The sheet.")
    scale: ColumnName | None = Field(None, description="The column whose cells go from green to red.")
    bars: ColumnName | None = Field(None, description="The column whose cells hold a bar as long as the number.")
    best: Literal["low", "high"] = Field("low", description="With scale: which end is green.")

    @model_validator(mode="after")
    def _one_word(self) -> SheetFormat:
        if bool(self.scale) == bool(self.bars):
            raise Mistake("one-word", "a format is one of scale and bars", "write { sheet: …, scale: COLUMN }")
        return self

    @property
    def column(self) -> ColumnName:
        """The column it colours."""
        return self.scale or self.bars or ColumnName()
