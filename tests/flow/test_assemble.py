"""One table from kept pages to parts: its columns, its types from run to run, which rows are wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StorageError
from engine.flow.raw import Segment, frames
from tests.flow.pages import Shop, made, told

UNTYPED = "tables: { things: { from: things, key: id, columns: { id: id, v: v } } }"


def _types(shop: Shop) -> dict[str, str]:
    return {name: kind["type"] for name, kind in shop.entry()["schema"].items()}


def test_types_that_nobody_declared_are_seen_in_the_records(tmp_path: Path) -> None:
    shop = Shop(tmp_path, UNTYPED)
    made(shop, [{"id": 1, "v": None}, {"id": 2, "v": [1]}])
    assert {"id": "integer", "v": "list"} == _types(shop)


def test_a_type_is_pinned_at_the_first_run_and_drift_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path, UNTYPED)
    made(shop, [{"id": 1, "v": 1}])
    result = made(shop, [{"id": 1, "v": "1.10"}, {"id": 2, "v": 2}, {"id": 3, "v": 2.5}])
    assert ({"id": "integer", "v": "integer"}, [(2, 2)]) == (_types(shop), shop.frame().rows())
    assert [("v", "1.10"), ("v", "2.5")] == [(row["column"], row["value"]) for row in shop.quarantine(result.run)]


def test_a_column_that_was_all_null_at_first_is_not_pinned(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { id: id, n: n } } }")
    made(shop, [{"id": "a", "n": None}])
    made(shop, [{"id": "a", "n": 5}])
    assert [5] == shop.column("n")


def test_kept_pages_that_are_gone_are_named(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { id: id } } }")
    run = shop.keep([{"id": "a"}], [{"id": "b"}])
    segment = shop.storage / "raw_data/shop/things" / run / "0000.1.seg"
    first = next(iter(frames(segment)))
    segment.unlink()
    with_one = Segment(segment)
    with_one.append(first.meta, first.body)
    with_one.close()
    with pytest.raises(StorageError, match="1 of 2 kept pages of things are left"):
        shop.process()


def test_a_text_pinned_as_text_stays_text(tmp_path: Path) -> None:
    shop = Shop(tmp_path, UNTYPED)
    made(shop, [{"id": "08", "v": "1.10"}])
    made(shop, [{"id": 8, "v": 1.5}])
    assert [("8", "1.5")] == shop.frame().rows()


def test_a_declared_type_changes_what_was_pinned(tmp_path: Path) -> None:
    shop = Shop(tmp_path, UNTYPED)
    made(shop, [{"id": 1, "v": 1}])
    shop.write("tables: { things: { from: things, key: id, columns: { id: id, v: { path: v, type: string } } } }")
    shop.process()
    assert [(1, "1")] == shop.frame().rows()


def test_an_endpoint_without_a_table_has_one_with_every_field(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "")
    made(shop, [{"id": 1, "a b": "x"}, {"id": 2, "o": {"k": 1}, 'q"': True}])
    assert [(1, "x", None, None), (2, None, '{"k": 1}', True)] == shop.frame().rows()
    assert {"id": "integer", "a b": "string", "o": "json", 'q"': "boolean"} == _types(shop)


def test_an_endpoint_without_a_table_has_fields_that_appear_late(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "")
    made(shop, [{"id": at} for at in range(2_500)], [{"id": -1, "late": {"k": 1}}])
    assert ['{"k": 1}'] == [value for value in shop.column("late") if value]


def test_an_endpoint_without_a_table_whose_records_are_texts_has_one_column(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "")
    made(shop, ["b", "a"])
    assert [{"value": "a"}, {"value": "b"}] == shop.rows()


def test_an_endpoint_without_a_table_keeps_what_it_adds(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "", endpoints='endpoints: { things: { get: /things, add: { api: "x" } } }\n')
    made(shop, [{"id": 1}], add={"api": "x"})
    assert [{"id": 1, "api": "x"}] == shop.rows()


def test_added_fields_are_columns(tmp_path: Path) -> None:
    page = (
        "tables: { things: { from: things, key: [api, id], columns: { api: api, id: { path: id, type: integer } } } }"
    )
    shop = Shop(tmp_path, page, endpoints='endpoints: { things: { get: /things, add: { api: "x" } } }\n')
    made(shop, [{"id": 1}], add={"api": "x"})
    assert [("x", 1)] == shop.frame().rows()


def test_fields_named_like_our_own_columns_are_kept(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "")
    made(shop, [{"id": 1, "start": 5, "run": "r", "at": "x"}])
    assert [{"id": 1, "start": 5, "run": "r", "at": "x"}] == shop.rows()


def test_where_leaves_rows_out_without_a_word(tmp_path: Path) -> None:
    page = "tables: { things: { from: things, where: v <> 'draft', columns: { v: { path: v, type: string } } } }"
    shop = Shop(tmp_path, page)
    result = made(shop, [{"v": "draft"}, {"v": "open"}, {"v": None}])
    assert (["open"], 0, [], 3) == (shop.column("v"), result.quarantined, told(result), result.tables[0].read)


def test_null_values_are_null_in_the_table(tmp_path: Path) -> None:
    page = "tables: {{ things: {{ from: things, null_values: {}, columns: {} }} }}"
    columns = "{ n: { path: n, type: integer }, s: { path: s, type: string } }"
    shop = Shop(tmp_path, page.format('["", -1]', columns))
    made(shop, [{"n": "-1", "s": ""}])
    assert [(None, None)] == shop.frame().rows()


def test_the_rows_of_a_table_without_a_key_are_in_the_order_of_all_columns(tmp_path: Path) -> None:
    page = (
        "tables: { things: { from: things, columns: { a: { path: a, type: string }, b: { path: b, type: string } } } }"
    )
    one, two = Shop(tmp_path / "1", page), Shop(tmp_path / "2", page)
    records: list[Any] = [{"a": "x", "b": "2"}, {"a": "x", "b": "1"}, {"b": "z"}, {"a": "x", "b": "1"}]
    made(one, records)
    made(two, records[::-1])
    assert one.rows() == two.rows()
    assert 4 == len(one.rows())


def test_a_lone_surrogate_does_not_stop_a_table(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, key: id, columns: { id: id, v: v } } }")
    made(shop, '[{"id": 1, "v": "a\\ud800"}, {"id": 2, "v": "ok"}]')
    assert ["a\ufffd", "ok"] == shop.column("v")


@pytest.mark.parametrize("records", ["[]", '[{"id": 1, "at": "2026-01-01T00:00:00Z"}]'], ids=["empty", "one"])
def test_a_table_has_its_columns_and_types_however_few_rows_it_has(tmp_path: Path, records: str) -> None:
    columns = "{ id: { path: id, type: integer }, at: { path: at, type: datetime }, t: { path: t, type: list } }"
    shop = Shop(tmp_path, f"tables: {{ things: {{ from: things, key: id, columns: {columns} }} }}")
    made(shop, records)
    assert {"id": "integer", "at": "datetime", "t": "list"} == _types(shop)
    assert ["id", "at", "t"] == shop.frame().columns


def test_times_are_in_utc(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { at: { path: at, type: datetime } } } }")
    made(shop, [{"at": "2026-01-01T01:00:00+01:00"}])
    assert [datetime(2026, 1, 1, tzinfo=UTC)] == shop.column("at")
