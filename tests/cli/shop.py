"""A small vendor over real HTTP, its page, and the command that is tried on it."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.app import Engine, errors, events
from engine.cli.main import commands
from tests.house.command import START
from tests.house.source import ROOT
from tests.vendors.server import Answer, Asked, Server

THINGS = [{"id": 1, "name": "ball", "price": 3.5}, {"id": 2, "name": "kite", "price": 12.0}, {"id": 3, "name": "top"}]
PAGE = """\
version: 1
tool: shop
title: The shop
params:
  url: { doc: Where the shop is., default: "%s" }
  rate: { type: rate, default: 1000/s }
  color: { doc: Only things of this color., optional: true }
connection:
  base_url: ${param.url}
  rate_limit: ${param.rate}
defaults: { records: items }
styles:
  paged: { paginate: { offset: { send: query.from, size: { send: query.count, value: 2 } } } }
endpoints:
  things: { use: paged, get: /things, query: { color: "${param.color}" } }
  parts:
    for_each: { thing: things }
    get: /things/${thing.id}/parts
    add: { thing_id: "${thing.id}" }
    responses:
      - when: { status: 403 }
        skip: { scope: unit, say: needs the Parts add-on }
tables:
  things:
    from: things
    key: id
    columns:
      id: { path: id, type: integer }
      name: { path: name, type: string, doc: What it is called. }
      price: { path: price, type: float }
    validate:
      - range: { column: price, max: 10, tolerance: 50%% }
  parts: { from: parts, key: [thing_id, no], columns: { thing_id: thing_id, no: { path: no, type: integer } } }
  cheap: { sql: "SELECT name FROM things WHERE price < 10 ORDER BY name" }
reports:
  list: { csv: things }
"""


class Shop(Server):
    """Things, each with parts; `held` requests wait until the test lets them go."""

    def __init__(self) -> None:
        super().__init__()
        self.things: list[dict[str, Any]] = copy.deepcopy(THINGS)
        self.hold = False
        self.hold_at = ""
        """The path whose next request waits until the test lets it go."""
        self.held, self.go = threading.Event(), threading.Event()

    def answer(self, asked: Asked) -> Answer:
        """Two things a page; one part for each thing."""
        if self.hold or self.hold_at == asked.path:
            self.hold_at = ""
            self.held.set()
            self.go.wait(20)
        if asked.path == "/things":
            start = int(dict(asked.query)["from"])
            return Answer.json({"items": self.things[start : start + 2]})
        return Answer.json({"items": [{"no": 1}]})


@dataclass(frozen=True)
class Desk:
    """A folder with the shop's page, and the commands typed in it."""

    folder: Path
    shop: Shop

    def engine(self, *words: str) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(commands, words, prog_name="engine", standalone_mode=False, catch_exceptions=False)

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Run a command in a process of its own."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([sys.executable, "-c", START, *words], cwd=self.folder, env=env, text=True, **pipes)

    def asked(self) -> list[str]:
        """Path and query of each request so far."""
        return [f"{asked.path}?{dict(asked.query).get('from', '')}" for asked, _ in self.shop.log]

    def killed(self, path: str, *words: str) -> None:
        """Run a command, and kill it while it waits for the answer at this path."""
        self.shop.hold_at = path
        with self.start(*words) as started:
            assert self.shop.held.wait(20)
            started.kill()
        self.shop.go.set()
        self.shop.held.clear()

    def stopped(self, pages: int, works: Sequence[str] = ("collect", "process", "report"), **how: Any) -> None:
        """Begin a run in this process, and stop it once so many pages are kept."""
        kept = 0

        def emit(event: events.Event) -> None:
            nonlocal kept
            kept += isinstance(event, events.PageKept)
            if kept == pages:
                engine.stop.ask()

        engine = Engine.from_config(emit=emit)
        with pytest.raises(errors.Stopped):
            engine.walk("shop", works, **how)

    def page(self, old: str = "", new: str = "") -> Path:
        """Write the page, with one text replaced by another."""
        place = self.folder / "pipelines" / "shop.yaml"
        place.parent.mkdir(exist_ok=True)
        assert old in PAGE
        place.write_text(PAGE.replace(old, new) % self.shop.url if old else PAGE % self.shop.url)
        return place
