"""What a page reads from disk: the lookup tables beside it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import polars as pl
import pytest
import xlsxwriter

from engine.core.errors import ConfigError, EngineError
from engine.core.kinds import Area, Lookup
from engine.flow.files import Files
from tests.flow.pages import Shop, made

OWNERS = [("Email", "Team"), ("a@x.example", "core"), ("b@x.example", "edge")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the same table in each kind of file."""
    (tmp_path / "owners.csv").write_text("".join(f"{','.join(row)}\n" for row in OWNERS))
    pl.DataFrame(OWNERS[1:], schema=OWNERS[0], orient="row").write_parquet(tmp_path / "owners.parquet")
    book = xlsxwriter.Workbook(str(tmp_path / "owners.xlsx"))
    book.add_worksheet("Notes").write_row(0, 0, ["nothing"])
    sheet = book.add_worksheet("Owners")
    for at, row in enumerate(OWNERS):
        sheet.write_row(at, 0, row)
    book.close()
    return tmp_path


@pytest.mark.parametrize("wanted", [Lookup("owners.csv"), Lookup("owners.parquet"), Lookup("owners.xlsx", "Owners")])
def test_each_kind_of_file_gives_its_rows(folder: Path, wanted: Lookup) -> None:
    rows = Files(folder).lookup(wanted)
    assert OWNERS == [tuple(rows.columns), *rows.rows()]


def test_the_first_sheet_is_taken_unless_one_is_named(folder: Path) -> None:
    assert ["nothing"] == Files(folder).lookup(Lookup("owners.xlsx")).columns


@pytest.fixture
def teams(tmp_path: Path) -> Path:
    """A workbook of quarters, each with a title above its header and a total beside its rows."""
    book = xlsxwriter.Workbook(str(tmp_path / "teams.xlsx"))
    for name, team in (("Q1 2026", "core"), ("Q2 2026", "edge"), ("Notes", "x")):
        sheet = book.add_worksheet(name)
        for at, row in enumerate([["Teams"], ["Email", "Team", "Sum"], [f"{team}@x", team, 3]]):
            sheet.write_row(at, 0, row)
    book.close()
    return tmp_path


def test_a_pattern_takes_several_sheets(teams: Path) -> None:
    wanted = Lookup("teams.xlsx", "Q* 2026", Area((2,)))
    assert [("core@x", "core", 3), ("edge@x", "edge", 3)] == Files(teams).lookup(wanted).rows()


def test_a_range_holds_header_and_rows(teams: Path) -> None:
    rows = Files(teams).lookup(Lookup("teams.xlsx", "Q1 2026", Area(range="A2:B3")))
    assert [("Email", "Team"), ("core@x", "core")] == [tuple(rows.columns), *rows.rows()]


def test_a_cell_that_holds_an_error_is_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["Email", "Team"])
    book.worksheets[0].append(["a@x", "#REF!"])
    book.worksheets[0]["B2"].data_type = "e"
    book.save(tmp_path / "owners.xlsx")
    with pytest.raises(ConfigError) as raised:
        Files(tmp_path).lookup(Lookup("owners.xlsx"))
    assert "owners.xlsx: sheet Sheet, cell B2 holds #REF!" == raised.value.message


def test_csv_values_are_texts(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("code,n\n08,1.10\n,2\n")
    assert [("08", "1.10"), (None, "2")] == Files(tmp_path).lookup(Lookup("codes.csv")).rows()


def test_a_file_is_read_once(folder: Path) -> None:
    files = Files(folder)
    first = files.lookup(Lookup("owners.csv"))
    (folder / "owners.csv").unlink()
    assert first is files.lookup(Lookup("owners.csv"))


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Lookup("missing.csv"), "there is no file missing.csv beside the page"),
        (Lookup("owners.xlsx", "Owner"), 'owners.xlsx: it has no sheet "Owner"; did you mean "Owners"'),
        (Lookup("owners.txt"), "owners.txt: its ending names no kind of file"),
        (Lookup("broken.xlsx"), "broken.xlsx: it is no workbook that can be read"),
        (Lookup("broken.parquet"), "broken.parquet cannot be read"),
        (Lookup("empty.csv"), "empty.csv cannot be read"),
    ],
    ids=lambda value: value.file if isinstance(value, Lookup) else "",
)
def test_what_cannot_be_read_is_said(folder: Path, wanted: Lookup, says: str) -> None:
    for name in ("owners.txt", "broken.xlsx", "broken.parquet"):
        (folder / name).write_text("neither this nor that")
    (folder / "empty.csv").write_text("")
    with pytest.raises(ConfigError) as raised:
        Files(folder).lookup(wanted)
    assert says in raised.value.message


TABLE = """
tables:
  things:
    from: things
    key: id
    columns: {{ id: {{ path: id, type: integer }}, email: {{ path: email, type: string }} }}
    enrich: [{{ lookup: {{ file: owners.xlsx, sheet: {sheet}, on: {{ email: Email }}, take: {{ team: {column} }} }} }}]
"""


def test_a_lookup_puts_columns_of_a_sheet_beside_the_rows(folder: Path) -> None:
    shop = Shop(folder, TABLE.format(sheet="Owners", column="Team"))
    made(shop, [{"id": 1, "email": "b@x.example"}, {"id": 2, "email": "z@x.example"}, {"id": 3}])
    assert ["edge", None, None] == shop.column("team")


@pytest.mark.parametrize(
    ("sheet", "column", "says"),
    [("Owner", "Team", 'no sheet "Owner"'), ("Owners", "Teem", 'no column "Teem"')],
)
def test_a_missing_sheet_or_column_is_named(folder: Path, sheet: str, column: str, says: str) -> None:
    shop = Shop(folder, TABLE.format(sheet=sheet, column=column))
    with pytest.raises(EngineError) as raised:
        made(shop, [{"id": 1, "email": "b@x.example"}])
    assert says in str(raised.value)
