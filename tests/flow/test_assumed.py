"""What nobody can be sure of: which ends are named, how the real path is set, and what a param may stand for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer

PARAMS = {"path": {"default": "/guess"}, "records": {"default": "items"}, "total": {"optional": True}}
THINGS: dict[str, Any] = {
    "assumed": "the API is not public",
    "get": "${param.path}",
    "records": "${param.records}",
    "paginate": {
        "choose": {
            "by": "${param.paging}",
            "options": {
                "page": {"page_number": {"send": "query.page", "total": "${param.total}"}},
                "none": "none",
            },
        }
    },
}
PAGE: dict[str, Any] = {"params": {**PARAMS, "paging": {"default": "none"}}}
HTML = Answer(200, b"<!doctype html><title>App</title>", {"Content-Type": "text/html"})


def _fix(desk: Desk, **more: Any) -> str:
    result = desk.collect({"things": {**THINGS, **more}}, **PAGE)
    assert ("incomplete", 1) == (result.status, len(result.errors))
    return str(result.errors[0]["fix"])


def test_a_404_tells_how_to_set_the_real_path(desk: Desk) -> None:
    assert "set the real path with -p path=…: it is assumed (the API is not public)" == _fix(desk)


@pytest.mark.parametrize("answer", [{"data": []}, {"items": None}, {"items": 5}, 5])
def test_an_answer_of_another_shape_tells_how_to_set_the_records(desk: Desk, vendor: Tiny, answer: Any) -> None:
    vendor.routes["/guess"] = answer
    assert "set the real path with -p records=…: it is assumed (the API is not public)" == _fix(desk)


def test_html_tells_how_to_set_the_real_path(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/guess"] = HTML
    assert _fix(desk).endswith("if it stays, set the real path with -p path=…: it is assumed (the API is not public)")


def test_a_path_without_a_param_is_set_on_the_page(desk: Desk) -> None:
    assert _fix(desk, get="/other").startswith("set the real path on the page: it is assumed")


def test_what_is_sure_says_nothing_of_it(desk: Desk) -> None:
    assert "check the path and base_url" == _fix(desk, assumed=None)


def test_a_result_names_what_rests_on_assumption(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/guess"] = {"items": []}
    result = desk.collect({"a": THINGS, "b": "/guess", "c": THINGS}, **PAGE)
    assert ["rests on assumption: a, c (the API is not public)"] == result.notes == result.warnings()


def test_the_real_paths_are_used(desk: Desk, vendor: Tiny) -> None:
    pages = {"1": [{"id": 1}], "2": [{"id": 2}]}
    vendor.routes["/v2/real"] = lambda asked: {"list": pages[dict(asked.query)["page"]], "meta": {"count": 2}}
    given = {"path": "/v2/real", "records": "list", "total": "answer.meta.count", "paging": "page"}
    result = desk.collect({"things": THINGS}, given=given, **PAGE)
    assert ("succeeded", ()) == (result.status, of(result, "things").missing)
    assert [{"id": 1}, {"id": 2}] == desk.rows("things", "list")
    assert ["/v2/real?page=1", "/v2/real?page=2"] == vendor.targets()


def test_parents_and_windows_are_read_by_paths_of_params(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/groups"] = [{"name": "a", "on": True}, {"name": "b", "on": False}]
    vendor.routes["/groups/a"] = [{"id": 1}]
    parent = {"endpoint": "groups", "where": "${param.wanted}", "take": "${param.taken}"}
    endpoints = {"groups": "/groups", "hosts": {"get": "/groups/${group}", "for_each": {"group": parent}}}
    desk.collect(endpoints, params={"wanted": {"default": "on"}, "taken": {"default": "name"}})
    assert ["/groups", "/groups/a"] == vendor.targets()
