"""A run in a process that may be killed: forked from one in which all that a run needs is loaded, and nothing begun."""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

from engine.app import Engine
from engine.app.config import Config
from engine.author.crash.job import Ended, Job
from engine.author.crash.left import left
from engine.author.simulate import Simulator
from engine.core import commit
from engine.core.clock import Clock
from engine.core.errors import EngineError, Json
from engine.core.vendor import Stand


@dataclass
class Distant(Simulator):
    """A simulated vendor that answers in another process."""

    job: Job | None = None

    @contextmanager
    def open(self, plan: Any, rows: Any = None) -> Iterator[Stand]:
        """Lead the plan's requests to that process."""
        assert self.job
        home, made_up = f"http://127.0.0.1:{self.job.port}/", self.job.made_up
        yield SimpleNamespace(
            auth=pickle.loads(base64.b64decode(self.job.auth)),  # of the process that started this one
            reach=lambda url: home + url.replace("://", "/", 1),
            rows=lambda endpoint: made_up.get(endpoint, []),
        )


@dataclass
class Passing:
    """A time that passes only by waiting."""

    at: float

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.at += seconds


def work(job: Job) -> Ended:
    """Do a job in this process; dies on the way where the job says so."""
    points = _listen(job.point)
    commit.naming = "the same in each storage"
    if job.before:
        module, _, function = job.before.partition(":")
        getattr(importlib.import_module(module), function)(job)
    engine = Engine(config=Config.model_validate(job.config), env=job.env)
    if job.seed is not None:
        known = Simulator.of(engine, job.page, job.seed)
        vendor = Distant(known.registry, known.seed, known.clock, known.read, job)
        job = job.but(how={**job.how, "vendor": vendor})
    if job.now is not None:
        time_of_job = Passing(job.now)
        engine.clock = Clock(lambda: time_of_job.at, time_of_job.wait, Random(7).random)
    tool = engine.page(job.page).pipeline.tool
    began, code, error = time.monotonic(), 0, ""
    try:
        past = _exit_code(engine, tool, job.unless) if job.unless else None
        code = getattr(engine, job.work)(job.page, **job.how).exit_code if past is None else past
    except EngineError as problem:
        code, error = problem.exit_code, f"{type(problem).__name__}: {problem}"
    seconds, run, found = time.monotonic() - began, "", {}
    with contextlib.suppress(EngineError):  # where the storage is damaged, nobody can say what is in it
        newest = _newest(engine, tool)
        run, found = newest.run if newest else "", left(engine, tool)
    return Ended(False, code, error, run, tuple(points), seconds, found, tuple(sorted(sys.modules)))


def _newest(engine: Engine, tool: str) -> Any:
    """The newest run that collects, as the ledger knows it; None where there is none."""
    if not engine.storage.has_ledger:
        return None
    ledger = engine.storage.ledger(only_read=True)
    try:
        return ledger.newest(tool, collecting=True)
    finally:
        ledger.close()


def _exit_code(engine: Engine, tool: str, run: str) -> int | None:
    """How a run ended; None where it has not."""
    newest = _newest(engine, tool)
    if newest is None or newest.run != run or newest.status in ("running", "interrupted"):
        return None
    return int(newest.result["exit_code"])


def _listen(die_at: tuple[str, int] | None) -> list[str]:
    """Note each commit point that is reached, and die at one of them."""
    reached: list[str] = []
    lock = threading.Lock()

    def hear(name: str, about: str) -> None:
        with lock:
            reached.append(name)
            if die_at and name == die_at[0] and reached.count(name) == die_at[1]:
                os.kill(os.getpid(), signal.SIGKILL)

    commit.hear = hear
    return reached


# --- the process that the others are forked from


def main() -> None:
    """Read jobs, one a line; say how each ended, one a line. `{"load": [...]}` loads modules."""
    for line in sys.stdin:
        said = json.loads(line)
        if "load" in said:
            for name in said["load"]:
                with contextlib.suppress(Exception):  # some can only be loaded by others
                    importlib.import_module(name)
            continue
        sys.stdout.write(json.dumps(_forked(Job.read(said))) + "\n")
        sys.stdout.flush()


def _forked(job: Job) -> Json:
    """How a job ended in a process of its own, killed where it takes longer than it may."""
    theirs, ours = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(theirs)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # where the process before says how jobs ended
        _end(job, ours)
    os.close(ours)
    said, until = bytearray(), None if job.after is None else time.monotonic() + job.after
    while True:
        ready, _, _ = select.select([theirs], [], [], None if until is None else max(0.0, until - time.monotonic()))
        if not ready:
            os.kill(process, signal.SIGKILL)
            until = None
        elif piece := os.read(theirs, 1 << 16):
            said += piece
        else:
            break
    os.close(theirs)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return asdict(Ended(killed=os.WTERMSIG(status) == signal.SIGKILL, error=f"signal {os.WTERMSIG(status)}"))
    return json.loads(said) if said else asdict(Ended(False, os.waitstatus_to_exitcode(status), "it said nothing"))


def _end(job: Job, ours: int) -> None:
    """Do the job, say how it ended, and leave without what the process before would do at its end."""
    try:
        said = asdict(work(job))
    except BaseException as error:  # a defect: whoever waits must hear of it
        import traceback

        told = "".join(traceback.format_exception(error))
        said = asdict(Ended(False, 1, told))
    with os.fdopen(ours, "w") as file:
        json.dump(said, file)
    os._exit(0)


if __name__ == "__main__":
    main()
