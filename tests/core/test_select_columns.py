"""JMESPath translated to Polars: the same as applied record by record, or refused."""

import io
import json
from typing import Literal

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import Json
from engine.core.select import (
    TEXT,
    UNREAD,
    Column,
    Conflict,
    Fields,
    Refusal,
    SelectError,
    Shape,
    compile,
    guard,
    leaf_text,
    merge,
    paired,
    schema,
    translate,
)

Of = Literal["scalar", "list", "json"]


def column(text: str, of: Of) -> Column:
    found = translate(text, of=of)
    assert isinstance(found, Column), found
    return found


def read(body: bytes, fields: Fields) -> pl.DataFrame:
    if found := guard(fields):
        found.decode(body)
    return pl.read_json(io.BytesIO(body), schema=schema(fields))


def values(records: list[Json], found: Column) -> list[Json]:
    body = json.dumps(records, ensure_ascii=False).encode()
    return read(body, found.fields).select(value=found.expr)["value"].to_list()


def texts(value: Json) -> Json:
    return [texts(one) for one in value] if isinstance(value, list) else leaf_text(value)


CREDENTIALS = {
    "credentials": [
        {"status": "revoked", "apiProducts": [{"apiproduct": "old"}]},
        {"status": "approved", "apiProducts": [{"apiproduct": "p1"}, {}, None]},
        {"status": "approved", "apiProducts": []},
        None,
        {"status": "approved", "apiProducts": [{"apiproduct": "p2"}]},
    ]
}


@pytest.mark.parametrize(
    ("text", "of", "record", "expected"),
    [
        ("a", "scalar", {"a": 1.10}, "1.1"),
        ("a", "scalar", {"a": True}, "true"),
        ("a", "scalar", {}, None),
        ("a.b", "scalar", {"a": {"b": "x"}}, "x"),
        ("a.b", "scalar", {"a": None}, None),
        ('a."é-1"', "scalar", {"a": {"é-1": "x"}}, "x"),
        ("a[0]", "scalar", {"a": ["x", "y"]}, "x"),
        ("a[-1].b", "scalar", {"a": [{"b": "x"}, {"b": "y"}]}, "y"),
        ("a[2]", "scalar", {"a": ["x"]}, None),
        ("a[-2147483647]", "scalar", {"a": ["x"]}, None),
        ("a[-2147483647:2147483647:2147483647]", "list", {"a": ["x", "y"]}, ["x"]),
        ("a[-2]", "scalar", {"a": ["x"]}, None),
        ("a", "list", {"a": ["x", None]}, ["x", None]),
        ("a[]", "list", {"a": ["x", None]}, ["x"]),
        ("a[].b", "list", {"a": [{"b": "x"}, {}, None, {"b": None}]}, ["x"]),
        ("a[*].b", "list", {"a": []}, []),
        ("a[*].b", "list", {"a": None}, None),
        ("a[].b[]", "list", {"a": [{"b": ["x", None]}, {"b": []}, {}, {"b": ["y"]}]}, ["x", "y"]),
        ("a[*].b[] | [0]", "scalar", {"a": [{"b": []}, {"b": ["x"]}]}, "x"),
        ("a[*].b[] | [0]", "scalar", {"a": [{"b": []}]}, None),
        ("a[*] | [0].b", "scalar", {"a": [None, {}, {"b": "x"}]}, None),
        ("a[*].b | [0]", "scalar", {"a": [None, {}, {"b": "x"}]}, "x"),
        ("a[?@!='x']", "list", {"a": ["x", "y", None]}, ["y"]),
        ("a[?b!='x'].c", "list", {"a": [{"b": "x", "c": "1"}, {"c": "2"}, None]}, ["2"]),
        ("a[?b==`null`].c", "list", {"a": [{"b": "x", "c": "1"}, {"c": "2"}, {"b": None, "c": "3"}]}, ["2", "3"]),
        ("a[?b=='x' && !(c=='y' || c=='z')].c", "list", {"a": [{"b": "x", "c": "y"}, {"b": "x", "c": "q"}]}, ["q"]),
        ("a=='x'", "scalar", {"a": "x"}, "true"),
        ("a!='x'", "scalar", {"a": "x"}, "false"),
        ("credentials[?status=='approved'].apiProducts[].apiproduct", "list", CREDENTIALS, ["p1", "p2"]),
    ],
)
def test_a_column_is_read(text: str, of: Of, record: Json, expected: Json) -> None:
    assert [expected] == values([record], column(text, of))


