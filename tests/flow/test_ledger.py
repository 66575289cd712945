"""The ledger, in SQLite and in PostgreSQL: what was sealed with its marks, all or nothing, and what comes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.core import commit
from engine.core.errors import StorageError
from engine.flow.ledger import Collection, Holder, Ledger, Mark, RunRecord, UnitRecord, dialect
from engine.flow.seal import Seal
from tests.flow.desk import Desk, Tiny
from tests.servers import Postgres

WHOLE = Collection("r1", "things", True, 3, 1)
AT = datetime(2026, 1, 1, tzinfo=UTC)
Opened = Callable[..., Ledger]


@pytest.fixture
def ledger(opened: Opened) -> Ledger:
    return opened()


# --- runs


def test_a_run_comes_back_as_it_was_noted(ledger: Ledger) -> None:
    asked = {"params": "5f", "only": ["a"]}
    more = {"asked": asked, "simulated": True, "completes": "r0", "replays": "r9", "schedule": "nightly"}
    noted = RunRecord("r1", "acme", "collect+process", "h", **more)  # type: ignore[arg-type]  # mixed values
    ledger.begin_run(noted)
    found = ledger.run("r1")
    assert found is not None
    assert noted == RunRecord(**{**vars(found), "beat_at": None, "idle_seconds": None})
    assert found.idle_seconds is not None
    assert 0 <= found.idle_seconds < 60
    assert None is ledger.run("r2")


def test_a_run_that_ended_has_its_result(ledger: Ledger) -> None:
    ledger.begin_run(RunRecord("r1", "acme", "collect"))
    ledger.end_run("r1", status="succeeded", ended_at="2026-01-01T00:00:09Z", result={"rows": [1]})
    [found] = ledger.runs("acme")
    assert ("succeeded", "2026-01-01T00:00:09Z", {"rows": [1]}) == (found.status, found.ended_at, found.result)


def test_a_run_that_goes_on_is_running_again(ledger: Ledger) -> None:
    ledger.begin_run(RunRecord("r1", "acme", "collect", started_at="2026-01-01T00:00:00Z"))
    ledger.ask_cancel("r1")
    ledger.end_run("r1", status="interrupted", ended_at="2026-01-01T00:00:09Z", result={})
    ledger.reopen_run("r1")
    [found] = ledger.runs()
    assert ("running", None, None, False) == (found.status, found.ended_at, found.result, found.cancel)
    assert "2026-01-01T00:00:00Z" == found.started_at


def test_a_run_that_never_ended_was_interrupted(ledger: Ledger) -> None:
    for run, tool in (("r1", "acme"), ("r2", "other"), ("r3", "acme")):
        ledger.begin_run(RunRecord(run, tool, "collect"))
    assert ["running", "running", "interrupted"] == [one.status for one in ledger.runs()]


def test_only_what_was_interrupted_is_abandoned(ledger: Ledger) -> None:
    for run, status in (("r1", "succeeded"), ("r2", "interrupted")):
        ledger.begin_run(RunRecord(run, "acme", "collect"))
        ledger.end_run(run, status=status, ended_at="", result={})
        ledger.abandon(run)
    assert ["abandoned", "succeeded"] == [one.status for one in ledger.runs()]


def test_only_a_run_that_goes_on_is_asked_to_end(ledger: Ledger) -> None:
    for run in ("r1", "r2"):
        ledger.begin_run(RunRecord(run, "acme", "collect"))
    assert (False, True) == (ledger.ask_cancel("r1"), ledger.ask_cancel("r2"))
    assert [True, False] == [one.cancel for one in ledger.runs()]


def test_the_newest_run_is_found_also_of_those_that_collect(ledger: Ledger) -> None:
    for run, work in (("r1", "collect+process"), ("r2", "collect"), ("r3", "process")):
        ledger.begin_run(RunRecord(run, "acme", work))
    found = [ledger.newest("acme"), ledger.newest("acme", collecting=True), ledger.newest("other")]
    assert ["r3", "r2", None] == [one and one.run for one in found]
    assert ["r3", "r2"] == [one.run for one in ledger.runs("acme", limit=2)]


def test_a_page_is_known_once_it_ran(ledger: Ledger) -> None:
    ledger.begin_run(RunRecord("r1", "acme", "collect", "h"))
    assert (True, False) == (ledger.knows_page("acme", "h"), ledger.knows_page("acme", "g"))


# --- names


def test_a_run_is_named_as_it_begins(ledger: Ledger) -> None:
    noted = ledger.begin_run(RunRecord("", "acme", "collect", started_at="2026-01-01T00:00:00.123Z"))
    assert "20260101T000000123Z-0001" == noted.run
    assert ["20260101T000000123Z-0001"] == [one.run for one in ledger.runs()]


def test_a_run_is_named_behind_those_before_also_when_the_clock_was_set_back(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [1]
    first = desk.collect({"things": "/things"}).run
    desk.time.now -= 7200
    assert first < desk.collect({"things": "/things"}).run


def test_a_name_that_was_given_and_not_taken_is_given_to_the_same_tool_again(ledger: Ledger) -> None:
    names = [ledger.name_run(tool, AT) for tool in ("a", "b", "a")]
    assert (names[0], 2) == (names[2], len(set(names)))


def test_runs_that_begin_at_once_have_names_of_their_own(opened: Opened) -> None:
    def begin(tool: str) -> list[str]:
        ledger = opened()
        return [ledger.begin_run(RunRecord("", tool, "collect", started_at="2026-01-01")).run for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        names = [name for each in pool.map(begin, "abcd") for name in each]
    assert 40 == len(set(names))


# --- units


def test_units_come_back_in_the_order_in_which_they_were_planned(ledger: Ledger) -> None:
    units = [UnitRecord(name, {"a": 1}, plan={"window": [1, 2]}) for name in ("b", "c", "a")]
    ledger.begin_sweep("r1", "things", {"listed": ["p"]}, units)
    assert ({"listed": ["p"]}, units) == ledger.sweep("r1", "things")
    assert None is ledger.sweep("r1", "others")


def test_endpoints_that_begin_together_are_written_down_in_one_transaction(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[str] = []
    monkeypatch.setattr(commit, "hear", lambda point, about: changes.append(point))
    ledger.begin_sweeps("r1", [("things", {}, [UnitRecord("u")]), ("others", {"listed": []}, [UnitRecord("v")])])
    assert ["ledger changed", "ledger committed"] == changes
    assert ({}, [UnitRecord("u")]) == ledger.sweep("r1", "things")
    assert ({"listed": []}, [UnitRecord("v")]) == ledger.sweep("r1", "others")


def test_units_are_noted_over_what_was_noted_before(ledger: Ledger) -> None:
    ledger.begin_sweep("r1", "things", {}, [UnitRecord("u", plan={"a": 1}), UnitRecord("v")])
    ended = UnitRecord("v", {}, 2, 3, {"at": 7}, "succeeded", "all", progress={"rows": 3})
    ledger.note_units("r1", "things", [ended])
    assert ({}, [UnitRecord("u", plan={"a": 1}), ended]) == ledger.sweep("r1", "things")


def test_units_are_noted_with_the_seal(ledger: Ledger) -> None:
    ledger.begin_sweep("r1", "things", {}, [UnitRecord("u")])
    ledger.seal("acme", WHOLE, units=[UnitRecord("u", status="succeeded")])
    _, units = ledger.sweep("r1", "things") or ({}, [])
    assert ["succeeded"] == [unit.status for unit in units]


# --- sealed collections and marks


def test_what_is_sealed_comes_back(ledger: Ledger) -> None:
    sealed = Collection("r2", "things", False, 3, 1, ("a is gone",), ("b is off",), "r1")
    ledger.seal("acme", WHOLE)
    ledger.seal("acme", sealed)
    assert [WHOLE, sealed] == ledger.collections("acme")


def test_a_watermark_moves_with_the_seal(ledger: Ledger) -> None:
    ledger.seal("acme", WHOLE, [Mark("window", "p", "2026-01-01"), Mark("changed", "p", "1")])
    ledger.seal("acme", WHOLE, [Mark("window", "p", "2026-02-01")])
    assert ({"p": "2026-02-01"}, {"p": "1"}) == (
        ledger.watermarks("acme", "things", "window"),
        ledger.watermarks("acme", "things", "changed"),
    )


def test_marks_stand_in_the_order_in_which_their_parents_were_seen(ledger: Ledger) -> None:
    for names in ("ca", "bca"):
        ledger.seal("acme", WHOLE, [Mark("window", name, at="2026-01-01") for name in names])
    assert ["c", "a", "b"] == [mark.partition for mark in ledger.marks("acme")]


def test_a_mark_that_is_only_seen_keeps_its_value(ledger: Ledger) -> None:
    ledger.seal("acme", WHOLE, [Mark("window", "p", "7", {"a": 1}, "2026-01-01", basis="b")])
    ledger.seal("acme", WHOLE, [Mark("window", "p", "", {"a": 2}, "2026-01-02", basis="c")])
    assert [Mark("window", "p", "7", {"a": 2}, "2026-01-01", "things")] == ledger.marks("acme")
    assert (set(), {"p"}) == (ledger.outdated("acme", "things", "b"), ledger.outdated("acme", "things", "c"))


def test_marks_of_parents_that_were_not_seen_are_forgotten(ledger: Ledger) -> None:
    ledger.seal("acme", WHOLE, [Mark("window", "p", at="2026-01-01"), Mark("window", "q", at="2026-01-03")])
    ledger.seal("acme", WHOLE, forget="2026-01-02")
    assert ["q"] == [mark.partition for mark in ledger.marks("acme")]


def test_what_fails_in_the_middle_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(KeyboardInterrupt):
        ledger.seal("acme", WHOLE, (_interrupted() for _ in "a"), [UnitRecord("u")])
    assert ([], []) == (ledger.collections("acme"), ledger._ask("SELECT unit FROM units"))


def _interrupted() -> Mark:
    raise KeyboardInterrupt


def test_after_a_defect_the_ledger_can_still_be_written(ledger: Ledger) -> None:
    with pytest.raises(TypeError):
        ledger.end_run("r", status="failed", ended_at="", result={"a": object()})
    ledger.seal("acme", WHOLE)
    assert [WHOLE] == ledger.collections("acme")


def test_commit_points_stand_before_and_behind_a_change(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(commit, "hear", lambda name, _: heard.append(name))
    ledger.seal("acme", WHOLE)
    assert ["ledger changed", "ledger committed"] == heard


def test_a_kill_right_before_the_commit_leaves_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "hear", lambda *_: _interrupted())
    with pytest.raises(KeyboardInterrupt):
        ledger.seal("acme", WHOLE)
    assert [] == ledger.collections("acme")


# --- what is kept sealed


def test_what_signs_in_and_where_a_vendor_stands_are_encrypted_with_the_key(
    place: Path | str, opened: Opened, tmp_path: Path
) -> None:
    ledger = Ledger(place, seal=Seal(b"k" * 32, tmp_path))
    ledger.keep("acme", "refresh", "token-of-acme")
    units = [UnitRecord("u", cursor="cursor-of-acme", progress={"cursor": "cursor-of-acme"})]
    ledger.begin_sweep("r1", "things", {}, units)
    assert ("token-of-acme", ({}, units)) == (ledger.kept("acme", "refresh"), ledger.sweep("r1", "things"))
    ledger.close()
    plain = opened()
    seen = str([plain._ask("SELECT value FROM kept"), plain._ask("SELECT cursor, progress FROM units")])
    assert "of-acme" not in seen
    with pytest.raises(StorageError, match="key"):
        plain.kept("acme", "refresh")


# --- copies


def test_a_copy_loads_into_a_ledger_of_the_other_kind(opened: Opened, tmp_path: Path, postgres: Postgres) -> None:
    ledger = opened()
    _fill(ledger)
    ledger.snapshot(tmp_path / "copy.db")
    others = [Ledger(postgres.new()), Ledger(tmp_path / "other.db")]
    for other in others:
        other.seal("acme", Collection("r9", "gone", True, 1, 1))
        other.load(tmp_path / "copy.db")
    told = [_told(one) for one in (ledger, *others)]
    for other in others:
        other.close()
    assert [told[0]] * 3 == told


def _fill(ledger: Ledger) -> None:
    ledger.begin_run(RunRecord("r1", "acme", "collect", asked={"a": 1}, started_at="2026-01-01"))
    ledger.begin_sweep("r1", "things", {"s": 1}, [UnitRecord(name, {"p": name}) for name in "cab"])
    ledger.seal("acme", WHOLE, [Mark("window", name, at="2026-01-01") for name in "cab"])
    ledger.keep("acme", "refresh", "token")
    ledger.meet("acme", "nightly", "0 1 * * * UTC", AT)


def _told(ledger: Ledger) -> list[object]:
    kept = ledger.kept("acme", "refresh"), ledger.taken(), ledger.sweep("r1", "things")
    runs = [RunRecord(**{**vars(one), "idle_seconds": None}) for one in ledger.runs()]
    return [runs, ledger.collections("acme"), ledger.marks("acme"), *kept]


def test_a_copy_never_takes_a_number_back(opened: Opened, tmp_path: Path) -> None:
    ledger = opened()
    ledger.snapshot(tmp_path / "copy.db")
    copy = Ledger(tmp_path / "copy.db")
    for one, times in ((ledger, 2), (copy, 5)):
        for _ in range(times):
            fence = _fence(one)
    copy.close()
    ledger.load(tmp_path / "copy.db")
    assert (5, 6) == (fence, _fence(ledger))


def _fence(ledger: Ledger) -> int:
    number, _ = ledger.take_lease("acme", Holder("m", "h", 1), lambda _: True, lambda _: None)
    return number


# --- files that are none, or full, or locked


def test_a_watermark_that_cannot_be_written_takes_the_seal_with_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "engine.db")
    with sqlite3.connect(tmp_path / "engine.db") as base:
        base.execute("CREATE TRIGGER full BEFORE INSERT ON watermarks BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    base.close()
    with pytest.raises(StorageError, match="the disk is full"):
        ledger.seal("acme", WHOLE, [Mark("window", "p", "2026-01-01")])
    assert [] == ledger.collections("acme")
    ledger.close()


def test_a_ledger_that_is_none_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "engine.db").write_bytes(b"no database at all, but some text" * 100)
    with pytest.raises(StorageError, match=r"the ledger engine\.db cannot be used"):
        Ledger(tmp_path / "engine.db")


@pytest.mark.parametrize("only_read", [False, True])
def test_a_ledger_that_is_damaged_is_told_with_its_mend(tmp_path: Path, only_read: bool) -> None:
    place = tmp_path / "engine.db"
    ledger = Ledger(place)
    ledger.begin_sweep("r1", "things", {}, [UnitRecord(f"unit-{number}", note="x" * 99) for number in range(500)])
    ledger.close()
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 3] + b"damaged!" * (len(whole) // 24) + whole[len(whole) // 3 * 2 :])
    with pytest.raises(StorageError, match=r"the ledger engine\.db cannot be used: .*malformed") as raised:
        Ledger(place, only_read=only_read).sweep("r1", "things")
    assert "engine restore" in raised.value.fix


def test_a_ledger_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("in the way")
    with pytest.raises(StorageError) as raised:
        Ledger(tmp_path / "storage" / "engine.db")
    assert 5 == raised.value.exit_code


def test_a_ledger_that_another_engine_keeps_locked_is_a_storage_error(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "PATIENCE_SECONDS", 0.05)
    ledger, other = opened(), opened()
    with other._change(), pytest.raises(StorageError, match="the ledger is locked by another engine"):
        ledger.seal("acme", WHOLE)
    ledger.seal("acme", WHOLE)
    assert [WHOLE] == other.collections("acme")


def test_reading_waits_for_nobody(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "PATIENCE_SECONDS", 0.05)
    ledger, other = opened(), opened()
    with other._change() as hand:
        hand.do("DELETE FROM runs")
        assert [] == ledger.runs()


# --- ledgers of older engines


def test_reading_a_ledger_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "engine.db"
    sqlite3.connect(place).execute("CREATE TABLE runs (run, tool, simulated)").connection.close()
    before = place.read_bytes()
    ledger = Ledger(place, only_read=True)
    assert (set(), {}, [], None) == (ledger.kinds(), ledger.taken(), ledger.runs(), ledger.sweep("r", "e"))
    ledger.close()
    assert (before, ["engine.db"]) == (place.read_bytes(), [one.name for one in tmp_path.iterdir()])


OLD = """
CREATE TABLE runs (
  run TEXT PRIMARY KEY, tool TEXT NOT NULL, work TEXT NOT NULL, page_hash TEXT NOT NULL, simulated INTEGER NOT NULL,
  status TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, result TEXT);
