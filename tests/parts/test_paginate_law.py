"""The law of paging: crawling what a paginator serves gives back exactly the rows, with no request more than needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.clock import rfc3339
from engine.core.errors import CollectionError, Json
from engine.core.kinds import Paginator
from engine.core.times import TimeFormat, written
from engine.core.window import Window
from engine.core.wire import Page, Place, Request
from tests.parts.paging import crawled, or_incomplete, paginator, vendor_of

SIZES = st.integers(2, 7)
NAMES = (
    st.integers(0, 10_000)
    | st.text(min_size=1, max_size=4)
    | st.sampled_from(["08", "1.10", "1e5", "null", "true", "a/b", "a b", "ü", "日本", "?&=+%", "..x"])
)
ROWS = st.lists(NAMES, max_size=25, unique_by=str).map(
    lambda names: [{"id": name, "key": {"id": name}, "at": number} for number, name in enumerate(names)]
)
MANY = st.integers(0, 130).map(lambda count: [{"id": number} for number in range(count)])
"""More than a vendor gives at once where nobody says a size: 50."""
Needed = Callable[[int, int], int]
"""Rows and records a page -> requests."""


def to_the_end(rows: int, size: int) -> int:
    """Where each answer says whether it is the last: no page more than the rows fill, and one at least."""
    return max(1, -(-rows // size))


def to_an_empty_page(rows: int, size: int) -> int:
    """Where only an empty page tells."""
    return -(-rows // size) + 1


def to_a_short_page(rows: int, size: int) -> int:
    """Where a short page tells, as the answer says how many a full one has."""
    return rows // size + 1


def to_a_shorter_page(rows: int, size: int) -> int:
    """Where a page that is shorter than the first tells: a short first one may be all that the vendor gives at once."""
    return 2 if 0 < rows < size else rows // size + 1


def to_the_same_record(rows: int, size: int) -> int:
    """Where a page begins with the last record of the one before, and the end is the page with nothing else."""
    return 1 if rows == 0 else max(1, -(-(rows - 1) // (size - 1))) + 1


def to_one(rows: int, size: int) -> int:
    """Where one answer has everything."""
    return 1


LAWFUL: dict[str, tuple[str, Any, Needed]] = {
    "none": ("none", None, to_one),
    "cursor of the answer": ("cursor", {"read": "answer.next", "send": "query.token"}, to_the_end),
    "cursor deep in the answer, into the body": (
        "cursor",
        {"read": "answer.meta.next", "send": "body.page.after", "size": {"send": "body.page.first"}},
        to_the_end,
    ),
    "cursor of a header, into a header": (
        "cursor",
        {"read": 'headers."x-next"', "send": "header.X-After", "size": {"send": "header.X-Size"}},
        to_the_end,
    ),
    "cursor into the path": ("cursor", {"read": "answer.next", "send": "path.hole"}, to_the_end),
    "cursor into a cookie": ("cursor", {"read": "answer.next", "send": "cookie.at"}, to_the_end),
    "cursor of the last record": ("cursor", {"read": "last.id", "send": "query.after"}, to_an_empty_page),
    "cursor of the last record, with a flag": (
        "cursor",
        {"read": "last.key.id", "send": "body.after", "has_more": "answer.has_more"},
        to_the_end,
    ),
    "cursor whose path no answer has": ("cursor", {"read": "answer.a[0].b", "send": "query.c"}, to_one),
    "next_url": ("next_url", {"read": "answer.links.next"}, to_the_end),
    "next_url of a name with a dot": ("next_url", {"read": 'answer."@odata.nextLink"'}, to_the_end),
    "next_url of a header, with a flag": (
        "next_url",
        {"read": 'headers."x-next"', "has_more": "answer.more", "total": "answer.count"},
        to_the_end,
    ),
    "link_header": ("link_header", {"total": 'headers."x-total"'}, to_the_end),
    "link_header whose link is always there": (
        "link_header",
        {"rel": "Next", "unless": {"results": "false"}},
        to_the_end,
    ),
    "offset": ("offset", {"send": "query.offset"}, to_a_shorter_page),
    "offset whose pages say their size": (
        "offset",
        {"send": "query.offset", "size": {"read": "answer.max"}},
        to_a_short_page,
    ),
    "offset with a total": ("offset", {"send": "query.offset", "total": "answer.meta.total"}, to_the_end),
    "offset with a flag": ("offset", {"send": "body.offset", "has_more": "answer.more"}, to_the_end),
    "page_number": ("page_number", {"send": "query.page"}, to_a_shorter_page),
    "page_number from nought, into the path": ("page_number", {"send": "path.hole", "start": 0}, to_a_shorter_page),
    "page_number whose pages say their size": (
        "page_number",
        {"send": "query.page", "size": {"read": "answer.max"}},
        to_a_short_page,
    ),
    "page_number with a total": (
        "page_number",
        {"send": "body.page.at", "start": 2, "total": "answer.meta.total"},
        to_the_end,
    ),
    "page_number with a number of pages": (
        "page_number",
        {"send": "query.page", "start": 0, "total_pages": "answer.pages"},
        to_the_end,
    ),
    "page_number with a flag": ("page_number", {"send": "query.page", "has_more": 'headers."x-more"'}, to_the_end),
    "start_key inclusive": ("start_key", {"read": "last.key.id", "send": "query.startKey"}, to_the_same_record),
    "start_key exclusive": (
        "start_key",
        {"read": "last.id", "send": "query.startKey", "inclusive": False, "total": "answer.total_rows"},
        to_an_empty_page,
    ),
}
SIZED = [name for name, (word, _, _) in LAWFUL.items() if word != "none"]
BY_PLACE = [name for name in SIZED if LAWFUL[name][1].get("read", "answer").split(".")[0] != "last"]
"""Ways that do not need a record to have a key."""


def sized(case: str, size: int, **more: Any) -> Paginator:
    """The paginator of a case, with pages of so many records."""
    word, settings, _ = LAWFUL[case]
    if word == "none":
        return paginator(word, settings)
    wanted = {"send": "query.size", **settings.get("size", {}), "value": size}
    return paginator(word, {**settings, "size": wanted, **more})


@pytest.mark.parametrize("case", LAWFUL)
@settings(max_examples=15)
@given(rows=ROWS, size=SIZES)
def test_exactly_the_rows_come_with_no_request_more_than_needed(case: str, rows: list[Json], size: int) -> None:
    part = sized(case, size)
    assert (rows, LAWFUL[case][2](len(rows), size)) == crawled(part, vendor_of(part, rows))


@given(case=st.sampled_from(SIZED), rows=ROWS, size=SIZES, most=SIZES)
def test_a_vendor_who_gives_less_than_asked_is_read_to_the_end(
    case: str, rows: list[Json], size: int, most: int
) -> None:
    part = sized(case, size)
    found, asked = crawled(part, vendor_of(part, rows, most))
    needed = LAWFUL[case][2](len(rows), min(size, most))
    assert (rows, True) == (found, asked <= needed)


@pytest.mark.parametrize(
    ("word", "settings_", "needed"),
    [
        ("offset", {"send": "query.offset"}, to_an_empty_page),
        ("offset", {"send": "query.offset", "total": "answer.n"}, to_the_end),
        ("page_number", {"send": "query.page"}, to_an_empty_page),
        ("page_number", {"send": "query.page", "total": 'headers."x-total"'}, to_the_end),
        ("page_number", {"send": "query.page", "total_pages": "answer.pages"}, to_the_end),
        ("page_number", {"send": "query.page", "has_more": "answer.more"}, to_the_end),
        ("cursor", {"read": "answer.next", "send": "query.token"}, to_the_end),
        ("next_url", {"read": "answer.next"}, to_the_end),
        ("link_header", {}, to_the_end),
    ],
)
@settings(max_examples=10)
@given(rows=MANY)
def test_pages_whose_size_the_vendor_chooses_are_read_to_the_end(
    word: str, settings_: Any, needed: Needed, rows: list[Json]
) -> None:
    part = paginator(word, settings_)
    assert (rows, needed(len(rows), 50)) == crawled(part, vendor_of(part, rows))


@given(case=st.sampled_from(BY_PLACE), rows=st.lists(st.sampled_from([{"a": 1}, {"a": 2}]), max_size=25), size=SIZES)
def test_records_that_are_equal_are_all_read_where_the_page_says_so(case: str, rows: list[Json], size: int) -> None:
    part = sized(case, size, allow=["repeated_page"])
    assert rows == crawled(part, vendor_of(part, rows))[0]


@given(case=st.sampled_from(BY_PLACE), rows=st.lists(st.sampled_from([{"a": 1}, {"a": 2}]), max_size=25), size=SIZES)
def test_records_that_are_equal_are_never_lost_in_silence(case: str, rows: list[Json], size: int) -> None:
    part = sized(case, size)
    try:
        found: Sequence[Json] = crawled(part, vendor_of(part, rows))[0]
    except CollectionError:
        found = rows
    assert rows == found


@pytest.mark.parametrize("way", ["pages", "keys"])
@settings(max_examples=10)
@given(ROWS)
def test_crawling_what_the_chosen_one_serves_gives_exactly_the_rows(way: str, rows: list[Json]) -> None:
    size = {"send": "query.size", "value": 3}
    options = {
        "pages": {"page_number": {"send": "query.page", "size": size}},
        "keys": {"start_key": {"read": "${param.key}", "send": "query.from", "size": size}},
    }
    part = paginator("choose", {"by": "${param.way}", "options": options}, {"way": way, "key": "last.id"})
    assert rows == crawled(part, vendor_of(part, rows))[0]


# --- smaller pages in the middle of a list

REDUCIBLE = [name for name in SIZED if LAWFUL[name][0] in ("cursor", "offset", "page_number", "start_key")]


@given(case=st.sampled_from(REDUCIBLE), rows=ROWS, size=st.integers(2, 12), most=SIZES, number=st.integers(0, 4))
def test_smaller_pages_go_on_at_the_same_record(case: str, rows: list[Json], size: int, most: int, number: int) -> None:
    """From one request on the vendor refuses pages that are too large; who cannot go on then says so."""
    part, asked = sized(case, size), 0
    answers = vendor_of(part, rows)

    def answer(request: Request) -> Page:
        nonlocal asked
        asked += 1
        too_large = asked > number and int(request.get(Place("query.size")) or 0) > most
        return Page(request, 413) if too_large else answers(request)

    sure = part.word != "page_number" and most >= 3
    assert or_incomplete(part, answer) in ([rows] if sure else [rows, None])


def test_the_next_smaller_page_begins_at_the_same_record() -> None:
    rows = [{"id": number} for number in range(40)]
    part = sized("page_number with a total", 12)
    answers = vendor_of(part, rows)

    def answer(request: Request) -> Page:
        many = int(request.get(Place("query.size")) or 0) > 6
        return Page(request, 413) if many and request.get(Place("body.page.at")) == 4 else answers(request)

    assert rows == crawled(part, answer, eager=False)[0]


# --- windows of time

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = st.lists(st.integers(0, 20_000), max_size=25, unique=True).map(sorted)
FORMATS = st.sampled_from(["iso", "epoch_s", "epoch_ms", "%Y/%m/%d %H:%M:%S"]).map(TimeFormat)


def _windows(length: int, step: int, times: Sequence[int], most: int | None) -> int:
    """How many windows are asked for: each that has `most` records and more, in two halves besides."""

    def asked(start: int, end: int) -> int:
        if most is None or sum(start <= at < end for at in times) < most:
            return 1
        half = start + (end - start) // 2
        return 1 + asked(start, half) + asked(half, end)

    return sum(asked(start, min(start + step, length)) for start in range(0, max(length, 1), step))


@given(
    times=SECONDS,
    length=st.integers(0, 20_000),
    step=st.integers(500, 9_000),
    bounds=st.sampled_from(["half_open", "inclusive"]),
    form=FORMATS,
    most=st.none() | st.integers(2, 6),
)
def test_every_record_of_a_time_comes_once(
    times: list[int], length: int, step: int, bounds: str, form: TimeFormat, most: int | None
) -> None:
    part = paginator(
        "time_window",
        {
            "send": {"from": "query.since", "until": "body.until", "format": form},
            "step": f"{step}s",
            "bounds": bounds,
            "field": "at",
            "read_format": form,
            **({"most": most} if most else {}),
        },
    )
    rows = [{"at": written(START + timedelta(seconds=at), form)} for at in times]
    window = Window(START, START + timedelta(seconds=length))
    last = max(length, 1) if bounds == "inclusive" else length
    inside = [row for row, at in zip(rows, times, strict=True) if at < last]
    found, asked = crawled(part, vendor_of(part, rows), window)
    assert (inside, _windows(length, step, times, most)) == (found, asked)


def test_windows_without_records_are_no_end() -> None:
    rows = [{"at": rfc3339(START + timedelta(days=day))} for day in (0, 9)]
    settings = {"send": {"from": "query.a", "until": "query.b"}, "step": "1d", "field": "at"}
    part = paginator("time_window", settings)
    assert (rows, 10) == crawled(part, vendor_of(part, rows), Window(START, START + timedelta(days=10)))
