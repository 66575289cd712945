"""Next links that lead elsewhere or back: nobody else is asked, and nothing goes on for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import Json
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

WAYS = {
    "next_url": {"next_url": {"read": "answer.next"}},
    "link_header": {"link_header": {}},
}
KEY = "key-8f2a61"


@pytest.fixture
def vendor() -> Iterator[Tiny]:
    with Tiny() as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[Tiny]:
    with Tiny({"/more": {"items": [{"id": 2}]}}) as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, vendor: Tiny) -> Desk:
    return Desk(tmp_path, vendor, env={"KEY": KEY})


def _page(rows: list[Json], link: str | None) -> Answer:
    """A page that says in both ways where the next one is."""
    header = {"Link": f'<{link}>; rel="next"'} if link else {}
    return Answer.json({"items": rows, "next": link}, 200, **header)


def _collect(desk: Desk, way: str, **connection: Any) -> tuple[str, tuple[str, ...]]:
    signed = {"auth": {"api_key": {"key": "${secret.key}", "send": "header.X-Key"}}, **connection}
    things = {"get": "/things", "records": "items", "paginate": WAYS[way]}
    result = desk.collect({"things": things}, connection=signed, secrets={"key": {"env": "KEY"}})
    return result.status, of(result, "things").missing


def _elsewhere(server: Tiny) -> str:
    """The same place under another name: a host that the page did not name."""
    return server.url.replace("127.0.0.1", "127.1")


@pytest.mark.parametrize("way", WAYS)
def test_a_link_to_another_port_of_the_host_is_refused_before_anything_is_sent(
    desk: Desk, vendor: Tiny, other: Tiny, way: str
) -> None:
    vendor.routes["/things"] = _page([{"id": 1}], f"{other.url}/more")
    status, missing = _collect(desk, way)
    assert ("incomplete", []) == (status, other.targets())
    assert "which is not allowed" in missing[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_link_to_another_host_is_refused_before_anything_is_sent(
    desk: Desk, vendor: Tiny, other: Tiny, way: str
) -> None:
    vendor.routes["/things"] = _page([{"id": 1}], f"{_elsewhere(other)}/more")
    status, missing = _collect(desk, way)
    assert ("incomplete", True) == (status, "leads to 127.1, which is not allowed" in missing[0])
    assert ([], [{"id": 1}]) == (other.log, desk.rows("things", "items"))


@pytest.mark.parametrize("way", WAYS)
def test_a_link_to_a_host_that_is_allowed_is_followed_and_signed(
    desk: Desk, vendor: Tiny, other: Tiny, way: str
) -> None:
    vendor.routes["/things"] = _page([{"id": 1}], f"{_elsewhere(other)}/more")
    assert ("succeeded", ()) == _collect(desk, way, allow_hosts=["127.1"])
    assert ([KEY], [{"id": 1}, {"id": 2}]) == (
        [asked.headers.get("x-key") for asked, _ in other.log],
        desk.rows("things", "items"),
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_link_with_a_user_in_front_of_another_host_is_refused(
    desk: Desk, vendor: Tiny, other: Tiny, way: str
) -> None:
    port = other.url.rpartition(":")[2]
    vendor.routes["/things"] = _page([{"id": 1}], f"http://127.0.0.1@127.1:{port}/more")
    assert ("incomplete", []) == (_collect(desk, way)[0], other.log)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("back", ["/things", "/things?page=2", "/things?page=1"])
def test_a_link_that_leads_back_ends_incomplete(desk: Desk, vendor: Tiny, way: str, back: str) -> None:
    pages = {"": ([{"id": 1}], "/things?page=1"), "1": ([{"id": 2}], "/things?page=2"), "2": ([{"id": 3}], back)}

    def answer(asked: Asked) -> Answer:
        rows, link = pages[dict(asked.query).get("page", "")]
        return _page(rows, link)

    vendor.routes["/things"] = answer
    status, missing = _collect(desk, way)
    assert ("incomplete", True) == (status, "a second time" in missing[0] or "equals an earlier one" in missing[0])
    assert len(vendor.log) <= 4


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_the_vendor_repeats_in_a_link_is_not_kept(desk: Desk, vendor: Tiny, way: str) -> None:
    def answer(asked: Asked) -> Answer:
        last = "page=2" in asked.target
        return _page([{"id": 2 if last else 1}], None if last else f"/things?page=2&api_key={KEY}")

    vendor.routes["/things"] = answer
    assert "succeeded" == _collect(desk, way)[0]
    kept = "".join(f"{frame.meta}{frame.body!r}" for frame in desk.frames("things"))
    assert ("api_key=***" in kept, KEY in kept) == (True, False)
    assert [KEY, KEY] == [asked.headers["x-key"] for asked, _ in vendor.log]
