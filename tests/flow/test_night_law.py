"""The law of collecting by the hour and processing at night: in whatever order, nothing is lost and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import extract_stack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import commit
from engine.core.clock import read_instant, rfc3339
from engine.core.errors import Stopped
from engine.flow.raw import rows_of
from tests.flow.desk import Desk, Tiny
from tests.vendors.server import Answer, Asked

PAGE = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}}
OVERLAP = 120
"""Seconds within which the vendor may show a record late."""
NAMES = ("a", "b", "c", "d", "e")
COLUMNS = {"id": "id", "v": {"path": "v", "type": "string"}, "at": {"path": "at", "type": "datetime"}}
TABLES: dict[str, Any] = {
    "items": {
        "from": "events",
        "key": "id",
        "delete_when": "v = 'gone'",
        "deduplicate": {"keep": "last", "order_by": "at"},
        "columns": COLUMNS,
    },
    "log": {"from": "events", "mode": "append", "columns": COLUMNS},
    "full": {"from": "all", "key": "id", "columns": COLUMNS},
    "parts": {"from": "parts", "key": ["item", "no"], "columns": {"item": "item", "no": "no"}},
    "kept_parts": {"from": "parts", "mode": "upsert", "key": ["item", "no"], "columns": {"item": "item", "no": "no"}},
    "trail": {"from": "moves", "mode": "append", "columns": {"id": "id"}},
}
MOST_MOVES = 20


def _endpoints(order: str) -> dict[str, Any]:
    whole = {"records": "data", "paginate": PAGE, "may_be_empty": True}
    asks = {"field": "at", "start": "2026-06-01", "send": "query.since", "order": order, "overlap": f"{OVERLAP}s"}
    between = {"start": "2026-06-01", "send": {"from": "query.since", "until": "query.before"}}
    return {
        "events": {"get": "/events", **whole, "incremental": asks},
        "all": {"get": "/all", **whole},
        "parts": {"get": "/parts/${one.id}", "for_each": {"one": "all"}, "add": {"item": "${one.id}"}, **whole},
        "moves": {"get": "/moves", **whole, "incremental": between},
        "moved": {"get": "/moved/${one.id}", "for_each": {"one": "moves"}, **whole},
    }


@dataclass
class World:
    """The vendor's things, each with its newest value; some requests of a collection fail, or are its last."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    moves: list[dict[str, Any]] = field(default_factory=list)
    """What only grows: each is read once, and others are asked for it."""
    order: str = "asc"
    asked: int = 0
    fails: frozenset[int] = frozenset()
    last: int = 0
    """The number of the request at which the engine is killed; 0 for none."""
    stop: Any = None

    def answer(self, asked: Asked) -> Any:
        """A page of things."""
        self.asked += 1
        if self.asked == self.last:
            self.stop()
        if self.asked in self.fails and asked.path != "/moves":
            return Answer.json({"error": "no"}, 400)
        query = dict(asked.query)
        found = sorted(self.things.values(), key=lambda one: (one["at"], one["id"]))
        if asked.path == "/events":
            found = [one for one in found if read_instant(one["at"]) >= read_instant(query["since"])]
            found = found if self.order == "asc" else found[1::2] + found[::2]
        if asked.path == "/all":
            found = [one for one in found if one["v"] != "gone"]
        if asked.path.startswith(("/parts/", "/moved/")):
            found = [{"no": number} for number in range(3)]
        if asked.path == "/moves":
            found = [one for one in self.moves if query["since"] <= one["at"] < query["before"]]
        at = (int(query["page"]) - 1) * 2
        return {"data": found[at : at + 2]}

    def set(self, name: str, v: str, at: float) -> None:
        """Give a thing another value, unless it has a later one."""
        known = self.things.get(name)
        when = rfc3339(datetime.fromtimestamp(at, UTC))
        if known is None or read_instant(known["at"]) <= read_instant(when):
            self.things[name] = {"id": name, "v": v, "at": when}


@contextmanager
def stopping(number: int) -> Iterator[None]:
    """Stop the engine behind the commit with this number while it collects; there is none for 0 and less."""
    reached = [0]

    def hear(name: str, about: str = "") -> None:
        if name == "ledger committed" and "crawl" in {one.name for one in extract_stack()}:
            reached[0] += 1
            if reached[0] == number:
                raise Stopped("killed")

    commit.hear = hear
    try:
        yield
    finally:
        commit.hear = None


