"""The tables of one run, each made behind those it reads: of collected records, or by a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.core import sql
from engine.core.errors import ConfigError, DataError, Json, Mistake, SpecError, StorageError
from engine.core.events import Sink, TableEnded, TableStarted
from engine.flow import across
from engine.flow.analyze import analyze
from engine.flow.assemble import Assembly
from engine.flow.began import chain
from engine.flow.enrich import enrich
from engine.flow.frames import AT
from engine.flow.ledger import Collection
from engine.flow.made import Made, finish
from engine.flow.merge import FOREVER, HIDDEN, RUN, UNTIL
from engine.flow.publish import PART_ROWS
from engine.flow.settle import settled
from engine.flow.sort import same_key
from engine.flow.surroundings import Surroundings
from engine.flow.validate import Validator
from engine.spec.model import Table

OF_DATA = frozenset({"columns", "file", "rows", "table", "type"})
"""The mistakes that records or files make; all others are the page's."""
HELD = "{0}: what run {1} collected is held back until all that is repeated for {0} has come, or it is read once more"


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
                        self._query(name, table, scratch(name))
                        if table is not None and table.sql
                        else self._collected(name, table, scratch)
                    )
                self.around.made[name] = made
                self.emit(TableEnded(name, made.rows, made.quarantined))
        return list(self.around.made.values())

    @contextmanager
    def _blamed(self, name: str) -> Iterator[None]:
        """What only a run brought to light gets the table's place: of the page, or of the data."""
        mark = self.around.place("tables", name)
        try:
            yield
        except Mistake as mistake:
            kind = DataError if mistake.code in OF_DATA else SpecError
            raise kind(f'table "{name}": {mistake}', mistake.fix, mistake.mark or mark, {"table": name}) from None
        except (ConfigError, DataError) as error:
            error.message, error.mark = f'table "{name}": {error.message}', error.mark or mark
            raise

    # --- tables made of collected records

    def _collected(self, name: str, table: Table | None, scratch: Callable[[str], Path]) -> Made:
        table = table or Table.model_validate({"from": [name]})
        taken, held = self._taken(name, table)
        newest = {one.endpoint: one for one in self.sealed if one.endpoint in table.from_}
        last = {one.endpoint: one for one in taken}
        made = Made(name, notes=self._notes(table, taken, [*last.values(), *newest.values()]))
        made.notes += [HELD.format(one.endpoint, one.run) for one in held]
        before = self.around.current.get("tables", {}).get(name)
        asked = {one.name for one in self.around.plan.endpoints if not one.skipped} & set(table.from_)
        gaps = any(not one.complete for one in newest.values())
        made.missing = not asked <= set(newest) or gaps or bool(held)
        made.complete = not made.missing and self._covers(table, last, before)
        work = Assembly(self.around, name, table, made, scratch(name))
        if before and self._stays(
            table, last.values(), newest, before if before["definition"] == work.definition else {}
        ):
            made.kept, made.rows, made.entry = True, before["rows"], before
            return made
        self._must_be_there(name, taken)
        made.complete = not held and all(one.complete for one in last.values()) and self._covers(table, last, before)
        goes_on = self.around.mode(table) != "replace" and before and before["definition"] == work.definition
        work.run(taken, before if goes_on else None)
        return made

    def _taken(self, name: str, table: Table) -> tuple[list[Collection], list[Collection]]:
        """The sealed collections that the table is made of: the newest whole one, or all that it has not taken yet.

        One that completes others stands behind these: together they are whole. Beside them those that are held back
        from an append table, as their marks have not moved: what is collected next may hold the same once more.
        """
        before = self.around.current.get("tables", {}).get(name) or {}
        same = before.get("definition") == self.around.definition(name, table)
        found = []
        for endpoint in table.from_:
            every = [one for one in self.sealed if one.endpoint == endpoint]
            replaced = not same and before.get("mode") == "replace"
            if self.around.mode(table) == "replace" or replaced:  # each full read took the place of those before it
                first = max((at for at, one in enumerate(every) if one.complete), default=len(every) - 1)
                runs = chain(every, every[first]) if every else []
                later = [] if self.around.mode(table) == "replace" else every[first + 1 :]
                found += [one for one in every if one.run in runs or one in later]
            else:
                last = before.get("taken", {}).get(endpoint, "") if same else ""
                found += [one for one in every if one.run > last]
        if self.around.mode(table) != "append":
            return found, []
        newest = {one.endpoint: one for one in self.sealed}
        last_runs = {name: chain(self.sealed, one) for name, one in newest.items()}
        held = [one for one in found if not one.released and one.run in last_runs[one.endpoint]]
        return [one for one in found if one.released], held

    def _must_be_there(self, name: str, taken: Sequence[Collection]) -> None:
        """Raise StorageError where the table would be made without pages that were cleaned up."""
        gone = [one for one in taken if one.cleaned and one.pages]
        if not gone:
            return
        runs = sorted({one.run for one in gone})
        which = runs[0] if len(runs) == 1 else f"{len(runs):,} runs, {runs[0]} to {runs[-1]}"
        names = ", ".join(dict.fromkeys(one.endpoint for one in gone))
        text = f'table "{name}" is to be made anew, and kept pages of {names} were cleaned up: those of {which}'
        tool = self.around.plan.pipeline.tool
        again = f"engine state {tool} --reset {gone[0].endpoint}, then engine run {tool}"
        undo = f"; or undo what changed, on the page or by a waiver; or read it anew: {again}"
        raise StorageError(text, "restore a backup that holds them" + ("" if self.around.anew else undo))

    def _stays(
        self, table: Table, taken: Iterable[Collection], newest: Mapping[str, Collection], same: Mapping[str, Json]
    ) -> bool:
        """Whether the current version stays: nothing whole came to replace it.

        `same` is what is said of the version, where the page says the same of the table.
        """
        if self.around.mode(table) != "replace":
            return False
        taken = list(taken)
        if not taken or any(not one.complete for one in taken) or all(one.skipped and not one.pages for one in taken):
            return True
        known = same.get("taken", {})
        return any(not newest[one.endpoint].complete and one.run <= known.get(one.endpoint, "") for one in taken)

    def _covers(self, table: Table, taken: Iterable[str], before: Mapping[str, Json] | None) -> bool:
        """Whether every endpoint of the table is in what was taken now or, where it is merged, wholly before."""
        names = set(taken)
        if before and self.around.mode(table) != "replace":
            whole = {(one.endpoint, one.run): one.complete for one in self.sealed}
            names |= {name for name, run in before["taken"].items() if whole.get((name, run), before["complete"])}
        return names >= set(table.from_)

    def _notes(self, table: Table, taken: Sequence[Collection], newest: Sequence[Collection]) -> list[str]:
        """What was left out of any, and what is missing of the newest: that of others came with those behind them."""
        told = [f"{one.endpoint}: {text}" for one in [*taken, *newest] for text in one.skipped]
        told += [f"{one.endpoint}: {text}" for one in newest for text in one.missing]
        missing = [name for name in table.from_ if not any(one.endpoint == name for one in taken)]
        never = [name for name in missing if not any(one.endpoint == name for one in self.sealed)]
        return [*dict.fromkeys(told), *(f"{name} was never collected" for name in never)]

    # --- tables made of other tables

    def _query(self, name: str, table: Table, scratch: Path) -> Made:
        assert table.sql
        names = list(dict.fromkeys(ref.name for ref in sql.tables_of(table.sql)))
        made = Made(name, notes=[note for one in names for note in self._gaps(one)])
        made.complete = not made.notes
        needed = {one: self.around.table(one) for one in names}
        rows = _numbered(analyze(table.sql, needed, self.around.constants()))
        view = self.around.view(name, dict(rows.schema))
        around, key = self.around, table.key
        rules, waived, masked = around.rules(name, table), around.waived(name), around.masked(table)
        asked = Validator(name, rules, view, key, waivers=waived, masked=masked, naming=around.naming)
        by_key = rows.sort(key) if key else rows  # who comes first of the same key is seen in its order
        doubled = same_key(by_key, key)
        every = across.of_frame(by_key, doubled, scratch, around.shelf.seal)
        validator = settled(asked, every, view.columns, around.known, replaces=False)
        broken = validator.split(by_key, doubled)[1]
        good = rows.filter(~pl.col(AT).is_in(broken[AT].implode())) if broken.height else rows
        validator.count(good.lazy())
        made.quarantined = broken[AT].n_unique()
        writer = self.around.parts(f"{name}/{self.around.run.id}")
        steps, given = self.around.steps(table), self.around.given(view)
        shown = good.drop(HIDDEN, strict=False)
        for piece in shown.iter_slices(PART_ROWS) if shown.height else [shown]:
            writer.add(enrich(piece.lazy(), steps, given))
        apart = self.around.apart(name, scratch)
        apart.add(broken)
        made.outcomes = validator.finish(dict(writer.schema or {}))
        made.read = rows.height
        said = self.around.definition(name, table)
        finish(made, writer, self.around.run, {}, said, {}, key=table.key, fields=view.fields)
        made.entry["quarantine"] = apart.finish()
        return made

    def _gaps(self, name: str) -> list[str]:
        """Why a table that another rests on is not whole, in words."""
        made = self.around.made.get(name)
        if made is None or (made.complete and not made.kept):
            return []
        return [f"rests on {name}: {'its version before' if made.kept else 'incomplete'}"]


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a query, as if they had come one after the other in one run."""
    number = pl.int_range(pl.len(), dtype=pl.UInt64)
    return rows.with_columns(number.alias(AT), pl.lit(0).alias(RUN), pl.lit(FOREVER).alias(UNTIL))
