"""One table of collected records, from kept pages to parts: typed, sorted, checked, merged, enriched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from engine.core import jsontext, select, sql
from engine.core.errors import Json, Mistake, StorageError
from engine.core.kinds import Reference
from engine.flow import columns as kinds
from engine.flow.answer import redacted
from engine.flow.apart import Again, Apart
from engine.flow.enrich import enrich
from engine.flow.frames import AT, Kept, Reader, Rows, Shapeless, Span, batches, empty, names_in, own, slices
from engine.flow.ledger import Collection as Sealed
from engine.flow.made import Made, finish
from engine.flow.merge import HIDDEN, Merger
from engine.flow.raw import ROWS, Frame
from engine.flow.rejects import Rejects
from engine.flow.reshape import Reshaper
from engine.flow.sort import Sorter, keyless_rows
from engine.flow.surroundings import Surroundings, require
from engine.flow.unpack import kept_rows
from engine.flow.validate import Breaches, Outcome, Validator, repeats
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
    apart: Apart = field(init=False)
    spans: list[Span] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    """What the records hold, where the page lets their other fields into the table."""

    @property
    def definition(self) -> str:
        """A hash of what the page says of the table."""
        return self.around.definition(self.name, self.table)

    @cached_property
    def _rejects(self) -> Rejects:
        rules = [placed.rule for placed in self.around.rules(self.name, self.table)]
        place = partial(self.around.place, "tables", self.name)
        return Rejects(self.name, self.table.columns, self.around.masked(self.table), rules, place, self.around.naming)

    @cached_property
    def _reshaper(self) -> Reshaper | None:
        return Reshaper(self.table.rows, self.table.columns) if self.table.rows is not None else None

    def run(self, taken: Sequence[Sealed], base: Mapping[str, Json] | None) -> None:
        """Read, sort, check, merge, enrich and write."""
        read, pages = self._settled(taken)
        computed = kinds.computed(self.table.columns, read, self.around.constants())
        wanted = self._in_order(read, {name: kind for name, (_, kind) in computed.items()})
        sorter = Sorter(self.scratch, self.table.key, seal=self.around.shelf.seal)
        before = self._apart_before(base or {})
        paths = None if self.table.rows else {one.name: one.path.strip('"') for one in wanted}
        self.apart = self.around.apart(self.name, self.scratch, before, self.spans, paths)
        where = self._shown(dict(_schema(wanted)))
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
            lasts=merges and self._has_times(),
        )
        again = repeats(self.table.validate_, self.table.key, lambda: map(merger.comparable, sorter.merged()))
        validator = Validator(
            self.name,
            rules,
            view,
            self.table.key,
            again,
            self._known(sorter, merger, view.columns),
            contracts,
            self.around.waived(self.name),
            self.around.masked(self.table),
            self.around.naming,
        )
        self._write(sorter, merger, validator, wanted, taken)

    def _apart_before(self, base: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
        """The files of what the version before had set apart; those that are gone are told."""
        found: list[Mapping[str, Json]] = []
        for file in base.get("quarantine", {}).get("files", ()):
            try:
                self.around.shelf.rows([file], self.around.shelf.set_apart).collect()
                found.append(file)
            except (StorageError, pl.exceptions.PolarsError):
                self.made.notes.append(f"what was set apart before is gone or damaged: quarantine/{file['path']}")
        return found

    def _pages(self, taken: Sequence[Sealed]) -> Iterator[Kept]:
        """Every kept page of the collections, in the order of their runs."""
        names = [str(name) for name in self.table.from_]
        for chained in sorted(self._as_one(taken), key=lambda every: (every[-1].run, names.index(every[-1].endpoint))):
            name, runs = chained[-1].endpoint, [one.run for one in chained]
            endpoint = self.around.plan.pipeline.endpoints[name]
            kept = 0
            for run, number, frame in self.around.store.numbered(name, runs):
                self.around.check()
                yield Kept(name, run, number, frame, self._rows(frame, endpoint))
                kept += 1
            for one in chained:
                left = kept if len(chained) == 1 else self.around.store.count(name, one.run)
                if left != one.pages:
                    raise StorageError(
                        f"{left} of {one.pages} kept pages of {name} are left in run {one.run}",
                        "collect it again, or restore the folder raw_data from a backup",
                    )

    def _as_one(self, taken: Sequence[Sealed]) -> list[list[Sealed]]:
        """What is read together: a table that is replaced takes a collection with those that it completes as one."""
        if self.around.mode(self.table) != "replace":
            return [[one] for one in taken]
        names = dict.fromkeys(one.endpoint for one in taken)
        return [sorted((one for one in taken if one.endpoint == name), key=lambda one: one.run) for name in names]

    def _rows(self, frame: Frame, endpoint: Endpoint) -> Sequence[bytes]:
        """The raw rows of a kept page; a record of which none can be made stands among them."""
        rows = kept_rows(frame, endpoint)
        if endpoint.redact and not frame.meta.redacted:  # kept before the page said so
            rows = [bytes(row) for row in ROWS.decode(redacted(endpoint.redact, rows))]
        if self._reshaper is None:
            return rows
        try:
            return self._reshaper.rows(rows, frame.meta.add)
        except select.SelectError:
            return [row for one in rows for row in self._reshaped(self._reshaper, one, frame.meta.add)]

    def _reshaped(self, reshaper: Reshaper, record: bytes, add: Mapping[str, Json]) -> list[bytes]:
        try:
            return reshaper.rows([record], add)
        except select.SelectError as error:
            return [Shapeless.of(record, str(error))]

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
    ) -> dict[int, Breaches]:
        """Fill the sorter with typed rows; gives the contracts that records broke, by the number of the rule."""
        added = [] if self.table.rows else sorted(self._added(read))
        reader = Reader(kinds.reading(read), self.table.null_values, frozenset(added), self.table.key)
        contracts = self._contracts()
        broken = {number: Breaches() for number in contracts}

        def checked() -> Iterator[Any]:
            for piece in slices(pages, self.spans, added, inside=self.table.rows is not None):
                if self._is_open:
                    self.fields |= names_in(piece)
                for number, contract in contracts.items():
                    for at, row in enumerate(piece.rows):
                        if not isinstance(row, Shapeless) and (says := contract(jsontext.read(row))) is not None:
                            broken[number].add(piece.start + at, says)
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
        refused = len({reject.at for reject in rows.rejects})
        self.made.read += rows.frame.height + refused
        self.made.quarantined += refused
        self.apart.reject(self._rejects.told(rows.rejects))
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
        keeps_base = around.mode(table) != "replace" and (bool(table.enrich) or merger.lasts)
        steps, given = around.steps(table), around.given(validator.view)
        again = Again.of(self.apart, merger)
        keyless, held = 0, set[str]()
        for frame in sorter.merged():
            around.check()
            fresh, same_key, left_out, repeated = merger.arrived(frame)
            self.made.repeated += repeated
            good, bad = validator.split(fresh, same_key)
            keyless += keyless_rows(good, table.key, merger.same)
            self.made.quarantined += bad[AT].n_unique()
            self.apart.add(again.still(frame, bad) if again else bad)
            merged = merger.merged(frame, good, left_out)
            rows = merger.shown(merged)
            validator.count(rows)
            held |= {one.name for one in rows.iter_columns() if one.null_count() < rows.height}
            if keeps_base:
                base.add(merged if merger.lasts else rows)
            writer.add(enrich(rows, steps, given))
        outcomes = validator.finish(dict(writer.schema or {}))
        self.made.outcomes = [*self._rejects.finish(self.made.read), *self._key_outcome(keyless), *outcomes]
        known = (around.current.get("tables", {}).get(self.name) or {}).get("taken", {})
        moved = {**known, **{one.endpoint: one.run for one in sorted(taken, key=lambda one: one.run)}}
        types = {one.name: {"type": one.type, "pinned": self._is_pinned(one, held)} for one in wanted}
        kept = base.finish() if keeps_base else []
        how: dict[str, Any] = {"mode": around.mode(table), "key": table.key, "fields": validator.view.fields}
        finish(self.made, writer, around.run, types, self.definition, moved, kept, **how)
        self.made.entry["quarantine"] = self.apart.finish(again)

    def _is_pinned(self, column: kinds.Wanted, held: Collection[str]) -> bool:
        """Whether its type holds from now on: nobody declared it, and it was seen, or the table has values in it."""
        named = self.table.columns.get(column.name)
        if named is None:
            return column.seen
        return not named.type and not named.sql and (column.seen or column.name in held)

    def _shown(self, columns: Mapping[str, pl.DataType]) -> pl.Expr | None:
        """Which rows the table shows; a deletion only takes a row's place, so no rule looks at it. None for all."""
        where, gone = (self._condition(text, columns) for text in (self.table.where, self.table.delete_when))
        there = None if gone is None else ~gone.fill_null(False)
        return there if where is None else where if there is None else where & there

    def _has_times(self) -> bool:
        """Whether rows are ordered by the time that their endpoints are read by: then an older one is known as such."""
        column = self.table.columns.get((self.table.deduplicate and self.table.deduplicate.order_by) or "")
        endpoints = [self.around.plan.pipeline.endpoints[str(name)] for name in self.table.from_]
        return column is not None and all(one.incremental and one.incremental.field == column.path for one in endpoints)

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

    def _key_outcome(self, failed: int) -> list[Outcome]:
        """A rule that nobody writes: a key names one row, and is never null."""
        if not failed:
            return []
        mark = self.around.place("tables", self.name, "key")
        says = f"{', '.join(self.table.key)} is null, or another row has the same"
        return [Outcome("key", "warning", mark, 0.0, failed, self.made.read, says)]


def _records(pages: Iterable[Kept]) -> Iterator[Json]:
    """The records of pages that can be read, decoded, with the fields added to them."""
    for page in pages:
        for row in page.rows:
            with suppress(jsontext.NoJson):  # such as bytes that are no UTF-8: set apart when the rows are read
                if not isinstance(row, Shapeless):
                    record = jsontext.read(row)
                    yield {**record, **page.frame.meta.add} if isinstance(record, dict) else record


def _schema(wanted: Sequence[kinds.Wanted]) -> Iterator[tuple[str, pl.DataType]]:
    return ((column.name, kinds.TYPES[column.type]) for column in wanted)
