"""The whole walk over real HTTP: collect, process and report in one run."""

from __future__ import annotations

import json
import random
from pathlib import Path
from textwrap import dedent

from engine.app import Engine
from engine.app.config import Config
from engine.core.clock import Clock
from tests.flow.pages import STARTED_AT
from tests.vendors.server import Answer, Asked, Server

PAGE = """
version: 1
tool: shop
params: { url: { doc: Where the vendor is } }
connection: { base_url: "${param.url}" }
endpoints:
  teams: { get: /teams, records: data }
  things:
    for_each: { team: teams }
    get: /teams/${team.id}/things
    records: data
    paginate: { cursor: { read: answer.next, send: query.cursor } }
    add: { team: "${team.id}" }
tables:
  teams: { from: teams, key: id, columns: { id: { path: id, type: string } } }
  things:
    from: things
    key: [team, id]
    columns: { team: { path: team, type: string }, id: { path: id, type: integer }, v: { path: v, type: integer } }
    validate: [{ unique: [team, id] }, { refers_to: { column: team, table: teams, to: id } }]
    enrich: [{ derive: { w: v * 2 } }]
  sums: { sql: "SELECT team, sum(w) AS total FROM things GROUP BY team", key: team }
reports:
  list: { csv: things }
  sums: { json: sums }
"""


class Vendor(Server):
    """Two teams with five things each, two on a page."""

    def answer(self, asked: Asked) -> Answer:
        """A page of what is asked for."""
        if asked.path == "/teams":
            return Answer.json({"data": [{"id": "a"}, {"id": "b"}]})
        start = int(dict(asked.query).get("cursor", 0))
        rows = [{"id": at, "v": "x" if at == 3 else at} for at in range(start, min(start + 2, 5))]
        return Answer.json({"data": rows, "next": start + 2 if start + 2 < 5 else None})


def _engine(folder: Path, vendor: Vendor) -> Engine:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text(dedent(PAGE))
    clock = Clock(STARTED_AT.timestamp, lambda seconds: None, random.Random(1).random)
    values = {"pipelines_dir": folder, "storage": folder / "storage", "params": {"shop": {"url": vendor.url}}}
    return Engine(config=Config.model_validate(values), env={}, clock=clock)


def test_a_run_collects_processes_and_reports(tmp_path: Path) -> None:
    with Vendor() as vendor:
        engine = _engine(tmp_path, vendor)
        result = engine.run("shop")
    assert ("rules_failed", 12, 12, 2) == (
        result.status,
        result.records_collected,
        result.records_processed,
        result.quarantined,
    )
    rows = engine.table("shop", "things").collect().rows()
    assert [(team, at, at, at * 2) for team in "ab" for at in (0, 1, 2, 4)] == rows
    assert [{"team": "a", "total": 14}, {"team": "b", "total": 14}] == json.loads(
        Path(result.reports["sums"]).read_text()
    )


def test_a_quarantined_record_names_the_request_it_came_with(tmp_path: Path) -> None:
    import polars as pl

    with Vendor() as vendor:
        result = _engine(tmp_path, vendor).run("shop")
        found = pl.read_parquet(tmp_path / "storage" / "quarantine" / "shop" / "things" / result.run)
    assert [(f"GET {vendor.url}/teams/{team}/things?cursor=2", 1) for team in "ab"] == found.select(
        "request", "row"
    ).rows()


def test_two_runs_with_one_clock_and_number_give_the_same_bytes(tmp_path: Path) -> None:
    with Vendor() as vendor:
        results = [_engine(tmp_path / name, vendor).run("shop") for name in ("one", "two")]
    assert results[0].run == results[1].run
    found = [_outputs(tmp_path / name / "storage") for name in ("one", "two")]
    assert found[0] == found[1]
    assert {"processed_data", "reports"} == {path.split("/")[0] for path in found[0]}


def _outputs(storage: Path) -> dict[str, bytes]:
    """Tables and reports; the run's own report holds its times, quarantine the page's place."""
    files = (path for folder in ("processed_data", "reports") for path in (storage / folder).rglob("*.*"))
    return {
        str(path.relative_to(storage)): path.read_bytes()
        for path in files
        if path.is_file() and path.name not in ("run.json", "latest.json")
    }


def test_collecting_and_processing_apart_makes_the_same_tables(tmp_path: Path) -> None:
    with Vendor() as vendor:
        at_once, apart = _engine(tmp_path / "one", vendor), _engine(tmp_path / "two", vendor)
        at_once.run("shop")
        apart.collect("shop")
        apart.process("shop")
    for table in ("teams", "things", "sums"):
        assert at_once.table("shop", table).collect().rows() == apart.table("shop", table).collect().rows()


def test_processing_asks_the_vendor_nothing(tmp_path: Path) -> None:
    with Vendor() as vendor:
        engine = _engine(tmp_path, vendor)
        engine.collect("shop")
        asked = len(vendor.log)
        engine.process("shop")
        engine.report("shop")
        assert asked == len(vendor.log)
