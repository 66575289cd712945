"""One table of collected records, from kept pages to parts: typed, sorted, checked, merged, enriched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from engine.core import jsontext, select, sql
from engine.core.errors import Json, Mistake
from engine.core.kinds import View
from engine.flow import columns as kinds
from engine.flow.enrich import enrich
from engine.flow.frames import AT, Kept, Reader, Reject, Rows, Span, batches, empty, slices
from engine.flow.ledger import Collection
from engine.flow.made import Made, definition, finish, quarantine
from engine.flow.publish import PartWriter
from engine.flow.raw import Frame, rows_of
from engine.flow.reshape import Reshaper
from engine.flow.sort import Sorter, duplicates, same_key
from engine.flow.surroundings import Surroundings
from engine.flow.validate import BROKEN, HIDDEN, Outcome, Validator, repeats
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

    def run(self, taken: Sequence[Collection], base: Mapping[str, Json] | None) -> None:
        """Read, sort, check, merge, enrich and write."""
        wanted, pages = self._settled(self._pages(taken))
        sorter = Sorter(self.scratch, self.table.key)
        contracts = self._read(wanted, pages, sorter)
        if base:
            sorter.take([self.around.shelf.home / file["path"] for file in base["base"] or base["files"]])
        view = self.around.view({column.name: kinds.TYPES[column.type] for column in wanted})
        rules = self.around.rules(self.name, self.table)
        again = repeats(
            self.table.validate_, self.table.key, lambda: (self._fresh(frame)[0] for frame in sorter.merged())
        )
        validator = Validator(rules, view, self.table.key, again, self.around.known, contracts)
        self._write(sorter, validator, view, wanted, taken)

    def _pages(self, taken: Sequence[Collection]) -> Iterator[Kept]:
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

    def _settled(self, pages: Iterator[Kept]) -> tuple[list[kinds.Wanted], Iterable[Kept]]:
        """The columns with their types, and the pages, of which some were looked at for the types."""
        if self.table.columns and all(column.type for column in self.table.columns.values()):
            return kinds.settle(self.table.columns, {}, ()), pages
        head: list[Kept] = []
        for page in pages:
            head.append(page)
            if sum(len(one.rows) for one in head) >= FIRST_ROWS:
                break
        records = [_record(row, page.frame.meta.add) for page in head for row in islice(page.rows, FIRST_ROWS)]
        before = (self.around.current.get("tables", {}).get(self.name) or {}).get("schema", {})
        pinned = {name: kind["type"] for name, kind in before.items() if kind.get("pinned")}
        columns = self.table.columns or kinds.all_fields(records)
        return kinds.settle(columns, pinned, records), chain(head, pages)

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
                        if (says := contract(jsontext.read(select.paired(row)))) is not None:
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

    def _fresh(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """New rows in key order: repeats dropped, one row a key where the page says so."""
        new = frame.filter(pl.col(AT).is_not_null())
        new, repeated = duplicates(new, self.table.key)
        rule = self.table.deduplicate
        if rule is None or not self.table.key:
            return new, repeated
        by = [*self.table.key, *([rule.order_by] if rule.order_by else []), AT]
        kept = new.sort(by).unique(subset=list(self.table.key), keep=rule.keep, maintain_order=True)
        return kept, repeated + new.height - kept.height

    def _write(
        self,
        sorter: Sorter,
        validator: Validator,
        view: View,
        wanted: Sequence[kinds.Wanted],
        taken: Sequence[Collection],
    ) -> None:
        around, table = self.around, self.table
        folder = f"{self.name}/{around.run.id}"
        writer, base = PartWriter(around.shelf.home, folder), PartWriter(around.shelf.home, folder, "base")
        keeps_base = bool(table.enrich) and around.mode(table) != "replace"
        steps, given = around.steps(table), around.given(view)
        broken: list[pl.DataFrame] = []
        for frame in sorter.merged():
            around.check()
            fresh, repeated = self._fresh(frame)
            self.made.repeated += repeated
            good, bad = validator.split(fresh, same_key(fresh, table.key))
            broken += [bad] if bad.height else []
            rows = self._merged(frame.filter(pl.col(AT).is_null()), good)
            if keeps_base:
                base.add(rows)
            writer.add(enrich(rows, steps, given))
        self.made.outcomes = [*self._type_outcome(), *validator.finish(dict(writer.schema or {}))]
        bad_rows = pl.concat(broken) if broken else pl.DataFrame(schema=BROKEN)
        self.made.quarantined = len({*bad_rows[AT].to_list(), *(reject.at for reject in self.rejects)})
        if self.made.quarantined:
            quarantine(around.shelf, self.name, around.run, bad_rows, self._rejected(), self.spans)
        before = (around.current.get("tables", {}).get(self.name) or {}).get("taken", {})
        moved = {**before, **{one.endpoint: one.run for one in sorted(taken, key=lambda one: one.run)}}
        types = {
            c.name: {"type": c.type, "pinned": c.name not in table.columns or table.columns[c.name].type is None}
            for c in wanted
        }
        finish(self.made, writer, around.run, types, self.definition, moved, base.finish() if keeps_base else [])

    def _merged(self, base: pl.DataFrame, good: pl.DataFrame) -> pl.DataFrame:
        """What was there and what came: by key with upsert, one after the other with append."""
        hidden = [name for name in HIDDEN if name in good.columns]
        rows = good.drop(hidden)
        if base.height:
            rows = pl.concat([base.drop(hidden), rows])
            if self.around.mode(self.table) == "upsert":
                rows = rows.unique(subset=list(self.table.key), keep="last", maintain_order=True)
                rows = rows.sort(list(self.table.key), maintain_order=True)
            elif self.table.key:
                rows = rows.unique(keep="first", maintain_order=True).sort(list(self.table.key), maintain_order=True)
        if self.table.delete_when:
            gone = sql.expression(self.table.delete_when, columns=dict(rows.schema), constants=self.around.constants())
            rows = rows.filter(~gone.fill_null(False))
        return rows

    def _type_outcome(self) -> list[Outcome]:
        """The rule that nobody writes: every value fits the type of its column."""
        if not self.rejects:
            return []
        mark = self.around.place("tables", self.name, "columns", self.rejects[0].column or "")
        failed = len({reject.at for reject in self.rejects})
        return [Outcome("type", "error", mark, 0.0, failed, self.made.read, self.rejects[0].says)]

    def _rejected(self) -> list[dict[str, Json]]:
        place = self.around.place
        return [
            {
                AT: reject.at,
                "rule": reject.rule,
                "level": "error",
                "column": reject.column,
                "value": reject.value,
                "says": reject.says,
                "spec": str(place("tables", self.name, "columns", reject.column or "")),
                "record": reject.record,
            }
            for reject in self.rejects
        ]


def _record(row: bytes, add: Mapping[str, Json]) -> Json:
    record = jsontext.read(select.paired(row))
    return {**record, **add} if isinstance(record, dict) else record


def _schema(wanted: Sequence[kinds.Wanted]) -> Iterator[tuple[str, pl.DataType]]:
    return ((column.name, kinds.TYPES[column.type]) for column in wanted)
