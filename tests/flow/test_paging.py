"""The loop over the pages of one list: its ends, its second reading, and what response rules make of an answer."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.app.engine import registry
from engine.core.errors import CollectionError, Json
from engine.core.window import Window
from engine.core.wire import Page, Request
from engine.flow.paging import Anew, Left, Paging, Turn
from engine.spec.collect import Endpoint

BASE = Request("GET", "https://api.example.com/things")
DAY = Window(datetime(2026, 6, 14, tzinfo=UTC), datetime(2026, 6, 15, tzinfo=UTC))
PAGES = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 4}, "total": "answer.total"}}
TOKENS = {"cursor": {"read": "answer.next", "send": "query.token"}}


@dataclass
class Vendor:
    """Answers requests, and remembers them and what it was told of later ones."""

    answers: Callable[[dict[str, str], int], tuple[int, Json]]
    """Query and number of the request -> status and body."""
    asked: list[dict[str, str]] = field(default_factory=list)
    told: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Page:
        self.asked.append(dict(request.query))
        status, body = self.answers(dict(request.query), len(self.asked) - 1)
        return Page(request, status, body=json.dumps(body).encode())

    def soon(self, requests: Iterator[Request]) -> None:
        self.told += [dict(request.query) for request in requests]


def _with_rows(page: Page) -> Page:
    if page.status != 200:
        raise CollectionError(f"status {page.status}")
    return Page(
        page.request, page.status, body=page.body, rows=[json.dumps(row).encode() for row in page.answer["data"]]
    )


def _turns(
    vendor: Vendor, paginate: Json, responses: Json = (), window: Window | None = None
) -> list[Turn | Left | Anew]:
    said = {"get": "/things", "paginate": paginate, "responses": list(responses)}
    endpoint = Endpoint.model_validate(said, context={"registry": registry()})

    def asked(at: Window | None) -> Request:
        return (
            BASE if at is None else Request("GET", BASE.url, (("from", str(at.start.hour)), ("to", str(at.end.hour))))
        )

    paging = Paging(endpoint.paginate, asked, vendor, _with_rows, window, responses=endpoint.responses)
    return list(paging.turns())


def _kept(turns: list[Turn | Left | Anew]) -> list[Turn | Left | Anew]:
    """What is kept and said in the end."""
    begun = [at for at, turn in enumerate(turns) if isinstance(turn, Anew)]
    return turns[begun[-1] + 1 :] if begun else turns


def _rows(turns: list[Turn | Left | Anew]) -> list[Json]:
    """The rows that are kept in the end."""
    return [json.loads(row) for turn in _kept(turns) if isinstance(turn, Turn) for row in turn.page.rows]


def _pages(rows: list[int], size: int = 4) -> Callable[[dict[str, str], int], tuple[int, Json]]:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        at = (int(query["page"]) - 1) * int(query.get("size", size))
        return 200, {"data": rows[at : at + int(query.get("size", size))], "total": len(rows)}

    return answer


# --- the end of a list


def test_stop_when_ends_the_list_with_the_page_on_which_it_holds() -> None:
    vendor = Vendor(_pages(list(range(12))))
    paginate = {"page_number": {**PAGES["page_number"], "stop_when": "contains(rows, `5`)"}}
    assert list(range(8)) == _rows(_turns(vendor, paginate))


def test_stop_when_that_cannot_be_told_makes_the_list_incomplete() -> None:
    paginate = {"page_number": {**PAGES["page_number"], "stop_when": "length(answer.nothing) > `1`"}}
    with pytest.raises(CollectionError, match="stop_when cannot be told"):
        _turns(Vendor(_pages([1, 2])), paginate)


def test_max_pages_leaves_out_what_is_behind_and_says_so() -> None:
    vendor = Vendor(_pages(list(range(12))))
    turns = _turns(vendor, {"page_number": {**PAGES["page_number"], "max_pages": 2}})
    assert list(range(8)) == _rows(turns)
    assert ["max_pages: 2 pages were read, and more follow"] == [one.say for one in turns if isinstance(one, Left)]


def test_max_pages_that_are_just_enough_say_nothing() -> None:
    turns = _turns(Vendor(_pages(list(range(8)))), {"page_number": {**PAGES["page_number"], "max_pages": 2}})
    assert (list(range(8)), 0) == (_rows(turns), sum(isinstance(one, Left) for one in turns))


def test_pages_that_are_known_to_follow_are_told_at_the_first_page_and_none_behind_the_last() -> None:
    vendor = Vendor(_pages(list(range(10))))
    _turns(vendor, PAGES)
    assert [{"size": "4", "page": "2"}, {"size": "4", "page": "3"}] == vendor.told


def test_no_page_is_told_ahead_that_stop_when_may_make_needless() -> None:
    vendor = Vendor(_pages(list(range(10))))
    _turns(vendor, {"page_number": {**PAGES["page_number"], "stop_when": "status == `404`"}})
    assert [] == vendor.told


# --- once more


def test_a_list_that_moved_while_it_was_read_is_read_once_more() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        rows = [10, *range(8)] if number else list(range(8))  # one came in at the head behind the first page
        return _pages(rows)(query, number)

    vendor = Vendor(answer)
    assert [10, *range(8)] == _rows(_turns(vendor, PAGES))
    assert ["1", "2", "1", "2", "3"] == [one["page"] for one in vendor.asked]


def test_a_list_that_moves_again_is_incomplete_and_keeps_what_came() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        return _pages([*range(90 - number, 90), *range(8)])(query, number)

    with pytest.raises(CollectionError, match=r"stood on the page before as well.*; it was read twice"):
        _turns(Vendor(answer), PAGES)


def test_a_total_that_is_met_the_second_time_is_fine() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        status, body = _pages(list(range(6)))(query, number)
        return status, {**body, "total": 7 if number < 2 else 6}

    assert list(range(6)) == _rows(_turns(Vendor(answer), PAGES))


def test_what_is_skipped_the_second_time_is_said() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        status, body = _pages(list(range(12)))(query, number)
        return (451, {}) if number > 1 and query["page"] == "1" else (status, {**body, "total": 12 - number % 2})

    rule: dict[str, Any] = {"when": {"status": 451}, "skip": {"scope": "page", "say": "is held back"}}
    turns = _kept(_turns(Vendor(answer), PAGES, [rule]))
    assert ["is held back"] == [one.say for one in turns if isinstance(one, Left)]


def test_a_list_that_is_at_its_end_the_second_time_has_nothing() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        return (404, {}) if number > 1 else (200, {"data": [number], "total": 3 - number, "next": 1})

    paging = {"page_number": {**PAGES["page_number"], "has_more": "answer.next"}}
    assert [] == _rows(_turns(Vendor(answer), paging, [{"when": {"status": 404}, "stop": {}}]))


# --- response rules


def test_an_answer_that_is_told_to_be_the_end_is_the_end() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        return (200, {"data": [number], "next": str(number)}) if number < 2 else (404, {})

    assert [0, 1] == _rows(_turns(Vendor(answer), TOKENS, [{"when": {"status": 404}, "stop": {}}]))


def test_an_answer_that_is_told_to_be_an_error_says_it_in_the_authors_words() -> None:
    rule = {"when": {"body": "state == 'error'"}, "fail": {"say": "the vendor said ${answer.why}"}}
    with pytest.raises(CollectionError, match="the vendor said it is tired"):
        _turns(
            Vendor(lambda query, number: (200, {"state": "error", "why": "it is tired", "data": []})), TOKENS, [rule]
        )


def test_a_word_that_the_answer_does_not_have_loses_none_of_the_others() -> None:
    rule = {"when": {"status": 400}, "fail": {"say": "${answer.title}: ${answer.detail} (${answer.code|upper})"}}
    with pytest.raises(CollectionError, match=r"GET \S+/things: …: it is tired \(…\)"):
        _turns(Vendor(lambda query, number: (400, {"detail": "it is tired"})), TOKENS, [rule])


def test_a_skip_whose_words_the_answer_does_not_have_names_its_request() -> None:
    rule = {"when": {"status": 404}, "skip": {"say": "gone: ${answer.why}"}}
    [left] = _turns(Vendor(lambda query, number: (404, {})), TOKENS, [rule])
    assert isinstance(left, Left)
    assert f"GET {BASE.url}: gone: …" == left.say


def test_smaller_pages_are_asked_for_from_the_same_place_on() -> None:
    rows = list(range(16))

    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        at, size = (int(query["page"]) - 1) * int(query["size"]), int(query["size"])
        heavy = size > 2 and at >= 4
        return (413, {}) if heavy else (200, {"data": rows[at : at + size], "total": len(rows)})

    vendor = Vendor(answer)
    assert rows == _rows(_turns(vendor, PAGES, [{"when": {"status": 413}, "reduce_page": None}]))
    assert [("1", "4"), ("2", "4"), ("3", "2")] == [(one["page"], one["size"]) for one in vendor.asked[:3]]


def test_pages_are_not_reduced_below_what_the_rule_says() -> None:
    rule = {"when": {"status": 413}, "reduce_page": {"smallest": 2}}
    vendor = Vendor(lambda query, number: (413, {}))
    with pytest.raises(CollectionError, match="2 records a page cannot be reduced"):
        _turns(vendor, PAGES, [rule])
    assert ["4", "2"] == [one["size"] for one in vendor.asked]


def test_a_window_that_is_too_much_is_asked_for_in_halves_in_order() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        start, end = int(query["from"]), int(query["to"]) or 24
        return (422, {}) if end - start > 6 else (200, {"data": list(range(start, end))})

    vendor = Vendor(answer)
    assert list(range(24)) == _rows(_turns(vendor, TOKENS, [{"when": {"status": 422}, "split_window": None}], DAY))


def test_windows_that_were_read_are_not_asked_for_again_when_a_later_one_is_split() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        start, end = int(query["from"]), int(query["to"]) or 24
        return (422, {}) if end - start > 6 else (200, {"data": list(range(start, end))})

    vendor = Vendor(answer)
    _turns(vendor, TOKENS, [{"when": {"status": 422}, "split_window": None}], DAY)
    asked = [f"{one['from']}-{one['to']}" for one in vendor.asked]
    assert ["0-0", "0-12", "0-6", "6-12", "12-0", "12-18", "18-0"] == asked


def test_what_came_of_a_window_before_it_was_split_is_not_kept_twice() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        start, end = int(query["from"]), int(query["to"]) or 24
        if "token" in query and end - start > 12:
            return 422, {}
        page = [start] if "token" not in query else [start + 1]
        return 200, {"data": page, "next": "more" if "token" not in query else None}

    turns = _turns(Vendor(answer), TOKENS, [{"when": {"status": 422}, "split_window": None}], DAY)
    assert [0, 1, 12, 13] == _rows(turns)


def test_many_splits_of_one_window_are_told_with_smallest() -> None:
    hour, told = 3600, list[str]()
    rule = {"when": {"status": 422}, "split_window": {"smallest": "30m"}}
    endpoint = Endpoint.model_validate({"get": "/things", "responses": [rule]}, context={"registry": registry()})

    def asked(at: Window | None) -> Request:
        assert at
        bounds = (("from", str(int(at.start.timestamp()))), ("to", str(int(at.end.timestamp()))))
        return Request("GET", BASE.url, bounds)

    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        return (422, {}) if int(query["to"]) - int(query["from"]) > hour else (200, {"data": []})

    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 6, 8, tzinfo=UTC))
    vendor = Vendor(answer)
    list(Paging(None, asked, vendor, _with_rows, window, responses=endpoint.responses, note=told.append).turns())
    assert ["split_window: 100 splits so far, down to windows of 30m (smallest)"] == told


def test_a_window_is_not_split_below_what_the_rule_says() -> None:
    rule = {"when": {"status": 422}, "split_window": {"smallest": "12h"}}
    with pytest.raises(CollectionError, match="its window is 12h or shorter"):
        _turns(Vendor(lambda query, number: (422, {})), TOKENS, [rule], DAY)


def test_a_skipped_page_leaves_the_others_and_the_total_unproven() -> None:
    def answer(query: dict[str, str], number: int) -> tuple[int, Json]:
        return (451, {}) if query["page"] == "2" else _pages(list(range(12)))(query, number)

    rule: dict[str, Any] = {"when": {"status": 451}, "skip": {"scope": "page", "say": "is held back"}}
    turns = _turns(Vendor(answer), PAGES, [rule])
    assert [*range(4), *range(8, 12)] == _rows(turns)
    assert ["is held back"] == [one.say for one in turns if isinstance(one, Left)]
