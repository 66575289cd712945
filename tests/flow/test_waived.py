"""Waivers and releases in the ledger, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from engine.flow.ledger import Ledger, Waiver

ONE = Waiver("0c1f", "things", "range", "v", date(2026, 7, 1), "why", "ann", "2026-06-01T00:00:00Z")
LATER = "2026-06-02T00:00:00Z"


@pytest.fixture
def ledger(opened: Callable[..., Ledger]) -> Ledger:
    return opened()


def test_a_waiver_comes_back_as_it_was_given(ledger: Ledger) -> None:
    ledger.waive("acme", ONE)
    ledger.waive("other", replace(ONE, column=None))
    assert [ONE] == ledger.waivers("acme")


def test_a_waiver_that_ended_stays_written_down(ledger: Ledger) -> None:
    ledger.waive("acme", ONE)
    assert ledger.unwaive("acme", "0c1f", by="bob", at=LATER)
    assert not ledger.unwaive("acme", "0c1f", by="bob", at=LATER)
    assert [replace(ONE, ended_by="bob", ended_at=LATER)] == ledger.waivers("acme")


def test_a_newer_waiver_ends_the_one_before(ledger: Ledger) -> None:
    newer = replace(ONE, until=date(2026, 8, 1), at=LATER)
    ledger.waive("acme", ONE)
    ledger.waive("acme", newer)
    assert [replace(ONE, ended_by="ann", ended_at=LATER), newer] == ledger.waivers("acme")


def test_a_waiver_holds_until_its_day_begins_in_utc() -> None:
    last, first = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert (True, False, False) == (ONE.holds(last), ONE.holds(first), replace(ONE, ended_at=LATER).holds(last))


def test_releases_are_counted_and_may_be_taken_back(ledger: Ledger) -> None:
    for at in ("1", "1", "2"):
        ledger.release("acme", "things", by="ann", at=at)
    ledger.take_back("acme", "things")
    assert {"things": 2} == ledger.releases("acme")
    assert {} == ledger.releases("other")