Step = tuple[Any, ...]
FAILS = st.frozensets(st.integers(1, 20), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(NAMES), st.sampled_from(["x", "y", "z", "gone"])),
        st.tuples(st.just("late"), st.sampled_from(NAMES), st.integers(0, OVERLAP)),
        st.tuples(st.just("pass"), st.integers(1, 300)),
        st.tuples(st.just("move")),
        st.tuples(st.just("collect"), FAILS, st.sampled_from([0, 0, 1, 2, 5]), st.integers(-12, 12), st.booleans()),
        st.tuples(st.just("complete"), st.frozensets(st.integers(1, 6), max_size=1)),
        st.tuples(st.just("process")),
    ),
    min_size=4,
    max_size=14,
)


class Night:
    """A desk whose vendor changes between the runs, and what a naive reader makes of the collections."""

    def __init__(self, folder: Path, vendor: Tiny, order: str) -> None:
        self.desk, self.world = Desk(folder, vendor), World(order=order)
        vendor.routes |= dict.fromkeys(("/events", "/all", *(f"/parts/{name}" for name in NAMES)), self.world.answer)
        vendor.routes |= dict.fromkeys(("/moves", *(f"/moved/{n}" for n in range(MOST_MOVES))), self.world.answer)
        self.page = self.desk.page(_endpoints(order), tables=TABLES)

    def do(self, step: Step) -> None:
        """One thing that happens."""
        what, *how = step
        self.desk.time.now += 1
        if what == "change":
            self.world.set(how[0], how[1], self.desk.time.now)
        elif what == "late":
            self.world.set(how[0], "late", self.desk.time.now - how[1])
        elif what == "move":
            at = rfc3339(datetime.fromtimestamp(self.desk.time.now, UTC))
            self.world.moves.append({"id": len(self.world.moves), "at": at})
        elif what == "pass":
            self.desk.time.now += how[0]
        elif what == "collect":
            self.collect(*how)
        elif what == "complete":
            self.complete(*how)
        else:
            self.process()

    def collect(self, fails: frozenset[int] = frozenset(), last: int = 0, at: int = 0, fresh: bool = False) -> None:
        """Collect, with requests that fail, and perhaps one, or a commit, at which the engine is killed."""
        engine = self.desk.engine()
        self.world.asked, self.world.fails, self.world.last = 0, fails, last
        self.world.stop = engine.stop.ask
        try:
            with stopping(at):
                engine.collect(self.page, fresh=fresh)
        except Stopped:
            assert last or at > 0
        self.must_hold_marks()

    def complete(self, fails: frozenset[int]) -> None:
        """Fetch what the newest run is missing, if it is; some of the requests fail."""
        engine = self.desk.engine()
        newest = next((one for one in engine.runs("acme") if one["works"] == ["collect"]), None)
        if newest and newest["status"] == "incomplete":
            self.world.asked, self.world.fails, self.world.last = 0, fails, 0
            engine.resume(newest["run"])
            self.must_hold_marks()

    def process(self) -> None:
        """Make the tables, and hold them against the naive reader's."""
        self.desk.engine().process(self.page)
        current = self.current()
        assert _sorted(row for _, rows in self.sealed("events") for row in rows) == _sorted(self.rows("log"))
        assert _upserted(rows for _, rows in self.sealed("events")) == _by_key(self.rows("items"))
        whole = [rows for complete, rows in self.sealed("all", whole=True) if complete]
        assert bool(whole) == self.is_whole("full")
        assert not whole or _sorted(whole[-1]) == _sorted(self.rows("full"))
        released = {one.run for one in self.collections() if one.endpoint == "moves" and one.released}
        trail = sorted(row["id"] for row in self.rows("trail"))
        assert trail == sorted(row["id"] for run, rows in self.kept("moves") if run in released for row in rows)
        assert len(trail) == len(set(trail))
        runs = [one.run for one in self.collections() if one.endpoint == "events"]
        for table in ("items", "log"):
            assert runs[-1:] == [*current["tables"][table]["taken"].values()]
            assert {*runs[-1:]} <= {*current["collections"]}

    def must_hold_marks(self) -> None:
        """Nothing that the vendor has now and is dated before the mark is missing from what was sealed."""
        marks = self.desk.watermarks("events")
        seen = {json.dumps(row, sort_keys=True) for _, rows in self.sealed("events") for row in rows}
        for thing in self.world.things.values():
            if marks and read_instant(thing["at"]).timestamp() < read_instant(marks[0]).timestamp() - OVERLAP:
                assert json.dumps(thing, sort_keys=True) in seen

    # --- what is there

    def current(self) -> dict[str, Any]:
        """What is published."""
        return self.desk.engine().current("acme")

    def is_whole(self, table: str) -> bool:
        """Whether a table was made of a complete collection."""
        return bool(self.current()["tables"].get(table, {}).get("complete"))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The published rows of a table as the vendor writes them."""
        if table not in self.current().get("tables", {}):
            return []
        frame: Any = self.desk.engine().table("acme", table).collect()
        return [row | ({"at": rfc3339(row["at"])} if "at" in row else {}) for row in frame.to_dicts()]

    def collections(self) -> Sequence[Any]:
        """What was sealed, in order."""
        ledger = self.desk.engine().storage.ledger()
        try:
            return ledger.collections("acme")
        finally:
            ledger.close()

    def kept(self, endpoint: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each run that sealed an endpoint, and the records that it kept."""
        every = [one.run for one in self.collections() if one.endpoint == endpoint]
        return zip(every, (rows for _, rows in self.sealed(endpoint)), strict=True)

    def sealed(self, endpoint: str, *, whole: bool = False) -> Iterator[tuple[bool, list[dict[str, Any]]]]:
        """Whether each sealed collection is complete, and its records; `whole` with those of the ones it completes."""
        store, chains = self.desk.engine().storage.store("acme"), dict[str, list[str]]()
        for one in self.collections():
            if one.endpoint == endpoint:
                chains[one.run] = [*(chains[one.completes] if one.completes else []), one.run]
                pages = store.frames(endpoint, chains[one.run] if whole else one.run)
                yield one.complete, [json.loads(row) for page in pages for row in rows_of(page, "data")]


