"""The ledger's account of schedules: a due time is done with the run that was for it, and no run repeats it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from engine.flow.ledger import Due, Ledger, RunRecord, Taken

MET = datetime(2026, 11, 20, 12, tzinfo=UTC)
DUE = Due("acme", "nightly", MET + timedelta(hours=13))
KEY = ("acme", "nightly")


Opened = Callable[..., Ledger]


@pytest.fixture
def met(opened: Opened) -> Opened:
    """Opens a ledger that knows the schedule."""
    opened().meet(*KEY, "0 1 * * * UTC", MET)
    return opened


def _run(met: Opened, status: str) -> None:
    ledger = met(DUE)
    ledger.begin_run(RunRecord("r1", "acme", "collect"))
    ledger.end_run("r1", status=status, ended_at="2026-11-21T01:05:00Z", result={})


def test_a_new_schedule_has_nothing_due_from_before(met: Opened) -> None:
    assert {KEY: Taken("0 1 * * * UTC", MET)} == met().taken()


def test_a_schedule_that_is_met_again_keeps_its_account(met: Opened) -> None:
    ledger = met()
    ledger.meet(*KEY, "0 1 * * * UTC", MET + timedelta(days=3))
    assert MET == ledger.taken()[KEY].until


def test_a_schedule_with_other_times_begins_anew(met: Opened) -> None:
    ledger = met()
    ledger.meet(*KEY, "0 4 * * * UTC", MET + timedelta(days=3))
    assert Taken("0 4 * * * UTC", MET + timedelta(days=3)) == ledger.taken()[KEY]


@pytest.mark.parametrize("status", ["succeeded", "incomplete", "rules_failed", "failed"])
def test_a_due_time_is_done_with_its_run(met: Opened, status: str) -> None:
    _run(met, status)
    assert Taken("0 1 * * * UTC", DUE.at, "r1", status, "2026-11-21T01:05:00Z") == met().taken()[KEY]
    assert met(DUE).due_is_done()


def test_a_due_time_whose_run_was_interrupted_stays_due(met: Opened) -> None:
    _run(met, "interrupted")
    assert MET == met().taken()[KEY].until
    assert not met(DUE).due_is_done()


def test_a_run_that_never_began_is_noted_without_one(met: Opened) -> None:
    ledger = met()
    ledger.take(DUE, status="failed", ended_at="2026-11-21T01:00:01Z")
    assert Taken("0 1 * * * UTC", DUE.at, None, "failed", "2026-11-21T01:00:01Z") == ledger.taken()[KEY]


def test_what_a_run_noted_is_not_noted_over(met: Opened) -> None:
    _run(met, "succeeded")
    ledger = met()
    ledger.take(DUE, status="failed", ended_at="later")
    assert ("r1", "succeeded") == (ledger.taken()[KEY].run, ledger.taken()[KEY].status)
