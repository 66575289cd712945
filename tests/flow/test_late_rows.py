"""Rows that come late, and deletions: what is older never takes the place of what is newer, where the page knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.flow.pages import Shop, made, told

EVENTS = """
endpoints:
  things: { get: /things, incremental: { field: at, send: query.since, start: 2026-01-01, overlap: 1h } }
"""
PAGE = """
tables:
  things:
    from: things
    key: id
    delete_when: v = 'gone'
    deduplicate: {{ {keep} }}
    columns: {{ id: {{ path: id, type: integer }}, v: {{ path: v, type: string }}, at: {{ path: at, type: integer }} }}
    {more}
"""


def _shop(folder: Path, keep: str = "keep: last, order_by: at", more: str = "") -> Shop:
    return Shop(folder, PAGE.format(keep=keep, more=more), endpoints=EVENTS)


def _row(v: str, at: int | None, id: int = 1) -> dict[str, Any]:
    return {"id": id, "v": v, "at": at}


def _values(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.frame().select("id", "v").rows()


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ([[_row("new", 5)], [_row("old", 4)]], [(1, "new")]),
        ([[_row("old", 4)], [_row("new", 5)]], [(1, "new")]),
        ([[_row("one", 5)], [_row("other", 5)]], [(1, "other")]),
        ([[_row("timed", 5)], [_row("timeless", None)]], [(1, "timed")]),
        ([[_row("a", 3)], [_row("gone", 5)], [_row("late", 4)]], []),
        ([[_row("gone", 5)], [_row("late", 4)]], []),
        ([[_row("gone", 5)], [_row("late", 4)], [_row("back", 6)]], [(1, "back")]),
        ([[_row("gone", 5), _row("a", 1, id=2)], [], [_row("late", 4), _row("b", 2, id=2)]], [(2, "b")]),
        ([[_row("gone", 5), _row("a", 4)]], []),
    ],
)
@pytest.mark.parametrize(
    "more",
    ["", pytest.param("enrich: [{ derive: { w: \"concat(v, '!')\" } }]", marks=pytest.mark.slow)],
    ids=["plain", "enriched"],
)
def test_an_older_row_that_comes_later_changes_nothing(tmp_path: Path, runs: Any, left: Any, more: str) -> None:
    one, all_ = _shop(tmp_path / "one", more=more), _shop(tmp_path / "all", more=more)
    for records in runs:
        made(one, records)
        all_.keep(records)
    all_.process()
    assert left == _values(one) == _values(all_)


def test_an_order_that_is_not_that_of_the_times_holds_within_a_collection_alone(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PAGE.format(keep="keep: last, order_by: at", more="mode: upsert"))
    made(shop, [_row("high", 9)])
    made(shop, [_row("low", 3)])
    assert [(1, "low")] == _values(shop)


def test_a_deletion_is_done_though_it_lacks_what_rows_must_have(tmp_path: Path) -> None:
    shop = _shop(tmp_path, more="validate: [{ required: at }, { unique: [at] }]")
    made(shop, [_row("a", 1), _row("b", 2, id=2)])
    result = made(shop, [{"id": 1, "v": "gone"}, _row("c", 2, id=3)])
    assert [("required", "error", 0, True), ("unique", "error", 1, False)] == told(result)


def test_a_row_that_was_deleted_is_no_other_row_for_rules(tmp_path: Path) -> None:
    shop = _shop(tmp_path, more="validate: [{ unique: [at] }]")
    made(shop, [_row("a", 1)])
    made(shop, [_row("gone", 2)])
    assert "succeeded" == made(shop, [_row("b", 2, id=2)]).status
    assert [(2, "b")] == _values(shop)
