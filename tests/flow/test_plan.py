"""Endpoints and tables in the order of their needs, with the fields that those below them use."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.errors import ConfigError, Mistake
from engine.core.kinds import KINDS
from engine.core.registry import Registry
from engine.flow.plan import Plan, Settings, plan
from engine.spec.model import Pipeline

REGISTRY = Registry({kind: f"engine.parts.{kind}" for kind in KINDS})


def _plan(endpoints: dict[str, Any], only: tuple[str, ...] = (), **sections: Any) -> Plan:
    page = {"version": 1, "tool": "acme", "connection": {"base_url": "https://a.example"}, "endpoints": endpoints}
    return plan(Pipeline.model_validate({**page, **sections}, context={"registry": REGISTRY}), Settings(), only)


def _names(found: Plan) -> list[str]:
    return [asked.name for asked in found.endpoints]


def test_parents_come_before_their_children() -> None:
    endpoints = {"c": {"get": "/c", "for_each": {"b": "b"}}, "b": {"get": "/b", "for_each": {"a": "a"}}, "a": "/a"}
    assert ["a", "b", "c"] == _names(_plan(endpoints))


def test_otherwise_the_order_is_that_of_the_page() -> None:
    assert ["z", "a", "m"] == _names(_plan({"z": "/z", "a": "/a", "m": "/m"}))


def test_only_takes_the_parents_along() -> None:
    endpoints = {"a": "/a", "b": {"get": "/b", "for_each": {"a": "a"}}, "c": "/c"}
    assert ["a", "b"] == _names(_plan(endpoints, only=("b",)))


def test_only_names_what_the_page_has() -> None:
    with pytest.raises(ConfigError, match='acme has no endpoint "thing"; did you mean "things"'):
        _plan({"things": "/things"}, only=("thing",))


def test_endpoints_in_a_circle_are_refused() -> None:
    endpoints = {"a": {"get": "/a", "for_each": {"b": "b"}}, "b": {"get": "/b", "for_each": {"a": "a"}}}
    with pytest.raises(Mistake, match="these endpoints need each other in a circle"):
        _plan(endpoints)


def test_tables_stand_behind_those_they_read() -> None:
    tables = {
        "worst": {"sql": "SELECT * FROM joined"},
        "joined": {"from": "things", "enrich": [{"join": {"table": "others", "on": {"a": "a"}, "take": ["b"]}}]},
        "others": {"from": "others"},
    }
    assert ("others", "joined", "worst") == _plan({"things": "/things", "others": "/others"}, tables=tables).tables


def test_fields_used_further_down_are_kept_of_a_parent() -> None:
    endpoints = {
        "a": "/a",
        "b": {"get": "/${a.id}/b", "for_each": {"a": "a"}},
        "c": {"get": "/${b.name}", "for_each": {"b": "b"}, "query": {"x": "${a.deep.x}"}},
    }
    assert frozenset({"id", "deep"}) == _plan(endpoints).asked("b").used["a"]


@pytest.mark.parametrize(
    ("endpoint", "partial"),
    [
        ({"get": "/b"}, False),
        ({"get": "/b", "incremental": {"start": "1d"}}, True),
        ({"get": "/b", "for_each": {"a": "a"}}, False),
        ({"get": "/b", "for_each": {"a": {"endpoint": "a", "when_changed": "at"}}}, True),
        ({"get": "/b", "for_each": {"a": {"endpoint": "new"}}}, True),
    ],
)
def test_an_endpoint_is_partial_when_it_or_one_above_asks_for_what_is_new(
    endpoint: dict[str, Any], partial: bool
) -> None:
    endpoints = {"a": "/a", "new": {"get": "/new", "incremental": {"start": "1d"}}, "b": endpoint}
    assert partial == _plan(endpoints).is_partial("b")


@pytest.mark.parametrize(("mode", "partial"), [("replace", False), ("append", True), (None, False)])
def test_an_endpoint_of_tables_that_grow_is_partial(mode: str | None, partial: bool) -> None:
    table = {"from": "a", "mode": mode} if mode else {"from": "a"}
    assert partial == _plan({"a": "/a"}, tables={"a": table}).is_partial("a")
