"""A page, a tiny vendor and a storage: what the tests of collecting share."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.app import Engine
from engine.app.config import Config
from engine.core.clock import Clock
from engine.core.errors import Json
from engine.core.events import Event
from engine.flow.ledger import Collection, Kind, Ledger
from engine.flow.raw import Frame, rows_of
from engine.flow.report import Result
from engine.flow.store import Store
from tests.vendors.server import Answer, Asked, Server

NOON = 1_781_524_800.0
"""2026-06-15T12:00:00Z."""
CHANCES = itertools.count()


@dataclass
class Time:
    """A clock that moves only when somebody waits, and remembers each wait."""

    now: float = NOON
    waits: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, seconds: float) -> None:
        """Pass so many seconds at once."""
        if seconds > 0:
            with self.lock:
                self.waits.append(round(seconds, 3))
                self.now += seconds

    def clock(self) -> Clock:
        """The clock to hand in; chance is one half, and a little more each time: no two keys are the same."""
        return Clock(lambda: self.now, self.wait, lambda: 0.5 + next(CHANCES) * 2.0**-32)


class Tiny(Server):
    """A vendor of a few paths: each is a value, an answer, or a function of the request."""

    def __init__(self, routes: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.routes = dict(routes or {})

    def answer(self, asked: Asked) -> Answer:
        """What stands at the path."""
        found = self.routes.get(asked.path, Answer.json({"error": {"message": "not here"}}, 404))
        value = found(asked) if callable(found) else found
        return value if isinstance(value, Answer) else Answer.json(value)

    def targets(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.target for asked, _ in self.log]


@dataclass
class Desk:
    """Collects a page of these endpoints from this vendor, with time that does not pass."""

    folder: Path
    vendor: Server
    time: Time = field(default_factory=Time)
    env: Mapping[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def storage(self) -> Path:
        """The storage's folder."""
        return self.folder / "storage"

    def engine(self) -> Engine:
        """An engine on this storage."""
        return Engine(
            config=Config.model_validate({"storage": self.storage}),
            env=self.env,
            emit=self.events.append,
            clock=self.time.clock(),
        )

    def page(self, endpoints: Mapping[str, Any], **sections: Any) -> Path:
        """A page of these endpoints; `connection` is laid over the vendor's address."""
        connection = {"base_url": self.vendor.url, **sections.pop("connection", {})}
        page = {"version": 1, "tool": "acme", "connection": connection, "endpoints": endpoints, **sections}
        place = self.folder / "acme.yaml"
        place.write_text(json.dumps(page))
        return place

    def collect(self, endpoints: Mapping[str, Any], *, given: Mapping[str, str] | None = None, **page: Any) -> Result:
        """Collect once more, a second later than before; `given` are params as of the command line."""
        self.time.now += 1
        return self.engine().collect(self.page(endpoints, **page), params=given)

    def frames(self, endpoint: str) -> list[Frame]:
        """The pages that the newest run kept."""
        store = Store(self.storage, "acme")
        runs = store.runs(endpoint)
        return list(store.frames(endpoint, runs[-1])) if runs else []

    def rows(self, endpoint: str, records: str = "@") -> list[Json]:
        """The records that the newest run kept, with what was added to them."""
        found = [
            (json.loads(row), frame.meta.add) for frame in self.frames(endpoint) for row in rows_of(frame, records)
        ]
        return [{**row, **add} if isinstance(row, dict) else row for row, add in found]

    def watermarks(self, endpoint: str, kind: Kind = "window") -> list[str]:
        """The watermarks of an endpoint, sorted; none of parents of which nothing was read yet."""
        ledger = Ledger(self.storage / "engine.db")
        try:
            return sorted(filter(None, ledger.watermarks("acme", endpoint, kind).values()))
        finally:
            ledger.close()


def of(result: Result, endpoint: str) -> Collection:
    """What was sealed of an endpoint."""
    return next(one for one in result.collections if one.endpoint == endpoint)
