"""Values at plain paths, taken out of JSON texts without decoding the rest."""

import json

import pytest

from engine.core.select import MISSING, Missing, SelectError, paired, raw_reader, split

RECORDS = (
    b"""[{"a": {"b": 1.10}}, {"a": {"b": null}}, {"a": {}}, {"a": null}, {}, {"a": {"b": [1, {"c": "\\u00e9"}]}}]"""
)
MIXED = b"""[{"a": {"b": true}}, {"a": "text"}, "text", null, {"a": [1]}]"""


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (("a", "b"), RECORDS, [b"1.10", None, None, None, None, b'[1, {"c": "\\u00e9"}]']),
        (("a", "b"), MIXED, [b"true", None, None, None, None]),
        (("a",), MIXED, [b'{"b": true}', b'"text"', None, None, b"[1]"]),
        ((), MIXED, [b'{"a": {"b": true}}', b'{"a": "text"}', b'"text"', None, b'{"a": [1]}']),
        (('q"q', "\n"), json.dumps([{'q"q': {"\n": 1}}, {}, {'q"q': 5}]).encode(), [b"1", None, None]),
        (("a",), b"[]", []),
    ],
)
def test_raw_values_are_read(path: tuple[str, ...], body: bytes, expected: list[bytes | None]) -> None:
    assert expected == [None if raw is None else bytes(raw) for raw in raw_reader(path)(body)]


@pytest.mark.parametrize("body", [b"", b"[{", b"{}", b"<html>", b"[" * 100_000])
def test_what_is_no_array_of_records_is_refused(body: bytes) -> None:
    with pytest.raises(SelectError):
        raw_reader(("a",))(body)


PAGE = b"""{"meta": {"next": "abc", "last": null}, "data": [{"id": 1}], "meta2": 5}"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("data",), b'[{"id": 1}]'),
        (("meta", "next"), b'"abc"'),
        ((), PAGE),
        (("meta", "last"), None),
        (("meta", "gone"), MISSING),
        (("gone", "next"), MISSING),
        (("data", "id"), MISSING),
        (("meta2", "x"), MISSING),
        (("meta", "last", "x"), MISSING),
    ],
)
def test_a_page_is_split(path: tuple[str, ...], expected: bytes | Missing | None) -> None:
    found = split(PAGE, path)
    assert expected == (found if found is None or found is MISSING else bytes(found))


@pytest.mark.parametrize("body", [b"", b'{"data": [', b"<html>", b'{"data": "\\ud800"}'])
def test_a_body_that_is_no_json_is_not_split(body: bytes) -> None:
    with pytest.raises(SelectError):
        split(body, ("data",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"a\ud800b"', rb'"a\ufffdb"'),
        (rb'"\uDC00"', rb'"\ufffd"'),
        (rb'"\ud800\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud800"', rb'"\\ud800"'),
        (rb'"\\\ud800"', rb'"\\\ufffd"'),
        (rb'"\u00e9\udbff"', rb'"\u00e9\ufffd"'),
    ],
)
def test_lone_surrogates_become_the_replacement_character(text: bytes, expected: bytes) -> None:
    assert expected == paired(text)
