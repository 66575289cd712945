"""Requests and pages as auth and paginators see them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import Mistake
from engine.core.wire import Page, Place, Request, as_pairs, origin, request_to

BASE = Request(
    "POST", "https://api.example.com/things/{id}", (("a", "1"), ("a", "2")), (("Accept", "x"),), {"f": {"g": 1}}
)
PLACES = ["query.a", "query.page[size]", "query.a.b", "header.X-Key", "cookie.session", "body.f.h", "body.x"]


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=30)
@given(value=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";="), min_size=1))
def test_what_was_put_is_got(place: str, value: str) -> None:
    assert value == BASE.put(Place(place), value).get(Place(place))


@pytest.mark.parametrize("place", PLACES)
def test_null_takes_a_place_out(place: str) -> None:
    assert BASE.put(Place(place), "v").put(Place(place), None).get(Place(place)) is None


def test_the_request_itself_stays_as_it_is() -> None:
    BASE.put(Place("body.f.g"), 2)
    assert {"f": {"g": 1}} == BASE.body


def test_a_query_field_replaces_all_of_its_name() -> None:
    assert (("a", "3"),) == BASE.put(Place("query.a"), 3).query


def test_header_names_are_the_same_in_any_case() -> None:
    assert (("ACCEPT", "y"),) == BASE.put(Place("header.ACCEPT"), "y").header


def test_cookies_stand_beside_each_other() -> None:
    request = BASE.put(Place("cookie.a"), "1").put(Place("cookie.b"), "2")
    assert "a=1; b=2" == request.get(Place("header.Cookie"))


def test_a_path_value_is_escaped_whole() -> None:
    assert "https://api.example.com/things/a%2Fb%20c" == BASE.put(Place("path.id"), "a/b c").url


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        (None, ()),
        (True, (("n", "true"),)),
        (1.5, (("n", "1.5"),)),
        (["a", 2], (("n", "a"), ("n", "2"))),
        ([], ()),
        ([None, "a"], (("n", "a"),)),
    ],
)
def test_a_query_field_of_each_kind(value: Any, pairs: Any) -> None:
    assert pairs == as_pairs("n", value)


@pytest.mark.parametrize("text", ["query", "query.", "Query.a", "a", "form.a"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(Mistake, match="is not a place in a request"):
        Place.read(text)


def test_the_address_is_escaped_once() -> None:
    assert "https://a.example/x?q=a%20b%26c" == Request("GET", "https://a.example/x", (("q", "a b&c"),)).full_url


def test_a_next_link_keeps_its_query() -> None:
    request = request_to("GET", "https://a.example/x?a=1&b=&a=2#top", query=(("c", "3"),))
    assert ("https://a.example/x", (("a", "1"), ("b", ""), ("a", "2"), ("c", "3"))) == (request.url, request.query)


def test_a_fingerprint_is_of_what_is_asked_not_of_how_it_is_signed() -> None:
    signed = BASE.put(Place("header.Authorization"), "Bearer t")
    assert BASE.fingerprint == signed.fingerprint


@pytest.mark.parametrize("place", ["query.a", "body.f.g"])
def test_a_fingerprint_differs_where_something_else_is_asked(place: str) -> None:
    assert BASE.fingerprint != BASE.put(Place(place), "other").fingerprint


def test_a_request_is_described_without_headers() -> None:
    secret = Request("GET", "https://a.example/x", header=(("Authorization", "Bearer t-1"),))
    assert "GET https://a.example/x" == secret.describe()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://API.example.com/x", ("https", "api.example.com", 443)),
        ("http://a.example", ("http", "a.example", 80)),
        ("http://a.example:8080/", ("http", "a.example", 8080)),
    ],
)
def test_the_origin_of_an_address(url: str, found: Any) -> None:
    assert found == origin(url)


LINK = '<?page=2>; rel="next"; cursor="0:2:0", </b>; rel=last'
PAGE = Page(
    BASE,
    200,
    {"x-next": "n", "link": LINK},
    b'{"meta": {"next": "t", "no": null}, "n": 5}',
    (b'{"id": 1}', b'{"id": 2}'),
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("answer.meta.next", "t"),
        ("answer.meta.no", None),
        ("answer.gone.deep", None),
        ("answer", {"meta": {"next": "t", "no": None}, "n": 5}),
        ("answer.n == `5`", True),
        ('headers."x-next"', "n"),
        ("status", 200),
        ("last.id", 2),
        ("length(rows)", 2),
        ("rows[0].id", 1),
        ("link.next.url", f"{BASE.url}?page=2"),
        ("link.next.cursor", "0:2:0"),
        ("link.gone.url", None),
    ],
)
def test_what_is_read_from_a_page(expression: str, value: Any) -> None:
    assert value == PAGE.read(expression)


def test_an_empty_body_has_no_answer() -> None:
    assert Page(BASE, 204).read("answer.next") is None


def test_a_body_that_is_no_json_is_named() -> None:
    with pytest.raises(Mistake, match="the answer is not JSON"):
        _ = Page(BASE, 200, body=b"<html>").answer


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; Path=/; Secure, b=2; HttpOnly", {"a": "1", "b": "2"}),
        ("a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Max-Age=5, b=x=y==", {"a": "1", "b": "x=y=="}),
        ('a="1 2"; Path=/', {"a": "1 2"}),
        ("a=; Path=/", {"a": ""}),
    ],
)
def test_the_cookies_of_an_answer_are_read(header: str, expected: dict[str, str]) -> None:
    page = Page(Request("GET", "https://a.example/"), 200, {"set-cookie": header})
    assert expected == page.read("cookies")


@pytest.mark.parametrize(
    ("address", "url", "query"),
    [
        ("http://h.example:80/a/b.c;d=1,2/~e%20f", "http://h.example:80/a/b.c;d=1,2/~e%20f", ()),
        ("http://h.example//a/../b/", "http://h.example//a/../b/", ()),
        ("https://h.example/{id}/[x]|y", "https://h.example/{id}/[x]|y", ()),
        ("HTTP://H.example/a", "http://H.example/a", ()),
        ("http://h.example/a b\u00e9", "http://h.example/a%20b%C3%A9", ()),
        ("http://h.example/a?x=1&y=#end", "http://h.example/a", (("x", "1"), ("y", ""))),
        ("http://h.example?x=1", "http://h.example", (("x", "1"),)),
    ],
)
def test_an_address_is_taken_apart(address: str, url: str, query: tuple[tuple[str, str], ...]) -> None:
    request = request_to("GET", address, query=(("k", "v"),))
    assert (url, (*query, ("k", "v"))) == (request.url, request.query)
