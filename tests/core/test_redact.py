"""What is taken out of a record, path by path."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.redact import drop, hashed, redact


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("path", "record", "left"),
    [
        ("a", {"a": 1, "b": 2}, {"b": 2}),
        ("a.b", {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        ("a[].b", {"a": [{"b": 1, "c": 2}, {"c": 3}]}, {"a": [{"c": 2}, {"c": 3}]}),
        ("a.b", {"a": [{"b": 1}, {"c": 3}]}, {"a": [{}, {"c": 3}]}),
        ("a[]", {"a": [1, 2]}, {"a": []}),
        ("**.b", {"b": 1, "a": {"b": 2, "c": [{"b": 3}, [{"b": 4}]]}}, {"a": {"c": [{}, [{}]]}}),
        ("**.a.b", {"x": {"a": {"b": 1, "c": 2}}, "b": 3}, {"x": {"a": {"c": 2}}, "b": 3}),
        ("gone.b", {"a": 1}, {"a": 1}),
        ("a.b", {"a": "text"}, {"a": "text"}),
        ("a[].b", {"a": {"b": 1}}, {"a": {"b": 1}}),
        ("a", "text", "text"),
        ("a", None, None),
    ],
)
def test_a_path_is_dropped(path: str, record: Any, left: Any) -> None:
    assert left == redact(record, path, drop)


@pytest.mark.parametrize(
    ("value", "text"),
    [("4111", "4111"), (411, "411"), (True, "true"), ({"b": 1, "a": [2]}, '{"a":[2],"b":1}'), ("", "")],
)
def test_a_value_is_hashed_by_its_text_or_its_json(value: Any, text: str) -> None:
    assert {"a": _sha(text)} == redact({"a": value}, "a", hashed)


def test_null_stays_null() -> None:
    assert {"a": None} == redact({"a": None}, "a", hashed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "a", "b"]), inner, max_size=3),
    max_leaves=12,
)


def _values(value: Any) -> list[Any]:
    """Every value at a key `k`, at any depth, those inside one of them not counted."""
    if isinstance(value, list):
        return [found for one in value for found in _values(one)]
    if not isinstance(value, dict):
        return []
    return [found for key, one in value.items() for found in ([one] if key == "k" else _values(one))]


@given(JSON)
def test_at_any_depth_means_everywhere(record: Any) -> None:
    assert [] == _values(redact(record, "**.k", drop))


@given(JSON)
def test_at_any_depth_hashes_once(record: Any) -> None:
    assert [hashed(one) for one in _values(record)] == _values(redact(record, "**.k", hashed))


@given(JSON)
def test_the_record_itself_stays_as_it_is(record: Any) -> None:
    import copy

    before = copy.deepcopy(record)
    redact(record, "**.k", drop)
    assert before == record
