"""Incremental endpoints: the window that is asked for, and the watermark that moves only when all of it came."""

from typing import Any

import pytest

from engine.core.errors import Mistake
from engine.flow.units import first_instant
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked


def _events(**incremental: Any) -> dict[str, Any]:
    return {"events": {"get": "/events", "incremental": {"start": "2026-06-01", "send": "query.since", **incremental}}}


def _asked(vendor: Tiny) -> list[dict[str, str]]:
    return [dict(asked.query) for asked, _ in vendor.log]


@pytest.fixture(autouse=True)
def _route(vendor: Tiny) -> None:
    vendor.routes["/events"] = []


def test_the_first_window_begins_at_the_start_and_ends_now(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events(send={"from": "query.since", "until": "query.before"}))
    assert [{"since": "2026-06-01T00:00:00Z", "before": "2026-06-15T12:00:01Z"}] == _asked(vendor)


def test_a_start_may_be_so_long_ago(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events(start="7d", send="query.since"))
    assert [{"since": "2026-06-08T12:00:01Z"}] == _asked(vendor)


def test_a_start_that_is_neither_is_named() -> None:
    from datetime import UTC, datetime

    with pytest.raises(Mistake, match='"soon" is no time and no duration'):
        first_instant("soon", datetime(2026, 6, 15, tzinfo=UTC))


def test_without_a_field_the_next_window_begins_where_the_last_ended(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events(send="query.since"))
    desk.collect(_events(send="query.since"))
    assert {"since": "2026-06-15T12:00:01Z"} == _asked(vendor)[1]


def test_with_a_field_the_next_window_begins_at_its_greatest_value(desk: Desk, vendor: Tiny) -> None:
    at = ["2026-06-03T08:00:00+02:00", "2026-06-02T00:00:00Z", None]
    vendor.routes["/events"] = [{"at": one} for one in at]
    desk.collect(_events(field="at", send="query.since"))
    assert ["2026-06-03T06:00:00Z"] == desk.watermarks("events")


