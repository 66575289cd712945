"""Units of every kind that are killed at every page and go on: parents and children, windows, rules, redacted pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.flow.desk import Tiny
from tests.flow.mortal import PAGES, Mortal, same_after_every_kill
from tests.vendors.server import Answer, Asked

BY_NUMBER = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}}


def numbered(rows: list[Any]) -> Any:
    """Two records a page, or as many as are asked for."""

    def answer(asked: Asked) -> Any:
        sent = dict(asked.query)
        size = int(sent.get("size", 2))
        at = size * (int(sent.get("page", 1)) - 1)
        return {"rows": rows[at : at + size], "total": len(rows)}

    return answer


def ids(first: int, count: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in range(first, first + count)]


def test_a_fan_out_of_three_levels_goes_on_with_the_same_units(
    mortals: Mortal, vendor: Tiny, kills: Sequence[int]
) -> None:
    vendor.routes["/orgs"] = numbered([{"id": "a"}, {"id": "b"}, {"id": "c"}])
    for org, count in (("a", 2), ("b", 0), ("c", 1)):
        teams = [{"id": f"{org}{number}"} for number in range(count)]
        vendor.routes[f"/orgs/{org}/teams"] = {"rows": teams}
        for team in teams:
            vendor.routes[f"/teams/{team['id']}/members"] = numbered(ids(0, 3))
    page = mortals.page(
        {
            "orgs": {"get": "/orgs", "records": "rows", "paginate": BY_NUMBER},
            "teams": {"for_each": {"org": "orgs"}, "get": "/orgs/${org.id}/teams", "records": "rows"},
            "members": {
                "for_each": {"team": "teams"},
                "get": "/teams/${team.id}/members",
                "records": "rows",
                "paginate": BY_NUMBER,
                "add": {"org": "${org.id}"},
            },
        }
    )
    same_after_every_kill(mortals, page, "orgs", "teams", "members", points=("frame kept",), numbers=kills)


@pytest.mark.slow
def test_units_of_several_threads_repeat_no_more_than_is_under_way(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = {"rows": ids(0, 6)}
    for number in range(6):
        vendor.routes[f"/orgs/{number}"] = numbered(ids(10 * number, 3))
    endpoints = {
        "orgs": {"get": "/orgs", "records": "rows"},
        "things": {"for_each": {"org": "orgs"}, "get": "/orgs/${org.id}", "records": "rows", "paginate": BY_NUMBER},
    }
    page = mortals.page(endpoints, connection={"concurrency": 3})
    same_after_every_kill(mortals, page, "orgs", "things", points=PAGES, repeated=3)


@pytest.mark.slow
def test_pages_that_are_fetched_ahead_are_asked_for_again_only_where_they_were_not_kept(
    mortals: Mortal, vendor: Tiny
) -> None:
    vendor.routes["/things"] = numbered(ids(0, 11))
    paginate = {"page_number": {**BY_NUMBER["page_number"], "total": "answer.total"}}
    things = {"get": "/things", "records": "rows", "paginate": paginate}
    page = mortals.page({"things": things}, connection={"concurrency": 3})
    same_after_every_kill(mortals, page, "things", points=PAGES, repeated=3)


@pytest.mark.slow
def test_windows_go_on_with_those_that_were_to_be_asked_for(mortals: Mortal, vendor: Tiny) -> None:
    def answer(asked: Asked) -> Any:
        since = dict(asked.query)["since"]
        return {"rows": [{"id": since, "at": since}]}

    vendor.routes["/events"] = answer
    incremental = {
        "field": "at",
        "start": "2026-06-11T00:00:00Z",
        "step": "1d",
        "send": {"from": "query.since", "until": "query.before"},
    }
    page = mortals.page({"events": {"get": "/events", "records": "rows", "incremental": incremental}})
    same_after_every_kill(mortals, page, "events")


@pytest.mark.slow
def test_a_newest_first_list_ends_where_it_would_have_ended(mortals: Mortal, vendor: Tiny) -> None:
    rows = [{"id": day, "at": f"2026-06-{day:02d}T00:00:00Z"} for day in range(14, 4, -1)]
    vendor.routes["/events"] = numbered(rows)
    incremental = {"field": "at", "start": "2026-06-09T00:00:00Z", "order": "desc"}
    things = {"get": "/events", "records": "rows", "incremental": incremental, "paginate": BY_NUMBER}
    same_after_every_kill(mortals, mortals.page({"events": things}), "events", points=PAGES)


@pytest.mark.slow
def test_a_redacted_list_knows_its_records_again_though_they_look_alike(mortals: Mortal, vendor: Tiny) -> None:
    rows = [{"kind": "person", "name": f"n{number}", "at": f"2026-06-0{1 + number}T00:00:00Z"} for number in range(7)]
    vendor.routes["/people"] = numbered(rows)
    people = {
        "get": "/people?since=${window.start}",
        "records": "rows",
        "redact": ["name", "at"],
        "incremental": {"field": "at", "start": "2026-06-01T00:00:00Z", "order": "asc"},
        "paginate": {"page_number": {**BY_NUMBER["page_number"], "total": "answer.total"}},
    }
    same_after_every_kill(mortals, mortals.page({"people": people}), "people", points=PAGES)


@pytest.mark.slow
def test_a_redacted_record_that_comes_again_behind_the_kill_is_still_seen(mortals: Mortal, vendor: Tiny) -> None:
    rows = [{"kind": "person", "name": f"n{number}"} for number in (0, 1, 2, 3, 3, 4)]
    vendor.routes["/people"] = numbered(rows)
    people = {"get": "/people", "records": "rows", "redact": ["name"], "paginate": BY_NUMBER}
    page = mortals.page({"people": people})
    whole = mortals.collect(page)
    assert "stood on the page before" in whole["errors"][0]["message"]
    mortals.anew()
    same_after_every_kill(mortals, page, "people", points=PAGES, repeated=2)


def moving(times: int) -> Any:
    """A list to whose head a record comes in behind the first page, so often."""
    seen = Counter[str]()

    def answer(asked: Asked) -> Any:
        number = dict(asked.query).get("page", "1")
        seen[number] += 1
        extra = min(seen["2"], times)
        rows = [*ids(100, extra), *ids(0, 5)]
        return numbered(rows)(asked)

    return answer


def test_a_list_that_is_read_once_more_goes_on_in_its_second_reading(
    mortals: Mortal, vendor: Tiny, kills: Sequence[int]
) -> None:
    def begin() -> None:
        vendor.routes["/things"] = moving(1)

    page = mortals.page({"things": {"get": "/things", "records": "rows", "paginate": BY_NUMBER}})
    same_after_every_kill(mortals, page, "things", points=("frame kept",), begin=begin, numbers=kills)


@pytest.mark.slow
def test_a_window_that_was_split_is_not_asked_for_whole_again(mortals: Mortal, vendor: Tiny) -> None:
    def answer(asked: Asked) -> Any:
        sent = dict(asked.query)
        hours = int(sent["until"]) - int(sent["from"])
        if hours > 6 * 3600:
            return Answer.json({"message": "too many"}, 400)
        return {"rows": [{"id": sent["from"]}]}

    vendor.routes["/events"] = answer
    events = {
        "get": "/events",
        "records": "rows",
        "incremental": {
            "start": "2026-06-14T00:00:00Z",
            "send": {"from": "query.from", "until": "query.until", "format": "epoch_s"},
        },
        "responses": [{"when": {"status": 400}, "split_window": {"smallest": "1h"}}],
    }
    same_after_every_kill(mortals, mortals.page({"events": events}), "events", points=PAGES)


@pytest.mark.slow
def test_pages_that_were_left_out_or_made_smaller_are_so_again(mortals: Mortal, vendor: Tiny) -> None:
    rows = ids(0, 16)

    def answer(asked: Asked) -> Any:
        sent = dict(asked.query)
        at, size = int(sent.get("offset", 0)), int(sent.get("size", 8))
        if size > 4:
            return Answer.json({}, 413)
        if at == 4:
            return Answer.json({"message": "this page is broken"}, 500)
        return {"rows": rows[at : at + size], "total": len(rows)}

    vendor.routes["/things"] = answer
    things = {
        "get": "/things",
        "records": "rows",
        "paginate": {
            "offset": {"send": "query.offset", "size": {"send": "query.size", "value": 8}, "total": "answer.total"}
        },
        "responses": [
            {"when": {"status": 413}, "reduce_page": {}},
            {"when": {"status": 500}, "skip": {"scope": "page", "say": "${answer.message}"}},
        ],
    }
    same_after_every_kill(mortals, mortals.page({"things": things}), "things", points=PAGES)


@pytest.mark.slow
def test_a_unit_that_was_stopped_or_left_out_is_not_asked_again(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/a"] = Answer.json({"message": "archived"}, 403)
    vendor.routes["/b"] = Answer.json({}, 204)
    vendor.routes["/c"] = {"rows": ids(0, 1)}
    things = {
        "for_each": {"name": {"values": ["a", "b", "c"]}},
        "get": "/${name}",
        "records": "rows",
        "responses": [
            {"when": {"status": 403}, "skip": {"scope": "unit", "say": "${answer.message}"}},
            {"when": {"status": 204}, "stop": {}},
        ],
    }
    same_after_every_kill(mortals, mortals.page({"things": things}), "things", points=PAGES)


@pytest.mark.slow
def test_an_endpoint_that_is_left_out_keeps_the_pages_that_came_before(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/a"] = numbered(ids(0, 3))
    vendor.routes["/b"] = Answer.json({"message": "not in your plan"}, 402)
    vendor.routes["/c"] = numbered(ids(5, 3))
    things = {
        "for_each": {"name": {"values": ["a", "b", "c"]}},
        "get": "/${name}",
        "records": "rows",
        "paginate": BY_NUMBER,
        "responses": [{"when": {"status": 402}, "skip": {"scope": "endpoint", "say": "${answer.message}"}}],
    }
    same_after_every_kill(mortals, mortals.page({"things": things}), "things", points=PAGES)


@pytest.mark.slow
def test_what_was_missing_before_the_kill_is_told_behind_it(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/a"] = numbered(ids(0, 3))
    vendor.routes["/c"] = numbered(ids(5, 3))
    things = {
        "for_each": {"name": {"values": ["a", "b", "c"]}},
        "get": "/${name}",
        "records": "rows",
        "paginate": BY_NUMBER,
    }
    others = {"for_each": {"thing": "things"}, "get": "/others/${thing.id}"}
    page = mortals.page({"things": things, "others": others})
    same_after_every_kill(mortals, page, "things", "others", points=PAGES, repeated=9)
