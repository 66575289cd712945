"""Two engines at one storage: one falls asleep, the other takes over; nothing of the sleeper is ever published."""

import sqlite3
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing

import pytest

from engine.author.crash.nursery import Nursery
from engine.core.errors import LeaseLost
from engine.flow import lease
from engine.flow.ledger import Ledger
from tests.crash.bench import BUSY, PATIENCE_SECONDS, Bench
from tests.crash.sleeper import EXPIRES_SECONDS, Sleeper

HURRY = "tests.crash.sleeper:hurry"


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    [
        "frame begins",
        "frame half",
        "frame kept",
        "ledger committed",
        "scratch begins",
        "scratch ends",
        "file written part-00000.parquet",
        "file written current.json",
        "file renamed current.json",
        "file written boxes.csv",
        "file written latest.json",
    ],
)
def test_who_slept_past_its_lease_publishes_nothing(bench: Bench, point: str) -> None:
    with Sleeper(bench.job(), bench.folder, point) as sleeper:
        second = bench.take_over(before=HURRY)
        assert [] == bench.differs(second)
        first = sleeper.woken()
    assert (LeaseLost.exit_code, "LeaseLost") == (first.exit_code, first.error.partition(":")[0])
    assert bench.base.left == first.left


@pytest.mark.slow
@pytest.mark.parametrize("point", ["unfinished .old.json.1.tmp", "left behind part-00099.parquet"])
def test_who_sleeps_while_it_takes_away_what_a_killed_run_left_takes_nothing_else(bench: Bench, point: str) -> None:
    _killed(bench)
    with Sleeper(bench.job(), bench.folder, point) as sleeper:
        second = bench.take_over(before=HURRY)
        assert [] == bench.differs(second)
        first = sleeper.woken()
    assert (LeaseLost.exit_code, "LeaseLost") == (first.exit_code, first.error.partition(":")[0])
    assert bench.base.left == first.left


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("scratch begins", "file written part-00000.parquet"),
        ("scratch ends", "file written part-00000.parquet"),
        ("unfinished .old.json.1.tmp", "file written boxes.csv"),
        ("left behind part-00099.parquet", "file written boxes.csv"),
    ],
)
def test_who_wakes_while_another_is_at_work_takes_nothing_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    _killed(bench)
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", EXPIRES_SECONDS)
    with Sleeper(bench.job(), bench.folder, first) as one, closing(Ledger(bench.storage / "engine.db")) as ledger:
        until = time.monotonic() + PATIENCE_SECONDS
        while lease.holder(bench.storage, ledger, bench.page.stem):
            assert time.monotonic() < until
        other = bench.folder / "other"
        other.mkdir()
        with Sleeper(bench.job(), other, second) as two:
            assert "LeaseLost" == one.woken().error.partition(":")[0]
            assert [] == bench.differs(two.woken())


def _killed(bench: Bench) -> None:
    """A run that was killed while it made tables, and left what nobody will name."""
    assert bench.run(point=("file renamed", 3)).killed
    with closing(sqlite3.connect(bench.storage / "engine.db")) as base:
        [(run,)] = base.execute("SELECT run FROM runs").fetchall()
    tool = bench.page.stem
    for left in (f"processed_data/{tool}/.old.json.1.tmp", f"processed_data/{tool}/boxes/{run}/part-00099.parquet"):
        (bench.storage / left).parent.mkdir(parents=True, exist_ok=True)
        (bench.storage / left).write_bytes(b"of the killed run")


@pytest.mark.slow
def test_who_sleeps_inside_a_change_of_the_ledger_keeps_others_out_and_loses_nothing(bench: Bench) -> None:
    with Sleeper(bench.job(), bench.folder, "ledger changed") as sleeper:
        second = bench.run(before=HURRY)
        assert (5, True) == (second.exit_code, "locked" in second.error), second.error
        first = sleeper.woken()
    assert [] == bench.differs(first)


@pytest.mark.slow
def test_of_two_engines_that_are_started_at_once_exactly_one_works(bench: Bench) -> None:
    bench.vendor.open.clear()  # who is let in waits for an answer until the other has ended
    with Nursery() as other, ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(nursery.run, bench.job()) for nursery in (bench.nursery, other)]
        done, waiting = wait(runs, PATIENCE_SECONDS, FIRST_COMPLETED)
        bench.vendor.open.set()
        [refused], [worked] = ([one.result() for one in some] for some in (done, waiting))
    assert (5, True) == (refused.exit_code, BUSY in refused.error), refused.error
    assert [] == bench.differs(worked)
