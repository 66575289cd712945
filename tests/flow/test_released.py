"""Endpoints that others are repeated for, and tables that add rows: what is read once more is not taken twice."""

from __future__ import annotations

from typing import Any

import pytest

from engine.flow.ledger import Ledger
from tests.flow.desk import Desk, Tiny
from tests.flow.mortal import EVERY, Mortal
from tests.vendors.server import Answer, Asked

BROKEN = Answer.json({"message": "broken"}, 403)
WHOLE = {"records": "rows", "may_be_empty": True}
BETWEEN = {"start": "2026-06-14T00:00:00Z", "send": {"from": "query.since", "until": "query.before"}}
EVENTS = {"get": "/events", **WHOLE, "incremental": BETWEEN}
ENDPOINTS = {"events": EVENTS, "kids": {"for_each": {"one": "events"}, "get": "/kids/${one.id}", **WHOLE}}
ID = {"id": {"path": "id", "type": "integer"}}
TABLES: dict[str, Any] = {
    "log": {"from": ["events"], "mode": "append", "columns": ID},
    "known": {"from": ["events"], "mode": "upsert", "key": ["id"], "columns": ID},
}
HELD = "is held back until all that is repeated for events has come"


@pytest.fixture
def vendor() -> Any:
    with Tiny({f"/kids/{number}": {"rows": []} for number in range(1, 4)}) as opened:
        yield opened


def dated(*times: str) -> Any:
    """Records with the numbers 1, 2 and so on, of these hours of the 14th of June."""
    rows: list[dict[str, Any]] = [
        {"id": number, "at": f"2026-06-14T{hour}:00:00Z"} for number, hour in enumerate(times, start=1)
    ]

    def answer(asked: Asked) -> Any:
        query = dict(asked.query)
        return {"rows": [row for row in rows if query["since"] <= row["at"] < query["before"]]}

    return answer


def ids(desk: Desk, table: str = "log") -> list[int]:
    """The published rows of a table."""
    frame: Any = desk.engine().table("acme", table).collect()
    return sorted(frame["id"].to_list())


def ran(desk: Desk, **how: Any) -> Any:
    """Run the page a minute later."""
    desk.time.now += 60
    return desk.engine().run(desk.page(ENDPOINTS, tables=TABLES), **how)


COMMITS = ("ledger committed",)
LAST_SEALED = 6
"""Behind this commit all is sealed, and the marks of the events have not moved."""


def killed(desk: Desk, mortals: Mortal, number: int) -> bool:
    """Collect, and die behind this commit; gives whether there is one."""
    mortals.storage = desk.storage
    return mortals.killed(desk.page(ENDPOINTS, tables=TABLES), number, COMMITS)


@pytest.mark.parametrize("commits", [(LAST_SEALED,), pytest.param(EVERY, marks=pytest.mark.slow)], ids=["one", "every"])
def test_a_run_that_was_killed_and_is_begun_anew_adds_each_row_once(
    desk: Desk, mortals: Mortal, vendor: Tiny, commits: tuple[int, ...]
) -> None:
    vendor.routes["/events"] = dated("01", "02")
    home = desk.folder
    for number in commits:
        desk.folder = home / str(number)
        desk.folder.mkdir()
        was_killed = killed(desk, mortals, number)
        if number % 2 == 0:
            desk.engine().process(desk.page(ENDPOINTS, tables=TABLES))
        result = ran(desk, fresh=True)
        assert ("succeeded", [1, 2], [1, 2]) == (result.status, ids(desk), ids(desk, "known"))
        if not was_killed:
            break


def test_what_is_not_released_is_held_back_until_its_run_has_gone_on(desk: Desk, mortals: Mortal, vendor: Tiny) -> None:
    vendor.routes["/events"] = dated("01")
    assert killed(desk, mortals, LAST_SEALED)
    page = desk.page(ENDPOINTS, tables=TABLES)
    before = desk.engine().process(page)
    assert ("incomplete", [], [1]) == (before.status, ids(desk), ids(desk, "known"))
    assert any(HELD in note for table in before.tables for note in table.notes)
    desk.time.now += 60
    assert desk.engine().collect(page).resumed_from
    desk.time.now += 60
    after = desk.engine().process(page)
    assert ("succeeded", [1], [1]) == (after.status, ids(desk), ids(desk, "known"))


def test_what_a_refused_child_kept_from_moving_is_added_with_the_next_run_and_once(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/events": dated("01", "02"), "/kids/2": BROKEN}
    first = ran(desk)
    assert ("incomplete", [], [], [1, 2]) == (first.status, desk.watermarks("events"), ids(desk), ids(desk, "known"))
    vendor.routes |= {"/events": dated("01", "02", "03"), "/kids/2": {"rows": []}}
    second = ran(desk)
    assert ("succeeded", [1, 2, 3], [1, 2, 3]) == (second.status, ids(desk), ids(desk, "known"))


def test_what_a_refused_child_kept_from_moving_is_added_when_the_run_is_completed(desk: Desk, vendor: Tiny) -> None:
    desk.time.now -= 24 * 3600.0
    vendor.routes |= {"/events": dated("01", "02"), "/kids/2": BROKEN}
    first = ran(desk)
    vendor.routes["/kids/2"] = {"rows": []}
    desk.time.now += 60
    vendor.log.clear()
    second = desk.engine().resume(first.run)
    assert ("succeeded", ["/kids/2"], [1, 2]) == (second.status, vendor.targets(), ids(desk))
    vendor.routes["/events"] = dated("01", "02", "13")
    desk.time.now += 2 * 3600.0
    assert ("succeeded", [1, 2, 3]) == (ran(desk).status, ids(desk))


def test_a_chain_is_released_as_a_whole(desk: Desk, vendor: Tiny) -> None:
    def halves(asked: Asked) -> Any:
        return BROKEN if dict(asked.query)["since"] > "2026-06-14T06" and broken else dated("01", "13")(asked)

    broken = True
    endpoints = {**ENDPOINTS, "events": {**EVENTS, "incremental": {**BETWEEN, "step": "12h"}}}
    vendor.routes |= {"/events": halves, "/kids/1": BROKEN}
    first = desk.engine().run(page := desk.page(endpoints, tables=TABLES))
    broken = False
    vendor.routes["/kids/1"] = {"rows": []}
    desk.time.now += 60
    second = desk.engine().resume(first.run)
    ledger = Ledger(desk.storage / "engine.db")
    released = [(one.run, one.released) for one in ledger.collections("acme") if one.endpoint == "events"]
    ledger.close()
    assert ("incomplete", "succeeded", [1, 2]) == (first.status, second.status, ids(desk))
    assert [(first.run, True), (second.run, True)] == released
    desk.time.now += 60
    assert ("succeeded", [1, 2]) == (desk.engine().run(page).status, ids(desk))


def test_without_its_children_an_endpoint_is_held_back_and_read_once_more(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/events"] = dated("01")
    alone = ran(desk, only=["events"])
    assert ("incomplete", [], []) == (alone.status, desk.watermarks("events"), ids(desk))
    assert ("succeeded", [1]) == (ran(desk).status, ids(desk))
