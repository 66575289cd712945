"""The sheets that explain the others: which run this is, and what the columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from engine.core.kinds import About
from engine.core.sql.words import called
from engine.parts.outputs._excel.book import Book
from engine.parts.outputs._excel.settings import DEFINITIONS
from engine.parts.outputs._html.text import moment

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet


def cover(book: Book, sheet: Worksheet, title: str) -> None:
    """Title, run and time, whether the data is made up, the other sheets, and what the reader must know."""
    about: About = book.about
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, 2, 24)
    sheet.set_column(3, 3, 90)
    book.write(sheet, 0, 0, title, "title")
    row = 1
    if about.simulated:
        for place in range(1, 4):
            sheet.write_blank(row, place, None, book.look("simulated"))
        book.write(sheet, row, 0, "SIMULATED: the simulator made up all data in this workbook", "simulated")
        row += 1
    for label, text in (("Tool", about.tool), ("Run", about.run), ("Started", moment(about.started_at))):
        book.write(sheet, row, 0, label, "label")
        book.write(sheet, row, 1, text)
        row += 1
    row = _contents(book, sheet, row + 1)
    for number, note in enumerate([*about.notes, *book.notes]):
        if not number:
            row += 1
            book.write(sheet, row, 0, "To know", "label")
        book.write(sheet, row, 1, note)
        row += 1


def _contents(book: Book, sheet: Worksheet, row: int) -> int:
    for place, name in enumerate(("Sheet", "Table", "Rows", "One row is")):
        book.write(sheet, row, place, name, "header")
    for one in book.sheets:
        row += 1
        quoted = one.name.replace("'", "''")
        sheet.write_url(row, 0, f"internal:'{quoted}'!A1", book.look("link"), one.name)
        book.write(sheet, row, 1, one.table)
        sheet.write_number(row, 2, one.last, book.look("integer"))
        if meaning := book.about.meanings.get(one.table):
            book.write(sheet, row, 3, " ".join(meaning.split()))
    return row + 1


def definitions(book: Book, tables: Mapping[str, pl.LazyFrame]) -> None:
    """One row for each column of each table: its type and what it means."""
    sheet = book.blank(DEFINITIONS)
    for place, (name, width) in enumerate((("Table", 28), ("Column", 28), ("Type", 12), ("Meaning", 100))):
        book.write(sheet, 0, place, name, "header")
        sheet.set_column(place, place, width)
    sheet.freeze_panes(1, 0)
    row = 0
    for table, rows in tables.items():
        types, docs = book.about.types.get(table, {}), book.about.docs.get(table, {})
        for column, kind in rows.collect_schema().items():
            row += 1
            said = (table, column, types.get(column) or called(kind), " ".join(docs.get(column, "").split()))
            for place, text in enumerate(said):
                book.write(sheet, row, place, text, "wrapped")
    sheet.autofilter(0, 0, row, 3)
