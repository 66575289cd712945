"""What is left of a vendor's rate limit, as its answers tell it."""

from __future__ import annotations

import pytest

from engine.core.select import Jmes
from engine.core.wire import Page, Request
from engine.flow.learn import used_up_until
from engine.spec.collect import Learn
from tests.flow.desk import NOON, Desk, Tiny
from tests.vendors.server import Answer, Asked


def _page(headers: dict[str, str], body: bytes = b"") -> Page:
    return Page(Request("GET", "https://api.example.com/"), 200, headers, body)


def _seconds(headers: dict[str, str]) -> float | None:
    until = used_up_until("standard", _page(headers), NOON)
    return None if until is None else round(until - NOON, 3)


SAID = [
    # what stands in the headers, and how many seconds nothing may be asked
    ({"ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7.0),
    ({"ratelimit-limit": "10, 10;w=1, 1000;w=3600", "ratelimit-remaining": "0", "ratelimit-reset": "2"}, 2.0),
    ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50.0),
    ({"ratelimit": '"default";r=0;t=30'}, 30.0),
    ({"ratelimit": '"burst";r=0;t=3, "day";r=500;t=3000'}, 3.0),
    ({"ratelimit": '"burst";r=5;t=3, "day";r=0;t=3000'}, 3000.0),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON) + 9)}, 9.0),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON * 1000) + 9500)}, 9.5),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0.5"}, 0.5),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-06-15T12:00:08Z"}, 8.0),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "Mon, 15 Jun 2026 12:01:00 GMT"}, 60.0),
    ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(NOON) + 12)}, 12.0),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "86400"}, 3600.0),
]
UNSAID = [
    {},
    {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "7"},
    {"x-ratelimit-remaining": "0"},
    {"x-ratelimit-reset": "7"},
    {"ratelimit": '"default";r=1;t=30'},
    {"ratelimit": '"default";q=100;w=60'},
    {"ratelimit": '"default";r=0'},
    {"x-ratelimit-remaining": "none", "x-ratelimit-reset": "7"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-7"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "nan"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON) - 60)},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "999999999999999999"},
    {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON) + 10**9)},
]


@pytest.mark.parametrize(("headers", "seconds"), SAID)
def test_usual_headers_tell_until_when_nothing_is_left(headers: dict[str, str], seconds: float) -> None:
    assert seconds == _seconds(headers)


@pytest.mark.parametrize("headers", UNSAID)
def test_headers_that_tell_no_end_or_nonsense_hold_nobody(headers: dict[str, str]) -> None:
    assert None is _seconds(headers)


def _learn(reset: str = "answer.quota.reset", form: str = "seconds") -> Learn:
    return Learn.model_validate({"remaining": Jmes("answer.quota.left"), "reset": Jmes(reset), "as": form})


def test_a_page_may_say_where_it_is_told() -> None:
    page = _page({}, b'{"quota": {"left": 0, "reset": 5000}}')
    assert NOON + 5 == used_up_until(_learn(form="ms"), page, NOON)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"quota": {"left": 0}}', b'{"quota": {"left": 1, "reset": 5}}'])
def test_an_answer_that_does_not_tell_it_holds_nobody(body: bytes) -> None:
    assert None is used_up_until(_learn(), _page({}, body), NOON)


def test_off_looks_at_nothing() -> None:
    assert None is used_up_until("off", _page({"ratelimit-remaining": "0", "ratelimit-reset": "7"}), NOON)


# --- on a page


@pytest.fixture
def tight(vendor: Tiny) -> Tiny:
    """A vendor that says with each answer that no more are left for 20 s."""
    vendor.routes["/things"] = Answer.json([{"id": 1}], X_RateLimit_Remaining="0", X_RateLimit_Reset="20")
    return vendor


ENDPOINTS = {"one": "/things", "two": "/things"}


def test_the_next_request_waits_until_there_are_new_ones(desk: Desk, tight: Tiny) -> None:
    result = desk.collect(ENDPOINTS, connection={"concurrency": 1})
    assert ("succeeded", [20.0]) == (result.status, desk.time.waits)


def test_learn_off_does_not_wait(desk: Desk, tight: Tiny) -> None:
    desk.collect(ENDPOINTS, connection={"concurrency": 1, "learn": "off"})
    assert [] == desk.time.waits


def test_a_page_may_name_the_places(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json([], X_Left="0", X_Again=str(int(NOON) + 31))
    learn = {"remaining": 'headers."x-left"', "reset": 'headers."x-again"', "as": "epoch_s"}
    desk.collect(ENDPOINTS, connection={"concurrency": 1, "learn": learn})
    assert [30.0] == desk.time.waits  # a second of it has passed


def test_a_403_because_none_is_left_is_asked_again(desk: Desk, vendor: Tiny) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "50"}
    vendor.routes["/things"] = [{"id": 1}]
    vendor.fault("things", status=403, headers=headers)
    result = desk.collect({"things": "/things"})
    assert ("succeeded", 2, 50.0) == (result.status, len(vendor.log), round(sum(desk.time.waits), 1))


def test_another_403_is_a_refusal(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json({}, 403, X_RateLimit_Remaining="7", X_RateLimit_Reset="50")
    assert ("incomplete", 1) == (desk.collect({"things": "/things"}).status, len(vendor.log))


def test_of_several_tokens_only_the_one_that_is_used_up_waits(desk: Desk, vendor: Tiny) -> None:
    def things(asked: Asked) -> Answer:
        left = "0" if asked.headers["x-key"] == "first-4711" else "9"
        return Answer.json([{"id": 1}], X_RateLimit_Remaining=left, X_RateLimit_Reset="600")

    vendor.routes["/things"] = things
    desk.env = {"KEYS": "first-4711,second-4711"}
    auth = {"tokens": {"values": "${secret.keys}", "send": "header.X-Key", "prefix": ""}}
    endpoints = {f"e{at}": "/things" for at in range(4)}
    desk.collect(endpoints, connection={"auth": auth, "concurrency": 1}, secrets={"keys": {"env": "KEYS"}})
    assert [] == desk.time.waits
    assert ["first-4711", *["second-4711"] * 3] == [asked.headers["x-key"] for asked, _ in vendor.log]


def test_tokens_that_are_all_pushed_back_for_ever_end(desk: Desk, vendor: Tiny) -> None:
    def refused(asked: Asked) -> Answer:
        desk.time.now += 0.3  # so long an answer takes: by the last token the first one may go on
        return Answer.json([], 429 if len(vendor.log) < 30 else 200, Retry_After="1")

    vendor.routes["/things"] = refused
    desk.env = {"KEYS": "key-one-aaaa,key-two-bbbb,key-three-cc,key-four-ddd,key-five-eee"}
    auth = {"tokens": {"values": "${secret.keys}"}}
    result = desk.collect({"things": "/things"}, connection={"auth": auth}, secrets={"keys": {"env": "KEYS"}})
    assert ("incomplete", True) == (result.status, len(vendor.log) <= 5 + 5)
