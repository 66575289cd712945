"""Starts the processes of a crash test out of one that has everything loaded, so that each costs only its run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Self

from engine.author.crash.job import Ended, Job
from engine.core.errors import StorageError


class Nursery:
    """A process that forks another for each job, one after the other; open inside `with`."""

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "engine.author.crash.child"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def load(self, modules: Sequence[str]) -> None:
        """Load what a run needs, so that those that follow need not."""
        self._say({"load": list(modules)})

    def run(self, job: Job) -> Ended:
        """Do a job in a process of its own; gives how it ended."""
        self._say(job.as_json())
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise StorageError("the process of the crash test is gone", "is there memory left? run it again")
        said = json.loads(line)
        return Ended(**{**said, "points": tuple(said["points"]), "modules": tuple(said["modules"])})

    def _say(self, said: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()
