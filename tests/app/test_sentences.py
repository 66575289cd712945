"""The plan says in plain sentences what the words of an endpoint mean for a run."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from engine.app import sentences
from engine.app.engine import registry
from engine.spec.collect import Connection, Endpoint


def endpoint(text: str) -> Endpoint:
    return Endpoint.model_validate({"get": "/x"} | read(text), context={"registry": registry()})


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


SIZE = "size: { send: query.limit, value: 50 }"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("for_each: { api: apis }", "for each api of apis"),
        ("for_each: { api: { endpoint: apis, where: live } }", "for each api of apis where live"),
        ("for_each: { a: apis, kind: [x, y] }", "for each a of apis, with each kind of x, y"),
        ("for_each: { p: '${param.projects}' }", "for each p of param projects"),
        ("for_each: { o: { table: owners } }", "for each o of table owners"),
        ("for_each: { r: { union: [a, b], by: id } }", "for each r of a and b, the same id once"),
        ("for_each: { ids: { endpoint: a, take: id, group: 50 } }", "for ids of a, 50 in one request"),
        ("incremental: { start: 30d }", "new since 30d, then since the last window"),
        (
            "incremental: { field: at, start: 30d, overlap: 1h, until: 2m, step: 7d }",
            "new since 30d, then since the last at, 1h earlier, up to 2m ago, in windows of 7d",
        ),
        ("paginate: { offset: { send: query.o } }", "pages by offset"),
        (
            f"paginate: {{ offset: {{ send: query.o, {SIZE}, total: answer.n }} }}",
            "pages by offset, 50 records each, fetched ahead",
        ),
        (
            "paginate: { cursor: { read: answer.next, send: query.c, stop_when: answer.end, max_pages: 9 } }",
            "pages by a cursor, until answer.end, at most 9",
        ),
        ("conditional: true", "asked whether it changed since the last time"),
    ],
)
def test_the_plan_says_how_often_and_for_what_is_asked(text: str, said: str) -> None:
    assert [said] == sentences.how(endpoint(text), since="30d")


def test_the_plan_tells_the_steps_of_a_job() -> None:
    steps = "create: { post: /e, read: answer.id }, poll: { get: '/e/${job.id}', done: answer.ok, every: 5s }"
    text = f"{{ job: {{ {steps}, fetch: {{ urls: answer.url, auth: none, decode: gzip+csv }} }}, get: null }}"
    assert [
        "an export: asked for with POST /e, then polled with GET /e/${job.id} every 5s until answer.ok, "
        "at most 30m, then files at answer.url, unsigned, decoded as gzip+csv"
    ] == sentences.how(endpoint(text), since="")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("decode: gzip+csv", "decoded as gzip+csv"),
        ("decode: { by: status, options: { '200': csv } }", "decoded by status: 200 as csv, others as json"),
        ("decode_fields: { data: base64+json }", "data is decoded as base64+json"),
        ("timeout: 5s", "an answer may take 5s, to connect 10s"),
        ("timeout: { request: 2m }", "an answer may take 2m, to connect 10s, a pause in it 30s"),
        ("may_be_empty: true", "an empty list is fine"),
        ("may_be_absent: true", "a missing list is an empty one"),
        ("paginate: { next_url: { read: answer.next, allow: [drift] } }", "no fault of this vendor: drift"),
    ],
)
def test_a_close_look_shows_the_fine_print(text: str, said: str) -> None:
    assert [said] == sentences.details(endpoint(text))


def test_a_close_look_shows_how_the_window_goes_out() -> None:
    text = """
      incremental:
        start: 30d
        field: at
        send: { from: query.a, until: query.b, format: epoch_s }
        bounds: inclusive
        order: asc
        parents: { new: now, gone: forget after 30d }
    """
    assert [
        "the window goes out with start as query.a and end as query.b, in the form epoch_s",
        "the vendor counts the end of a window: it is sent 1s early",
        "lists come oldest first: where one breaks off, the next collection goes on behind what came",
        "a new parent is read from now on only",
        "the mark of a parent that is gone is forgotten after 30d",
    ] == sentences.details(endpoint(text))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{ when: { status: [409, 423] }, retry: {} }", "409 or 423: asked again, 5 tries, longer and longer apart"),
        ("{ when: { status: 409 }, retry: { wait: 9s } }", "409: asked again, 5 tries, 9s apart"),
        (
            "{ when: { header: { X-Left: '0' } }, wait: { until: answer.at } }",
            "X-Left: 0: waits until answer.at says, at most 1h, 5 tries",
        ),
        ("{ when: { status: 403 }, renew_auth: {} }", "403: signed in anew, once"),
        ("{ when: { status: 413 }, split_window: {} }", "413: asked for in two halves, down to windows of 1m"),
        ("{ when: { status: 413 }, reduce_page: {} }", "413: asked for in pages half as large, down to 1"),
        ("{ when: { status: 404 }, stop: {} }", "404: the regular end of the list"),
        (
            "{ when: { status: 403 }, skip: { scope: endpoint, say: no add-on } }",
            "403: the whole endpoint is left out: no add-on",
        ),
        ("{ when: { status: 200, body: error }, fail: { say: bad } }", "200 and error: incomplete: bad"),
    ],
)
def test_a_close_look_says_what_a_response_rule_does(rule: str, said: str) -> None:
    assert [said] == sentences.details(endpoint(f"responses: [ {rule} ]"))


def built_in(text: str) -> list[str]:
    connection = {"base_url": "https://a.example"} | read(text)
    return sentences.built_in(Connection.model_validate(connection, context={"registry": registry()}))


def test_the_rules_behind_those_of_the_page_are_named() -> None:
    assert [
        "408, 425, 429, 500, 502, 503, 504, a broken connection, an answer that does not decode: asked again, at most "
        "5 tries and 30s of waiting, unless the vendor names a longer wait",
        "429 and 503: fewer requests at once, and more again while all is well",
        "the headers RateLimit-Remaining and RateLimit-Reset tell when no request is left: then all wait",
        "any other status of 400 and more: incomplete",
    ] == built_in("{}")


def test_a_sign_in_that_can_be_renewed_is_renewed_once() -> None:
    client = "{ token_url: https://a.example/t, client_id: a, client_secret: '${secret.s}' }"
    assert "401: signed in anew, once" in built_in(f"auth: {{ oauth2_client_credentials: {client} }}")


def test_nothing_is_learned_where_the_page_says_so() -> None:
    assert not [one for one in built_in("learn: 'off'") if "Remaining" in one]
