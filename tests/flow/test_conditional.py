"""Conditional requests: what did not change is taken again from what was kept, and tables come out the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from engine.flow.report import Result
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

MONDAY = "Mon, 01 Jun 2026 08:00:00 GMT"


@dataclass
class Versioned:
    """An answer that knows its version, as RFC 9110 has it; `log` holds the conditions that came with each request."""

    body: bytes
    headers: Mapping[str, str]
    ignores: bool = False
    log: list[tuple[str | None, str | None]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        etag, since = asked.headers.get("if-none-match"), asked.headers.get("if-modified-since")
        self.log.append((etag, since))
        strong = self.headers.get("ETag", "").removeprefix("W/")
        same = (
            etag.removeprefix("W/") == strong if etag else since is not None and since == self.headers["Last-Modified"]
        )
        if same and not self.ignores:
            return Answer(
                304, b"", {name: self.headers[name] for name in ("ETag", "Last-Modified") if name in self.headers}
            )
        return Answer(200, self.body, {"Content-Type": "application/json", **self.headers})


THINGS = {"get": "/things", "conditional": True}
ROWS = b'[{"id":1},{"id":2}]'
TABLES = {"things": {"from": "things", "key": "id", "columns": {"id": "id"}}}


def _run(desk: Desk, **more: Any) -> Result:
    desk.time.now += 1
    return desk.engine().run(desk.page({"things": {**THINGS, **more}}, tables=TABLES))


def _table(desk: Desk) -> list[Any]:
    rows = desk.engine().table("acme", "things").collect()
    assert isinstance(rows, pl.DataFrame)
    return rows["id"].to_list()


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({"ETag": '"v1"'}, ('"v1"', None)),
        ({"ETag": 'W/"v1"'}, ('W/"v1"', None)),
        ({"Last-Modified": MONDAY}, (None, MONDAY)),
        ({"ETag": '"v1"', "Last-Modified": MONDAY}, ('"v1"', MONDAY)),
    ],
    ids=["ETag", "weak ETag", "Last-Modified", "both"],
)
def test_what_did_not_change_is_taken_again(
    desk: Desk, vendor: Tiny, headers: dict[str, str], condition: tuple[str | None, str | None]
) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, headers)
    results = [_run(desk) for _ in range(3)]
    assert [(None, None), condition, condition] == things.log
    assert [("succeeded", 2)] * 3 == [(one.status, one.records_collected) for one in results]
    assert ([1, 2], ROWS) == (_table(desk), desk.frames("things")[0].body)


def test_what_changed_comes_anew(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    _run(desk)
    things = vendor.routes["/things"] = Versioned(b'[{"id":3}]', {"ETag": '"v2"'})
    _run(desk)
    _run(desk)
    assert ([('"v1"', None), ('"v2"', None)], [3]) == (things.log, _table(desk))


def test_without_the_word_nothing_is_asked_with_a_condition(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    _run(desk, conditional=False)
    _run(desk, conditional=False)
    assert ([(None, None)] * 2, None) == (things.log, desk.frames("things")[0].meta.known)


def test_an_answer_that_names_no_version_is_asked_for_without_a_condition(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {})
    _run(desk)
    _run(desk)
    assert [(None, None)] * 2 == things.log


def test_a_vendor_that_ignores_the_condition_is_read_as_ever(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'}, ignores=True)
    results = [_run(desk), _run(desk)]
    assert ["succeeded"] * 2 == [one.status for one in results]
    assert (2, [1, 2]) == (len(things.log), _table(desk))


def test_a_304_that_nobody_asked_for_is_an_error(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(304, b"", {})
    result = _run(desk)
    [missing] = of(result, "things").missing
    assert (3, True) == (result.exit_code, missing.endswith("/things: status 304"))


def test_a_page_that_cannot_be_read_any_more_is_asked_for_without_a_condition(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    desk.collect({"things": THINGS})
    [segment] = (desk.storage / "raw_data").rglob("*.seg")
    kept = segment.read_bytes()
    segment.write_bytes(kept[:-3] + b"???")
    desk.collect({"things": THINGS})
    assert ([(None, None)] * 2, [{"id": 1}, {"id": 2}]) == (things.log, desk.rows("things"))


def test_a_segment_that_is_gone_is_no_condition(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    desk.collect({"things": THINGS})
    [segment] = (desk.storage / "raw_data").rglob("*.seg")
    segment.unlink()
    desk.collect({"things": THINGS})
    assert [(None, None)] * 2 == things.log


def test_only_the_last_complete_collection_counts(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    desk.collect({"things": THINGS})
    vendor.routes["/things"] = Answer(200, b'{"error": 1}', {"ETag": '"broken"'})
    result = desk.collect({"things": {**THINGS, "records": "items"}})
    vendor.routes["/things"] = things
    desk.collect({"things": THINGS})
    assert (3, [(None, None), ('"v1"', None)]) == (result.exit_code, things.log)


def test_another_header_is_another_request(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    desk.collect({"things": {**THINGS, "header": {"X-Tenant": "one"}}})
    desk.collect({"things": {**THINGS, "header": {"X-Tenant": "two"}}})
    assert [(None, None)] * 2 == things.log


def test_another_window_is_another_request(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(ROWS, {"ETag": '"v1"'})
    news = {"send": {"from": "header.X-From", "until": "header.X-Until"}, "start": "2026-01-01"}
    for _ in range(2):
        desk.collect({"things": {**THINGS, "incremental": news}})
    assert [(None, None)] * 2 == things.log


def test_each_page_of_a_list_has_a_condition_of_its_own_and_links_are_found_again(desk: Desk, vendor: Tiny) -> None:
    pages = {
        number: Versioned(json.dumps([{"id": number}]).encode(), {"ETag": f'"{number}"', "X-Next": following})
        for number, following in (("1", "2"), ("2", "3"), ("3", ""))
    }
    vendor.routes["/things"] = lambda asked: pages[dict(asked.query).get("after", "1")](asked)
    cursor = {"cursor": {"read": 'headers."x-next"', "send": "query.after"}}
    for _ in range(2):
        desk.collect({"things": {**THINGS, "paginate": cursor}})
    assert [[(None, None), (f'"{number}"', None)] for number in pages] == [page.log for page in pages.values()]
    assert [{"id": "1"}, {"id": "2"}, {"id": "3"}] == desk.rows("things")


def test_each_partition_has_its_own_pages(desk: Desk, vendor: Tiny) -> None:
    one, two = Versioned(b'[{"n":1}]', {"ETag": '"v1"'}), Versioned(b'[{"n":2}]', {"ETag": '"v1"'})
    vendor.routes |= {"/all": [{"id": "a"}, {"id": "b"}], "/of/a": one, "/of/b": two}
    endpoints = {"all": "/all", "things": {"for_each": {"it": "all"}, "get": "/of/${it.id}", "conditional": True}}
    desk.collect(endpoints)
    desk.collect(endpoints)
    assert ([(None, None), ('"v1"', None)], [{"n": 1}, {"n": 2}]) == (one.log, desk.rows("things"))


def test_what_is_decoded_is_taken_again_as_it_came(desk: Desk, vendor: Tiny) -> None:
    packed = gzip.compress("id\ngrün\n".encode("latin-1"))
    vendor.routes["/things"] = Versioned(packed, {"ETag": '"v1"', "Content-Type": "text/csv; charset=latin-1"})
    for _ in range(3):
        _run(desk, decode="gzip+csv")
    [frame] = desk.frames("things")
    assert (packed, ["grün"]) == (frame.body, _table(desk))


def test_what_is_decoded_otherwise_now_is_asked_for_without_a_condition(desk: Desk, vendor: Tiny) -> None:
    things = vendor.routes["/things"] = Versioned(b"id;n\n1;2\n", {"ETag": '"v1"', "Content-Type": "text/csv"})
    _run(desk, decode="csv", records="@")
    _run(desk, decode={"csv": {"separator": ";"}})
    assert [(None, None)] * 2 == things.log
