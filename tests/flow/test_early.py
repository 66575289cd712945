"""Tables made of pages that were read while others were fetched are, byte for byte, those made of the kept pages."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.app import Engine
from engine.core.errors import Stopped
from engine.core.events import Event, PageKept, TableStarted
from engine.flow.raw import heads
from engine.flow.report import Result
from engine.flow.seal import new_key
from tests.flow.desk import Desk, Tiny
from tests.vendors.server import Answer, Asked

LIST = {"records": "data", "paginate": {"cursor": {"read": "answer.next", "send": "query.at"}}}
THINGS = {"things": {"get": "/things", **LIST}}
COLUMNS = {"id": {"path": "id", "type": "string"}, "n": {"path": "n", "type": "integer"}}
TABLE: dict[str, Any] = {
    "from": "things",
    "key": "id",
    "columns": {**COLUMNS, "double": {"sql": "n * 2"}},
    "validate": [{"range": {"column": "n", "max": 90}}, {"unique": "n"}],
    "enrich": [{"derive": {"half": "n / 2"}}],
}
REPORTS = {"things": {"csv": {"table": "things"}}}
Rows = list[dict[str, Any]]


def _rows(*numbers: int, step: int = 1) -> Rows:
    return [{"id": f"a{number:03d}", "n": number * step} for number in numbers]


OLD = [_rows(1, 2), _rows(3, 95)]
NEW: list[list[Any]] = [
    _rows(50, 40, 99),
    [*_rows(40, 7), {"id": "bad", "n": "x"}, {"id": "a007", "n": 8}],
    _rows(1, 2, 96),
    [{"id": "b1", "n": 1}, {"id": None, "n": 3}, {"id": "worse", "n": 1.5}, "text"],
    _rows(30),
]
"""Not in the order of the key, with equal and unequal duplicates, and some that are set apart."""


def _paged(pages: Sequence[Sequence[Any]]) -> Callable[[Asked], Any]:
    def answer(asked: Asked) -> Any:
        at = int(dict(asked.query).get("at", 0))
        return {"data": pages[at], "next": at + 1 if at + 1 < len(pages) else None}

    return answer


def _spoiled(desk: Desk) -> int:
    """Damage the kept pages but for the last of each segment, which would count as torn; gives how many."""
    seal, count = desk.engine().storage.seal, 0
    for path in desk.storage.glob("raw_data/acme/*/*/*.seg"):
        with path.open("r+b") as file:
            for at in [at for _, at in heads(file, path, seal)][1:]:
                file.seek(at - 1)
                last = file.read(1)[0]
                file.seek(at - 1)
                file.write(bytes([last ^ 255]))
                count += 1
    return count


def _tree(desk: Desk) -> dict[str, bytes]:
    """All that was made of what was collected."""
    folders = ("processed_data", "quarantine", "reports")
    found = {path.relative_to(desk.storage): path for one in folders for path in (desk.storage / one).rglob("*")}
    return {str(name): path.read_bytes() for name, path in found.items() if path.is_file() and path.name != "run.json"}


def _run(desk: Desk, page: Path, hear: Callable[[Engine, Event], None]) -> Result:
    engine = desk.engine()
    engine.emit = lambda event: hear(engine, event)
    return engine.run(page)


def _stop(_: Engine, event: Event) -> None:
    if isinstance(event, TableStarted):
        raise Stopped("stopped before the first table")


@dataclass
class Room(Desk):
    """A desk with a storage that is called otherwise."""

    name: str = "storage"

    @property
    def storage(self) -> Path:
        """The storage's folder."""
        return self.folder / self.name


class Twins:
    """Two storages with the same past: in one pages are read early, in the other as they are kept."""

    def __init__(self, folder: Path, vendor: Tiny, env: Mapping[str, str] | None = None) -> None:
        self.early = Room(folder, vendor, env=env or {}, name="early")
        self.late = Room(folder, vendor, env=env or {}, name="late")

    def began(self, **page: Any) -> None:
        """Do a first run, whose storage both have."""
        self.early.engine().run(self.early.page(**page))
        shutil.copytree(self.early.storage, self.late.storage)

    def run_early(self, **page: Any) -> Result:
        """Run once more; every kept page is spoiled before the first table is made."""
        spoiled = list[int]()

        def hear(_: Engine, event: Event) -> None:
            if isinstance(event, TableStarted) and not spoiled:
                spoiled.append(_spoiled(self.early))

        result = _run(self.early, self._page(self.early, page), hear)
        assert spoiled[0] > 0
        return result

    def run_late(self, **page: Any) -> Result:
        """Run once more; the run is stopped before the first table, and goes on."""
        where = self._page(self.late, page)
        with pytest.raises(Stopped):
            _run(self.late, where, _stop)
        return self.late.engine().run(where)

    def _page(self, desk: Desk, page: Mapping[str, Any]) -> Path:
        desk.time.now += 1
        return desk.page(**page)


