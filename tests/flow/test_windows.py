"""Incremental endpoints: the window that is asked for, and the watermark that moves only when all of it came."""

from typing import Any

import pytest

from engine.core.errors import ConfigError, Mistake
from engine.core.times import first_instant
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


@pytest.mark.parametrize("rows", [[], [{"at": None}]])
def test_a_window_without_a_time_is_read_up_to_its_end(desk: Desk, vendor: Tiny, rows: Any) -> None:
    vendor.routes["/events"] = rows
    desk.collect(_events(field="at"))
    assert ["2026-06-15T12:00:01Z"] == desk.watermarks("events")


def test_a_record_that_comes_again_at_the_overlap_moves_no_mark_back(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = [{"at": "2026-06-03"}]
    desk.collect(_events(field="at", overlap="2d"))
    vendor.routes["/events"] = [{"at": "2026-06-02"}]
    desk.collect(_events(field="at", overlap="2d"))
    assert ["2026-06-03T00:00:00Z"] == desk.watermarks("events")


@pytest.mark.parametrize(
    ("value", "forms"),
    [
        (1_780_444_800, ["iso", "epoch_s"]),
        ("1780444800000", ["iso", "epoch_ms"]),
        ("06/03/2026", ["iso", "%m/%d/%Y"]),
        ("2026-06-03T02:00:00.000+0200", "%Y-%m-%dT%H:%M:%S.000%z"),
    ],
)
def test_a_field_is_read_in_the_first_form_that_fits(desk: Desk, vendor: Tiny, value: Any, forms: Any) -> None:
    vendor.routes["/events"] = [{"at": value}, {"at": "2026-06-01"}] if forms[0] == "iso" else [{"at": value}]
    desk.collect(_events(field="at", read_format=forms))
    assert ["2026-06-03T00:00:00Z"] == desk.watermarks("events")


def test_a_value_that_is_no_time_makes_the_run_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = [{"at": "yesterday"}]
    missing = of(desk.collect(_events(field="at", read_format=["iso", "epoch_s"])), "events").missing
    assert ('at: "yesterday" is no time in the form iso or epoch_s',) == missing


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


# --- what is sent

BOTH = {"from": "query.since", "until": "query.before"}


@pytest.mark.parametrize(
    ("form", "since", "before"),
    [
        ("iso", "2026-06-01T00:00:00Z", "2026-06-15T12:00:01Z"),
        ("date", "2026-06-01", "2026-06-15"),
        ("epoch_s", "1780272000", "1781524801"),
        ("epoch_ms", "1780272000000", "1781524801000"),
        ("%m/%d/%Y %H:%M", "06/01/2026 00:00", "06/15/2026 12:00"),
    ],
)
def test_a_window_is_sent_in_the_form_that_the_page_says(
    desk: Desk, vendor: Tiny, form: str, since: str, before: str
) -> None:
    desk.collect(_events(send={**BOTH, "format": form}))
    assert [{"since": since, "before": before}] == _asked(vendor)


def test_an_epoch_in_a_body_is_a_number(desk: Desk, vendor: Tiny) -> None:
    send = {"from": "body.since", "format": "epoch_s"}
    desk.collect({"events": {"post": "/events", "incremental": {"start": "2026-06-01", "send": send}}})
    assert b'{"since":1780272000}' == vendor.log[0][0].body


def test_a_template_may_write_an_epoch(desk: Desk, vendor: Tiny) -> None:
    query = {"range": "${window.start|date('epoch_s')}..${window.end|date('date')}"}
    desk.collect({"events": {"get": "/events", "incremental": {"start": "2026-06-01"}, "query": query}})
    assert [{"range": "1780272000..2026-06-15"}] == _asked(vendor)


def test_a_start_may_be_a_param(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events(start="${param.since}"), given={"since": "2026-06-10"}, params={"since": {}})
    assert [{"since": "2026-06-10T00:00:00Z"}] == _asked(vendor)


def test_a_param_that_is_no_start_is_named_before_anything_is_asked(desk: Desk, vendor: Tiny) -> None:
    with pytest.raises(ConfigError, match=r'events: incremental.start: \$\{param.since\}: "soon" is no time'):
        desk.collect(_events(start="${param.since}"), given={"since": "soon"}, params={"since": {}})
    assert [] == vendor.log


def test_a_window_ends_so_far_behind_now(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = [{"at": "2026-06-15T12:00:00Z"}]
    desk.collect(_events(field="at", until="2m", send=BOTH))
    assert "2026-06-15T11:58:01Z" == _asked(vendor)[0]["before"]
    assert ["2026-06-15T11:58:01Z"] == desk.watermarks("events")


def test_where_the_vendor_counts_the_upper_bound_windows_do_not_overlap(desk: Desk, vendor: Tiny) -> None:
    events = _events(send={**BOTH, "format": "date"}, bounds="inclusive", granularity="1d")
    desk.collect(events)
    desk.time.now += 86_400
    desk.collect(events)
    expected = [
        {"since": "2026-06-01", "before": "2026-06-14"},
        {"since": "2026-06-15", "before": "2026-06-15"},
    ]
    assert expected == _asked(vendor)


def test_a_long_time_is_asked_for_in_steps_in_their_order(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events(send=BOTH, step="7d"), connection={"concurrency": 1})
    expected = [("2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z"), ("2026-06-08T00:00:00Z", "2026-06-15T00:00:00Z")]
    expected += [("2026-06-15T00:00:00Z", "2026-06-15T12:00:01Z")]
    assert expected == [(one["since"], one["before"]) for one in _asked(vendor)]


# --- marks


def test_the_mark_moves_over_whole_windows_up_to_the_first_that_is_not(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("since=2026-06-05", status=400)
    desk.collect(_events(send=BOTH, step="1d", order="desc"), connection={"concurrency": 1})
    assert (15, ["2026-06-05T00:00:00Z"]) == (len(vendor.log), desk.watermarks("events"))


def test_an_empty_window_between_others_is_not_asked_for_again(desk: Desk, vendor: Tiny) -> None:
    def page(asked: Asked) -> Any:
        return [{"at": "2026-06-02T05:00:00Z"}] if "since=2026-06-02" in asked.target else []

    vendor.routes["/events"] = page
    desk.collect(_events(field="at", send=BOTH, step="1d"))
    vendor.log.clear()
    desk.collect(_events(field="at", send=BOTH, step="1d"))
    assert [{"since": "2026-06-15T12:00:01Z", "before": "2026-06-15T12:00:02Z"}] == _asked(vendor)


def test_a_newest_first_list_that_breaks_off_moves_nothing_and_is_read_again(desk: Desk, vendor: Tiny) -> None:
    assert [] == _broken_off(desk, vendor, 14, 13, order="desc")
    vendor.routes["/events"] = {"data": [{"at": f"2026-06-{day}"} for day in (14, 13, 12)], "next": ""}
    paged = {"records": "data", "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}}}
    desk.collect({"events": {**_events(field="at", order="desc")["events"], **paged}})
    assert ["2026-06-01T00:00:00Z", "2026-06-14T00:00:00Z"] == [_asked(vendor)[-1]["since"], *desk.watermarks("events")]


def test_a_clock_set_back_asks_for_nothing_and_moves_no_mark_back(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events())
    desk.time.now -= 3_600
    result = desk.collect(_events())
    words = "it was read until 2026-06-15T12:00:01Z, which this clock has not reached; to read it anew: "
    assert (1, ["2026-06-15T12:00:01Z"]) == (len(vendor.log), desk.watermarks("events"))
    assert (words + "engine state acme --reset events",) == of(result, "events").skipped


def test_a_second_run_in_the_same_moment_has_nothing_to_ask(desk: Desk, vendor: Tiny) -> None:
    desk.collect(_events())
    desk.time.now -= 1
    assert ("succeeded", 1) == (desk.collect(_events()).status, len(vendor.log))


# --- parents that come and go

REPOS = {"get": "/repos/${repo}", "for_each": {"repo": "repos"}}


def _repos(desk: Desk, vendor: Tiny, *names: str, **incremental: Any) -> list[str]:
    """What is asked of these parents, in a collection of its own."""
    vendor.routes |= {"/repos": list(names), **{f"/repos/{name}": [] for name in names}}
    vendor.log.clear()
    news = {"start": "2026-06-01", "send": "query.since", **incremental}
    desk.collect({"repos": "/repos", "events": {**REPOS, "incremental": news}})
    return sorted(target.removeprefix("/repos/").replace("%3A", ":") for target in vendor.targets()[1:])


def test_the_history_of_a_new_parent_is_read(desk: Desk, vendor: Tiny) -> None:
    _repos(desk, vendor, "a")
    expected = ["a?since=2026-06-15T12:00:01Z", "b?since=2026-06-01T00:00:00Z"]
    assert expected == _repos(desk, vendor, "a", "b")


def test_a_new_parent_may_be_read_from_now_on_only(desk: Desk, vendor: Tiny) -> None:
    now = {"parents": {"new": "now"}}
    assert ["a?since=2026-06-01T00:00:00Z"] == _repos(desk, vendor, "a", **now)
    assert ["a?since=2026-06-15T12:00:01Z"] == _repos(desk, vendor, "a", "b", **now)
    expected = ["a?since=2026-06-15T12:00:02Z", "b?since=2026-06-15T12:00:02Z"]
    assert expected == _repos(desk, vendor, "a", "b", **now)


def test_a_parent_that_failed_at_first_is_not_new_the_next_time(desk: Desk, vendor: Tiny) -> None:
    now = {"parents": {"new": "now"}}
    vendor.fault("repos/b", status=400)
    _repos(desk, vendor, "a", "b", **now)
    assert "b?since=2026-06-01T00:00:00Z" in _repos(desk, vendor, "a", "b", **now)


def test_a_parent_that_is_gone_for_a_while_goes_on_where_it_was(desk: Desk, vendor: Tiny) -> None:
    gone = {"parents": {"gone": "forget after 30d"}}
    _repos(desk, vendor, "a", "b", **gone)
    desk.time.now += 20 * 86_400
    _repos(desk, vendor, "a", **gone)
    assert "b?since=2026-06-15T12:00:01Z" in _repos(desk, vendor, "a", "b", **gone)


def test_a_parent_that_is_gone_for_long_is_forgotten(desk: Desk, vendor: Tiny) -> None:
    gone = {"parents": {"gone": "forget after 30d"}}
    _repos(desk, vendor, "a", "b", **gone)
    desk.time.now += 31 * 86_400
    _repos(desk, vendor, "a", **gone)
    assert 1 == len(desk.watermarks("events"))
    assert "b?since=2026-06-01T00:00:00Z" in _repos(desk, vendor, "a", "b", **gone)


def test_nothing_is_forgotten_while_not_all_parents_are_known(desk: Desk, vendor: Tiny) -> None:
    gone = {"parents": {"gone": "forget after 30d"}}
    _repos(desk, vendor, "a", "b", **gone)
    desk.time.now += 31 * 86_400
    vendor.fault("GET /repos$", status=400)
    _repos(desk, vendor, "a", **gone)
    assert 2 == len(desk.watermarks("events"))
