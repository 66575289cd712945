"""A sheet of a workbook: its columns by their headers, its rows by their numbers, and the cells that hold an error."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import fastexcel
import polars as pl

from engine.core.errors import Mistake
from engine.core.kinds import Area

# The library that reads the cells leaves an error out as if it were blank, and says nothing of merged cells.
ERROR = re.compile(
    rb'<(?:\w+:)?c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+)(\d+)"[^>]*>(?:(?!</(?:\w+:)?c>).)*?v>([^<]*)<',
    re.S,
)
FORMULA = re.compile(
    rb'<(?:\w+:)?c\b[^>]*\br="([A-Z]+)(\d+)"[^>]*>(<(?:\w+:)?f\b(?:(?!</(?:\w+:)?c>).)*)</(?:\w+:)?c>', re.S
)
UNSAVED = "a formula whose value was not saved"
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*\bref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
RANGE = re.compile(r"([A-Z]{0,3})(\d*):([A-Z]{0,3})(\d*)")
LAST_COLUMN, LAST_ROW = 16_384, 1_048_576
Place = tuple[int, int]
"""Row and column, counted from 1."""


@dataclass(frozen=True)
class Marked:
    """What the cells of a sheet hold besides values."""

    errors: Mapping[Place, str] = field(default_factory=dict)
    """Place -> `#REF!`."""
    merged: Mapping[Place, Place] = field(default_factory=dict)
    """A covered cell of a header -> the cell that holds the value."""


@dataclass(frozen=True)
class Sheet:
    """The rows of a sheet below its header, blank ones included; row 0 of `rows` is row `first` of the sheet."""

    rows: pl.DataFrame
    first: int
    letters: Mapping[str, str]
    """Column -> the letters of its place."""
    errors: Mapping[tuple[int, str], str]
    """Row of the sheet and column -> the error that stands in the cell."""

    def cell(self, row: int, column: str) -> str:
        """`D17`."""
        return f"{self.letters[column]}{row}"


class Book:
    """A workbook that was opened; raises Mistake where it is none."""

    def __init__(self, path: Path) -> None:
        try:
            self._book = fastexcel.read_excel(path)
        except fastexcel.FastExcelError as error:
            raise Mistake("file", f"it is no workbook that can be read: {str(error).splitlines()[0]}") from error
        self._path = path

    @property
    def names(self) -> list[str]:
        """Its sheets, in their order."""
        return list(self._book.sheet_names)

    def sheet(self, name: str, area: Area) -> Sheet:
        """The columns and rows of a sheet that lie in an area."""
        (top, left), (bottom, right) = corners(area.range)
        heads = list(area.header_row) or [top]
        first = heads[-1] + 1
        marked = self._marked(name)
        if first > bottom:
            raise Mistake("file", f"below the header in row {heads[-1]} the range {area.range} has no rows")
        rows, places = self._rows(name, first, bottom)
        wanted = {column: place for column, place in places.items() if left <= place <= right}
        titles = [self._titles(name, head, marked) for head in heads]
        names = _named([" ".join(filter(None, (one.get(place) for one in titles))) for place in wanted.values()])
        names = [given or letters(place) for given, place in zip(names, wanted.values(), strict=True)]
        by_place = dict(zip(wanted.values(), names, strict=True))
        errors = {
            (row, by_place[at]): text for (row, at), text in marked.errors.items() if row >= first and at in by_place
        }
        shown = rows.select(pl.col(old).alias(new) for old, new in zip(wanted, names, strict=True))
        return Sheet(shown, first, {one: letters(place) for place, one in by_place.items()}, errors)

    def _rows(self, name: str, first: int, bottom: int) -> tuple[pl.DataFrame, dict[str, int]]:
        """The rows from one on, with the place of each column; one of several kinds is text, as is one that has any.

        Read by its kind, a text such as "n/a" or "NULL" turns into nothing; where that happened, the texts count.
        """
        many = None if bottom == LAST_ROW else bottom - first + 1
        how: dict[str, Any] = {"header_row": None, "skip_rows": first - 1, "n_rows": many, "schema_sample_rows": None}
        sheet = self._book.load_sheet(name, dtypes="string", **how)
        rows = sheet.to_polars()
        places = {one.name: one.absolute_index + 1 for one in sheet.available_columns()}
        typed = self._typed(name, how)
        sure = [name for name in places if typed[name].null_count() == rows[name].null_count()]
        return rows.with_columns(_integers(typed[name]) for name in sure), places

    def _typed(self, name: str, how: Mapping[str, Any]) -> pl.DataFrame:
        """The rows, each column of one kind by that kind and the others as texts."""
        texts: dict[str | int, Any] = {}
        while True:
            try:
                sheet: pl.DataFrame = self._book.load_sheet(
                    name, dtype_coercion="strict", dtypes=texts or None, **how
                ).to_polars()
                return sheet
            except fastexcel.UnsupportedColumnTypeCombinationError as error:
                found = re.search(r"__UNNAMED__\d+", str(error))
                if found is None or found.group() in texts:
                    raise Mistake("file", f"sheet {name}: {str(error).splitlines()[0]}") from error
                texts[found.group()] = "string"

    def _titles(self, name: str, row: int, marked: Marked) -> dict[int, str]:
        """Place of a column -> its text in a row; a merged cell stands over all columns it covers."""
        sheet = self._book.load_sheet(name, header_row=None, skip_rows=row - 1, n_rows=1, dtypes="string")
        found = sheet.to_polars()
        texts = {one.absolute_index + 1: found[one.name][0] for one in sheet.available_columns() if found.height}
        covered = {
            place[1]: texts.get(from_[1]) for place, from_ in marked.merged.items() if place[0] == row == from_[0]
        }
        return {place: text.strip() for place, text in {**texts, **covered}.items() if text}

    def _marked(self, name: str) -> Marked:
        with ZipFile(self._path) as packed:
            content = packed.read(self._parts[name]) if name in self._parts else b""
        errors: dict[Place, str] = {}
        merged: dict[Place, Place] = {}
        if b't="e"' in content:
            for column, row, text in ERROR.findall(content):
                errors[int(row), number(column.decode())] = text.decode()
        for column, row, inside in FORMULA.findall(content) if b"f>" in content else ():
            if not re.search(rb"v>[^<]", inside):
                errors[int(row), number(column.decode())] = UNSAVED
        for left, top, right, bottom in MERGED.findall(content) if b"mergeCell" in content else ():
            if top == bottom:
                first, last = number(left.decode()), number(right.decode())
                merged |= {(int(top), place): (int(top), first) for place in range(first + 1, last + 1)}
        return Marked(errors, merged)

    @cached_property
    def _parts(self) -> dict[str, str]:
        """Sheet -> its part in the package."""
        with ZipFile(self._path) as packed:
            targets = {
                one.get("Id"): one.get("Target", "") for one in ET.fromstring(packed.read("xl/_rels/workbook.xml.rels"))
            }
            found = {}
            for one in ET.fromstring(packed.read("xl/workbook.xml")).iter():
                link = next((value for key, value in one.attrib.items() if key.endswith("}id")), None)
                if one.tag.endswith("}sheet") and link in targets:
                    target = targets[link]
                    found[one.get("name", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        return found


def _integers(values: pl.Series) -> pl.Series:
    """The values, as integers where all are: a sheet knows only floating numbers."""
    whole = values.dtype.is_float() and ((values % 1 == 0) & (values.abs() <= 2**53)).all()
    return values.cast(pl.Int64) if whole else values


def corners(text: str | None) -> tuple[Place, Place]:
    """`B3:F200`, `B:F`, `B3:` -> the first and the last row and column."""
    found = RANGE.fullmatch(text or ":")
    assert found, "core/values.CellRange has refused all others"
    left, top, right, bottom = found.groups()
    first = (int(top or 1), number(left) if left else 1)
    last = (int(bottom or LAST_ROW), number(right) if right else LAST_COLUMN)
    return first, last


def number(column: str) -> int:
    """`AA` is 27."""
    value = 0
    for letter in column:
        value = 26 * value + string.ascii_uppercase.index(letter) + 1
    return value


def letters(place: int) -> str:
    """27 is `AA`."""
    text = ""
    while place:
        place, rest = divmod(place - 1, 26)
        text = string.ascii_uppercase[rest] + text
    return text


def _named(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with its number: `Email`, `Email_2`."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(f"{name}_{seen[name]}" if name and seen[name] > 1 else name)
    return found


def runs(blank: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of rows that are not blank."""
    start = None
    for at, is_blank in enumerate([*blank, True]):
        if is_blank and start is not None:
            yield start, at
            start = None
        elif not is_blank and start is None:
            start = at
