"""One list of records, paged in the ways of many vendors, each written from that vendor's documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.vendors.server import Answer, Asked, Refusal, Server

Row = dict[str, Any]
START = datetime(2026, 6, 1, tzinfo=UTC)


def things(count: int) -> list[Row]:
    """So many records, one an hour from 2026-06-01 on; their ids look like numbers and are none."""
    return [
        {"id": f"0{n}", "created": datetime.fromtimestamp(START.timestamp() + 3600 * n, UTC).isoformat()}
        for n in range(count)
    ]


def query(asked: Asked) -> dict[str, str]:
    """The query of a request, each field once."""
    return dict(asked.query)


def number(fields: Mapping[str, Any], name: str, usual: int, most: int) -> int:
    """A whole number of the request, at most so large; refused where it is none."""
    text = str(fields.get(name, usual))
    if not text.isdecimal():
        raise Refusal(Answer.json({"error": f"{name} must be a number"}, 400))
    return min(int(text), most)


def need(right: bool, words: str) -> None:
    """Refuse a request that the vendor does not understand."""
    if not right:
        raise Refusal(Answer.json({"error": words}, 400))


def opaque(at: int) -> str:
    """A token that nobody should look into; as in Base64, it has letters that an address must escape."""
    return base64.b64encode(b"\xfb\xff" + str(at).encode()).decode() + "=="


def place(token: str | None) -> int:
    """Where a token leads."""
    return int(base64.b64decode(token[:-2])[2:]) if token else 0


def github(lists: Lists, asked: Asked) -> Answer:
    """GitHub REST: `page`, `per_page` up to 100; Link with prev, next, last and first; a bare list.

    Source: docs.github.com, Using pagination in the REST API.
    """
    sent = query(asked)
    size, page = number(sent, "per_page", 30, 100), number(sent, "page", 1, 10**6)
    last = -(-len(lists.rows) // size)
    there = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    there = {rel: at for rel, at in there.items() if 0 < at <= last and at != page}
    links = [f'<{lists.url}{asked.path}?{urlencode({**sent, "page": at})}>; rel="{rel}"' for rel, at in there.items()]
    header = {"Link": ", ".join(links)} if links else {}
    return Answer.json(lists.rows[(page - 1) * size : page * size], 200, **header)


def sentry(lists: Lists, asked: Asked) -> Answer:
    """Sentry: always a previous and a next link, each with `results`, which is "false" where nothing is behind it.

    Source: docs.sentry.io/api/pagination. Its own example breaks the header into lines and begins the query with `&`.
    """
    sent = query(asked)
    size, at = number(sent, "per_page", 100, 100), int(sent.get("cursor", "0:0:0").split(":")[1])
    more = "true" if at + size < len(lists.rows) else "false"
    here, size_too = f"{lists.url}{asked.path}?", f"&per_page={size}"
    links = (
        f'<{here}&cursor=0:{max(0, at - size)}:1{size_too}>; rel="previous"; results="{str(at > 0).lower()}"; '
        f'cursor="0:{max(0, at - size)}:1", '
        f'<{here}&cursor=0:{at + size}:0{size_too}>; rel="next"; results="{more}"; cursor="0:{at + size}:0"'
    )
    return Answer.json(lists.rows[at : at + size], 200, Link=links)


def okta(lists: Lists, asked: Asked) -> Answer:
    """Okta: `limit` and `after`; the links self and next come as two headers of the same name.

    Source: developer.okta.com, Design principles, Pagination.
    """
    sent = query(asked)
    size, at = number(sent, "limit", 200, 200), place(sent.get("after"))
    answer = Answer.json(lists.rows[at : at + size], 200, Link=f'<{lists.url}{asked.target}>; rel="self"')
    following = urlencode({**sent, "after": opaque(at + size)})
    more = {"link": f'<{lists.url}{asked.path}?{following}>; rel="next"'} if at + size < len(lists.rows) else {}
    return Answer(200, answer.body, {**answer.headers, **more})


def shopify(lists: Lists, asked: Asked) -> Answer:
    """Shopify REST: a link header; with `page_info` nothing but `limit` may be asked for.

    Source: shopify.dev, Make paginated requests to the REST Admin API.
    """
    sent = query(asked)
    need("page_info" not in sent or set(sent) <= {"page_info", "limit"}, "status: cannot be passed with page_info")
    size, at = number(sent, "limit", 50, 250), place(sent.get("page_info"))
    following = urlencode({"page_info": opaque(at + size), "limit": size})
    link = {"Link": f"<{lists.url}{asked.path}?{following}>; rel=next"} if at + size < len(lists.rows) else {}
    return Answer.json({"products": lists.rows[at : at + size]}, 200, **link)


def gitlab(lists: Lists, asked: Asked) -> Answer:
    """GitLab: the headers X-Total, X-Total-Pages, X-Page and X-Next-Page, which is empty on the last page.

    Source: docs.gitlab.com/api/rest, Offset-based pagination.
    """
    sent = query(asked)
    size, page = number(sent, "per_page", 20, 100), number(sent, "page", 1, 10**6)
    pages = max(1, -(-len(lists.rows) // size))
    told = {"X_Total": len(lists.rows), "X_Total_Pages": pages, "X_Page": page}
    headers = {name: str(value) for name, value in told.items()}
    headers["X_Next_Page"] = str(page + 1) if page < pages else ""
    return Answer.json(lists.rows[(page - 1) * size : page * size], 200, **headers)


def stripe(lists: Lists, asked: Asked) -> Answer:
    """Stripe: `limit` from 1 to 100, `starting_after` an id, `has_more`. Source: docs.stripe.com/api/pagination."""
    sent = query(asked)
    size, after = number(sent, "limit", 10, 100), sent.get("starting_after")
    ids = [row["id"] for row in lists.rows]
    need(after is None or after in ids, f"No such charge: '{after}'")
    at = ids.index(after) + 1 if after else 0
    page = lists.rows[at : at + size]
    return Answer.json({"object": "list", "data": page, "has_more": at + size < len(ids), "url": asked.path})


def zendesk(lists: Lists, asked: Asked) -> Answer:
    """Zendesk: `page[size]` turns cursors on; there is a next link on the last page, too: only `has_more` tells.

    Source: developer.zendesk.com, Paginating through lists using cursor pagination.
    """
    sent = query(asked)
    need("page[size]" in sent, "offset pagination is not supported here")
    size, at = number(sent, "page[size]", 100, 100), place(sent.get("page[after]"))
    end = min(at + size, len(lists.rows))
    following = f"{lists.url}{asked.path}?page[size]={size}&{urlencode({'page[after]': opaque(end)})}"
    meta = {"has_more": end < len(lists.rows), "after_cursor": opaque(end), "before_cursor": opaque(at)}
    return Answer.json({"tickets": lists.rows[at:end], "meta": meta, "links": {"next": following, "prev": None}})


def zendesk_export(lists: Lists, asked: Asked) -> Answer:
    """Zendesk's incremental export: the last page says `end_of_stream` and has the cursor that led to it.

    Source: developer.zendesk.com, Incremental Exports, Cursor-based.
    """
    sent = query(asked)
    need(("start_time" in sent) != ("cursor" in sent), "start_time or cursor")
    size, at = number(sent, "per_page", 1000, 1000), place(sent.get("cursor"))
    end = min(at + size, len(lists.rows))
    ended = end == len(lists.rows)
    after = f"{lists.url}{asked.path}?{urlencode({'cursor': opaque(at if ended else end), 'per_page': size})}"
    return Answer.json({"tickets": lists.rows[at:end], "after_url": after, "end_of_stream": ended})


def datadog(lists: Lists, asked: Asked) -> Answer:
    """Datadog logs search: a POST; `page.limit` and `page.cursor` in the body; `meta.page.after` while there is more.

    Source: docs.datadoghq.com/api/latest/logs, Search logs.
    """
    need(asked.method == "POST", "method not allowed")
    sent = json.loads(asked.body)
    need(sent["filter"] == {"query": "*"}, "the filter must be sent with each page")
    size, at = number(sent["page"], "limit", 10, 1000), place(sent["page"].get("cursor"))
    more = at + size < len(lists.rows)
    page = {"page": {"after": opaque(at + size)}} if more else {}
    return Answer.json({"data": lists.rows[at : at + size], "meta": {"elapsed": 1, "status": "done", **page}})


def klaviyo(lists: Lists, asked: Asked) -> Answer:
    """Klaviyo, as JSON:API: `links.next` with `page[cursor]` and all that was asked for, null on the last page.

    Source: developers.klaviyo.com, API overview, Pagination; jsonapi.org/format, Pagination.
    """
    sent = query(asked)
    need(sent.get("filter") == "greater-than(created,2020-01-01)", "the filter must be sent with each page")
    size, at = number(sent, "page[size]", 20, 100), place(sent.get("page[cursor]"))
    following = f"{lists.url}{asked.path}?{urlencode({**sent, 'page[cursor]': opaque(at + size)})}"
    links = {"self": lists.url + asked.target, "next": following if at + size < len(lists.rows) else None, "prev": None}
    return Answer.json({"data": lists.rows[at : at + size], "links": links})


def graph(lists: Lists, asked: Asked) -> Answer:
    """Microsoft Graph: `@odata.nextLink`, absent on the last page. Source: learn.microsoft.com/graph/paging."""
    sent = query(asked)
    size, at = number(sent, "$top", 100, 999), place(sent.get("$skiptoken"))
    following = f"{lists.url}{asked.path}?$top={size}&{urlencode({'$skiptoken': opaque(at + size)})}"
    more = {"@odata.nextLink": following} if at + size < len(lists.rows) else {}
    return Answer.json({"value": lists.rows[at : at + size], **more})


def salesforce(lists: Lists, asked: Asked) -> Answer:
    """Salesforce: `nextRecordsUrl` is a path of its own, and only there while `done` is false.

    Source: developer.salesforce.com, REST API Developer Guide, Query.
    """
    offset = asked.path.rpartition("/")[2].partition("-")[2]
    at, batch = int(offset or 0), 200
    need(bool(offset) != ("q" in query(asked)), "q or a locator")
    more = at + batch < len(lists.rows)
    following = {"nextRecordsUrl": f"/salesforce/query/01gD0000002HU6KIAW-{at + batch}"} if more else {}
    records = lists.rows[at : at + batch]
    return Answer.json({"totalSize": len(lists.rows), "done": not more, **following, "records": records})


def pagerduty(lists: Lists, asked: Asked) -> Answer:
    """PagerDuty: `offset`, `limit` up to 100, `more`; `total` is null unless it is asked for.

    Source: developer.pagerduty.com, Pagination, Classic pagination.
    """
    sent = query(asked)
    size, at = number(sent, "limit", 25, 100), number(sent, "offset", 0, 10**6)
    need(at + size <= 10_000, "Offset must be less than 10000")
    total = len(lists.rows) if sent.get("total") == "true" else None
    page = lists.rows[at : at + size]
    more = at + size < len(lists.rows)
    return Answer.json({"incidents": page, "limit": size, "offset": at, "total": total, "more": more})


def jira(lists: Lists, asked: Asked) -> Answer:
    """Jira: `startAt` and `maxResults`, which the server makes smaller as it likes and tells in its answer.

    Source: developer.atlassian.com, Jira Cloud platform REST API, Pagination.
    """
    sent = query(asked)
    size, at = number(sent, "maxResults", 50, lists.most), number(sent, "startAt", 0, 10**6)
    page = {"startAt": at, "maxResults": size, "total": len(lists.rows)}
    return Answer.json({**page, "issues": lists.rows[at : at + size]})


def google(lists: Lists, asked: Asked) -> Answer:
    """Google, as AIP-158: `pageToken`; a page may be short or empty while there is a token; the last has an empty one.

    Source: google.aip.dev/158.
    """
    sent = query(asked)
    size, at = number(sent, "pageSize", 50, 1000), int(sent.get("pageToken", "0").lstrip("~"))
    if at == size and not sent["pageToken"].startswith("~"):
        return Answer.json({"items": [], "nextPageToken": f"~{at}"})
    end = at + size
    return Answer.json({"items": lists.rows[at:end], "nextPageToken": str(end) if end < len(lists.rows) else ""})


def elastic(lists: Lists, asked: Asked) -> Answer:
    """Elasticsearch: `search_after` in the body takes the sort values of the last hit; the end is a page without hits.

    Source: elastic.co, Paginate search results, Search after.
    """
    sent = json.loads(asked.body)
    after = [[row["created"], row["id"]] for row in lists.rows]
    at = after.index(sent["search_after"]) + 1 if "search_after" in sent else 0
    hits = [{"_source": row, "sort": key} for row, key in zip(lists.rows, after, strict=True)][at : at + sent["size"]]
    return Answer.json({"hits": {"hits": hits}})


def apigee(lists: Lists, asked: Asked) -> Answer:
    """Apigee: `count` and `startKey`; the page begins with the record of that key.

    Source: cloud.google.com/apigee, organizations.apiproducts.list.
    """
    sent = query(asked)
    keys = [row["id"] for row in lists.rows]
    at = keys.index(sent["startKey"]) if "startKey" in sent else 0
    return Answer.json({"apiProduct": lists.rows[at : at + number(sent, "count", 1000, 1000)]})


def since_id(lists: Lists, asked: Asked) -> Answer:
    """Shopify's older way: the records behind the one that `since_id` names; the end is an empty page."""
    sent = query(asked)
    keys = [row["id"] for row in lists.rows]
    at = keys.index(sent["since_id"]) + 1 if "since_id" in sent else 0
    return Answer.json({"products": lists.rows[at : at + number(sent, "limit", 50, 250)]})


