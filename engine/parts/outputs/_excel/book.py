"""The workbook while it is written: each sheet row by row, nothing of a table kept in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from engine.core.errors import Mistake
from engine.core.kinds import About
from engine.parts.outputs._excel.cells import Cell, Column, Exact, cells, columns, fitting
from engine.parts.outputs._excel.settings import LONGEST
from engine.parts.outputs._html.text import utc

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

MOST_COLUMNS = 16_384
SAMPLE = 200
"""Rows whose cells say how wide a column is."""
PIECE = 5_000
"""Rows that are Python values at one time."""
NARROWEST, WIDEST = 9, 60
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""Texts that start so are marked as text for good: without the mark a formula, once somebody edits the cell."""
PLAIN = {"font_name": "Calibri", "font_size": 11}
LOOKS: dict[str, dict[str, Any]] = {
    "header": {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F3A5F", "valign": "vcenter", "quote_prefix": True},
    "text": {"quote_prefix": True},
    "integer": {"num_format": "0"},
    "float": {},
    "boolean": {},
    "datetime": {"num_format": "yyyy-mm-dd hh:mm:ss"},
    "date": {"num_format": "yyyy-mm-dd"},
    "title": {"bold": True, "font_size": 18, "quote_prefix": True},
    "label": {"bold": True, "font_color": "#465061"},
    "wrapped": {"text_wrap": True, "valign": "top", "quote_prefix": True},
    "simulated": {"bold": True, "font_color": "#2B2100", "bg_color": "#FFD43B"},
    "link": {"font_color": "#1E429F", "underline": True},
}
TIMES = {"datetime": 19, "date": 10}
"""How many characters they show, whatever the number is."""


@dataclass
class Sheet:
    """A sheet that was written: where its rows stand."""

    name: str
    table: str
    columns: Sequence[Column]
    sheet: Worksheet
    last: int = 0
    """The last row that was written; the header is row 0."""

    def place(self, column: str) -> int:
        """Where a column stands."""
        return [one.name for one in self.columns].index(column)


@dataclass
class Book:
    """A workbook that is open for writing."""

    file: Workbook
    about: About
    most_rows: int
    """Rows of a table on one sheet."""
    sheets: list[Sheet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the reader must know: cells that do not hold the value itself."""

    def __post_init__(self) -> None:
        about = self.about
        created = utc(about.started_at).replace(tzinfo=None)
        simulated = "SIMULATED: the simulator made up all data" if about.simulated else ""
        self.file.set_properties({"title": about.title or about.tool, "created": created, "comments": simulated})
        self._looks = {name: self.file.add_format({**PLAIN, **look}) for name, look in LOOKS.items()}

    def look(self, name: str) -> Any:
        """A format by its name."""
        return self._looks[name]

    def blank(self, name: str) -> Worksheet:
        """A new sheet, on paper as wide as a page; one of made-up data says so in its tab and on paper."""
        sheet: Worksheet = self.file.add_worksheet(name)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        if self.about.simulated:
            sheet.set_tab_color("#FFD43B")
            sheet.set_header("&C&BSIMULATED")
        return sheet

    def table(self, name: str, table: str, rows: pl.LazyFrame) -> None:
        """All rows of a table on a sheet, and on further ones where it has more than fit."""
        wanted = columns(rows.collect_schema())
        widths = self._widths(rows, wanted)
        counts: dict[str, int] = {}
        cut: dict[str, int] = {}
        batches = rows.collect_batches(maintain_order=True)
        pieces = (piece for batch in batches for piece in batch.iter_slices(PIECE))
        lines = chain.from_iterable(cells(piece, wanted, counts) for piece in pieces)
        number = 1
        while True:
            found = self._sheet(self._numbered(name, number), table, wanted, widths)
            self._fill(found, islice(lines, self.most_rows), cut)
            if found.last < self.most_rows or (head := next(lines, None)) is None:
                break
            lines = chain([head], lines)
            number += 1
        self._note(name, counts, "as text, because no cell can hold them")
        self._note(name, cut, "cut, because a cell holds 32,767 characters")

    def _numbered(self, name: str, number: int) -> str:
        """`Findings`, `Findings (2)`, …: no other sheet has that name."""
        if number == 1:
            return name
        tail = f" ({number})"
        found = name[: LONGEST - len(tail)] + tail
        if found.lower() in {sheet.get_name().lower() for sheet in self.file.worksheets()}:
            raise Mistake("excel", f'"{name}" needs a sheet "{found}", which is taken', "choose another name")
        return found

    def _sheet(self, name: str, table: str, wanted: Sequence[Column], widths: Sequence[int]) -> Sheet:
        sheet = self.blank(name)
        for place, (column, width) in enumerate(zip(wanted, widths, strict=True)):
            self.write(sheet, 0, place, column.name, "header")
            sheet.set_column(place, place, width)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        self.sheets.append(Sheet(name, table, wanted, sheet))
        return self.sheets[-1]

    def _fill(self, found: Sheet, lines: Iterator[tuple[Cell, ...]], cut: dict[str, int]) -> None:
        looks = [self.look(column.look) for column in found.columns]
        sheet = found.sheet
        at = 0
        for at, line in enumerate(lines, start=1):
            for place, value in enumerate(line):
                kind = type(value)
                if kind is str:
                    if self.write(sheet, at, place, str(value)):
                        name = found.columns[place].name
                        cut[name] = cut.get(name, 0) + 1
                elif kind is bool:
                    sheet.write_boolean(at, place, value)
                elif value is not None:
                    sheet.write_number(at, place, Exact(value) if kind is float else value, looks[place])
        found.last = at
        sheet.autofilter(0, 0, at, len(found.columns) - 1)

    def write(self, sheet: Worksheet, row: int, column: int, text: str, look: str = "") -> bool:
        """Write a text as text, whatever it looks like; gives whether it had to be cut."""
        shown = fitting(text)
        form = self.look(look or "text") if look or shown.startswith(FORMULA) else None
        if shown.startswith("<r>") and shown.endswith("</r>"):
            # XlsxWriter takes such a text for markup of its own; in two pieces it does not.
            pieces = [self.look("float"), shown[:1], self.look("float"), shown[1:]]
            sheet.write_rich_string(row, column, *pieces, *([form] if form else []))
        else:
            sheet.write_string(row, column, shown, form)
        return shown is not text

    def _widths(self, rows: pl.LazyFrame, wanted: Sequence[Column]) -> list[int]:
        """How wide each column is, by its name and its first cells."""
        if not 0 < len(wanted) <= MOST_COLUMNS:
            raise Mistake("excel", f"a sheet has 1 to {MOST_COLUMNS:,} columns, not {len(wanted):,}")
        sample = list(cells(rows.head(SAMPLE).collect(), wanted, {}))
        found = []
        for place, column in enumerate(wanted):
            shown = [len(column.name) + 4]  # the filter's button covers the end of the name
            shown += [TIMES.get(column.look) or len(f"{line[place]}") for line in sample if line[place] is not None]
            found.append(min(max(*shown, NARROWEST), WIDEST) + 1)
        return found

    def _note(self, sheet: str, counts: dict[str, int], says: str) -> None:
        for column, many in counts.items():
            self.notes.append(f"{sheet}: {many:,} cell{'s' if many > 1 else ''} of {column} written {says}")


def workbook(place: Path, scratch: str | None) -> Workbook:
    """A new workbook whose rows wait in a folder, without one in memory, and in which no text becomes anything else."""
    from xlsxwriter import Workbook  # lint does without

    plain = {"strings_to_urls": False, "strings_to_formulas": False, "strings_to_numbers": False}
    waiting = {"constant_memory": True, "tmpdir": scratch} if scratch else {"in_memory": True}
    return Workbook(str(place), {**waiting, **plain})
