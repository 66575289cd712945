"""The walk itself: collect, process, report; each leaves the storage in order, wherever it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.clock import Clock, rfc3339
from engine.core.errors import Json, Mistake, SpecError, StorageError
from engine.core.events import ReportStarted, ReportWritten, Sink
from engine.core.kinds import About, Auth, Output
from engine.flow.connect import Connect
from engine.flow.crawl import Crawler
from engine.flow.early import Early, intakes
from engine.flow.fetch import Fetcher
from engine.flow.files import Files
from engine.flow.intake import constants
from engine.flow.lease import Fence
from engine.flow.ledger import Collection, Ledger
from engine.flow.made import Made
from engine.flow.pages import Hears, deaf
from engine.flow.piped import pieces
from engine.flow.plan import Plan
from engine.flow.publish import Shelf
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
    replays: str = ""
    """The run up to which collections are taken, where tables are made of them alone, whatever is published."""
    version: dict[str, Json] = field(default_factory=dict)
    """What this run made."""
    early: Early | None = None
    """What reads pages while others are fetched."""

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.plan.pipeline.tool

    def collect(self, *, ahead: bool = False) -> None:
        """Fetch and keep every page, and seal what is whole; what comes is read `ahead` where tables shall be made."""
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
            fence=self.fence,
            hear=self._hear() if ahead else deaf,
        )
        try:
            self.result.collections = crawler.crawl()
        finally:
            fetcher.close()
            self.result.failures = list(crawler.failures.values())
            self.result.notes += [*(session.notes if session else []), *crawler.units.notes]
        self.result.settle()

    def _hear(self) -> Hears:
        """Hears of kept pages and reads them."""
        shelf = self.storage.shelf(self.tool, self.fence)
        with suppress(StorageError):  # told where the tables are made
            can_be = intakes(self.plan, constants(self.plan, self.run), shelf.current())
            self.early = Early(can_be, shelf.scratch_home(self.run.id), self.storage.seal) if can_be else None
        return self.early.hear if self.early else deaf

    def close(self) -> None:
        """Leave nothing behind of what was read ahead."""
        if self.early:
            self.early.close()

    def process(self, through: str = "analytics") -> None:
        """Make every table from sealed collections and publish them by one rename; with `validation`, only check.

        A run that goes on behind its processing finds what it made, and only publishes that.
        """
        shelf = self.storage.shelf(self.tool, self.fence)
        self.version = shelf.version(self.run.id)
        if self.version:
            entries, page = self.version["tables"], self.place("tables").file
            self.result.notes = list(self.version["notes"])
            self.result.tables = [Made.of(one, entries.get(one["name"], {}), page) for one in self.version["made"]]
        else:
            self._make(shelf, through)
        self.result.settle()
        if self._is_current(shelf):
            shelf.publish(self.version)
        elif self.version:
            self.result.notes.append("newer tables or collections are there: what was made is kept, and not published")
        if self.version:
            shelf.tidy(self.version)

    def _make(self, shelf: Shelf, through: str) -> None:
        if self.early:
            self.early.finish()
        around = Surroundings(
            plan=self.plan,
            run=self.run,
            store=self.storage.store(self.tool),
            shelf=shelf,
            files=Files(self.folder),
            place=self.place,
            check=lambda: self.clock.wait(0),
            through=through,
            waivers=self.ledger.waivers(self.tool),
            naming=self.ledger.naming(self.tool),
            releases=self.ledger.releases(self.tool),
            anew=bool(self.replays),
            early=self.early,
        )
        self.result.notes += [f"{name}: its files were damaged, it is made anew" for name in around.damaged]
        self.result.tables = made = Tables(around, self._sealed(), self.emit).make()
        if through != "validation":
            told = {"made": [one.kept_json() for one in made], "notes": self.result.notes}
            self.version = {**self._current(around.current, made), **told}
            shelf.keep(self.version)

    def _sealed(self) -> list[Collection]:
        """The collections that tables are made of."""
        return [one for one in self.ledger.collections(self.tool) if not self.replays or one.run <= self.replays]

    def _is_current(self, shelf: Shelf) -> bool:
        """Whether what this run made is the newest there is: nothing was collected behind a replay.

        Where a later run published while this one was interrupted, what counts is which of them rests on newer
        collections.
        """
        newer = self.replays and any(one.run > self.replays for one in self.ledger.collections(self.tool))
        if newer or not self.version:
            return False
        current = shelf.current()
        if current.get("run", "") <= self.run.id:
            return True
        before, now = _taken(current), _taken(self.version)
        spans = [(run, before.get(of, "")) for of, run in now.items()]
        return all(mine >= theirs for mine, theirs in spans) and any(mine > theirs for mine, theirs in spans)

    def report(self) -> None:
        """Write the page's reports from what this run made, or where it made nothing from what is published."""
        shelf = self.storage.shelf(self.tool)
        current = self.version or shelf.current()
        self.result.notes += self._gaps()
        home = self.storage.root / "reports" / self.tool / self.run.id
        for name, output in self.plan.pipeline.reports.items():
            place = home / self._file_name(name, output)
            tables = {table: self._published(name, table, current) for table in output.tables()}
            self.emit(ReportStarted(name, sum(current["tables"][table]["rows"] for table in tables)))
            try:
                with shelf.blaming(), writing(place, self.fence) as unfinished:
                    self._write(output, tables, unfinished, place, current)
            except Mistake as mistake:
                raise _on_page(self.place("reports", name), name, mistake) from None
            self.result.reports[name] = str(place)
            self.emit(ReportWritten(name, str(place)))
        replace_json(home / self._sealed_name("run.json"), self.result.as_json(), self.fence, self.storage.seal)
        files = {name: f"{self.run.id}/{Path(path).name}" for name, path in self.result.reports.items()}
        if not self.version or shelf.current().get("run") == self.run.id:
            replace_json(home.parent / "latest.json", {"run": self.run.id, "reports": files}, self.fence)

    def _write(
        self,
        output: Output,
        tables: Mapping[str, pl.LazyFrame],
        unfinished: Path,
        place: Path,
        current: Mapping[str, Json],
    ) -> None:
        """Write a report; a sealed one goes through memory, for nothing of it may lie on the disk as it is."""
        about = self._about(current)
        if not self._is_sealed(output):
            output.write(tables, unfinished, about)
            return
        with unfinished.open("wb") as file:
            plain = pieces(lambda path: output.write(tables, path, about))
            file.writelines(self.storage.seal.pack(plain, place))

    def _is_sealed(self, output: Output) -> bool:
        return self.storage.seal.is_on and output.encrypt

    def _sealed_name(self, name: str) -> str:
        return f"{name}.enc" if self.storage.seal.is_on else name

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
        newest = {one.endpoint: one for one in self._sealed()}
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
            sealed=self.storage.seal.is_on,
            files=self._links(),
        )

    def _links(self) -> dict[str, str]:
        """Table -> the report beside this one that holds all of its rows."""
        links: dict[str, str] = {}
        for name, output in self.plan.pipeline.reports.items():
            tables = output.tables()
            if len(tables) == 1 and output.suffix != ".html" and not self._is_sealed(output):
                links.setdefault(tables[0], self._file_name(name, output))
        return links

    def _file_name(self, name: str, output: Output) -> str:
        """The file of a report; a simulated one says so in its name, as csv has no other place for it."""
        whole = f"{name}{'.simulated' if self.result.simulated else ''}{output.suffix}"
        return self._sealed_name(whole) if output.encrypt else whole


def _taken(version: Mapping[str, Json]) -> dict[tuple[str, str], str]:
    """(table, endpoint) -> the newest collection that the table rests on."""
    entries = version.get("tables", {}).items()
    return {(name, endpoint): run for name, entry in entries for endpoint, run in entry["taken"].items()}


def _on_page(mark: Any, name: str, mistake: Mistake) -> SpecError:
    return SpecError(f'report "{name}": {mistake}', mistake.fix, mark)
