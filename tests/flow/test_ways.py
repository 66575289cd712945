"""Presumptions are checked slice by slice: what does not bear them out is read otherwise, and comes out the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.flow.columns import Wanted, reading
from engine.flow.frames import Reader, Rows
from engine.flow.slices import Slice
from engine.flow.ways import MOST_LOOKS, Ways
from tests.flow.reading import REFUSED, values

EITHER = Wanted("either", "a || b", "string")
MORE = Wanted("more", "a > `5`", "boolean")
LENGTH = Wanted("length", "length(a)", "integer")


def _body(*records: Any) -> bytes:
    return json.dumps(records).encode()


def _read(reader: Reader, *records: Any) -> Rows:
    return reader.read(Slice(0, [json.dumps(one).encode() for one in records], {}))


def test_a_slice_that_bears_the_presumption_out_is_read_as_presumed() -> None:
    ways = Ways(reading([EITHER]), frozenset())
    assert ways.of(_body({"a": "x"}, {"a": None, "b": ""})) is ways.of(_body({"b": "y"}))


def test_another_kind_is_translated_once_and_then_known() -> None:
    ways = Ways(reading([EITHER]), frozenset())
    first, second = ways.of(_body({"a": 5})), ways.of(_body({"a": 2.5}, {}))
    assert first is second
    assert [] == first.slow
    assert first is not ways.of(_body({"a": "x"}))


def test_only_the_columns_of_mixed_kinds_go_record_by_record() -> None:
    ways = Ways(reading([EITHER, LENGTH, Wanted("id", "id", "integer")]), frozenset())
    slow = ways.of(_body({"id": 1, "a": 5}, {"id": 2, "a": "x"})).slow
    assert ["either", "length"] == [column.name for column in slow]


def test_records_that_are_ever_otherwise_are_not_looked_at_for_ever() -> None:
    ways = Ways(reading([Wanted("c", "a.b || c", "string")]), frozenset())
    looked = [
        ways.of(_body({"a": {"b": 5}, "c": "x"}, {"a": {"b": "x"}}, {"a": {"b": {}}})) for _ in range(MOST_LOOKS + 3)
    ]
    assert ["c"] == [column.name for column in looked[-1].slow]


def test_columns_that_presume_nothing_are_not_guarded() -> None:
    ways = Ways(reading([Wanted("a", "a[?b=='x'].c | [0]", "string"), Wanted("d", "d.e", "string")]), frozenset())
    assert ways.of(b"no JSON at all") is ways.of(b"[]")


def test_columns_presume_one_thing_of_one_field() -> None:
    found = reading([Wanted("yes", "a == `true`", "boolean"), Wanted("then", "a && b", "string")])
    assert {} == found.slow
    assert "boolean" == found.fields["a"]


def test_what_is_added_to_records_is_not_presumed_to_be_anything() -> None:
    ways = Ways(reading([EITHER]), frozenset({"a"}))
    assert ["either"] == [column.name for column in ways.of(_body({"b": 1})).slow]
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
