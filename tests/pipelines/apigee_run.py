"""Runs the Apigee page against a stand-in, with a clock that waits without sleeping."""

import contextlib
import io
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.app import Engine
from engine.app.config import Config
from engine.core.clock import Clock
from engine.flow.report import Result
from tests.vendors.apigee import Apigee
from tests.vendors.apigee_truth import World

PAGE = Path(__file__).parents[2] / "pipelines" / "apigee.yaml"
Row = dict[str, Any]


class Hours:
    """A clock whose time passes only by waiting; the stand-in reads it too, so that tokens expire by it."""

    def __init__(self, start: datetime) -> None:
        self.seconds = start.timestamp()
        self.waited: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.seconds

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self.waited.append(seconds)
            self.seconds += seconds

    def set(self, instant: datetime) -> None:
        """Let it be that time."""
        self.seconds = instant.timestamp()


@dataclass
class Stage:
    """A vendor, a storage and an engine that knows both; all that the engine says is kept in `said`."""

    vendor: Apigee
    storage: Path
    hours: Hours
    said: list[str] = field(default_factory=list)
    account: Any = None
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.account = self.vendor.service_account()

    @property
    def engine(self) -> Engine:
        """An engine as a person would start it."""
        return Engine(
            config=Config.model_validate({"storage": self.storage}),
            env=self.environment or {"APIGEE_SERVICE_ACCOUNT_KEY": json.dumps(self.account)},
            emit=lambda event: self.said.append(repr(event)),
            clock=Clock(self.hours.now, self.hours.wait, random.Random(7).random),
        )

    @property
    def params(self) -> dict[str, str]:
        """What the page must be told to find the stand-in."""
        return {
            "organization": self.vendor.world.organization,
            "base_url": self.vendor.base_url,
            "apihub_base_url": self.vendor.hub_url,
            "rate_limit": "1000/s",
        }

    def run(self, page: Path = PAGE, **how: Any) -> Result:
        """Collect, process and report; what is printed or raised is kept in `said`."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                result = self.engine.run(page, params=self.params, **how)
            self.said.append(json.dumps(result.as_json()))
            return result
        except Exception as error:
            self.said.append(f"{error!r} {error} {getattr(error, 'context', '')}")
            raise
        finally:
            self.said.append(printed.getvalue())

    def collect(self, *only: str, page: Path = PAGE) -> Result:
        """Only fetch and keep, of these endpoints."""
        return self.engine.collect(page, params=self.params, only=only)

    def publish(self, *only: str, page: Path = PAGE) -> tuple[Result, Result]:
        """Collect these endpoints and make the tables of records; the queries, which take a second, are left out."""
        collected = self.collect(*only, page=page)
        return collected, self.engine.process(page, stage="enrichment", params=self.params, only=only)

    def rows(self, table: str, tool: str = "apigee") -> list[Row]:
        """The published rows of a table, in their order."""
        return self.engine.table(tool, table).collect().to_dicts()


@contextlib.contextmanager
def opened(storage: Path, world: World | None = None, kind: type[Apigee] = Apigee, **how: Any) -> Iterator[Stage]:
    """A stage on which nothing has happened yet; `how` is for the vendor."""
    world = world or World()
    hours = Hours(world.now)
    with kind(world, clock=hours.now, **how) as vendor:
        yield Stage(vendor, storage, hours)


def by(key: str, rows: list[Row]) -> list[Row]:
    """The rows in the order of these columns."""
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in key.split()))


def utc(text: str) -> datetime:
    """A time of this test."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
