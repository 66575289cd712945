"""Endpoints collected over real HTTP: what is kept, what is told, and that no run ends green that did not see all."""

from threading import Event, Thread
from typing import Any

import pytest

from engine.app import Stop
from engine.core import commit
from engine.core.errors import SpecError, Stopped, StorageError
from engine.core.events import Skipped
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

CURSOR = {"get": "/things", "records": "data", "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}}}
OFFSET = {
    "get": "/things",
    "records": "data",
    "paginate": {"offset": {"send": "query.from", "size": {"send": "query.size", "value": 2}, "total": "answer.total"}},
}


def _token(asked: Asked, name: str = "token") -> str:
    return dict(asked.query).get(name, "")


def _chain(*pages: tuple[str, list[int], str]) -> Any:
    """Pages by their token: rows, and the token behind them."""
    known = {token: {"data": [{"id": one} for one in rows], "next": following} for token, rows, following in pages}
    return lambda asked: known[_token(asked)]


# --- records


def test_a_bare_list_of_texts_is_kept(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/names"] = ["a", "b"]
    assert 2 == desk.collect({"names": "/names"}).records_collected
    assert ["a", "b"] == desk.rows("names")


def test_one_object_is_one_record(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/organization"] = {"name": "acme"}
    assert 1 == desk.collect({"organization": "/organization"}).records_collected
    assert [{"name": "acme"}] == desk.rows("organization")


def test_an_empty_list_is_no_record(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"data": []}
    result = desk.collect({"things": {"get": "/things", "records": "data"}})
    assert ("succeeded", 0) == (result.status, result.records_collected)


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"date": []}])
def test_a_missing_records_path_is_incomplete_with_words(desk: Desk, vendor: Tiny, answer: Any) -> None:
    vendor.routes["/things"] = answer
    result = desk.collect({"things": {"get": "/things", "records": "data"}})
    words = f"GET {vendor.url}/things: the answer has nothing at records: data"
    assert ("incomplete", (words,)) == (result.status, of(result, "things").missing)


@pytest.mark.parametrize("answer", [{}, {"data": None}])
def test_a_records_path_that_may_be_absent_means_no_records(desk: Desk, vendor: Tiny, answer: Any) -> None:
    vendor.routes["/things"] = answer
    result = desk.collect({"things": {"get": "/things", "records": "data", "may_be_absent": True}})
    assert ("succeeded", 0) == (result.status, result.records_collected)


@pytest.mark.parametrize("records", ["count", "[count][0]"])
def test_a_single_value_is_no_record(desk: Desk, vendor: Tiny, records: str) -> None:
    vendor.routes["/things"] = {"count": 3}
    result = desk.collect({"things": {"get": "/things", "records": records}})
    assert "leads to one value, not to a list or an object" in of(result, "things").missing[0]


def test_records_may_be_chosen_by_an_expression(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"data": [{"id": 1, "on": True}, {"id": 2, "on": False}]}
    desk.collect({"things": {"get": "/things", "records": "data[?on]"}})
    assert [{"id": 1, "on": True}] == desk.rows("things", "data[?on]")


def test_a_records_expression_that_meets_the_wrong_kind_is_told(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"data": None}
    result = desk.collect({"things": {"get": "/things", "records": "sort(data)"}})
    assert ("incomplete", 1) == (result.status, len(of(result, "things").missing))


def test_no_content_is_no_record_where_a_list_may_be_absent(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(204, b"")
    things = {"get": "/things", "may_be_absent": True}
    result = desk.collect({"things": things, "parts": {"for_each": {"thing": "things"}, "get": "/parts/${thing.id}"}})
    assert ("succeeded", 0) == (result.status, result.records_collected)


def test_no_content_is_named_where_a_list_must_be(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer(204, b"")
    missing = of(desk.collect({"things": "/things"}), "things").missing
    assert (f"GET {vendor.url}/things: the answer is empty (status 204)",) == missing


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'\xef\xbb\xbf[{"id": 1}]', "JSON behind a byte order mark, which JSON does not allow"),
        (b'[{"id": NaN}]', "JSON with NaN, which JSON does not know"),
        (b"[" * 3000 + b"]" * 3000, "JSON that is nested too deeply"),
    ],
)
def test_an_answer_that_no_try_would_mend_is_named_at_once(desk: Desk, vendor: Tiny, body: bytes, says: str) -> None:
    vendor.routes["/things"] = Answer(200, body)
    missing = of(desk.collect({"things": "/things"}), "things").missing
    assert ((f"GET {vendor.url}/things: the answer is {says}",), 1) == (missing, len(vendor.log))


