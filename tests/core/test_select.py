"""JMESPath applied to documents: what it finds, what it reads, what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import Json
from engine.core.select import SelectError, compile

DOCUMENT = {"data": {"items": [{"id": 1, "at": "2026-01-02"}, {"id": 2}]}, "total": 2, "next": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("total", 2),
        ("data.items[].id", [1, 2]),
        ("next.token", None),
        ("total.deeper", None),
        ("@", DOCUMENT),
        ("length(data.items)", 2),
        ("data.items[?at=='2026-01-02'].id", [1]),
        ("data.items[?at==`2026-01-02`].id", [1]),
        ("data.items[?at>'2026-01-01'].id", [1]),
        ("data.items[?at>`5`].id", []),
        ("total<'3'", None),
        ("total<`3`", True),
    ],
)
def test_an_expression_finds(text: str, expected: Json) -> None:
    assert expected == compile(text).search(DOCUMENT)


@pytest.mark.parametrize(
    ("text", "document", "message"),
    [
        ("contains(tags, 'x')", {}, "contains() needs a list or text, found null"),
        ("sum(n)", {"n": [1, "2"]}, "sum() needs a list of numbers, found text"),
        ("sort_by(n, &at)", {"n": [{"at": 1}, {}]}, "sort_by() needs a number, found null"),
        (
            "max_by(n, &at)",
            {"n": [{"at": 1}, {"at": "x"}]},
            "max_by(n, &at) cannot be worked out: it meets values of different kinds",
        ),
    ],
)
def test_an_expression_says_what_it_cannot_work_with(text: str, document: Json, message: str) -> None:
    with pytest.raises(SelectError) as caught:
        compile(text).search(document)
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ("a",)),
        ('a."b-c".d', ("a", "b-c", "d")),
        ("@", ()),
        ("@.a", ("a",)),
        ("a[0]", None),
        ("a || b", None),
        ("'a'", None),
    ],
)
def test_a_plain_path_is_known(text: str, expected: tuple[str, ...] | None) -> None:
    assert expected == compile(text).plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b.c", {("a", "b", "c")}),
        ("a[?b=='x'].c", {("a",)}),
        ("a.b || c", {("a", "b"), ("c",)}),
        ("a.b || a", {("a",)}),
        ("{x: a.b, y: length(c)}", {("a", "b"), ("c",)}),
        ("a.{x: b}", {("a",)}),
        ("sort_by(a.b, &c)[0].d", {("a", "b")}),
        ("a | b", {("a", "b")}),
        ("keys(@)", {()}),
        ("*.a", {()}),
        ("'x'", set()),
    ],
)
def test_the_places_it_reads_are_known(text: str, expected: set[tuple[str, ...]]) -> None:
    assert expected == compile(text).paths


def test_roots_are_the_top_level_fields() -> None:
    assert {"a", "c"} == compile("a.b == c").roots


def test_the_whole_document_is_a_star_among_the_roots() -> None:
    assert {"*"} == compile("length(@)").roots


def test_a_literal_is_constant() -> None:
    assert (True, False) == (compile("'x'").constant, compile("a == 'x'").constant)


VALUES = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TEXTS = [
    "a.b",
    "a.b || c",
    "a[].b",
    "a[?b].c",
    "a.{x: b}",
    "[a.b, c]",
    "!a.b",
    "a.b == c",
    "a.*.b",
    "type(a.c)",
    "a.b[0]",
]


def cut(document: Json, paths: frozenset[tuple[str, ...]]) -> Json:
    if not isinstance(document, dict) or () in paths:
        return document
    below = {key: frozenset(path[1:] for path in paths if path[0] == key) for key in document}
    return {key: cut(value, below[key]) for key, value in document.items() if below[key]}


@given(st.sampled_from(TEXTS), st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3))
def test_a_document_cut_down_to_what_is_read_gives_the_same(text: str, document: Json) -> None:
    selection = compile(text)
    assert selection.search(document) == selection.search(cut(document, selection.paths))
