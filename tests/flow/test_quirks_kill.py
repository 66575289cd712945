"""A run that is killed in the middle of a list: the next one asks for all that it might have missed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.flow.desk import Desk, Tiny
from tests.house.command import START
from tests.house.source import ROOT
from tests.vendors.server import Asked

COLUMNS = {"id": {"path": "id", "type": "integer"}, "at": {"path": "at", "type": "datetime"}}
TABLES = {"events": {"from": "events", "key": "id", "columns": COLUMNS}}
DAYS = [{"id": day, "at": f"2025-06-{day:02d}T00:00:00Z"} for day in range(1, 10)]
PAGES = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}}
TOKENS = {"cursor": {"read": "answer.next", "send": "query.token"}}
LINKS = {"next_url": {"read": "answer.link"}}


class Held(Tiny):
    """A vendor that keeps the answers to some requests back until somebody was killed."""

    def __init__(self) -> None:
        super().__init__()
        self.keeps, self.held, self.go = "", threading.Event(), threading.Event()

    def answer(self, asked: Asked) -> Any:
        """What stands at the path, later where it is kept back."""
        if self.keeps and self.keeps in asked.target:
            self.held.set()
            self.go.wait(30)
        return super().answer(asked)


@pytest.fixture
def vendor() -> Iterator[Held]:
    with Held() as opened:
        yield opened
        opened.go.set()


def killed(desk: Desk, vendor: Held, page: Path, keeps: str) -> None:
    """Start a run in a process of its own, and kill it while it waits for an answer to what contains this."""
    vendor.keeps = keeps
    words = [sys.executable, "-c", START, "run", str(page), "--storage", str(desk.storage)]
    quiet: Mapping[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=desk.folder, **quiet) as run:
        assert vendor.held.wait(30)
        run.kill()
    vendor.keeps = ""
    vendor.go.set()
    desk.time.now = time.time()  # behind the start of the run that was killed


def ids(desk: Desk) -> list[Any]:
    """The ids of the published events."""
    rows: Any = desk.engine().table("acme", "events").collect()
    found: list[Any] = rows["id"].sort().to_list()
    return found


def listed(vendor: Held, rows: list[dict[str, Any]]) -> None:
    """Two records a page, by number, token or link."""

    def answer(asked: Asked) -> Any:
        sent = dict(asked.query)
        at = 2 * (int(sent.get("page", 1)) - 1) or int(sent.get("token", 0))
        last = at + 2 >= len(rows)
        more = {} if last else {"next": str(at + 2), "link": f"?token={at + 2}"}
        return {"data": rows[at : at + 2], **more}

    vendor.routes["/events"] = answer


# https://github.com/elastic/integrations/issues/12873: a list that begins with its newest records was cut off behind
# the first page; the mark was the newest of them, and the older ones were never read.
@pytest.mark.parametrize(
    ("paginate", "third"),
    [
        (PAGES, "page=3"),
        pytest.param(TOKENS, "token=4", marks=pytest.mark.slow),
        pytest.param(LINKS, "token=4", marks=pytest.mark.slow),
    ],
)
def test_a_list_that_begins_with_the_newest_leaves_nothing_out(
    desk: Desk, vendor: Held, paginate: Mapping[str, Any], third: str
) -> None:
    listed(vendor, DAYS[::-1])
    news = {"field": "at", "start": "2025-06-01", "order": "desc"}
    events = {"get": "/events", "records": "data", "paginate": paginate, "incremental": news}
    page = desk.page({"events": events}, tables=TABLES)
    killed(desk, vendor, page, third)
    assert [] == desk.watermarks("events")
    assert "succeeded" == desk.engine().run(page).status
    assert ([*range(1, 10)], ["2025-06-09T00:00:00Z"]) == (ids(desk), desk.watermarks("events"))


# https://github.com/elastic/beats/pull/52996: what is fetched for each record of a page was cut off, and the list went
# on behind that page.
@pytest.mark.slow
def test_what_is_repeated_for_new_records_is_asked_for_all_of_them(desk: Desk, vendor: Held) -> None:
    vendor.routes["/issues"] = lambda asked: [row for row in DAYS if row["at"] >= dict(asked.query)["since"]]
    vendor.routes |= {f"/issues/{row['id']}": [row] for row in DAYS}
    news = {"field": "at", "start": "2025-06-01T00:00:00Z", "send": "query.since"}
    below = {"for_each": {"issue": "issues"}, "get": "/issues/${issue.id}"}
    endpoints = {"issues": {"get": "/issues", "incremental": news}, "events": below}
    page = desk.page(endpoints, tables=TABLES)
    killed(desk, vendor, page, "/issues/5")
    assert [] == desk.watermarks("issues")
    assert "succeeded" == desk.engine().run(page).status
    assert ([*range(1, 10)], ["2025-06-09T00:00:00Z"]) == (ids(desk), desk.watermarks("issues"))


@pytest.mark.slow
def test_a_value_that_moved_is_not_forgotten_before_its_report_was_kept(desk: Desk, vendor: Held) -> None:
    vendor.routes["/apis"] = DAYS[:4]
    vendor.routes |= {f"/apis/{row['id']}": [row] for row in DAYS[:4]}
    each = {"api": {"endpoint": "apis", "when_changed": "at"}}
    endpoints = {"apis": "/apis", "events": {"for_each": each, "get": "/apis/${api.id}"}}
    page = desk.page(endpoints, tables=TABLES)
    killed(desk, vendor, page, "/apis/3")
    assert "succeeded" == desk.engine().run(page).status
    assert [1, 2, 3, 4] == ids(desk)
