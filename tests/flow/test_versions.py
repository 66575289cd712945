"""What a version of a table rests on: types seen late, older collections, params, and what a filter leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import DataError
from tests.flow.pages import Shop, made

MERGED = """
tables:
  things: {{ from: things, {key} mode: {mode}, columns: {{ id: {{ path: id, type: integer }}, v: v }} }}
"""
REPLACED = "tables: { things: { from: things, key: id, columns: { id: { path: id, type: integer } } } }"
FILTERED = """
params: {{ st: {{ default: a }} }}
tables:
  things:
    from: things
    key: id
    mode: {mode}
    where: st = {wanted}
    columns: {{ id: {{ path: id, type: integer }}, st: {{ path: st, type: string }}, v: {{ path: v, type: integer }} }}
    {more}
"""


def _filtered(folder: Path, *, mode: str = "upsert", wanted: str = "'live'", more: str = "") -> Shop:
    return Shop(folder, FILTERED.format(mode=mode, wanted=wanted, more=more))


# --- types


@pytest.mark.parametrize(("mode", "key"), [("upsert", "key: id,"), ("append", "key: id,"), ("append", "")])
@pytest.mark.parametrize("late", [7, ["x"], True, 1.5])
def test_a_type_may_be_seen_after_null(tmp_path: Path, mode: str, key: str, late: Any) -> None:
    shop = Shop(tmp_path, MERGED.format(mode=mode, key=key))
    made(shop, [{"id": 1, "v": None}])
    made(shop, [{"id": 2, "v": late}])
    expected = ["x"] if late == ["x"] else late
    assert [{"id": 1, "v": None}, {"id": 2, "v": expected}] == shop.rows()


def test_a_text_behind_the_first_records_pins_its_column(tmp_path: Path) -> None:
    shop = Shop(tmp_path, MERGED.format(mode="upsert", key="key: id,"))
    made(shop, [{"id": at, "v": None} for at in range(1_000)], [{"id": 1_000, "v": "x"}])
    made(shop, [{"id": 1_001, "v": 7}])
    assert ["x", "7"] == shop.column("v")[-2:]


def test_rows_of_another_type_are_named_with_a_way_out(tmp_path: Path) -> None:
    page = MERGED.format(mode="upsert", key="key: id,").replace("v: v", "v: v, w: {{ sql: v }}".format())
    shop = Shop(tmp_path, page)
    made(shop, [{"id": 1, "v": None}])
    place = shop.storage / "processed_data" / "shop" / "current.json"
    made(shop, [{"id": 1, "v": "x"}])
    place.write_text(place.read_text().replace('"pinned": true', '"pinned": false'))  # as an older engine left it
    with pytest.raises(DataError, match="v is integer in what came now, and string in the rows") as caught:
        made(shop, [{"id": 2, "v": 7}])
    assert "declare the type of v: the table is then made anew" == caught.value.fix
    shop.write(page.replace("v: v", "v: { path: v, type: string }"))
    shop.process()
    assert ["x", "7"] == shop.column("v")


# --- which collections


def test_a_whole_collection_is_taken_though_an_incomplete_one_came_after_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, REPLACED)
    made(shop, [{"id": 1}])
    shop.keep([{"id": 2}])
    result = made(shop, [{"id": 3}], missing=["page 2 did not come"])
    assert ([2], False) == (shop.column("id"), result.tables[0].kept)
    assert ("incomplete", ["things: page 2 did not come"]) == (result.status, result.tables[0].notes)
    assert True is shop.entry()["complete"]


def test_a_first_version_is_made_of_the_whole_collection(tmp_path: Path) -> None:
    shop = Shop(tmp_path, REPLACED)
    shop.keep([{"id": 2}])
    made(shop, [{"id": 3}], missing=["page 2 did not come"])
    assert [2] == shop.column("id")


def test_a_changed_page_makes_the_table_anew_of_the_last_whole_collection(tmp_path: Path) -> None:
    shop = Shop(tmp_path, REPLACED)
    made(shop, [{"id": 1, "v": "x"}])
    made(shop, [{"id": 3}], missing=["page 2 did not come"])
    shop.write(REPLACED.replace("columns: {", "columns: { v: v,"))
    shop.process()
    assert [{"v": "x", "id": 1}] == shop.rows()


def test_what_was_never_collected_makes_processing_incomplete(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "", endpoints="endpoints: { one: /one, two: /two }\n")
    result = made(shop, [{"id": 1}], endpoint="one")
    assert ("incomplete", 3) == (result.status, result.exit_code)
    assert [[], ["two was never collected"]] == [one.notes for one in result.tables]


def test_what_was_not_asked_for_may_be_missing(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "", endpoints="endpoints: { one: /one, two: /two }\n")
    shop.keep([{"id": 1}], endpoint="one")
    assert 0 == shop.engine.process("shop", only=["one"]).exit_code


# --- params


@pytest.mark.parametrize(
    "more",
    [
        "",
        "validate: [{ expression: { right: st = param.st } }]",
        'enrich: [{ derive: { w: "concat(st, param.st)" } }]',
    ],
    ids=["where", "rule", "step"],
)
def test_another_value_of_a_param_makes_the_table_anew(tmp_path: Path, more: str) -> None:
    wanted = "st" if more else "param.st"
    shop = _filtered(tmp_path, wanted=wanted, more=more)
    made(shop, [{"id": 1, "st": "a"}, {"id": 2, "st": "b"}])
    before = shop.entry()["definition"]
    shop.engine.process("shop", params={"st": "b"})
    assert before != shop.entry()["definition"]
    assert 2 in shop.column("id")


def test_a_param_that_a_table_does_not_name_leaves_it(tmp_path: Path) -> None:
    shop = _filtered(tmp_path)
    made(shop, [{"id": 1, "st": "live"}])
    before = shop.entry()["definition"]
    shop.engine.process("shop", params={"st": "b"})
    assert before == shop.entry()["definition"]


# --- where


def test_a_row_that_no_longer_is_wanted_goes(tmp_path: Path) -> None:
    shop = _filtered(tmp_path)
    made(shop, [{"id": 1, "st": "live"}, {"id": 2, "st": "live"}])
    made(shop, [{"id": 1, "st": "draft"}])
    assert [2] == shop.column("id")


def test_a_row_that_went_and_is_wanted_again_comes_back(tmp_path: Path) -> None:
    shop = _filtered(tmp_path)
    for number, st in enumerate(["live", "draft", "live"]):
        made(shop, [{"id": 1, "st": st, "v": number}])
    assert [{"id": 1, "st": "live", "v": 2}] == shop.rows()


def test_a_filter_leaves_the_same_rows_of_runs_taken_together(tmp_path: Path) -> None:
    shop = _filtered(tmp_path)
    shop.keep([{"id": 1, "st": "live"}, {"id": 2, "st": "live"}])
    shop.keep([{"id": 1, "st": "draft"}, {"id": 3, "st": "draft"}])
    shop.process()
    assert [2] == shop.column("id")


def test_no_rule_looks_at_rows_that_are_left_out(tmp_path: Path) -> None:
    rules = "validate: [{ required: [v] }, { unique: [v] }, { unique: [id] }, { range: { column: v, max: 9 } }]"
    shop = _filtered(tmp_path, more=rules)
    rows = [{"id": 1, "st": "draft", "v": 5}, {"id": 2, "st": "draft", "v": None}, {"id": 3, "st": "live", "v": 5}]
    assert "succeeded" == made(shop, [*rows, {"id": 4, "st": "draft", "v": 99}]).status
    assert [3] == shop.column("id")
