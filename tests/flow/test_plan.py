"""Endpoints and tables in the order of their needs, the requests they make, and the names of their partitions."""

from __future__ import annotations

import cProfile
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.errors import ConfigError, Mistake
from engine.core.kinds import KINDS
from engine.core.registry import Registry
from engine.core.window import Window
from engine.core.wire import Place, Request
from engine.flow.plan import Plan, Settings, plan
from engine.spec.model import Pipeline

SETTINGS = Settings({"no": None})
REGISTRY = Registry({kind: f"engine.parts.{kind}" for kind in KINDS})


def _plan(endpoints: dict[str, Any], only: tuple[str, ...] = (), **sections: Any) -> Plan:
    page = {"version": 1, "tool": "acme", "connection": {"base_url": "https://a.example"}, "endpoints": endpoints}
    return plan(Pipeline.model_validate({**page, **sections}, context={"registry": REGISTRY}), SETTINGS, only)


def _names(found: Plan) -> list[str]:
    return [asked.name for asked in found.endpoints]


def test_parents_come_before_their_children() -> None:
    endpoints = {"c": {"get": "/c", "for_each": {"b": "b"}}, "b": {"get": "/b", "for_each": {"a": "a"}}, "a": "/a"}
    assert ["a", "b", "c"] == _names(_plan(endpoints))


def _calls(endpoints: int) -> int:
    profile = cProfile.Profile()
    profile.runcall(_plan, {f"e{number}": f"/{number}" for number in range(endpoints)})
    return sum(one.callcount for one in profile.getstats())


def test_ten_times_as_many_endpoints_take_ten_times_as_many_calls() -> None:
    assert _calls(300) < 11 * _calls(30)


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


# --- requests


def _request(endpoint: dict[str, Any], binding: dict[str, Any] | None = None, **sections: Any) -> Request:
    made = _plan({"a": {"get": "/a"}, "things": endpoint}, **sections)
    return made.request(made.asked("things"), binding or {}, {}, None)


def test_values_of_a_query_may_be_joined_and_null_is_left_out() -> None:
    fields = {"join": ",", "values": ["id", 1.5, "${param.no}", "${x.list}"]}
    request = _request({"get": "/t", "query": {"fields": fields}}, {"x": {"list": ["a", "b"]}})
    assert (("fields", "id,1.5,a,b"),) == request.query


def test_a_field_of_joined_values_is_left_out_where_there_is_none() -> None:
    joined = {"join": ",", "values": "${x}"}
    assert () == _request({"get": "/t", "query": {"ids": joined}}, {"x": []}).query


def test_another_mapping_in_a_query_is_refused() -> None:
    with pytest.raises(ValidationError, match="a mapping cannot stand here"):
        _request({"get": "/t", "query": {"ids": {"join": ",", "value": []}}})


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_a_form_goes_as_a_form(method: str) -> None:
    form = {"q": "${x.name}", "tag": ["a", "b"], "none": "${param.no}", "size": 10}
    request = _request({method: "/t", "form": form}, {"x": {"name": "ä b"}})
    assert (method.upper(), "application/x-www-form-urlencoded") == (request.method, (request.content or ("",))[0])
    assert b"q=%C3%A4+b&tag=a&tag=b&size=10" == (request.content or ("", b""))[1]


def test_a_form_in_parts_goes_as_multipart() -> None:
    kind, body = _request({"post": "/t", "multipart": {"q": "a", "n": 1.10}}).content or ("", b"")
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = {part.get_param("name", header="content-disposition"): part.get_content() for part in message.iter_parts()}
    assert {"q": "a", "n": "1.1"} == {name: text.strip() for name, text in parts.items()}


def test_a_graphql_query_goes_to_the_base_with_its_variables_in_their_types() -> None:
    variables = {"first": 100, "after": "${param.no}", "filter": {"org": "${x.id}", "on": True}}
    graphql = {"query": "query($first:Int){ a }", "variables": variables}
    request = _request({"graphql": graphql}, {"x": {"id": 7}})
    assert ("POST", "https://a.example") == (request.method, request.full_url)
    expected = {"first": 100, "filter": {"org": 7, "on": True}}
    assert {"query": "query($first:Int){ a }", "variables": expected} == request.body


def test_a_cursor_may_go_into_the_variables_of_a_graphql_query() -> None:
    request = _request({"post": "/graphql", "graphql": {"query": "{ a }", "variables": {"first": 2}}})
    assert {"first": 2, "after": "x"} == request.put(Place("body.variables.after"), "x").body["variables"]


def test_a_graphql_query_is_not_sent_with_get() -> None:
    with pytest.raises(ValidationError, match="a GraphQL query is sent with POST"):
        _request({"get": "/t", "graphql": {"query": "{ a }"}})


def test_a_template_that_is_null_leaves_a_field_of_the_body_out_and_null_itself_stays() -> None:
    body = {"a": "${param.no}", "b": None, "c": {"d": "${param.no}"}, "e": ["${param.no}"]}
    assert {"b": None, "c": {}, "e": [None]} == _request({"post": "/t", "body": body}).body


def test_a_header_of_an_endpoint_stands_for_that_of_the_connection_however_it_is_written() -> None:
    connection = {"base_url": "https://a.example", "header": {"Accept": "text/csv", "X-All": "1"}}
    endpoint = {"get": "/t", "header": {"accept": "application/json", "X-Off": "${param.no}"}}
    request = _request(endpoint, connection=connection)
    assert (("X-All", "1"), ("accept", "application/json")) == request.header


