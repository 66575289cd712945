"""Paging that goes in a circle, lists that move while they are read, and totals that are not met."""

from typing import Any

import pytest

from engine.core.errors import CollectionError
from engine.core.kinds import Paginator
from engine.core.wire import Page, Request
from engine.flow.guard import MOST_EMPTY_PAGES, Guard, Unsettled
from engine.parts.paginate.cursor import Cursor
from engine.parts.paginate.offset import Offset

ASKED = Request("GET", "https://api.example.com/things")


def _cursor(*allow: str) -> Paginator:
    return Cursor.model_validate({"read": "answer.next", "send": "query.token", "allow": list(allow)})


def _counted(*allow: str) -> Guard:
    return Guard(Offset.model_validate({"send": "query.offset", "total": "answer.total", "allow": list(allow)}))


def _see(guard: Guard, following: Any, *rows: bytes, total: int | None = None) -> Any:
    body = b'{"total": %d}' % total if total is not None else b"{}"
    return guard.check(ASKED, Page(ASKED, 200, body=body, rows=rows), following)


def test_a_cursor_that_comes_twice_in_a_row_is_refused() -> None:
    guard = Guard(_cursor())
    _see(guard, "a", b"1")
    with pytest.raises(CollectionError, match='the cursor "a" came a second time'):
        _see(guard, "a", b"2")


def test_a_longer_circle_of_cursors_is_refused() -> None:
    guard = Guard(_cursor())
    _see(guard, "a", b"1")
    _see(guard, "b", b"2")
    with pytest.raises(CollectionError, match='the cursor "a" came a second time'):
        _see(guard, "a", b"3")


def test_a_repeated_cursor_is_the_end_where_the_vendor_does_that() -> None:
    guard = Guard(_cursor("repeated_cursor"))
    assert ["a", None] == [_see(guard, "a", b"1"), _see(guard, "a", b"2")]


def test_a_page_that_equals_an_earlier_one_is_refused() -> None:
    guard = Guard(_cursor())
    _see(guard, "a", b"1")
    _see(guard, "b", b"2")
    with pytest.raises(CollectionError, match="the page equals an earlier one"):
        _see(guard, "c", b"1")


def test_an_equal_page_is_fine_where_the_vendor_does_that() -> None:
    guard = Guard(_cursor("repeated_page"))
    assert ["a", "b"] == [_see(guard, "a", b"1"), _see(guard, "b", b"1")]


def test_two_empty_pages_are_no_circle() -> None:
    guard = Guard(_cursor())
    assert ["a", "b"] == [_see(guard, "a"), _see(guard, "b")]


def test_a_record_on_two_neighbouring_pages_means_that_the_list_moved() -> None:
    guard = _counted()
    _see(guard, 2, b"1", b"2")
    with pytest.raises(Unsettled, match="1 of its records stood on the page before as well"):
        _see(guard, 4, b"2", b"3")


def test_many_records_that_came_in_at_once_push_one_that_was_read_to_a_later_page() -> None:
    guard = _counted()
    _see(guard, 2, b"1", b"2")
    _see(guard, 4, b"n4", b"n5")
    with pytest.raises(Unsettled, match="1 of its records stood on an earlier page as well"):
        _see(guard, 6, b"2", b"3")


def test_pages_without_records_that_go_on_for_ever_are_given_up() -> None:
    guard = Guard(_cursor())
    for number in range(MOST_EMPTY_PAGES - 1):
        _see(guard, number)
    with pytest.raises(CollectionError, match="1,000 pages in a row have no records"):
        _see(guard, MOST_EMPTY_PAGES)


def test_a_record_now_and_then_is_enough_to_go_on() -> None:
    guard = Guard(_cursor())
    seen = [_see(guard, number, *[b"1"] * (number == 500)) for number in range(MOST_EMPTY_PAGES + 100)]
    assert MOST_EMPTY_PAGES + 99 == seen[-1]


def test_so_many_empty_pages_are_fine_where_the_page_says_so() -> None:
    guard = Guard(_cursor("empty_pages"))
    assert MOST_EMPTY_PAGES == [_see(guard, number) for number in range(MOST_EMPTY_PAGES + 1)][-1]


def test_equal_records_are_fine_where_the_page_says_drift() -> None:
    guard = _counted("drift")
    _see(guard, 2, b"1", b"2")
    assert 4 == _see(guard, 4, b"2", b"3")


def test_a_cursor_does_not_move_so_equal_records_on_neighbouring_pages_are_fine() -> None:
    guard = Guard(_cursor())
    _see(guard, "a", b"1", b"2")
    assert "b" == _see(guard, "b", b"2", b"3")


def test_a_list_that_shrinks_while_it_is_counted_may_have_lost_records() -> None:
    guard = _counted()
    _see(guard, 2, b"1", b"2", total=5)
    with pytest.raises(Unsettled, match="declared 5 records first and 4 now"):
        _see(guard, 4, b"3", b"4", total=4)


def test_a_list_that_grows_at_its_end_is_whole() -> None:
    guard = _counted()
    _see(guard, 2, b"1", b"2", total=3)
    _see(guard, None, b"3", b"4", total=4)
    guard.complete(ASKED)


@pytest.mark.parametrize("rows", [(b"1", b"2"), (b"1", b"2", b"3", b"4")])
def test_a_declared_total_that_is_not_met_is_told(rows: tuple[bytes, ...]) -> None:
    guard = _counted()
    _see(guard, None, *rows, total=3)
    with pytest.raises(Unsettled, match=f"the vendor declared 3 records, {len(rows)} came"):
        guard.complete(ASKED)


def test_a_total_that_is_only_an_estimate_is_no_fault_where_the_page_says_so() -> None:
    guard = _counted("changing_total")
    _see(guard, None, b"1", total=3)
    guard.complete(ASKED)
