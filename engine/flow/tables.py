"""The tables of one run, each made behind those it reads: of collected records, or by a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.core import sql
from engine.core.errors import ConfigError, DataError, Json, Mistake
from engine.core.events import Sink, TableEnded, TableStarted
from engine.core.kinds import Reference
from engine.flow.analyze import analyze
from engine.flow.assemble import Assembly
from engine.flow.enrich import enrich
from engine.flow.frames import AT
from engine.flow.ledger import Collection
from engine.flow.made import Made, definition, finish, quarantine
from engine.flow.merge import FOREVER, HIDDEN, RUN, UNTIL
from engine.flow.publish import PartWriter
from engine.flow.sort import same_key
from engine.flow.surroundings import Surroundings
from engine.flow.validate import Validator, repeats
from engine.spec.model import Table


@dataclass
class Tables:
    """Makes the tables of one run, in the plan's order, from sealed collections."""

    around: Surroundings
    sealed: Sequence[Collection]
    emit: Sink

    def make(self) -> list[Made]:
        """Make every table. Raises DataError where a page asks of data what it does not give."""
        with self.around.shelf.scratch(self.around.run.id) as scratch:
            if self.around.through == "validation":
                self.around.home = scratch(".checked")
            for name in self.around.plan.tables:
                table = self.around.plan.pipeline.tables.get(name)
                self.around.check()
                if table is not None and table.sql and self.around.through != "analytics":
                    continue
                self.emit(TableStarted(name))
                with self._blamed(name):
                    made = (
                        self._query(name, table)
                        if table is not None and table.sql
                        else self._collected(name, table, scratch)
                    )
                self.around.made[name] = made
                self.emit(TableEnded(name, made.rows, made.quarantined))
        return list(self.around.made.values())

    @contextmanager
    def _blamed(self, name: str) -> Iterator[None]:
        """What only the data or a file brought to light gets the table's place."""
        mark = self.around.place("tables", name)
        try:
            yield
        except Mistake as mistake:
            raise DataError(f'table "{name}": {mistake}', mistake.fix, mark, {"table": name}) from None
        except (ConfigError, DataError) as error:
            error.message, error.mark = f'table "{name}": {error.message}', error.mark or mark
            raise

    # --- tables made of collected records

    def _collected(self, name: str, table: Table | None, scratch: Callable[[str], Path]) -> Made:
        table = table or Table.model_validate({"from": [name]})
        taken = self._taken(name, table)
        made = Made(name, notes=self._notes(table, taken))
        before = self.around.current.get("tables", {}).get(name)
        made.missing = any(not one.complete for one in taken)
        made.complete = not made.missing and self._covers(table, taken, before)
        if before and self._stays(table, taken):
            made.kept, made.rows, made.entry = True, before["rows"], before
            return made
        work = Assembly(self.around, name, table, made, scratch(name))
        goes_on = self.around.mode(table) != "replace" and before and before["definition"] == work.definition
        work.run(taken, before if goes_on else None)
        return made

    def _taken(self, name: str, table: Table) -> list[Collection]:
        """The sealed collections that the table is made of: the newest, or all that it has not taken yet."""
        before = self.around.current.get("tables", {}).get(name) or {}
        same = before.get("definition") == definition(self.around.plan, name, table)
        found = []
        for endpoint in table.from_:
            every = [one for one in self.sealed if one.endpoint == endpoint]
            if self.around.mode(table) == "replace":
                found += every[-1:]
            else:
                last = before.get("taken", {}).get(endpoint, "") if same else ""
                found += [one for one in every if one.run > last]
        return found

    def _stays(self, table: Table, taken: Sequence[Collection]) -> bool:
        """Whether the current version stays: nothing whole came to replace it."""
        if self.around.mode(table) != "replace":
            return False
        return (
            not taken or any(not one.complete for one in taken) or all(one.skipped and not one.pages for one in taken)
        )

    def _covers(self, table: Table, taken: Sequence[Collection], before: Mapping[str, Json] | None) -> bool:
        """Whether every endpoint of the table is in what was taken now or, where it is merged, before."""
        names = {one.endpoint for one in taken}
        if before and before["complete"] and self.around.mode(table) != "replace":
            names |= set(before["taken"])
        return names >= set(table.from_)

    def _notes(self, table: Table, taken: Sequence[Collection]) -> list[str]:
        notes = [f"{one.endpoint}: {text}" for one in taken for text in (*one.skipped, *one.missing)]
        missing = [name for name in table.from_ if not any(one.endpoint == name for one in taken)]
        never = [name for name in missing if not any(one.endpoint == name for one in self.sealed)]
        return [*notes, *(f"{name} was never collected" for name in never)]

    # --- tables made of other tables

    def _query(self, name: str, table: Table) -> Made:
        made = Made(name)
        assert table.sql
        needed = {ref.name: self.around.table(ref.name) for ref in sql.tables_of(table.sql)}
        rows = analyze(table.sql, needed, self.around.constants(), table.key)
        view = self.around.view(dict(rows.schema))

        def known(reference: Reference) -> pl.Series:
            return rows[reference.to].unique() if reference.table == name else self.around.known(reference)

        again = repeats(table.validate_, table.key, lambda: [_numbered(rows)])
        validator = Validator(self.around.rules(name, table), view, table.key, again, known, {})
        good, broken = validator.split(_numbered(rows), same_key(rows, table.key))
        validator.count(good)
        made.quarantined = broken[AT].n_unique()
        writer = PartWriter(self.around.home, f"{name}/{self.around.run.id}")
        writer.add(enrich(good.drop(HIDDEN, strict=False), self.around.steps(table), self.around.given(view)))
        if broken.height:
            quarantine(self.around.shelf, name, self.around.run, broken)
        made.outcomes = validator.finish(dict(writer.schema or {}))
        made.read = rows.height
        finish(made, writer, self.around.run, {}, definition(self.around.plan, name, table), {})
        return made


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a query, as if they had come one after the other in one run."""
    number = pl.int_range(pl.len(), dtype=pl.UInt64)
    return rows.with_columns(number.alias(AT), pl.lit(0).alias(RUN), pl.lit(FOREVER).alias(UNTIL))
