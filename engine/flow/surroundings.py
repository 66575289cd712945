"""What a table may know while it is made: the run, the storage, the other tables, its own rules and steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import Json, Mistake
from engine.core.kinds import Given, Reference, Step, View
from engine.flow.files import Files
from engine.flow.made import Made
from engine.flow.merge import HIDDEN
from engine.flow.plan import Plan
from engine.flow.publish import Shelf
from engine.flow.raw import Store
from engine.flow.units import RunInfo
from engine.flow.validate import Placed
from engine.spec.model import Table


@dataclass
class Surroundings:
    """All that the tables of one run share."""

    plan: Plan
    run: RunInfo
    store: Store
    shelf: Shelf
    files: Files
    place: Callable[..., Any]
    """Path on the page -> Mark."""
    check: Callable[[], None]
    """Raises Stopped when the run is asked to stop."""
    through: str = "analytics"
    """The last stage that is run: validation, enrichment or analytics."""
    current: dict[str, Json] = field(init=False)
    made: dict[str, Made] = field(default_factory=dict)
    home: Path = field(init=False)
    """Where the files of tables are written: what is only checked never comes near what is published."""
    _known: dict[tuple[str, str], pl.Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.current = self.shelf.current()
        self.home = self.shelf.home

    def mode(self, table: Table) -> str:
        if table.mode:
            return table.mode
        endpoints = [self.plan.pipeline.endpoints[name] for name in table.from_ if name in self.plan.pipeline.endpoints]
        moved = any(e.incremental or any(p.when_changed for p in e.for_each.values()) for e in endpoints)
        return "upsert" if moved and table.key else "append" if moved else "replace"

    def table(self, name: str) -> pl.LazyFrame:
        """The rows of another table: as made in this run, else as published, else none."""
        made = self.made.get(name)
        entry = made.entry if made else self.current.get("tables", {}).get(name)
        if not entry:
            raise Mistake("table", f'there is no table "{name}" yet')
        home = self.home if made and not made.kept else self.shelf.home
        return pl.scan_parquet([home / file["path"] for file in entry["files"]])

    def known(self, reference: Reference) -> pl.Series:
        """The values of a column of another table, each once."""
        wanted = (reference.table, reference.to)
        if wanted not in self._known:
            rows = self.table(reference.table)
            require(reference, rows.collect_schema())
            self._known[wanted] = rows.select(reference.to).unique().collect().to_series()
        return self._known[wanted]

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


def require(reference: Reference, columns: Collection[str]) -> None:
    """Raise Mistake where the other table has no such column."""
    if reference.to not in columns:
        there = ", ".join(columns)
        raise Mistake(
            "unknown-column", f'{reference.table} has no column "{reference.to}"', f"its columns are: {there}"
        )
