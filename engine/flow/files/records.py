"""The records of a file, in pieces that are kept like pages; what they are called when one of them is wrong."""

from __future__ import annotations

import csv
import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from engine.core import jsontext
from engine.core.errors import CollectionError, Json, Mistake, nearest
from engine.core.kinds import Area
from engine.flow.files.workbook import Book, Sheet, runs
from engine.spec.filesource import FileSource

PIECE = 1_000
"""Records of one piece."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Piece:
    """Some records of a file, one after the other."""

    source: str
    """`events/a.xlsx, sheet Owners`."""
    rows: list[bytes] = field(default_factory=list)
    first: int = 0
    """The line or row of the first; 0 where the file has no such thing."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """Field -> the letters of its column in the sheet."""
    document: bytes | None = None
    """The file as it is, where the records are still to be found in it."""

    @property
    def is_rows(self) -> bool:
        """Whether the records stand for themselves."""
        return self.document is None

    @property
    def body(self) -> bytes:
        """What is kept: the file as it is, or its records as a list."""
        return b"[" + b",".join(self.rows) + b"]" if self.document is None else self.document


class NoFile(CollectionError):
    """No file has the name, or fits the pattern, that the page gives."""


def as_pieces(records: Sequence[Json], endpoint: str) -> Iterator[Piece]:
    """Records that no file holds: the simulator's."""
    for at in range(0, len(records), PIECE):
        yield Piece(f"{endpoint} (simulated)", [jsontext.write(one) for one in records[at : at + PIECE]], at + 1)


def read(folder: Path, pattern: str, source: FileSource) -> Iterator[Piece | CollectionError]:
    """The records of all files, by name; in the place of one that cannot be read, or of none, the reason."""
    names = matching(folder, pattern)
    if not names:
        yield NoFile(f"there is no file {pattern} beside the page", f"put it below {folder}, or correct the path")
    for name in names:
        try:
            yield from pieces(folder, name, source)
        except CollectionError as error:
            yield error


def matching(folder: Path, pattern: str) -> list[str]:
    """The files that a pattern names, sorted, as the page would write them."""
    return sorted(one for one in glob.glob(pattern, root_dir=folder, recursive=True) if (folder / one).is_file())


def pieces(folder: Path, name: str, source: FileSource) -> Iterator[Piece]:
    """The records of one file; raises CollectionError, which names it."""
    form = source.format or Path(name).suffix.lstrip(".").lower()
    reader = READERS.get(form)
    if reader is None:
        raise CollectionError(f"{name}: its ending names no format", f"write format: one of {', '.join(READERS)}")
    try:
        yield from reader(folder / name, name, source)
    except (Mistake, pl.exceptions.PolarsError, OSError, jsontext.NoJson) as error:
        says = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise CollectionError(f"{name} cannot be read: {says}", "mend the file, or take it away") from error


def _json(path: Path, name: str, source: FileSource) -> Iterator[Piece]:
    body = path.read_bytes().removeprefix(BOM)
    if not jsontext.is_whole(body):
        raise jsontext.NoJson("it is no JSON, or not whole")
    yield Piece(name, document=body)


def _jsonl(path: Path, name: str, source: FileSource) -> Iterator[Piece]:
    rows: list[bytes] = []
    first = 1
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            row = line.removeprefix(BOM).strip() if number == 1 else line.strip()
            if row and not jsontext.is_whole(row):
                yield from _lines(name, rows, first)
                raise jsontext.NoJson(f"line {number} is no JSON, or not whole")
            if row and not rows:
                first = number
            if row:
                rows.append(row)
            if rows and (not row or len(rows) == PIECE):
                yield from _lines(name, rows, first)
                rows = []
    yield from _lines(name, rows, first)


def _lines(name: str, rows: list[bytes], first: int) -> Iterator[Piece]:
    if rows:
        yield Piece(name, rows, first)


def _csv(path: Path, name: str, source: FileSource) -> Iterator[Piece]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    if twice := next((one for one in header if header.count(one) > 1), None):
        raise Mistake("file", f'the header has "{twice}" twice', "give each column a name of its own")
    yield from _frame(pl.read_csv(path, infer_schema=False), name)


def _parquet(path: Path, name: str, source: FileSource) -> Iterator[Piece]:
    for batch in pl.scan_parquet(path, glob=False).collect_batches(maintain_order=True):
        yield from _frame(batch, name)


def _frame(rows: pl.DataFrame, name: str) -> Iterator[Piece]:
    for piece in rows.iter_slices(PIECE):
        yield Piece(name, piece.write_ndjson().encode().splitlines())


def _xlsx(path: Path, name: str, source: FileSource) -> Iterator[Piece]:
    book = Book(path)
    for sheet in chosen(book.names, source.sheets):
        yield from _sheet(book.sheet(sheet, source.area), f"{name}, sheet {sheet}")


def _sheet(sheet: Sheet, name: str) -> Iterator[Piece]:
    """Runs of rows that are not blank, so that a record's place in its piece tells its row."""
    wrong: dict[int, dict[str, str]] = {}
    for (row, column), text in sheet.errors.items():
        wrong.setdefault(row, {})[column] = text
    blank = sheet.rows.select(pl.all_horizontal(pl.all().is_null())).to_series().to_list() if sheet.rows.width else []
    for row in wrong:
        if row - sheet.first < len(blank):
            blank[row - sheet.first] = False
    for start, end in runs(blank):
        for at in range(start, end, PIECE):
            rows = sheet.rows[at : min(at + PIECE, end)].write_ndjson().encode().split(b"\n")[:-1]
            first = sheet.first + at
            yield Piece(name, [_marked(row, wrong.get(first + n)) for n, row in enumerate(rows)], first, sheet.letters)


def _marked(row: bytes, errors: Mapping[str, str] | None) -> bytes:
    """The record; an error is no value of its cell, and as an object it fits no type but json."""
    if not errors:
        return row
    return jsontext.write({**jsontext.read(row), **{column: {"error": text} for column, text in errors.items()}})


def chosen(names: list[str], wanted: list[str]) -> list[str]:
    """The sheets that are named or match a pattern, each once, in the workbook's order; the first unless said."""
    if not wanted:
        return names[:1]
    for one in wanted:
        if not any(name == one or fnmatchcase(name, one) for name in names):
            raise Mistake("file", f'it has no sheet "{one}"{nearest(one, names)}; it has {", ".join(names)}')
    return [name for name in names if any(name == one or fnmatchcase(name, one) for one in wanted)]


READERS: dict[str, Callable[[Path, str, FileSource], Iterator[Piece]]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _xlsx,
}


def lookup(path: Path, sheet: str | None, area: Area) -> pl.DataFrame:
    """The rows of the sheets that a lookup names; raises Mistake, also for a cell that holds an error."""
    book = Book(path)
    found = []
    for name in chosen(book.names, [sheet] if sheet else []):
        one = book.sheet(name, area)
        for (row, column), text in one.errors.items():
            fix = "correct the cell, or leave it out with range"
            raise Mistake("file", f"sheet {name}, cell {one.cell(row, column)} holds {text}", fix)
        found.append(one.rows.filter(~pl.all_horizontal(pl.all().is_null())))
    return pl.concat(found, how="diagonal_relaxed")
