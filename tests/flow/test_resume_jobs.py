"""Exports and files that are killed and go on: no job is created twice, and no file that was kept is fetched again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.flow.desk import Tiny
from tests.flow.mortal import PAGES, Mortal, same_after_every_kill
from tests.vendors.server import Answer, Asked

CREATE = {"post": "/exports", "body": {"kind": "orders"}, "read": "answer.id"}
POLL = {"get": "/exports/${job.id}", "done": "answer.state == 'DONE'", "every": "10s", "deadline": "1m"}
LOCATE = {"get": "/exports/${job.id}/files"}
FETCH = {"urls": "answer.files[].url"}


def exporting(vendor: Tiny, *, anew: bool = False) -> None:
    """A vendor whose export is ready at the second poll and has three files, whose addresses may be signed `anew`."""
    polls = {"left": 1, "signed": 0}

    def poll(asked: Asked) -> Any:
        polls["left"] -= 1
        return {"state": "DONE" if polls["left"] < 0 else "RUNNING"}

    def locate(asked: Asked) -> Any:
        polls["signed"] += anew
        signed = polls["signed"]
        return {"files": [{"url": f"{vendor.url}/files/{name}?signature={signed}"} for name in "abc"]}

    vendor.routes["/exports"] = {"id": 7}
    vendor.routes["/exports/7"] = poll
    vendor.routes["/exports/7/files"] = locate
    for number, name in enumerate("abc"):
        vendor.routes[f"/files/{name}"] = {"rows": [{"id": number}]}


def orders(**changes: Any) -> dict[str, Any]:
    job = {"create": CREATE, "poll": POLL, "locate": LOCATE, "fetch": FETCH, **changes}
    return {"orders": {"job": job, "records": "rows"}}


def test_a_job_goes_on_where_it_was(mortals: Mortal, vendor: Tiny, kills: Sequence[int]) -> None:
    page = mortals.page(orders())
    begin = partial(exporting, vendor)  # the poll, the addresses, and what was in flight
    same_after_every_kill(mortals, page, "orders", points=PAGES, repeated=3, begin=begin, numbers=kills)


def test_addresses_are_asked_for_again_as_they_may_have_expired_and_nothing_is_created(
    mortals: Mortal, vendor: Tiny
) -> None:
    exporting(vendor, anew=True)
    page = mortals.page(orders())
    mortals.collect(page)
    pages = [one[1][0][-1] for one in mortals.left("orders")["orders"]]
    mortals.anew()
    exporting(vendor, anew=True)
    mortals.killed(page, 3)  # behind the job and two files

    def only_new(asked: Asked) -> Any:
        signed = dict(asked.query)["signature"]
        return {"rows": [{"id": 2}]} if signed == "2" else Answer.json({"message": "expired"}, 403)

    vendor.routes["/files/c"] = only_new
    result = mortals.collect(page, later=2.0)
    assert "succeeded" == result["status"]
    assert pages == [one[1][0][-1] for one in mortals.left("orders")["orders"]]
    asked = mortals.asked()
    assert [1, 2] == [asked['POST /exports {"kind":"orders"}'], asked["GET /exports/7/files "]]
    assert 1 == asked["GET /files/a?signature=1 "] == asked["GET /files/b?signature=1 "]


@pytest.mark.slow
def test_an_export_that_is_read_in_pages_goes_on_behind_them(mortals: Mortal, vendor: Tiny) -> None:
    def rows(asked: Asked) -> Any:
        at = int(dict(asked.query).get("token", 0))
        return {"rows": [{"id": at}], **({"next": at + 1} if at < 3 else {})}

    def begin() -> None:
        exporting(vendor)
        vendor.routes["/exports/7/rows"] = rows

    endpoints = orders(fetch={"get": "/exports/${job.id}/rows"})
    del endpoints["orders"]["job"]["locate"]
    endpoints["orders"]["paginate"] = {"cursor": {"read": "answer.next", "send": "query.token"}}
    same_after_every_kill(mortals, mortals.page(endpoints), "orders", points=PAGES, repeated=2, begin=begin)


@pytest.mark.parametrize(("names", "rows"), [("cab", [2, 0, 1]), ("a", [0])], ids=["another order", "fewer"])
def test_files_that_are_others_than_before_are_all_fetched_anew(
    mortals: Mortal, vendor: Tiny, names: str, rows: list[int]
) -> None:
    exporting(vendor)
    page = mortals.page(orders())
    mortals.killed(page, 3)  # behind the job and two of its files
    vendor.routes["/exports/7/files"] = {"files": [{"url": f"{vendor.url}/files/{name}"} for name in names]}
    result = mortals.collect(page, later=2.0)
    bodies = [json.loads(one[-1])["rows"][0]["id"] for _, pages in mortals.left("orders")["orders"] for one in pages]
    assert ("succeeded", rows) == (result["status"], bodies)
    assert 1 == mortals.asked()['POST /exports {"kind":"orders"}']


def test_a_job_that_the_vendor_forgot_is_created_anew_when_the_run_is_completed(mortals: Mortal, vendor: Tiny) -> None:
    exporting(vendor)
    page = mortals.page(orders())
    mortals.killed(page, 3)
    vendor.routes["/exports/7"] = Answer.json({}, 404)
    assert "incomplete" == mortals.collect(page, later=2.0)["status"]
    run = mortals.newest()
    exporting(vendor)
    assert run
    assert "succeeded" == mortals.collect(page, resume=run.run, later=3.0)["status"]
    assert 2 == mortals.asked()['POST /exports {"kind":"orders"}']


# --- files beside the page


def lines(first: int, count: int) -> str:
    return "".join(json.dumps({"id": number}) + "\n" for number in range(first, first + count))


@pytest.mark.slow
def test_the_pieces_of_a_file_are_kept_once(mortals: Mortal) -> None:
    (mortals.folder / "a.jsonl").write_text(lines(0, 2_500))
    (mortals.folder / "b.jsonl").write_text(lines(9_000, 10))
    page = mortals.page({"things": {"file": {"path": "*.jsonl"}}})
    same_after_every_kill(mortals, page, "things", points=PAGES)


@pytest.mark.parametrize(
    "now",
    [
        lines(0, 1_000) + lines(5_000, 600),
        pytest.param(lines(0, 900), marks=pytest.mark.slow),
        pytest.param("", marks=pytest.mark.slow),
    ],
    ids=["another", "shorter", "empty"],
)
def test_a_file_that_changed_meanwhile_is_read_from_its_start(mortals: Mortal, now: str) -> None:
    place = mortals.folder / "a.jsonl"
    place.write_text(now)
    page = mortals.page({"things": {"file": {"path": "*.jsonl"}, "may_be_empty": True}})
    whole = mortals.collect(page)
    expected = [frame[-1] for _, pages in mortals.left("things")["things"] for frame in pages]
    mortals.anew()
    place.write_text(lines(0, 2_500))
    mortals.killed(page, 2)
    place.write_text(now)
    result = mortals.collect(page, later=2.0)
    assert whole["status"] == result["status"]
    assert expected == [frame[-1] for _, pages in mortals.left("things")["things"] for frame in pages]