CREATE TABLE units (
  run TEXT NOT NULL, endpoint TEXT NOT NULL, unit TEXT NOT NULL, binding TEXT NOT NULL, pages INTEGER NOT NULL,
  rows INTEGER NOT NULL, cursor TEXT, status TEXT NOT NULL, note TEXT, PRIMARY KEY (run, endpoint, unit));
CREATE TABLE collections (
  tool TEXT NOT NULL, run TEXT NOT NULL, endpoint TEXT NOT NULL, complete INTEGER NOT NULL, rows INTEGER NOT NULL,
  pages INTEGER NOT NULL, missing TEXT NOT NULL, skipped TEXT NOT NULL, PRIMARY KEY (run, endpoint));
CREATE TABLE fences (tool TEXT PRIMARY KEY, fence INTEGER NOT NULL);
INSERT INTO runs VALUES ('r1', 'acme', 'collect', 'h', 0, 'succeeded', '2026-01-01T00:00:00Z', NULL, '{}');
INSERT INTO collections VALUES ('acme', 'r1', 'things', 1, 3, 1, '[]', '[]');
INSERT INTO fences VALUES ('acme', 7);
"""


def test_the_ledger_of_an_older_engine_is_taken_over(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "engine.db")
    base.executescript(OLD)
    base.close()
    for _ in range(2):
        ledger = Ledger(tmp_path / "engine.db")
        assert [
            RunRecord("r1", "acme", "collect", "h", None, False, "succeeded", "2026-01-01T00:00:00Z", result={})
        ] == (ledger.runs())
        assert [WHOLE] == ledger.collections("acme")
        fence = _fence(ledger)
        ledger.close()
    assert 9 == fence
