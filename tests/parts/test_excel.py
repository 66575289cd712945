"""The workbook, read back cell by cell by a library that is not ours."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import polars as pl
import pytest
from openpyxl.workbook import Workbook
from pydantic import TypeAdapter

from engine.core.kinds import About, Output
from tests.parts.tables import REGISTRY, STARTED_AT, cases, frame

ABOUT = About("acme", "Acme API Security", "run-1", STARTED_AT, simulated=False)
TEAMS = pl.DataFrame(
    {"team": ["core", "edge", "pay"], "findings": [12, 7, 30], "day": [date(2026, 1, n) for n in (1, 2, 3)]}
)


def _write(settings: Any, tables: Mapping[str, pl.DataFrame], folder: Path, about: About = ABOUT) -> Path:
    part = TypeAdapter(Output).validate_python({"excel": settings}, context={"registry": REGISTRY})
    part.write({name: rows.lazy() for name, rows in tables.items()}, folder / "report.xlsx", about)
    return folder / "report.xlsx"


def _book(settings: Any, tables: Mapping[str, pl.DataFrame], folder: Path, about: About = ABOUT) -> Workbook:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it does not know data bars of 2010 and says so
        return openpyxl.load_workbook(_write(settings, tables, folder, about))


def _cells(book: Workbook, sheet: str) -> list[list[Any]]:
    return [list(row) for row in book[sheet].iter_rows(values_only=True)]


def _column(values: pl.Series, folder: Path) -> list[Any]:
    """The cells of one column below its header."""
    return [row[0] for row in _cells(_book("findings", {"findings": values.to_frame()}, folder), "Findings")[1:]]


@pytest.mark.parametrize(("word", "case"), cases("outputs", asking="cells"))
def test_a_reader_finds_the_cells(word: str, case: dict[str, Any], tmp_path: Path) -> None:
    found = _cells(_book(case["settings"], {"findings": frame(case)}, tmp_path), "Findings")
    assert case["cells"] == found
    pairs = [pair for rows in zip(case["cells"], found, strict=True) for pair in zip(*rows, strict=True)]
    assert [] == [(expected, cell) for expected, cell in pairs if not isinstance(expected, type(cell))]


def test_times_and_dates_are_cells_of_time(tmp_path: Path) -> None:
    moments = [
        datetime(2026, 1, 2, 3, 4, 5, 250_000, UTC),
        datetime(1900, 3, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
    assert [one.replace(tzinfo=None) for one in moments] == _column(pl.Series("t", moments), tmp_path)


def test_a_date_has_the_format_of_a_date(tmp_path: Path) -> None:
    sheet = _book("teams", {"teams": TEAMS}, tmp_path)["Teams"]
    assert (datetime(2026, 1, 1), "yyyy-mm-dd") == (sheet["C2"].value, sheet["C2"].number_format)  # noqa: DTZ001


def test_a_time_of_another_zone_is_turned_to_utc(tmp_path: Path) -> None:
    noon = pl.Series("t", [datetime(2026, 7, 1, 12, tzinfo=UTC)]).dt.convert_time_zone("Europe/Berlin")
    assert [datetime(2026, 7, 1, 12)] == _column(noon, tmp_path)  # noqa: DTZ001


def test_no_number_and_infinity_are_written_as_text(tmp_path: Path) -> None:
    assert ["NaN", "inf", "-inf"] == _column(pl.Series("f", [float("nan"), float("inf"), float("-inf")]), tmp_path)


@pytest.mark.slow
def test_a_hundred_thousand_addresses_are_all_there(tmp_path: Path) -> None:
    addresses = pl.Series("url", [f"https://x.example/{n}" for n in range(70_000)])
    place = _write("findings", {"findings": addresses.to_frame()}, tmp_path)
    assert addresses.to_list() == pl.read_excel(place, sheet_name="Findings")["url"].to_list()


@pytest.mark.parametrize("letter", ["x", "😀"], ids=["plain", "of two units"])
def test_a_text_longer_than_a_cell_is_cut_with_a_note(letter: str, tmp_path: Path) -> None:
    [text] = _column(pl.Series("a", [letter * 40_000]), tmp_path)
    tail = " … [cut, 40,000 characters in all]"
    assert (True, True) == (text.endswith(letter + tail), 32_766 <= len(text.encode("utf-16-le")) / 2 <= 32_767)


def test_a_text_that_just_fits_is_whole(tmp_path: Path) -> None:
    assert ["x" * 32_767] == _column(pl.Series("a", ["x" * 32_767]), tmp_path)


def test_the_first_sheet_counts_what_no_cell_could_hold(tmp_path: Path) -> None:
    rows = pl.DataFrame({"i": [2**53 + 1, 2**60, 1], "a": ["x" * 40_000, "y", "z"]})
    notes = [row[1] for row in _cells(_book("findings", {"findings": rows}, tmp_path), "About")][-2:]
    assert [
        "Findings: 2 cells of i written as text, because no cell can hold them",
        "Findings: 1 cell of a written cut, because a cell holds 32,767 characters",
    ] == notes


@pytest.mark.parametrize("text", ["=1+1", "@x", "\t=1", "＝1"])
def test_a_text_like_a_formula_stays_text_when_somebody_edits_it(text: str, tmp_path: Path) -> None:
    cell = _book("findings", {"findings": pl.DataFrame({"a": [text]})}, tmp_path)["Findings"]["A2"]
    assert (True, False) == (cell.quotePrefix, cell.data_type == "f")


def test_rows_go_on_in_their_order_on_further_sheets(tmp_path: Path) -> None:
    rows = pl.DataFrame({"i": range(7)})
    book = _book({"sheets": {"Findings": "findings"}, "rows": 3}, {"findings": rows}, tmp_path)
    assert ["About", "Findings", "Findings (2)", "Findings (3)", "Definitions"] == book.sheetnames
    assert [["i"], [3], [4], [5]] == _cells(book, "Findings (2)")


def test_rows_that_just_fit_need_no_second_sheet(tmp_path: Path) -> None:
    book = _book({"sheets": "findings", "rows": 3}, {"findings": pl.DataFrame({"i": range(3)})}, tmp_path)
    assert ["About", "Findings", "Definitions"] == book.sheetnames


def test_a_long_name_makes_room_for_its_number(tmp_path: Path) -> None:
    name = "A name that has thirty-one char"
    book = _book({"sheets": {name: "findings"}, "rows": 1}, {"findings": pl.DataFrame({"i": [1, 2]})}, tmp_path)
    assert [name, "A name that has thirty-one  (2)"] == [one for one in book.sheetnames if one.startswith("A name")]


def test_rows_keep_their_order_over_many_batches(tmp_path: Path) -> None:
    rows = pl.DataFrame({"i": pl.int_range(120_000, eager=True).shuffle(seed=1)})
    place = _write("findings", {"findings": rows}, tmp_path)
    assert rows["i"].to_list() == pl.read_excel(place, sheet_name="Findings")["i"].to_list()


def test_the_header_stays_and_filters(tmp_path: Path) -> None:
    sheet = _book("teams", {"teams": TEAMS}, tmp_path)["Teams"]
    assert ("A2", "A1:C4", True) == (sheet.freeze_panes, sheet.auto_filter.ref, sheet["A1"].font.b)


def test_columns_are_as_wide_as_what_they_hold(tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": ["x"], "b": ["y" * 30], "c": ["z" * 500]})
    widths = _book("findings", {"findings": rows}, tmp_path)["Findings"].column_dimensions
    assert [11, 32, 62] == [round(widths[letter].width) for letter in "ABC"]


def test_the_first_sheet_says_which_run_it_is(tmp_path: Path) -> None:
    about = replace(ABOUT, notes=["hub: the add-on is off"], meanings={"teams": "One team."})
    assert [
        ["Acme API Security", None, None, None],
        ["Tool", "acme", None, None],
        ["Run", "run-1", None, None],
        ["Started", "15 Jun 2026, 12:00 UTC", None, None],
        [None] * 4,
        ["Sheet", "Table", "Rows", "One row is"],
        ["Teams", "teams", 3, "One team."],
        [None] * 4,
        ["To know", "hub: the add-on is off", None, None],
    ] == _cells(_book("teams", {"teams": TEAMS}, tmp_path, about), "About")


def _on_paper(sheet: Any) -> Any:
    return sheet.oddHeader.center.text


def test_every_sheet_of_made_up_data_says_so(tmp_path: Path) -> None:
    book = _book("teams", {"teams": TEAMS}, tmp_path, replace(ABOUT, simulated=True))
    assert "SIMULATED: the simulator made up all data in this workbook" == book["About"]["A2"].value
    assert ["&BSIMULATED"] * 3 == [_on_paper(sheet) for sheet in book]


def test_definitions_say_what_columns_mean(tmp_path: Path) -> None:
    about = replace(ABOUT, docs={"teams": {"team": "Who\nanswers."}}, types={"teams": {"team": "json"}})
    assert [
        ["Table", "Column", "Type", "Meaning"],
        ["teams", "team", "json", "Who answers."],
        ["teams", "findings", "integer", ""],
        ["teams", "day", "date", ""],
    ] == _cells(_book("teams", {"teams": TEAMS}, tmp_path, about), "Definitions")


def test_definitions_can_be_left_out(tmp_path: Path) -> None:
    assert ["About", "T"] == _book(
        {"sheets": {"T": "teams"}, "definitions": False}, {"teams": TEAMS}, tmp_path
    ).sheetnames


def test_a_chart_draws_the_cells_of_its_sheet(tmp_path: Path) -> None:
    chart = {"sheet": "T", "bar": {"x": "team", "y": "findings", "top": 2}}
    place = _write({"sheets": {"T": "teams"}, "charts": [chart]}, {"teams": TEAMS}, tmp_path)
    drawn = ZipFile(place).read("xl/charts/chart1.xml").decode()
    assert (True, True) == ("<c:f>T!$A$2:$A$3</c:f>" in drawn, "<c:f>T!$B$2:$B$3</c:f>" in drawn)


@pytest.mark.parametrize(("kind", "element"), [("bar", "barChart"), ("line", "lineChart"), ("donut", "doughnutChart")])
def test_each_chart_is_a_native_one(kind: str, element: str, tmp_path: Path) -> None:
    chart = {"sheet": "T", kind: {"x": "day", "y": "findings"}}
    place = _write({"sheets": {"T": "teams"}, "charts": [chart]}, {"teams": TEAMS}, tmp_path)
    assert f"<c:{element}>" in ZipFile(place).read("xl/charts/chart1.xml").decode()


def test_a_sheet_without_rows_has_no_chart(tmp_path: Path) -> None:
    settings = {"sheets": {"T": "teams"}, "charts": [{"sheet": "T", "line": {"x": "day", "y": "findings"}}]}
    assert [] == [
        name for name in ZipFile(_write(settings, {"teams": TEAMS.clear()}, tmp_path)).namelist() if "chart" in name
    ]


def _rules(sheet: Any) -> dict[str, list[str]]:
    """Range -> the kinds of its conditional formats."""
    return {str(one.sqref): [rule.type for rule in one.rules] for one in sheet.conditional_formatting}


def test_words_of_severity_are_coloured_and_other_words_not(tmp_path: Path) -> None:
    rows = pl.DataFrame({"severity": ["critical", "low", None], "name": ["low", "bridge", "high"]})
    assert {"A2:A4": ["expression"] * 7} == _rules(_book("findings", {"findings": rows}, tmp_path)["Findings"])


def test_numbers_are_coloured_where_the_page_says_so(tmp_path: Path) -> None:
    formats = [{"sheet": "T", "scale": "findings"}]
    assert {"B2:B4": ["colorScale"]} == _rules(
        _book({"sheets": {"T": "teams"}, "formats": formats}, {"teams": TEAMS}, tmp_path)["T"]
    )


def test_cells_can_hold_bars(tmp_path: Path) -> None:
    formats = [{"sheet": "T", "bars": "findings"}]
    assert {"B2:B4": ["dataBar"]} == _rules(
        _book({"sheets": {"T": "teams"}, "formats": formats}, {"teams": TEAMS}, tmp_path)["T"]
    )


def test_its_creation_is_the_start_of_the_run(tmp_path: Path) -> None:
    assert STARTED_AT.replace(tzinfo=None) == _book("teams", {"teams": TEAMS}, tmp_path).properties.created


def test_nothing_is_left_beside_the_workbook(tmp_path: Path) -> None:
    _write("teams", {"teams": TEAMS}, tmp_path)
    assert ["report.xlsx"] == [path.name for path in tmp_path.iterdir()]
