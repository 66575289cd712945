"""Marks in the ledger: they move forward, and what was read waits for them where others are repeated for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.flow.ledger import Collection, Ledger, Mark

WHOLE = Collection("r1", "things", True, 3, 1)


@pytest.fixture
def ledger(opened: Callable[[], Ledger]) -> Ledger:
    return opened()


def test_a_mark_moves_forward_only_but_for_another_request_or_a_reset(ledger: Ledger) -> None:
    def sealed(until: str, basis: str = "b") -> dict[str, str]:
        ledger.seal("acme", WHOLE, [Mark("window", "p", f"2026-01-{until}T00:00:00Z", {}, "2026-02-01", basis=basis)])
        return ledger.watermarks("acme", "things", "window")

    assert ["03", "03", "02"] == [sealed(*one)["p"][8:10] for one in (("03",), ("02",), ("02", "c"))]
    ledger.reset("acme", "things", ["p"])
    assert {"p": "2026-01-01T00:00:00Z"} == sealed("01", "c")


def test_a_collection_is_released_when_its_marks_move(ledger: Ledger) -> None:
    waiting = [replace(WHOLE, run=run, released=False) for run in ("r1", "r2", "r3")]
    for one in waiting:
        ledger.seal("acme", one, [Mark("window", "p")])
    ledger.move("acme", "things", [Mark("window", "p", "2026-01-03")], ["r2", "r3"])
    assert [False, True, True] == [one.released for one in ledger.collections("acme")]
    assert {"p": "2026-01-03"} == ledger.watermarks("acme", "things", "window")
