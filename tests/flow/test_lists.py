"""Pages as authors write them, read from stand-ins of many vendors: every record once, and no request too many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from engine.core.errors import Json
from engine.spec.yamlfile import parse
from tests.flow.desk import Desk, of
from tests.vendors.lists import Lists
from tests.vendors.server import Answer, Asked

CASES = parse((Path(__file__).parents[1] / "cases" / "lists.yaml").read_text(), "lists.yaml").plain()
TRIED = [
    pytest.param(case["endpoint"], int(count), requests, id=f"{case['list']} {number}: {count}")
    for number, case in enumerate(CASES)
    for count, requests in case["requests"].items()
]
LINK = "get: /github\npaginate: { link_header: { size: { send: query.per_page, value: 100 } } }\n"


def _collect(desk: Desk, endpoint: str, more: str = "") -> Any:
    place = desk.folder / "acme.yaml"
    place.write_text(
        f"version: 1\ntool: acme\nconnection:\n  base_url: {desk.vendor.url}\n{indent(more, '  ')}"
        f"endpoints:\n  things:\n{indent(endpoint, '    ')}"
    )
    desk.time.now += 1
    return desk.engine().collect(place)


def _ids(desk: Desk, endpoint: str) -> list[Json]:
    records = next((line.split()[1] for line in endpoint.splitlines() if line.startswith("records:")), "@")
    rows = desk.rows("things", records)
    return [row.get("_source", row)["id"] for row in rows]


@pytest.fixture
def lists(request: pytest.FixtureRequest) -> Iterator[Lists]:
    with Lists(getattr(request, "param", 250)) as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, lists: Lists) -> Desk:
    return Desk(tmp_path, lists)


@pytest.mark.parametrize(("endpoint", "lists", "requests"), TRIED, indirect=["lists"])
def test_every_record_comes_once_with_no_request_too_many(
    desk: Desk, lists: Lists, endpoint: str, requests: int
) -> None:
    result = _collect(desk, endpoint)
    assert ("succeeded", ()) == (result.status, of(result, "things").missing)
    assert ([row["id"] for row in lists.rows], requests) == (_ids(desk, endpoint), len(lists.log))


def test_every_list_is_tried(lists: Lists) -> None:
    assert set(lists.styles) == {case["list"] for case in CASES}


def test_a_server_that_gives_less_and_less_is_read_to_the_end(desk: Desk, lists: Lists) -> None:
    jira, page = next(case["endpoint"] for case in CASES if case["list"] == "jira"), lists.styles["jira"]

    def shrinking(here: Lists, asked: Asked) -> Answer:
        here.most = max(7, here.most - 9)
        return page(here, asked)

    lists.styles["jira"] = shrinking
    assert "succeeded" == _collect(desk, jira).status
    assert [row["id"] for row in lists.rows] == _ids(desk, jira)
