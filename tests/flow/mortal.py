"""Runs in processes that are killed at a commit point, and go on in others: what the tests of resuming share."""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.app import Engine
from engine.app.config import Config
from engine.app.engine import registry
from engine.core import commit
from engine.core.clock import Clock
from engine.core.errors import Json
from engine.flow.ledger import Collection, Ledger, RunRecord
from engine.flow.raw import Frame
from engine.flow.store import Store
from tests.flow.desk import NOON, Tiny
from tests.house.source import ROOT

POINTS = ("frame half", "frame kept", "ledger changed", "ledger committed")
PAGES = ("frame half", "frame kept")
MOST_KILLS = 200
EVERY = tuple(range(1, MOST_KILLS))
TOLD = ("endpoint", "page", "request", "units")
LOADED = (
    "encodings.idna",
    "engine.app.running",
    "engine.app.sealed",
    "engine.app.tools",
    "engine.flow.ledger.sqlite",
    "engine.flow.run",
    "urllib3",
)


def main() -> None:
    """Do each run that a line asks for in a process of its own, forked from this one; print how it ended."""
    for name in LOADED:
        importlib.import_module(name)
    registry()
    gc.freeze()  # so that no child copies the pages that its collector would write to
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _live(json.loads(line))
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write(json.dumps({"killed": killed, "status": status}) + "\n")
        sys.stdout.flush()


