"""Exports over real HTTP: created, polled until they are ready, and their files fetched."""

import gzip
from typing import Any

import pytest

from engine.core.events import Waiting
from tests.flow.desk import NOON, Desk, Tiny, of
from tests.vendors.server import Answer, Asked

CREATE = {"post": "/exports", "body": {"kind": "orders"}, "read": "answer.id"}
POLL = {
    "get": "/exports/${job.id}",
    "done": "answer.state == 'DONE'",
    "failed": "answer.state == 'ERROR'",
    "every": "10s",
    "deadline": "1m",
}
FETCH = {"urls": "answer.files[].url"}


def _job(**changes: Any) -> dict[str, Any]:
    return {"orders": {"job": {"create": CREATE, "poll": POLL, "fetch": FETCH, **changes}, "records": "rows"}}


def _states(*states: str, **last: Any) -> Any:
    """What each poll says, the last one for ever."""
    left = list(states)

    def answer(asked: Asked) -> Any:
        state = left.pop(0) if len(left) > 1 else left[0]
        return {"state": state, **(last if state == states[-1] else {})}

    return answer


@pytest.fixture
def exports(vendor: Tiny) -> Tiny:
    """A vendor whose export is ready at the third poll and has two files."""
    files = [{"url": f"{vendor.url}/files/{name}"} for name in ("a", "b")]
    vendor.routes["/exports"] = {"id": "e 1"}
    vendor.routes["/exports/e%201"] = _states("QUEUED", "RUNNING", "DONE", files=files)
    vendor.routes["/files/a"] = {"rows": [{"id": 1}, {"id": 2}]}
    vendor.routes["/files/b"] = {"rows": [{"id": 3}]}
    return vendor


def test_an_export_is_created_polled_and_fetched(desk: Desk, exports: Tiny) -> None:
    assert "succeeded" == desk.collect(_job()).status
    assert [{"id": 1}, {"id": 2}, {"id": 3}] == desk.rows("orders", "rows")
    assert ["/exports", *["/exports/e%201"] * 3, "/files/a", "/files/b"] == exports.targets()
    assert b'{"kind":"orders"}' == exports.log[0][0].body


def test_between_two_polls_it_waits_and_says_so(desk: Desk, exports: Tiny) -> None:
    desk.collect(_job())
    assert [10.0, 10.0] == desk.time.waits
    assert [("orders", 10.0, "the export is not ready")] * 2 == [
        (one.endpoint, one.seconds, one.why) for one in desk.events if isinstance(one, Waiting)
    ]


