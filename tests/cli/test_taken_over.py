"""Two engines at one storage: one that was not heard of for too long loses its run, and publishes nothing of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.cli.shop import Desk


def _long_ago() -> None:
    """As if the holder of the lease had been asleep since."""
    with sqlite3.connect("storage/engine.db") as base:
        base.execute("UPDATE leases SET ticks = ticks - 3600")
    base.close()


def _current() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("storage/processed_data/shop/current.json").read_text())
    return found


def test_a_run_that_was_taken_over_ends_with_5_says_by_whom_and_publishes_nothing(desk: Desk) -> None:
    desk.shop.hold_at = "/things/3/parts"
    asleep = desk.start("run", "shop")
    assert desk.shop.held.wait(20)
    _long_ago()
    answer = desk.engine("run", "shop", "--json")
    taken = json.loads(answer.stdout)
    published = _current()
    desk.shop.go.set()
    _, said = asleep.communicate(timeout=20)
    assert (0, "succeeded", True) == (answer.return_value, taken["status"], bool(taken["resumed_from"]))
    assert (5, published) == (asleep.returncode, _current())
    assert "took over shop" in said
    [run] = json.loads(desk.engine("runs", "--json").stdout)
    assert ("succeeded", taken["run"]) == (run["status"], run["run"])
    rows = desk.engine("show", "shop", "parts", "--format", "csv").stdout
    assert "thing_id,no\n1,1\n2,1\n3,1\n" == rows
