"""What goes wrong in the process of a run, done there before it begins: see `Job.before`."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections import Counter
from dataclasses import dataclass

from engine.author.crash import child
from engine.author.crash.job import Job
from engine.core import commit
from engine.flow.ledger import dialect

AT, BYTES = "FULL_AT", "MOST_BYTES"
HOUR = 3600.0
NOBODY = 65534


def full(job: Job) -> None:
    """The disk is full from one write on, which the job's environment names: its commit point and number."""
    before, reached = commit.hear, Counter[str]()
    name, _, number = job.env[AT].rpartition(" ")

    def hear(point: str, about: str) -> None:
        if before:
            before(point, about)
        reached[point] += 1
        if point == name and reached[point] >= int(number):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    commit.hear = hear


def small(job: Job) -> None:
    """No file may grow beyond so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    most = int(job.env[BYTES])
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def nobody(job: Job) -> None:
    """Without the rights of root, for whom nothing is read-only."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def impatient(job: Job) -> None:
    """It does not wait for other changes of the ledger."""
    dialect.PATIENCE_SECONDS = 0.2


@dataclass
class Jumping:
    """A time that jumps an hour ahead and back again, each time that somebody looks."""

    at_first: float
    looks: int = 0
    passed: float = 0.0

    @property
    def at(self) -> float:
        """The time as it is told."""
        self.looks += 1
        return self.at_first + self.passed + (HOUR if self.looks % 2 else -HOUR) * (self.looks > 1)

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.passed += seconds


def jumping(job: Job) -> None:
    """The clock jumps while the run goes on."""
    child.Passing = Jumping  # type: ignore[misc, assignment]  # the same two names
