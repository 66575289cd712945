"""An engine that falls asleep (SIGSTOP) at a commit point, and can be woken."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from engine.author.crash.job import Ended, Job
from engine.author.crash.nursery import Nursery
from engine.core import commit
from engine.flow import lease
from engine.flow.ledger import dialect

EXPIRES_SECONDS = 0.6
"""So short a lease that nobody needs to wait; its holder says five times as often that it is at work."""
PATIENCE_SECONDS = 60
SLEEPS_AT, BED = "SLEEPS_AT", "BED"


def hurry(job: Job) -> None:
    """In the process of a run: leases are short."""
    lease.EXPIRES_SECONDS, lease.BEAT_SECONDS = EXPIRES_SECONDS, EXPIRES_SECONDS / 5
    dialect.PATIENCE_SECONDS = EXPIRES_SECONDS


def nod_off(job: Job) -> None:
    """In the process of a run: stand still once, at the point that the environment names, until the bed is gone."""
    hurry(job)
    before, left, bed = commit.hear, [job.env[SLEEPS_AT]], Path(job.env[BED])
    lock = threading.Lock()

    def hear(name: str, about: str) -> None:
        if before:
            before(name, about)
        with lock:
            found = left and left[0] in (name, f"{name} {about}") and left.pop()
        if found:
            bed.with_suffix(".new").write_text(str(os.getpid()))
            bed.with_suffix(".new").rename(bed)
            while bed.exists():
                time.sleep(0.001)

    commit.hear = hear


class Sleeper:
    """A run that falls asleep (SIGSTOP) at a commit point; open inside `with`, at whose end it is awake."""

    def __init__(self, job: Job, folder: Path, point: str) -> None:
        self.bed, self.point = folder / "bed", point
        self.ledger = Path(job.config["storage"]) / "engine.db"
        env = {**job.env, SLEEPS_AT: point, BED: str(self.bed)}
        self.job = job.but(env=env, before="tests.crash.sleeper:nod_off")

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        nursery = self._stack.enter_context(Nursery())
        pool = self._stack.enter_context(ThreadPoolExecutor(1))
        self._ended: Future[Ended] = pool.submit(nursery.run, self.job)
        self._stack.callback(self.wake)
        self._until(self.bed.exists)
        self.process = int(self.bed.read_text())
        base = sqlite3.connect(self.ledger, timeout=PATIENCE_SECONDS, isolation_level=None)
        if self.point != "ledger changed":  # no other thread of it shall sleep inside a change, and keep others out
            base.execute("BEGIN IMMEDIATE")
        os.kill(self.process, signal.SIGSTOP)
        self._until(self._is_stopped)
        base.close()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def wake(self) -> None:
        """Let it go on."""
        if not self._ended.done():
            self.bed.unlink(missing_ok=True)
            os.kill(self.process, signal.SIGCONT)

    def woken(self) -> Ended:
        """Let it go on; gives how it ended."""
        self.wake()
        return self._ended.result(PATIENCE_SECONDS)

    def _until(self, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            assert time.monotonic() < until
            assert not self._ended.done(), self._ended.result()
            time.sleep(0.001)

    def _is_stopped(self) -> bool:
        stat = Path(f"/proc/{self.process}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"
