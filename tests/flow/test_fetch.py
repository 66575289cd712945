"""Requests over real HTTP: tried again, waited for, fenced, and given up with words."""

import socket
from typing import Any

import pytest

from engine.core.errors import CollectionError
from engine.core.events import Waiting
from engine.core.wire import Request
from engine.flow.fence import fence
from tests.flow.desk import Desk, Tiny, of
from tests.flow.wire import ask
from tests.vendors.server import Answer

THINGS = {"things": "/things"}


@pytest.fixture(autouse=True)
def _things(vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": 1}]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_passes_is_tried_again(desk: Desk, vendor: Tiny, status: int) -> None:
    vendor.fault("things", status=status)
    result = desk.collect(THINGS)
    assert ("succeeded", 2, [0.375]) == (result.status, len(vendor.log), desk.time.waits)


def test_retry_after_in_seconds_is_waited_for(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", status=429, headers={"Retry-After": "7"})
    desk.collect(THINGS)
    assert [7.0] == desk.time.waits


def test_retry_after_as_a_date_is_waited_for(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", status=503, headers={"Retry-After": "Mon, 15 Jun 2026 12:01:00 GMT"})
    desk.collect(THINGS)
    assert [59.0] == desk.time.waits


def test_a_wait_is_told_with_its_reason(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", status=429, headers={"Retry-After": "7"})
    desk.collect(THINGS)
    assert [Waiting("things", 7.0, "status 429, try 2")] == [one for one in desk.events if isinstance(one, Waiting)]


def test_after_five_tries_the_run_is_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", times=9, status=503)
    result = desk.collect(THINGS)
    assert ("incomplete", 3, 5) == (result.status, result.exit_code, len(vendor.log))
    assert (f"GET {vendor.url}/things: status 503 after 5 tries",) == of(result, "things").missing


def test_our_own_waits_grow(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", times=9, status=500)
    desk.collect(THINGS)
    assert [0.375, 0.75, 1.5, 3.0] == desk.time.waits


def test_another_refusal_is_not_tried_again(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json({"error": {"message": "no such thing"}}, 400)
    result = desk.collect(THINGS)
    assert 1 == len(vendor.log)
    assert (f"GET {vendor.url}/things: status 400: no such thing",) == of(result, "things").missing


def test_a_connection_that_is_refused_is_tried_again_and_named(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = desk.collect(THINGS, connection={"base_url": url})
    assert 4 == len(desk.time.waits)
    assert "no connection to 127.0.0.1: it was refused, after 5 tries" in of(result, "things").missing[0]
    assert ["try again later; if it stays, check base_url"] == [one.fix[:44] for one in result.failures]


def test_a_reset_in_the_middle_of_a_body_is_tried_again(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", reset=True)
    result = desk.collect(THINGS)
    assert ("succeeded", [{"id": 1}]) == (result.status, desk.rows("things"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><p>Sign in</p>", "HTML instead of JSON"),
        (b"", "an empty answer"),
        (b'[{"id": 1}, {"id"', "an answer that is not whole JSON"),
    ],
)
def test_a_good_status_without_json_is_tried_again_and_given_up(
    desk: Desk, vendor: Tiny, body: bytes, words: str
) -> None:
    vendor.fault("things", times=9, status=200, body=body)
    result = desk.collect(THINGS)
    assert (5, "incomplete") == (len(vendor.log), result.status)
    assert words in of(result, "things").missing[0]
    assert [] == desk.frames("things")


def test_json_that_comes_at_the_second_try_is_taken(desk: Desk, vendor: Tiny) -> None:
    vendor.html("things")
    assert "succeeded" == desk.collect(THINGS).status


def test_an_answer_above_max_page_is_refused(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": "x" * 2000}]
    result = desk.collect(THINGS, connection={"max_page": "1KB"})
    assert "the answer is larger than 1,000 bytes" in of(result, "things").missing[0]
    assert "ask for smaller pages, or raise connection.max_page" == result.errors[0]["fix"]


@pytest.mark.parametrize("where", [{"send": "cookie.session"}, {"send": "header.X-Key", "prefix": "Token="}])
def test_a_refusal_that_repeats_the_key_is_told_without_it(desk: Desk, vendor: Tiny, where: dict[str, str]) -> None:
    vendor.routes["/things"] = Answer.json({"error": {"message": "bad key planted-key"}}, 403)
    desk.env = {"KEY": "planted-key"}
    auth = {"api_key": {"key": "${secret.key}", **where}}
    result = desk.collect(THINGS, secrets={"key": {"env": "KEY"}}, connection={"auth": auth})
    assert "bad key ***" in of(result, "things").missing[0]


KEY = "planted/key+1="
SPELLINGS = [KEY, "planted%2Fkey%2B1%3D", "cGxhbnRlZC9rZXkrMT0", r"planted\/key+1="]
SPELLINGS += [r"planted\/key\u002B1\u003d", "".join(rf"\u{ord(letter):04x}" for letter in KEY)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_answer_that_repeats_the_key_is_kept_without_it(desk: Desk, vendor: Tiny, spelling: str) -> None:
    vendor.routes["/things"] = Answer(200, b'[{"echo": "/a?key=%s"}]' % spelling.encode())
    desk.env = {"KEY": KEY}
    auth = {"api_key": {"key": "${secret.key}", "send": "query.key"}}
    result = desk.collect(THINGS, secrets={"key": {"env": "KEY"}}, connection={"auth": auth})
    assert ("succeeded", "/a?key=***") == (result.status, desk.rows("things")[0]["echo"].rstrip("="))


def test_a_redirect_that_repeats_the_key_is_told_without_it(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = lambda asked: Answer(302, b"", {"Location": asked.target.replace("things", "there")})
    vendor.routes["/there"] = Answer(302, b"", {"Location": "http://other.example/"})
    desk.env = {"KEY": "planted-key"}
    auth = {"api_key": {"key": "${secret.key}", "send": "query.key"}}
    result = desk.collect(THINGS, secrets={"key": {"env": "KEY"}}, connection={"auth": auth})
    assert "a redirect leads to other.example" in of(result, "things").missing[0]
    assert "planted-key" not in str(result.as_json())


def test_an_answer_above_max_page_is_told_without_the_key_in_its_query(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": "x" * 2000}]
    desk.env = {"KEY": "planted-key"}
    auth = {"api_key": {"key": "${secret.key}", "send": "query.key"}}
    result = desk.collect(THINGS, secrets={"key": {"env": "KEY"}}, connection={"max_page": "1KB", "auth": auth})
    assert ["/things?key=planted-key"] == vendor.targets()
    assert "planted-key" not in str(result.as_json())


# --- redirects

BEARER: dict[str, Any] = {"auth": {"bearer": {"token": "${secret.token}"}}}
SECRET: dict[str, Any] = {"secrets": {"token": {"env": "ACME_TOKEN"}}}


def test_a_redirect_on_the_same_host_and_port_keeps_the_sign_in(desk: Desk, vendor: Tiny) -> None:
    desk.env = {"ACME_TOKEN": "t-1"}
    vendor.routes["/old"] = Answer(302, b"", {"Location": "/things?a=1"})
    assert "succeeded" == desk.collect({"things": "/old"}, connection=BEARER, **SECRET).status
    assert ["Bearer t-1", "Bearer t-1"] == [asked.headers.get("authorization") for asked, _ in vendor.log]


def test_a_redirect_to_another_allowed_origin_goes_on_without_credentials(desk: Desk, vendor: Tiny) -> None:
    desk.env = {"ACME_TOKEN": "t-1"}
    with Tiny({"/file": [{"id": 2}]}) as other:
        vendor.routes["/things"] = Answer(302, b"", {"Location": f"{other.url}/file"})
        result = desk.collect(THINGS, connection=BEARER, **SECRET)
        assert ("succeeded", [{"id": 2}]) == (result.status, desk.rows("things"))
        assert "authorization" not in other.log[0][0].headers


def test_a_redirect_to_a_stranger_is_refused_and_nothing_is_sent_there(desk: Desk, vendor: Tiny) -> None:
    with Tiny({"/file": []}) as stranger:
        port = stranger.url.rpartition(":")[2]
        vendor.routes["/things"] = Answer(302, b"", {"Location": f"http://127.0.0.2:{port}/file"})
        result = desk.collect(THINGS)
        assert [] == stranger.log
    assert ("a redirect leads to 127.0.0.2, which is not allowed",) == of(result, "things").missing
    assert "connection.allow_hosts: [127.0.0.2]" in result.errors[0]["fix"]


def test_a_redirect_to_what_is_no_address_is_told(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(302, b"", {"Location": "http://[bad"})
    assert "a redirect to what is no address" in of(desk.collect(THINGS), "things").missing[0]


def test_redirects_without_end_are_given_up(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(302, b"", {"Location": "/things"})
    assert "more than 5 redirects" in of(desk.collect(THINGS), "things").missing[0]


def test_redirects_that_want_their_cookie_are_told_with_the_sign_in_that_sends_one(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(302, b"", {"Location": "/there", "Set-Cookie": "seen=1"})
    vendor.routes["/there"] = Answer(302, b"", {"Location": "/things"})
    result = desk.collect(THINGS)
    assert "more than 5 redirects, which set a cookie; none is kept" in of(result, "things").missing[0]
    assert ("read: cookies.NAME, send: cookie.NAME" in result.errors[0]["fix"], 6) == (True, len(vendor.log))


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_in_two_bytes_a_letter_is_told_at_once(desk: Desk, vendor: Tiny, charset: str) -> None:
    vendor.routes["/things"] = Answer(200, '[{"id": 1}]'.encode(charset))
    result = desk.collect(THINGS)
    assert of(result, "things").missing[0].endswith("the answer is in UTF-16 or UTF-32, where JSON is in UTF-8")
    assert ("write decode: json", 1) == (result.errors[0]["fix"], len(vendor.log))


def test_a_redirect_from_https_to_http_is_refused() -> None:
    asked = Request("GET", "https://api.example.com/things")
    with pytest.raises(CollectionError, match=r"leads from https to http at api\.example\.com"):
        fence("http://api.example.com/things", frozenset({"api.example.com"}), asked, "a redirect", in_tls=True)


def test_a_next_link_out_of_tls_is_refused() -> None:
    with pytest.raises(CollectionError, match=r"the next request leads from https to http at 127\.0\.0\.1"):
        ask("http://127.0.0.1:9/things", in_tls=True)


def test_an_answer_that_does_not_decode_is_asked_for_again(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(200, b"id,name\n1,a\n")
    vendor.html("things")
    result = desk.collect({"things": {"get": "/things", "decode": "csv"}})
    assert ("succeeded", 2) == (result.status, len(vendor.log))


def test_a_post_stays_a_post_behind_a_308(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/search"] = Answer(308, b"", {"Location": "/things"})
    desk.collect({"things": {"post": "/search", "body": {"a": 1}}})
    assert ("POST", b'{"a":1}') == (vendor.log[1][0].method, vendor.log[1][0].body)


def test_a_post_becomes_a_get_behind_a_303(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/search"] = Answer(303, b"", {"Location": "/things"})
    desk.collect({"things": {"post": "/search", "body": {"a": 1}}})
    assert ("GET", b"") == (vendor.log[1][0].method, vendor.log[1][0].body)


# --- limits on the page


def test_requests_keep_the_rate_of_the_page(desk: Desk, vendor: Tiny) -> None:
    endpoints = {f"e{number}": "/things" for number in range(4)}
    desk.collect(endpoints, connection={"rate_limit": "2/s", "concurrency": 1})
    assert [0.5, 0.5, 0.5] == desk.time.waits


def test_an_endpoint_may_have_a_limit_of_its_own_besides(desk: Desk, vendor: Tiny) -> None:
    endpoints = {"fast": "/things", "slow": {"get": "/things", "rate_limit": "1/m"}, "late": "/things"}
    desk.collect(endpoints, connection={"rate_limit": {"rate": "1/s", "burst": 5}, "concurrency": 1})
    assert [] == desk.time.waits


def test_tries_and_redirects_count_against_the_rate(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/old"] = Answer(302, b"", {"Location": "/things"})
    desk.collect({"things": "/old"}, connection={"rate_limit": "1/s"})
    assert [1.0] == desk.time.waits


def test_a_cookie_that_the_vendor_sets_is_not_sent_back(desk: Desk, vendor: Tiny) -> None:
    pages = {"1": {"items": [{"id": 1}], "next": "2"}, "2": {"items": [{"id": 2}]}}
    vendor.routes["/things"] = lambda asked: Answer.json(
        pages[dict(asked.query).get("page", "1")], Set_Cookie="visit=1"
    )
    paged = {
        "get": "/things",
        "records": "items",
        "paginate": {"cursor": {"read": "answer.next", "send": "query.page"}},
    }
    desk.collect({"things": paged})
    assert [False, False] == ["cookie" in {name.lower() for name in asked.headers} for asked, _ in vendor.log]
