"""One row for each element deep inside a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.flow.reshape import Reshaper
from engine.spec.model import Column, Each
from tests.flow.pages import Shop, made, told


def _table(rows: str, columns: str) -> str:
    return f"tables: {{ things: {{ from: things, rows: {rows}, columns: {{ {columns} }} }} }}"


def _made(
    folder: Path, rows: str, columns: str, *records: Any, add: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    shop = Shop(folder, _table(rows, columns))
    made(shop, records, add=add)
    return shop.frame().rows()


def test_each_element_of_a_list_is_a_row(tmp_path: Path) -> None:
    found = _made(
        tmp_path, "[{ each: items }]", "n: n", {"items": [{"n": 1}, {"n": 2}]}, {"items": []}, {"items": None}, {}
    )
    assert [(1,), (2,)] == found


def test_each_value_of_a_map_is_a_row_with_its_key(tmp_path: Path) -> None:
    found = _made(tmp_path, "[{ each: items, key_as: id }]", "id: id, n: n", {"items": {"a": {"n": 1}, "b": {"n": 2}}})
    assert [("a", 1), ("b", 2)] == found


def test_an_element_that_is_no_object_is_its_value(tmp_path: Path) -> None:
    assert [("a",), ("b",)] == _made(tmp_path, "[{ each: tags }]", "tag: value", {"tags": ["a", "b"]})


def test_a_map_of_plain_values_gives_key_and_value(tmp_path: Path) -> None:
    found = _made(tmp_path, "[{ each: m, key_as: k }]", "k: k, v: value", {"m": {"x": 1, "y": None}})
    assert [("x", 1), ("y", None)] == found


def test_each_goes_down_level_by_level_and_parent_leads_up(tmp_path: Path) -> None:
    record = {"id": "r", "groups": {"g": {"name": "G", "issues": [{"n": 1}, {"n": 2}]}, "h": {"issues": []}}}
    columns = "n: n, group: parent.name, key: parent.k, id: parent.parent.id"
    found = _made(tmp_path, "[{ each: groups, key_as: k }, { each: issues }]", columns, record)
    assert [(1, "G", "g", "r"), (2, "G", "g", "r")] == found


def test_parent_reaches_a_list_of_the_record_by_an_index(tmp_path: Path) -> None:
    record = {"names": ["zero", "one"], "items": [{"at": 1}]}
    assert [("one",)] == _made(tmp_path, "[{ each: items }]", 'name: "parent.names[1]"', record)


def test_what_the_endpoint_adds_is_found_in_the_parent(tmp_path: Path) -> None:
    found = _made(tmp_path, "[{ each: items }]", "api: parent.api, n: n", {"items": [{"n": 1}]}, add={"api": "x"})
    assert [("x", 1)] == found


def test_a_field_of_the_element_that_is_called_parent_gives_way(tmp_path: Path) -> None:
    record = {"id": "outer", "items": [{"parent": "inner"}]}
    assert [("outer",)] == _made(tmp_path, "[{ each: items }]", "id: parent.id", record)


def test_names_and_rows_of_values_are_put_together(tmp_path: Path) -> None:
    record = {"columns": ["a", "b"], "values": [[1, "x"], [2, None]]}
    found = _made(
        tmp_path, "{ zip: { names: columns, values: values } }", "a: a, b: b", record, {"columns": [], "values": []}, {}
    )
    assert [(1, "x"), (2, None)] == found


def test_a_map_of_maps_is_gone_through_level_by_level(tmp_path: Path) -> None:
    record = {"paths": {"/a": {"get": {"issues": [{"n": 1}, {"n": 2}]}, "post": {"issues": []}}, "/b": {"put": {}}}}
    rows = '[{ each: paths, key_as: path }, { each: "@", key_as: verb }, { each: issues }]'
    columns = "path: parent.parent.path, verb: parent.verb, n: n"
    assert [("/a", "get", 1), ("/a", "get", 2)] == _made(tmp_path, rows, columns, record)


def test_a_list_of_lists_is_gone_through_level_by_level(tmp_path: Path) -> None:
    found = _made(tmp_path, '[{ each: grid }, { each: "@" }]', "n: value", {"grid": [[1, 2], [], [3]]})
    assert [(1,), (2,), (3,)] == found


def test_a_map_of_records_is_gone_through_without_what_the_endpoint_adds(tmp_path: Path) -> None:
    found = _made(
        tmp_path, '[{ each: "@", key_as: id }]', "id: id, api: parent.api, n: n", {"a": {"n": 1}}, add={"api": "x"}
    )
    assert [("a", "x", 1)] == found


def test_a_place_is_looked_up_by_its_number_in_a_list_of_the_record_above(tmp_path: Path) -> None:
    numbers = [1, 0, 2, -1, None, "1", True]
    record = {
        "data": {"index": ["/", "/a"]},
        "issues": {"x": {"issues": [{"n": n, "pointer": at} for n, at in enumerate(numbers)]}},
    }
    rows = "[{ each: issues, key_as: id }, { each: issues }]"
    found = _made(tmp_path, rows, 'n: n, place: { path: "parent.parent.data.index[pointer]", type: string }', record)
    assert ["/a", "/", None, None, None, None, None] == [place for _, place in found]


def test_only_what_columns_read_of_the_record_above_is_carried_along() -> None:
    reads = {"index": Column.model_validate("parent.data.index[at]"), "id": Column.model_validate("parent.id")}
    record = {"id": 1, "data": {"index": ["a"], "issues": [{"at": 0}], "more": "x" * 99}, "else": 1}
    [row] = Reshaper([Each.model_validate({"each": "data.issues"})], reads).rows([json.dumps(record).encode()], {})
    assert {"at": 0, " index": "a", "parent": {"id": 1}} == json.loads(row)


@pytest.mark.parametrize(
    ("rows", "record"),
    [
        ("[{ each: items }]", {"items": 5}),
        ("[{ each: items }]", {"items": "text"}),
        ("{ zip: { names: n, values: v } }", {"n": ["a", "b"], "v": [[1]]}),
        ("{ zip: { names: n, values: v } }", {"n": ["a"], "v": [{"a": 1}]}),
        ("{ zip: { names: n, values: v } }", {"n": ["a"], "v": 5}),
        ("{ zip: { names: n, values: v } }", {"n": 5, "v": [[1]]}),
        ("{ zip: { names: n, values: v } }", {"n": "ab", "v": [[1, 2]]}),
        ("{ zip: { names: n, values: v } }", {"v": [[1]]}),
        ("{ zip: { names: n, values: v } }", {"n": [1], "v": [[1]]}),
    ],
    ids=str,
)
def test_a_record_of_another_shape_is_set_apart_with_its_request(tmp_path: Path, rows: str, record: Any) -> None:
    shop = Shop(tmp_path, _table(rows, "a: a"))
    result = made(shop, [record, {}])
    [row] = shop.quarantine(result.run)
    assert [("rows", "error", 1, False)] == told(result)
    assert (record, "GET /things?page=0", 0) == (json.loads(row["record"]), row["request"], row["row"])


def test_the_rows_of_other_records_stay_beside_one_of_another_shape(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("[{ each: items }]", "n: { path: n, type: integer }"))
    result = made(shop, [{"items": [{"n": 1}]}, {"items": 5}], [{"items": [{"n": "x"}, {"n": 2}]}])
    assert [1, 2] == shop.column("n")
    assert [("rows", 1), ("type", 1)] == [(one.rule, one.failed) for one in result.tables[0].outcomes]
