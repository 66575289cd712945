"""Each paginator through its YAML: what it sends, what it reads, and where it stops."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.clock import read_instant
from engine.core.errors import CollectionError, Mistake
from engine.core.kinds import Cursor, Paginator
from engine.core.window import Window
from engine.core.wire import Page, Place, Request
from tests.parts.paging import paginator
from tests.parts.tables import cases, said

BASE = Request(
    "POST",
    "https://api.example.com/v1/things/{hole}",
    query=(("status", "open"),),
    header=(("Accept", "application/json"),),
    body={"filter": {"a": 1}},
)
FAR = "9999-01-01"


def _part(word: str, case: Mapping[str, Any]) -> Paginator:
    return paginator(word, case["settings"], case.get("params"))


def _cursor(part: Paginator, case: Mapping[str, Any]) -> Cursor:
    if "cursor" in case:
        return case["cursor"]
    start, end = map(read_instant, case.get("window", [FAR, FAR]))
    return part.start(Window(start, end))


def _page(case: Mapping[str, Any]) -> Page:
    answer = case.get("answer", {})
    rows = [json.dumps(row).encode() for row in case.get("rows", [])]
    return Page(BASE, 200, case.get("headers", {}), json.dumps(answer).encode(), rows)


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="after"))
def test_the_next_cursor_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    assert case["after"] == part.after(_cursor(part, case), _page(case))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="incomplete"))
def test_what_cannot_be_the_end_is_incomplete(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    with pytest.raises((CollectionError, Mistake)) as raised:
        part.after(_cursor(part, case), _page(case))
    assert case["incomplete"] in said(raised.value)


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="repeated"))
def test_repeated_rows_are_counted_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    assert case["repeated"] == part.repeated(_cursor(part, case), _page(case))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="sends"))
def test_the_request_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    request = part.aim(BASE, _cursor(part, case))
    assert case["sends"] == {place: request.get(Place(place)) for place in case["sends"]}


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="asks"))
def test_the_address_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    request = part.aim(BASE, _cursor(part, case))
    assert (case["asks"], BASE.method, BASE.header) == (request.full_url, request.method, request.header)


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="past"))
def test_the_cursor_behind_a_lost_page_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    assert case["past"] == part.past(_cursor(part, case), case.get("total"))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="ahead"))
def test_what_is_known_ahead_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    assert case["ahead"] == list(part.ahead(_cursor(part, case), _page(case)))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="reduced"))
def test_smaller_pages_begin_where_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = _part(word, case)
    made = part.reduced(_cursor(part, case))
    assert case["reduced"] == (made and {"cursor": made[1], "size": made[0].size.value})  # type: ignore[attr-defined]  # only those with a size can be reduced


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        _part(word, case)
    assert case["mistake"] in said(raised.value)


NOW = datetime.fromisoformat("2026-06-15T12:00:00+00:00")
WINDOW = {"send": {"from": "query.a", "until": "query.b"}, "step": "1d"}


@pytest.mark.parametrize(
    ("more", "start", "end"),
    [
        ({"start": "2026-06-01"}, "2026-06-01T00:00:00Z", "2026-06-15T12:00:00Z"),
        ({"start": "2d", "until": "1h"}, "2026-06-13T12:00:00Z", "2026-06-15T11:00:00Z"),
        ({"start": "2026-06-01", "until": "2026-06-03"}, "2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z"),
        ({"start": "2027-01-01"}, "2026-06-15T12:00:00Z", "2026-06-15T12:00:00Z"),
    ],
)
def test_a_time_window_knows_its_own_time(more: dict[str, str], start: str, end: str) -> None:
    assert Window(read_instant(start), read_instant(end)) == paginator("time_window", {**WINDOW, **more}).span(NOW)


def test_a_time_window_without_a_start_walks_the_time_of_its_endpoint() -> None:
    assert paginator("time_window", WINDOW).span(NOW) is None


def test_a_time_window_that_knows_no_time_says_so() -> None:
    with pytest.raises(Mistake, match="does not know which time to walk"):
        paginator("time_window", WINDOW).start()


def test_a_start_may_be_a_param() -> None:
    part = paginator("time_window", {**WINDOW, "start": "${param.since}"}).filled({"param": {"since": "2026-06-01"}})
    assert Window(read_instant("2026-06-01"), NOW) == part.span(NOW)
