"""A page with a storage of its own, whose collections are kept by hand, so that tables are made of them for real."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import polars as pl

from engine.app import Engine
from engine.app.config import Config
from engine.core.clock import Clock
from engine.flow.ledger import Collection, Ledger, RunRecord
from engine.flow.raw import Meta
from engine.flow.report import Result
from engine.flow.store import Lanes, Store

STARTED_AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
HEAD = """
version: 1
tool: shop
connection: { base_url: "http://127.0.0.1:9" }
"""
THINGS = "endpoints: { things: /things }\n"
Page = Sequence[Any] | str
"""The records of a kept page, or its text as the vendor sent it."""


class Shop:
    """A page and its storage; the time stands still but for `later`."""

    def __init__(
        self, folder: Path, page: str, *, endpoints: str = THINGS, env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.env = env or {}
        self.now = STARTED_AT
        self.write(page, endpoints=endpoints)

    def write(self, page: str, *, endpoints: str = THINGS) -> None:
        """Write the page anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "shop.yaml").write_text(HEAD + dedent(endpoints) + dedent(page))

    def later(self, *, days: int) -> None:
        """Let days pass."""
        self.now += timedelta(days=days)

    @property
    def engine(self) -> Engine:
        """An engine on this storage."""
        clock = Clock(self.now.timestamp, lambda seconds: None, random.Random(1).random)
        config = Config.model_validate({"pipelines_dir": self.folder, "storage": self.storage})
        return Engine(config=config, env=self.env, clock=clock)

    def keep(
        self,
        *pages: Page,
        endpoint: str = "things",
        add: Mapping[str, Any] | None = None,
        missing: Sequence[str] = (),
        skipped: Sequence[str] = (),
    ) -> str:
        """Keep pages of an endpoint and seal them, as a run of its own; gives the run."""
        return self.keep_all({endpoint: pages}, add=add, missing=missing, skipped=skipped)

    def keep_all(
        self,
        endpoints: Mapping[str, Sequence[Page]],
        *,
        add: Mapping[str, Any] | None = None,
        missing: Sequence[str] = (),
        skipped: Sequence[str] = (),
    ) -> str:
        """The same for several endpoints in one run."""
        ledger, store = Ledger(self.storage / "engine.db"), Store(self.storage, "shop")
        run = ledger.begin_run(RunRecord("", "shop", "collect", started_at="2026-01-01T00:00:00Z")).run
        for endpoint, pages in endpoints.items():
            lanes = Lanes(store, run, 1)
            segment = lanes.take(endpoint)
            for at, page in enumerate(pages):
                body = page if isinstance(page, str) else json.dumps(page)
                meta = Meta(at, f"GET /{endpoint}?page={at}", "", 0.0, add=dict(add or {}), unit="0000000-unit")
                segment.append(meta, body.encode())
            lanes.close(endpoint)
            rows = sum(len(page) for page in pages if not isinstance(page, str))
            sealed = Collection(run, endpoint, not missing, rows, len(pages), tuple(missing), tuple(skipped))
            ledger.seal("shop", sealed)
        ledger.close()
        return run

    def process(self, stage: str = "analytics") -> Result:
        """Make the tables."""
        return self.engine.process("shop", stage)

    def rows(self, table: str = "things") -> list[dict[str, Any]]:
        """The published rows of a table."""
        return self.frame(table).to_dicts()

    def frame(self, table: str = "things") -> pl.DataFrame:
        """The published rows of a table as a frame."""
        found = self.engine.table("shop", table).collect()
        assert isinstance(found, pl.DataFrame)
        return found

    def column(self, name: str, table: str = "things") -> list[Any]:
        """One column of the published rows."""
        return self.frame(table)[name].to_list()

    def entry(self, table: str = "things") -> dict[str, Any]:
        """What `current.json` says of a table."""
        entry: dict[str, Any] = self.engine.current("shop")["tables"][table]
        return entry

    def quarantine(self, run: str, table: str = "things") -> list[dict[str, Any]]:
        """The rows that a run set apart."""
        home = self.storage / "quarantine" / "shop" / table / run
        return pl.read_parquet(home).to_dicts() if home.is_dir() else []

    def files(self, *folders: str) -> dict[str, bytes]:
        """Every file below some folders of the storage, by its path there."""
        found = (path for folder in folders for path in (self.storage / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(self.storage)): path.read_bytes() for path in found}


def made(shop: Shop, *pages: Page, **how: Any) -> Result:
    """Keep pages and make the tables of them."""
    shop.keep(*pages, **how)
    return shop.process()


def told(result: Result, table: str = "things") -> list[tuple[str, str, int, bool]]:
    """Of each rule of a table: its word, its level, how many rows failed, whether it passed."""
    [found] = [one for one in result.tables if one.name == table]
    return [(one.rule, one.level, one.failed, one.passed) for one in found.outcomes]
