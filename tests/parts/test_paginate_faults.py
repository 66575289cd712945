"""A vendor who pages wrongly: a crawl gives exactly the rows, or says that something is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clock import read_instant
from engine.core.errors import CollectionError, Json
from engine.core.kinds import Paginator
from engine.core.wire import Page, Request
from tests.parts.paging import Answers, answered, crawled, or_incomplete, paginator, vendor_of
from tests.parts.test_paginate_law import LAWFUL, SIZED, SIZES, sized

ROWS = st.integers(0, 25).map(lambda count: [{"id": f"r{n}", "key": {"id": f"r{n}"}} for n in range(count)])
NUMBER = st.integers(0, 6)
ALL = [case for case in SIZED if case != "cursor whose path no answer has"]
COUNTED = [case for case in ALL if LAWFUL[case][0] in ("offset", "page_number")]
BY_KEY = [case for case in ALL if LAWFUL[case][1].get("read", "").startswith("last.")]
FLAGGED = [case for case in ALL if "has_more" in LAWFUL[case][1]]
TOLD = [case for case in ALL if case not in ("offset", "page_number", "page_number from nought, into the path")]
"""Where the end is told by more than a short page."""


def in_turn(answers: Answers, wrong: Callable[[int, Page], Page]) -> Answers:
    """A vendor whose answers are changed by their number, counted from nought."""
    asked = -1

    def answer(request: Request) -> Page:
        nonlocal asked
        asked += 1
        return wrong(asked, answers(request))

    return answer


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, number=NUMBER)
def test_a_page_that_comes_twice(case: str, rows: list[Json], size: int, number: int) -> None:
    part, before = sized(case, size), list[Page]()

    def wrong(asked: int, page: Page) -> Page:
        before.append(page)
        return replace(before[-2], request=page.request) if asked == number and asked else page

    assert or_incomplete(part, in_turn(vendor_of(part, rows), wrong)) in (rows, None)


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, length=st.integers(1, 3))
def test_pages_that_go_in_a_circle(case: str, rows: list[Json], size: int, length: int) -> None:
    """With a length of 1 the vendor does not read where the paginator stands, with 2 it answers A, B, A, B."""
    part, first = sized(case, size), list[Page]()

    def wrong(asked: int, page: Page) -> Page:
        first.extend([page] if asked < length else [])
        return replace(first[asked % length], request=page.request)

    assert or_incomplete(part, in_turn(vendor_of(part, rows), wrong)) in (rows, None)


@given(
    case=st.sampled_from([case for case in ALL if LAWFUL[case][0] in ("cursor", "next_url", "link_header")]),
    rows=ROWS,
    size=SIZES,
    number=NUMBER,
)
def test_an_answer_that_leads_back(case: str, rows: list[Json], size: int, number: int) -> None:
    """The records are right, and what leads on is that of the page before."""
    part, before = sized(case, size), list[Page]()

    def wrong(asked: int, page: Page) -> Page:
        before.append(page)
        if asked != number or not asked or not page.rows:
            return page
        return replace(before[-2], request=page.request, rows=page.rows)

    assert or_incomplete(part, in_turn(vendor_of(part, rows), wrong)) in (rows, None)


def claiming(part: Paginator, rows: Sequence[Json], total: Callable[[int], int]) -> Answers:
    """A vendor who says of his total what he likes, each time anew."""
    asked = -1

    def answer(request: Request) -> Page:
        nonlocal asked
        asked += 1
        served = part.serve(request, rows)
        return answered(request, replace(served, answer={**served.answer, ("total",): total(asked)}))

    return answer


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, number=NUMBER)
def test_a_page_that_is_left_out_is_missed_where_there_is_a_total(
    case: str, rows: list[Json], size: int, number: int
) -> None:
    part = sized(case, size, total="answer.total")
    served = rows[: number * size] + rows[(number + 1) * size :]
    expected = rows if served == rows else None
    assert expected == or_incomplete(part, claiming(part, served, lambda _: len(rows)))


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, number=NUMBER)
def test_a_page_that_came_out_empty_is_missed_where_there_is_a_total(
    case: str, rows: list[Json], size: int, number: int
) -> None:
    part = sized(case, size, total="answer.total")
    true = claiming(part, rows, lambda _: len(rows))
    wrong = in_turn(true, lambda asked, page: replace(page, rows=[]) if asked == number else page)
    assert or_incomplete(part, wrong) in (rows, None)


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, lie=st.integers(-8, 8).filter(bool))
def test_a_total_that_lies(case: str, rows: list[Json], size: int, lie: int) -> None:
    """What a vendor keeps to himself is not seen: he says that so many full pages are all, and gives no more."""
    part, claimed = sized(case, size, total="answer.total"), max(0, len(rows) + lie)
    found = or_incomplete(part, claiming(part, rows, lambda _: claimed))
    unseen = rows[:claimed] if case in COUNTED and claimed < len(rows) and claimed % size == 0 else None
    assert found in (rows if claimed == len(rows) else None, unseen)


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, step=st.integers(1, 9))
def test_a_total_that_grows_for_ever(case: str, rows: list[Json], size: int, step: int) -> None:
    part = sized(case, size, total="answer.total")
    assert or_incomplete(part, claiming(part, rows, lambda asked: len(rows) + step * asked)) in (rows, None)


@given(case=st.sampled_from(ALL), rows=ROWS, size=SIZES, number=NUMBER, more=st.integers(1, 9))
def test_records_that_come_behind_the_others_meanwhile(
    case: str, rows: list[Json], size: int, number: int, more: int
) -> None:
    part, growing = sized(case, size), list(rows)
    whole = rows + [{"id": f"n{n}", "key": {"id": f"n{n}"}} for n in range(more)]

    def wrong(asked: int, page: Page) -> Page:
        growing.extend(whole[len(rows) :] if asked == number else [])
        return page

    found = or_incomplete(part, in_turn(vendor_of(part, growing), wrong))
    if case in TOLD or case == "offset":
        assert found is None or (found == whole[: len(found)] and len(found) >= len(rows))
    assert _is_true(found, rows, whole)  # a last page that was short when it was read is not read again


@given(case=st.sampled_from(FLAGGED), rows=ROWS, size=SIZES)
def test_a_flag_that_says_for_ever_that_there_is_more(case: str, rows: list[Json], size: int) -> None:
    part = sized(case, size)
    flag = LAWFUL[case][1]["has_more"]

    def answer(request: Request) -> Page:
        served = part.serve(request, rows)
        served = replace(
            served,
            answer={path: True if ".".join(("answer", *path)) == flag else one for path, one in served.answer.items()},
            headers={name: "true" if name in flag else one for name, one in served.headers.items()},
        )
        return answered(request, served)

    assert or_incomplete(part, answer) in (rows, None)


def test_pages_without_records_that_go_on_for_ever() -> None:
    part, tokens = paginator("cursor", {"read": "answer.next", "send": "query.c"}), iter(range(10_000))
    with pytest.raises(CollectionError, match="1,000 pages in a row have no records"):
        crawled(part, lambda request: Page(request, 200, {}, b'{"next": %d}' % next(tokens)))


@given(case=st.sampled_from(BY_KEY), rows=ROWS, size=SIZES, keyless=st.sets(st.integers(0, 24), max_size=2))
def test_records_without_the_key_that_leads_on(case: str, rows: list[Json], size: int, keyless: set[int]) -> None:
    part = sized(case, size)
    rows = [{"key": {}, "n": n} if n in keyless else row for n, row in enumerate(rows)]
    assert or_incomplete(part, vendor_of(part, rows)) in (rows, None)


# --- lists that move while they are read


def _moving(part: Paginator, rows: list[Json], moves: Sequence[tuple[int, Callable[[list[Json]], None]]]) -> Answers:
    """A vendor whose list is changed before some of his answers; who asks for a record that is gone is refused."""
    later = sorted(moves, key=lambda one: one[0])

    def answer(request: Request) -> Page:
        answer.asked += 1  # type: ignore[attr-defined]  # a counter of its own
        while later and later[0][0] <= answer.asked:  # type: ignore[attr-defined]  # the same
            later.pop(0)[1](rows)
        try:
            return answered(request, part.serve(request, rows))
        except ValueError:
            raise CollectionError("there is no such record") from None

    answer.asked = -1  # type: ignore[attr-defined]  # the same
    return answer


def _is_true(found: list[Json] | None, before: Sequence[Json], after: Sequence[Json]) -> bool:
    """Whether no record came twice, none is made up, and none that was there all the time is missing."""
    if found is None:
        return True
    ids, stayed = [row["id"] for row in found], [row["id"] for row in before if row in after]
    known = {row["id"] for row in (*before, *after)}
    return len(set(ids)) == len(ids) and set(ids) <= known and [one for one in ids if one in stayed] == stayed


INSERTIONS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 12), st.integers(1, 9)), min_size=1, max_size=3)


@given(case=st.sampled_from([*COUNTED, *BY_KEY]), rows=ROWS, size=SIZES, insertions=INSERTIONS)
def test_records_that_come_in_before_others(
    case: str, rows: list[Json], size: int, insertions: list[tuple[int, int, int]]
) -> None:
    part, moving = sized(case, size), list(rows)

    def inserted(number: int, at: int, count: int) -> Callable[[list[Json]], None]:
        names = [f"n{number}.{n}" for n in range(count)]
        return lambda now: now.__setitem__(slice(at, at), [{"id": name, "key": {"id": name}} for name in names])

    moves = [(asked, inserted(number, at, count)) for number, (asked, at, count) in enumerate(insertions)]
    found = or_incomplete(part, _moving(part, moving, moves))
    assert _is_true(found, rows, moving)


@given(
    case=st.sampled_from([*COUNTED, *BY_KEY]),
    rows=ROWS,
    size=SIZES,
    removals=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 24)), max_size=3),
)
def test_records_that_go_are_missed_where_there_is_a_total(
    case: str, rows: list[Json], size: int, removals: list[tuple[int, int]]
) -> None:
    part, moving = sized(case, size, total="answer.total"), list(rows)

    def removed(at: int) -> Callable[[list[Json]], None]:
        return lambda now: now.__delitem__(slice(at, at + 1))

    found = or_incomplete(part, _moving(part, moving, [(asked, removed(at)) for asked, at in removals]))
    assert _is_true(found, rows, moving)


@given(case=st.sampled_from(TOLD), rows=ROWS, size=SIZES, number=NUMBER, most=SIZES)
def test_a_vendor_who_makes_his_pages_smaller_in_the_middle(
    case: str, rows: list[Json], size: int, number: int, most: int
) -> None:
    """Numbers of smaller pages lead elsewhere: that may be seen to be wrong, the others all go on."""
    part, asked = sized(case, size), -1

    def answer(request: Request) -> Page:
        nonlocal asked
        asked += 1
        return vendor_of(part, rows, most if asked >= number else 10**6)(request)

    found = or_incomplete(part, answer)
    assert found in ([rows, None] if LAWFUL[case][0] == "page_number" else [rows])


# --- windows


@pytest.mark.parametrize("more", [{}, {"field": "at"}])
def test_a_vendor_who_does_not_read_the_bounds(more: dict[str, str]) -> None:
    settings = {"send": {"from": "query.a", "until": "query.b"}, "step": "1d", "start": "2026-01-01", **more}
    part = paginator("time_window", settings)
    body = b'{"data": {"rows": [{"at": "2026-01-01T08:00:00Z"}]}}'
    rows = [b'{"at": "2026-01-01T08:00:00Z"}']
    span = part.span(read_instant("2026-01-09"))
    assert or_incomplete(part, lambda request: Page(request, 200, {}, body, rows), span) is None
