"""Two engines at one storage: one falls asleep, the other takes over; nothing of the sleeper is ever published."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from engine.author.crash.nursery import Nursery
from engine.core.errors import LeaseLost
from tests.crash.bench import BUSY, PATIENCE_SECONDS, Bench
from tests.crash.sleeper import Sleeper

HURRY = "tests.crash.sleeper:hurry"


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    [
        "frame begins",
        "frame half",
        "frame kept",
        "ledger committed",
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
