"""Presumptions are checked slice by slice: what does not bear them out is read otherwise, and comes out the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.flow.columns import Wanted, reading
from engine.flow.frames import IN_DOUBT, Reader, Rows
from engine.flow.slices import Slice
from engine.flow.ways import MOST_LOOKS, Ways
from tests.flow.reading import REFUSED, values

ID = Wanted("id", "id", "integer")
TOTAL = Wanted("total", "sum(items[].qty)", "float")
EITHER = Wanted("either", "a || b", "string")
MORE = Wanted("more", "a > `5`", "boolean")
LENGTH = Wanted("length", "length(a)", "integer")


def _body(*records: Any) -> bytes:
    return json.dumps(records).encode()


def _read(reader: Reader, *records: Any) -> Rows:
    return reader.read(Slice(0, [json.dumps(one).encode() for one in records], {}))


def test_a_slice_that_bears_the_presumption_out_is_read_as_presumed() -> None:
    ways = Ways(reading([EITHER]), frozenset())
    assert ways.of(_body({"a": "x"}, {"a": None, "b": ""})) == ways.of(_body({"b": "y"}))


def test_another_kind_is_translated_once_and_then_known() -> None:
    ways = Ways(reading([EITHER]), frozenset())
    (first, _), (second, _) = ways.of(_body({"a": 5})), ways.of(_body({"a": 2.5}, {}))
    assert first is second
    assert [] == first.slow
    assert first is not ways.of(_body({"a": "x"}))[0]


def test_only_the_columns_of_mixed_kinds_go_record_by_record() -> None:
    ways = Ways(reading([EITHER, LENGTH, Wanted("id", "id", "integer")]), frozenset())
    slow = ways.of(_body({"id": 1, "a": 5}, {"id": 2, "a": "x"}))[0].slow
    assert ["either", "length"] == [column.name for column in slow]


def test_records_that_are_ever_otherwise_are_not_looked_at_for_ever() -> None:
    ways = Ways(reading([Wanted("c", "a.b || c", "string")]), frozenset())
    looked = [
        ways.of(_body({"a": {"b": 5}, "c": "x"}, {"a": {"b": "x"}}, {"a": {"b": {}}}))[0] for _ in range(MOST_LOOKS + 3)
    ]
    assert ["c"] == [column.name for column in looked[-1].slow]


def test_columns_that_presume_nothing_are_not_guarded() -> None:
    ways = Ways(reading([Wanted("a", "a[?b=='x'].c | [0]", "string"), Wanted("d", "d.e", "string")]), frozenset())
    assert ways.of(b"no JSON at all") == ways.of(b"[]")


def test_columns_presume_one_thing_of_one_field() -> None:
    found = reading([Wanted("yes", "a == `true`", "boolean"), Wanted("then", "a && b", "string")])
    assert {} == found.slow
    assert "boolean" == found.fields["a"]


def test_what_is_added_to_records_is_not_presumed_to_be_anything() -> None:
    ways = Ways(reading([EITHER]), frozenset({"a"}))
    assert ["either"] == [column.name for column in ways.of(_body({"b": 1}))[0].slow]
    assert ["x", "5"] == values(EITHER, {"b": "x"}, {"b": "y"}, added={"a": [None, 5]})


@pytest.mark.parametrize(
    ("wanted", "records", "expected"),
    [
        (EITHER, [{"a": 0, "b": "x"}, {"a": "", "b": "y"}, {"a": False, "b": 2}], ["0", "y", "2"]),
        (MORE, [{"a": 6}, {"a": "6"}, {"a": None}, {"a": 5.5}], [True, None, None, True]),
        (LENGTH, [{"a": "é"}, {"a": []}, {"a": None}, {"a": {"b": 1}}], [1, 0, REFUSED, 1]),
        (Wanted("c", "a.b", "string"), [{"a": "x"}, {"a": {"b": "y"}}, {"a": [1]}], [None, "y", None]),
        (Wanted("c", "{x: a}", "json"), [{"a": 1}, {"a": 1.0}, {"a": {}}], ['{"x":1}', '{"x":1.0}', '{"x":{}}']),
    ],
)
def test_slices_of_mixed_kinds_are_exact(wanted: Wanted, records: list[Any], expected: list[Any]) -> None:
    assert expected == values(wanted, *records)


def test_a_function_that_raises_refuses_its_record_only() -> None:
    rows = _read(Reader(reading([LENGTH]), (), frozenset()), *({"a": [at]} for at in range(100)), {"b": 1})
    assert (100, [100]) == (rows.frame.height, [reject.at for reject in rows.rejects])
    assert "length is declared integer: length() needs text or a list or an object, found null" in rows.rejects[0].says


def test_a_record_that_polars_refuses_hides_no_other_kind() -> None:
    reader = Reader(reading([Wanted("c", "a.b || a", "string")]), (), frozenset())
    assert ["x", "y"] == _read(reader, {"a": "x"}, {"a": "y"}).frame["c"].to_list()
    assert ["z"] == _read(reader, {"a": {"b": "z"}}).frame["c"].to_list()


def test_deep_nesting_in_what_is_not_read_is_no_matter() -> None:
    deep = json.loads("[" * 200 + "]" * 200)
    assert ["5", "x"] == values(EITHER, {"a": 5, "deep": deep}, {"a": "x", "deep": deep})


# --- odd records


def _orders(number: int, **odd: Any) -> list[Any]:
    """Orders, of which every hundredth is odd."""
    given: list[dict[str, Any]] = [{"id": at, "items": [{"qty": 1}, {"qty": at}]} for at in range(number)]
    return [{**one, **odd} if one["id"] % 100 == 50 else one for one in given]


def test_a_few_odd_records_are_read_by_themselves_and_all_others_by_polars() -> None:
    records = _orders(640)
    records[77]["items"] = [{"qty": "two"}]
    rows = _read(Reader(reading([ID, TOTAL]), (), frozenset()), *records)
    assert ([at for at in range(640) if at != 77], [77]) == (
        rows.frame["id"].to_list(),
        [one.at for one in rows.rejects],
    )
    assert {("total", "items[].qty is a text, not a whole number"): 1} == dict(rows.asked)


def test_odd_records_do_not_hide_what_most_are() -> None:
    records: list[Any] = [{"a": at} for at in range(640)]
    rows = _read(Reader(reading([EITHER]), (), frozenset()), *records[:77], {"a": "", "b": "y"}, *records[78:])
    assert {("either", "a is a text, not a number"): 1} == dict(rows.asked)
    assert [*map(str, range(77)), "y", *map(str, range(78, 640))] == rows.frame["either"].to_list()


def test_odd_records_are_counted_for_the_columns_that_read_what_is_odd() -> None:
    wanted = [ID, Wanted("first", "items[?qty > `0`] | [0].qty", "integer"), Wanted("tags", "tags", "list")]
    rows = _read(Reader(reading(wanted), (), frozenset()), *_orders(300, tags="x"), *_orders(300, items="none"))
    assert {
        ("tags", "tags is a text, not a list"): 3,
        ("first", "items is a text, not a list"): 3,
    } == dict(rows.asked)
    assert [one for one in range(300) if one % 100 != 50] + list(range(300)) == rows.frame["id"].to_list()


def test_records_that_leave_a_column_in_doubt_are_counted() -> None:
    rows = _read(Reader(reading([Wanted("c", "join(',', a)", "string")]), (), frozenset()), {"a": ["x", None]}, {})
    assert {("c", IN_DOUBT): 2} == dict(rows.asked)
    assert [0, 1] == [one.at for one in rows.rejects]


def test_what_the_page_lets_expect_is_not_counted() -> None:
    rows = _read(Reader(reading([Wanted("all", "a.*", "list"), EITHER]), (), frozenset()), {"a": "x"}, {"b": "y"})
    assert {} == dict(rows.asked)


def test_columns_of_a_slice_with_many_odd_records_are_counted_with_all_of_it() -> None:
    rows = _read(Reader(reading([LENGTH]), (), frozenset()), *[{"a": "xy"}, {"a": [1, 2, 3]}] * 50)
    assert [100] == list(rows.asked.values())
    assert [2, 3] * 50 == rows.frame["length"].to_list()


def test_odd_records_are_read_by_themselves_beside_a_column_that_no_record_fits() -> None:
    records = [{**one, "nums": [1], "words": ["a"]} for one in _orders(640)]
    wanted = [ID, TOTAL, Wanted("same", "nums == words", "boolean")]
    reader = Reader(reading(wanted), (), frozenset())
    for odd in (77, 200):
        records[odd]["items"] = [{"qty": "two"}]
    for _ in range(MOST_LOOKS + 2):
        rows = _read(reader, *records)
    assert ([77, 200], 2) == (
        [one.at for one in rows.rejects],
        sum(n for (of, _), n in rows.asked.items() if of == "total"),
    )
