"""`daemon` and `schedules`: a real process that starts real runs, is stopped, killed and started again."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.core.clock import read_instant
from engine.flow.ledger import Ledger
from engine.flow.storage import open_storage
from tests.cli.shop import Desk

OFTEN = "schedules: { often: { every: 1s, run: [collect], only: [things] } }\n"
NIGHTLY = 'schedules: { nightly: { cron: "0 2 * * *", timezone: Europe/Berlin, run: [collect], only: [things] } }\n'
CLOCK = "0 2 * * * Europe/Berlin"


def _page(desk: Desk, schedules: str) -> None:
    desk.page("reports:\n", f"{schedules}reports:\n")


def _overdue() -> None:
    """The schedule was met two days ago, and has not run since."""
    open_storage(Path("storage"), simulated=False)
    ledger = Ledger(Path("storage/engine.db"))
    ledger.meet("shop", "nightly", CLOCK, datetime.now(UTC) - timedelta(days=2))
    ledger.close()


def _until(daemon: subprocess.Popen[str], word: str) -> str:
    """The next line with this word."""
    assert daemon.stderr is not None
    while word not in (line := daemon.stderr.readline()):
        assert line, f"the daemon ended without a word of {word}"
    return line


def _due(line: str) -> datetime:
    found = re.search(r" of (\S+):", line)
    assert found
    return read_instant(found[1])


def _terminated(daemon: subprocess.Popen[str]) -> float:
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=10)
    return time.monotonic() - began


def _runs() -> list[str]:
    with sqlite3.connect("storage/engine.db") as base:
        found = base.execute("SELECT status FROM runs ORDER BY run").fetchall()
    base.close()
    return [status for (status,) in found]


@pytest.fixture
def held(desk: Desk) -> Iterator[Desk]:
    """A schedule that is overdue, at a shop that keeps its answers back."""
    _page(desk, NIGHTLY)
    _overdue()
    desk.shop.hold = True
    yield desk
    desk.shop.go.set()


@pytest.mark.slow
def test_each_time_is_run_once_with_a_restart_in_between(desk: Desk) -> None:
    _page(desk, OFTEN)
    seen = []
    for _ in range(2):
        daemon = desk.start("daemon")
        seen += [_due(_until(daemon, "succeeded (exit 0)")) for _ in range(2)]
        assert (True, 0) == (_terminated(daemon) < 2, daemon.returncode)
    assert sorted(set(seen)) == seen
    assert 4 == sum(status == "succeeded" for status in _runs())


@pytest.mark.slow
def test_what_was_missed_is_run_once(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    _overdue()
    for _ in range(2):
        daemon = desk.start("daemon", "shop")
        _until(daemon, "succeeded" if not _runs() else "daemon started")
        _terminated(daemon)
    assert ["succeeded"] == _runs()


@pytest.mark.slow
def test_a_run_that_the_end_of_the_daemon_cut_off_goes_on_with_the_next(held: Desk) -> None:
    daemon = held.start("daemon")
    assert held.shop.held.wait(20)
    assert (True, 0) == (_terminated(daemon) < 2, daemon.returncode)
    held.shop.go.set()
    again = held.start("daemon")
    _until(again, "succeeded")
    _terminated(again)
    assert ["succeeded"] == _runs()


@pytest.mark.slow
def test_a_run_that_outlives_a_killed_daemon_is_not_run_again(held: Desk) -> None:
    killed = held.start("daemon")
    assert held.shop.held.wait(20)
    killed.kill()
    killed.communicate()
    again = held.start("daemon")
    _until(again, "started (collect)")
    held.shop.go.set()
    _until(again, "succeeded (exit 0)")
    _terminated(again)
    assert ["succeeded"] == _runs()


@pytest.mark.slow
def test_a_run_that_is_killed_does_not_end_the_daemon_and_is_recorded(held: Desk) -> None:
    daemon = held.start("daemon")
    assert held.shop.held.wait(20)
    [run] = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    os.kill(int(run), signal.SIGKILL)
    assert "killed by SIGKILL" in _until(daemon, "killed")
    _terminated(daemon)
    [record] = map(json.loads, Path("storage/logs/errors.jsonl").read_text().splitlines())
    assert ("shop", True, 0) == (record["context"]["tool_name"], "SIGKILL" in record["message"], daemon.returncode)
    [shown] = json.loads(held.engine("schedules", "--json").stdout)
    [killed] = json.loads(held.engine("runs", "--json").stdout)
    assert (None, "interrupted", killed["run"]) == (shown["due"], shown["last"]["status"], shown["last"]["run"])
    assert f"engine resume {killed['run']}" in record["fix"]


@pytest.mark.slow
def test_a_run_of_the_daemon_that_is_cancelled_is_not_started_again_for_its_time(held: Desk) -> None:
    daemon = held.start("daemon")
    assert held.shop.held.wait(20)
    assert 0 == held.engine("cancel", "latest").return_value
    assert "cancelled (exit 130)" in _until(daemon, "exit")
    _terminated(daemon)
    held.shop.go.set()
    again = held.start("daemon")
    _until(again, "daemon started")
    _terminated(again)
    [shown] = json.loads(held.engine("schedules", "--json").stdout)
    assert (["cancelled"], "cancelled", None) == (_runs(), shown["last"]["status"], shown["due"])


def test_an_interrupted_run_that_is_cancelled_is_no_longer_due(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    _overdue()
    desk.stopped(1, ["collect"], only=["things"], schedule="nightly")
    assert 0 == desk.engine("cancel", "latest").return_value
    [shown] = json.loads(desk.engine("schedules", "--json").stdout)
    assert (None, "cancelled") == (shown["due"], shown["last"]["status"])


def test_a_schedule_goes_on_only_with_a_run_of_its_own(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    desk.stopped(1, ["collect"], only=["things"])
    assert "it was of no schedule" in desk.engine("run", "shop", "--schedule", "nightly").stderr


def test_a_run_that_fails_is_told_with_its_words_and_not_repeated(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    page = Path("pipelines/shop.yaml")
    page.write_text(page.read_text().replace("color: { doc: Only things of this color., optional: true }", "color: {}"))
    _overdue()
    daemon = desk.start("daemon")
    assert "failed (exit 2)" in _until(daemon, "exit")
    assert 'param "color" is not set' in _until(daemon, "|")
    _terminated(daemon)
    [shown] = json.loads(desk.engine("schedules", "--json").stdout)
    assert (None, "failed", None) == (shown["due"], shown["last"]["status"], shown["last"]["run"])
    assert 1 == len(Path("storage/logs/errors.jsonl").read_text().splitlines())


@pytest.mark.slow
def test_a_storage_that_cannot_be_used_is_told_once_and_does_not_end_the_daemon(desk: Desk) -> None:
    _page(desk, OFTEN)
    daemon = desk.start("daemon")
    _until(daemon, "succeeded")
    with sqlite3.connect("storage/engine.db") as base:
        base.execute("ALTER TABLE schedules RENAME TO away")
    assert "engine.db cannot be used" in _until(daemon, "storage error")
    with sqlite3.connect("storage/engine.db") as base:
        base.execute("ALTER TABLE away RENAME TO schedules")
    base.close()
    assert "succeeded" in _until(daemon, "succeeded")
    _terminated(daemon)


@pytest.mark.slow
def test_a_page_with_mistakes_is_told_and_runs_when_it_is_mended(desk: Desk) -> None:
    _page(desk, OFTEN)
    broken = Path("pipelines/other.yaml")
    broken.write_text("version: 1\ntool: other\n")
    daemon = desk.start("daemon")
    assert "missing" in _until(daemon, "other.yaml")
    broken.write_text(Path("pipelines/shop.yaml").read_text().replace("tool: shop", "tool: other"))
    assert "started (collect)" in _until(daemon, "other/often of")
    _terminated(daemon)


def test_without_schedules_there_is_nothing_to_do(desk: Desk) -> None:
    answer = desk.engine("daemon")
    assert (2, True) == (answer.return_value, "no page here has schedules" in answer.stderr)


def test_schedules_are_listed_with_their_next_time_by_their_own_clocks(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    screen = desk.engine("schedules").stdout
    assert re.search(
        r"shop +nightly +0 2 \* \* \* Europe/Berlin +collect of things +\S+T02:00:00\+0[12]:00 +never", screen
    )


def test_to_list_schedules_makes_no_storage(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    desk.engine("schedules")
    assert not Path("storage").exists()


def test_an_overdue_schedule_says_so(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    _overdue()
    [shown] = json.loads(desk.engine("schedules", "shop", "--json").stdout)
    assert (True, None) == (shown["due"] < shown["next"], shown["last"])


def test_a_schedule_can_be_run_by_hand(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    answer = desk.engine("run", "shop", "--schedule", "nightly", "--json")
    result = json.loads(answer.stdout)
    assert (["things"], []) == ([one["endpoint"] for one in result["endpoints"]], result["tables"])


def test_a_schedule_that_is_not_there_gets_the_nearest(desk: Desk) -> None:
    _page(desk, NIGHTLY)
    answer = desk.engine("run", "shop", "--schedule", "nightl")
    assert (2, True) == (answer.return_value, 'did you mean "nightly"?' in answer.stderr)
