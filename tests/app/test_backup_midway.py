"""Backups that are made while a run goes on, and what becomes of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.core import commit
from tests.app.kept import DAY, Kept, backed_up, restored, tables
from tests.flow.desk import Tiny
from tests.house.command import START
from tests.house.source import ROOT
from tests.vendors.server import Answer, Asked


class Slow(Tiny):
    """A vendor that keeps an answer back until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.count = 0, 0
        self.held, self.go = threading.Event(), threading.Event()

    def answer(self, asked: Asked) -> Answer:
        """What stands at the path; the request of this number waits."""
        self.count += 1
        if self.count == self.at:
            self.held.set()
            assert self.go.wait(60)
        return super().answer(asked)


REQUESTS = 7
"""So many pages has the vendor."""
PAGED = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}}


def _listed(rows: list[Any]) -> Callable[[Asked], Any]:
    return lambda asked: rows[2 * int(dict(asked.query)["page"]) - 2 :][:2]


@pytest.mark.slow
@pytest.mark.parametrize("at", [2, 5, 7])
def test_a_backup_in_the_midst_of_a_run_goes_on_as_that_run_would(tmp_path: Path, at: int) -> None:
    things, parts = [{"id": n, "v": n} for n in range(7)], [{"id": n} for n in range(5)]
    with Slow() as vendor:
        kept = Kept(tmp_path, vendor)
        vendor.routes |= {"/things": _listed(things), "/parts": _listed(parts)}
        ends = {name: {"get": f"/{name}", "paginate": PAGED} for name in ("things", "parts")}
        columns = {"id": {"path": "id", "type": "integer"}}
        page = kept.page(ends, events={"from": "parts", "key": "id", "mode": "upsert", "columns": columns})
        vendor.at = at
        words = [sys.executable, "-c", START, "run", str(page), "--storage", str(kept.storage)]
        env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"}
        with subprocess.Popen(words, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            assert vendor.held.wait(60)
            backup = backed_up(kept)
            vendor.go.set()
            out, _ = run.communicate(timeout=60)
        assert 0 == run.returncode, out
        engine = restored(kept, backup)
        before = len(vendor.log)
        again = subprocess.run(
            [*words[:-1], str(engine.config.storage)],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == again.returncode, again.stderr
        assert tables(kept.storage) == tables(engine.config.storage)
        assert len(vendor.log) - before <= REQUESTS - (at - 2)  # one in flight


def _in_the_midst(kept: Kept, number: int) -> bool:
    """Run, and make a backup at a commit point of that run; whether it came that far.

    What is made of the backup is then what the run made that nobody disturbed.
    """
    backups: list[Path] = []
    left, busy = [number], threading.Lock()

    def hear(*point: str) -> None:
        if backups or not busy.acquire(blocking=False):
            return
        with ExitStack() as stack:
            stack.callback(busy.release)
            left[0] -= 1
            if not left[0] and (kept.storage / "engine.db").exists():
                backups.append(Path(kept.engine.backup(kept.desk.folder / f"{number}.tar")["backup"]))

    kept.desk.time.now += DAY
    began = kept.desk.time.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "hear", hear)
        run = kept.run(days=0, event=number % 28 + 1).run
    if not backups:
        return False
    asked = len(kept.desk.vendor.log)
    engine = restored(kept, backups[0], f"again-{number}")
    kept.desk.time.now = began
    engine.clock = kept.desk.time.clock()
    if (run, "succeeded") != (engine.runs()[0]["run"], engine.runs()[0]["status"]):  # it had not ended by then
        engine.run(kept.desk.folder / "acme.yaml")
    assert len(kept.desk.vendor.log) - asked <= 2
    assert tables(kept.storage) == tables(engine.config.storage), number
    for name in ("things", "events"):
        mine, other = (one.table("acme", name).collect() for one in (kept.engine, engine))
        assert mine.to_dicts() == other.to_dicts()
    return True


def test_a_backup_of_some_instant_goes_on_as_the_run_did(kept: Kept) -> None:
    kept.run(event=1)
    assert _in_the_midst(kept, 20)


@pytest.mark.slow
def test_a_backup_of_every_instant_goes_on_as_the_run_did(kept: Kept) -> None:
    kept.run(event=1)
    number = 1
    while _in_the_midst(kept, number):
        number += 1
    assert number > 30