@pytest.mark.parametrize(
    ("text", "of", "reason"),
    [
        ("@", "scalar", "it reads the record as a whole"),
        ("a[]", "scalar", "it gives a list where one value is wanted"),
        ("{b: a}", "scalar", "it gives an object where one value is wanted"),
        ("a[*].b[*].c", "list", "it gives a list of lists or objects where a list of single values is wanted"),
        ("a=='x'", "list", "it gives one value where a list is wanted"),
        ("a[?b=='x'].b.c", "list", "one place is read as one value and as an object"),
        ("a[] | [0]", "list", "one place is read as one value and as a list"),
        (
            "a[0] == a",
            "scalar",
            "it compares lists or objects as a whole, and only the parts that are named are read of them",
        ),
        (
            "a == `[1]`",
            "scalar",
            "it compares lists or objects as a whole, and only the parts that are named are read of them",
        ),
        ("a == `{}`", "scalar", "objects written in the expression are not translated"),
        ("a == `9007199254740992`", "scalar", "numbers from 2^53 on are not exact"),
        ("a || `{}`", "json", "objects written in the expression are not translated"),
        (
            "a[*].{b: b, all: @}",
            "json",
            "the JSON of an object has all of its keys, and only those that are named are read",
        ),
        ("`[1]` | [0]", "scalar", "nothing is taken out of a list written in the expression"),
        ("x[*].a[b]", "list", "elements whose number is a field of the record are read of the record itself only"),
        ("a[-99999999999999999999:2]", "list", "numbers of elements from 2^31 on are not translated"),
        ("a[:9223372036854775808]", "list", "numbers of elements from 2^31 on are not translated"),
        ("a[::-2147483648]", "list", "numbers of elements from 2^31 on are not translated"),
        ("a[2147483648]", "scalar", "numbers of elements from 2^31 on are not translated"),
        ("keys(a)", "list", "keys() has no exact counterpart"),
        ("length(`5`)", "scalar", "length() raises for what it is given"),
        ('"*"', "scalar", 'the name "*" means something else to the readers'),
        ('a."^b$"', "scalar", 'the name "^b$" means something else to the readers'),
    ],
)
def test_what_is_not_exact_is_refused(text: str, of: Of, reason: str) -> None:
    assert Refusal(reason) == translate(text, of=of)


def test_the_values_of_an_object_are_not_read() -> None:
    found = translate("a.*", of="list")
    assert isinstance(found, Refusal)
    assert found.reason.startswith("the values of an object come in the order of its keys")


def test_fields_of_columns_are_merged() -> None:
    expected = {"id": TEXT, "a": [{"b": TEXT, "c": {"d": TEXT}}]}
    assert expected == merge(*(column(t, "list").fields for t in ("a[].b", "a[].c.d")), column("id", "scalar").fields)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": TEXT}, {"a": {"b": TEXT}}, Conflict("a", "a is read as one value and as an object")),
        ({"a": {"b": [TEXT]}}, {"a": {"b": TEXT}}, Conflict("a.b", "a.b is read as a list and as one value")),
        ({"a": "string"}, {"a": "number"}, Conflict("a", "a is read as a text and as a number")),
        ({"a": [TEXT]}, {"a": [{"b": TEXT}]}, Conflict("a[]", "a[] is read as one value and as an object")),
    ],
)
def test_one_field_is_not_read_in_two_ways(one: Fields, other: Fields, expected: Conflict) -> None:
    assert expected == merge(one, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (TEXT, "string", "string"),
        ("number", "integer", "integer"),
        (UNREAD, {"b": TEXT}, {"b": TEXT}),
        ([{"b": TEXT}], [UNREAD], [{"b": TEXT}]),
    ],
)
def test_what_is_presumed_of_a_field_holds_for_all_columns(one: Shape, other: Shape, expected: Shape) -> None:
    assert {"a": expected} == merge({"a": one}, {"a": other}) == merge({"a": other}, {"a": one})


def test_the_schema_reads_every_single_value_as_text() -> None:
    expected = {"a": pl.String(), "b": pl.List(pl.Struct({"c": pl.String(), "d": pl.List(pl.String())}))}
    assert expected == schema({"a": TEXT, "b": [{"c": TEXT, "d": [TEXT]}]})


SHAPES: list[Shape] = [TEXT, [TEXT], [[TEXT]], {"b": TEXT}, {"b": [TEXT]}, [{"b": TEXT}], [{"b": [TEXT]}]]
MISFITS: list[tuple[Shape, Json]] = [
    (TEXT, []),
    (TEXT, {}),
    ([TEXT], "x"),
    ([TEXT], False),
    ([TEXT], ""),
    ([TEXT], {}),
    ([TEXT], [["x"]]),
    ([TEXT], [{}]),
    ([[TEXT]], ["x"]),
    ([[TEXT]], "x"),
    ({"b": TEXT}, "x"),
    ({"b": TEXT}, []),
    ({"b": [TEXT]}, {"b": 5}),
    ({"b": [TEXT]}, [{"b": []}]),
    ([{"b": TEXT}], {"b": "x"}),
    ([{"b": TEXT}], "x"),
    ([{"b": TEXT}], ["x"]),
    ([{"b": [TEXT]}], [{"b": "x"}]),
]


