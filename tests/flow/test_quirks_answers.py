"""Answers that are not what they seem, as vendors and public trackers have them: nothing of them is lost in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

CURSOR: dict[str, Any] = {"cursor": {"read": "answer.next", "send": "query.token"}}
THINGS: dict[str, Any] = {"get": "/things", "records": "data", "paginate": CURSOR}


def in_turn(*answers: Any) -> Callable[[Asked], Any]:
    """Answers these one after the other, then the last one for ever."""
    later = list(answers)
    return lambda asked: later.pop(0) if len(later) > 1 else later[0]


def token(asked: Asked) -> str:
    """The token of a request; an empty text at first."""
    return dict(asked.query).get("token", "")


# --- a good status


HTML = Answer(200, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"})
CUT = Answer(200, b'{"data": [{"id": 2}], "ne', {"Content-Type": "application/json"})


# https://docs.github.com/en/rest/metrics/statistics: while they are counted the answer is 202 and `{}`.
@pytest.mark.parametrize("absent", [False, True])
def test_an_answer_that_is_not_made_yet_is_no_record(desk: Desk, vendor: Tiny, absent: bool) -> None:
    vendor.routes["/things"] = Answer.json({}, 202)
    result = desk.collect({"things": {"get": "/things", "may_be_absent": absent}})
    assert (f"GET {vendor.url}/things: the answer is not made yet (status 202)",) == of(result, "things").missing


def test_an_answer_that_was_accepted_and_has_something_is_a_record(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json({"id": 1}, 202)
    assert ("succeeded", [{"id": 1}]) == (desk.collect({"things": "/things"}).status, desk.rows("things"))


# https://github.com/singer-io/tap-intercom/pull/66: "Sometimes Intercom returns a 200 status with no JSON."
# https://github.com/resend/resend-python/issues/111: HTML where JSON should be.
@pytest.mark.parametrize("bad", [HTML, CUT, Answer(200, b""), Answer(503, b"<html>")])
def test_a_bad_answer_in_the_middle_of_a_list_is_asked_for_again(desk: Desk, vendor: Tiny, bad: Answer) -> None:
    bads = [bad, bad]

    def answer(asked: Asked) -> Any:
        if token(asked) and bads:
            return bads.pop()
        return {"data": [{"id": 2}]} if token(asked) else {"data": [{"id": 1}], "next": "a"}

    vendor.routes["/things"] = answer
    assert "succeeded" == desk.collect({"things": THINGS}).status
    assert [{"id": 1}, {"id": 2}] == desk.rows("things", "data")


@pytest.mark.parametrize("bad", [HTML, CUT, Answer(200, b""), Answer(200, b'{"message": "moved"}')])
def test_a_bad_answer_that_stays_is_no_end_of_a_list(desk: Desk, vendor: Tiny, bad: Answer) -> None:
    vendor.routes["/things"] = lambda asked: bad if token(asked) else {"data": [{"id": 1}], "next": "a"}
    result = desk.collect({"things": THINGS})
    assert ("incomplete", 3, [{"id": 1}]) == (result.status, result.exit_code, desk.rows("things", "data"))


# https://github.com/dlt-hub/dlt/issues/1786: pages that are not whole come with status 200 and an error beside them;
# the rows that were missing never came again.
def test_an_answer_that_says_that_it_is_not_whole_is_asked_for_again(desk: Desk, vendor: Tiny) -> None:
    half = {"status": "failure", "error": {"message": "busy"}, "data": [{"id": 1}]}
    vendor.routes["/things"] = in_turn(half, half, {"status": "ok", "data": [{"id": 1}, {"id": 2}]})
    rule = {"when": {"status": 200, "body": "status == 'failure'"}, "retry": {"wait": "2s"}}
    assert "succeeded" == desk.collect({"things": {**THINGS, "responses": [rule]}}).status
    assert [{"id": 1}, {"id": 2}] == desk.rows("things", "data")


# https://github.com/meltano/sdk/pull/3684, https://github.com/camunda/connectors/issues/6702: GraphQL says its errors
# with status 200, also beside a part of the data.
@pytest.mark.parametrize("data", [None, {"things": None}, {"things": [{"id": 1}]}])
def test_errors_of_graphql_leave_the_unit_incomplete(desk: Desk, vendor: Tiny, data: Any) -> None:
    vendor.routes["/graphql"] = {"data": data, "errors": [{"message": "you may not see all things"}]}
    graphql = {"query": "{ things { id } }"}
    words = {"post": "/graphql", "graphql": graphql, "records": "data.things", "may_be_absent": True}
    result = desk.collect({"things": words})
    assert ("incomplete", True) == (result.status, "you may not see all things" in of(result, "things").missing[0])


def test_an_empty_list_of_errors_of_graphql_is_no_error(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/graphql"] = {"data": {"things": [{"id": 1}]}, "errors": []}
    words = {"post": "/graphql", "graphql": {"query": "{ things { id } }"}, "records": "data.things"}
    assert "succeeded" == desk.collect({"things": words}).status


# --- vendors that want to be asked later


# https://github.com/urllib3/urllib3/issues/2861, https://github.com/opensearch-project/data-prepper/issues/6927 (a
# fraction), https://github.com/dolfies/discord.py-self/issues/853 (the header came twice).
@pytest.mark.parametrize(
    ("said", "waits"), [("299.997", 299.997), ("0.5", 0.5), (" 7 ", 7.0), ("2814, 2", 2814.0), ("5, 5", 5.0)]
)
def test_a_wait_is_read_however_it_is_written(desk: Desk, vendor: Tiny, said: str, waits: float) -> None:
    vendor.routes["/things"] = {"data": []}
    vendor.fault("things", status=429, headers={"Retry-After": said})
    assert ("succeeded", [waits]) == (desk.collect({"things": THINGS}).status, desk.time.waits)


@pytest.mark.parametrize("said", ["soon", "-5", "", "Mon, 99 Foo 2026", "nan", "1e999"])
def test_a_wait_that_means_nothing_is_our_own(desk: Desk, vendor: Tiny, said: str) -> None:
    vendor.routes["/things"] = {"data": []}
    vendor.fault("things", status=429, headers={"Retry-After": said})
    assert ("succeeded", [0.375]) == (desk.collect({"things": THINGS}).status, desk.time.waits)


# https://github.com/airbytehq/airbyte/pull/13955: GitHub's secondary limit comes as 403, and what was asked for was
# left out as "not available". Source: docs.github.com, Troubleshooting the REST API, Rate limit errors.
def test_a_403_that_says_when_to_ask_again_is_waited_for(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"data": [{"id": 1}]}
    vendor.fault("things", status=403, headers={"Retry-After": "61"})
    assert ("succeeded", [61.0]) == (desk.collect({"things": THINGS}).status, desk.time.waits)


def test_a_rule_of_the_page_about_403_goes_before_that(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", status=403, headers={"Retry-After": "61"})
    skip = {"when": {"status": 403}, "skip": {"say": "it is off"}}
    result = desk.collect({"things": {**THINGS, "responses": [skip]}})
    assert ("succeeded", ("it is off",), []) == (result.status, of(result, "things").skipped, desk.time.waits)


# https://github.com/airbytehq/airbyte/issues/13660: a token expired while its request waited for a rate limit, and the
# next try was sent with it all the same.
def test_a_token_that_expires_while_its_request_waits_is_renewed_before_the_next_try(desk: Desk, vendor: Tiny) -> None:
    given: list[float] = []

    def sign_in(asked: Asked) -> Any:
        given.append(desk.time.now)
        return {"access_token": f"token-{len(given)}", "expires_in": 600, "token_type": "Bearer"}

    def answer(asked: Asked) -> Any:
        if desk.time.now >= given[int(asked.headers["authorization"].rpartition("-")[2]) - 1] + 600:
            return Answer.json({"message": "expired"}, 401)
        return {"data": [{"id": 1}]}

    vendor.routes |= {"/token": sign_in, "/things": answer}
    vendor.fault("GET /things", status=429, headers={"Retry-After": "3000"})
    desk.env = {"ID": "client-id", "SECRET": "client-secret"}
    client = {"token_url": f"{vendor.url}/token", "client_id": "${secret.id}", "client_secret": "${secret.secret}"}
    secrets = {"id": {"env": "ID"}, "secret": {"env": "SECRET"}}
    auth = {"oauth2_client_credentials": client}
    assert "succeeded" == desk.collect({"things": THINGS}, connection={"auth": auth}, secrets=secrets).status
    assert [429, 200] == [status for asked, status in vendor.log if asked.path == "/things"]


# --- what stands in a record


def _table(desk: Desk, **columns: str) -> list[dict[str, Any]]:
    """The rows of a table with these columns and types, sorted by the first."""
    key = next(iter(columns))
    types = {name: {"path": name, "type": kind} for name, kind in columns.items()}
    things = {"get": "/things", "records": "data"}
    desk.engine().run(
        desk.page({"things": things}, tables={"things": {"from": "things", "key": key, "columns": types}})
    )
    rows: Any = desk.engine().table("acme", "things").sort(key).collect()
    found: list[dict[str, Any]] = rows.to_dicts()
    return found


def test_texts_that_look_like_numbers_stay_what_they_are_on_all_ways(desk: Desk, vendor: Tiny) -> None:
    ids = ["08", "1.10", "1e5", "0x1F", "+7", "1_000", "Infinity", "null", "true"]
    vendor.routes["/things"] = {"data": [{"id": one} for one in ids]}
    for one in ids:
        vendor.routes[f"/things/{one.replace('+', '%2B')}"] = [{"n": 1}]
    parts = {"for_each": {"thing": "things"}, "get": "/things/${thing.id}", "add": {"thing": "${thing.id}"}}
    parts["query"] = {"of": "${thing.id}"}
    columns = {"thing": {"path": "thing", "type": "string"}, "n": {"path": "n", "type": "integer"}}
    tables = {"parts": {"from": "parts", "key": "thing", "columns": columns}}
    page = desk.page({"things": {"get": "/things", "records": "data"}, "parts": parts}, tables=tables)
    assert "succeeded" == desk.engine().run(page).status
    assert sorted(ids) == sorted(dict(asked.query)["of"] for asked, _ in vendor.log[1:])
    rows: Any = desk.engine().table("acme", "parts").collect()
    assert sorted(ids) == rows["thing"].sort().to_list()


# https://github.com/nooga/let-go/issues/815, https://github.com/postmanlabs/postman-app-support/issues/3368: ids above
# 2^53 went through a float, and became those of others.
def test_whole_numbers_of_64_bits_keep_their_last_digit_on_all_ways(desk: Desk, vendor: Tiny) -> None:
    ids = [9007199254740993, 9223372036854775807]
    pages = {"": ids[:1], str(ids[0]): ids[1:]}
    vendor.routes["/things"] = lambda asked: {"data": [{"id": one} for one in pages.get(token(asked), [])]}
    vendor.routes |= {f"/things/{one}": [{"of": one}] for one in ids}
    things = {**THINGS, "paginate": {"cursor": {"read": "last.id", "send": "query.token"}}}
    parts = {"for_each": {"thing": "things"}, "get": "/things/${thing.id}"}
    page = desk.page({"things": things, "parts": parts})
    assert "succeeded" == desk.engine().run(page).status
    rows: Any = desk.engine().table("acme", "parts").collect()
    assert ids == rows["of"].sort().to_list()


def test_a_text_of_ten_megabytes_comes_whole(desk: Desk, vendor: Tiny) -> None:
    long = "é\n" * 3_500_000
    vendor.routes["/things"] = {"data": [{"id": "a", "text": long}, {"id": "b", "text": "short"}]}
    assert [long, "short"] == [row["text"] for row in _table(desk, id="string", text="string")]


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("levels", [50, 400])
def test_a_record_that_is_nested_deeply_is_kept(desk: Desk, vendor: Tiny, levels: int) -> None:
    deep = _deep(levels)
    vendor.routes["/things"] = {"data": [{"id": 1, "deep": deep}]}
    [row] = _table(desk, id="integer", deep="json")
    assert deep == json.loads(row["deep"])


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", "é".encode("latin-1")])
def test_a_record_with_bytes_that_are_no_utf_8_is_set_apart_and_the_others_stay(
    desk: Desk, vendor: Tiny, bad: bytes
) -> None:
    body = b'{"data": [{"id": 1, "name": "a"}, {"id": 2, "name": "' + bad + b'"}, {"id": 3, "name": "\xc3\xa9"}]}'
    vendor.routes["/things"] = Answer(200, body)
    columns = {"id": {"path": "id", "type": "integer"}, "name": {"path": "name", "type": "string"}}
    tables = {"things": {"from": "things", "key": "id", "columns": columns}}
    result = desk.engine().run(desk.page({"things": {"get": "/things", "records": "data"}}, tables=tables))
    rows: Any = desk.engine().table("acme", "things").collect()
    assert ("rules_failed", 1) == (result.status, result.quarantined)
    assert [(1, "a"), (3, "é")] == rows.sort("id").rows()


# Records of another kind than the others: none may vanish.
def test_records_of_other_kinds_are_set_apart_and_the_others_stay(desk: Desk, vendor: Tiny) -> None:
    others: list[Any] = [5, "text", [1], None, {"id": {"no": 1}}, {"id": True}]
    vendor.routes["/things"] = {"data": [{"id": 1}, *others, {"id": 2}]}
    columns = {"id": {"path": "id", "type": "integer"}}
    tables = {"things": {"from": "things", "key": "id", "columns": columns}}
    result = desk.engine().run(desk.page({"things": {"get": "/things", "records": "data"}}, tables=tables))
    rows: Any = desk.engine().table("acme", "things").collect()
    assert ([1, 2], len(others)) == (rows["id"].drop_nulls().sort().to_list(), result.quarantined)


def test_a_key_that_comes_twice_or_is_missing_is_set_apart(desk: Desk, vendor: Tiny) -> None:
    rows = [{"id": 1, "n": 1}, {"id": 1, "n": 1}, {"id": 1, "n": 2}, {"n": 3}, {"id": 2, "n": 4}]
    vendor.routes["/things"] = {"data": rows}
    columns = {name: {"path": name, "type": "integer"} for name in ("id", "n")}
    rules = [{"required": ["id"]}, {"unique": ["id"]}]
    tables = {"things": {"from": "things", "key": "id", "columns": columns, "validate": rules}}
    result = desk.engine().run(desk.page({"things": {"get": "/things", "records": "data"}}, tables=tables))
    found: Any = desk.engine().table("acme", "things").collect()
    assert ([(1, 1), (2, 4)], 2) == (found.sort("id").rows(), result.quarantined)