def _sorted(rows: Any) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def _by_key(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    assert len(rows) == len({row["id"] for row in rows})
    return {row["id"]: row for row in rows}


def _upserted(runs: Any) -> dict[str, Any]:
    """The newest row of each key, whenever it came; what is gone is not there."""
    found: dict[str, Any] = {}
    for rows in runs:
        for row in rows:
            known = found.get(row["id"])
            if known is None or read_instant(known["at"]) <= read_instant(row["at"]):
                found[row["id"]] = row
    return {name: row for name, row in found.items() if row["v"] != "gone"}


def _live(world: World) -> dict[str, Any]:
    return {name: row for name, row in world.things.items() if row["v"] != "gone"}


def _hold(order: str, steps: Sequence[Step]) -> None:
    with TemporaryDirectory() as folder, Tiny() as vendor:
        night = Night(Path(folder), vendor, order)
        for step in steps:
            night.do(step)
        for _ in range(2):  # the first may only end what was interrupted before
            night.desk.time.now += 1
            night.collect()
        night.process()
        live = _live(night.world)
        assert live == _by_key(night.rows("items")) == _by_key(night.rows("full"))
        assert {(name, number) for name in live for number in range(3)} == {
            (row["item"], row["no"]) for row in night.rows("parts")
        }
        kept = {(row["item"], row["no"]) for row in night.rows("kept_parts")}
        assert {(name, number) for name in live for number in range(3)} <= kept
        assert [one["id"] for one in night.world.moves] == sorted(row["id"] for row in night.rows("trail"))


BEFORE_MARKS = 10
"""Behind this commit every endpoint is sealed, and the marks of those that others are repeated for have not moved."""
STOPPED: list[Step] = [
    ("move",),
    ("collect", frozenset(), 0, BEFORE_MARKS, False),
    ("process",),
    ("collect", frozenset(), 0, 0, True),
]
REFUSED: list[Step] = [
    ("move",),
    ("collect", frozenset({4}), 0, 0, False),
    ("process",),
    ("collect", frozenset(), 0, 0, False),
]


@pytest.mark.parametrize("order", ["asc", "none"])
@pytest.mark.parametrize("steps", [STOPPED, REFUSED], ids=["stopped", "refused"])
def test_what_was_stopped_or_refused_by_day_is_right_at_night(order: str, steps: list[Step]) -> None:
    _hold(order, steps)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["asc", "none"])
@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_whatever_happens_by_many_days_the_tables_are_right_at_night(order: str, steps: list[Step]) -> None:
    _hold(order, steps)
