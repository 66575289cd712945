"""One table of collected records, from kept pages to parts: typed, sorted, checked, merged, enriched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from engine.core import jsontext, select, sql
from engine.core.errors import Json, Mistake, StorageError
from engine.core.kinds import Reference
from engine.flow import columns as kinds
from engine.flow.enrich import enrich
from engine.flow.frames import AT, Kept, Reader, Reject, Rows, Span, batches, empty, names_in, own, slices
from engine.flow.ledger import Collection as Sealed
from engine.flow.made import Made, definition, finish, quarantine
from engine.flow.merge import HIDDEN, Merger
from engine.flow.raw import Frame
from engine.flow.reshape import Reshaper
from engine.flow.sort import Sorter, keyless_rows
from engine.flow.surroundings import Surroundings, require
from engine.flow.unpack import kept_rows
from engine.flow.validate import BROKEN, Outcome, Placed, Validator, repeats
from engine.spec.collect import Endpoint
from engine.spec.model import NOTHING, RAW, Table

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
    fields: set[str] = field(default_factory=set)
    """What the records hold, where the page lets their other fields into the table."""

    @property
    def definition(self) -> str:
        """A hash of what the page says of the table."""
        return definition(self.around.plan, self.name, self.table)

    @cached_property
    def _reshaper(self) -> Reshaper | None:
        return Reshaper(self.table.rows, self.table.columns) if self.table.rows is not None else None

    def run(self, taken: Sequence[Sealed], base: Mapping[str, Json] | None) -> None:
        """Read, sort, check, merge, enrich and write."""
        read, pages = self._settled(taken)
        computed = kinds.computed(self.table.columns, read, self.around.constants())
        wanted = self._in_order(read, {name: kind for name, (_, kind) in computed.items()})
        sorter = Sorter(self.scratch, self.table.key)
        where = self._condition(self.table.where, dict(_schema(wanted)))
        merges = self.around.mode(self.table) == "upsert"
        contracts = self._read(read, wanted, computed, pages, sorter, None if merges else where)
        if base:
            sorter.take(self.around.shelf.paths(base["base"] or base["files"]))
        columns = {column.name: kinds.TYPES[column.type] for column in wanted}
        view = self.around.view(self.name, columns, self._fields_of_version(base))
        rules = self.around.rules(self.name, self.table)
        starts = {span.run: span.start for span in reversed(self.spans)}
        merger = Merger(
            self.around.mode(self.table),
            self.table.key,
            self.table.deduplicate,
            sorted(starts.values()),
            where if merges else None,
        )
        again = repeats(self.table.validate_, self.table.key, lambda: map(merger.comparable, sorter.merged()))
        validator = Validator(rules, view, self.table.key, again, self._known(sorter, merger, view.columns), contracts)
        self._write(sorter, merger, validator, wanted, taken)

    def _pages(self, taken: Sequence[Sealed]) -> Iterator[Kept]:
        """Every kept page of the collections, in the order of their runs."""
        for one in sorted(
            taken, key=lambda one: (one.run, [str(name) for name in self.table.from_].index(one.endpoint))
        ):
            endpoint = self.around.plan.pipeline.endpoints[one.endpoint]
            kept = 0
            for number, frame in enumerate(self.around.store.frames(one.endpoint, one.run)):
                self.around.check()
                yield Kept(one.endpoint, one.run, number, frame, self._rows(frame, endpoint))
                kept += 1
            if kept != one.pages:
                raise StorageError(
                    f"{kept} of {one.pages} kept pages of {one.endpoint} are left in run {one.run}",
                    "collect it again, or restore the folder raw_data from a backup",
                )

    def _rows(self, frame: Frame, endpoint: Endpoint) -> Sequence[bytes]:
        rows = kept_rows(frame, endpoint)
        if self._reshaper is None:
            return rows
        try:
            return self._reshaper.rows(rows, frame.meta.add)
        except select.SelectError as error:
            raise Mistake("rows", f"{error} ({frame.meta.request})") from None

    def _settled(self, taken: Sequence[Sealed]) -> tuple[list[kinds.Wanted], Iterable[Kept]]:
        """The columns that are read, with types, and the pages, of which some were looked at for the types."""
        table, before = self.table, self.around.current.get("tables", {}).get(self.name) or {}
        pinned = {name: kind["type"] for name, kind in before.get("schema", {}).items() if kind.get("pinned")}
        pages, head = self._pages(taken), list[Kept]()
        if not all(column.type or column.sql for column in table.columns.values()):
            for page in pages:
                head.append(page)
                if sum(len(one.rows) for one in head) >= FIRST_ROWS:
                    break
        columns = self._reshaper.columns if self._reshaper else table.columns
        read = kinds.settle(columns, pinned, list(_records(head)))
        if table.other_columns == "keep" or not table.columns:
            known = pinned if before.get("definition") == self.definition else {}
            read += self._others(_records(self._pages(taken)), known)
        if table.other_columns == "raw" or kinds.reads_raw(table.columns):
            read.append(kinds.Wanted(RAW, "@", "json", seen=False))
        return read, chain(head, pages)

    def _others(self, records: Iterable[Json], pinned: Mapping[str, str]) -> list[kinds.Wanted]:
        """The fields that the page does not name, a column each."""
        found = kinds.other_fields(records, self.table.columns, pinned)
        found = [one for one in found if not self.table.rows or own(one.name)]
        if clash := [one.name for one in found if one.name in (RAW, *HIDDEN)]:
            text = f'the records have a field "{clash[0]}", and no column can be called so'
            raise Mistake("table", text, "name the columns, without other_columns: keep")
        return found

    @property
    def _is_open(self) -> bool:
        return self.table.other_columns != "drop" or not self.table.columns

    def _fields_of_version(self, base: Mapping[str, Json] | None) -> set[str]:
        """The fields of all records that the version rests on; where none came they are those that were known."""
        before = (self.around.current.get("tables", {}).get(self.name) or {}).get("fields", [])
        return self.fields | set(before if self._is_open and (base or not self.fields) else ())

    def _in_order(self, read: Sequence[kinds.Wanted], computed: Mapping[str, pl.DataType]) -> list[kinds.Wanted]:
        """All columns as the page orders them, the others behind."""
        words = {kind: word for word, kind in kinds.TYPES.items() if word != "json"}
        named = {one.name: one for one in read if one.name != RAW or self.table.other_columns == "raw"}
        for name, kind in computed.items():
            named[name] = kinds.Wanted(name, NOTHING, self.table.columns[name].type or words[kind], seen=False)
        return [named[name] for name in dict.fromkeys([*self.table.columns, *named])]

    def _read(
        self,
        read: Sequence[kinds.Wanted],
        wanted: Sequence[kinds.Wanted],
        computed: Mapping[str, tuple[pl.Expr, pl.DataType]],
        pages: Iterable[Kept],
        sorter: Sorter,
        where: pl.Expr | None,
    ) -> dict[int, dict[int, str]]:
        """Fill the sorter with typed rows; gives the contracts that records broke, rule number -> arrival -> why."""
        added = [] if self.table.rows else sorted(self._added(read))
        reader = Reader(kinds.reading(read), self.table.null_values, frozenset(added))
        contracts = self._contracts()
        broken: dict[int, dict[int, str]] = {number: {} for number in contracts}

        def checked() -> Iterator[Any]:
            for piece in slices(pages, self.spans, added, inside=self.table.rows is not None):
                if self._is_open:
                    self.fields |= names_in(piece)
                for number, contract in contracts.items():
                    for at, row in enumerate(piece.rows):
                        if (says := contract(jsontext.read(row))) is not None:
                            broken[number][piece.start + at] = says
                yield piece

        for rows in batches(reader, checked()):
            for name, (value, _) in computed.items():
                rows.frame = rows.frame.with_columns(value.alias(name))
            rows.frame = rows.frame.select(*(column.name for column in wanted), AT)
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
        writer = around.parts(folder)
        base = around.parts(folder, "base")
        keeps_base = bool(table.enrich) and around.mode(table) != "replace"
        steps, given = around.steps(table), around.given(validator.view)
        broken: list[pl.DataFrame] = []
        keyless, held = 0, set[str]()
        for frame in sorter.merged():
            around.check()
            fresh, same_key, left_out, repeated = merger.arrived(frame)
            self.made.repeated += repeated
            good, bad = validator.split(fresh, same_key)
            keyless += keyless_rows(good, table.key)
            broken += [bad] if bad.height else []
            rows = self._without_deleted(merger.merged(frame, good, left_out))
            validator.count(rows)
            held |= {one.name for one in rows.iter_columns() if one.null_count() < rows.height}
            if keeps_base:
                base.add(rows)
            writer.add(enrich(rows, steps, given))
        outcomes = validator.finish(dict(writer.schema or {}))
        self.made.outcomes = [*self._type_outcome(), *self._key_outcome(keyless), *outcomes]
        bad_rows = pl.concat([self._rejected(validator.rules), *broken])
        self.made.quarantined = bad_rows[AT].n_unique()
        if bad_rows.height:
            paths = None if table.rows else {one.name: one.path.strip('"') for one in wanted}
            quarantine(around.shelf, self.name, around.run, bad_rows, self.spans, paths)
        before = (around.current.get("tables", {}).get(self.name) or {}).get("taken", {})
        moved = {**before, **{one.endpoint: one.run for one in sorted(taken, key=lambda one: one.run)}}
        types = {one.name: {"type": one.type, "pinned": self._is_pinned(one, held)} for one in wanted}
        kept = base.finish() if keeps_base else []
        mode, fields = around.mode(table), validator.view.fields
        finish(self.made, writer, around.run, types, self.definition, moved, kept, mode=mode, fields=fields)

    def _is_pinned(self, column: kinds.Wanted, held: Collection[str]) -> bool:
        """Whether its type holds from now on: nobody declared it, and it was seen, or the table has values in it."""
        named = self.table.columns.get(column.name)
        if named is None:
            return column.seen
        return not named.type and not named.sql and (column.seen or column.name in held)

    def _without_deleted(self, rows: pl.DataFrame) -> pl.DataFrame:
        gone = self._condition(self.table.delete_when, rows.schema)
        return rows if gone is None else rows.filter(~gone.fill_null(False))

    def _condition(self, text: sql.Sql | None, columns: Mapping[str, pl.DataType]) -> pl.Expr | None:
        return sql.expression(text, columns, self.around.constants())[0] if text else None

    def _known(self, sorter: Sorter, merger: Merger, columns: Collection[str]) -> Callable[[Reference], pl.Series]:
        """The values that a column may refer to: of another table, or of any row of this one."""
        own: dict[str, pl.Series] = {}

        def known(reference: Reference) -> pl.Series:
            if reference.table != self.name:
                return self.around.known(reference)
            if reference.to not in own:
                require(reference, columns)
                frames = map(merger.shown, sorter.merged())
                own[reference.to] = pl.concat([frame[reference.to].unique() for frame in frames]).unique()
            return own[reference.to]

        return known

    def _type_outcome(self) -> list[Outcome]:
        """The rule that nobody writes: every value fits the type of its column."""
        if not self.rejects:
            return []
        mark = self.around.place("tables", self.name, "columns", self.rejects[0].column or "")
        failed = len({reject.at for reject in self.rejects})
        return [Outcome("type", "error", mark, 0.0, failed, self.made.read, self.rejects[0].says)]

    def _key_outcome(self, failed: int) -> list[Outcome]:
        """The other rule that nobody writes: a key names one row, and is never null."""
        if not failed:
            return []
        mark = self.around.place("tables", self.name, "key")
        says = f"{', '.join(self.table.key)} is null, or another row has the same"
        return [Outcome("key", "warning", mark, 0.0, failed, self.made.read, says)]

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
