"""What a translation presumes of the kinds of values: of the expression, of what was seen, and where it is in doubt."""

from __future__ import annotations

import json

import msgspec
import polars as pl
import pytest

from engine.core import jsontext
from engine.core.errors import Json
from engine.core.select import (
    Column,
    Fields,
    Refusal,
    SelectError,
    compile,
    guard,
    leaf_text,
    schema,
    seen_in,
    translate,
)
from engine.core.select.written import ESCAPED

ASKED = "jmespath.py is asked"


def found(text: str, of: str, *records: Json, seen: bool = False) -> list[Json]:
    """The value of each record as the translation gives it."""
    column = translate(text, of=of, seen=seen_in(records) if seen else None)  # type: ignore[arg-type]  # of a table of cases
    assert isinstance(column, Column), column
    body = json.dumps(records, ensure_ascii=False).encode()
    if check := guard(column.fields):
        check.decode(body)
    frame = pl.DataFrame({" at": range(len(records))})
    if column.fields:
        frame = frame.hstack(pl.read_json(body, schema=schema(column.fields)))
    doubt = pl.lit(False) if column.doubt is None else column.doubt
    columns = frame.with_columns(value=column.expr, doubt=doubt)
    return [
        ASKED if asked else value
        for value, asked in zip(*(one.to_list() for one in columns["value", "doubt"]), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a", {"a": "text"}),
        ("a=='x'", {"a": "text"}),
        ("a==`null`", {"a": "open"}),
        ("a=='5'", {"a": "string"}),
        ("a==`true`", {"a": "boolean"}),
        ("a>`5`", {"a": "number"}),
        ("a==b", {"a": "string", "b": "string"}),
        ("a<b", {"a": "number", "b": "number"}),
        ("a || b", {"a": "string", "b": "string"}),
        ("a && a > `5`", {"a": "number"}),
        ("a || `0`", {"a": "number"}),
        ("(a || b)[0]", {"a": ["text"], "b": ["text"]}),
        ("(a || b).c", {"a": {"c": "text"}, "b": {"c": "text"}}),
        ("[a, b] | join('-', @)", {"a": "string", "b": "string"}),
        ("length(a)", {"a": ["open"]}),
        ("starts_with(a, 'x')", {"a": "string"}),
        ("sum(a[].b)", {"a": [{"b": "integer"}]}),
        ("a[?b || c].d | [0]", {"a": [{"b": "string", "c": "string", "d": "text"}]}),
        ("a[b]", {"a": ["text"], "b": "integer"}),
    ],
)
def test_what_is_presumed_follows_from_the_expression(text: str, fields: Fields) -> None:
    column = translate(text, of="scalar")
    assert isinstance(column, Column), column
    assert fields == column.fields


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("a || 'x'", {"a": 5}),
        ("a=='5'", {"a": 5}),
        ("a>`5`", {"a": "6"}),
        ("a>`5`", {"a": True}),
        ("a==`true`", {"a": "true"}),
        ("sum(a)", {"a": [1, 2.0]}),
        ("a[b]", {"a": ["x"], "b": 0.0}),
        ("starts_with(a[0], 'x')", {"a": [["x"]]}),
    ],
)
def test_another_kind_than_presumed_is_found_by_the_guard(text: str, record: Json) -> None:
    with pytest.raises(msgspec.ValidationError):
        found(text, "scalar", record)


