"""What a page reads from disk: the lookup tables beside it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from engine.core.errors import ConfigError, EngineError
from engine.core.kinds import Lookup
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
        (Lookup("owners.xlsx", "Owner"), 'owners.xlsx has no sheet "Owner"; did you mean "Owners"'),
        (Lookup("owners.txt"), "owners.txt is no file of a known kind"),
        (Lookup("broken.xlsx"), "broken.xlsx is no workbook that can be read"),
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
