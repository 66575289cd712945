"""Paging that goes in a circle, and totals that are not met."""

import pytest

from engine.core.errors import CollectionError
from engine.core.wire import Page, Request
from engine.flow.guard import Guard
from engine.parts.paginate.cursor import Cursor
from engine.parts.paginate.offset import Offset

ASKED = Request("GET", "https://api.example.com/things")
PAGING = Cursor.model_validate({"read": "answer.next", "send": "query.token"})
COUNTED = Offset.model_validate({"send": "query.offset", "total": "answer.total"})


def _see(guard: Guard, row: bytes, following: str | None) -> None:
    guard.check(ASKED, Page(ASKED, 200, rows=(row,)), following, PAGING)


def test_a_cursor_that_comes_twice_in_a_row_is_refused() -> None:
    guard = Guard()
    _see(guard, b"1", "a")
    with pytest.raises(CollectionError, match='the cursor "a" came a second time'):
        _see(guard, b"2", "a")


def test_a_longer_circle_of_cursors_is_refused() -> None:
    guard = Guard()
    _see(guard, b"1", "a")
    _see(guard, b"2", "b")
    with pytest.raises(CollectionError, match='the cursor "a" came a second time'):
        _see(guard, b"3", "a")


def test_a_page_that_equals_an_earlier_one_is_refused() -> None:
    guard = Guard()
    _see(guard, b"1", "a")
    _see(guard, b"2", "b")
    with pytest.raises(CollectionError, match="the page equals an earlier one"):
        _see(guard, b"1", "c")


def test_two_empty_pages_are_no_circle() -> None:
    guard = Guard()
    guard.check(ASKED, Page(ASKED, 200), "a", PAGING)
    guard.check(ASKED, Page(ASKED, 200), "b", PAGING)
    assert {'"a"', '"b"'} == guard.cursors


@pytest.mark.parametrize("came", [2, 4])
def test_a_declared_total_that_is_not_met_is_told(came: int) -> None:
    guard = Guard()
    guard.check(ASKED, Page(ASKED, 200, body=b'{"total": 3}', rows=(b"1",)), None, COUNTED)
    with pytest.raises(CollectionError, match=f"the vendor declared 3 records, {came} came"):
        guard.complete(came, ASKED)


def test_a_declared_total_that_is_met_is_fine() -> None:
    guard = Guard()
    guard.check(ASKED, Page(ASKED, 200, body=b'{"total": 1}', rows=(b"1",)), None, COUNTED)
    guard.complete(1, ASKED)
    assert 1 == guard.total