def test_the_greatest_value_of_all_pages_counts(desk: Desk, vendor: Tiny) -> None:
    days = {"": (9, "a"), "a": (4, "")}

    def page(asked: Asked) -> Any:
        day, following = days[dict(asked.query).get("token", "")]
        return {"data": [{"at": f"2026-06-0{day}"}], "next": following}

    vendor.routes["/events"] = page
    paged = {"records": "data", "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}}}
    desk.collect({"events": {**_events(field="at")["events"], **paged}})
    assert ["2026-06-09T00:00:00Z"] == desk.watermarks("events")


def test_each_window_reaches_back_by_the_overlap(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events(send="query.since", overlap="10m"))
    desk.collect(_events(send="query.since", overlap="10m"))
    assert {"since": "2026-06-15T11:50:01Z"} == _asked(vendor)[1]


def test_a_record_dated_in_the_future_does_not_hide_what_comes_before_it(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = [{"at": "2999-01-01"}]
    desk.collect(_events(field="at"))
    assert ["2026-06-15T12:00:01Z"] == desk.watermarks("events")


def test_without_records_the_watermark_of_a_field_stays(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = [{"at": "2026-06-03"}]
    desk.collect(_events(field="at"))
    vendor.routes["/events"] = []
    desk.collect(_events(field="at"))
    assert ["2026-06-03T00:00:00Z"] == desk.watermarks("events")


def test_a_value_that_is_no_time_makes_the_run_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = [{"at": "yesterday"}]
    assert ('at is "yesterday", which is no time',) == of(desk.collect(_events(field="at")), "events").missing


def test_the_watermark_stays_where_the_unit_is_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = Answer.json({}, 400)
    desk.collect(_events(send="query.since"))
    assert [] == desk.watermarks("events")


def test_the_watermark_stays_where_a_later_page_fails(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = {"data": [{"at": "2026-06-03"}], "next": "a"}
    vendor.fault("token=a", times=9, status=400)
    paged = {"records": "data", "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}}}
    result = desk.collect({"events": {**_events(field="at")["events"], **paged}})
    assert (1, []) == (result.records_collected, desk.watermarks("events"))


def _broken_off(desk: Desk, vendor: Tiny, *days: int, order: str = "asc") -> list[str]:
    """The watermark behind a first page of these days of June, whose second page is refused."""
    vendor.routes["/events"] = {"data": [{"at": f"2026-06-{day:02}"} for day in days], "next": "a"}
    vendor.fault("token=a", times=9, status=400)
    paged = {"records": "data", "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}}}
    desk.collect({"events": {**_events(field="at", order=order)["events"], **paged}})
    return desk.watermarks("events")


def test_in_order_the_watermark_moves_up_to_the_last_page_that_came(desk: Desk, vendor: Tiny) -> None:
    assert ["2026-06-03T23:59:59Z"] == _broken_off(desk, vendor, 2, 4)


def test_the_watermark_stays_where_the_order_is_not_what_the_page_says(desk: Desk, vendor: Tiny) -> None:
    assert [] == _broken_off(desk, vendor, 4, 2)


def test_out_of_order_the_watermark_of_a_unit_that_broke_off_stays(desk: Desk, vendor: Tiny) -> None:
    assert [] == _broken_off(desk, vendor, 2, 4, order="desc")


def test_the_watermark_stays_where_the_unit_was_skipped(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = Answer.json({}, 403)
    endpoint = {**_events()["events"], "responses": [{"when": {"status": 403}, "skip": {"say": "off"}}]}
    desk.collect({"events": endpoint})
    assert [] == desk.watermarks("events")


def test_each_partition_has_a_watermark_of_its_own(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a"}, {"id": "b"}], "/orgs/a": [{"at": "2026-06-02"}]}
    vendor.routes["/orgs/b"] = Answer.json({}, 400)
    events = {
        "get": "/orgs/${org.id}",
        "for_each": {"org": "orgs"},
        "incremental": _events(field="at")["events"]["incremental"],
    }
    desk.collect({"orgs": "/orgs", "events": events})
    assert ["2026-06-02T00:00:00Z"] == desk.watermarks("events")


def test_a_window_may_go_into_the_body(desk: Desk, vendor: Tiny) -> None:
    endpoint = {"post": "/events", "body": {"filter": {"kind": "x"}}}
    send = {"from": "body.filter.since", "until": "body.filter.until"}
    desk.collect({"events": {**endpoint, "incremental": {"start": "2026-06-01", "send": send}}})
    expected = b'{"filter":{"kind":"x","since":"2026-06-01T00:00:00Z","until":"2026-06-15T12:00:01Z"}}'
    assert expected == vendor.log[0][0].body


def test_a_window_may_stand_in_templates(desk: Desk, vendor: Tiny) -> None:
    query = {"range": "${window.start|date('%m/%d/%Y %H:%M')}~${window.end|date('%m/%d/%Y %H:%M')}"}
    desk.collect({"events": {"get": "/events", "incremental": {"start": "2026-06-01"}, "query": query}})
    assert [{"range": "06/01/2026 00:00~06/15/2026 12:00"}] == _asked(vendor)


def test_a_window_stays_while_something_repeated_for_its_records_is_missing(desk: Desk, vendor: Tiny) -> None:
    page = {**_events(), "details": {"get": "/events/${event.id}", "for_each": {"event": "events"}}}
    vendor.routes |= {"/events": [{"id": "a"}], "/events/a": {"id": "a"}}
    vendor.fault("events/a", times=5, status=500)
    broken, mended = desk.collect(page), desk.collect(page)
    desk.collect(page)
    asked = [one["since"] for one in _asked(vendor) if "since" in one]
    assert ("incomplete", "succeeded") == (broken.status, mended.status)
    assert asked[0] == asked[1] < asked[2]
