"""Incomplete runs that are completed: only what is missing is asked for, and both runs together are what was there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.errors import ConfigError
from engine.flow.began import chain
from engine.flow.ledger import Collection, Ledger
from engine.flow.store import Store
from tests.flow.desk import Desk, Tiny
from tests.vendors.server import Answer, Asked

BROKEN = Answer.json({"message": "broken"}, 403)
BY_NUMBER = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}}


def numbered(count: int, first: int = 0, *, breaks_at: int = 0) -> Any:
    """Two records a page; the page with the number `breaks_at` cannot be had."""

    def answer(asked: Asked) -> Any:
        number = int(dict(asked.query).get("page", 1))
        rows = [{"id": first + at} for at in range(count)]
        return BROKEN if number == breaks_at else {"rows": rows[2 * (number - 1) : 2 * number]}

    return answer


def sealed(desk: Desk, endpoint: str) -> list[Collection]:
    """What was sealed of an endpoint, oldest first."""
    ledger = Ledger(desk.storage / "engine.db")
    try:
        return [one for one in ledger.collections("acme") if one.endpoint == endpoint]
    finally:
        ledger.close()


def whole(desk: Desk, endpoint: str) -> list[Any]:
    """The ids of an endpoint, of all runs that together hold it."""
    every = sealed(desk, endpoint)
    frames = Store(desk.storage, "acme").frames(endpoint, chain(every, every[-1]))
    return [row["id"] for frame in frames for row in json.loads(frame.body)["rows"]]


def completed(desk: Desk, run: str) -> Any:
    """Complete a run; nothing that was asked before counts."""
    desk.vendor.log.clear()
    desk.time.now += 60
    return desk.engine().resume(run)


THINGS = {
    "for_each": {"name": {"values": ["a", "b", "c"]}},
    "get": "/${name}",
    "records": "rows",
    "paginate": BY_NUMBER,
}


def test_only_the_pages_that_are_missing_are_asked_for(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/a": numbered(3), "/b": numbered(5, 10, breaks_at=2), "/c": numbered(1, 20)}
    first = desk.collect({"things": THINGS})
    vendor.routes["/b"] = numbered(5, 10)
    second = completed(desk, first.run)
    assert ("incomplete", "succeeded") == (first.status, second.status)
    assert ["/b?size=2&page=2", "/b?size=2&page=3"] == vendor.targets()
    assert [0, 1, 2, 10, 11, 12, 13, 14, 20] == whole(desk, "things")
    assert [(False, 6, 5, ""), (True, 3, 2, first.run)] == [
        (one.complete, one.rows, one.pages, one.completes) for one in sealed(desk, "things")
    ]


def test_what_is_still_missing_is_fetched_by_a_third(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/a": BROKEN, "/b": numbered(5, 10, breaks_at=2), "/c": numbered(1, 20)}
    first = desk.collect({"things": THINGS})
    vendor.routes["/b"] = numbered(5, 10, breaks_at=3)
    second = completed(desk, first.run)
    vendor.routes |= {"/a": numbered(3), "/b": numbered(5, 10)}
    third = completed(desk, second.run)
    assert ["incomplete", "incomplete", "succeeded"] == [first.status, second.status, third.status]
    assert ["/a?size=2&page=1", "/a?size=2&page=2", "/b?size=2&page=3"] == sorted(vendor.targets())
    assert [0, 1, 2, 10, 11, 12, 13, 14, 20] == whole(desk, "things")
    assert [3, 2, 4] == [one.rows for one in sealed(desk, "things")]


def test_children_of_what_was_missing_are_new_and_the_others_stay(desk: Desk, vendor: Tiny) -> None:
    endpoints = {
        "orgs": {"get": "/orgs", "records": "rows", "paginate": BY_NUMBER},
        "things": {"for_each": {"org": "orgs"}, "get": "/orgs/${org.id}", "records": "rows"},
    }
    vendor.routes["/orgs"] = numbered(4, breaks_at=2)
    vendor.routes |= {f"/orgs/{number}": {"rows": [{"id": 10 * number}]} for number in range(4)}
    first = desk.collect(endpoints)
    vendor.routes["/orgs"] = numbered(4)
    second = completed(desk, first.run)
    assert ["/orgs?size=2&page=2", "/orgs?size=2&page=3", "/orgs/2", "/orgs/3"] == sorted(
        vendor.targets(), key=lambda one: ("?" not in one, one)
    )
    assert ("succeeded", [0, 10, 20, 30]) == (second.status, whole(desk, "things"))


def test_an_endpoint_that_was_whole_is_not_collected_again(desk: Desk, vendor: Tiny) -> None:
    endpoints = {
        "orgs": {"get": "/orgs", "records": "rows"},
        "things": {"for_each": {"org": "orgs"}, "get": "/orgs/${org.id}", "records": "rows"},
    }
    vendor.routes |= {"/orgs": {"rows": [{"id": 0}, {"id": 1}]}, "/orgs/0": {"rows": [{"id": 7}]}, "/orgs/1": BROKEN}
    first = desk.collect(endpoints)
    vendor.routes["/orgs/1"] = {"rows": [{"id": 8}]}
    second = completed(desk, first.run)
    assert (["/orgs/1"], ["things"]) == (vendor.targets(), [one.endpoint for one in second.collections])
    assert [7, 8] == whole(desk, "things")


def test_a_list_that_moved_is_read_from_its_start(desk: Desk, vendor: Tiny) -> None:
    def moving(asked: Asked) -> Any:
        number = int(dict(asked.query).get("page", 1))
        return {"rows": [{"id": 1}, {"id": number}]}

    vendor.routes["/things"] = moving
    first = desk.collect({"things": {"get": "/things", "records": "rows", "paginate": BY_NUMBER}})
    vendor.routes["/things"] = numbered(3, 5)
    second = completed(desk, first.run)
    assert ("incomplete", "succeeded") == (first.status, second.status)
    assert ["/things?size=2&page=1", "/things?size=2&page=2"] == vendor.targets()
    assert [5, 6, 7] == whole(desk, "things")


def test_a_job_that_failed_is_created_anew(desk: Desk, vendor: Tiny) -> None:
    job = {
        "create": {"post": "/exports", "body": {}, "read": "answer.id"},
        "poll": {"get": "/exports/${job.id}", "done": "answer.done", "failed": "answer.failed", "every": "1s"},
        "fetch": {"urls": "answer.urls"},
    }
    vendor.routes |= {"/exports": {"id": 1}, "/exports/1": {"failed": True}, "/file": {"rows": [{"id": 1}]}}
    first = desk.collect({"things": {"job": job, "records": "rows"}})
    vendor.routes |= {"/exports": {"id": 2}, "/exports/2": {"done": True, "urls": [f"{vendor.url}/file"]}}
    second = completed(desk, first.run)
    assert ("succeeded", ["/exports", "/exports/2", "/file"]) == (second.status, vendor.targets())
    assert [1] == whole(desk, "things")


def test_marks_move_when_the_gap_before_them_is_filled(desk: Desk, vendor: Tiny) -> None:
    days = {"11": {"rows": []}, "12": BROKEN, "13": {"rows": []}, "14": {"rows": []}}

    def events(asked: Asked) -> Any:
        return days.get(dict(asked.query)["since"][8:10], {"rows": []})

    vendor.routes["/events"] = events
    incremental = {
        "start": "2026-06-11T00:00:00Z",
        "step": "1d",
        "send": {"from": "query.since", "until": "query.before"},
    }
    first = desk.collect(
        {"events": {"get": "/events", "records": "rows", "incremental": incremental, "may_be_empty": True}}
    )
    before = desk.watermarks("events")
    days["12"] = {"rows": [{"id": 12}]}
    second = completed(desk, first.run)
    assert ("succeeded", 1) == (second.status, len(vendor.targets()))
    assert (["2026-06-12T00:00:00Z"], ["2026-06-15T12:00:01Z"]) == (before, desk.watermarks("events"))


@pytest.mark.parametrize("missing", ["a", "c"])
def test_a_unit_that_was_refused_at_once_is_asked_for_once_more(desk: Desk, vendor: Tiny, missing: str) -> None:
    vendor.routes |= {"/a": numbered(1), "/b": numbered(1, 10), "/c": numbered(1, 20), f"/{missing}": BROKEN}
    first = desk.collect({"things": THINGS})
    vendor.routes |= {"/a": numbered(1), "/c": numbered(1, 20)}
    completed(desk, first.run)
    assert [f"/{missing}?size=2&page={number}" for number in (1, 2)] == vendor.targets()
    assert [0, 10, 20] == whole(desk, "things")


def test_what_moved_before_the_gap_is_seen_in_redacted_records_too(desk: Desk, vendor: Tiny) -> None:
    def people(first: int, breaks_at: int) -> Any:
        def answer(asked: Asked) -> Any:
            number = int(dict(asked.query)["page"])
            ids = range(first, 5)[2 * (number - 1) : 2 * number]
            return BROKEN if number == breaks_at else {"rows": [{"id": at, "email": f"{at}@x"} for at in ids]}

        return answer

    vendor.routes["/people"] = people(1, 2)
    first = desk.collect({"people": {"get": "/people", "records": "rows", "redact": ["email"], "paginate": BY_NUMBER}})
    vendor.routes["/people"] = people(0, 0)
    second = completed(desk, first.run)
    assert ("incomplete", "succeeded") == (first.status, second.status)
    assert [0, 1, 2, 3, 4] == [row["id"] for row in redacted(desk)]
    assert [False, False] == [bool(key) for key in keys(desk, "people")]


def test_the_key_of_redacted_records_stays_as_long_as_a_run_may_go_on_behind_them(desk: Desk, vendor: Tiny) -> None:
    people = {"get": "/people", "records": "rows", "redact": ["email"], "paginate": BY_NUMBER}
    vendor.routes["/people"] = numbered(4, breaks_at=2)
    first = desk.collect({"people": people})
    assert [True] == [bool(key) for key in keys(desk, "people")]
    completed(desk, first.run)
    assert 1 == len({*keys(desk, "people")})
    desk.collect({"people": people})
    assert [False, False, True] == [bool(key) for key in keys(desk, "people")]
    vendor.routes["/people"] = numbered(4)
    desk.collect({"people": people})
    assert [""] * 4 == keys(desk, "people")


def redacted(desk: Desk) -> list[Any]:
    """The kept people of all runs that together hold them."""
    every = sealed(desk, "people")
    frames = Store(desk.storage, "acme").frames("people", chain(every, every[-1]))
    return [row for frame in frames for row in json.loads(frame.body)]


def keys(desk: Desk, endpoint: str) -> list[str]:
    """By what each run knows redacted records again; empty where it does no more."""
    ledger = Ledger(desk.storage / "engine.db")
    try:
        found = [ledger.sweep(one.run, endpoint) for one in reversed(ledger.runs("acme"))]
        return [(one[0] if one else {}).get("key", "") for one in found]
    finally:
        ledger.close()


def test_behind_a_newer_run_nothing_is_completed_and_it_is_named(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/a": BROKEN, "/b": numbered(1, 10), "/c": numbered(1, 20)}
    first, second = (desk.collect({"things": THINGS}).run for _ in range(2))
    vendor.routes["/a"] = numbered(1)
    with pytest.raises(ConfigError, match=f"run {second} collected things since then") as refused:
        completed(desk, first)
    assert ([], True) == (vendor.targets(), f"go on with that one: engine resume {second}" in refused.value.fix)
    assert "succeeded" == completed(desk, second).status
    assert [0, 10, 20] == whole(desk, "things")


def test_a_part_that_is_newer_is_enough_for_nothing_to_be_completed(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": {"rows": [{"id": 0}]}, "/other": BROKEN}
    page = desk.page({"orgs": {"get": "/orgs", "records": "rows"}, "other": "/other"})
    first = desk.engine().collect(page)
    newer = desk.engine().collect(page, only=["orgs"])
    with pytest.raises(ConfigError, match=f"run {newer.run} collected orgs since then") as refused:
        completed(desk, first.run)
    assert "collect anew: engine run acme" == refused.value.fix
