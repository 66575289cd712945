"""The state of a tool: how far each parent of each endpoint was read, and what becomes of it when it is forgotten."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from engine.app import Stop
from engine.core.clock import Clock
from engine.core.errors import ConfigError, Stopped, StorageError
from engine.core.events import UnitEnded
from engine.flow.lease import held
from tests.flow.desk import Desk, Tiny
from tests.vendors.server import Asked

EVENTS: dict[str, Any] = {
    "repos": "/repos",
    "events": {
        "get": "/repos/${repo.id}",
        "for_each": {"repo": "repos"},
        "incremental": {"start": "2026-06-01", "send": "query.since"},
    },
}


@pytest.fixture(autouse=True)
def _repos(vendor: Tiny) -> None:
    vendor.routes |= {"/repos": [{"id": "a"}, {"id": "b"}], "/repos/a": [], "/repos/b": []}


def _said(desk: Desk) -> list[tuple[str, str, str | None, str | None]]:
    return [(one["endpoint"], one["parent"], one["read_until"], one["since"]) for one in desk.engine().state("acme")]


def _since(vendor: Tiny) -> list[str]:
    return sorted(target.partition("since=")[2][:10] for target in vendor.targets() if "since=" in target)


def test_the_state_names_each_parent_and_until_when_it_was_read(desk: Desk) -> None:
    desk.collect(EVENTS)
    assert [
        ("events", 'repo {"id":"a"}', "2026-06-15T12:00:01Z", "2026-06-15T12:00:01Z"),
        ("events", 'repo {"id":"b"}', "2026-06-15T12:00:01Z", "2026-06-15T12:00:01Z"),
    ] == _said(desk)


def test_the_state_says_since_when_a_mark_stands_where_it_is(desk: Desk, vendor: Tiny) -> None:
    desk.collect(EVENTS)
    vendor.fault("repos/b", times=5, status=400)
    desk.collect(EVENTS)
    assert ["2026-06-15T12:00:02Z", "2026-06-15T12:00:01Z"] == [one[3] for one in _said(desk)]


def test_a_parent_of_which_nothing_was_read_is_named_too(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("repos/b", times=5, status=400)
    desk.collect(EVENTS)
    assert ("events", 'repo {"id":"b"}', None, None) == _said(desk)[1]


def test_the_value_that_a_parent_was_asked_at_is_state_too(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/repos"] = [{"id": "a", "at": 7}]
    each = {"repo": {"endpoint": "repos", "when_changed": "at"}}
    desk.collect({"repos": "/repos", "details": {"get": "/repos/${repo.id}", "for_each": each}})
    assert ["7"] == [one["changed"] for one in desk.engine().state("acme")]


def test_after_a_reset_the_next_run_reads_from_the_start(desk: Desk, vendor: Tiny) -> None:
    desk.collect(EVENTS)
    told = desk.engine().reset("acme", "events")
    desk.collect(EVENTS)
    assert (2, ["2026-06-01"] * 4) == (told["forgotten"], _since(vendor))


def test_what_the_next_run_will_read_is_told(desk: Desk) -> None:
    desk.collect(EVENTS)
    engine = desk.engine()
    engine.config = engine.config.model_copy(update={"pipelines_dir": desk.folder})
    assert "the next collection reads events from 2026-06-01 on" == engine.reset("acme", "events")["next"]


@pytest.mark.parametrize("parent", ["a", 'repo {"id":"a"}'])
def test_one_parent_alone_may_be_reset(desk: Desk, vendor: Tiny, parent: str) -> None:
    desk.collect(EVENTS)
    vendor.log.clear()
    assert ['repo {"id":"a"}'] == desk.engine().reset("acme", "events", parent)["parents"]
    desk.collect(EVENTS)
    assert ["2026-06-01", "2026-06-15"] == _since(vendor)


def test_a_parent_that_was_reset_is_no_new_one(desk: Desk, vendor: Tiny) -> None:
    now = {**EVENTS["events"]["incremental"], "parents": {"new": "now"}}
    page = {**EVENTS, "events": {**EVENTS["events"], "incremental": now}}
    desk.collect(page)
    desk.engine().reset("acme", "events", "a")
    vendor.log.clear()
    desk.collect(page)
    assert ["2026-06-01", "2026-06-15"] == _since(vendor)


@pytest.mark.parametrize(
    ("endpoint", "parent", "says"),
    [
        ("event", None, 'acme has no endpoint "event"; did you mean "events"'),
        ("events", "c", 'no parent of events is called "c"'),
    ],
)
def test_what_is_not_there_is_named(desk: Desk, endpoint: str, parent: str | None, says: str) -> None:
    desk.collect(EVENTS)
    with pytest.raises(ConfigError, match=says):
        desk.engine().reset("acme", endpoint, parent)


def test_an_endpoint_without_state_is_told_from_one_that_is_not_there(desk: Desk) -> None:
    page = desk.page(EVENTS)
    desk.collect(EVENTS)
    engine = desk.engine()
    engine.config = engine.config.model_copy(update={"pipelines_dir": page.parent})
    with pytest.raises(ConfigError, match='nothing is kept of how far "repos" was read') as raised:
        engine.reset("acme", "repos")
    assert "kept is the state of: events" == raised.value.fix


def test_without_any_state_it_is_said_what_keeps_some(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="has no state of acme") as raised:
        desk.engine().state("acme")
    assert "it is kept of endpoints with incremental or when_changed, once they were collected" == raised.value.fix


def test_nothing_is_reset_while_a_run_goes_on(desk: Desk) -> None:
    desk.collect(EVENTS)
    ledger = desk.engine().storage.ledger()
    with held(desk.storage, ledger, "acme"), pytest.raises(StorageError, match="another run of acme is going on"):
        desk.engine().reset("acme", "events")
    ledger.close()
    assert 2 == len(desk.watermarks("events"))


def test_the_marks_of_an_older_ledger_are_taken_over(desk: Desk, vendor: Tiny) -> None:
    desk.collect(EVENTS)
    with sqlite3.connect(desk.storage / "engine.db") as base:
        for name in ("binding", "since", "seen", "basis"):
            base.execute(f"ALTER TABLE watermarks DROP COLUMN {name}")
    base.close()
    vendor.log.clear()
    desk.collect(EVENTS)
    assert ["2026-06-15"] * 2 == _since(vendor)
    assert ['repo {"id":"a"}', 'repo {"id":"b"}'] == [one[1] for one in _said(desk)]


# --- what a stop and an overlap leave


def test_a_newest_first_list_that_is_stopped_in_the_middle_leaves_no_mark(desk: Desk, vendor: Tiny) -> None:
    stop = Stop()

    def page(asked: Asked) -> Any:
        if "token" in asked.target:
            stop.asked.set()
        return {"data": [{"at": "2026-06-14"}], "next": f"{len(vendor.log)}"}

    vendor.routes["/events"] = page
    events = {
        "get": "/events",
        "records": "data",
        "paginate": {"cursor": {"read": "answer.next", "send": "query.token"}},
        "incremental": {"field": "at", "start": "2026-06-01", "send": "query.since", "order": "desc"},
    }
    engine = desk.engine()
    engine.clock = Clock(lambda: desk.time.now, stop.wait, lambda: 0.5)
    with pytest.raises(Stopped):
        engine.collect(desk.page({"events": events}))
    assert [] == desk.watermarks("events")
    vendor.routes["/events"] = {"data": [], "next": None}
    desk.collect({"events": events})
    assert "2026-06-01" == _since(vendor)[-1]


def test_ids_that_come_again_at_the_overlap_stand_in_the_table_once(desk: Desk, vendor: Tiny) -> None:
    incremental = {"field": "at", "start": "2026-06-01", "send": "query.since", "overlap": "1d"}
    columns = {name: {"path": name, "type": "string"} for name in ("id", "state")}
    tables = {"events": {"from": "events", "key": "id", "columns": columns}}
    for state in ("open", "done"):
        vendor.routes["/events"] = [{"id": 1, "at": "2026-06-14", "state": state}]
        page = desk.page({"events": {"get": "/events", "incremental": incremental}}, tables=tables)
        desk.engine().run(page)
        desk.time.now += 1
    assert ["2026-06-01", "2026-06-13"] == _since(vendor)
    rows = desk.engine().table("acme", "events").collect()
    assert [{"id": "1", "state": "done"}] == rows.to_dicts()


def test_ids_of_the_overlap_in_collections_taken_together_are_no_doubled_keys(desk: Desk, vendor: Tiny) -> None:
    incremental = {"field": "at", "start": "2026-06-01", "send": "query.since", "overlap": "1d"}
    tables = {"events": {"from": "events", "key": "id", "columns": {"id": {"path": "id", "type": "string"}}}}
    vendor.routes["/events"] = [{"id": 1, "at": "2026-06-14"}]
    for _ in range(2):
        desk.collect({"events": {"get": "/events", "incremental": incremental}}, tables=tables)
    [made] = desk.engine().process(desk.folder / "acme.yaml").tables
    assert (1, []) == (made.rows, [outcome.rule for outcome in made.outcomes])


# --- what a mark rests on


REREAD = "events: its request changed since the last collection; it is read from its start again"
FEED: dict[str, Any] = {"get": "/p1", "incremental": {"start": "2026-06-10", "send": "query.since"}}


@pytest.mark.parametrize(
    "change",
    [
        {"get": "/p2"},
        {"base_url": "${param.other}"},
        {"query": {"kind": "all"}},
        {"incremental": {**FEED["incremental"], "start": "2026-06-10T00:00"}},
        {"incremental": {**FEED["incremental"], "field": "at"}},
    ],
)
def test_a_request_that_changed_reads_from_its_start_again_and_says_so(
    desk: Desk, vendor: Tiny, change: dict[str, Any]
) -> None:
    vendor.routes |= {"/p1": [], "/p2": []}
    params = {"other": {"type": "string", "default": vendor.url}}
    desk.collect({"events": FEED}, params=params)
    notes = desk.collect({"events": {**FEED, **change}}, params=params).notes
    assert (["2026-06-10"] * 2, [REREAD]) == (_since(vendor), notes)


def test_after_that_collection_its_mark_counts_again(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/p1": [], "/p2": []}
    for path in ("/p1", "/p2"):
        desk.collect({"events": {**FEED, "get": path}})
    assert [] == desk.collect({"events": {**FEED, "get": "/p2"}}).notes
    assert ["2026-06-10", "2026-06-10", "2026-06-15"] == _since(vendor)


def test_a_changed_request_that_fails_is_asked_from_its_start_the_next_time_too(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/p1": []}
    desk.collect({"events": FEED})
    desk.collect({"events": {**FEED, "get": "/p2"}})
    vendor.routes |= {"/p2": []}
    desk.collect({"events": {**FEED, "get": "/p2"}})
    assert ["2026-06-10"] * 3 == _since(vendor)


def test_parents_whose_value_did_not_move_are_asked_once_more_where_the_request_changed(
    desk: Desk, vendor: Tiny
) -> None:
    child = {"for_each": {"repo": {"endpoint": "repos", "when_changed": "id"}}, "get": "/repos/${repo.id}"}
    desk.collect({"repos": "/repos", "events": child})
    notes = desk.collect({"repos": "/repos", "events": {**child, "query": {"all": "1"}}}).notes
    assert ["events: its request changed since the last collection; all of it is asked for again"] == notes
    assert ["/repos/a?all=1", "/repos/b?all=1"] == sorted(one for one in vendor.targets() if "all" in one)


def _stopped(desk: Desk, page: Any) -> str:
    """A run that was interrupted behind its first unit."""
    engine = desk.engine()
    engine.emit = lambda event: engine.stop.ask() if isinstance(event, UnitEnded) else None
    engine.clock = Clock(lambda: desk.time.now, engine.stop.wait, lambda: 0.5)
    desk.time.now += 1
    with pytest.raises(Stopped):
        engine.collect(desk.page(page))
    return str(engine.runs()[0]["run"])


def test_a_reset_gives_up_a_run_that_would_read_on_where_it_was(desk: Desk, vendor: Tiny) -> None:
    desk.collect(EVENTS)
    run = _stopped(desk, EVENTS)
    assert [run] == desk.engine().reset("acme", "events")["abandoned"]
    vendor.log.clear()
    result = desk.collect(EVENTS)
    assert ("", ["2026-06-01"] * 2) == (result.resumed_from, _since(vendor))


def test_a_reset_gives_up_an_incomplete_run_that_would_move_marks(desk: Desk, vendor: Tiny) -> None:
    vendor.fault("repos/b", times=5, status=400)
    runs = [desk.collect(EVENTS).run for _ in range(2)]
    vendor.log.clear()
    assert runs[1:] == desk.engine().reset("acme", "events", "a")["abandoned"]
    with pytest.raises(ConfigError, match="its state was reset"):
        desk.engine().resume(runs[1])
    assert ["incomplete", "abandoned"] == sorted((one["status"] for one in desk.engine().runs()), reverse=True)
