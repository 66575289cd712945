"""Each paginator: one law with generated rows, its cases through its YAML, and a vendor of its own over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from engine.core.errors import CollectionError, Json, Mistake
from engine.core.kinds import Paginator
from engine.core.settle import Settling
from engine.core.wire import Page, Place, Request
from engine.flow.guard import Guard
from engine.flow.raw import rows_in
from tests.flow.desk import Desk, Tiny
from tests.parts.tables import REGISTRY, cases, said
from tests.vendors.server import Asked

BASE = Request("POST", "https://api.example.com/things", body={"filter": {"a": 1}})
ENOUGH = 200


def paginator(word: str, settings: Any, params: Mapping[str, Json] | None = None) -> Paginator:
    """The paginator as a page names it, settled by its params."""
    value = word if settings is None else {word: settings}
    named = TypeAdapter(Paginator).validate_python(value, context={"registry": REGISTRY})
    part: Paginator = Settling(params or {}).of(named)
    return part


def _answered(part: Paginator, request: Request, rows: Sequence[Json]) -> Page:
    """The page that `serve` describes, as bytes of an answer with its records below `data.rows`."""
    served = part.serve(request, rows)
    answer: dict[str, Any] = {"data": {"rows": list(served.rows)}}
    for path, value in served.answer.items():
        here = answer
        *above, last = path.split(".")
        for key in above:
            here = here.setdefault(key, {})
        here[last] = value
    body = json.dumps(answer).encode()
    return Page(request, 200, served.headers, body, rows_in(body, "data.rows") or [])


def _crawled(part: Paginator, rows: Sequence[Json]) -> list[Json]:
    found, cursor, guard = list[Json](), part.start(), Guard()
    for _ in range(ENOUGH):
        request = part.aim(BASE, cursor)
        page = _answered(part, request, rows)
        following, repeated = part.after(cursor, page), part.repeated(cursor, page)
        guard.check(request, page, following, part, repeated)
        found += [json.loads(row) for row in page.rows[repeated:]]
        if following is None:
            guard.complete(len(found), request)
            return found
        cursor = json.loads(json.dumps(following))  # as the ledger keeps it
    raise AssertionError("the paginator does not stop")


def _sizes(send: str) -> Any:
    return st.integers(2, 7).map(lambda value: {"send": send, "value": value})


LAWFUL: Mapping[str, tuple[str, Any]] = {
    "none": ("none", st.none()),
    "cursor in the query": (
        "cursor",
        st.fixed_dictionaries(
            {"read": st.just("answer.next"), "send": st.just("query.token"), "size": _sizes("query.size")}
        ),
    ),
    "cursor deep in the answer and the body": (
        "cursor",
        st.fixed_dictionaries(
            {"read": st.just("answer.meta.next"), "send": st.just("body.page.after"), "size": _sizes("body.page.first")}
        ),
    ),
    "cursor in a header": (
        "cursor",
        st.fixed_dictionaries(
            {"read": st.just('headers."x-next"'), "send": st.just("header.X-After"), "size": _sizes("query.size")}
        ),
    ),
    "cursor of the last record": (
        "cursor",
        st.fixed_dictionaries(
            {"read": st.just("last.id"), "send": st.just("query.after"), "size": _sizes("query.size")}
        ),
    ),
    "offset": (
        "offset",
        st.fixed_dictionaries({"send": st.just("query.offset"), "size": _sizes("query.limit")}),
    ),
    "offset with a total": (
        "offset",
        st.fixed_dictionaries(
            {"send": st.just("query.offset"), "size": _sizes("query.limit"), "total": st.just("answer.meta.total")}
        ),
    ),
    "offset without a size": ("offset", st.just({"send": "query.offset"})),
    "page_number": (
        "page_number",
        st.fixed_dictionaries(
            {"send": st.just("query.page"), "start": st.integers(0, 2), "size": _sizes("query.perPage")}
        ),
    ),
    "page_number with a total": (
        "page_number",
        st.fixed_dictionaries(
            {"send": st.just("body.page.at"), "size": _sizes("body.page.size"), "total": st.just("answer.meta.total")}
        ),
    ),
    "page_number with a total in a header": (
        "page_number",
        st.just({"send": "query.page", "total": 'headers."x-total-count"'}),
    ),
    "page_number with a number of pages": (
        "page_number",
        st.fixed_dictionaries(
            {
                "send": st.just("query.page"),
                "start": st.integers(0, 2),
                "size": _sizes("query.perPage"),
                "total_pages": st.just("answer.pages"),
            }
        ),
    ),
    "page_number with a flag": (
        "page_number",
        st.fixed_dictionaries(
            {"send": st.just("query.page"), "size": _sizes("query.perPage"), "has_more": st.just("answer.page.more")}
        ),
    ),
    "page_number with a flag in a header": (
        "page_number",
        st.just({"send": "query.page", "has_more": 'headers."x-more"'}),
    ),
    "start_key inclusive": (
        "start_key",
        st.fixed_dictionaries(
            {"read": st.just("last.key.id"), "send": st.just("query.startKey"), "size": _sizes("query.count")}
        ),
    ),
    "start_key exclusive": (
        "start_key",
        st.fixed_dictionaries(
            {
                "read": st.just("last.id"),
                "send": st.just("query.startKey"),
                "inclusive": st.just(False),
                "size": _sizes("query.count"),
            }
        ),
    ),
}
NAMES = st.integers(1, 10_000) | st.text(min_size=1, max_size=4)
ROWS = st.lists(NAMES, max_size=25, unique_by=str).map(
    lambda names: [{"id": name, "key": {"id": name}, "at": number} for number, name in enumerate(names)]
)


@pytest.mark.parametrize("way", ["pages", "keys"])
@settings(max_examples=20)
@given(ROWS)
def test_crawling_what_the_chosen_one_serves_gives_exactly_the_rows(way: str, rows: list[Json]) -> None:
    size = {"send": "query.size", "value": 3}
    options = {
        "pages": {"page_number": {"send": "query.page", "size": size}},
        "keys": {"start_key": {"read": "${param.key}", "send": "query.from", "size": size}},
    }
    part = paginator("choose", {"by": "${param.way}", "options": options}, {"way": way, "key": "last.id"})
    assert rows == _crawled(part, rows)


@pytest.mark.parametrize("case", LAWFUL)
@settings(max_examples=50)
@given(st.data())
def test_crawling_what_it_serves_gives_exactly_the_rows(case: str, data: st.DataObject) -> None:
    word, settings = LAWFUL[case]
    part, rows = paginator(word, data.draw(settings)), data.draw(ROWS)
    assert rows == _crawled(part, rows)


# --- through the YAML


def _page(case: Mapping[str, Any]) -> Page:
    answer = case.get("answer", {})
    rows = [json.dumps(row).encode() for row in case.get("rows", [])]
    return Page(BASE, 200, case.get("headers", {}), json.dumps(answer).encode(), rows)


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="after"))
def test_the_next_cursor_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = paginator(word, case["settings"], case.get("params"))
    assert case["after"] == part.after(case.get("cursor", part.start()), _page(case))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="repeated"))
def test_repeated_rows_are_counted_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    assert case["repeated"] == paginator(word, case["settings"]).repeated(case.get("cursor"), _page(case))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="sends"))
def test_the_request_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = paginator(word, case["settings"])
    request = part.aim(BASE, case.get("cursor", part.start()))
    assert case["sends"] == {place: request.get(Place(place)) for place in case["sends"]}


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="past"))
def test_the_cursor_behind_a_lost_page_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = paginator(word, case["settings"])
    assert case["past"] == part.past(case.get("cursor", part.start()), case.get("total"))


@pytest.mark.parametrize(("word", "case"), cases("paginate", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        paginator(word, case["settings"])
    assert case["mistake"] in said(raised.value)


def test_an_empty_page_that_promises_more_is_no_end() -> None:
    part = paginator("page_number", {"send": "query.page", "has_more": "answer.more"})
    with pytest.raises(CollectionError, match="page 3 is empty and says that there are more"):
        part.after({"page": 3, "seen": 4}, Page(BASE, 200, {}, b'{"more": true}'))


# --- vendors of their own, written from the paginators' docs, over real HTTP

THINGS = [{"id": f"t{number}", "n": number} for number in range(7)]


@pytest.fixture
def vendor() -> Iterator[Tiny]:
    with Tiny() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, vendor: Tiny) -> Desk:
    return Desk(tmp_path, vendor)


def _query(asked: Asked) -> dict[str, str]:
    return dict(asked.query)


def by_offset(asked: Asked) -> Any:
    """`offset` and `limit`, at most three a page whatever is asked."""
    start, limit = int(_query(asked)["offset"]), min(3, int(_query(asked)["limit"]))
    return {"items": THINGS[start : start + limit], "total": len(THINGS)}


def by_offset_alone(asked: Asked) -> Any:
    """The same, and nobody says how many there are."""
    return {"items": by_offset(asked)["items"]}


def by_page_alone(asked: Asked) -> Any:
    """Pages from 1, at most three records each, and nobody says how many there are."""
    return {"items": by_page(asked)["items"]}


def by_token(asked: Asked) -> Any:
    """An opaque token, an empty one at the end."""
    at = int(_query(asked).get("pageToken", "p0")[1:])
    return {"items": THINGS[at : at + 3], "nextPageToken": f"p{at + 3}" if at + 3 < len(THINGS) else ""}


def by_body_token(asked: Asked) -> Any:
    """The same in a POST body, null at the end."""
    at = json.loads(asked.body).get("variables", {}).get("after") or 0
    return {"items": THINGS[at : at + 3], "end": at + 3 if at + 3 < len(THINGS) else None}


def by_key(asked: Asked) -> Any:
    """Apigee's way: the page begins with the record that startKey names."""
    key, count = _query(asked).get("startKey", "t0"), int(_query(asked)["count"])
    at = [thing["id"] for thing in THINGS].index(key)
    return {"items": THINGS[at : at + count]}