@pytest.mark.parametrize(("shape", "value"), MISFITS)
def test_a_value_of_another_shape_is_refused_not_bent(shape: Shape, value: Json) -> None:
    with pytest.raises((msgspec.ValidationError, pl.exceptions.ComputeError)):
        read(json.dumps([{"a": value}]).encode(), {"a": shape})


@pytest.mark.parametrize("shape", SHAPES)
def test_null_and_nothing_fit_every_shape(shape: Shape) -> None:
    assert [None, None] == read(b'[{"a": null}, {}]', {"a": shape})["a"].to_list()


def test_no_guard_is_needed_where_polars_refuses_by_itself() -> None:
    assert guard({"a": TEXT, "b": [{"c": {"d": TEXT}}]}) is None


def test_a_lone_surrogate_does_not_become_nul() -> None:
    assert ["a�b"] == read(paired(rb'[{"a": "a\ud800b"}]'), {"a": TEXT})["a"].to_list()


NUMBERS = ["1.10", "1E5", "-0.0", "-0", "1e22", "1e-7", "18446744073709551616", "123456789.123456789", "true", "5e-324"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_decoded_value_has_the_text_that_polars_reads(number: str) -> None:
    [expected] = read(f'[{{"a": {number}}}]'.encode(), {"a": TEXT})["a"].to_list()
    assert expected == leaf_text(json.loads(number))


@pytest.mark.parametrize(("value", "found"), [([], "a list"), ({}, "an object")])
def test_a_list_or_an_object_has_no_text(value: Json, found: str) -> None:
    with pytest.raises(SelectError, match=f"found {found} where one value is expected"):
        leaf_text(value)


NAMES = st.sampled_from(["a", "b", '"é-1"'])
LITERALS = st.sampled_from(["'x'", "'é'", "''", "'null'", "`null`"])
STEPS = st.one_of(
    NAMES.map(".{}".format),
    st.sampled_from(["[0]", "[-1]", "[7]", "[]", "[*]", " | [0]", " | [-1]", " | []", " | [*]", " | @"]),
    NAMES.map("[].{}".format),
    NAMES.map("[*].{}".format),
    NAMES.map(" | {}".format),
)
PATHS = st.builds("{}{}".format, NAMES, st.lists(STEPS, max_size=3).map("".join))
TESTS = st.recursive(
    st.builds(
        "{}{}{}".format, NAMES | st.just("@") | PATHS.map("({})".format), st.sampled_from(["==", "!="]), LITERALS
    ),
    lambda inner: st.one_of(
        inner.map("!({})".format), st.builds("({}{}{})".format, inner, st.sampled_from([" && ", " || "]), inner)
    ),
    max_leaves=3,
)
FILTERS = st.builds("{}[?{}]{}".format, PATHS, TESTS, st.lists(STEPS, max_size=2).map("".join))
LEAVES = st.one_of(
    st.none(),
    st.sampled_from(["x", "é", "", "5", "null"]),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


OF_KIND: dict[str, st.SearchStrategy[Json]] = {
    "string": st.none() | st.sampled_from(["x", "é", "", "5", "null"]),
    "number": st.none() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False),
    "integer": st.none() | st.integers(-(10**20), 10**20),
    "boolean": st.none() | st.booleans(),
}


def fitting(shape: Shape) -> st.SearchStrategy[Json]:
    if isinstance(shape, str):
        return OF_KIND.get(shape, LEAVES)
    if isinstance(shape, list):
        return st.none() | st.lists(fitting(shape[0]), max_size=3)
    return st.none() | records(shape)


def records(fields: Fields) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional={name: fitting(shape) for name, shape in fields.items()})


@settings(max_examples=settings().max_examples)
@given(PATHS | FILTERS | TESTS, st.sampled_from(["scalar", "list"]), st.data())
def test_polars_finds_what_jmespath_finds(text: str, of: Of, data: st.DataObject) -> None:
    found, selection = translate(text, of=of), compile(text)
    if isinstance(found, Column):
        drawn = data.draw(st.lists(records(found.fields), min_size=1, max_size=4))
        body = json.dumps(drawn, ensure_ascii=False).encode()
        frame = pl.DataFrame({" at": range(len(drawn))})
        frame = frame.hstack(read(body, found.fields)) if found.fields else frame
        doubt = pl.lit(False) if found.doubt is None else found.doubt
        columns = frame.with_columns(found.expr.alias("value"), doubt.alias("doubt"))
        given = zip(drawn, columns["value"].to_list(), columns["doubt"].to_list(), strict=True)
        for record, value, asked in given:
            assert asked or texts(selection.search(record)) == value
