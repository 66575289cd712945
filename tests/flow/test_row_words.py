"""What becomes of a record's other fields, columns that are worked out, and fields that are new or gone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import DataError, EngineError
from tests.flow.pages import Shop, made, told


def _table(words: str, columns: str = "id: { path: id, type: integer }") -> str:
    return f"tables: {{ things: {{ from: things, columns: {{ {columns} }}, {words} }} }}"


ADDS = 'endpoints: { things: { get: /things, add: { api: ours, n: "2" } } }\n'


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_other_fields_are_left_out_unless_said(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("key: id"))
    made(shop, [{"id": 1, "name": "a"}])
    assert [{"id": 1}] == shop.rows()


def test_kept_fields_are_columns_behind_those_of_the_page(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: keep", "number: { path: id, type: integer }"))
    made(shop, [{"id": 1, "name": "a", "up": True}], [{"id": 2, "deep": {"x": 1}, "tags": ["t"]}])
    assert [
        {"number": 1, "name": "a", "up": True, "deep": None, "tags": None},
        {"number": 2, "name": None, "up": None, "deep": '{"x": 1}', "tags": ["t"]},
    ] == shop.rows()


def test_a_field_that_is_read_in_part_is_kept_as_a_whole(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: keep", "email: { path: owner.email, type: string }"))
    made(shop, [{"owner": {"email": "e", "name": "n"}}])
    assert [{"email": "e", "owner": '{"email": "e", "name": "n"}'}] == shop.rows()


def test_the_type_of_a_kept_field_is_pinned(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: keep"))
    made(shop, [{"id": 1, "size": 5}])
    result = made(shop, [{"id": 2, "size": "large"}])
    assert ([("type", "error", 1, False)], "size is no integer") == (
        told(result),
        shop.quarantine(result.run)[0]["says"],
    )


def test_what_the_endpoint_adds_is_kept_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: keep"), endpoints=ADDS)
    made(shop, [{"id": 1}], add={"api": "ours", "n": "2"})
    assert [{"id": 1, "api": "ours", "n": "2"}] == shop.rows()


def test_fields_of_elements_are_kept_without_the_record_around_them(tmp_path: Path) -> None:
    words = "rows: [{ each: items, key_as: k }], other_columns: keep"
    shop = Shop(tmp_path, _table(words, "up: { path: parent.id, type: integer }"))
    made(shop, [{"id": 1, "items": {"a": {"n": 2}}}])
    assert [{"up": 1, "n": 2, "k": "a"}] == shop.rows()


def test_a_kept_field_that_first_comes_in_a_later_run_is_null_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("key: id, mode: upsert, other_columns: keep"))
    made(shop, [{"id": 1, "a": "x"}])
    made(shop, [{"id": 2, "b": "y"}])
    assert [{"id": 1, "a": "x", "b": None}, {"id": 2, "a": None, "b": "y"}] == shop.rows()


def test_a_field_called_as_the_engine_calls_its_own_is_named(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: keep"))
    with pytest.raises(DataError, match='the records have a field "_raw"'):
        made(shop, [{"id": 1, "_raw": 5}])


def test_raw_is_the_record_as_it_was_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: raw"))
    made(shop, '[{"id": 1, "price": 1.10, "big": 123456789012345678901}]')
    assert ['{"id": 1, "price": 1.10, "big": 123456789012345678901}'] == shop.column("_raw")


def test_raw_holds_what_the_endpoint_adds(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: raw"), endpoints=ADDS)
    made(shop, '[{"id": 1, "price": 1.10, "api": "theirs"}]', add={"api": "ours", "n": "2"})
    assert ['{"id":1,"price":1.10,"api":"ours","n":"2"}'] == shop.column("_raw")


def test_raw_is_the_same_whatever_its_neighbours_are(tmp_path: Path) -> None:
    columns = "id: { path: id, type: integer }, hash: { sql: sha256(_raw) }"
    records = [{"id": 1, "price": 1.5, "x": None}, {"id": 2, "ü": "ß\u2028"}]
    hashes = []
    among: dict[str, list[Any]] = {"alone": [], "among_others": [{"id": {"no": "number"}}], "no_objects": ["text"]}
    for name, neighbours in among.items():
        shop = Shop(tmp_path / name, _table("null_values: ['']", columns), endpoints=ADDS)
        made(shop, [*records, *neighbours], add={"api": "ours", "n": "2"})
        hashes.append([row["hash"] for row in shop.rows() if row["id"]])
    assert hashes[0] == hashes[1] == hashes[2]


def test_a_column_is_worked_out_of_the_record_before_validation(tmp_path: Path) -> None:
    columns = "hash: { sql: sha256(_raw) }, id: { path: id, type: integer }"
    shop = Shop(tmp_path, _table("key: hash, validate: [{ required: [hash] }, { unique: [hash] }]", columns))
    result = made(shop, [{"id": 1}])
    assert [{"hash": _sha256('{"id": 1}'), "id": 1}] == shop.rows()
    assert [("required", "error", 0, True), ("unique", "error", 0, True)] == told(result)


def test_a_column_is_worked_out_of_those_above_it(tmp_path: Path) -> None:
    columns = 'a: { path: a, type: integer }, b: { sql: "a + 1" }, c: { sql: b / 2, type: float }, d: { sql: b > 2 }'
    shop = Shop(tmp_path, _table("where: b > 1", columns))
    made(shop, [{"a": 0}, {"a": 2}])
    assert [{"a": 2, "b": 3, "c": 1.5, "d": True}] == shop.rows()


def test_an_element_is_hashed_without_the_record_around_it(tmp_path: Path) -> None:
    columns = "up: { path: parent.id, type: string }, hash: { sql: sha256(_raw) }"
    shop = Shop(tmp_path, _table("rows: [{ each: items, key_as: k }]", columns))
    made(shop, [{"id": "x", "items": {"a": {"n": 2}}}])
    assert [{"up": "x", "hash": _sha256('{"n":2,"k":"a"}')}] == shop.rows()


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("{ sql: idd + 1 }", 'no column is called "idd"'),
        ("{ sql: sha256(_raw), type: integer }", "b is declared an integer, its SQL gives a string"),
    ],
)
def test_a_column_that_cannot_be_worked_out_is_named(tmp_path: Path, column: str, says: str) -> None:
    shop = Shop(tmp_path, _table("key: id", f"id: {{ path: id, type: integer }}, b: {column}"))
    with pytest.raises(EngineError) as raised:
        made(shop, [{"id": 1}])
    assert says in str(raised.value)


# One version after the other, each of these records; what the rule says of the last.
CHANGES = {
    "kept": ("other_columns: keep", [{"a": 1, "b": 1}], [{"a": 1, "c": 1}], "new since the last version: c; gone"),
    "raw": ("other_columns: raw", [{"a": 1, "b": 1}], [{"a": 1, "c": 1}], "new since the last version: c; gone"),
    "grows": ("other_columns: keep, mode: append", [{"a": 1}], [{"c": 1}], "new since the last version: c"),
    "closed": ("where: id IS NULL", [{"a": 1}], [{"b": 1}], ""),
    "empty": ("other_columns: keep", [{"a": 1}], [], ""),
    "the same": ("other_columns: keep", [{"a": 1}, {"b": 1}], [{"b": 1}, {"a": 1}], ""),
}


@pytest.mark.parametrize(("words", "before", "now", "says"), CHANGES.values(), ids=CHANGES.keys())
def test_fields_that_are_new_or_gone_are_told(
    tmp_path: Path, words: str, before: list[Any], now: list[Any], says: str
) -> None:
    shop = Shop(tmp_path, _table(f"{words}, validate: [{{ columns_changed: {{ level: warning }} }}]"))
    first, second = made(shop, before), made(shop, now)
    [[was], [outcome]] = [one.tables[0].outcomes for one in (first, second)]
    assert (None, True) == (was.verdict, was.passed)
    assert (bool(says), "warning") == (not outcome.passed, outcome.level)
    assert (outcome.verdict or "").startswith(says)


def test_a_changed_page_is_a_change_of_columns(tmp_path: Path) -> None:
    rule = "validate: [columns_changed]"
    shop = Shop(tmp_path, _table(rule))
    made(shop, [{"id": 1}])
    shop.write(_table(rule, "number: { path: id, type: integer }"))
    [outcome] = shop.process().tables[0].outcomes
    assert "new since the last version: number; gone since the last version: id" == outcome.verdict


def test_a_change_is_told_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path, _table("other_columns: keep, validate: [{ columns_changed: { level: warning } }]"))
    results = [made(shop, [json.loads(record)]) for record in ('{"a": 1}', '{"b": 1}', '{"b": 2}')]
    assert [0, 1, 0] == [sum(not one.passed for one in result.tables[0].outcomes) for result in results]