def by_page(asked: Asked) -> Any:
    """Pages from 1, at most three records each whatever is asked; each says how many there are in all."""
    at = 3 * (int(_query(asked)["page"]) - 1)
    return {"items": THINGS[at : at + min(3, int(_query(asked)["perPage"]))], "num": len(THINGS)}


def by_pages(asked: Asked) -> Any:
    """Pages from 0; an empty one in the middle, as where the caller may not see what is on it."""
    pages = [THINGS[:3], THINGS[3:6], [], THINGS[6:]]
    return {"items": pages[int(_query(asked).get("p", "0"))], "paging": {"pages": len(pages)}}


def at_once(asked: Asked) -> Any:
    """Everything."""
    return {"items": THINGS}


@pytest.mark.parametrize(
    ("serve", "endpoint", "requests"),
    [
        (at_once, {"paginate": "none"}, 1),
        (
            by_offset,
            {
                "paginate": {
                    "offset": {
                        "send": "query.offset",
                        "size": {"send": "query.limit", "value": 100},
                        "total": "answer.total",
                    }
                }
            },
            3,
        ),
        (
            by_page,
            {
                "paginate": {
                    "page_number": {
                        "send": "query.page",
                        "size": {"send": "query.perPage", "value": 100},
                        "total": "answer.num",
                    }
                }
            },
            3,
        ),
        (
            by_offset_alone,
            {"paginate": {"offset": {"send": "query.offset", "size": {"send": "query.limit", "value": 100}}}},
            3,
        ),
        (
            by_page_alone,
            {"paginate": {"page_number": {"send": "query.page", "size": {"send": "query.perPage", "value": 100}}}},
            3,
        ),
        (
            by_pages,
            {"paginate": {"page_number": {"send": "query.p", "start": 0, "total_pages": "answer.paging.pages"}}},
            4,
        ),
        (by_token, {"paginate": {"cursor": {"read": "answer.nextPageToken", "send": "query.pageToken"}}}, 3),
        (by_body_token, {"paginate": {"cursor": {"read": "answer.end", "send": "body.variables.after"}}}, 3),
        (
            by_key,
            {
                "paginate": {
                    "start_key": {
                        "read": "last.id",
                        "send": "query.startKey",
                        "size": {"send": "query.count", "value": 3},
                    }
                }
            },
            4,
        ),
    ],
)
def test_a_vendor_of_its_own_is_read_to_the_end(
    desk: Desk, vendor: Tiny, serve: Any, endpoint: dict[str, Any], requests: int
) -> None:
    vendor.routes["/things"] = serve
    method = {"post": "/things", "body": {"query": "q"}} if serve is by_body_token else {"get": "/things"}
    result = desk.collect({"things": {**method, **endpoint, "records": "items"}})
    assert ("succeeded", len(THINGS)) == (result.status, result.records_collected)
    assert (THINGS, requests) == (desk.rows("things", "items"), len(vendor.log))
