"""SIGTERM in the middle of a run: it ends within two seconds, and the next run goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.crash.bench import Bench
from tests.crash.test_damage import newest
from tests.house.command import START
from tests.house.source import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_does_so_and_the_next_one_goes_on(bench: Bench, number: signal.Signals) -> None:
    words = [sys.executable, "-c", START, "run", str(bench.page), "--storage", str(bench.storage)]
    bench.vendor.holds = "/heavy"
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE) as run:
        assert bench.vendor.held.wait(30)
        began = time.monotonic()
        run.send_signal(number)
        _, said = run.communicate()
    bench.vendor.let_go()
    assert (130, True) == (run.returncode, time.monotonic() - began < 2), said
    ended = bench.run(now=None)
    assert (bench.base.exit_code, newest(bench.base)) == (ended.exit_code, newest(ended)), ended.error
