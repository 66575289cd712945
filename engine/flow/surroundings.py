"""What a table may know while it is made: the run, the storage, the other tables, its own rules and steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import Json, Mistake
from engine.core.kinds import Given, Reference, Step, View
from engine.flow.across import require
from engine.flow.apart import Apart
from engine.flow.early import Early
from engine.flow.files import Files
from engine.flow.intake import constants
from engine.flow.ledger import Waiver
from engine.flow.made import Made, definition
from engine.flow.merge import HIDDEN
from engine.flow.plan import Plan
from engine.flow.publish import PartWriter, Shelf
from engine.flow.slices import Span
from engine.flow.store import Store
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
    waivers: Sequence[Waiver] = ()
    """All of the tool."""
    naming: bytes = b""
    """The key that rows which are set apart are named with."""
    releases: Mapping[str, int] = field(default_factory=dict)
    """Table -> how often somebody asked that it be made anew."""
    anew: bool = False
    """Whether tables are made as if none had been published before."""
    early: Early | None = None
    """What was read while it was collected."""
    current: dict[str, Json] = field(init=False)
    damaged: list[str] = field(init=False)
    """Published tables whose files are gone or damaged: they are made anew from what is kept."""
    made: dict[str, Made] = field(default_factory=dict)
    home: Path = field(init=False)
    """Where the files of tables are written: what is only checked never comes near what is published."""

    def __post_init__(self) -> None:
        found = {} if self.anew else self.shelf.current()
        tables = found.get("tables", {})
        of = self.shelf.is_whole
        whole = {name: entry for name, entry in tables.items() if of([*entry["files"], *entry["base"]])}
        self.current = {**found, "tables": whole}
        self.damaged = sorted(set(tables) - set(whole))
        self.home = self.shelf.home

    def parts(self, folder: str, stem: str = "part") -> PartWriter:
        """A writer for the files of a table."""
        return self.shelf.parts(folder, stem, self.run.mark, self.home)

    def mode(self, table: Table) -> str:
        """How a table changes from run to run: replace, upsert or append."""
        return self.plan.mode(table)

    def table(self, name: str) -> pl.LazyFrame:
        """The rows of another table: as made in this run, else as published, else none."""
        return self.shelf.rows(*self._files(name))

    def _files(self, name: str) -> tuple[Sequence[Mapping[str, Json]], Path]:
        made = self.made.get(name)
        entry = made.entry if made else self.current.get("tables", {}).get(name)
        if not entry:
            raise Mistake("table", f'there is no table "{name}" yet')
        return entry["files"], self.home if made and not made.kept else self.shelf.home

    def known(self, reference: Reference) -> Iterator[pl.DataFrame]:
        """A column of another table, file by file."""
        require(reference, self.table(reference.table).collect_schema())
        files, home = self._files(reference.table)
        return (self.shelf.rows([file], home).select(reference.to).collect() for file in files)

    def constants(self) -> dict[str, object]:
        """`run.*` and `param.*` as SQL sees them."""
        return constants(self.plan, self.run)

    def view(self, name: str, columns: Mapping[str, pl.DataType], fields: Collection[str] = ()) -> View:
        """What rules and steps may know of a table with these columns, whose records have these fields."""
        shown = {name: kind for name, kind in columns.items() if name not in HIDDEN}
        before = (self.current.get("tables", {}).get(name) or {}).get("fields")
        return View(shown, self.constants(), self.run.started_at, sorted(fields or shown), before)

    def given(self, view: View) -> Given:
        """What steps may use."""
        return Given(view, self.table, self.files.lookup)

    def rules(self, name: str, table: Table) -> list[Placed]:
        """The rules of a table, their templates filled, each with its word and its line on the page."""
        found = []
        for number, rule in enumerate(table.validate_):
            filled = rule.filled(self.plan.settings.scope())
            found.append(Placed(filled, type(rule).word, self.place("tables", name, "validate", number)))
        return found

    def definition(self, name: str, table: Table) -> str:
        """A hash of all that makes the table what it is; where it changes, the table is made anew."""
        more = [sorted(one.id for one in self.waived(name)), self.releases.get(name, 0)]
        return definition(self.plan, self.files, name, table, more if any(more) else None)

    def waived(self, name: str) -> list[Waiver]:
        """The waivers of a table that hold now."""
        return [one for one in self.waivers if one.table == name and one.holds(self.run.started_at)]

    def masked(self, table: Table) -> frozenset[str]:
        """The columns whose values the page masks, by the names they have before its steps."""
        names: dict[str, str] = {}
        found = set[str]()
        for step in table.enrich:
            found |= {names.get(name, name) for name in step.masks()}
            names |= {new: names.get(old, old) for old, new in step.renames().items()}
        return frozenset(found)

    def apart(
        self,
        name: str,
        scratch: Path,
        before: Sequence[Mapping[str, Json]] = (),
        spans: Sequence[Span] = (),
        paths: Mapping[str, str] | None = None,
    ) -> Apart:
        """Where the rows of a table go that are set apart."""
        table = str(self.place("tables", name))
        return Apart(self.shelf, self.run, name, table, scratch, before, spans, paths, naming=self.naming)

    def steps(self, table: Table) -> list[Step]:
        """The steps of a table, their templates filled; none where the run ends with validation."""
        return (
            [] if self.through == "validation" else [step.filled(self.plan.settings.scope()) for step in table.enrich]
        )
