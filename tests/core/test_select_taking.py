"""Records and other values of an answer, taken out of its bytes in one pass: the same as each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.core import jsontext
from engine.core.select import Taking, taking, together
from engine.core.wire import Page, Request
from engine.flow.raw import rows_in

PAGE = (
    b'{"next":"n2", "meta": {"more": true, "left": null, "at": [1, {"a": "\\u00e9"}]}, "total": 12,'
    b' "data": [ {"id": 1},{"id":"\\ud83d\\ude00"} , 3, null, [4] ], "data2": {"items": [{"id": 2}], "next": 7}}'
)
READ = ("answer.next", "answer.meta.more", "answer.meta.left", "answer.meta.at", "answer.gone", "answer.meta.gone.x")
WORKED_OUT = ("!answer.meta.more", "answer.total > `10`", "answer.meta.at[1].a", "length(answer.next) || answer.gone")


def _taking(records: tuple[str, ...], *others: tuple[str, ...]) -> Taking:
    found = taking(records, others)
    assert found is not None
    return found


def _page(body: bytes, records: tuple[str, ...], read: Sequence[str]) -> Page:
    """A page that was looked through."""
    paths = [
        ("next",),
        ("total",),
        ("gone",),
        *(("meta", one) for one in ("more", "left", "at")),
        ("meta", "gone", "x"),
    ]
    taken = _taking(records, *paths).of(body)
    assert taken is not None
    return Page(Request("GET", "http://127.0.0.1/"), 200, body=body, taken=taken)


@pytest.mark.parametrize("expression", [*READ, *WORKED_OUT, "answer.total", "answer.data2.next", "answer"])
def test_what_was_taken_reads_as_the_answer_does(expression: str) -> None:
    page = _page(PAGE, ("data",), READ)
    assert replace(page, taken=None).read(expression) == page.read(expression)


def test_what_was_taken_is_not_looked_for_again() -> None:
    page = replace(_page(PAGE, ("data",), READ), body=b"{ what came is not read once more")
    assert ["n2", True, None, True] == [page.read(one) for one in (*READ[:3], "answer.total > `10`")]


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (PAGE, ("data",)),
        (PAGE, ("data2", "items")),
        (b'[ {"id": 1} ,2, "x"]', ()),
        (b'{"data": []}', ("data",)),
        (b'{"data": [1], "data": [2, 3]}', ("data",)),
        ('{"däta": [{"ü": 1}]}'.encode(), ("däta",)),
    ],
)
def test_records_are_those_that_the_longer_way_finds(body: bytes, records: tuple[str, ...]) -> None:
    taken = _taking(records, ("next",)).of(body)
    assert taken
    assert taken.rows is not None
    longer = rows_in(body, ".".join(f'"{key}"' for key in records) or "@") or []
    assert (longer, len(longer), longer[1:]) == (list(taken.rows), len(taken.rows), list(taken.rows[1:]))
    assert jsontext.read(b"[" + b",".join(longer) + b"]") == jsontext.read(taken.rows.text)


def test_records_are_put_together_once_however_they_came() -> None:
    taken = _taking(("data",)).of(PAGE)
    assert taken
    assert taken.rows
    assert b'[{"id": 1},{"id":"\\ud83d\\ude00"},3,null,[4]]' == together(taken.rows) == together(list(taken.rows))
    assert together(taken.rows) is taken.rows.text


@pytest.mark.parametrize("body", [b'{"data": null}', b"{}", b'{"next": "x"}'])
def test_null_and_nothing_are_no_records(body: bytes) -> None:
    taken = _taking(("data",)).of(body)
    assert taken
    assert taken.rows is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"data": [1]', b'{"data": [1]} x', b'{"data": {"id": 1}}', b"[1]", b"null", b'{"data": [NaN]}'],
)
def test_what_is_shaped_otherwise_or_is_no_json_takes_the_longer_way(body: bytes) -> None:
    assert _taking(("data",), ("next",)).of(body) is None


def test_a_value_on_the_way_to_the_records_is_read_from_the_answer() -> None:
    taken = _taking(("data2", "items"), ("data2",), ("data2", "next"), ("data2", "items", "x")).of(PAGE)
    assert taken
    assert [("data2", "next")] == list(taken.at)


@pytest.mark.parametrize("records", [None, ('a"b',)])
def test_records_at_no_plain_path_take_the_longer_way(records: tuple[str, ...] | None) -> None:
    assert taking(records) is None