CASES: list[tuple[str, str, Json]] = [
    ("a || b", "scalar", {"a": 0, "b": "x"}),
    ("a || b", "scalar", {"a": False, "b": 5}),
    ("a || b", "scalar", {"a": [], "b": "x"}),
    ("a && b", "scalar", {"a": {"c": 1}, "b": True}),
    ("!a", "scalar", {"a": 0}),
    ("a.b || 'none'", "scalar", {"a": "text"}),
    ("a == b", "scalar", {"a": 1, "b": 1.0}),
    ("a == b", "scalar", {"a": 1, "b": True}),
    ("a == b", "scalar", {"a": 1, "b": "1"}),
    ("a == '5'", "scalar", {"a": 5}),
    ("a < `5`", "scalar", {"a": "4"}),
    ("a < 'b'", "scalar", {"a": "a"}),
    ("a[?b].c", "list", {"a": [{"b": True, "c": 1}, {"b": False, "c": 2}]}),
    ("a[?b].c", "list", {"a": [{"b": 0, "c": 1}, {"c": 2}]}),
    ("a[?b > `1`].c", "list", {"a": [{"b": 2.5, "c": 1}, {"b": 1, "c": 2}, None]}),
    ("a[1:]", "list", {"a": ["x", "y", None]}),
    ("a[::-2]", "list", {"a": ["x", "y", "z"]}),
    ("a[-2:9:1]", "list", {"a": ["x", "y", "z"]}),
    ("a[5:0:-1]", "list", {"a": ["x", "y", "z"]}),
    ("[a, b.c, `1`, 'x']", "list", {"a": 1.5, "b": {}}),
    ("[a, b][]", "list", {"a": ["x"], "b": ["y", None]}),
    ("{x: a, y: b}.y", "scalar", {"a": 1, "b": 2}),
    ("a[].{x: b}.x", "list", {"a": [{"b": 1}, None]}),
    ("length(a)", "scalar", {"a": "é😀"}),
    ("length(a)", "scalar", {"a": [None, 1]}),
    ("contains(a, 'x')", "scalar", {"a": "axb"}),
    ("contains(a, 'x')", "scalar", {"a": ["x", None]}),
    ("contains(a, `5`)", "scalar", {"a": [5]}),
    ("contains(a, `null`)", "scalar", {"a": [5, None]}),
    ("ends_with(a, 'é')", "scalar", {"a": "xé"}),
    ("join(b, a)", "scalar", {"a": ["x", "y"], "b": "-"}),
    ("join('-', [a, b])", "scalar", {"a": "x", "b": "y"}),
    ("abs(a)", "scalar", {"a": -(2**70)}),
    ("ceil(a)", "scalar", {"a": -0.5}),
    ("floor(a)", "scalar", {"a": 2.5}),
    ("sum(a)", "scalar", {"a": [5, -7]}),
    ("sum(a)", "scalar", {"a": []}),
    ("avg(a)", "scalar", {"a": [1, 2]}),
    ("avg(a)", "scalar", {"a": [2, 2]}),
    ("max(a)", "scalar", {"a": [9, 10.5]}),
    ("min(a)", "scalar", {"a": ["b", "é", "a"]}),
    ("sort(a)", "list", {"a": ["é", "b", "😀", "B"]}),
    ("sort(a)", "list", {"a": [10, 9, -1]}),
    ("sort_by(a, &b)[].c", "list", {"a": [{"b": 10, "c": 1}, {"b": 9, "c": 2}, {"b": 10, "c": 3}]}),
    ("max_by(a, &b).c", "scalar", {"a": [{"b": "x", "c": 1}, {"b": "x", "c": 2}]}),
    ("min_by(a, &b).c", "scalar", {"a": []}),
    ("reverse(a)", "list", {"a": ["x", None]}),
    ("map(&b, a)", "list", {"a": [{"b": 1}, {}]}),
    ("not_null(a, b)", "scalar", {"b": ""}),
    ("type(a)", "scalar", {"a": 1}),
    ("type(a)", "scalar", {"a": None}),
    ("to_array(a)", "list", {"a": "x"}),
    ("to_string(a)", "scalar", {"a": 2.5}),
    ("to_string(a)", "scalar", {"a": None}),
    ("to_number(a)", "scalar", {"a": "-12.5"}),
    ("'x'", "scalar", {}),
    ("{x: a, y: b[].c}", "json", {"a": 'q"\n\u0001é', "b": [{"c": 5}, {"c": 7}]}),
    ("[a, 'x']", "json", {"a": "y"}),
    ("a || b", "json", {"a": None, "b": 0.5}),
]


@pytest.mark.parametrize(("text", "of", "record"), CASES)
def test_what_records_hold_is_translated_for_them(text: str, of: str, record: Json) -> None:
    value = compile(text).search(record)
    expected = jsontext.write(value).decode() if of == "json" else texts(value)
    assert [expected] == found(text, of, record, seen=True)


def texts(value: Json) -> Json:
    return [texts(one) for one in value] if isinstance(value, list) else leaf_text(value)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("length(a)", {"a": None}),
        ("join('-', a)", {"a": ["x", None]}),
        ("starts_with(a, 'x')", {"b": 1}),
        ("sort(a)[0]", {"a": ["x", None]}),
        ("sort_by(a, &b)[0].c", {"a": [{"b": "x"}, {"c": 1}]}),
        ("sum(a)", {"a": [None, 1]}),
        ("abs(a)", {}),
        ("a[].length(b) | [0]", {"a": [{"b": "x"}, None]}),
    ],
)
def test_where_a_function_raises_jmespath_is_asked(text: str, record: Json) -> None:
    with pytest.raises(SelectError):
        compile(text).search(record)
    assert [ASKED] == found(text, "scalar", record, seen=True)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("a == b", {"a": 2**53 + 1, "b": 2**53}),
        ("sum(a)", {"a": [2**53, 2**53]}),
        ("max(a)", {"a": [2**53, 2**53 + 1]}),
        ("ceil(a)", {"a": 1e22}),
        ("to_number(a)", {"a": " 5 "}),
        ("to_number(a)", {"a": "1_000"}),
        ("to_string(a)", {"a": 1e-7}),
        ("avg(a)", {"a": [1] + [0] * 20_000}),
        ("(a || b).c", {"a": {}, "b": {"c": 1}}),
    ],
)
def test_what_polars_is_not_exact_for_is_asked_of_jmespath(text: str, record: Json) -> None:
    assert [ASKED] == found(text, "scalar", record, seen=True)


@pytest.mark.parametrize("text", ["a && length(a)", "length(a || '')", "a == `null` || starts_with(a, 'x')"])
def test_what_is_not_worked_out_is_in_no_doubt(text: str) -> None:
    assert ASKED not in found(text, "scalar", {"a": None}, {"a": "xy"}, seen=True)


def test_a_filter_keeps_doubts_from_what_it_leaves_out() -> None:
    records = [{"a": [{"b": 1, "c": "x"}, {"c": None}]}]
    assert [["1"]] == found("a[?b].length(c)", "list", *records, seen=True)


def test_values_of_various_kinds_are_passed_on_but_not_judged() -> None:
    records = [{"a": 1}, {"a": "x"}]
    assert ["1", "x"] == found("a", "scalar", *records, seen=True)
    assert isinstance(translate("a || 'y'", of="scalar", seen=seen_in(records)), Refusal)


def test_every_sign_is_written_as_json_writes_it() -> None:
    signs = "".join(map(chr, [*range(33), 34, 47, 92, 127, 128, 0x2028, 0xFFFD, 0x1F600]))
    assert [f'{{"x":{jsontext.write(signs).decode()}}}'] == found("{x: a}", "json", {"a": signs})
    assert 34 == len(ESCAPED)
