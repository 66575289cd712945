"""One table of collected records, from kept pages to parts: typed, sorted, checked, merged, enriched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl

from engine.core import jsontext, select
from engine.core.errors import Json, Mistake, StorageError
from engine.flow import across, parquet
from engine.flow import columns as kinds
from engine.flow.answer import redacted
from engine.flow.apart import Again, Apart
from engine.flow.batches import batches
from engine.flow.contracts import Breaches, Contracts
from engine.flow.enrich import enrich
from engine.flow.frames import AT, Reject, empty
from engine.flow.intake import Intake, known_columns, pinned_types, whole_record
from engine.flow.ledger import Collection as Sealed
from engine.flow.made import Made, finish
from engine.flow.merge import HIDDEN, Merger
from engine.flow.publish import PART_ROWS, Receipt
from engine.flow.raw import Packed, Spot, split_rows
from engine.flow.rejects import Rejects
from engine.flow.reshape import Reshaper
from engine.flow.settle import settled
from engine.flow.slices import Array, Kept, Shapeless, Slice, Span, names_in, own, slices
from engine.flow.sort import Sorter, keyless_rows
from engine.flow.surroundings import Surroundings
from engine.flow.unpack import kept_array
from engine.flow.untouched import pieces
from engine.flow.validate import Outcome, Placed, Validator, WholeKey
from engine.spec.collect import Endpoint
from engine.spec.model import RAW, Table

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
    keyless: int = 0
    """Rows without a key of their own."""

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
        before = self._apart_before(base or {})
        intake, sorter, contracts = self._taken_in(taken, before)
        if base:
            sorter.take(self.around.shelf.paths(base["base"] or base["files"]))
        merges, where = intake.merges, intake.where
        view = self.around.view(self.name, intake.types, self._fields_of_version(base))
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
        asked = Validator(
            self.name,
            [*rules, self._whole_key()] if merger.mode == "upsert" else rules,
            view,
            self.table.key,
            contracts=contracts,
            waivers=self.around.waived(self.name),
            masked=self.around.masked(self.table),
            naming=self.around.naming,
            same=merger.same,
        )
        every = across.of_sorter(sorter, merger)
        validator = settled(asked, every, view.columns, self.around.known, replaces=merger.mode == "upsert")
        stay = self._may_stay(base or {}, merger, intake.types)
        self._write(sorter, merger, validator, intake.wanted, taken, stay)

    def _taken_in(
        self, taken: Sequence[Sealed], before: Sequence[Mapping[str, Json]]
    ) -> tuple[Intake, Sorter, dict[int, Breaches]]:
        """All rows that came, typed, and the contracts that records broke, by the number of the rule."""
        read, pages = self._settled(taken)
        intake = Intake(self.around.plan, self.table, read, self.around.constants())
        paths = None if self.table.rows else {one.name: one.path.strip('"') for one in intake.wanted}
        self.apart = self.around.apart(self.name, self.scratch, before, self.spans, paths)
        early = self._read_early(read, taken)
        sorter = early or Sorter(self.scratch, self.table.key, seal=self.around.shelf.seal)
        contracts = {} if early else self._read(intake, pages, sorter)
        if not sorter.rows:
            sorter.add(empty(intake.wanted))
        return intake, sorter, contracts

    def _read_early(self, read: Sequence[kinds.Wanted], taken: Sequence[Sealed]) -> Sorter | None:
        """The rows that were read while they were collected; None where the table is made of any other page."""
        early = self.around.early and self.around.early.of(self.name, read)
        places = (place[:4] for place in self._places(taken))
        if not early or not early.is_made_of(places, exactly=self.around.mode(self.table) != "replace"):
            return None
        self.spans += early.spans
        self.made.read += early.records
        self.made.asked += early.asked
        self._set_apart(early.rejects)
        return early.sorter

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
        for name, run, number, _, read in self._places(taken):
            packed, endpoint = read(), self.around.plan.pipeline.endpoints[name]
            yield Kept(name, run, number, packed, Array(partial(self._rows, packed, endpoint)))

    def _places(self, taken: Sequence[Sealed]) -> Iterator[tuple[str, str, int, Spot, Callable[[], Packed]]]:
        """The same as endpoint, run, number, place, and what reads it as long as the next one is not asked for."""
        names = [str(name) for name in self.table.from_]
        for chained in sorted(self._as_one(taken), key=lambda every: (every[-1].run, names.index(every[-1].endpoint))):
            name, runs = chained[-1].endpoint, [one.run for one in chained]
            kept = 0
            for run, number, place, read in self.around.store.placed(name, runs):
                self.around.check()
                yield name, run, number, place, read
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

    def _rows(self, packed: Packed, endpoint: Endpoint) -> bytes | Sequence[bytes]:
        """The raw rows of a kept page, as a JSON array or one by one; what none can be made of stands among them."""
        frame = packed.opened()
        array = kept_array(frame, endpoint)
        if endpoint.redact and not frame.meta.redacted:  # kept before the page said so
            array = redacted(endpoint.redact, split_rows(array))
        if self._reshaper is None:
            return array
        rows = split_rows(array)
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
        pinned = pinned_types(before)
        pages, head = self._pages(taken), list[Kept]()
        if known_columns(table, before) is None:
            for page in pages:
                head.append(page)
                if sum(len(one.rows) for one in head) >= FIRST_ROWS:
                    break
        columns = self._reshaper.columns if self._reshaper else table.columns
        read = kinds.settle(columns, pinned, list(_records(head)))
        if table.other_columns == "keep" or not table.columns:
            known = pinned if before.get("definition") == self.definition else {}
            read += self._others(_records(self._pages(taken)), known)
        return [*read, *whole_record(table)], chain(head, pages)

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

    def _read(self, intake: Intake, pages: Iterable[Kept], sorter: Sorter) -> dict[int, Breaches]:
        """Fill the sorter with typed rows; gives the contracts that records broke, by the number of the rule."""
        contracts = self._contracts()

        def look(piece: Slice) -> None:
            if self._is_open:
                self.fields |= names_in(piece)
            contracts.look(piece)

        pieces = slices(pages, self.spans, intake.added, inside=self.table.rows is not None)
        for rows in batches(intake.reader, pieces, look if contracts.checks or self._is_open else None):
            self._set_apart(rows.rejects)
            self.made.asked += rows.asked
            self.made.read += rows.frame.height + len({reject.at for reject in rows.rejects})
            self.around.check()
            sorter.add(intake.rows(rows.frame))
        return contracts.broken

    def _set_apart(self, rejects: Sequence[Reject]) -> None:
        if rejects:
            self.made.quarantined += len({reject.at for reject in rejects})
            self.apart.reject(self._rejects.told(sorted(rejects, key=attrgetter("at"))))

    def _contracts(self) -> Contracts:
        every = enumerate(self.around.rules(self.name, self.table))
        checks = ((number, placed.rule.record_check(self.around.files.bytes)) for number, placed in every)
        return Contracts({number: check for number, check in checks if check})

    def _write(
        self,
        sorter: Sorter,
        merger: Merger,
        validator: Validator,
        wanted: Sequence[kinds.Wanted],
        taken: Sequence[Sealed],
        stay: Mapping[Path, Receipt],
    ) -> None:
        around, table = self.around, self.table
        folder = f"{self.name}/{around.run.id}"
        writer = around.parts(folder)
        base = around.parts(folder, "base")
        keeps_base = around.mode(table) != "replace" and (bool(table.enrich) or merger.lasts)
        unenriched = base if keeps_base else writer
        unenriched.most_rows = PART_ROWS * 3 // 2 if stay else PART_ROWS
        steps, given = around.steps(table), around.given(validator.view)
        again = Again.of(self.apart, merger)
        open_, held = [one.name for one in wanted if self._is_pinned(one, [one.name])], set[str]()
        for piece in pieces(sorter, stay):
            around.check()
            if isinstance(piece, Path):
                rows = parquet.scan([piece], around.shelf.seal)
                unenriched.keep(stay[piece], rows.collect_schema())
            else:
                merged = self._checked(piece, merger, validator, again)
                rows = merger.shown(merged).lazy()
                if keeps_base:
                    base.add(merged if merger.lasts else rows.collect())
            validator.count(rows)
            held |= _with_values(rows, [name for name in open_ if name not in held])
            if keeps_base or not isinstance(piece, Path):
                writer.add(enrich(rows, steps, given))
        outcomes = [one for one in validator.finish(dict(writer.schema or {})) if one.rule != "key" or one.is_told]
        self.made.outcomes = [*self._rejects.finish(self.made.read), *self._key_outcome(self.keyless), *outcomes]
        known = (around.current.get("tables", {}).get(self.name) or {}).get("taken", {})
        moved = {**known, **{one.endpoint: one.run for one in sorted(taken, key=lambda one: one.run)}}
        types = {one.name: {"type": one.type, "pinned": self._is_pinned(one, held)} for one in wanted}
        kept = base.finish() if keeps_base else []
        how: dict[str, Any] = {"mode": around.mode(table), "key": table.key, "fields": validator.view.fields}
        finish(self.made, writer, around.run, types, self.definition, moved, kept, **how)
        self.made.entry["quarantine"] = self.apart.finish(again)

    def _checked(self, frame: pl.DataFrame, merger: Merger, validator: Validator, again: Again | None) -> pl.DataFrame:
        """What was there before and the good rows that came, as one; the bad ones are set apart."""
        fresh, same_key, left_out, repeated = merger.arrived(frame)
        self.made.repeated += repeated
        good, bad = validator.split(fresh, same_key)
        self.keyless += keyless_rows(good, self.table.key, merger.same)
        self.made.quarantined += bad[AT].n_unique()
        self.apart.add(again.still(frame, bad) if again else bad)
        return merger.merged(frame, good, left_out)

    def _may_stay(
        self, base: Mapping[str, Json], merger: Merger, types: Mapping[str, pl.DataType]
    ) -> dict[Path, Receipt]:
        """The files of the version before that may be files of this one: they hold all rows, just as they are now."""
        shelf = self.around.shelf
        alike = merger.mode == "upsert" and merger.where is None and not merger.lasts
        if not base or not alike or self.around.home != shelf.home:
            return {}
        files = base["base"] or base["files"]
        found = zip(shelf.paths(files), files, strict=True)
        kept = {path: Receipt(**file) for path, file in found}
        return {path: file for path, file in kept.items() if parquet.schema(path, shelf.seal) == pl.Schema(types)}

    def _is_pinned(self, column: kinds.Wanted, held: Collection[str]) -> bool:
        """Whether its type holds from now on: nobody declared it, and it was seen, or the table has values in it."""
        named = self.table.columns.get(column.name)
        if named is None:
            return column.seen
        return not named.type and not named.sql and (column.seen or column.name in held)

    def _has_times(self) -> bool:
        """Whether rows are ordered by the time that their endpoints are read by: then an older one is known as such."""
        column = self.table.columns.get((self.table.deduplicate and self.table.deduplicate.order_by) or "")
        endpoints = [self.around.plan.pipeline.endpoints[str(name)] for name in self.table.from_]
        return column is not None and all(one.incremental and one.incremental.field == column.path for one in endpoints)

    def _key_outcome(self, failed: int) -> list[Outcome]:
        """A rule that nobody writes: a key names one row, and is never null."""
        if not failed:
            return []
        placed = self._whole_key()
        says = f"{', '.join(self.table.key)} is null, or another row has the same"
        return [Outcome(placed.word, "warning", placed.mark, 0.0, failed, self.made.read, says)]

    def _whole_key(self) -> Placed:
        return Placed(
            WholeKey.model_validate({"columns": self.table.key}), "key", self.around.place("tables", self.name, "key")
        )


def _with_values(rows: pl.LazyFrame, names: Sequence[str]) -> set[str]:
    """Which of these columns hold any value."""
    counts = rows.select(pl.col(names).count()).collect().row(0) if names else ()
    return {name for name, count in zip(names, counts, strict=True) if count}


def _records(pages: Iterable[Kept]) -> Iterator[Json]:
    """The records of pages that can be read, decoded, with the fields added to them."""
    for page in pages:
        for row in page.rows:
            with suppress(jsontext.NoJson):  # such as bytes that are no UTF-8: set apart when the rows are read
                if not isinstance(row, Shapeless):
                    record = jsontext.read(row)
                    yield {**record, **page.frame.meta.add} if isinstance(record, dict) else record