SENDING = [
    {"get": "/t", "query": {"p": "${x.a}"}},
    {"get": "/t", "query": {"p": ["${x.a}"]}},
    {"get": "/t", "query": {"p": {"join": ",", "values": ["${x.a}"]}}},
    {"get": "/t", "header": {"X-P": "${x.a}"}},
    {"post": "/t", "form": {"p": "${x.a}"}},
    {"post": "/t", "multipart": {"p": "${x.a}"}},
]
DEEP = [
    {"post": "/t", "body": {"p": {"q": ["${x.a}"]}}},
    {"graphql": {"query": "{ a }", "variables": {"p": "${x.a}"}}},
    {"get": "${x.a}"},
]


@pytest.mark.parametrize("endpoint", [*SENDING, *DEEP], ids=str)
def test_a_field_of_a_parent_that_is_null_is_not_left_out_of_what_is_sent(endpoint: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="null"):
        _request(endpoint, {"x": {"a": None}})


@pytest.mark.parametrize("text", ["${x.a if x.a}", "${x.a|default('')}"])
def test_a_field_of_a_parent_is_left_out_or_empty_where_the_page_says_so(text: str) -> None:
    wanted = () if "if" in text else (("p", ""),)
    assert wanted == _request({"get": "/t", "query": {"p": text}}, {"x": {"a": None}}).query


@pytest.mark.parametrize("endpoint", SENDING, ids=str)
def test_an_object_is_no_text_and_is_refused_with_a_mend(endpoint: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="an object cannot be sent here") as caught:
        _request(endpoint, {"x": {"a": {"b": 1}}})
    assert "name one of its fields" == caught.value.fix


def test_a_list_in_a_header_is_refused_with_a_mend() -> None:
    with pytest.raises(ConfigError, match="X-P: a list cannot be sent here") as caught:
        _request({"get": "/t", "header": {"X-P": "${x}"}}, {"x": [1, 2]})
    assert "write ${…|join(',')}" == caught.value.fix


@pytest.mark.parametrize("path", ["/y/${x}/c", "/y/${x|path}/c"])
def test_an_empty_text_in_a_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="an empty text would lead to another path"):
        _request({"get": path}, {"x": ""})


@pytest.mark.parametrize("path", ["${x.href}", "${x.href}/things", "v1/things", "@b.example/things", "0/things"])
def test_a_path_that_would_change_the_host_is_refused(path: str) -> None:
    found = _plan({"a": "/a", "b": {"get": path, "for_each": {"x": "a"}}})
    with pytest.raises(ConfigError, match="does not begin with /") as caught:
        found.request(found.endpoints[1], {"x": {"href": ".b.example"}}, {}, None)
    assert "b.example" not in caught.value.message.replace(path, "")


def test_a_sign_in_that_would_change_the_host_is_refused() -> None:
    login = {"login": {"post": ".b.example/session", "read": "answer.token", "send": "header.X-Token"}}
    found = _plan({"a": "/a"}, connection={"base_url": "https://a.example", "auth": login})
    with pytest.raises(ConfigError, match=r"connection.auth: .* does not begin with /"):
        found.auth()


def test_a_window_may_go_into_a_header_or_a_cookie() -> None:
    send = {"from": "header.X-Since", "until": "cookie.before", "format": "date"}
    made = _plan({"things": {"get": "/t", "incremental": {"start": "1d", "send": send}}})
    window = Window(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC))
    request = made.request(made.asked("things"), {}, {}, window)
    assert (("X-Since", "2026-06-01"), ("Cookie", "before=2026-06-02")) == request.header


# --- partitions


def test_a_partition_is_named_for_all_its_parents() -> None:
    endpoints = {"a": "/a", "b": {"get": "/${a.id}", "for_each": {"a": "a"}}}
    made = _plan({**endpoints, "c": {"get": "/${b.id}", "for_each": {"b": "b"}}})
    names = {made.partition("c", {"a": {"id": a}, "b": {"id": b}}) for a in (1, 2) for b in (1, 2)}
    assert 4 == len(names)
    assert made.partition("b", {"a": {"id": 1}}) == made.partition("b", {"a": {"id": 1}, "b": {"id": 2}})


def test_of_a_parent_with_by_these_fields_alone_name_the_partition() -> None:
    endpoints = {"a": "/a", "b": {"get": "/${a.id}", "for_each": {"a": "a"}}}
    parent = {"x": {"endpoint": "b", "by": "id"}}
    made = _plan({**endpoints, "c": {"get": "/${x.id}?n=${x.n}", "for_each": parent}})
    first, second = ({"a": {"id": number}, "x": {"id": 1, "n": number}} for number in (1, 2))
    assert made.partition("c", first) == made.partition("c", second)


@pytest.mark.parametrize(
    ("each", "says"),
    [
        ({"x": {"endpoint": "a", "table": "t"}}, "a parent is one endpoint, one table"),
        ({"x": {"union": [{"endpoint": "a", "group": 2}]}}, "a union holds no other union"),
        ({"x": {"endpoint": "a", "group": 2, "when_changed": "at"}}, "a group has no value of its own"),
        ({"x": {"endpoint": "a", "group": 2}, "y": {"values": ["1"], "group": 2}}, "one request has one group"),
    ],
)
def test_what_cannot_be_meant_is_refused(each: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _plan({"a": "/a", "b": {"get": "/b", "for_each": each}})


@pytest.mark.parametrize(
    ("words", "says"),
    [({"granularity": "0s"}, "times have a smallest step"), ({"step": "1m", "granularity": "1h"}, "is shorter than")],
)
def test_a_window_that_cannot_move_is_refused(words: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _plan({"a": {"get": "/a", "incremental": {"start": "1d", **words}}})
