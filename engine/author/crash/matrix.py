"""All kills of one page: at its commit points, at random instants, and twice; each resumed and held against one run."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

from engine.author.crash.job import Ended, Job
from engine.author.crash.left import different
from engine.author.crash.nursery import Nursery
from engine.author.crash.vendor import Opening
from engine.core.errors import ConfigError, Json

WORKERS = 2
TWICE = 3
"""Each so many of those killed at random are killed once more while they go on."""
Kill = dict[str, Any]
"""What is changed of a job so that it dies: `point` or `after`."""


@dataclass(frozen=True)
class Settings:
    """How much is tried."""

    points: int | None = None
    """So many commit points, evenly among all; all of them unless said."""
    ends: bool = True
    """Whether the first and the last of each kind are tried, too."""
    random: int = 50
    seed: int = 1
    workers: int = WORKERS


@dataclass(frozen=True)
class Tried:
    """What came of a storage in which runs were killed and the last one was left alone."""

    kind: str
    """What the kills have in common."""
    at: str
    kills: int
    """How often a run was killed: none where it ended before."""
    differences: tuple[str, ...] = ()
    """What it left that an undisturbed run did not, or otherwise."""
    again: tuple[str, ...] = ()
    """Requests beyond those of an undisturbed run."""
    most: int = 0
    """How many may be: what was in flight at each kill."""
    unasked: int = 0
    """Requests of an undisturbed run that never came."""

    @property
    def repeated(self) -> int:
        """How many requests came beyond those of an undisturbed run."""
        return len(self.again)

    @property
    def holds(self) -> bool:
        """Whether it is as if nobody had been killed."""
        return not self.differences and not self.unasked and self.repeated <= self.most

    def as_json(self) -> dict[str, Json]:
        """For `--json`."""
        return {
            "kind": self.kind,
            "at": self.at,
            "kills": self.kills,
            "differences": list(self.differences),
            "requests_repeated": self.repeated,
            "repeated": list(self.again),
            "may_repeat": self.most,
            "requests_missing": self.unasked,
            "holds": self.holds,
        }


@dataclass
class Report:
    """What a crash test found."""

    page: str
    requests: int
    points: int
    """Commit points of an undisturbed run."""
    run_seconds: float
    in_flight: int
    seed: int
    exit_code: int
    """How the undisturbed run ended."""
    tried: list[Tried] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether every run ended as if nobody had been killed."""
        return all(one.holds for one in self.tried)

    def as_json(self) -> dict[str, Json]:
        """Everything, for `--json`."""
        said = {name: value for name, value in vars(self).items() if name != "tried"}
        return {**said, "holds": self.holds, "tried": [one.as_json() for one in self.tried]}


@dataclass
class Matrix:
    """Kills the runs of a job."""

    job: Job
    opening: Opening
    in_flight: int
    settings: Settings = field(default_factory=Settings)
    template: Path | None = None
    """A storage in which runs ended before: what is killed goes on from there."""
    _base: Ended = field(init=False)
    _asked: Counter[str] = field(init=False)

    def run(self, tell: Callable[[Tried], None] = lambda tried: None) -> Report:
        """Try everything; `tell` hears of each. Raises EngineError where not even an undisturbed run ends."""
        began = time.monotonic()
        with ExitStack() as stack:
            idle: SimpleQueue[Nursery] = SimpleQueue()
            nurseries = [stack.enter_context(Nursery()) for _ in range(self.settings.workers)]
            self._base, asked, _ = self._scenario(nurseries[0], [])
            self._asked = Counter(asked)
            if self._base.error:
                raise ConfigError(f"a run that nobody kills ends so: {self._base.error}", "mend that first")
            for nursery in nurseries:
                nursery.load(self._base.modules)
                idle.put(nursery)

            def tried(plan: tuple[str, str, Sequence[Kill]]) -> Tried:
                nursery = idle.get()
                try:
                    return self._tried(nursery, *plan)
                finally:
                    idle.put(nursery)

            report = self._report()
            report.tried.append(tried(("not killed", "", [])))
            with ThreadPoolExecutor(self.settings.workers) as pool:
                for one in pool.map(tried, self._kills()):
                    report.tried.append(one)
                    tell(one)
        report.seconds = time.monotonic() - began
        return report

    def _report(self) -> Report:
        base = self._base
        return Report(
            page=self.job.page,
            requests=self._asked.total(),
            points=len(base.points),
            run_seconds=base.seconds,
            in_flight=self.in_flight,
            seed=self.settings.seed,
            exit_code=base.exit_code,
        )

    def _kills(self) -> Iterator[tuple[str, str, Sequence[Kill]]]:
        """What is killed: at points first, then at random instants, some of these twice."""
        reached: Counter[str] = Counter()
        every = []
        for name in self._base.points:
            reached[name] += 1
            every.append((name, reached[name]))
        for name, number in chosen(every, self.settings.points, ends=self.settings.ends):
            yield name, f"{name} {number}", [{"point": (name, number)}]
        chance = Random(self.settings.seed)
        for number in range(self.settings.random):
            times = [chance.uniform(0, self._base.seconds) for _ in range(2 if number % TWICE == TWICE - 1 else 1)]
            kind = "at random" if len(times) == 1 else "at random, twice"
            yield kind, ", ".join(f"{after:.3f} s" for after in times), [{"after": after} for after in times]

    def _scenario(self, nursery: Nursery, kills: Sequence[Kill]) -> tuple[Ended, list[str], int]:
        """Runs that are killed, and one that is not, in a storage of their own: how that one ended, what was asked."""
        home = Path(tempfile.mkdtemp(prefix="engine-crash-"))
        try:
            if self.template:
                shutil.copytree(self.template, home / "storage")
            with self.opening() as scene:
                job = self.job.but(**scene.changes)
                job = job.but(config={**job.config, "storage": str(home / "storage")})
                dead = 0
                for kill in kills:
                    ended = nursery.run(job.but(**kill, unless=self._base.run))
                    if not ended.killed:
                        return ended, list(scene.asked()), dead
                    dead += 1
                return nursery.run(job.but(unless=self._base.run) if kills else job), list(scene.asked()), dead
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _tried(self, nursery: Nursery, kind: str, at: str, kills: Sequence[Kill]) -> Tried:
        ended, asked, dead = self._scenario(nursery, kills)
        differences = different(self._base.left, ended.left)
        if (ended.exit_code, ended.error) != (self._base.exit_code, self._base.error):
            differences.insert(0, f"exit {ended.exit_code} instead of {self._base.exit_code}: {ended.error}")
        now = Counter(asked)
        return Tried(
            kind=kind,
            at=at,
            kills=dead,
            differences=tuple(differences),
            again=tuple((now - self._asked).elements()),
            most=dead * self.in_flight,
            unasked=(self._asked - now).total(),
        )


def chosen(points: Sequence[tuple[str, int]], most: int | None, *, ends: bool = True) -> list[tuple[str, int]]:
    """So many of the points, evenly among all; with `ends` also the first and last of each kind."""
    if most is None or len(points) <= most:
        return list(points)
    last = dict(points) if ends else {}
    kept = {round(at * (len(points) - 1) / max(1, most - 1)) for at in range(most)}
    return [one for at, one in enumerate(points) if at in kept or (ends and one[1] in (1, last[one[0]]))]
