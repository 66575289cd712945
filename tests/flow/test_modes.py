"""What becomes of a table from run to run: replaced, merged by key, or added to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.flow.pages import Shop, made, told

TABLE = """
tables:
  things:
    from: things
    key: [id]
    mode: {mode}
    columns: {{ id: {{ path: id, type: integer }}, v: {{ path: v, type: string }}, at: {{ path: at, type: integer }} }}
    {more}
"""
THREE_RUNS = (
    [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}],
    [{"id": 2, "v": "B"}, {"id": 3, "v": "c"}],
    [{"id": 1, "v": "A"}],
)


def _shop(folder: Path, mode: str, more: str = "") -> Shop:
    return Shop(folder, TABLE.format(mode=mode, more=more))


def _pairs(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.frame().select("id", "v").rows()


@pytest.mark.parametrize(
    ("mode", "after"),
    [
        ("replace", [(1, "A")]),
        ("upsert", [(1, "A"), (2, "B"), (3, "c")]),
        ("append", [(1, "a"), (1, "A"), (2, "b"), (2, "B"), (3, "c")]),
    ],
)
def test_three_runs_leave_what_the_mode_says(tmp_path: Path, mode: str, after: list[Any]) -> None:
    shop = _shop(tmp_path, mode)
    for records in THREE_RUNS:
        made(shop, records)
    assert after == _pairs(shop)


@pytest.mark.parametrize("mode", ["upsert", "append"])
@pytest.mark.parametrize(
    "more",
    ["", pytest.param("enrich: [{ derive: { w: \"concat(v, '!')\" } }]", marks=pytest.mark.slow)],
    ids=["plain", "enriched"],
)
def test_collections_taken_together_make_the_table_of_those_taken_one_by_one(
    tmp_path: Path, mode: str, more: str
) -> None:
    runs = [*THREE_RUNS, [{"id": 2, "v": "B"}, {"id": 2, "v": "B"}, {"id": 4, "v": "d"}], [{"id": 4, "v": "d"}]]
    one, all_ = _shop(tmp_path / "one", mode, more), _shop(tmp_path / "all", mode, more)
    for records in runs:
        made(one, records)
        all_.keep(records)
    all_.process()
    assert one.rows() == all_.rows()


def test_a_later_row_that_breaks_a_rule_leaves_the_earlier_one(tmp_path: Path) -> None:
    rules = "validate: [{ one_of: { column: v, values: [a, b] } }, { unique: [id] }]"
    one, both = _shop(tmp_path / "one", "upsert", rules), _shop(tmp_path / "both", "upsert", rules)
    for records in ([{"id": 1, "v": "a"}], [{"id": 1, "v": "x"}]):
        made(one, records)
        both.keep(records)
    result = both.process()
    assert [(1, "a")] == _pairs(one)
    assert [(1, "a")] == _pairs(both)
    assert [("one_of", "error", 1, False), ("unique", "error", 0, True)] == told(result)


def test_the_same_key_in_two_collections_is_no_duplicate(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert", "validate: [{ unique: [id] }]")
    shop.keep([{"id": 1, "v": "a"}])
    shop.keep([{"id": 1, "v": "b"}])
    assert "succeeded" == shop.process().status
    assert [(1, "b")] == _pairs(shop)


def test_the_history_of_a_key_stays_in_the_order_in_which_it_came(tmp_path: Path) -> None:
    one, all_ = _shop(tmp_path / "one", "append"), _shop(tmp_path / "all", "append")
    runs = [[{"id": key, "v": f"{run}"} for key in range(40)] for run in range(4)]
    for records in runs:
        made(one, records)
        all_.keep(records)
    all_.process()
    assert [(key, f"{run}") for key in range(40) for run in range(4)] == _pairs(one) == _pairs(all_)


def test_a_row_without_a_key_takes_no_place_and_is_set_apart(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert")
    made(shop, [{"id": 1, "v": "a"}])
    result = made(shop, [{"v": "b"}, {"v": "c"}, {"id": 2, "v": "d"}])
    assert ([(1, "a"), (2, "d")], 2, "rules_failed") == (_pairs(shop), result.quarantined, result.status)
    assert [("key", "error", 2, False)] == told(result)
    says = "id is null, so the row cannot be known again: name a key that every record has"
    assert {("key", "id", says)} == {(one["rule"], one["column"], one["says"]) for one in shop.quarantine(result.run)}


@pytest.mark.parametrize("mode", ["replace", "upsert", "append"])
@pytest.mark.parametrize("rule", ["", "keep: first", "order_by: at"])
def test_of_rows_without_a_key_none_takes_the_place_of_another(tmp_path: Path, mode: str, rule: str) -> None:
    shop = _shop(tmp_path, mode, f"deduplicate: {{ {rule} }}")
    result = made(shop, [{"v": "a", "at": 2}, {"v": "b", "at": 1}, {"id": 1, "v": "c"}, {"id": 1, "v": "d", "at": 3}])
    left = [(row["record"]["v"], row["rule"]) for row in shop.engine.quarantine("shop").rows()]
    left += [(v, "") for id, v in _pairs(shop) if id is None]
    assert [(v, "key" if mode == "upsert" else "") for v in "ab"] == sorted(left)
    assert ([1], 1) == ([id for id, _ in _pairs(shop) if id], result.tables[0].repeated)


@pytest.mark.parametrize("more", ["", "deduplicate: {}"])
def test_rows_without_a_key_stay_apart_when_the_table_is_made_anew(tmp_path: Path, more: str) -> None:
    shop, nameless = _shop(tmp_path, "upsert", more), [{"v": "a"}, {"v": "b"}, {"id": 1}]
    counts = [made(shop, nameless).tables[0].as_json() for _ in range(3)]
    shop.write(TABLE.format(mode="upsert", more=f"{more}\n    where: v <> 'z'"))
    counts.append(shop.process().tables[0].as_json())
    assert [(2, 2), (2, 4), (2, 6), (6, 6)] == [(one["quarantined"], one["set_apart"]) for one in counts]
    assert 6 == shop.engine.quarantine("shop").count()


def test_a_key_of_which_a_part_is_null_is_a_key(tmp_path: Path) -> None:
    table = TABLE.format(mode="upsert", more="").replace("key: [id]", "key: [id, at]")
    shop = Shop(tmp_path, table)
    made(shop, [{"id": 1, "v": "a"}])
    made(shop, [{"id": 1, "v": "b"}, {"id": 2, "at": 1, "v": "c"}])
    assert [(1, "b"), (2, "c")] == _pairs(shop)


def test_a_row_that_repeats_one_that_was_set_apart_stays_when_the_table_is_made_anew(tmp_path: Path) -> None:
    rules = "validate: [{ required: v }, { unique: at }]"
    one, all_ = _shop(tmp_path / "one", "upsert", rules), _shop(tmp_path / "all", "upsert", rules)
    for records in ([{"id": 1, "at": 5}], [{"id": 2, "at": 5, "v": "x"}]):
        made(one, records)
        all_.keep(records)
    all_.process()
    assert [(2, "x")] == _pairs(one) == _pairs(all_)


@pytest.mark.parametrize("mode", ["replace", "upsert", "append"])
def test_processing_again_gives_the_same_bytes(tmp_path: Path, mode: str) -> None:
    shop = _shop(tmp_path, mode, "enrich: [{ derive: { w: v } }]")
    for records in THREE_RUNS:
        made(shop, records)
    before = shop.entry()
    shop.process()
    assert before["sha256"] == shop.entry()["sha256"]
    assert (before["complete"], before["taken"]) == (shop.entry()["complete"], shop.entry()["taken"])


def test_a_run_that_brings_nothing_new_leaves_an_upsert_table(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert")
    made(shop, THREE_RUNS[0])
    assert "succeeded" == made(shop, []).status
    assert [(1, "a"), (2, "b")] == _pairs(shop)


def test_enrichment_is_worked_out_anew_from_the_rows_before_it(tmp_path: Path) -> None:
    lookup = "enrich: [{ lookup: { file: names.csv, on: { v: v }, take: [name] } }, { drop: [v] }]"
    shop = _shop(tmp_path, "upsert", lookup)
    (tmp_path / "names.csv").write_text("v,name\na,first\n")
    made(shop, [{"id": 1, "v": "a"}])
    (tmp_path / "names.csv").write_text("v,name\na,second\nb,other\n")
    made(shop, [{"id": 2, "v": "b"}])
    assert [(1, "second"), (2, "other")] == shop.frame().select("id", "name").rows()


def test_rows_for_which_delete_when_holds_are_taken_out(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert", "delete_when: v = 'gone'")
    made(shop, [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": None}])
    made(shop, [{"id": 1, "v": "gone"}, {"id": 9, "v": "gone"}])
    assert [(2, "b"), (3, None)] == _pairs(shop)


def test_a_row_that_was_deleted_can_come_back(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert", "delete_when: v = 'gone'")
    for v in ("a", "gone", "back"):
        made(shop, [{"id": 1, "v": v}])
    assert [(1, "back")] == _pairs(shop)


def test_a_changed_definition_makes_the_table_anew_from_all_that_was_kept(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert")
    for records in THREE_RUNS:
        made(shop, records)
    shop.write(TABLE.format(mode="upsert", more="where: v <> 'c'"))
    shop.process()
    assert [(1, "A"), (2, "B")] == _pairs(shop)


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_contract_that_was_corrected_lets_in_what_came_before(tmp_path: Path, mode: str) -> None:
    shop, contract = _shop(tmp_path, mode, "validate: [json_schema: of_thing.json]"), tmp_path / "of_thing.json"
    contract.write_text('{"properties": {"v": {"maxLength": 1}}}')
    made(shop, [{"id": 1, "v": "long"}, {"id": 2, "v": "b"}])
    contract.write_text('{"properties": {"v": {"maxLength": 4}}}')
    shop.process()
    assert [(1, "long"), (2, "b")] == _pairs(shop)


def test_a_table_that_was_replaced_goes_on_from_its_last_full_read(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "replace")
    for records in THREE_RUNS:
        made(shop, records)
    shop.write(TABLE.format(mode="upsert", more=""))
    shop.process()
    assert [(1, "A")] == _pairs(shop)


def test_append_without_a_key_keeps_every_row(tmp_path: Path) -> None:
    page = "tables: { things: { from: things, mode: append, columns: { v: { path: v, type: string } } } }"
    shop = Shop(tmp_path, page)
    for values in (["b", "a", "b"], ["a", "c"], ["0", "z"]):
        made(shop, [{"v": value} for value in values])
    assert ["0", "a", "a", "b", "b", "c", "z"] == shop.column("v")


def test_unique_holds_across_runs_for_other_columns_than_the_key(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert", "validate: [{ unique: [v] }]")
    made(shop, [{"id": 1, "v": "a"}, {"id": 5, "v": "e"}])
    result = made(shop, [{"id": 0, "v": "a"}, {"id": 2, "v": "e"}, {"id": 3, "v": None}, {"id": 4, "v": "b"}])
    assert [("unique", "error", 2, False)] == told(result)
    assert [(1, "a"), (3, None), (4, "b"), (5, "e")] == _pairs(shop)


def test_a_row_that_takes_the_place_of_one_before_is_no_duplicate_of_it(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert", "validate: [{ unique: [v] }]")
    made(shop, [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}])
    assert "succeeded" == made(shop, [{"id": 1, "v": "a", "at": 2}, {"id": 2, "v": "b"}]).status
    assert "succeeded" == made(shop, [{"id": 1, "v": "b"}, {"id": 2, "v": "a"}]).status


def test_unique_on_the_key_holds_across_runs_where_rows_are_added(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "append", "validate: [{ unique: [id] }]")
    made(shop, [{"id": 1, "v": "a"}])
    assert "succeeded" == made(shop, [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]).status
    assert [("unique", "error", 1, False)] == told(made(shop, [{"id": 1, "v": "other"}]))
    assert [(1, "a"), (2, "b")] == _pairs(shop)


def test_row_count_and_freshness_judge_the_table_as_a_whole(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "upsert", "validate: [{ row_count: { min: 2 } }]")
    made(shop, THREE_RUNS[0])
    assert "succeeded" == made(shop, [{"id": 2, "v": "x"}]).status
    assert "succeeded" == made(shop, []).status


# --- what is incomplete or skipped


def test_an_incomplete_collection_does_not_replace_a_version(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "replace")
    made(shop, [{"id": 1, "v": "a"}])
    result = made(shop, [{"id": 2, "v": "b"}], missing=["page 2 did not come"])
    assert [(1, "a")] == _pairs(shop)
    assert [(True, ["things: page 2 did not come"])] == [(one.kept, one.notes) for one in result.tables]


def test_a_first_version_is_published_incomplete(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "replace")
    made(shop, [{"id": 2, "v": "b"}], missing=["page 2 did not come"])
    assert ([(2, "b")], False) == (_pairs(shop), shop.entry()["complete"])
    assert False is shop.engine.current("shop")["complete"]


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_merged_table_takes_what_came(tmp_path: Path, mode: str) -> None:
    shop = _shop(tmp_path, mode)
    made(shop, [{"id": 1, "v": "a"}])
    made(shop, [{"id": 2, "v": "b"}], missing=["page 2 did not come"])
    assert ([(1, "a"), (2, "b")], False) == (_pairs(shop), shop.entry()["complete"])


def test_a_whole_collection_follows_an_incomplete_one(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "replace")
    made(shop, [{"id": 2, "v": "b"}], missing=["page 2 did not come"])
    made(shop, [{"id": 3, "v": "c"}])
    assert ([(3, "c")], True) == (_pairs(shop), shop.entry()["complete"])


def test_processing_what_is_incomplete_is_no_success(tmp_path: Path) -> None:
    result = made(_shop(tmp_path, "upsert"), [{"id": 2, "v": "b"}], missing=["page 2 did not come"])
    assert ("incomplete", 3) == (result.status, result.exit_code)


def test_a_skipped_endpoint_leaves_the_version_before(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "replace")
    made(shop, [{"id": 1, "v": "a"}])
    result = made(shop, skipped=["needs the add-on"])
    assert ([(1, "a")], True) == (_pairs(shop), result.tables[0].kept)
    assert ["things keeps its version before: things: needs the add-on"] == result.warnings()


def test_a_skipped_endpoint_makes_an_empty_table_at_first(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "replace")
    assert ["things: needs the add-on"] == made(shop, skipped=["needs the add-on"]).tables[0].notes
    assert [] == _pairs(shop)


def test_a_table_of_two_endpoints_is_incomplete_while_one_was_never_collected(tmp_path: Path) -> None:
    page = "tables: { all: { from: [one, two], key: id, columns: { id: { path: id, type: integer } } } }"
    shop = Shop(tmp_path, page, endpoints="endpoints: { one: /one, two: /two }\n")
    result = made(shop, [{"id": 1}], endpoint="one")
    assert (False, ["two was never collected"]) == (shop.entry("all")["complete"], result.tables[0].notes)


def test_a_table_of_two_endpoints_holds_the_rows_of_both(tmp_path: Path) -> None:
    page = "tables: { all: { from: [one, two], key: id, columns: { id: { path: id, type: integer }, v: v } } }"
    shop = Shop(tmp_path, page, endpoints="endpoints: { one: /one, two: /two }\n")
    shop.keep_all({"one": [[{"id": 2, "v": "x"}]], "two": [[{"id": 1, "v": "y"}]]})
    shop.process()
    assert [(1, "y"), (2, "x")] == shop.frame("all").rows()


def test_a_table_below_an_incremental_endpoint_keeps_what_came_before(tmp_path: Path) -> None:
    endpoints = """
    endpoints:
      orders: { get: /orders, incremental: { field: at, send: query.since, start: 2026-01-01 } }
      items: { for_each: { order: orders }, get: "/orders/${order.id}/items" }
    """
    columns = "{ id: { path: id, type: integer } }"
    shop = Shop(tmp_path, f"tables: {{ items: {{ from: items, key: id, columns: {columns} }} }}", endpoints=endpoints)
    for number in (1, 2):
        shop.keep_all({"orders": [[{"id": number}]], "items": [[{"id": number}]]})
        shop.process()
    assert [1, 2] == shop.column("id", "items")


def test_a_field_of_any_name_stands_beside_our_own(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "")
    made(shop, [{"_at": 1, "_run": 2, "_until": 3, "_whole": 4}])
    assert [{"_at": 1, "_run": 2, "_until": 3, "_whole": 4}] == shop.rows()
