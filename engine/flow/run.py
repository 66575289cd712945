"""The walk itself: collect, process, report; each leaves the storage in order, wherever it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.clock import Clock, rfc3339
from engine.core.errors import Json, Mistake, SpecError
from engine.core.events import ReportWritten, Sink
from engine.core.kinds import About, Auth, Output
from engine.flow.connect import Connect
from engine.flow.crawl import Crawler
from engine.flow.fetch import Fetcher
from engine.flow.files import Files
from engine.flow.lease import Fence
from engine.flow.ledger import Ledger
from engine.flow.made import Made
from engine.flow.plan import Plan
from engine.flow.report import Result, told
from engine.flow.session import Keeper, Pool
from engine.flow.storage import Storage
from engine.flow.surroundings import Surroundings
from engine.flow.tables import Tables
from engine.flow.units import RunInfo
from engine.flow.writing import replace_json, writing


@dataclass
class Walk:
    """One run of one page in one storage."""

    plan: Plan
    run: RunInfo
    storage: Storage
    fence: Fence
    folder: Path
    """Where the page lies: files it names are beside it."""
    place: Callable[..., Any]
    """Path on the page -> Mark."""
    clock: Clock
    emit: Sink
    ledger: Ledger
    result: Result
    auth: Auth | None = None
    reach: Callable[[str], str] | None = None
    """Where an address is really asked: the simulator's door, else the address itself."""
    made_up: Callable[[str], Sequence[Json]] | None = None
    """The records of a file endpoint in a simulated run."""

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.plan.pipeline.tool

    def collect(self) -> None:
        """Fetch and keep every page, and seal what is whole."""
        files = Files(self.folder)
        connect = Connect(self.plan, self.clock, files, is_simulated=self.reach is not None)
        keeper = Keeper(self.ledger, self.tool)
        session = Pool(self.auth, self.clock, keeper, limited=self.reach is None) if self.auth else None
        deadline = connect.deadline()
        fetcher = Fetcher(self.clock, self.emit, trust=connect.trust(self.auth), deadline=deadline, reach=self.reach)
        crawler = Crawler(
            plan=self.plan,
            run=self.run,
            store=self.storage.store(self.tool),
            ledger=self.ledger,
            fetcher=fetcher,
            routes=connect.routes(session),
            clock=self.clock,
            emit=self.emit,
            concurrency=connect.concurrency(),
            files=files,
            rows=self.storage.shelf(self.tool).records,
            deadline=deadline,
            made_up=self.made_up,
        )
        try:
            self.result.collections = crawler.crawl()
        finally:
            fetcher.close()
            self.result.failures = list(crawler.failures.values())
            self.result.notes += [*(session.notes if session else []), *crawler.units.notes]
        self.result.settle()

    def process(self, through: str = "analytics") -> None:
        """Make every table from sealed collections and publish them by one rename; with `validation`, only check."""
        shelf = self.storage.shelf(self.tool, self.fence)
        around = Surroundings(
            plan=self.plan,
            run=self.run,
            store=self.storage.store(self.tool),
            shelf=shelf,
            files=Files(self.folder),
            place=self.place,
            check=lambda: self.clock.wait(0),
            through=through,
        )
        self.result.notes += [f"{name}: its files were damaged, it is made anew" for name in around.damaged]
        made = Tables(around, self.ledger.collections(self.tool), self.emit).make()
        self.result.tables = made
        self.result.settle()
        if through != "validation":
            shelf.publish(self._current(around.current, made))

    def report(self) -> None:
        """Write the page's reports from what is published."""
        current = self.storage.shelf(self.tool).current()
        self.result.notes += self._gaps()
        home = self.storage.root / "reports" / self.tool / self.run.id
        for name, output in self.plan.pipeline.reports.items():
            place = home / self._file_name(name, output)
            tables = {table: self._published(name, table, current) for table in output.tables()}
            try:
                with writing(place, self.fence) as unfinished:
                    output.write(tables, unfinished, self._about(current))
            except Mistake as mistake:
                raise _on_page(self.place("reports", name), name, mistake) from None
            self.result.reports[name] = str(place)
            self.emit(ReportWritten(name, str(place)))
        replace_json(home / "run.json", self.result.as_json(), self.fence)
        files = {name: f"{self.run.id}/{Path(path).name}" for name, path in self.result.reports.items()}
        replace_json(home.parent / "latest.json", {"run": self.run.id, "reports": files}, self.fence)

    # --- publishing

    def _current(self, before: Mapping[str, Json], made: Sequence[Made]) -> dict[str, Json]:
        tables = {**before.get("tables", {}), **{one.name: one.entry for one in made if one.entry}}
        known = set(self.plan.tables)
        return {
            "version": 1,
            "tool": self.tool,
            "run": self.run.id,
            "at": rfc3339(self.run.started_at),
            "simulated": self.result.simulated,
            "complete": all(one.complete for one in made),
            "collections": sorted({run for entry in tables.values() for run in entry.get("taken", {}).values()}),
            "tables": {name: entry for name, entry in tables.items() if name in known},
        }

    def _gaps(self) -> list[str]:
        """What is missing of the newest collections, where another run than this one made them."""
        newest = {one.endpoint: one for one in self.ledger.collections(self.tool)}
        now = {one.endpoint for one in self.result.collections}
        never = [one.name for one in self.plan.endpoints if not one.skipped and one.name not in newest]
        found = [text for name, one in newest.items() if name not in now for text in told(one)]
        return [*found, *(f"{name} was never collected" for name in never)]

    def _published(self, report: str, table: str, current: Mapping[str, Json]) -> pl.LazyFrame:
        rows = self.storage.shelf(self.tool).table(table, current)
        if rows is None:
            raise _on_page(
                self.place("reports", report),
                report,
                Mistake(
                    "report",
                    f'the table "{table}" was not made yet',
                    f"make it: engine run {self.tool}, or engine process {self.tool} where it was collected",
                ),
            )
        return rows

    def _about(self, current: Mapping[str, Json]) -> About:
        tables = self.plan.pipeline.tables
        return About(
            tool=self.tool,
            title=self.plan.pipeline.title or self.tool,
            run=self.run.id,
            started_at=self.run.started_at,
            simulated=self.result.simulated,
            notes=self.result.warnings(),
            docs={
                name: {c: column.doc for c, column in table.columns.items() if column.doc}
                for name, table in tables.items()
            },
            meanings={name: table.doc for name, table in tables.items() if table.doc},
            types={
                name: {column: kind["type"] for column, kind in entry["schema"].items()}
                for name, entry in current.get("tables", {}).items()
            },
            files=self._links(),
        )

    def _links(self) -> dict[str, str]:
        """Table -> the report beside this one that holds all of its rows."""
        links: dict[str, str] = {}
        for name, output in self.plan.pipeline.reports.items():
            tables = output.tables()
            if len(tables) == 1 and output.suffix != ".html":
                links.setdefault(tables[0], self._file_name(name, output))
        return links

    def _file_name(self, name: str, output: Output) -> str:
        """The file of a report; a simulated one says so in its name, as csv has no other place for it."""
        return f"{name}{'.simulated' if self.result.simulated else ''}{output.suffix}"


def _on_page(mark: Any, name: str, mistake: Mistake) -> SpecError:
    return SpecError(f'report "{name}": {mistake}', mistake.fix, mark)
