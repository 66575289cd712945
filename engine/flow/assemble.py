"""One table of collected records, from kept pages to parts: typed, sorted, checked, merged, enriched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from engine.core import jsontext, select, sql
from engine.core.errors import Json, Mistake
from engine.core.kinds import Reference
from engine.flow import columns as kinds
from engine.flow.enrich import enrich
from engine.flow.frames import AT, Kept, Reader, Reject, Rows, Span, batches, empty, slices
from engine.flow.ledger import Collection as Sealed
from engine.flow.made import Made, definition, finish, quarantine
from engine.flow.merge import Merger
from engine.flow.publish import PartWriter
from engine.flow.raw import Frame, rows_of
from engine.flow.reshape import Reshaper
from engine.flow.sort import Sorter
from engine.flow.surroundings import Surroundings, require
from engine.flow.validate import BROKEN, Outcome, Placed, Validator, repeats
from engine.spec.model import Table

FIRST_ROWS = 1_000
"""So many records settle the types that nobody declared."""


@dataclass
class Assembly:
    """The making of one table of collected records."""

    around: Surroundings
    name: str
    table: Table
    made: Made
    scratch: Path
    spans: list[Span] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def definition(self) -> str:
        """A hash of what the page says of the table."""
        return definition(self.around.plan, self.name, self.table)

    def run(self, taken: Sequence[Sealed], base: Mapping[str, Json] | None) -> None:
        """Read, sort, check, merge, enrich and write."""
        wanted, pages = self._settled(taken)
        sorter = Sorter(self.scratch, self.table.key)
        contracts = self._read(wanted, pages, sorter)
        if base:
            sorter.take([self.around.shelf.home / file["path"] for file in base["base"] or base["files"]])
        view = self.around.view({column.name: kinds.TYPES[column.type] for column in wanted})
        rules = self.around.rules(self.name, self.table)
        starts = {span.run: span.start for span in reversed(self.spans)}
        merger = Merger(self.around.mode(self.table), self.table.key, self.table.deduplicate, sorted(starts.values()))
        again = repeats(self.table.validate_, self.table.key, lambda: map(merger.comparable, sorter.merged()))
        validator = Validator(rules, view, self.table.key, again, self._known(sorter, view.columns), contracts)
        self._write(sorter, merger, validator, wanted, taken)

    def _pages(self, taken: Sequence[Sealed]) -> Iterator[Kept]:
        """Every kept page of the collections, in the order of their runs."""
        for one in sorted(
            taken, key=lambda one: (one.run, [str(name) for name in self.table.from_].index(one.endpoint))
        ):
            endpoint = self.around.plan.pipeline.endpoints[one.endpoint]
            for number, frame in enumerate(self.around.store.frames(one.endpoint, one.run)):
                self.around.check()
                yield Kept(one.endpoint, one.run, number, frame, self._rows(frame, endpoint.records))

    def _rows(self, frame: Frame, records: str) -> Sequence[bytes]:
        rows = rows_of(frame, records)
        if self.table.rows is None:
            return rows
        try:
            return Reshaper(self.table.rows, self.table.columns.values()).rows(rows, frame.meta.add)
        except select.SelectError as error:
            raise Mistake("rows", f"{error} ({frame.meta.request})") from None

    def _settled(self, taken: Sequence[Sealed]) -> tuple[list[kinds.Wanted], Iterable[Kept]]:
        """The columns with their types, and the pages, of which some were looked at for the types."""
        before = (self.around.current.get("tables", {}).get(self.name) or {}).get("schema", {})
        pinned = {name: kind["type"] for name, kind in before.items() if kind.get("pinned")}
        if not self.table.columns:
            return kinds.all_fields(_records(self._pages(taken)), pinned), self._pages(taken)
        pages, head = self._pages(taken), list[Kept]()
        if not all(column.type for column in self.table.columns.values()):
            for page in pages:
                head.append(page)
                if sum(len(one.rows) for one in head) >= FIRST_ROWS:
                    break
        return kinds.settle(self.table.columns, pinned, list(_records(head))), chain(head, pages)

    def _read(self, wanted: Sequence[kinds.Wanted], pages: Iterable[Kept], sorter: Sorter) -> dict[int, dict[int, str]]:
        """Fill the sorter with typed rows; gives the contracts that records broke, rule number -> arrival -> why."""
        added = [] if self.table.rows else sorted(self._added(wanted))
        reader = Reader(kinds.reading(wanted), self.table.null_values, frozenset(added))
        contracts = self._contracts()
        broken: dict[int, dict[int, str]] = {number: {} for number in contracts}
        where = (
            sql.expression(self.table.where, columns=dict(_schema(wanted)), constants=self.around.constants())
            if self.table.where
            else None
        )

        def checked() -> Iterator[Any]:
            for piece in slices(pages, self.spans, added):
                for number, contract in contracts.items():
                    for at, row in enumerate(piece.rows):
                        if (says := contract(jsontext.read(row))) is not None:
                            broken[number][piece.start + at] = says
                yield piece

        for rows in batches(reader, checked()):
            self._take(rows, sorter, where)
        if not sorter.rows:
            sorter.add(empty(wanted))
        return broken

    def _take(self, rows: Rows, sorter: Sorter, where: pl.Expr | None) -> None:
        self.made.read += rows.frame.height + len({reject.at for reject in rows.rejects})
        self.rejects += rows.rejects
        self.around.check()
        sorter.add(rows.frame if where is None else rows.frame.filter(where))

    def _added(self, wanted: Sequence[kinds.Wanted]) -> set[str]:
        """The fields that endpoints add to records and that columns read."""
        endpoints = (self.around.plan.pipeline.endpoints[name] for name in self.table.from_)
        names = {name for endpoint in endpoints for name in endpoint.add}
        read = {root for column in wanted for root in select.compile(column.path).roots}
        return names if "*" in read else names & read

    def _contracts(self) -> dict[int, Callable[[Json], str | None]]:
        found = {}
        for number, placed in enumerate(self.around.rules(self.name, self.table)):
            if (check := placed.rule.record_check(self.around.files.bytes)) is not None:
                found[number] = check
        return found

    def _write(
        self,
        sorter: Sorter,
        merger: Merger,
        validator: Validator,
        wanted: Sequence[kinds.Wanted],
        taken: Sequence[Sealed],
    ) -> None:
        around, table = self.around, self.table
        folder = f"{self.name}/{around.run.id}"
        writer, base = PartWriter(around.home, folder), PartWriter(around.home, folder, "base")
        keeps_base = bool(table.enrich) and around.mode(table) != "replace"
        steps, given = around.steps(table), around.given(validator.view)
        broken: list[pl.DataFrame] = []
        for frame in sorter.merged():
            around.check()
            fresh, same_key, repeated = merger.arrived(frame)
            self.made.repeated += repeated
            good, bad = validator.split(fresh, same_key)
            broken += [bad] if bad.height else []
            rows = self._without_deleted(merger.merged(frame, good))
            validator.count(rows)
            if keeps_base:
                base.add(rows)
            writer.add(enrich(rows, steps, given))
        self.made.outcomes = [*self._type_outcome(), *validator.finish(dict(writer.schema or {}))]
        bad_rows = pl.concat([self._rejected(validator.rules), *broken])
        self.made.quarantined = bad_rows[AT].n_unique()
        if bad_rows.height:
            quarantine(around.shelf, self.name, around.run, bad_rows, self.spans)
        before = (around.current.get("tables", {}).get(self.name) or {}).get("taken", {})
        moved = {**before, **{one.endpoint: one.run for one in sorted(taken, key=lambda one: one.run)}}
        types = {
            c.name: {"type": c.type, "pinned": c.name not in table.columns or table.columns[c.name].type is None}
            for c in wanted
        }
        finish(self.made, writer, around.run, types, self.definition, moved, base.finish() if keeps_base else [])

    def _without_deleted(self, rows: pl.DataFrame) -> pl.DataFrame:
        if not self.table.delete_when:
            return rows
        gone = sql.expression(self.table.delete_when, columns=dict(rows.schema), constants=self.around.constants())
        return rows.filter(~gone.fill_null(False))

    def _known(self, sorter: Sorter, columns: Collection[str]) -> Callable[[Reference], pl.Series]:
        """The values that a column may refer to: of another table, or of any row of this one."""
        own: dict[str, pl.Series] = {}

        def known(reference: Reference) -> pl.Series:
            if reference.table != self.name:
                return self.around.known(reference)
            if reference.to not in own:
                require(reference, columns)
                own[reference.to] = pl.concat([frame[reference.to].unique() for frame in sorter.merged()]).unique()
            return own[reference.to]

        return known

    def _type_outcome(self) -> list[Outcome]:
        """The rule that nobody writes: every value fits the type of its column."""
        if not self.rejects:
            return []
        mark = self.around.place("tables", self.name, "columns", self.rejects[0].column or "")
        failed = len({reject.at for reject in self.rejects})
        return [Outcome("type", "error", mark, 0.0, failed, self.made.read, self.rejects[0].says)]

    def _rejected(self, rules: Sequence[Placed]) -> pl.DataFrame:
        """The records that do not fit as rows of quarantine, without what a rule hides."""
        rows = [
            {
                AT: reject.at,
                "rule": reject.rule,
                "level": "error",
                "column": reject.column,
                "value": reject.value,
                "says": reject.says,
                "spec": str(self.around.place("tables", self.name, "columns", reject.column or "")),
                "record": reject.record,
            }
            for reject in self.rejects
        ]
        found = pl.DataFrame(rows, schema=BROKEN)
        for placed in rules:
            for name in ("value", "record"):
                if (hidden := placed.rule.hides(pl.col(name))) is not None:
                    found = found.with_columns(pl.when(~hidden.fill_null(False)).then(pl.col(name)).alias(name))
        return found


def _records(pages: Iterable[Kept]) -> Iterator[Json]:
    """The records of pages, decoded, with the fields added to them."""
    for page in pages:
        for record in map(jsontext.read, page.rows):
            yield {**record, **page.frame.meta.add} if isinstance(record, dict) else record


def _schema(wanted: Sequence[kinds.Wanted]) -> Iterator[tuple[str, pl.DataType]]:
    return ((column.name, kinds.TYPES[column.type]) for column in wanted)
