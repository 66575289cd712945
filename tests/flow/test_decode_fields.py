"""Fields that hold encoded text: decoded before anything looks at them, and kept decoded."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.flow.desk import Desk, Tiny, of


def _base64(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


DECODE = {"data": "base64+json"}


def test_the_kept_page_holds_decoded_records_and_says_so(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"items": [{"id": 1, "data": _base64({"a": 1})}, {"id": 2, "data": None}]}
    result = desk.collect({"things": {"get": "/things", "records": "items", "decode_fields": DECODE}})
    [frame] = desk.frames("things")
    assert ("succeeded", True, False) == (result.status, frame.meta.decoded, frame.meta.redacted)
    assert [{"id": 1, "data": {"a": 1}}, {"id": 2, "data": None}] == desk.rows("things", "items")


def test_what_was_decoded_is_redacted(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"data": _base64({"token": "s3cret", "a": 1})}]
    desk.collect({"things": {"get": "/things", "decode_fields": DECODE, "redact": ["data.token"]}})
    [frame] = desk.frames("things")
    assert (True, True, [{"data": {"a": 1}}]) == (frame.meta.decoded, frame.meta.redacted, desk.rows("things"))


def test_children_are_asked_for_by_what_was_decoded(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/things": [{"data": _base64({"id": "x"})}], "/things/x": {"n": 1}}
    parent = {"get": "/things", "decode_fields": DECODE}
    desk.collect({"things": parent, "one": {"for_each": {"thing": "things"}, "get": "/things/${thing.data.id}"}})
    assert [{"n": 1}] == desk.rows("one")


def test_the_watermark_is_read_of_what_was_decoded(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"data": _base64({"at": "2026-06-01T00:00:00Z"})}]
    news = {"field": "data.at", "send": "query.since", "start": "2026-01-01"}
    desk.collect({"things": {"get": "/things", "decode_fields": DECODE, "incremental": news}})
    assert ["2026-06-01T00:00:00Z"] == desk.watermarks("things")


def test_a_field_that_does_not_decode_leaves_its_unit_incomplete_and_the_others_whole(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {
        "/things": [{"id": "a"}, {"id": "b"}],
        "/things/a": {"data": "s3cret?"},
        "/things/b": {"data": _base64([1])},
    }
    one = {"for_each": {"thing": "things"}, "get": "/things/${thing.id}", "decode_fields": DECODE}
    result = desk.collect({"things": "/things", "one": one})
    [missing] = of(result, "one").missing
    assert missing.endswith("data is no base64 (decode_fields: base64+json)")
    assert "s3cret" not in missing
    assert (3, [{"data": [1]}]) == (result.exit_code, desk.rows("one"))
