"""A vendor with a list that is replaced and one that grows, and a storage in which runs of them were kept."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.app import Engine
from engine.core.errors import Json
from engine.flow.ledger import Ledger
from engine.flow.report import Result
from tests.flow.desk import Desk, Tiny
from tests.house.source import ROOT
from tests.vendors.server import Asked

DAY = 86_400.0
NEWS = {"field": "at", "start": "2026-06-01T00:00:00Z", "send": "query.since"}
ENDPOINTS = {
    "things": "/things",
    "events": {"get": "/events", "incremental": NEWS},
}
EVENTS = {"id": {"path": "id", "type": "integer"}, "at": {"path": "at", "type": "datetime"}}
TABLES = {
    "things": {
        "from": "things",
        "key": "id",
        "columns": {"id": {"path": "id", "type": "integer"}, "v": {"path": "v", "type": "integer"}},
        "validate": [{"range": {"column": "v", "max": 100, "tolerance": "90%"}}],
    },
    "events": {"from": "events", "key": "id", "columns": EVENTS},
}
KILLED = """
import os, sys, time
from engine.app import Engine
from engine.app.config import Config
from engine.core import commit
from engine.core.clock import Clock
storage, work, at, *words = sys.argv[1:]
left = [int(at)]
def hear(*point):
    left[0] -= 1
    if not left[0]:
        os._exit(9)
commit.hear = hear
now = float(os.environ["NOW"])
clock = Clock(lambda: now, lambda seconds: None, lambda: 0.5)
engine = Engine(config=Config.model_validate({"storage": storage}), env={}, clock=clock)
if work == "cleanup":
    engine.cleanup(max_age=24, raw=True)
else:
    getattr(engine, work)(*words)
"""
"""A work on a storage that ends at its commit point of some number."""


class Kept:
    """The desk, with the tool's page and what the vendor has of it."""

    def __init__(self, folder: Path, vendor: Tiny) -> None:
        self.desk = Desk(folder, vendor)
        self.things: list[Json] = [{"id": 1, "v": 1}, {"id": 2, "v": 999}]
        self.events: list[Json] = []
        vendor.routes = {"/things": lambda asked: self.things, "/events": self._since}
        self.page()

    def page(self, endpoints: Any = ENDPOINTS, **tables: Any) -> Path:
        """Write the page, with other tables than usual."""
        return self.desk.page(endpoints, tables={**TABLES, **tables}, reports={"list": {"csv": "things"}})

    def _since(self, asked: Asked) -> Json:
        return [row for row in self.events if row["at"] >= dict(asked.query)["since"]]

    @property
    def engine(self) -> Engine:
        """An engine on the storage, that knows where the page is."""
        engine = self.desk.engine()
        engine.config = engine.config.model_copy(update={"pipelines_dir": self.desk.folder})
        return engine

    @property
    def storage(self) -> Path:
        """Its folder."""
        return self.desk.storage

    def run(self, work: str = "run", *, days: float = 2, event: int | None = None) -> Result:
        """Do a work of the page, so many days after what was before, with an event more."""
        self.desk.time.now += days * DAY
        if event is not None:
            self.events.append({"id": event, "at": f"2026-06-{event:02d}T00:00:00Z"})
        result: Result = getattr(self.engine, work)(self.desk.folder / "acme.yaml")
        return result

    def clean(self, **how: Any) -> dict[str, Any]:
        """Clean up what is older than a day; gives what is told of the tool."""
        [told] = self.engine.cleanup(max_age=24, **how).as_json()["tools"]
        found: dict[str, Any] = told
        return found

    def rows(self, table: str) -> list[Any]:
        """The ids of the rows of a table."""
        found: Any = self.engine.table("acme", table).collect()
        ids: list[Any] = found["id"].to_list()
        return ids

    def ledger(self) -> Ledger:
        """The ledger, to be closed."""
        return self.engine.storage.ledger()

    def below(self, *path: str) -> list[str]:
        """The names in a folder of the storage."""
        place = self.storage.joinpath(*path)
        return sorted(one.name for one in place.iterdir()) if place.is_dir() else []

    def killed(self, work: str, at: int, *words: str, storage: Path | None = None) -> int:
        """Do a work in a process of its own that ends at a commit point; gives its exit code."""
        env = {"PYTHONPATH": str(ROOT), "NOW": str(self.desk.time.now)}
        call = [sys.executable, "-c", KILLED, str(storage or self.storage), work, str(at), *words]
        done = subprocess.run(call, env=env, check=False, stderr=subprocess.PIPE, text=True)
        assert done.returncode in (0, 9), done.stderr
        return done.returncode


Three = Callable[[], list[str]]
"""Makes three runs, two days apart; gives their names."""


def removed(told: dict[str, Any], kind: str, of: str = "") -> list[str]:
    """The runs of which something of a kind went: all of it, or that of a table or endpoint."""
    return sorted({piece["run"] for piece in told["removed"] if piece["kind"] == kind and of in piece["path"]})


def reasons(told: dict[str, Any], kind: str, of: str = "") -> dict[str, str]:
    """Run -> why what it made of a kind stays."""
    return {piece["run"]: piece["why"] for piece in told["kept"] if piece["kind"] == kind and of in piece["path"]}


def state(root: Path) -> dict[str, str]:
    """The hash of every file of a storage but its ledger, locks and logs."""
    apart = ("locks", "logs", "backups", ".gone")
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in apart and not path.name.startswith("engine.db")
    }


def read(place: Path) -> Json:
    """A file of JSON."""
    return json.loads(place.read_text())


def backed_up(kept: Kept) -> Path:
    """A backup of the storage."""
    return Path(kept.engine.backup()["backup"])


def restored(kept: Kept, backup: Path, name: str = "again") -> Engine:
    """An engine on a storage made of a backup."""
    engine = kept.engine
    engine.config = engine.config.model_copy(update={"storage": kept.desk.folder / name})
    engine.restore(backup)
    return engine


def tables(root: Path) -> dict[str, tuple[Any, ...]]:
    """What current.json says of each table."""
    found = read(root / "processed_data/acme/current.json")["tables"]
    return {name: (entry["sha256"], entry["taken"], entry["complete"]) for name, entry in found.items()}
