"""Runs that go on where something is wrong: old cursors, damaged and foreign segments; and what they leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StorageError
from engine.flow.ledger import Ledger
from engine.flow.raw import Meta
from engine.flow.seal import new_key
from engine.flow.store import Lanes, Store
from tests.flow.desk import Tiny
from tests.flow.mortal import PAGES, Mortal, same_after_every_kill
from tests.vendors.server import Answer, Asked

TOKENS = {"get": "/things", "records": "rows", "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}}}


def tokens(count: int, until: dict[str, int] | None = None, status: int = 410) -> Any:
    """One record a page; a token that was given out in another age is refused."""
    age = until or {"age": 0}

    def answer(asked: Asked) -> Any:
        token = dict(asked.query).get("token", f"{age['age']}-0")
        given, _, at = token.partition("-")
        if int(given) != age["age"]:
            return Answer.json({"message": "this cursor has expired"}, status)
        number = int(at)
        more = {"next": f"{given}-{number + 1}"} if number + 1 < count else {}
        return {"rows": [{"id": number}], **more}

    return answer


def ids(mortals: Mortal) -> list[int]:
    return [
        row["id"]
        for _, pages in mortals.left("things")["things"]
        for one in pages
        for row in json.loads(one[-1])["rows"]
    ]


@pytest.mark.parametrize(
    "status", [pytest.param(400, marks=pytest.mark.slow), pytest.param(404, marks=pytest.mark.slow), 410]
)
def test_a_list_whose_cursor_is_refused_is_read_from_its_start_again(
    mortals: Mortal, vendor: Tiny, status: int
) -> None:
    age = {"age": 0}
    vendor.routes["/things"] = tokens(4, age, status)
    page = mortals.page({"things": TOKENS})
    mortals.killed(page, 2)
    age["age"] = 1
    result = mortals.collect(page, later=2.0)
    assert ("succeeded", [0, 1, 2, 3]) == (result["status"], ids(mortals))
    assert any("leads no further, it is read from its start again" in note for note in result["notes"])


def test_a_list_that_is_refused_from_its_start_too_keeps_what_came_before(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = tokens(4)
    page = mortals.page({"things": TOKENS})
    mortals.killed(page, 2)
    vendor.routes["/things"] = Answer.json({}, 404)
    result = mortals.collect(page, later=2.0)
    assert ("incomplete", [0, 1]) == (result["status"], ids(mortals))


def test_a_refusal_at_the_first_page_is_no_old_cursor(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json({}, 404)
    page = mortals.page({"things": TOKENS})
    result = mortals.collect(page)
    assert ("incomplete", 1) == (result["status"], len(vendor.log))


def segments(mortals: Mortal) -> list[Path]:
    return sorted((mortals.storage / "raw_data" / "acme" / "things").glob("*/*.seg"))


def test_what_is_kept_before_the_damage_is_used_and_the_rest_is_asked_for_again(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = tokens(6)
    page = mortals.page({"things": TOKENS})
    mortals.killed(page, 5)
    [segment] = segments(mortals)
    text = bytearray(segment.read_bytes())
    text[len(text) // 2] ^= 1  # in the third of five pages
    segment.write_bytes(bytes(text))
    result = mortals.collect(page, later=2.0)
    assert ("succeeded", [0, 1, 2, 3, 4, 5]) == (result["status"], ids(mortals))
    assert {1, 2} == set(mortals.asked().values())
    assert any("is damaged; what was kept behind it is asked for again" in note for note in result["notes"])


def test_a_unit_that_ended_is_read_again_where_its_pages_are_damaged(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes |= {f"/{name}": {"rows": [{"id": name}]} for name in "abc"}
    things = {"for_each": {"name": {"values": ["a", "b", "c"]}}, "get": "/${name}", "records": "rows"}
    page = mortals.page({"things": things})
    mortals.killed(page, 2)
    [segment] = segments(mortals)
    ledger = Ledger(mortals.storage / "engine.db")
    run = ledger.runs("acme")[0].run
    _, units = ledger.sweep(run, "things") or (None, [])
    done = [replace(one, status="succeeded", pages=1, rows=1, progress={"pages": 1, "rows": 1}) for one in units[:2]]
    ledger.note_units(run, "things", done)
    ledger.close()
    segment.write_bytes(segment.read_bytes()[:-5])
    result = mortals.collect(page, later=2.0)
    assert "succeeded" == result["status"]
    assert [1, 2, 1] == [mortals.asked()[f"GET /{name} "] for name in "abc"]
    assert 3 == len(mortals.left("things")["things"])


def test_what_a_sleeper_writes_when_it_wakes_is_never_read(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = tokens(4)
    page = mortals.page({"things": TOKENS})
    mortals.killed(page, 2)
    [segment] = segments(mortals)
    run, fence = segment.parent.name, int(segment.name.split(".")[1])
    mortals.collect(page, later=2.0)
    expected = mortals.left("things")
    sleeper = Lanes(Store(mortals.storage, "acme"), run, fence)
    unit = expected["things"][0][0]
    for _ in range(2):  # the segment that it had, and one that nobody knows
        sleeper.take("things").append(Meta(7, "GET /late", "", 0.0, unit=unit), b'{"rows": [{"id": 99}]}')
    sleeper.close_all()
    assert (expected, [0, 1, 2, 3]) == (mortals.left("things"), ids(mortals))


def test_what_is_encrypted_goes_on_as_well(mortals: Mortal, vendor: Tiny) -> None:
    mortals.env = {"ENCRYPTION_KEY": new_key()}
    vendor.routes["/things"] = tokens(6)
    page = mortals.page({"things": TOKENS})
    mortals.killed(page, 3, ("frame half",))
    mortals.killed(page, 2, later=2.0)
    result = mortals.collect(page, later=3.0)
    assert ("succeeded", 6, {1, 2}) == (result["status"], result["records_collected"], set(mortals.asked().values()))


def test_damage_in_a_sealed_endpoint_is_an_error(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = tokens(4)
    mortals.collect(mortals.page({"things": TOKENS}))
    [segment] = segments(mortals)
    text = bytearray(segment.read_bytes())
    text[len(text) // 2] ^= 1
    segment.write_bytes(bytes(text))
    with pytest.raises(StorageError, match="is damaged"):
        mortals.left("things")


def test_a_unit_that_goes_on_twice_has_its_pages_once(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = tokens(6)
    page = mortals.page({"things": TOKENS})
    for later in (1.0, 2.0, 3.0):
        mortals.killed(page, 1, later=later)
    result = mortals.collect(page, later=4.0)
    assert ("succeeded", [0, 1, 2, 3, 4, 5]) == (result["status"], ids(mortals))
    assert {1} == set(mortals.asked().values())
    assert 4 == len(segments(mortals))


def test_the_key_of_redacted_records_is_gone_when_their_endpoint_is_sealed(mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/things"] = tokens(2)
    page = mortals.page({"things": {**TOKENS, "redact": ["name"]}})
    mortals.killed(page, 1)
    ledger = Ledger(mortals.storage / "engine.db")
    run = ledger.runs("acme")[0].run
    before, _ = ledger.sweep(run, "things") or ({}, [])
    mortals.collect(page, later=2.0)
    after, _ = ledger.sweep(run, "things") or ({}, [])
    ledger.close()
    assert (64, False) == (len(before["key"]), "key" in after)


def test_pages_that_did_not_change_are_taken_again_once(mortals: Mortal, vendor: Tiny, kills: Sequence[int]) -> None:
    def things(asked: Asked) -> Any:
        at = int(dict(asked.query).get("token", 0))
        if asked.headers.get("if-none-match") == f'"{at}"':
            return Answer(304, b"", {"ETag": f'"{at}"'})
        return Answer.json({"rows": [{"id": at}], **({"next": at + 1} if at < 2 else {})}, ETag=f'"{at}"')

    vendor.routes["/things"] = things
    page = mortals.page({"things": {**TOKENS, "conditional": True}})
    same_after_every_kill(mortals, page, "things", points=PAGES, numbers=kills)
    mortals.anew()
    mortals.collect(page)
    mortals.killed(page, 2, later=2.0)
    result = mortals.collect(page, later=3.0)
    assert [200] * 3 + [304] * 3 == [status for _, status in vendor.log]
    assert "succeeded" == result["status"]
