"""What must never be kept is not, wherever it stands in a record; read back from the bytes on disk."""

import hashlib
from typing import Any

import pytest

from tests.flow.desk import Desk, Tiny

CARD = hashlib.sha256(b"4111").hexdigest()


def _kept(desk: Desk, vendor: Tiny, redact: list[Any], record: Any) -> Any:
    vendor.routes["/people"] = {"data": [record]}
    desk.collect({"people": {"get": "/people", "records": "data", "redact": redact}})
    [row] = desk.rows("people", "data")
    return row


def test_a_field_is_left_out(desk: Desk, vendor: Tiny) -> None:
    assert {"id": 1} == _kept(desk, vendor, ["email"], {"id": 1, "email": "a@b.example"})


def test_a_field_is_hashed(desk: Desk, vendor: Tiny) -> None:
    redact = [{"path": "card.number", "with": "hash"}]
    assert {"card": {"number": CARD}} == _kept(desk, vendor, redact, {"card": {"number": "4111"}})


def test_a_field_of_each_element_is_hashed(desk: Desk, vendor: Tiny) -> None:
    redact = [{"path": "cards[].number", "with": "hash"}]
    cards = [{"number": "4111", "kind": "a"}, {"kind": "b"}]
    assert {"cards": [{"number": CARD, "kind": "a"}, {"kind": "b"}]} == _kept(desk, vendor, redact, {"cards": cards})


def test_a_field_at_any_depth_is_left_out(desk: Desk, vendor: Tiny) -> None:
    record = {"curl": "x", "a": [{"curl": "y", "b": {"curl": "z", "c": 1}}]}
    assert {"a": [{"b": {"c": 1}}]} == _kept(desk, vendor, ["**.curl"], record)


def test_a_field_at_any_depth_is_hashed_once(desk: Desk, vendor: Tiny) -> None:
    record = {"number": "4111", "a": [[{"number": "4111"}]]}
    redact = [{"path": "**.number", "with": "hash"}]
    assert {"number": CARD, "a": [[{"number": CARD}]]} == _kept(desk, vendor, redact, record)


@pytest.mark.parametrize("redact", [["secret"], [{"path": "**.secret", "with": "hash"}]])
def test_nothing_of_it_is_on_the_disk(desk: Desk, vendor: Tiny, redact: list[Any]) -> None:
    _kept(desk, vendor, redact, {"id": 1, "secret": "planted-4711"})
    [frame] = desk.frames("people")
    kept = b"".join(path.read_bytes() for path in desk.storage.rglob("*") if path.is_file())
    assert frame.meta.redacted
    assert b"planted-4711" not in kept + frame.body


def test_the_search_would_find_what_is_kept(desk: Desk, vendor: Tiny) -> None:
    _kept(desk, vendor, ["other"], {"id": 1, "secret": "planted-4711"})
    [frame] = desk.frames("people")
    assert b"planted-4711" in frame.body


def test_records_that_are_texts_are_kept_as_they_are(desk: Desk, vendor: Tiny) -> None:
    assert "a" == _kept(desk, vendor, ["secret"], "a")


def test_a_child_sees_the_redacted_parent(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/people": [{"id": 1, "secret": "s"}], "/one": []}
    query = {"id": "${who.id}", "secret": "${who.secret|default('none')}"}
    one = {"get": "/one", "for_each": {"who": "people"}, "query": query}
    desk.collect({"people": {"get": "/people", "redact": ["secret"]}, "one": one})
    assert "/one?id=1&secret=none" == vendor.targets()[1]


def test_headers_and_queries_may_begin_with_x(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/people"] = []
    connection = {"header": {"x-api-version": "2"}}
    desk.collect({"people": {"get": "/people", "query": {"x-page": "1"}, "x-note": "ignored"}}, connection=connection)
    asked = vendor.log[0][0]
    assert ("2", [("x-page", "1")]) == (asked.headers["x-api-version"], asked.query)


def test_a_post_body_may_hold_names_that_begin_with_x(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/people"] = []
    desk.collect({"people": {"post": "/people", "body": {"x-a": 1}}})
    assert b'{"x-a":1}' == vendor.log[0][0].body
