"""The ledger's account of schedules: a due time is done with the run that was for it, and no run repeats it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.flow.ledger import Due, Ledger, Taken

MET = datetime(2026, 11, 20, 12, tzinfo=UTC)
DUE = Due("acme", "nightly", MET + timedelta(hours=13))
KEY = ("acme", "nightly")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    _opened(tmp_path / "engine.db").meet(*KEY, "0 1 * * * UTC", MET)
    return tmp_path / "engine.db"


def _opened(place: Path, due: Due | None = None) -> Ledger:
    return Ledger(place, due)


def _run(place: Path, status: str) -> None:
    ledger = _opened(place, DUE)
    ledger.start_run("r1", "acme", work="collect", page_hash="", simulated=False, started_at="")
    ledger.end_run("r1", status=status, ended_at="2026-11-21T01:05:00Z", result={})
    ledger.close()


def test_a_new_schedule_has_nothing_due_from_before(place: Path) -> None:
    assert {KEY: Taken("0 1 * * * UTC", MET)} == _opened(place).taken()


def test_a_schedule_that_is_met_again_keeps_its_account(place: Path) -> None:
    ledger = _opened(place)
    ledger.meet(*KEY, "0 1 * * * UTC", MET + timedelta(days=3))
    assert MET == ledger.taken()[KEY].until


def test_a_schedule_with_other_times_begins_anew(place: Path) -> None:
    ledger = _opened(place)
    ledger.meet(*KEY, "0 4 * * * UTC", MET + timedelta(days=3))
    assert Taken("0 4 * * * UTC", MET + timedelta(days=3)) == ledger.taken()[KEY]


@pytest.mark.parametrize("status", ["succeeded", "incomplete", "rules_failed", "failed"])
def test_a_due_time_is_done_with_its_run(place: Path, status: str) -> None:
    _run(place, status)
    assert Taken("0 1 * * * UTC", DUE.at, "r1", status, "2026-11-21T01:05:00Z") == _opened(place).taken()[KEY]
    assert _opened(place, DUE).due_is_done()


def test_a_due_time_whose_run_was_interrupted_stays_due(place: Path) -> None:
    _run(place, "interrupted")
    assert MET == _opened(place).taken()[KEY].until
    assert not _opened(place, DUE).due_is_done()


def test_a_run_that_never_began_is_noted_without_one(place: Path) -> None:
    ledger = _opened(place)
    ledger.take(DUE, status="failed", ended_at="2026-11-21T01:00:01Z")
    assert Taken("0 1 * * * UTC", DUE.at, None, "failed", "2026-11-21T01:00:01Z") == ledger.taken()[KEY]


def test_what_a_run_noted_is_not_noted_over(place: Path) -> None:
    _run(place, "succeeded")
    ledger = _opened(place)
    ledger.take(DUE, status="failed", ended_at="later")
    assert ("r1", "succeeded") == (ledger.taken()[KEY].run, ledger.taken()[KEY].status)
