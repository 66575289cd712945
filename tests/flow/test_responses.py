"""What the page's own rules do while a request is tried: ask again, wait, sign in anew; all else comes back at once."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.errors import CollectionError
from engine.core.events import Event, Waiting
from engine.core.wire import Page
from engine.flow.limits import Limiter
from engine.spec.answers import Response
from tests.flow.desk import NOON, Desk, Time, Tiny, of
from tests.flow.wire import ask
from tests.vendors.server import Answer, Asked

THINGS = {"things": "/things"}


@pytest.fixture(autouse=True)
def _things(vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": 1}]


def _asked(vendor: Tiny, time: Time, *rules: dict[str, Any], **more: Any) -> Page:
    """The answer of the vendor where the page has these rules."""
    responses = [Response.model_validate(rule) for rule in rules]
    return ask(f"{vendor.url}/things", time=time, responses=responses, tries=5, **more)


# --- retry


def test_a_rule_asks_again_where_the_built_in_ones_would_not(vendor: Tiny) -> None:
    vendor.fault("things", status=409)
    time = Time()
    page = _asked(vendor, time, {"when": {"status": 409}, "retry": {}})
    assert (200, [0.375]) == (page.status, time.waits)


def test_a_rule_may_name_its_wait_and_its_tries(vendor: Tiny) -> None:
    vendor.fault("things", times=99, status=409)
    time = Time()
    page = _asked(vendor, time, {"when": {"status": 409}, "retry": {"times": 3, "wait": "10s"}})
    assert (409, 3, [10.0, 10.0], 3) == (page.status, page.tries, time.waits, len(vendor.log))


def test_its_own_waits_double_up_to_half_a_minute(vendor: Tiny) -> None:
    vendor.fault("things", times=99, status=409)
    time = Time()
    _asked(vendor, time, {"when": {"status": 409}, "retry": {"times": 9}})
    assert [0.375, 0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5] == time.waits


def test_a_rule_wins_over_the_built_in_tries(vendor: Tiny) -> None:
    vendor.fault("things", times=99, status=503)
    page = _asked(vendor, Time(), {"when": {"status": 503}, "retry": {"times": 2}})
    assert (503, 2) == (page.status, len(vendor.log))


def test_the_first_rule_that_matches_decides(vendor: Tiny) -> None:
    vendor.fault("things", times=99, status=503)
    two: dict[str, Any] = {"when": {"status": [500, 503]}, "retry": {"times": 2}}
    four: dict[str, Any] = {"when": {"status": 503}, "retry": {"times": 4}}
    _asked(vendor, Time(), two, four)
    assert 2 == len(vendor.log)


def test_a_good_answer_that_is_not_ready_is_asked_for_again(vendor: Tiny) -> None:
    vendor.fault("things", body=b'{"state": "pending"}')
    page = _asked(vendor, Time(), {"when": {"status": 200, "body": "state == 'pending'"}, "retry": {}})
    assert (b'[{"id":1}]', 2) == (page.body, len(vendor.log))


def test_a_good_answer_that_is_never_ready_is_no_records(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"state": "pending"}
    rule = {"when": {"body": "state == 'pending'"}, "retry": {"times": 3, "wait": "1s"}}
    result = desk.collect({"things": {"get": "/things", "responses": [rule]}})
    words = f"GET {vendor.url}/things: the page's rules say to ask again, after 3 tries"
    assert ("incomplete", (words,), []) == (result.status, of(result, "things").missing, desk.frames("things"))
    assert "correct the rule in responses, or raise its times" == result.errors[0]["fix"]


@pytest.mark.parametrize("body", [b"[1, 2]", b"<html>", b'{"items": null}'])
def test_a_predicate_that_cannot_be_told_does_not_match(vendor: Tiny, body: bytes) -> None:
    vendor.fault("things", times=99, status=400, body=body)
    _asked(vendor, Time(), {"when": {"body": "contains(items, 'a')"}, "retry": {}})
    assert 1 == len(vendor.log)


def test_a_rule_may_look_at_a_header(vendor: Tiny) -> None:
    vendor.fault("things", status=400, headers={"X-State": "busy"})
    page = _asked(vendor, Time(), {"when": {"header": {"X-State": "busy"}}, "retry": {}})
    assert (200, 2) == (page.status, len(vendor.log))


# --- wait


def _waited(vendor: Tiny, headers: dict[str, str], **wait: Any) -> list[float]:
    vendor.fault("things", status=420, headers=headers)
    time = Time()
    _asked(vendor, time, {"when": {"status": 420}, "wait": {"until": 'headers."x-again"', **wait}})
    return time.waits


WAITS = [
    ("seconds", "7", 7.0),
    ("seconds", "1.5", 1.5),
    ("ms", "2500", 2.5),
    ("epoch_s", str(int(NOON) + 12), 12.0),
    ("epoch_ms", str(int(NOON) * 1000 + 1500), 1.5),
    ("iso", "2026-06-15T12:00:20Z", 20.0),
    ("iso", "2026-06-15T14:00:20+02:00", 20.0),
    ("http_date", "Mon, 15 Jun 2026 12:01:00 GMT", 60.0),
]


@pytest.mark.parametrize(("form", "said", "seconds"), WAITS)
def test_a_wait_is_as_long_as_the_vendor_says(vendor: Tiny, form: str, said: str, seconds: float) -> None:
    assert [seconds] == _waited(vendor, {"X-Again": said}, **{"as": form})


def test_a_wait_is_never_longer_than_the_page_allows(vendor: Tiny) -> None:
    assert [60.0] == _waited(vendor, {"X-Again": "7200"}, at_most="1m")


@pytest.mark.parametrize(("form", "said"), [("epoch_s", "1000"), ("iso", "2026-06-15T11:00:00Z"), ("seconds", "0")])
def test_the_past_means_now(vendor: Tiny, form: str, said: str) -> None:
    assert [] == _waited(vendor, {"X-Again": said}, **{"as": form})


@pytest.mark.parametrize("headers", [{}, {"X-Again": "soon"}, {"X-Again": "-5"}, {"X-Again": "nan"}])
def test_a_wait_that_cannot_be_read_is_our_own(vendor: Tiny, headers: dict[str, str]) -> None:
    assert [0.375] == _waited(vendor, headers)


def test_a_wait_may_stand_in_the_body(vendor: Tiny) -> None:
    vendor.fault("things", status=400, body=b'{"retry_in": 9}')
    time = Time()
    _asked(vendor, time, {"when": {"status": 400}, "wait": {"until": "answer.retry_in"}})
    assert [9.0] == time.waits


def test_waiting_has_an_end(vendor: Tiny) -> None:
    vendor.fault("things", times=99, status=420, headers={"X-Again": "1"})
    rule = {"when": {"status": 420}, "wait": {"until": 'headers."x-again"', "times": 3}}
    page = _asked(vendor, Time(), rule)
    assert (420, 3) == (page.status, len(vendor.log))


def test_a_wait_is_told(vendor: Tiny) -> None:
    events: list[Event] = []
    vendor.fault("things", status=429, headers={"X-Again": "9"})
    rule = {"when": {"status": 429}, "wait": {"until": 'headers."x-again"'}}
    _asked(vendor, Time(), rule, emit=events.append)
    assert [Waiting("things", 9.0, "status 429, try 2")] == events


def test_a_wait_on_a_429_holds_back_the_others_of_the_connection(vendor: Tiny) -> None:
    hold, time = Limiter(), Time()
    vendor.fault("things", status=429, headers={"X-Again": "9"})
    _asked(vendor, time, {"when": {"status": 429}, "wait": {"until": 'headers."x-again"'}}, hold=hold)
    assert NOON + 9 == hold.out_until


@pytest.mark.parametrize(("status", "until"), [(429, NOON + 30), (503, NOON + 30), (500, 0.0)])
def test_retry_after_holds_back_the_others_where_the_vendor_wants_fewer(
    vendor: Tiny, status: int, until: float
) -> None:
    hold = Limiter()
    vendor.fault("things", status=status, headers={"Retry-After": "30"})
    _asked(vendor, Time(), hold=hold)
    assert until == hold.out_until


def test_who_has_a_place_already_is_held_back_too(vendor: Tiny) -> None:
    hold = Limiter()

    class Told(Time):
        def wait(self, seconds: float) -> None:
            """Another is told meanwhile to stay away."""
            super().wait(seconds)
            hold.hold(NOON + 40)

    limit = Limiter(per_second=0.1)
    limit.due = NOON + 10
    time = Told()
    ask(f"{vendor.url}/things", time=time, limiters=(limit,), hold=hold)
    assert [10.0, 30.0] == time.waits


def test_a_clock_that_stands_still_is_waited_for_once(vendor: Tiny) -> None:
    class Still(Time):
        def wait(self, seconds: float) -> None:
            """As the clock of a simulated run."""
            self.waits += [seconds] if seconds > 0 else []

    hold, time = Limiter(), Still()
    hold.hold(NOON + 9)
    assert 200 == ask(f"{vendor.url}/things", time=time, hold=hold).status
    assert [9.0] == time.waits


# --- all else comes back at once


OTHERS: list[dict[str, Any]] = [
    {"skip": {"say": "busy"}},
    {"stop": True},
    {"fail": {"say": "busy"}},
    {"split_window": True},
    {"reduce_page": True},
]


@pytest.mark.parametrize("verb", OTHERS)
def test_another_verb_gives_the_page_back_at_once(vendor: Tiny, verb: dict[str, Any]) -> None:
    vendor.fault("things", times=99, status=503)
    page = _asked(vendor, Time(), {"when": {"status": 503}, **verb})
    assert (503, 1) == (page.status, len(vendor.log))


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b'{"cut": '])
def test_also_where_its_body_would_be_asked_for_again(vendor: Tiny, body: bytes) -> None:
    vendor.fault("things", times=99, status=200, body=body)
    page = _asked(vendor, Time(), {"when": {"status": 200}, "stop": True})
    assert (body, 1) == (page.body, len(vendor.log))


# --- renew_auth


class Expiring(Tiny):
    """Gives tokens, and says with status 200 that one has expired."""

    def __init__(self) -> None:
        super().__init__({"/token": self.token, "/things": self.things})
        self.given = 0
        self.expired = 1
        """How many requests with a good token are told that it has expired."""

    def token(self, asked: Asked) -> Any:
        self.given += 1
        return {"access_token": f"token-4711-{self.given}", "expires_in": 3600}

    def things(self, asked: Asked) -> Any:
        self.expired -= 1
        return {"error": "token expired"} if self.expired >= 0 else [{"id": 1}]


def _renewing(desk: Desk, vendor: Tiny, when: dict[str, Any]) -> Any:
    desk.env = {"ID": "id-4711-a", "SECRET": "secret-4711"}
    client = {"token_url": f"{vendor.url}/token", "client_id": "${secret.id}", "client_secret": "${secret.secret}"}
    return desk.collect(
        {"things": {"get": "/things", "responses": [{"when": when, "renew_auth": True}]}},
        connection={"base_url": vendor.url, "auth": {"oauth2_client_credentials": client}},
        secrets={"id": {"env": "ID"}, "secret": {"env": "SECRET"}},
    )


def test_a_rule_may_have_the_sign_in_renewed(desk: Desk) -> None:
    with Expiring() as vendor:
        result = _renewing(desk, vendor, {"body": "error == 'token expired'"})
        assert ("succeeded", 2, []) == (result.status, vendor.given, desk.time.waits)


def test_the_sign_in_is_renewed_once_for_a_request(desk: Desk) -> None:
    with Expiring() as vendor:
        vendor.expired = 99
        result = _renewing(desk, vendor, {"body": "error == 'token expired'"})
        assert ("incomplete", 2, 97) == (result.status, vendor.given, vendor.expired)
    assert "the page's rules say to ask again, after 2 tries" in of(result, "things").missing[0]


def test_without_a_sign_in_there_is_none_to_renew(vendor: Tiny) -> None:
    with pytest.raises(CollectionError, match="the page's rules say to ask again\n"):
        _asked(vendor, Time(), {"when": {"status": 200}, "renew_auth": True})


def test_a_rule_for_a_401_wins_over_the_renewal(desk: Desk) -> None:
    with Expiring() as vendor:
        vendor.routes["/things"] = Answer.json({"error": "not for you"}, 401)
        desk.env = {"ID": "id-4711-a", "SECRET": "secret-4711"}
        client = {"token_url": f"{vendor.url}/token", "client_id": "${secret.id}", "client_secret": "${secret.secret}"}
        rule = {"when": {"status": 401}, "skip": {"say": "not for us"}}
        result = desk.collect(
            {"things": {"get": "/things", "responses": [rule]}},
            connection={"base_url": vendor.url, "auth": {"oauth2_client_credentials": client}},
            secrets={"id": {"env": "ID"}, "secret": {"env": "SECRET"}},
        )
        assert (1, ("not for us",)) == (vendor.given, of(result, "things").skipped)
