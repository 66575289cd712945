"""Endpoints that are read from files: every format, many files, and a wrong cell named where it stands."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from engine.author.simulate import Simulator
from engine.core.clock import Clock
from engine.flow.report import Result
from engine.flow.store import Store
from tests.flow.pages import Shop

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
TABLE = """
tables:
  things:
    from: things
    key: id
    columns: { id: { path: id, type: integer }, name: { path: name, type: string } }
"""
TEAMS = """
tables:
  things:
    from: things
    key: Email
    columns: { Email: Email, Score: { path: Score, type: float }, Team: { path: Team, type: string } }
"""


def _shop(folder: Path, file: str, page: str = TABLE, more: str = "") -> Shop:
    return Shop(folder, page, endpoints=f"endpoints: {{ things: {{ file: {file}{more} }} }}\n")


def _run(shop: Shop) -> Result:
    result = shop.engine.collect("shop")
    shop.engine.process("shop")
    return result


def _missing(result: Result) -> tuple[str, ...]:
    return result.collections[0].missing


def _book(path: Path, **sheets: Any) -> openpyxl.Workbook:
    """A workbook of these sheets, `_` in whose names is a space."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name.replace("_", " "))
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def _quarantined(shop: Shop) -> list[tuple[Any, ...]]:
    """Value, what is wrong and where, of each row that was set apart."""
    found = shop.engine.show("shop", "things", quarantine=True).rows.collect()
    return [(row["value"], row["says"], row["request"]) for row in found.to_dicts()]


# --- formats


def test_lines_of_json_are_records(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\ufeff" + "".join(f"{json.dumps(row)}\n\n" for row in ROWS), "utf-8")
    shop = _shop(tmp_path, "a.jsonl")
    assert "succeeded" == _run(shop).status
    assert ["a", "b"] == shop.column("name")


def test_records_stand_at_their_path_in_a_json_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"data": ROWS}))
    shop = _shop(tmp_path, "a.json", more=", records: data")
    _run(shop)
    assert ["a", "b"] == shop.column("name")


def test_values_of_a_csv_file_are_texts_that_columns_give_types(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name\n2,"b, c"\n1,01\n')
    shop = _shop(tmp_path, "a.csv")
    _run(shop)
    assert ["01", "b, c"] == shop.column("name")


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    pl.DataFrame({"id": [2**60], "at": [datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)]}).write_parquet(
        tmp_path / "a.parquet"
    )
    columns = "{ id: { path: id, type: integer }, at: { path: at, type: datetime } }"
    shop = _shop(tmp_path, "a.parquet", f"tables: {{ things: {{ from: things, key: id, columns: {columns} }} }}")
    _run(shop)
    assert [(2**60, datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))] == shop.engine.table("shop", "things").collect().rows()


