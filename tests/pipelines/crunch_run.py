"""Runs the 42Crunch page against a stand-in, with a clock that waits without sleeping."""

import contextlib
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.app import Engine
from engine.app.config import Config
from engine.core.clock import Clock
from engine.flow.report import Result
from tests.pipelines.apigee_run import Hours
from tests.pipelines.secret_search import kept
from tests.vendors.crunch import Crunch
from tests.vendors.crunch_inventory import Row
from tests.vendors.crunch_reports import Reports

PAGE = Path(__file__).parents[2] / "pipelines" / "42crunch.yaml"


@dataclass
class Stage:
    """A vendor, a storage and an engine that knows both; all that the engine says is kept in `said`."""

    vendor: Crunch
    storage: Path
    hours: Hours
    said: list[str] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        """An engine as a person would start it."""
        return Engine(
            config=Config.model_validate({"storage": self.storage}),
            env={"FORTYTWOCRUNCH_API_KEY": self.vendor.token},
            emit=lambda event: self.said.append(repr(event)),
            clock=Clock(self.hours.now, self.hours.wait, random.Random(7).random),
        )

    @property
    def params(self) -> dict[str, str]:
        """What the page must be told to find the stand-in."""
        return {"base_url": self.vendor.url, "rate_limit": "1000/s", "concurrency": "8"}

    def run(self, **how: Any) -> Result:
        """Collect, process and report; what is printed is kept in `said`."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            result = self.engine.run(PAGE, params=self.params, **how)
        self.said += [json.dumps(result.as_json()), printed.getvalue()]
        return result

    def collect(self, *only: str) -> Result:
        """Only fetch and keep, of these endpoints."""
        return self.engine.collect(PAGE, params=self.params, only=only)

    def publish(self, *only: str) -> tuple[Result, Result]:
        """Collect these endpoints and make the tables of records; the queries are left out."""
        collected = self.collect(*only)
        return collected, self.engine.process(PAGE, stage="enrichment", params=self.params, only=only)

    def rows(self, table: str) -> list[Row]:
        """The published rows of a table, in their order."""
        return self.engine.table("42crunch", table).collect().to_dicts()

    def everywhere(self) -> list[tuple[str, str]]:
        """All that the engine left in its storage, said or printed."""
        return [*kept(self.storage), *((f"said {number}", text) for number, text in enumerate(self.said))]


@contextlib.contextmanager
def opened(storage: Path, world: Reports | None = None, kind: type[Crunch] = Crunch, **how: Any) -> Iterator[Stage]:
    """A stage on which nothing has happened yet; `how` is for the vendor."""
    world = world or Reports()
    with kind(world, **how) as vendor:
        yield Stage(vendor, storage, Hours(world.now))
