"""The simulated vendor pages as the page's own paginators expect, and serves every record once."""

import pytest

from tests.author.client import Opening

HEAD = """
version: 1
tool: acme
params: { paging: {}, hosts: { default: data.hosts } }
connection: { base_url: "https://api.acme.example/v2" }
"""
PAGE = (
    HEAD
    + """
endpoints:
  services:
    get: /services
    records: data.items
    paginate: { offset: { send: query.offset, size: { send: query.limit, value: 20 }, total: answer.meta.total } }
  hits:
    post: /search
    body: { kind: hit }
    records: hits
    paginate: { cursor: { read: answer.next.token, send: body.page.token, size: { send: body.page.size, value: 100 } } }
  products:
    get: /products
    records: product
    paginate: { start_key: { read: last.name, send: query.start, size: { send: query.count, value: 10 } } }
  hosts:
    get: /hosts
    records: ${param.hosts}
    paginate:
      choose:
        by: ${param.paging}
        options:
          page:
            page_number: { send: query.page, size: { send: query.size, value: 9 }, total_pages: answer.pages }
  findings:
    get: /findings
    records: "@"
    paginate: { offset: { send: query.offset, size: { send: query.limit, value: 500 } } }
tables:
  services: { from: services, key: id, columns: { id: id, name: name } }
  hits: { from: hits, key: id, columns: { id: id } }
  products: { from: products, key: name, columns: { name: name } }
  hosts: { from: hosts, key: id, columns: { id: id } }
  findings: { from: findings, key: id, columns: { id: id } }
"""
)


def test_offset_pages_add_up_to_the_declared_total(opened: Opening) -> None:
    vendor = opened(PAGE)
    first, second, third = (vendor.get("/services", limit=20, offset=at) for at in (0, 20, 40))
    rows = [row["id"] for answer in (first, second, third) for row in answer["data"]["items"]]
    assert first["meta"]["total"] == len(rows) == len(set(rows))


def test_the_chosen_paginator_counts_its_pages(opened: Opening) -> None:
    vendor = opened(PAGE)
    last = vendor.get("/hosts", size=9)["pages"]
    ids = [row["id"] for at in range(1, last + 1) for row in vendor.get("/hosts", size=9, page=at)["data"]["hosts"]]
    assert [] == vendor.get("/hosts", size=9, page=last + 1)["data"]["hosts"]
    assert 9 * (last - 1) < len(ids) == len(set(ids))


def test_a_token_in_the_body_leads_through_pages_that_are_shorter_than_asked_for(opened: Opening) -> None:
    vendor = opened(PAGE)
    first = vendor.get("/search", body={"kind": "hit", "page": {"size": 100}})
    second = vendor.get("/search", body={"kind": "hit", "page": {"size": 100, "token": first["next"]["token"]}})
    assert 25 == len(first["hits"])
    assert not {row["id"] for row in first["hits"]} & {row["id"] for row in second["hits"]}


def test_a_start_key_repeats_the_row_it_names(opened: Opening) -> None:
    vendor = opened(PAGE)
    last = vendor.get("/products", count=10)["product"][-1]
    assert last == vendor.get("/products", count=10, start=last["name"])["product"][0]


def test_behind_a_short_first_page_is_more_also_where_nobody_says_how_many_there_are(opened: Opening) -> None:
    vendor = opened(PAGE)
    first = vendor.get("/findings", limit=500, offset=0)
    assert [] != vendor.get("/findings", limit=500, offset=len(first)) != first


def test_an_unknown_start_key_is_refused(opened: Opening) -> None:
    assert 400 == opened(PAGE).raw("/products", count=10, start="nobody").status_code


def test_a_body_that_asks_for_something_else_finds_nothing(opened: Opening) -> None:
    assert 404 == opened(PAGE).raw("/search", body={"kind": "other"}).status_code


@pytest.mark.parametrize("path", ["/", "/nothing", "/services/1"])
def test_an_address_that_the_page_never_asks_has_nothing(opened: Opening, path: str) -> None:
    assert "NOT_FOUND" == opened(PAGE).raw(path).json()["error"]["status"]