def test_half_a_letter_does_not_stop_the_paging(desk: Desk, vendor: Tiny) -> None:
    last = b'{"items": [{"n": 2}], "next": null}'
    first = b'{"items": [{"n": "a\\ud800"}], "next": "two"}'
    vendor.routes["/things"] = lambda asked: Answer(200, last if dict(asked.query) else first)
    cursor = {"cursor": {"read": "answer.next", "send": "query.c"}}
    result = desk.collect({"things": {"get": "/things", "records": "items", "paginate": cursor}})
    assert ("succeeded", 2) == (result.status, result.records_collected)


def test_what_cannot_be_read_from_an_answer_names_the_request(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"items": [{"id": 1}], "next": [1]}
    cursor = {"cursor": {"read": "length(answer.gone)", "send": "query.c"}}
    missing = of(desk.collect({"things": {"get": "/things", "records": "items", "paginate": cursor}}), "things").missing
    assert missing[0].startswith(f"GET {vendor.url}/things: ")


def test_the_bytes_are_kept_as_they_came(desk: Desk, vendor: Tiny) -> None:
    body = b' [ {"id": 1.10, "name": "\xc3\xa9"} ] '
    vendor.routes["/things"] = Answer(200, body)
    desk.collect({"things": "/things"})
    assert [body] == [frame.body for frame in desk.frames("things")]


# --- what is sent


