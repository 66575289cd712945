"""Lists that begin with the newest records, of vendors that know no since: read only as far as they are new."""

from typing import Any

from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Asked

EVENTS: dict[str, Any] = {
    "get": "/events",
    "records": "data",
    "paginate": {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}},
    "incremental": {"field": "at", "start": "2026-06-01", "order": "desc"},
}
TABLES = {"events": {"from": "events", "key": "id", "columns": {"id": "id", "at": {"path": "at", "type": "datetime"}}}}


def _days(*days: int) -> list[dict[str, Any]]:
    return [{"id": day, "at": f"2026-06-{day:02d}T00:00:00Z"} for day in days]


def _listed(rows: list[dict[str, Any]]) -> Any:
    def answer(asked: Asked) -> Any:
        query = dict(asked.query)
        at = (int(query["page"]) - 1) * 2
        return {"data": rows[at : at + 2]}

    return answer


def test_a_second_run_ends_at_the_first_page_with_what_is_known(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = _listed(_days(10, 9, 8, 7, 6, 5, 4))
    desk.collect({"events": EVENTS}, tables=TABLES)
    vendor.log.clear()
    vendor.routes["/events"] = _listed(_days(12, 11, 10, 9, 8, 7, 6, 5, 4))
    assert "succeeded" == desk.collect({"events": EVENTS}, tables=TABLES).status
    assert ["/events?size=2&page=1", "/events?size=2&page=2"] == vendor.targets()
    assert ["2026-06-12T00:00:00Z"] == desk.watermarks("events")


def test_a_list_that_is_not_ordered_as_the_page_says_is_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = _listed(_days(10, 9, 2, 11))
    result = desk.collect({"events": EVENTS}, tables=TABLES)
    assert "order: desc is said, and an older record stands before a newer one" in of(result, "events").missing[0]
    assert [] == desk.watermarks("events")


def test_the_order_is_watched_over_pages_too(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = _listed(_days(10, 9, 11, 8))
    assert "incomplete" == desk.collect({"events": EVENTS}, tables=TABLES).status


def test_a_page_may_compare_with_the_window_itself(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = _listed(_days(10, 9, 8, 7))
    paginate = {"page_number": {**EVENTS["paginate"]["page_number"], "stop_when": "last.at < window.start"}}
    events = {**EVENTS, "paginate": paginate, "incremental": {**EVENTS["incremental"], "start": "2026-06-09"}}
    desk.collect({"events": events}, tables=TABLES)
    assert ["/events?size=2&page=1", "/events?size=2&page=2"] == vendor.targets()
