"""Tables as one workbook for spreadsheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from engine.core.errors import Mistake, nearest
from engine.core.kinds import About, Output
from engine.parts._columns import known
from engine.parts.outputs._excel.settings import COVER, SheetChart, SheetFormat, Sheets

if TYPE_CHECKING:
    import polars as pl

    from engine.parts.outputs._excel.book import Book


class Excel(Output):
    """One workbook (xlsx), a sheet for each table: typed cells, filters, a header that stays, charts and colours.

    The first sheet, "About", says which run it is, whether its data is simulated, and what the reader must know; the
    last, "Definitions", says what each column means. Text stays text: it becomes neither formula nor link. Times are
    UTC. What no cell can hold is written as text and counted on the first sheet: integers beyond 2^53, times before
    March 1900, NaN and infinity; texts are cut at 32,767 characters. A missing value and an empty text are both an
    empty cell. A table with more rows than a sheet holds goes on in "Findings (2)". Columns whose words say how bad
    something is (`critical`, `low`, `failed`, …) are coloured. The same tables give the same bytes.

    Example:
        reports:
          posture:
            excel:
              sheets: { Summary: risk_by_team, Findings: findings }
              charts:
                - { sheet: Summary, bar: { x: team, y: findings } }
                - { sheet: Summary, donut: { x: team, y: worst } }
              formats:
                - { sheet: Summary, scale: worst, best: low }
    """

    suffix: ClassVar[str] = ".xlsx"
    short: ClassVar[str | None] = "sheets"
    sheets: Sheets = Field(description="Name of a sheet -> its table; or a table, or a list of them.")
    title: str = Field("", description="The title on the first sheet; the title of the tool unless said.")
    charts: list[SheetChart] = Field([], description="The charts, each to the right of the rows that it draws.")
    formats: list[SheetFormat] = Field([], description="Colours that follow numbers.")
    definitions: bool = Field(True, description='Whether there is a sheet "Definitions".')
    rows: int = Field(
        1_048_575, ge=1, le=1_048_575, description="At most so many rows on one sheet; the others go on the next."
    )

    @model_validator(mode="after")
    def _on_its_sheets(self) -> Excel:
        for one in self._beside():
            if one.sheet not in self.sheets:
                there = ", ".join(self.sheets)
                raise Mistake(
                    "excel",
                    f'there is no sheet "{one.sheet}"{nearest(one.sheet, list(self.sheets))}',
                    f"there are {there}",
                )
        return self

    def _beside(self) -> list[SheetChart | SheetFormat]:
        return [*self.charts, *self.formats]

    def tables(self) -> Sequence[str]:
        """The tables of its sheets."""
        return list(dict.fromkeys(self.sheets.values()))

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write sheet by sheet; rows wait in files beside the place, or in memory, until it is put together."""
        from engine.parts.outputs._excel.book import Book, workbook
        from engine.parts.outputs._excel.cover import cover, definitions

        for one in self._beside():
            self._check(one, tables)
        with (
            nullcontext() if about.sealed else _scratch(place) as scratch,
            workbook(place, scratch) as file,
        ):
            book = Book(file, about, self.rows)
            first = book.blank(COVER)
            for name, table in self.sheets.items():
                self._sheet(book, name, table, tables[table])
            if self.definitions:
                definitions(book, {table: tables[table] for table in self.tables()})
            cover(book, first, self.title or about.title or about.tool)

    def _sheet(self, book: Book, name: str, table: str, rows: pl.LazyFrame) -> None:
        from engine.parts.outputs._excel.draw import colour_numbers, colour_words, draw

        before = len(book.sheets)
        book.table(name, table, rows)
        written = book.sheets[before:]
        for sheet in written:
            colour_words(book, sheet, rows)
            for form in self.formats:
                if form.sheet == name:
                    colour_numbers(sheet, form)
        for number, chart in enumerate(one.chosen for one in self.charts if one.sheet == name):
            draw(book, written[0], chart, rows, number)

    def _check(self, one: SheetChart | SheetFormat, tables: Mapping[str, pl.LazyFrame]) -> None:
        """Raise Mistake where a chart or format names no column, or one that holds no numbers."""
        table = self.sheets[one.sheet]
        schema = tables[table].collect_schema()
        labels, numbers = ([one.chosen.x], one.chosen.y) if isinstance(one, SheetChart) else ([], [one.column])
        known([*labels, *numbers], schema, f"in {table}")
        for name in numbers:
            if not schema[name].is_numeric():
                raise Mistake("excel", f"{name} holds no numbers", "give its column type: integer or float")


def _scratch(place: Path) -> TemporaryDirectory[str]:
    """A folder beside a place that ends as its name does: who takes over from a run that was killed removes it."""
    number = place.suffixes[-2] if place.suffix == ".tmp" else ""
    return TemporaryDirectory(dir=place.parent, prefix=".excel-", suffix=f"{number}.tmp")