def test_a_post_sends_its_body(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/search"] = []
    body = {"status": "${param.status}", "size": 10, "deep": {"list": [1, 1.5, True, None, "x"]}}
    desk.collect({"things": {"post": "/search", "body": body}}, given={"status": "open"}, **_param("status"))
    asked = vendor.log[0][0]
    expected = b'{"status":"open","size":10,"deep":{"list":[1,1.5,true,null,"x"]}}'
    assert ("POST", "application/json", expected) == (asked.method, asked.headers["content-type"], asked.body)


def _param(name: str, **more: Any) -> dict[str, Any]:
    return {"params": {name: {"doc": "", **more}}}


def test_query_fields_repeat_for_lists_and_are_left_out_for_null(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = []
    query = {"a": ["x", 1.10, None], "b": None, "c": "${param.absent}", "d": True}
    desk.collect({"things": {"get": "/things", "query": query}}, **_param("absent", optional=True))
    assert [("a", "x"), ("a", "1.1"), ("d", "true")] == vendor.log[0][0].query


def test_endpoint_headers_and_queries_stand_over_those_of_the_connection(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = []
    endpoint = {"get": "/things", "header": {"X-B": "endpoint"}, "query": {"b": "endpoint"}}
    connection = {"header": {"X-A": "all", "X-B": "all"}, "query": {"a": "all", "b": "all"}}
    desk.collect({"things": endpoint}, connection=connection)
    asked = vendor.log[0][0]
    assert ("all", "endpoint") == (asked.headers["x-a"], asked.headers["x-b"])
    assert [("a", "all"), ("b", "endpoint")] == asked.query


def test_values_in_a_path_are_escaped(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things/a%2Fb%20%C3%A9"] = []
    result = desk.collect({"things": "/things/${param.name}"}, given={"name": "a/b é"}, **_param("name"))
    assert "succeeded" == result.status


def test_fields_are_added_to_each_record(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": 1}]
    desk.collect({"things": {"get": "/things", "add": {"kind": "fixed", "at": "${run.started_at}"}}})
    assert [{"id": 1, "kind": "fixed", "at": "2026-06-15T12:00:01Z"}] == desk.rows("things")


def test_endpoints_may_have_base_urls_of_their_own(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/v1/a"] = [1]
    with Tiny({"/hub/b": [2]}) as other:
        base_url = f"{vendor.url}/v1/"
        endpoints = {"a": "/a", "b": {"get": "/b", "base_url": f"{other.url}/hub"}, "c": f"{other.url}/hub/b"}
        result = desk.collect(endpoints, connection={"base_url": base_url})
    assert ("succeeded", ["/v1/a"]) == (result.status, vendor.targets())
    assert [[1], [2], [2]] == [desk.rows(name) for name in "abc"]


def test_an_address_that_is_none_ends_with_exit_2(desk: Desk) -> None:
    with pytest.raises(SpecError, match='"nowhere" is no address of the web') as raised:
        desk.collect({"things": "/things"}, connection={"base_url": "nowhere"})
    assert 2 == raised.value.exit_code


# --- paging that goes wrong


def test_a_cursor_that_repeats_makes_the_run_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = _chain(("", [1], "a"), ("a", [2], "a"))
    assert 'the cursor "a" came a second time' in of(desk.collect({"things": CURSOR}), "things").missing[0]


def test_cursors_that_go_in_a_circle_make_the_run_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = _chain(("", [1], "a"), ("a", [2], "b"), ("b", [3], "a"))
    assert 'the cursor "a" came a second time' in of(desk.collect({"things": CURSOR}), "things").missing[0]


def test_a_vendor_that_ignores_the_cursor_makes_the_run_incomplete(desk: Desk, vendor: Tiny) -> None:
    tokens = iter("abcdefgh")
    vendor.routes["/things"] = lambda _: {"data": [{"id": 1}], "next": next(tokens)}
    assert "the page equals an earlier one" in of(desk.collect({"things": CURSOR}), "things").missing[0]
    assert [{"id": 1}] == desk.rows("things", "data")


def test_a_total_that_is_not_met_makes_the_run_incomplete(desk: Desk, vendor: Tiny) -> None:
    pages = {"0": [1, 2], "2": [3], "3": []}
    vendor.routes["/things"] = lambda asked: {"data": [{"id": n} for n in pages[_token(asked, "from")]], "total": 5}
    assert "the vendor declared 5 records, 3 came" in of(desk.collect({"things": OFFSET}), "things").missing[0]


def test_a_paginator_that_meets_the_wrong_kind_is_told(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = {"data": [], "pages": 3}
    cursor = {"cursor": {"read": "max(answer.pages)", "send": "query.token"}}
    result = desk.collect({"things": {**CURSOR, "paginate": cursor}})
    assert ("incomplete", 1) == (result.status, len(of(result, "things").missing))


# --- nothing where there was something


def test_an_endpoint_that_has_no_records_any_more_is_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [1, 2]
    desk.collect({"things": "/things"})
    vendor.routes["/things"] = []
    result = desk.collect({"things": "/things"})
    assert ("no records came, where the last complete collection had 2",) == of(result, "things").missing
    assert "if it may be empty, say may_be_empty: true" == result.errors[0]["fix"]


def test_an_endpoint_stays_incomplete_until_records_come_again(desk: Desk, vendor: Tiny) -> None:
    statuses = []
    for answer in ([1], [], [], [3]):
        vendor.routes["/things"] = answer
        statuses.append(desk.collect({"things": "/things"}).status)
    assert ["succeeded", "incomplete", "incomplete", "succeeded"] == statuses


@pytest.mark.parametrize(
    "endpoint",
    [
        {"get": "/things", "may_be_empty": True},
        {"get": "/things", "incremental": {"start": "30d", "send": "query.since"}},
        {"get": "/things", "responses": [{"when": {"body": "length(@) == `0`"}, "skip": {"say": "nothing"}}]},
    ],
)
def test_an_endpoint_that_may_have_no_records_is_complete_without(desk: Desk, vendor: Tiny, endpoint: Any) -> None:
    vendor.routes["/things"] = [1]
    desk.collect({"things": endpoint})
    vendor.routes["/things"] = []
    assert "succeeded" == desk.collect({"things": endpoint}).status


def test_a_last_record_without_the_key_that_leads_on_is_no_end(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"name": "a"}, {"name": "b"}]
    start_key = {"read": "last.nam", "send": "query.from", "size": {"send": "query.count", "value": 2}}
    result = desk.collect({"things": {"get": "/things", "paginate": {"start_key": start_key}}})
    assert "incomplete" == result.status
    assert "the last record has nothing at read: last.nam" in of(result, "things").missing[0]


# --- stopping


def test_a_run_that_waits_ends_as_soon_as_it_is_asked_to(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("things", status=429, headers={"Retry-After": "3000"})
    stop = Stop()
    engine = desk.engine()
    engine.clock, engine.stop = None, stop
    engine.emit = lambda _: stop.asked.set() if vendor.log else None
    with pytest.raises(Stopped) as raised:
        engine.collect(desk.page({"things": "/things"}))
    assert 130 == raised.value.exit_code


def test_a_run_that_waits_for_nothing_ends_between_two_pages(desk: Desk, vendor: Tiny) -> None:
    numbers = iter(range(1, 1000))
    stop = Stop()

    def page(asked: Asked) -> Any:
        number = next(numbers)
        if number == 3:
            stop.asked.set()
        return {"data": [{"id": number}], "next": str(number)}

    vendor.routes["/things"] = page
    engine = desk.engine()
    engine.clock, engine.stop = None, stop
    with pytest.raises(Stopped):
        engine.collect(desk.page({"things": CURSOR}))
    assert 3 == len(vendor.log)


def _hanging(vendor: Tiny, asked: Event, go: Event) -> None:
    def hang(_: Asked) -> Any:
        asked.set()
        go.wait(20)
        return []

    vendor.routes["/hangs"] = hang


def _stop_when(asked: Event, stop: Stop) -> None:
    asked.wait(20)
    stop.asked.set()


def test_a_run_ends_while_a_vendor_hangs_when_it_is_asked_to(desk: Desk, vendor: Tiny) -> None:
    asked, go, stop = Event(), Event(), Stop()
    _hanging(vendor, asked, go)
    engine = desk.engine()
    engine.clock, engine.stop = None, stop
    Thread(target=_stop_when, args=(asked, stop), daemon=True).start()
    with pytest.raises(Stopped):
        engine.collect(desk.page({"hangs": "/hangs"}))
    assert not vendor.log  # the answer was still to come
    go.set()


def test_an_error_of_ours_does_not_wait_for_a_vendor_that_hangs(desk: Desk, vendor: Tiny) -> None:
    asked, go = Event(), Event()
    _hanging(vendor, asked, go)

    def in_the_way(_: Asked) -> Any:
        asked.wait(20)
        (desk.storage / "raw_data" / "acme" / "parts").write_text("no folder")
        return [{"id": 1}]

    vendor.routes["/things"] = in_the_way
    with pytest.raises(StorageError):
        desk.collect({"hangs": "/hangs", "things": "/things", "parts": {"for_each": {"t": "things"}, "get": "/parts"}})
    assert ["/things"] == vendor.targets()
    go.set()


def test_what_is_left_out_is_told_to_the_sink(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json({}, 403)
    desk.collect({"things": {"get": "/things", "responses": [{"when": {"status": 403}, "skip": {"say": "add-on"}}]}})
    assert [Skipped("things", "unit", "add-on")] == [one for one in desk.events if isinstance(one, Skipped)]


def test_endpoints_that_begin_together_cost_one_transaction(
    desk: Desk, vendor: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[str] = []
    monkeypatch.setattr(commit, "hear", lambda point, about: changes.append(point))
    counts = []
    for names in ("a", "abc"):
        vendor.routes |= {f"/{name}": [{"id": 1}] for name in names}
        changes.clear()
        desk.collect({name: f"/{name}" for name in names})
        counts.append(changes.count("ledger committed"))
    one, three = counts
    assert 2 == three - one  # each more is sealed, and begins with the others