def test_a_workbook_gives_numbers_times_and_texts(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  # a workbook knows no zones
    _book(tmp_path / "a.xlsx", S=[["id", "name", "at", "day", "ok"], [7, "08", moment, date(2026, 1, 2), True]])
    columns = (
        "{ id: { path: id, type: integer }, name: name, at: { path: at, type: datetime },"
        " day: { path: day, type: date }, ok: { path: ok, type: boolean } }"
    )
    shop = _shop(tmp_path, "a.xlsx", f"tables: {{ things: {{ from: things, key: id, columns: {columns} }} }}")
    _run(shop)
    expected = (7, "08", moment.replace(tzinfo=UTC), date(2026, 1, 2), True)
    assert [expected] == shop.engine.table("shop", "things").collect().rows()


def test_the_page_can_name_the_format(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(json.dumps(ROWS[0]))
    shop = _shop(tmp_path, "{ path: a.log, format: jsonl }")
    _run(shop)
    assert ["a"] == shop.column("name")


# --- several files


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("in/b.jsonl", "in/a.jsonl", "in/deep/c.jsonl"):
        (tmp_path / name).write_text(json.dumps({"id": 1, "name": name}))
    shop = _shop(tmp_path, '"in/**/*.jsonl"', "")
    shop.engine.collect("shop")
    store = Store(shop.storage, "shop")
    frames = store.frames("things", store.runs("things")[-1])
    assert ["FILE in/a.jsonl", "FILE in/b.jsonl", "FILE in/deep/c.jsonl"] == [one.meta.request for one in frames]


def test_a_path_may_hold_params(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text(json.dumps(ROWS[0]))
    page = TABLE + "params: { folder: { type: path, default: in } }\n"
    shop = _shop(tmp_path, '"${param.folder}/a.jsonl"', page)
    _run(shop)
    assert ["a"] == shop.column("name")


def test_an_unreadable_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "name": "a"}\n{"id": 2\n')
    (tmp_path / "b.jsonl").write_text('{"id": 3, "name": "c"}\n')
    shop = _shop(tmp_path, '"*.jsonl"')
    result = _run(shop)
    assert ("a.jsonl cannot be read: line 2 is no JSON, or not whole",) == _missing(result)
    assert ("incomplete", ["a", "c"]) == (result.status, shop.column("name"))


@pytest.mark.parametrize("name", ["a.json", "a.parquet", "a.xlsx", "a.csv"])
def test_a_broken_file_of_each_format_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('a,b\n1,2,3\n"' if name == "a.csv" else "neither this nor that")
    [text] = _missing(_shop(tmp_path, name).engine.collect("shop"))
    assert text.startswith(f"{name} cannot be read: ")


def test_an_ending_that_names_no_format_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("")
    assert ("a.log: its ending names no format",) == _missing(_shop(tmp_path, "a.log").engine.collect("shop"))


def test_no_file_makes_the_endpoint_incomplete(tmp_path: Path) -> None:
    result = _shop(tmp_path, '"in/*.jsonl"').engine.collect("shop")
    assert ("incomplete", ("there is no file in/*.jsonl beside the page",)) == (result.status, _missing(result))


def test_no_file_is_fine_where_the_page_says_so(tmp_path: Path) -> None:
    assert "succeeded" == _shop(tmp_path, '"in/*.jsonl"', more=", may_be_empty: true").engine.collect("shop").status


def test_what_is_redacted_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,secret-name\n")
    shop = _shop(tmp_path, "a.csv", more=", redact: [name]")
    _run(shop)
    assert [None] == shop.column("name")


def test_defaults_say_how_to_ask_and_leave_files_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    shop = _shop(tmp_path, "a.csv", TABLE + "defaults: { records: data, query: { x: y } }\n")
    _run(shop)
    assert ["a"] == shop.column("name")


def test_a_page_with_files_reads_back_from_its_long_form(tmp_path: Path) -> None:
    shop = _shop(tmp_path, '{ path: "in/*.xlsx", sheets: ["Q*"], header_row: 3, range: "B3:" }')
    (tmp_path / "long.yaml").write_text(shop.engine.resolved("shop"))
    file = shop.engine.page("shop").pipeline.endpoints["things"].file
    assert file == shop.engine.page(tmp_path / "long.yaml").pipeline.endpoints["things"].file


# --- sheets


@pytest.mark.parametrize(
    ("sheets", "emails"),
    [("[Owners]", ["o"]), ('["Q? 2026"]', ["q1", "q2"]), ('["Q2*", Owners]', ["o", "q2"])],
    ids=["by name", "by pattern", "both"],
)
def test_sheets_are_chosen_by_name_or_pattern(sheets: str, emails: list[str], tmp_path: Path) -> None:
    _book(
        tmp_path / "a.xlsx",
        Notes=[["x"]],
        Owners=[["Email"], ["o"]],
        Q1_2026=[["Email"], ["q1"]],
        Q2_2026=[["Email"], ["q2"]],
    )
    shop = _shop(tmp_path, f"{{ path: a.xlsx, sheets: {sheets} }}", TEAMS)
    _run(shop)
    assert emails == shop.column("Email")


def test_a_missing_sheet_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", Owners=[["Email"]])
    result = _shop(tmp_path, "{ path: a.xlsx, sheets: Owner }").engine.collect("shop")
    assert ('a.xlsx cannot be read: it has no sheet "Owner"; did you mean "Owners"?; it has Owners',) == _missing(
        result
    )


def test_the_header_may_stand_further_down_and_rows_may_be_blank(tmp_path: Path) -> None:
    rows = [["Teams of 2026"], [], ["Email", "Team"], ["a", "A"], [], ["b", "B"]]
    _book(tmp_path / "a.xlsx", S=rows)
    shop = _shop(tmp_path, "{ path: a.xlsx, header_row: 3 }", TEAMS)
    _run(shop)
    assert [("a", "A"), ("b", "B")] == shop.engine.table("shop", "things").collect().select("Email", "Team").rows()


def test_a_range_leaves_out_what_stands_around(tmp_path: Path) -> None:
    rows = [["x"] * 4, ["x", "Email", "Team", "x"], ["x", "a", "A", "x"], ["x", "b", "B", "x"], ["x", "total", 2, "x"]]
    _book(tmp_path / "a.xlsx", S=rows)
    shop = _shop(tmp_path, '{ path: a.xlsx, range: "B2:C4" }', "")
    _run(shop)
    assert {"Email": ["a", "b"], "Team": ["A", "B"]} == shop.engine.table("shop", "things").collect().to_dict(
        as_series=False
    )


def test_a_merged_header_names_all_its_columns(tmp_path: Path) -> None:
    book = _book(tmp_path / "a.xlsx", S=[["Who", None, "Risk"], ["Email", "Team", "Score"], ["a", "A", 1]])
    book["S"].merge_cells("A1:B1")
    book.save(tmp_path / "a.xlsx")
    shop = _shop(tmp_path, "{ path: a.xlsx, header_row: [1, 2] }", "")
    _run(shop)
    assert {"Who Email", "Who Team", "Risk Score"} == set(shop.engine.table("shop", "things").collect_schema())


def test_columns_without_a_name_have_their_letter_and_repeated_names_a_number(tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", S=[["Email", None, "Email"], ["a", "b", "c"]])
    shop = _shop(tmp_path, "a.xlsx", "")
    _run(shop)
    assert {"Email": ["a"], "B": ["b"], "Email_2": ["c"]} == shop.engine.table("shop", "things").collect().to_dict(
        as_series=False
    )


def test_a_sheet_that_does_not_begin_at_a1_keeps_its_places(tmp_path: Path) -> None:
    rows = [[], [], [None, None, "Email", "Score"], [None, None, "a", "n/a"]]
    _book(tmp_path / "a.xlsx", S=rows)
    shop = _shop(tmp_path, "{ path: a.xlsx, header_row: 3 }", TEAMS)
    _run(shop)
    assert [("n/a", "Score is no float", "FILE a.xlsx, sheet S, cell D4")] == _quarantined(shop)


def test_a_text_among_numbers_is_named_by_file_sheet_and_cell(tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", S=[["Email", "Score"], ["a", 1.5], [], ["b", "n/a"]])
    shop = _shop(tmp_path, "a.xlsx", TEAMS)
    _run(shop)
    assert [("n/a", "Score is no float", "FILE a.xlsx, sheet S, cell B4")] == _quarantined(shop)
    assert [1.5] == shop.column("Score")


@pytest.mark.parametrize("column", ["Score", "Team"], ids=["of numbers", "of texts"])
def test_a_cell_that_holds_an_error_is_no_value(column: str, tmp_path: Path) -> None:
    book = _book(tmp_path / "a.xlsx", S=[["Email", "Score", "Team"], ["a", 1, "A"], ["b", 2, "B"]])
    cell = book["S"]["BC"[["Score", "Team"].index(column)] + "3"]
    cell.value, cell.data_type = "#REF!", "e"
    book.save(tmp_path / "a.xlsx")
    shop = _shop(tmp_path, "a.xlsx", TEAMS)
    _run(shop)
    [(value, _, request)] = _quarantined(shop)
    assert ('{"error":"#REF!"}', f"FILE a.xlsx, sheet S, cell {cell.coordinate}") == (value, request)


@pytest.mark.parametrize("text", ["n/a", "NULL", "NaN", "NA"])
def test_a_text_that_other_readers_take_for_nothing_is_a_text(text: str, tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", S=[["Email", "Team"], ["a", "A"], ["b", text]])
    shop = _shop(tmp_path, "a.xlsx", TEAMS)
    _run(shop)
    assert ["A", text] == shop.column("Team")


def test_a_column_of_several_kinds_leaves_the_others_alone(tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", S=[["Email", "Score", "Team"], ["a", 1 / 3, "A"], ["b", 2, True]])
    shop = _shop(tmp_path, "a.xlsx", TEAMS)
    _run(shop)
    assert {"Score": [1 / 3, 2.0], "Team": ["A", "true"]} == shop.frame().select("Score", "Team").to_dict(
        as_series=False
    )


def test_a_row_that_breaks_a_rule_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n\n{"id": 2, "name": "x"}\n')
    shop = _shop(tmp_path, "a.jsonl", TABLE + "    validate: [{ required: [name] }]\n")
    _run(shop)
    assert ["FILE a.jsonl, row 1"] == [request for _, _, request in _quarantined(shop)]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", S=[["Email", "Score"], ["a", 1 / 3], ["b", 1e-7]])
    shop = _shop(tmp_path, "a.xlsx", TEAMS)
    _run(shop)
    assert [1 / 3, 1e-7] == shop.column("Score")


# --- simulated


def test_a_simulated_run_needs_no_file(tmp_path: Path) -> None:
    shop = _shop(tmp_path, '"in/*.xlsx"')
    engine = shop.engine
    engine.config = engine.config.model_copy(update={"storage": tmp_path / "simulated"})
    clock: Clock = engine.simulated_clock(1)
    result = engine.run("shop", vendor=Simulator(engine.registry, 1, clock, engine.beside("shop")))
    assert ("succeeded", True) == (result.status, result.records_collected > 5)


def test_a_formula_whose_value_was_not_saved_is_named_and_not_null(tmp_path: Path) -> None:
    _book(tmp_path / "a.xlsx", S=[["id", "name"], [1, "a"], ["=1+1", "b"]])
    shop = _shop(tmp_path, "a.xlsx")
    _run(shop)
    [(value, _, request)] = _quarantined(shop)
    assert ("a formula whose value was not saved", "FILE a.xlsx, sheet S, cell A3") == (
        json.loads(value)["error"],
        request,
    )


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,id,name\n1,2,a\n")
    result = _shop(tmp_path, "a.csv").engine.collect("shop")
    assert ('a.csv cannot be read: the header has "id" twice',) == _missing(result)