@pytest.fixture
def twins(tmp_path: Path, vendor: Tiny) -> Twins:
    return Twins(tmp_path, vendor)


@pytest.mark.parametrize("mode", ["replace", "upsert", "append"])
def test_a_table_is_the_same_in_every_mode(twins: Twins, vendor: Tiny, mode: str) -> None:
    page = {"endpoints": THINGS, "tables": {"things": {**TABLE, "mode": mode}}, "reports": REPORTS}
    vendor.routes["/things"] = _paged(OLD)
    twins.began(**page)
    vendor.routes["/things"] = _paged(NEW)
    early, late = twins.run_early(**page), twins.run_late(**page)
    assert [one.as_json() for one in late.tables] == [one.as_json() for one in early.tables]
    assert _tree(twins.late) == _tree(twins.early)


def test_units_that_come_in_another_order_than_that_of_the_plan(twins: Twins, vendor: Tiny) -> None:
    kinds = ["first", "second", "third"]
    ended = {kind: threading.Event() for kind in kinds}

    def answered(kind: str, pages: Sequence[Sequence[Any]]) -> Callable[[Asked], Any]:
        def answer(asked: Asked) -> Any:
            behind = kinds[kinds.index(kind) + 1 :][:1]
            assert not behind or ended[behind[0]].wait(20)
            found = _paged(pages)(asked)
            if found["next"] is None:
                ended[kind].set()
            return found

        return answer

    endpoints = {"things": {"get": "/things/${kind}", "for_each": {"kind": kinds}, "add": {"kind": "${kind}"}, **LIST}}
    table = {**TABLE, "columns": {**TABLE["columns"], "kind": {"path": "kind", "type": "string"}}}
    page = {"endpoints": endpoints, "tables": {"things": table}, "reports": REPORTS}
    for kind, rows in zip(kinds, (OLD, NEW, [_rows(60, 61), _rows(62)]), strict=True):
        vendor.routes[f"/things/{kind}"] = answered(kind, rows)
    twins.began(**page)
    for event in ended.values():
        event.clear()
    twins.run_early(**page)
    twins.run_late(**page)
    assert _tree(twins.late) == _tree(twins.early)


def test_children_and_their_parents_in_two_tables(twins: Twins, vendor: Tiny) -> None:
    parts = {"get": "/things/${thing.id}", "for_each": {"thing": "things"}, "add": {"of": "${thing.id}"}, **LIST}
    columns = {**COLUMNS, "of": {"path": "of", "type": "string"}}
    page = {
        "endpoints": {**THINGS, "parts": parts},
        "tables": {"things": TABLE, "parts": {"from": "parts", "columns": columns}},
    }
    vendor.routes["/things"] = _paged([_rows(3, 1), _rows(2)])
    for at in (1, 2, 3):
        vendor.routes[f"/things/a{at:03d}"] = _paged([_rows(at), _rows(at + 10, 5)])
    twins.began(**page)
    twins.run_early(**page)
    twins.run_late(**page)
    assert _tree(twins.late) == _tree(twins.early)


def test_a_list_that_was_read_once_more_has_only_what_came_then(twins: Twins, vendor: Tiny) -> None:
    asked = Counter[int]()

    def answer(request: Asked) -> Any:
        at = int(dict(request.query)["page"])
        asked[at] += 1
        total = 4 if (at, asked[at]) == (3, 1) else 5
        return {"data": _rows(*[(1, 2), (3, 4), (5,)][at - 1], step=asked[at]), "total": total}

    size = {"value": 2, "send": "query.size"}
    paginate = {"page_number": {"send": "query.page", "size": size, "total": "answer.total"}}
    endpoints = {"things": {"get": "/things", "records": "data", "paginate": paginate}}
    page = {"endpoints": endpoints, "tables": {"things": {"from": "things", "key": "id", "columns": COLUMNS}}}
    vendor.routes["/things"] = lambda _: {"data": _rows(1), "total": 1}
    twins.began(**page)
    vendor.routes["/things"] = answer
    twins.run_early(**page)
    assert {1: 2, 2: 2, 3: 2} == asked
    asked.clear()
    twins.run_late(**page)
    assert _tree(twins.late) == _tree(twins.early)