def _live(asked: dict[str, Any]) -> None:
    try:
        commit.hear = _killer(asked["points"], asked["kill"]) if asked["kill"] else None
        now, chance = [NOON + asked["later"]], random.Random(os.getpid())

        def wait(seconds: float) -> None:
            now[0] += max(0.0, seconds)

        config = Config.model_validate({"storage": asked["storage"]})
        engine = Engine(config=config, env=asked["env"], clock=Clock(lambda: now[0], wait, chance.random))
        how: Any = {"params": asked["params"]}
        result = engine.resume(asked["resume"], **how) if asked["resume"] else engine.collect(asked["page"], **how)
        Path(asked["result"]).write_text(json.dumps(result.as_json()))
    except BaseException as error:
        Path(asked["result"]).write_text(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    finally:
        os._exit(0)


def _killer(points: list[str], number: int) -> Callable[..., None]:
    reached = [0]

    def hear(name: str, *more: object) -> None:
        if name in points:
            reached[0] += 1
            if reached[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return hear


@dataclass
class Mortal:
    """Collects a page from a vendor, as often as needed, in processes that may be killed."""

    folder: Path
    vendor: Tiny
    process: subprocess.Popen[str]
    env: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    storage: Path = field(init=False)
    runs: int = 0

    def __post_init__(self) -> None:
        self.anew()

    def anew(self) -> None:
        """Take an empty storage, and forget what was asked."""
        self.runs += 1
        self.storage = self.folder / f"storage-{self.runs}"
        self.vendor.log.clear()

    def page(self, endpoints: Mapping[str, Any], **sections: Any) -> Path:
        """A page of these endpoints."""
        connection = {"base_url": self.vendor.url, "concurrency": 1, **sections.pop("connection", {})}
        said = {"version": 1, "tool": "acme", "connection": connection, "endpoints": endpoints, **sections}
        place = self.folder / "acme.yaml"
        place.write_text(json.dumps(said))
        return place

    def collect(self, page: Path, *, resume: str = "", later: float = 1.0) -> dict[str, Json]:
        """Collect, or go on with a run, so many seconds behind noon; gives the result."""
        assert not self._lived(page, resume=resume, later=later)
        found: dict[str, Json] = json.loads((self.folder / "result.json").read_text())
        assert "error" not in found, found
        return found

    def killed(
        self,
        page: Path,
        at: int = 1,
        points: tuple[str, ...] = ("frame kept",),
        *,
        resume: str = "",
        later: float = 1.0,
    ) -> bool:
        """Collect, and die at the commit point with this number; gives whether there is one."""
        return self._lived(page, kill=at, points=points, resume=resume, later=later)

    def _lived(
        self, page: Path, *, kill: int = 0, points: tuple[str, ...] = (), resume: str = "", later: float = 1.0
    ) -> bool:
        result = self.folder / "result.json"
        told = {"page": str(page), "storage": str(self.storage), "env": dict(self.env), "params": dict(self.params)}
        asked = {**told, "kill": kill, "points": points, "resume": resume, "later": later, "result": str(result)}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return bool(json.loads(self.process.stdout.readline())["killed"])

    # --- what is there in the end

    def newest(self) -> RunRecord | None:
        """The newest run; None where it was killed before it began."""
        ledger = Ledger(self.storage / "engine.db")
        try:
            return ledger.newest("acme", collecting=True)
        finally:
            ledger.close()

    def asked(self) -> Counter[str]:
        """How often each thing was asked for."""
        return Counter(
            f"{asked.method} {asked.target} {asked.body.decode()}"
            for asked, _ in self.vendor.log
            if asked.method != "BROKEN"
        )

    def left(self, *endpoints: str) -> dict[str, Any]:
        """What a run leaves: its pages by unit, what was sealed, its units and its marks."""
        ledger, store = Ledger(self.storage / "engine.db"), Store(self.storage, "acme")
        try:
            sealed = ledger.collections("acme")
            found: dict[str, Any] = {"sealed": [_sealed(one) for one in sealed], "marks": _marks(ledger)}
            for name in endpoints:
                run = next(one.run for one in sealed if one.endpoint == name)
                found[name] = [(unit, [_page(one) for one in pages]) for unit, pages in store.units(name, run)]
                _, units = ledger.sweep(run, name) or (None, [])
                found[f"units of {name}"] = [
                    (one.unit, one.binding, one.pages, one.rows, one.status, one.note) for one in units
                ]
            return found
        finally:
            ledger.close()


def _told(result: dict[str, Json]) -> Any:
    errors = [
        (one["message"], one["fix"], {name: one["context"].get(name) for name in TOLD}) for one in result["errors"]
    ]
    return result["status"], errors, result["notes"]


def _sealed(one: Collection) -> Any:
    return one.endpoint, one.complete, one.rows, one.pages, one.missing, one.skipped


def _page(frame: Frame) -> Any:
    meta = frame.meta
    return meta.page, meta.request, meta.cursor, meta.last, meta.rows, meta.skip, dict(meta.add), frame.body


def _marks(ledger: Ledger) -> Any:
    return [(one.kind, one.partition, one.value, one.binding, one.endpoint) for one in ledger.marks("acme")]


@contextmanager
def mother() -> Iterator[subprocess.Popen[str]]:
    """A process that runs are forked from, one after the other."""
    words = [sys.executable, "-c", "from tests.flow.mortal import main; main()"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def same_after_every_kill(
    mortal: Mortal,
    page: Path,
    *endpoints: str,
    points: tuple[str, ...] = POINTS,
    repeated: int = 1,
    begin: Callable[[], None] = lambda: None,
    numbers: Sequence[int] = EVERY,
) -> int:
    """Kill at every commit point in turn, or at those of these numbers, and go on; gives how many points there are.

    What is left must be that of an undisturbed run, with at most so many requests more.
    """
    begin()
    whole = mortal.collect(page)
    expected, requests = mortal.left(*endpoints), mortal.asked()
    for number in numbers:
        mortal.anew()
        begin()
        if not mortal.killed(page, number, points):
            assert numbers is EVERY, f"there is no point {number}"
            return number - 1
        newest = mortal.newest()
        has_ended = newest is not None and newest.ended_at is not None
        result = whole if has_ended else mortal.collect(page, later=2.0 if newest else 1.0)
        for was, there in zip(
            [*expected.items(), _told(whole)], [*mortal.left(*endpoints).items(), _told(result)], strict=True
        ):
            assert was == there, f"kill {number}:\n  {was}\n  {there}"
        more = mortal.asked() - requests
        assert sum(more.values()) <= repeated, (number, more)
        assert not requests - mortal.asked()
    assert numbers is not EVERY, "the run never ends"
    return numbers[-1]