def scroll(lists: Lists, asked: Asked) -> Answer:
    """A list whose next page has an address of its own: `/scroll/{token}`, the first one without a token."""
    at = place(asked.segments()[1]) if len(asked.segments() or ()) > 1 else 0  # type: ignore[index]  # the same segments
    following = opaque(at + 10) if at + 10 < len(lists.rows) else None
    return Answer.json({"rows": lists.rows[at : at + 10], "scroll": {"id": following}})


def numbered(lists: Lists, asked: Asked) -> Answer:
    """A list by the number of a page in the path, ten records each, from nought on, and nobody says how many."""
    at = 10 * int((asked.segments() or ())[1])
    return Answer.json({"rows": lists.rows[at : at + 10]})


def orders(lists: Lists, asked: Asked) -> Answer:
    """Amazon's orders: created at or after one time, and at or before another; at most 100, the rest is cut off.

    Source: developer-docs.amazon.com/sp-api, getOrders.
    """
    sent = query(asked)
    start, end = sent["CreatedAfter"].replace("Z", "+00:00"), sent["CreatedBefore"].replace("Z", "+00:00")
    need(start <= end, "CreatedBefore must be equal to or after the CreatedAfter date")
    return Answer.json({"payload": {"Orders": [row for row in lists.rows if start <= row["created"] <= end][:100]}})