def test_an_export_that_failed_is_incomplete_in_the_vendors_words(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports/e%201"] = _states("RUNNING", "ERROR", message="too many rows")
    result = desk.collect(_job())
    words = f"GET {exports.url}/exports/e%201: the vendor says that the export failed: too many rows"
    assert ("incomplete", (words,)) == (result.status, of(result, "orders").missing)


def test_an_export_that_is_never_ready_is_given_up_at_its_deadline(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports/e%201"] = _states("RUNNING")
    result = desk.collect(_job())
    assert f"GET {exports.url}/exports/e%201: the export was not ready after 1m" == of(result, "orders").missing[0]
    assert NOON + 1 + 60 == desk.time.now


def test_a_refused_create_is_incomplete_with_its_status(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports"] = Answer.json({"message": "not today"}, 403)
    missing = of(desk.collect(_job()), "orders").missing
    assert (f"POST {exports.url}/exports: status 403: not today",) == missing


def test_an_answer_that_names_no_job_is_incomplete(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports"] = {"number": 7}
    missing = of(desk.collect(_job()), "orders").missing
    assert "has nothing at read: answer.id, which the job goes on with" in missing[0]


def test_what_names_the_job_may_have_several_fields(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports"] = {"job": {"key": "k", "shard": 4}}
    exports.routes["/shards/4/k"] = _states("DONE", files=[])
    poll = {**POLL, "get": "/shards/${job.shard}/${job.key}"}
    assert "succeeded" == desk.collect(_job(create={**CREATE, "read": "answer.job"}, poll=poll)).status


def test_an_export_without_files_has_no_records(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports/e%201"] = _states("DONE", files=[])
    result = desk.collect(_job())
    assert ("succeeded", 0) == (result.status, result.records_collected)


def test_a_file_at_a_relative_address_is_found_from_the_poll_on(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports/e%201"] = _states("DONE", files=[{"url": "../files/b"}])
    desk.collect(_job())
    assert [{"id": 3}] == desk.rows("orders", "rows")


@pytest.mark.parametrize("files", [None, [{"url": 7}], [{"url": ""}]])
def test_files_that_are_no_addresses_are_incomplete(desk: Desk, exports: Tiny, files: Any) -> None:
    exports.routes["/exports/e%201"] = _states("DONE", files=files)
    fetch = {"urls": "answer.files[].url || answer.files"} if files is None else FETCH
    missing = of(desk.collect(_job(fetch=fetch)), "orders").missing
    assert "which is no address" in missing[0]


KEY: dict[str, Any] = {
    "secrets": {"key": {"env": "KEY"}},
    "connection": {"auth": {"api_key": {"key": "${secret.key}", "send": "header.X-Key"}}},
}


def _keys(vendor: Tiny) -> list[str | None]:
    return [asked.headers.get("x-key") for asked, _ in vendor.log]


def test_files_are_asked_for_without_sign_in_where_the_page_says_so(desk: Desk, exports: Tiny) -> None:
    desk.env = {"KEY": "k-1234567890"}
    desk.collect(_job(fetch={**FETCH, "auth": "none"}), **KEY)
    assert ["k-1234567890"] * 4 + [None] * 2 == _keys(exports)


def test_a_file_on_a_host_that_is_not_allowed_is_not_asked_for(desk: Desk, exports: Tiny) -> None:
    files = [{"url": "http://files.elsewhere.example/a"}]
    exports.routes["/exports/e%201"] = _states("DONE", files=files)
    missing = of(desk.collect(_job()), "orders").missing
    assert "leads to files.elsewhere.example, which is not allowed" in missing[0]


def test_a_file_on_another_allowed_host_is_fetched(desk: Desk, exports: Tiny) -> None:
    with Tiny({"/a": {"rows": [{"id": 9}]}}) as other:
        files = [{"url": f"{other.url}/a"}]
        exports.routes["/exports/e%201"] = _states("DONE", files=files)
        desk.env = {"KEY": "k-1234567890"}
        page = {**KEY, "connection": {**KEY["connection"], "allow_hosts": ["127.0.0.1"]}}
        desk.collect(_job(fetch={**FETCH, "auth": "none"}), **page)
        assert [{"id": 9}] == desk.rows("orders", "rows")
        assert [None] == _keys(other)


def test_no_credential_goes_to_another_host_that_the_vendor_names(desk: Desk, exports: Tiny) -> None:
    with Tiny({"/a": {"rows": [{"id": 9}]}}) as other:
        exports.routes["/exports/e%201"] = _states("DONE", files=[{"url": f"{other.url}/a"}, {"url": "/files/b"}])
        desk.env = {"KEY": "k-1234567890"}
        desk.collect(_job(), **{**KEY, "connection": {**KEY["connection"], "allow_hosts": ["127.0.0.1"]}})
        assert ([None], "k-1234567890") == (_keys(other), _keys(exports)[-1])


def test_an_export_that_cannot_be_named_leaves_the_others(desk: Desk, exports: Tiny) -> None:
    exports.routes |= {"/kinds": [{"id": None}, {"id": "e 1"}], "/files/b": {"rows": [{"id": 2}]}}
    exports.routes["/exports/e%201"] = _states("DONE", files=[{"url": "/files/b"}])
    orders = _job(create=None, poll={**POLL, "get": "/exports/${kind.id}"})["orders"]
    result = desk.collect({"kinds": "/kinds", "orders": {"for_each": {"kind": "kinds"}, **orders}})
    assert ("incomplete", [{"id": 2}]) == (result.status, desk.rows("orders", "rows"))


def test_results_that_come_in_pages_are_paged(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports/e%201"] = _states("DONE")
    exports.routes["/exports/e%201/rows"] = lambda asked: (
        {"rows": [{"id": 2}]} if dict(asked.query).get("at") == "x" else {"rows": [{"id": 1}], "next": "x"}
    )
    endpoints = _job(fetch={"get": "/exports/${job.id}/rows"})
    endpoints["orders"]["paginate"] = {"cursor": {"read": "answer.next", "send": "query.at"}}
    desk.collect(endpoints)
    assert [{"id": 1}, {"id": 2}] == desk.rows("orders", "rows")


def test_an_export_that_is_there_already_is_only_polled(desk: Desk, exports: Tiny) -> None:
    exports.routes["/nightly"] = _states("DONE", files=[{"url": "/files/b"}])
    desk.collect(_job(create=None, poll={**POLL, "get": "/nightly"}))
    assert ["/nightly", "/files/b"] == exports.targets()


def test_one_export_that_fails_does_not_fail_those_of_its_brothers(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports"] = lambda asked: {"id": "bad" if b"bad" in asked.body else "e 1"}
    exports.routes["/exports/bad"] = _states("ERROR")
    endpoints = _job(create={**CREATE, "body": {"kind": "${kind}"}})
    endpoints["orders"]["for_each"] = {"kind": ["bad", "good"]}
    result = desk.collect(endpoints)
    assert [{"id": 1}, {"id": 2}, {"id": 3}] == desk.rows("orders", "rows")
    assert 'kind "bad"' in of(result, "orders").missing[0]


def test_an_export_that_the_vendor_calls_empty_has_no_records_and_no_fault(desk: Desk, exports: Tiny) -> None:
    exports.routes["/exports/e%201"] = _states("RUNNING", "CANCELLED")
    poll = {**POLL, "empty": "answer.state == 'CANCELLED'"}
    result = desk.collect(_job(poll=poll))
    assert ("succeeded", 0) == (result.status, result.records_collected)


LOCATED = {
    "poll": {**POLL, "read": "answer.document"},
    "locate": {"get": "/documents/${job.result}"},
    "fetch": {"urls": "answer.url", "decode": {"by": "answer.packed", "options": {"GZIP": "gzip+csv"}, "chain": "csv"}},
}


@pytest.mark.parametrize(("packed", "body"), [("GZIP", gzip.compress(b"id\n08\n", mtime=0)), (None, b"id\n08\n")])
def test_files_may_be_located_by_another_request_that_also_tells_how_they_are_packed(
    desk: Desk, exports: Tiny, packed: str | None, body: bytes
) -> None:
    exports.routes["/exports/e%201"] = _states("RUNNING", "DONE", document="d1")
    exports.routes["/documents/d1"] = {"url": "/files/d1", "packed": packed}
    exports.routes["/files/d1"] = Answer(200, body, {"Content-Type": "application/octet-stream"})
    endpoints = _job(**LOCATED)
    endpoints["orders"]["records"] = "@"
    tables = {"orders": {"from": "orders", "key": "id", "columns": {"id": {"path": "id", "type": "string"}}}}
    desk.collect(endpoints, tables=tables)
    result = desk.engine().process(desk.folder / "acme.yaml")
    assert [("orders", 1)] == [(one.name, one.rows) for one in result.tables]


def test_each_step_has_a_rate_limit_of_its_own(desk: Desk, exports: Tiny) -> None:
    endpoints = _job(create={**CREATE, "rate_limit": "1/m"}, poll={**POLL, "every": "1s"})
    endpoints["orders"]["for_each"] = {"kind": ["one", "two"]}
    desk.collect(endpoints, connection={"concurrency": 1})
    assert [1.0, 1.0, 56.0, 1.0, 1.0] == [round(one) for one in desk.time.waits] or 60.0 <= desk.time.now - NOON
