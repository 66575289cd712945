"""Lists of vendors that page in odd or wrong ways, as public trackers report them: all comes, or it is named.

Each thread is one where somebody lost records, had them twice, or waited for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from engine.flow.report import Result
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

SIZE = {"send": "query.limit", "value": 4}
OFFSET: dict[str, Any] = {"send": "query.offset", "size": SIZE}
PAGES: dict[str, Any] = {"send": "query.page", "size": SIZE}
CURSOR: dict[str, Any] = {"read": "answer.next", "send": "query.token"}


def things(*numbers: int) -> list[dict[str, int]]:
    """Records with these ids."""
    return [{"id": number} for number in numbers]


def collect(desk: Desk, paginate: Mapping[str, Any], **endpoint: Any) -> Result:
    """Collect a list of things."""
    return desk.collect({"things": {"get": "/things", "records": "data", "paginate": dict(paginate), **endpoint}})


def came(desk: Desk) -> list[Any]:
    """The ids that were kept, in order."""
    return [row["id"] for row in desk.rows("things", "data")]


def query(asked: Asked) -> dict[str, str]:
    """The query of a request."""
    return dict(asked.query)


def in_turn(*pages: Any) -> Callable[[Asked], Any]:
    """Answers these one after the other, then the last one for ever."""
    later = list(pages)
    return lambda asked: later.pop(0) if len(later) > 1 else later[0]


def told(result: Result) -> str:
    """Why something is missing."""
    return "; ".join(of(result, "things").missing)


# --- where a list ends


# https://github.com/meltano/sdk/issues/2980: a tap stopped at a page without records, though a token came with it.
def test_an_empty_page_with_a_token_is_no_end(desk: Desk, vendor: Tiny) -> None:
    pages = [{"data": things(1), "next": "a"}, {"data": [], "next": "b"}, {"data": things(2), "next": None}]
    vendor.routes["/things"] = in_turn(*pages)
    assert ("succeeded", [1, 2]) == (collect(desk, {"cursor": CURSOR}).status, came(desk))


# https://github.com/dlt-hub/dlt/issues/2932: behind the last records a page whose list is null broke the pipeline.
@pytest.mark.parametrize(("words", "status"), [({"may_be_absent": True}, "succeeded"), ({}, "incomplete")])
def test_a_last_page_whose_list_is_null_is_the_end_where_the_page_says_so(
    desk: Desk, vendor: Tiny, words: dict[str, bool], status: str
) -> None:
    vendor.routes["/things"] = in_turn({"data": things(1), "next": "a"}, {"data": None, "next": None})
    assert (status, [1]) == (collect(desk, {"cursor": CURSOR}, **words).status, came(desk))


# https://github.com/dlt-hub/dlt/issues/3358: the last page has a cursor as all others do, only has_more is false.
def test_a_cursor_on_the_last_page_leads_nowhere_where_has_more_is_false(desk: Desk, vendor: Tiny) -> None:
    pages = [{"data": things(1), "next": "a", "more": True}, {"data": things(2), "next": "b", "more": False}]
    vendor.routes["/things"] = in_turn(*pages, {"data": things(3), "next": "c", "more": True})
    assert "succeeded" == collect(desk, {"cursor": {**CURSOR, "has_more": "answer.more"}}).status
    assert [1, 2] == came(desk)


# https://github.com/dlt-hub/dlt/issues/4225: a vendor that says for ever that there is more led past the page's limit.
def test_max_pages_holds_whatever_has_more_says(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = lambda asked: {"data": things(int(query(asked)["offset"])), "more": True}
    result = collect(desk, {"offset": {"send": "query.offset", "has_more": "answer.more", "max_pages": 3}})
    assert (3, [0, 1, 2]) == (len(vendor.log), came(desk))
    assert ("max_pages: 3 pages were read, and more follow",) == of(result, "things").skipped


# https://github.com/elastic/beats/issues/30693: a list of one page was asked for a second one, and came twice.
@pytest.mark.parametrize("way", [{"next_url": {"read": "answer.next"}}, {"link_header": {}}, {"cursor": CURSOR}])
def test_a_list_of_one_page_is_asked_for_once(desk: Desk, vendor: Tiny, way: dict[str, Any]) -> None:
    vendor.routes["/things"] = {"data": things(1)}
    assert ("succeeded", 1) == (collect(desk, way).status, len(vendor.log))


# https://github.com/jira-node/node-jira-client/issues/258, https://github.com/pycontribs/jira/issues/805: the server
# gives at most so many, whatever is asked for; its first page was taken for the last.
@pytest.mark.parametrize("way", ["offset", "page_number"])
def test_a_server_that_gives_fewer_than_asked_for_is_read_to_its_total(desk: Desk, vendor: Tiny, way: str) -> None:
    def answer(asked: Asked) -> Any:
        sent = query(asked)
        at = int(sent["offset"]) if "offset" in sent else 3 * (int(sent["page"]) - 1)
        return {"data": things(*range(10))[at : at + 3], "total": 10}

    vendor.routes["/things"] = answer
    settings = {"offset": OFFSET, "page_number": PAGES}[way]
    assert "succeeded" == collect(desk, {way: {**settings, "total": "answer.total"}}).status
    assert list(range(10)) == came(desk)


# --- vendors that do not do as they are asked


# https://github.com/apache/iceberg/issues/17755 (51,043 requests in 5 seconds),
# https://github.com/airbytehq/airbyte-python-cdk/issues/1148: a token that comes again was followed for ever.
@pytest.mark.parametrize("tokens", ["aaaa", "abab", "abcabc", "abcbcb"])
def test_tokens_that_come_again_end_a_list_as_incomplete(desk: Desk, vendor: Tiny, tokens: str) -> None:
    numbers, later = iter(range(99)), iter(tokens)
    vendor.routes["/things"] = lambda asked: {"data": things(next(numbers)), "next": next(later)}
    result = collect(desk, {"cursor": CURSOR})
    assert ("incomplete", True) == (result.status, "came a second time" in told(result))
    assert len(set(tokens)) + 1 == len(vendor.log)


# https://github.com/Auxx-Ai/auxx-ai/pull/967: an endpoint that does not read the cursor gives its first page for ever.
@pytest.mark.parametrize("more", [{}, {"total": "answer.total"}, {"has_more": "answer.more"}])
@pytest.mark.parametrize("way", ["offset", "page_number"])
def test_a_server_that_ignores_the_page_ends_a_list_as_incomplete(
    desk: Desk, vendor: Tiny, way: str, more: dict[str, str]
) -> None:
    vendor.routes["/things"] = {"data": things(1, 2, 3, 4), "total": 8, "more": True}
    result = collect(desk, {way: {**{"offset": OFFSET, "page_number": PAGES}[way], **more}})
    assert ("incomplete", True) == (result.status, "the page equals an earlier one" in told(result))
    assert ([1, 2, 3, 4], 2) == (came(desk), len(vendor.log))


# https://github.com/PostHog/posthog/pull/64704, https://github.com/cloudquery/cloudquery/issues/5387: tokens die while
# a long list is read; the next try with the same one cannot succeed.
def test_a_token_that_died_leaves_the_list_incomplete_and_the_next_run_reads_it_whole(desk: Desk, vendor: Tiny) -> None:
    dead = Answer.json({"errors": [{"code": "INVALID_CURSOR"}], "message": "the cursor has expired"}, 400)
    vendor.routes["/things"] = in_turn({"data": things(1), "next": "a"}, dead)
    result = collect(desk, {"cursor": CURSOR})
    assert ("incomplete", 2) == (result.status, len(vendor.log))
    assert told(result).endswith("token=a: status 400: the cursor has expired")
    vendor.routes["/things"] = in_turn({"data": things(1), "next": "b"}, {"data": things(2)})
    assert ("succeeded", [1, 2]) == (collect(desk, {"cursor": CURSOR}).status, came(desk))


# --- more records than a vendor lists


def _capped(rows: Sequence[Any], behind: Any) -> Callable[[Asked], Any]:
    """A vendor who lists ten records at most, and answers this `behind` them."""

    def answer(asked: Asked) -> Any:
        sent = query(asked)
        at = int(sent["offset"])
        found = [row for row in rows if sent.get("since", "") <= row["at"] < sent.get("before", "9")]
        return behind if at + 4 > 12 else {"data": found[at : at + 4][: 10 - at], "total": len(found)}

    return answer


DAYS = [{"id": day, "at": f"2026-06-{day:02d}T00:00:00Z"} for day in range(1, 15)]
TOO_FAR = Answer.json({"error": {"message": "Result window is too large"}}, 400)
NEWS = {"start": "2026-06-01", "send": {"from": "query.since", "until": "query.before"}}


# https://github.com/elastic/beats and many more meet `from + size must be less than or equal to: [10000]`, such as
# https://github.com/iDigBio/idigbio-search-api/issues/18; https://github.com/infiniflow/ragflow/pull/13296 made the
# refusal an empty page, "which naturally terminates pagination loops".
@pytest.mark.parametrize("behind", [TOO_FAR, {"data": [], "total": 14}, {"data": [], "total": 10}])
def test_a_list_that_is_longer_than_its_vendor_lists_is_never_green(desk: Desk, vendor: Tiny, behind: Any) -> None:
    vendor.routes["/things"] = _capped(DAYS, behind)
    assert "incomplete" == collect(desk, {"offset": {**OFFSET, "total": "answer.total"}}).status


def test_a_list_that_is_longer_than_its_vendor_lists_is_read_in_halves_of_its_time(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = _capped(DAYS, TOO_FAR)
    rule = {"when": {"status": 400, "body": "contains(error.message, 'too large')"}, "split_window": {"smallest": "1h"}}
    words = {"incremental": NEWS, "responses": [rule]}
    assert "succeeded" == collect(desk, {"offset": {**OFFSET, "total": "answer.total"}}, **words).status
    assert list(range(1, 15)) == came(desk)


# --- totals that lie, and lists that move


@pytest.mark.parametrize("total", [0, 3, 7, 9, 99])
@pytest.mark.parametrize("way", ["offset", "page_number"])
def test_a_total_that_lies_is_incomplete(desk: Desk, vendor: Tiny, way: str, total: int) -> None:
    def answer(asked: Asked) -> Any:
        sent = query(asked)
        at = int(sent["offset"]) if "offset" in sent else 4 * (int(sent["page"]) - 1)
        return {"data": things(*range(8))[at : at + 4], "total": total}

    vendor.routes["/things"] = answer
    settings = {"offset": OFFSET, "page_number": PAGES}[way]
    result = collect(desk, {way: {**settings, "total": "answer.total"}})
    assert ("incomplete", True) == (result.status, f"declared {total} records" in told(result))


@pytest.mark.parametrize("total", [None, -1, "many", {"value": 8}])
def test_a_total_that_is_no_number_tells_nothing(desk: Desk, vendor: Tiny, total: Any) -> None:
    def answer(asked: Asked) -> Any:
        at = int(query(asked)["offset"])
        return {"data": things(*range(8))[at : at + 4], "total": total}

    vendor.routes["/things"] = answer
    assert "succeeded" == collect(desk, {"offset": {**OFFSET, "total": "answer.total"}}).status
    assert list(range(8)) == came(desk)


@pytest.mark.parametrize("way", ["offset", "page_number"])
def test_a_total_that_grows_while_paging_is_read_to_its_new_end(desk: Desk, vendor: Tiny, way: str) -> None:
    def answer(asked: Asked) -> Any:
        rows = things(*range(10 if vendor.log else 6))  # four came in at the end behind the first page
        sent = query(asked)
        at = int(sent["offset"]) if "offset" in sent else 4 * (int(sent["page"]) - 1)
        return {"data": rows[at : at + 4], "total": len(rows)}

    vendor.routes["/things"] = answer
    settings = {"offset": OFFSET, "page_number": PAGES}[way]
    collect(desk, {way: {**settings, "total": "answer.total"}})
    assert list(range(10)) == came(desk)


def _moving(vendor: Tiny, rows: list[int], move: Callable[[list[int]], None], times: int) -> None:
    """The list is moved so many times, each time behind a first page."""
    left = [times]

    def answer(asked: Asked) -> Any:
        at = int(query(asked)["offset"])
        page = {"data": things(*rows[at : at + 4]), "total": len(rows)}
        if at == 0 and left[0]:
            left[0] -= 1
            move(rows)
        return page

    vendor.routes["/things"] = answer


# https://github.com/openlinker-project/openlinker/pull/2032: an insert at the head moves what is behind it to a page
# that comes later, a removal to one that was read.
@pytest.mark.parametrize("move", [lambda rows: rows.insert(0, 99), lambda rows: rows.pop(0)], ids=["came", "went"])
def test_a_list_that_moves_once_is_read_once_more(desk: Desk, vendor: Tiny, move: Callable[[list[int]], None]) -> None:
    rows = list(range(9))
    _moving(vendor, rows, move, 1)
    assert "succeeded" == collect(desk, {"offset": {**OFFSET, "total": "answer.total"}}).status
    assert rows == came(desk)


@pytest.mark.parametrize("move", [lambda rows: rows.insert(0, 99), lambda rows: rows.pop(0)], ids=["came", "went"])
def test_a_list_that_moves_again_is_incomplete(desk: Desk, vendor: Tiny, move: Callable[[list[int]], None]) -> None:
    _moving(vendor, list(range(9)), move, 2)
    result = collect(desk, {"offset": {**OFFSET, "total": "answer.total"}})
    assert ("incomplete", True) == (result.status, "it was read twice" in told(result))


# https://github.com/datagouv/api-tabular/pull/122 (17,748 rows came, 13,533 of them different),
# https://github.com/redbox-mint/redbox-portal/pull/4743 ("the expected row count while omitting records"): records
# with equal sort keys come in another order with each page.
@pytest.mark.parametrize("pages", ["0123 4567 289", "0123 4567 809", "0123 3567 891", "0123 4507 891"])
@pytest.mark.parametrize("total", [{}, {"total": "answer.total"}])
def test_records_that_stand_on_two_pages_are_no_proof_of_a_met_total(
    desk: Desk, vendor: Tiny, pages: str, total: dict[str, str]
) -> None:
    listed = pages.split()
    vendor.routes["/things"] = lambda asked: {
        "data": things(*map(int, listed[int(query(asked)["page"]) - 1])),
        "total": 11,
    }
    result = collect(desk, {"page_number": {**PAGES, **total}})
    assert ("incomplete", True) == (result.status, "so that others may be missing" in told(result))


# --- links and tokens as they come


# https://github.com/dlt-hub/dlt/issues/1514: what was asked for at first was added to the next link once more.
@pytest.mark.parametrize("link", ["/things?page=2&status=open&key=k", "?status=open&key=k&page=2"])
def test_a_next_link_is_asked_as_it_is(desk: Desk, vendor: Tiny, link: str) -> None:
    vendor.routes["/things"] = in_turn({"data": things(1), "next": link}, {"data": things(2), "next": ""})
    endpoint = {"get": "/things", "records": "data", "query": {"status": "open"}}
    endpoint["paginate"] = {"next_url": {"read": "answer.next"}}
    desk.collect({"things": endpoint}, connection={"query": {"key": "k"}})
    assert [("key", "k"), ("page", "2"), ("status", "open")] == sorted(vendor.log[1][0].query)


# https://github.com/dlt-hub/dlt/issues/2505: `@odata.nextLink` was not found, and the first page was all that came.
def test_a_name_with_a_dot_is_read_where_it_is_quoted(desk: Desk, vendor: Tiny) -> None:
    first = {"data": things(1), "@odata.nextLink": f"{vendor.url}/things?$skiptoken=a"}
    vendor.routes["/things"] = in_turn(first, {"data": things(2)})
    assert "succeeded" == collect(desk, {"next_url": {"read": 'answer."@odata.nextLink"'}}).status
    assert ["/things", "/things?%24skiptoken=a"] == vendor.targets()


# https://github.com/ElsevierDev/elsapy/issues/47, https://github.com/experientiallabs/experiential/issues/866: tokens
# with + & % # became other tokens, other fields, or the end of the address.
@pytest.mark.parametrize("place", ["query.token", "header.X-Token", "cookie.token", "body.page.token", "path.token"])
def test_a_token_comes_back_letter_by_letter(desk: Desk, vendor: Tiny, place: str) -> None:
    token, seen = "page+2/&cursor=%23fragment#tail==", list[Any]()

    def answer(asked: Asked) -> Any:
        body = json.loads(asked.body)["page"]["token"] if asked.body else None
        cookie = asked.headers.get("cookie", "").removeprefix("token=")
        path = "/".join((asked.segments() or ())[1:])
        seen.append(query(asked).get("token") or asked.headers.get("x-token") or cookie or path or body)
        return {"data": things(len(seen)), "next": token if len(seen) == 1 else None}

    vendor.answer = lambda asked: Answer.json(answer(asked))  # type: ignore[method-assign]  # whatever the path
    way = {"post": "/things"} if "body" in place else {"get": "/things/{token}" if "path" in place else "/things"}
    endpoint = {**way, "records": "data", "paginate": {"cursor": {**CURSOR, "send": place}}}
    assert ("succeeded", token) == (desk.collect({"things": endpoint}).status, seen[1])


# https://github.com/alpha-omega-security/scrutineer/issues/543 (commas in the address),
# https://github.com/panoramicdata/Meraki.Api/pull/407 (further attributes, no quotes, relation not first),
# https://github.com/neet/masto.js/pull/899 (another link before it), https://github.com/neet/masto.js/pull/691 (case).
@pytest.mark.parametrize(
    "link",
    [
        '<{next}>; rel="next"',
        "<{next}>;rel=next",
        '<{next}>; type="application/json"; title="a, b; c"; rel="next"',
        '</things?page=0>; rel="prev", <{next}>; rel="next"',
        '<{next}>; REL="NEXT", </things?page=9>; rel="last"',
        ' <{next}> ; rel="next last" ',
    ],
)
@pytest.mark.parametrize("name", ["Link", "link", "LINK"])
def test_a_link_is_found_however_it_is_written(desk: Desk, vendor: Tiny, name: str, link: str) -> None:
    header = {name: link.format(next="/things?page=2&only=a,b,c")}
    first = Answer(200, b'{"data": [{"id": 1}]}', header)
    vendor.routes["/things"] = in_turn(first, {"data": things(2)})
    assert ("succeeded", [1, 2]) == (collect(desk, {"link_header": {}}).status, came(desk))
    assert "a,b,c" == query(vendor.log[1][0])["only"]


# https://github.com/panoramicdata/Meraki.Api/pull/407: a next page that cannot be followed is no end of the list.
@pytest.mark.parametrize("link", ["/things?page=2; rel=next", '<http://[bad>; rel="next"', '<mailto:a@b>; rel="next"'])
def test_a_link_that_cannot_be_followed_is_no_end(desk: Desk, vendor: Tiny, link: str) -> None:
    vendor.routes["/things"] = Answer(200, b'{"data": [{"id": 1}]}', {"Link": link})
    assert "incomplete" == collect(desk, {"link_header": {}}).status