def test_an_endpoint_that_fails_leaves_the_table_incomplete_or_as_it_was(twins: Twins, vendor: Tiny) -> None:
    page = {
        "endpoints": {**THINGS, "others": {"get": "/others", **LIST}},
        "tables": {"things": {**TABLE, "mode": "upsert"}, "others": {"from": "others", "columns": COLUMNS}},
    }
    vendor.routes |= {"/things": _paged(OLD), "/others": _paged(OLD)}
    twins.began(**page)

    def failing(asked: Asked) -> Any:
        return Answer.json({}, 404) if "at=3" in asked.target else _paged(NEW)(asked)

    vendor.routes |= {"/things": failing, "/others": failing}
    early, late = twins.run_early(**page), twins.run_late(**page)
    assert ["incomplete", "incomplete"] == [early.status, late.status]
    assert _tree(twins.late) == _tree(twins.early)


def test_a_run_that_goes_on_reads_what_was_kept_before_on_its_way(twins: Twins, vendor: Tiny) -> None:
    page = {"endpoints": THINGS, "tables": {"things": TABLE}}
    vendor.routes["/things"] = _paged(OLD)
    twins.began(**page)
    vendor.routes["/things"] = _paged(NEW)
    kept = list[Event]()

    def interrupt(engine: Engine, event: Event) -> None:
        kept.extend([event] if isinstance(event, PageKept) else [])
        if len(kept) == 2:
            raise Stopped("stopped behind its second page")

    with pytest.raises(Stopped):
        _run(twins.early, twins.early.page(**page), interrupt)
    twins.early.time.now -= 1
    assert "interrupted" not in twins.run_early(**page).resumed_from
    twins.late.time.now -= 1
    twins.run_late(**page)
    assert _tree(twins.late) == _tree(twins.early)


def test_in_an_encrypted_storage(tmp_path: Path, vendor: Tiny) -> None:
    twins = Twins(tmp_path, vendor, {"ENCRYPTION_KEY": new_key()})
    page = {"endpoints": THINGS, "tables": {"things": TABLE}}
    vendor.routes["/things"] = _paged(OLD)
    twins.began(**page)
    vendor.routes["/things"] = _paged(NEW)
    twins.run_early(**page)
    twins.run_late(**page)
    early, late = (
        [desk.engine().show("acme", "things", quarantine=apart).rows.collect().rows() for apart in (False, True)]
        for desk in (twins.early, twins.late)
    )
    assert late == early


def test_nothing_is_left_behind_by_a_run_that_is_stopped(twins: Twins, vendor: Tiny) -> None:
    vendor.routes["/things"] = _paged(NEW)
    with pytest.raises(Stopped):
        _run(twins.early, twins.early.page(THINGS, tables={"things": TABLE}), _stop)
    assert [] == [thread.name for thread in threading.enumerate() if thread.name == "early"]
    assert [] == list(twins.early.storage.rglob(".scratch-*"))


@pytest.mark.slow
def test_more_rows_than_are_sorted_in_memory(twins: Twins, vendor: Tiny) -> None:
    def pages(first: int) -> list[Rows]:
        numbers = [at * 7_919 % 150_000 + first for at in range(150_000)]
        rows = [{"id": f"{n:06d}", "n": "x" if n % 1_000 == 7 else n % 2_000} for n in numbers]
        return [rows[at : at + 25_000] for at in range(0, len(rows), 25_000)]

    endpoints = {"things": {"get": "/things/${kind}", "for_each": {"kind": ["a", "b"]}, **LIST}}
    rules = [{"range": {"column": "n", "max": 1_990}}, {"required": ["id", "n"]}]
    page = {"endpoints": endpoints, "tables": {"things": {**TABLE, "validate": rules, "mode": "upsert"}}}
    vendor.routes |= {"/things/a": _paged(OLD), "/things/b": _paged(OLD)}
    twins.began(**page)
    vendor.routes |= {"/things/a": _paged(pages(100_000)), "/things/b": _paged(pages(0))}
    twins.run_early(**page)
    twins.run_late(**page)
    assert _tree(twins.late) == _tree(twins.early)
