"""A page run whole against its simulated vendor: what came out, beside what the vendor has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from engine.app import Engine
from engine.author.simulate import Simulator
from engine.author.simulate.judge import Judge, rows_of
from engine.author.simulate.simulator import Open, Published
from engine.author.simulate.world import World
from engine.core.clock import Clock
from engine.core.vendor import Stand
from engine.core.wire import Page, Request
from engine.flow.publish import Shelf
from engine.flow.report import Result
from tests.author.client import NOW

Rows = list[dict[str, Any]]


@dataclass
class Watched(Simulator):
    """The simulated vendor, with what it answered."""

    said: list[Page] = field(default_factory=list)

    @contextmanager
    def open(self, plan: Any, rows: Published = lambda table: ()) -> Iterator[Stand]:
        with super().open(plan, rows) as stand:
            assert isinstance(stand, Open)
            answer = stand.door.answer

            def noted(request: Request) -> Page:
                self.said.append(answer(request))
                return self.said[-1]

            stand.door.answer = noted
            yield stand


@dataclass(frozen=True)
class Whole:
    """A page with a storage of its own, and a clock that stands still."""

    page: Path
    storage: Path
    now: float = NOW
    seed: int = 1

    @classmethod
    def of(cls, text: str, folder: Path) -> Whole:
        """The page of a text."""
        page = folder / "acme.yaml"
        page.write_text(text)
        return cls(page, folder / "storage")

    @property
    def _engine(self) -> Engine:
        clock = Clock(lambda: self.now, lambda seconds: None, lambda: 0.5)
        engine = Engine.from_config(storage=self.storage, env={"HOME": "/"})
        return replace(engine, clock=clock)

    @property
    def vendor(self) -> Watched:
        """The simulated vendor."""
        return Watched.of(self._engine, self.page, self.seed)

    def run(self) -> Result:
        """Collect, process and report."""
        return self.watched()[0]

    def watched(self) -> tuple[Result, list[Page]]:
        """The same, with what the vendor answered."""
        vendor = self.vendor
        return self._engine.run(self.page, vendor=vendor), vendor.said

    def rows(self, table: str = "things") -> Rows:
        """What was published of a table."""
        shelf = Shelf(self.storage, "acme")
        found = shelf.table(table, shelf.current())
        return [] if found is None else _sorted(found.collect())

    def world(self, table: str = "things") -> Rows:
        """The rows that the vendor's records make, those that came twice once."""
        plan = self._engine.plan(self.page, vendor=self.vendor)
        world = World(plan, self.seed, self.now).build()
        judge = Judge(table, plan.pipeline.tables[table], {}, datetime.fromtimestamp(self.now, UTC))
        records = [one for name in judge.table.from_ for unit in world.units[name] for one in unit.whole]
        return _sorted(judge.frame([row for record in records for row in rows_of(judge.table, record)]))


def _sorted(frame: pl.DataFrame) -> Rows:
    return sorted(frame.unique().to_dicts(), key=str)
