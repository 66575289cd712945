"""Records by their time, as public trackers report it: late, equal, in odd forms, and while others come in."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.clock import read_instant
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

BOTH = {"from": "query.since", "until": "query.before"}
PAGED = {"cursor": {"read": "answer.next", "send": "query.token"}}


def events(**incremental: Any) -> dict[str, Any]:
    """An endpoint of events, paged by token."""
    news = {"start": "2026-06-01", "send": "query.since", **incremental}
    return {"events": {"get": "/events", "records": "data", "paginate": PAGED, "incremental": news}}


def query(asked: Asked) -> dict[str, str]:
    """The query of a request."""
    return dict(asked.query)


def since(vendor: Tiny) -> list[str]:
    """The lower bound of each request."""
    return [query(asked)["since"] for asked, _ in vendor.log]


def ids(desk: Desk) -> list[Any]:
    """The ids that the newest run kept."""
    return [row["id"] for row in desk.rows("events", "data")]


def logged(desk: Desk, vendor: Tiny, rows: list[dict[str, Any]], *, exclusive: bool = False, seconds: int = 0) -> None:
    """The vendor lists what stands in `rows` in its window, two a page; each answer takes it so many seconds."""

    def answer(asked: Asked) -> Any:
        desk.time.now += seconds
        start, at = read_instant(query(asked)["since"]), int(query(asked).get("token", 0))
        times = [(read_instant(row["at"]), row) for row in rows]
        found = [row for time, row in times if time > start or (time == start and not exclusive)]
        return {"data": found[at : at + 2], "next": str(at + 2) if at + 2 < len(found) else None}

    vendor.routes["/events"] = answer


# --- what comes while it is read


# https://github.com/elastic/beats/pull/31372: the start that was sent moved with the pages of one list, and skipped
# what stood between.
def test_all_pages_of_a_list_are_asked_for_with_the_same_window(desk: Desk, vendor: Tiny) -> None:
    rows = [{"id": day, "at": f"2026-06-0{day}T00:00:00Z"} for day in range(1, 8)]
    logged(desk, vendor, rows, seconds=60)
    desk.collect(events(field="at", send=BOTH, order="asc"))
    assert ([1, 2, 3, 4, 5, 6, 7], 4) == (ids(desk), len(vendor.log))
    assert 1 == len({(query(asked)["since"], query(asked)["before"]) for asked, _ in vendor.log})


# https://github.com/singer-io/tap-intercom/pull/73, https://github.com/singer-io/tap-hubspot/pull/227: the mark was the
# end of the run, and what was changed while it ran was never read.
@pytest.mark.parametrize("field", [{"field": "at"}, {}])
def test_what_is_changed_while_a_run_goes_on_is_read_by_the_next(
    desk: Desk, vendor: Tiny, field: dict[str, str]
) -> None:
    rows = [{"id": 1, "at": "2026-06-14T00:00:00Z"}, {"id": 2, "at": "2026-06-15T12:30:00Z"}]
    logged(desk, vendor, rows, seconds=3600)
    desk.collect(events(**field))
    rows[:] = [{"id": 1, "at": "2026-06-15T12:10:00Z"}, rows[1]]  # while the first run went on, behind its page
    desk.collect(events(**field))
    assert (["2026-06-01T00:00:00Z", "2026-06-15T12:00:01Z"], [1, 2]) == (since(vendor), ids(desk))


# https://github.com/singer-io/tap-salesforce/pull/10, "make sure Salesforce has not given us a record with one outside
# our range"; a window that ends before now does not move behind its end either.
def test_a_record_from_behind_the_window_moves_the_mark_no_further_than_its_end(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = {"data": [{"id": 1, "at": "2026-06-15T11:59:00Z"}]}
    desk.collect(events(field="at", send=BOTH, until="1h"))
    assert ["2026-06-15T11:00:01Z"] == desk.watermarks("events")


# --- equal and odd times


# https://github.com/estuary/connectors/issues/5205, https://github.com/singer-io/tap-harvest/issues/34: a record of the
# very second up to which was read comes later, and was left out for ever.
def test_a_record_of_the_second_that_was_read_last_is_not_lost(desk: Desk, vendor: Tiny) -> None:
    rows = [{"id": 1, "at": "2026-06-15T11:00:00Z"}]
    logged(desk, vendor, rows)
    desk.collect(events(field="at"))
    rows.append({"id": 2, "at": "2026-06-15T11:00:00Z"})
    desk.collect(events(field="at"))
    assert [1, 2] == ids(desk)


def test_the_same_of_a_vendor_who_excludes_the_lower_bound_takes_an_overlap(desk: Desk, vendor: Tiny) -> None:
    rows = [{"id": 1, "at": "2026-06-15T11:00:00Z"}]
    logged(desk, vendor, rows, exclusive=True)
    desk.collect(events(field="at", overlap="1s"))
    rows.append({"id": 2, "at": "2026-06-15T11:00:00Z"})
    desk.collect(events(field="at", overlap="1s"))
    assert [1, 2] == ids(desk)


# https://github.com/airbytehq/airbyte/issues/83202 (with and without a fraction in one list),
# https://github.com/airbytehq/airbyte/issues/42025 (one to eight digits of it).
@pytest.mark.parametrize("last", ["11:00:00Z", "11:00:00.5Z", "11:00:00.1234567Z", "13:00:00.123456789+02:00"])
def test_times_may_have_a_fraction_of_any_length_or_none(desk: Desk, vendor: Tiny, last: str) -> None:
    times = ["2026-06-14T10:00:00Z", "2026-06-14T10:00:00.25Z", f"2026-06-15T{last}"]
    vendor.routes["/events"] = {"data": [{"id": n, "at": at} for n, at in enumerate(times)]}
    assert "succeeded" == desk.collect(events(field="at")).status
    assert ["2026-06-15T11:00:00"] == [mark[:19] for mark in desk.watermarks("events")]


# https://github.com/airbytehq/airbyte/issues/84400: nanoseconds that were rounded up hid the records behind them.
def test_a_mark_is_never_behind_the_time_it_was_read_of(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = {"data": [{"id": 1, "at": "2026-06-15T11:00:00.123456999Z"}]}
    for _ in range(2):
        desk.collect(events(field="at"))
    assert (["2026-06-15T11:00:00.123456Z"], "2026-06-15T11:00:00Z") == (desk.watermarks("events"), since(vendor)[1])


# https://github.com/dlt-hub/dlt/pull/1576 (a record without the time), https://github.com/dlt-hub/dlt/issues/4284 (a
# page of them ended the list).
@pytest.mark.parametrize("order", ["asc", "desc", "none"])
def test_a_page_of_records_without_a_time_is_kept_and_no_end(desk: Desk, vendor: Tiny, order: str) -> None:
    pages = {"": ([{"id": 1, "at": None}, {"id": 2}], "a"), "a": ([{"id": 3, "at": "2026-06-09T00:00:00Z"}], None)}

    def answer(asked: Asked) -> Any:
        rows, following = pages[query(asked).get("token", "")]
        return {"data": rows, "next": following}

    vendor.routes["/events"] = answer
    words = events(field="at", order=order, send=None if order == "desc" else "query.since")
    assert ("succeeded", [1, 2, 3]) == (desk.collect(words).status, ids(desk))
    assert ["2026-06-09T00:00:00Z"] == desk.watermarks("events")


# --- lists that break off


# https://github.com/elastic/beats/pull/52996: the cursor went on though a page behind it had failed, and that page was
# never read.
@pytest.mark.parametrize(("bad", "times"), [(500, 5), (400, 1), (200, 5)])
@pytest.mark.parametrize("order", ["asc", "desc", "none"])
def test_a_run_behind_one_that_broke_off_brings_what_that_one_missed(
    desk: Desk, vendor: Tiny, order: str, bad: int, times: int
) -> None:
    days = range(2, 9) if order == "asc" else range(8, 1, -1)
    rows = [{"id": day, "at": f"2026-06-0{day}T00:00:00Z"} for day in days]
    logged(desk, vendor, rows)
    vendor.fault("token=4", times=times, status=bad, body=b"<html>")
    assert "incomplete" == desk.collect(events(field="at", order=order)).status
    first = ids(desk)
    assert "succeeded" == desk.collect(events(field="at", order=order)).status
    assert (list(days)[:4], set(days)) == (first, {*first, *ids(desk)})
    assert ["2026-06-08T00:00:00Z"] == desk.watermarks("events")


# https://github.com/airbytehq/airbyte/issues/26581: one state for all parents, taken from the one that was ahead.
def test_a_parent_that_lags_behind_is_read_from_its_own_mark(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/repos"] = ["a", "b"]
    vendor.routes["/repos/a"] = {"data": [{"id": 1, "at": "2026-06-14T00:00:00Z"}]}
    vendor.routes["/repos/b"] = {"data": [{"id": 2, "at": "2026-06-03T00:00:00Z"}]}
    below = {**events(field="at")["events"], "for_each": {"repo": "repos"}, "get": "/repos/${repo}"}
    for _ in range(2):
        desk.collect({"repos": "/repos", "events": below})
    asked = sorted(asked.target for asked, _ in vendor.log if "since" in asked.target)
    assert ["/repos/a?since=2026-06-14T00%3A00%3A00Z", "/repos/b?since=2026-06-03T00%3A00%3A00Z"] == asked[1::2]


def test_a_refusal_of_one_parent_keeps_its_mark_and_moves_the_others(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/repos": ["a", "b"], "/repos/a": {"data": []}, "/repos/b": Answer.json({}, 400)}
    below = {**events()["events"], "for_each": {"repo": "repos"}, "get": "/repos/${repo}"}
    result = desk.collect({"repos": "/repos", "events": below})
    assert ('repo "b": ',) == tuple(text[:10] for text in of(result, "events").missing)
    desk.collect({"repos": "/repos", "events": below})
    asked = [asked.target[:24] for asked, _ in vendor.log if "since" in asked.target]
    assert ["/repos/a?since=2026-06-0", "/repos/a?since=2026-06-1"] == sorted(one for one in asked if "/a" in one)
    assert ["/repos/b?since=2026-06-0"] * 2 == [one for one in asked if "/b" in one]
