"""Pages that are fetched ahead: they are taken when their turn comes, and nobody is blamed for another."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from engine.core.errors import Json
from engine.core.wire import Page, Request
from engine.flow.ahead import heard
from tests.flow.desk import Desk, Time, Tiny
from tests.vendors.server import Asked

PAGE = Page(Request("GET", "https://api.example.com/things"), 200)


class JustInTime(Future[Page]):
    """Its page comes in the moment in which somebody looks whether it is there."""

    def done(self) -> bool:
        """Always, from the first look on."""
        if not super().done():
            self.set_result(PAGE)
        return True


def test_a_page_that_comes_in_the_last_moment_is_taken() -> None:
    assert PAGE is heard(JustInTime(), Time().clock())


def test_an_error_names_the_page_that_has_it_and_not_one_ahead(desk: Desk, vendor: Tiny) -> None:
    third = threading.Event()

    def things(asked: Asked) -> Json:
        page = dict(asked.query)["page"]
        if page == "3":
            third.set()
        at = "never" if page == "2" and third.wait(5) else "2026-06-01T00:00:00Z"
        return {"data": [{"id": f"{page} {one}", "at": at} for one in range(2)], "total": 20}

    vendor.routes["/things"] = things
    paginate = {
        "page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}, "total": "answer.total"}
    }
    incremental = {"field": "at", "send": "query.since", "start": "2026-01-01"}
    result = desk.collect(
        {"things": {"get": "/things", "records": "data", "paginate": paginate, "incremental": incremental}}
    )
    assert "page=2" in result.errors[0]["context"]["request"]