def audit(lists: Lists, asked: Asked) -> Answer:
    """An audit log in seconds since 1970, from one time on and before another, with no more than seven days at once."""
    sent = query(asked)
    start, end = int(sent["since"]), int(sent["until"])
    need(end - start <= 7 * 86400, "at most seven days")
    at = [datetime.fromisoformat(row["created"]).timestamp() for row in lists.rows]
    return Answer.json({"events": [row for row, time in zip(lists.rows, at, strict=True) if start <= time < end]})


STYLES: Sequence[Callable[[Lists, Asked], Answer]] = (
    github, sentry, okta, shopify, gitlab, stripe, zendesk, zendesk_export, datadog, klaviyo, graph, salesforce,
    pagerduty, jira, google, elastic, apigee, since_id, scroll, numbered, orders, audit,
)  # fmt: skip


class Lists(Server):
    """The same records below a path for each vendor: `/github`, `/sentry` and so on."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.rows = things(count)
        self.most = 50
        """The most records that Jira gives at once."""
        self.styles = {style.__name__: style for style in STYLES}

    def answer(self, asked: Asked) -> Answer:
        """A page, as the vendor of the path gives it."""
        style = self.styles.get((asked.segments() or ("",))[0])
        return style(self, asked) if style else Answer.json({"error": "not here"}, 404)
