"""JSON whose objects hold a key twice: the first value counts, and all else is as it always was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.core import jsontext

NUMBERS = st.sampled_from(
    ["-0", "1.0", "1e5", "0.1", "18446744073709551616", "12345678901234567890.5", "1e308", "1e-400"]
)
TEXTS = st.sampled_from(['""', '"a:b"', r'"\u003a"', r'"\ud83d\ude00"', r'"\ud800"', r'"\\\u0000/"', '"\u2028é"'])
KEYS = st.sampled_from(['"a"', '"c:"', r'"\u003c"'])
VALUES = st.recursive(
    NUMBERS | TEXTS | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda some: f"[{' , '.join(some)}]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda one: f"{{{','.join(f'{k} :{v}' for k, v in one.items())}}}"
        )
    ),
)


@given(VALUES)
@example("[1e400]")
@example("{")
def test_what_holds_no_key_twice_is_read_as_ever(text: str) -> None:
    assert _said(jsontext.read, text) == _said(jsontext.read_firsts, text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "a": 2}', {"a": 1}),
        ('{"a" : 1, "a": 2}', {"a": 1}),
        (r'{"a": 1, "\u0061": 2}', {"a": 1}),
        ('{"b": 0, "a": null, "b": 9, "a": {"c": 1.0, "c": 2}}', {"b": 0, "a": None}),
        (r'[{"a": {"b": "x:y", "b": "z"}}, "\u003a"]', [{"a": {"b": "x:y"}}, ":"]),
    ],
)
def test_of_a_key_that_comes_twice_the_first_value_counts(text: str, value: Any) -> None:
    assert value == jsontext.read_firsts(text.encode())


def _said(read: Any, text: str) -> str:
    try:
        return repr(read(text.encode()))
    except jsontext.NoJson:
        return "no JSON"
