"""The tables of one run, each made behind those it reads: of collected records, or by a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.core import sql
from engine.core.errors import DataError, Json, Mistake
from engine.core.events import Sink, TableEnded, TableStarted
from engine.core.kinds import Given, Reference, Step, View
from engine.flow.analyze import analyze
from engine.flow.assemble import Assembly
from engine.flow.enrich import enrich
from engine.flow.files import Files
from engine.flow.frames import AT
from engine.flow.ledger import Collection
from engine.flow.made import Made, definition, finish, quarantine
from engine.flow.plan import Plan
from engine.flow.publish import PartWriter, Shelf
from engine.flow.raw import Store
from engine.flow.sort import same_key
from engine.flow.units import RunInfo
from engine.flow.validate import HIDDEN, Placed, Validator, repeats
from engine.spec.model import Table


@dataclass
class Tables:
    """Makes the tables of one run, in the plan's order, from sealed collections."""

    plan: Plan
    run: RunInfo
    store: Store
    shelf: Shelf
    files: Files
    place: Callable[..., Any]
    """Path on the page -> Mark."""
    sealed: Sequence[Collection]
    emit: Sink
    check: Callable[[], None]
    """Raises Stopped when the run is asked to stop."""
    through: str = "analytics"
    """The last stage that is run: validation, enrichment or analytics."""
    current: dict[str, Json] = field(init=False)
    made: dict[str, Made] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.current = self.shelf.current()

    def make(self) -> list[Made]:
        """Make every table. Raises DataError where a page asks of data what it does not give."""
        with self.shelf.scratch(self.run.id) as scratch:
            for name in self.plan.tables:
                table = self.plan.pipeline.tables.get(name)
                self.check()
                if table is not None and table.sql and self.through != "analytics":
                    continue
                self.emit(TableStarted(name))
                with self._blamed(name):
                    made = (
                        self._query(name, table)
                        if table is not None and table.sql
                        else self._collected(name, table, scratch)
                    )
                self.made[name] = made
                self.emit(TableEnded(name, made.rows, made.quarantined))
        return list(self.made.values())

    @contextmanager
    def _blamed(self, name: str) -> Iterator[None]:
        """A mistake that only the data brought to light gets the table's place."""
        try:
            yield
        except Mistake as mistake:
            mark = self.place("tables", name)
            raise DataError(f'table "{name}": {mistake}', mistake.fix, mark, {"table": name}) from None

    # --- tables made of collected records

    def _collected(self, name: str, table: Table | None, scratch: Callable[[str], Path]) -> Made:
        table = table or Table.model_validate({"from": [name]})
        taken = self._taken(name, table)
        made = Made(name, notes=self._notes(table, taken))
        made.complete = all(one.complete for one in taken) and bool(taken)
        before = self.current.get("tables", {}).get(name)
        if before and self._stays(table, taken):
            made.kept, made.rows, made.entry = True, before["rows"], before
            return made
        work = Assembly(self, name, table, made, scratch(name))
        work.run(
            taken,
            before if self.mode(table) != "replace" and before and before["definition"] == work.definition else None,
        )
        return made

    def mode(self, table: Table) -> str:
        if table.mode:
            return table.mode
        endpoints = [self.plan.pipeline.endpoints[name] for name in table.from_ if name in self.plan.pipeline.endpoints]
        moved = any(e.incremental or any(p.when_changed for p in e.for_each.values()) for e in endpoints)
        return "upsert" if moved and table.key else "append" if moved else "replace"

    def _taken(self, name: str, table: Table) -> list[Collection]:
        """The sealed collections that the table is made of: the newest, or all that it has not taken yet."""
        before = self.current.get("tables", {}).get(name) or {}
        same = before.get("definition") == definition(self.plan, name, table)
        found = []
        for endpoint in table.from_:
            every = [one for one in self.sealed if one.endpoint == endpoint]
            if self.mode(table) == "replace":
                found += every[-1:]
            else:
                last = before.get("taken", {}).get(endpoint, "") if same else ""
                found += [one for one in every if one.run > last]
        return found

    def _stays(self, table: Table, taken: Sequence[Collection]) -> bool:
        """Whether the current version stays: nothing whole came to replace it."""
        if self.mode(table) != "replace":
            return False
        return (
            not taken or any(not one.complete for one in taken) or all(one.skipped and not one.pages for one in taken)
        )

    def _notes(self, table: Table, taken: Sequence[Collection]) -> list[str]:
        notes = [f"{one.endpoint}: {text}" for one in taken for text in (*one.skipped, *one.missing)]
        missing = [name for name in table.from_ if not any(one.endpoint == name for one in taken)]
        never = [name for name in missing if not any(one.endpoint == name for one in self.sealed)]
        return [*notes, *(f"{name} was never collected" for name in never)]

    # --- tables made of other tables

    def _query(self, name: str, table: Table) -> Made:
        made = Made(name)
        assert table.sql
        needed = {ref.name: self.table(ref.name) for ref in sql.tables_of(table.sql)}
        rows = analyze(table.sql, needed, self.constants(), table.key)
        view = self.view(dict(rows.schema))
        validator = Validator(
            self.rules(name, table),
            view,
            table.key,
            repeats(table.validate_, table.key, lambda: iter([_numbered(rows)])),
            self.known,
            {},
        )
        good, broken = validator.split(_numbered(rows), same_key(rows, table.key))
        made.quarantined = broken[AT].n_unique()
        writer = PartWriter(self.shelf.home, f"{name}/{self.run.id}")
        writer.add(enrich(good.drop(AT), self.steps(table), self.given(view)))
        if broken.height:
            quarantine(self.shelf, name, self.run, broken, [])
        made.outcomes = validator.finish(dict(writer.schema or {}))
        made.read = rows.height
        finish(made, writer, self.run, {}, definition(self.plan, name, table), {})
        return made

    # --- what tables may know

    def table(self, name: str) -> pl.LazyFrame:
        """The rows of another table: as made in this run, else as published, else none."""
        made = self.made.get(name)
        entry = made.entry if made else self.current.get("tables", {}).get(name)
        if not entry:
            raise Mistake("table", f'there is no table "{name}" yet')
        return pl.scan_parquet([self.shelf.home / file["path"] for file in entry["files"]])

    def known(self, reference: Reference) -> pl.Series:
        """The values of a column of another table, each once."""
        return self.table(reference.table).select(reference.to).unique().collect().to_series()

    def constants(self) -> dict[str, object]:
        """`run.*` and `param.*` as SQL sees them."""
        run = {"run.started_at": self.run.started_at, "run.id": self.run.id}
        return {**run, **{f"param.{name}": value for name, value in self.plan.settings.params.items()}}

    def view(self, columns: Mapping[str, pl.DataType]) -> View:
        """What rules and steps may know of a table with these columns."""
        shown = {name: kind for name, kind in columns.items() if name not in HIDDEN}
        return View(shown, self.constants(), self.run.started_at)

    def given(self, view: View) -> Given:
        """What steps may use."""
        return Given(view, self.table, self.files.lookup)

    def rules(self, name: str, table: Table) -> list[Placed]:
        found = []
        for number, rule in enumerate(table.validate_):
            filled = rule.filled(self.plan.settings.scope())
            found.append(Placed(filled, type(rule).word, self.place("tables", name, "validate", number)))
        return found

    def steps(self, table: Table) -> list[Step]:
        """The steps of a table, their templates filled; none where the run ends with validation."""
        return (
            [] if self.through == "validation" else [step.filled(self.plan.settings.scope()) for step in table.enrich]
        )


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.int_range(pl.len(), dtype=pl.UInt64).alias(AT))
