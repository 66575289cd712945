"""Lists that are killed at every commit point and go on: the same pages, and none of them asked for twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.flow.desk import Tiny
from tests.flow.mortal import PAGES, Mortal, same_after_every_kill
from tests.vendors.server import Answer, Asked

ROWS = [{"id": number, "name": f"n{number}"} for number in range(7)]
SIZE = {"send": "query.size", "value": 2}


def listed(asked: Asked) -> Any:
    """Two records a page, in every way at once."""
    sent = dict(asked.query)
    at = int(sent.get("offset", 0)) or 2 * (int(sent.get("page", 1)) - 1) or int(sent.get("token", 0))
    if "after" in sent:
        at = int(sent["after"]) + 1
    if "key" in sent:
        at = int(sent["key"])
    following = at + 2
    last = following >= len(ROWS)
    target = f"/things?token={following}"
    more = {} if last else {"next": str(following), "link": f"/things?token={following}"}
    link: dict[str, Any] = {} if last else {"Link": f'<{target}>; rel="next"', "X-Next": str(following)}
    return Answer.json({"rows": ROWS[at:following], "total": len(ROWS), **more}, **link)


WAYS: dict[str, Any] = {
    "cursor": {"read": "answer.next", "send": "query.token"},
    "cursor of a header": {"read": 'headers."x-next"', "send": "query.token"},
    "cursor of the last record": {"read": "last.id", "send": "query.after"},
    "next_url": {"read": "answer.link"},
    "link_header": {},
    "offset": {"send": "query.offset", "size": SIZE, "total": "answer.total"},
    "page_number": {"send": "query.page", "size": SIZE},
    "page_number to a total": {"send": "query.page", "total": "answer.total", "size": SIZE},
    "page_number of which some are read": {"send": "query.page", "size": SIZE, "max_pages": 2},
    "page_number until told": {"send": "query.page", "size": SIZE, "stop_when": "contains(rows[].id, `3`)"},
    "start_key": {"read": "last.id", "send": "query.key", "size": SIZE},
}
QUICK = ("cursor of a header", "page_number to a total")
"""What else there is the law of tests/parts has, without a process to kill."""


@pytest.mark.parametrize("way", [pytest.param(way, marks=() if way in QUICK else pytest.mark.slow) for way in WAYS])
def test_a_list_goes_on_behind_its_kept_pages(mortals: Mortal, vendor: Tiny, way: str, kills: Sequence[int]) -> None:
    vendor.routes["/things"] = listed
    word = way.split(" ")[0]
    page = mortals.page({"things": {"get": "/things", "records": "rows", "paginate": {word: WAYS[way]}}})
    assert same_after_every_kill(mortals, page, "things", points=PAGES, numbers=kills) > 3


@pytest.mark.slow
def test_it_makes_no_difference_where_the_ledger_was_when_it_was_killed(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = listed
    page = mortals.page({"things": {"get": "/things", "records": "rows", "paginate": {"link_header": {}}}})
    assert same_after_every_kill(mortals, page, "things") > 10
