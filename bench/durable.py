"""What it costs that nothing is lost: collections with and without making sure that the disk has it, as a ratio.

`python bench/durable.py` prints a Markdown table: one row for a list of 200 long pages and one for a fan-out of 2,000
small units. Each collection is a process of its own, in turn with and without; of five rounds the median counts.
Without means: in that process alone `os.fsync` does nothing, and SQLite does not sync. The disk is that of TMPDIR; in
memory syncing is free.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

import fanout
import ours
from measure import Case, median, say, serving, table

ROUNDS = 5
PAGES = 200
UNITS = 2_000
IN_FLIGHT = 32
WAYS = ("synced", "unsynced")


class Unsynced(sqlite3.Connection):
    """A connection whose commits are left to the system, whatever it is told."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return super().execute("PRAGMA synchronous=OFF" if sql.startswith("PRAGMA synchronous") else sql, *values)


def sync_nothing() -> None:
    """From here on no write of this process waits for the disk."""
    connect = sqlite3.connect
    os.fsync = lambda file: None
    sqlite3.connect = lambda *words, **more: connect(*words, factory=Unsynced, **more)  # type: ignore[assignment]


def collect(what: str, url: str, way: str) -> None:
    """Collect everything; prints seconds and CPU as JSON."""
    from engine.app import Engine
    from engine.app.config import Config

    if way == "unsynced":
        sync_nothing()
    text, where, pages = {
        "list": (ours.text("bare", "cursor", "flat"), {"url": url}, PAGES),
        "fan-out": (fanout.PAGE, {"url": url, "flight": str(IN_FLIGHT)}, UNITS + 1),
    }[what]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.yaml")
        page.write_text(text)
        engine = Engine(config=Config.model_validate({"storage": Path(folder, "storage")}), env={"PEPPER": "pepper"})
        engine.plan(page, params=where)
        with fanout.measured():
            result = engine.collect(page, params=where)
    assert result.status == "succeeded", result.as_json()
    assert sum(one.pages for one in result.collections) == pages, result.collections


def main() -> None:
    """Print a table of one row for each shape of collection."""
    rows = []
    for what, pages in (("list", PAGES), ("fan-out", UNITS + 1)):
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, rounds in found.items():
                listed = serving(Case(count=1_000 * PAGES))
                with listed if what == "list" else fanout.serving(latency=0, children=UNITS) as url:
                    rounds.append(fanout.run(what, url, way, script=__file__))
        seconds = [median(one["seconds"] for one in rounds) for rounds in found.values()]
        cpu = [median(one["cpu"] for one in rounds) for rounds in found.values()]
        cells = [f"{one:.2f}" for both in zip(seconds, cpu, strict=True) for one in both]
        rows.append([what, f"{pages:,}", *cells, f"{seconds[0] / seconds[1]:.2f}", f"{cpu[0] / cpu[1]:.2f}"])
    shown = [head for way in WAYS for head in (f"{way} s", "CPU s")]
    say(table(["", "pages", *shown, "ratio", "CPU"], rows))


if __name__ == "__main__":
    match sys.argv[1:]:
        case [what, url, way]:
            collect(what, url, way)
        case _:
            main()
