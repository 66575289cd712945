"""Lookups in JMESPath: `index[pointer]` is the element whose number is a field of the record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import select
from engine.core.errors import Mistake

RECORD = {
    "index": ["a", "b", {"c": 5}],
    "at": 1,
    "a b": 2,
    "below": -1,
    "beyond": 3,
    "text": "1",
    "yes": True,
    "half": 0.5,
    "none": None,
    "inner": {"index": ["x", "y"], "at": 0},
    "rows": [{"index": ["p", "q"], "at": 0}],
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("index[at]", "b"),
        ("inner.index[at]", "y"),
        ('index["a b"].c', 5),
        ("index[missing] || 'none'", "none"),
        ("rows[].index[at] | [0]", "q"),
        ("rows[*].{at: index[at]} | [0].at", "q"),
        ("[index[at], at]", ["b", 1]),
        ("@.index[at]", "b"),
        ("{it: index[at]}.it", "b"),
        *((f"index[{name}]", None) for name in ("below", "beyond", "text", "yes", "half", "none", "missing")),
        *((f"{name}[at]", None) for name in ("inner", "text", "none", "missing")),
    ],
)
def test_a_lookup_gives_the_element_or_null(expression: str, found: Any) -> None:
    assert found == select.compile(expression).search(RECORD)


@pytest.mark.parametrize(
    "expression", ["index[1]", "index[-1].c", "index[:2]", "index[?@=='a']", "[at, text]", "rows[*].[at]"]
)
def test_what_the_specification_knows_means_what_it_did(expression: str) -> None:
    import jmespath

    assert jmespath.search(expression, RECORD) == select.compile(expression).search(RECORD)


def test_a_lookup_reads_the_list_and_the_number() -> None:
    assert {("up", "index"), ("at",)} == select.compile("up.index[at]").paths


def test_a_lookup_is_translated_for_whole_numbers() -> None:
    found = select.translate("a[b]", of="scalar")
    assert isinstance(found, select.Column)
    assert {"a": ["text"], "b": "integer"} == found.fields


@pytest.mark.parametrize(
    ("text", "says"), [("a[b.c]", "cannot stand here"), ("a[b=='x']", "a filter starts with [?"), ("a[b", "not closed")]
)
def test_a_mistake_beside_a_lookup_is_named(text: str, says: str) -> None:
    with pytest.raises(Mistake, match=says.replace("[", r"\[").replace("?", r"\?")):
        select.compile(text)


NUMBERS = st.integers(-3, 5) | st.none() | st.text("01", max_size=2) | st.booleans() | st.lists(st.integers())


@given(st.lists(st.integers() | st.text(max_size=2), max_size=4), NUMBERS)
def test_a_lookup_gives_what_an_index_written_out_gives(values: list[Any], number: Any) -> None:
    known = type(number) is int and number >= 0
    expected = select.compile(f"a[{number}]").search({"a": values}) if known else None
    assert expected == select.compile("a[n]").search({"a": values, "n": number})
