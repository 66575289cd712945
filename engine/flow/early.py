"""Kept pages are read while others are fetched; a table takes their rows if it is made of just these pages."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.core import select
from engine.core.errors import EngineError, Json, Mistake
from engine.core.kinds import Rule
from engine.core.wire import Page
from engine.flow.batches import THREADS
from engine.flow.columns import Wanted
from engine.flow.frames import REFUSED, Asked, Reject, Rows
from engine.flow.intake import Intake, known_columns
from engine.flow.plan import Plan
from engine.flow.raw import Frame, Meta, Spot
from engine.flow.seal import Seal
from engine.flow.slices import PIECE_BYTES, PIECE_ROWS, Array, Kept, Piece, Span
from engine.flow.sort import RUN_ROWS, Moves, Sorter
from engine.spec.model import Table

MOST_BYTES = 16_000_000
"""Who brings a page waits while the pages that are not read yet have so many bytes."""
PAGE_BYTES = 500
"""Counted for each page beside those of its records, for what is known of it."""
MOST_REJECTS, MOST_REJECTED = 10_000, 16_000_000
"""Of a table with more records that do not fit, or more characters in them, nothing is read early: they wait in memory.
"""
AS_KEPT = (*REFUSED, OSError, EngineError, Mistake, pl.exceptions.PanicException)
"""What data and disks can do: who reads the kept pages meets it again."""


class Early:
    """Reads pages on threads, as they are kept, for the tables that will be made of them.

    A table that anything goes wrong with is dropped: it is read from what is kept, which says what that was.
    """

    def __init__(self, intakes: Mapping[str, Intake], scratch: Path, seal: Seal, most: int = MOST_BYTES) -> None:
        self._scratch, self._most = scratch, most
        self.changed, self._sorting = threading.Condition(), threading.Lock()
        self.tables = {name: EarlyTable(one, scratch / f"early-{name}", seal) for name, one in intakes.items()}
        self._waiting: deque[tuple[EarlyTable, Piece, int]] = deque()
        self._threads: list[threading.Thread] = []
        self._is_over = False
        self._out = 0
        """Pieces that are handed in, and not read yet."""
        self._defect: BaseException | None = None
        self.bytes = self.most_bytes = 0
        """Of the pages that are not read yet, now and at most."""

    def hear(self, endpoint: str, spot: Spot, meta: Meta, page: Page) -> None:
        """Take a page that was kept; waits while too much is not read yet."""
        tables = [one for one in self.tables.values() if endpoint in one.intake.table.from_ and not one.is_dropped]
        for table in tables:
            with self.changed:
                self.changed.wait_for(self._has_room)
                if self._is_over:
                    return
                self.bytes += table.note(endpoint, spot, meta, page)
                self.most_bytes = max(self.bytes, self.most_bytes)
                self._hand_in(every=False)

    def finish(self) -> None:
        """Wait until all that was heard of is read; raises what no data can have caused."""
        with self.changed:
            self._hand_in(every=True)
            self.changed.wait_for(lambda: not self._out or self._is_over)
        if self._defect:
            raise self._defect

    def of(self, name: str, read: Sequence[Wanted]) -> EarlyTable | None:
        """What was read for a table, to be had once; None where that is nothing, or other columns than these."""
        table = self.tables.pop(name, None)
        return table if table and not table.is_dropped and list(table.intake.read) == list(read) else None

    def close(self) -> None:
        """Read no more, and leave neither threads nor files."""
        with self.changed:
            self._is_over = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _has_room(self) -> bool:
        """Whether nobody need wait; else all is handed in, also what others noted while this thread waited."""
        if self.bytes >= self._most and not self._is_over:
            self._hand_in(every=True)
        return self.bytes < self._most or self._is_over

    def _hand_in(self, *, every: bool) -> None:
        """Have pages read that are enough for a piece, or all."""
        for table in self.tables.values():
            if piece := table.piece(every=every):
                self._waiting.append((table, *piece))
                self._out += 1
                self.changed.notify_all()
        while len(self._threads) < min(THREADS, len(self._waiting)):
            thread = threading.Thread(target=self._work, name="early", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads: all tables are made of what is kept
                self._is_over, self.tables = True, {}
                self._waiting.clear()
                self.changed.notify_all()
                return
            self._threads.append(thread)

    def _work(self) -> None:
        while (found := self._next()) is not None:
            table, piece, start = found
            try:
                if not table.is_dropped:
                    self._take(table, table.read(piece).moved(start))
            except BaseException as error:
                with self._sorting:
                    table.drop()
                if not isinstance(error, AS_KEPT):
                    self._defect = error
            with self.changed:
                self._out -= 1
                self.bytes -= piece.size + PAGE_BYTES * len(piece.pages)
                self.changed.notify_all()

    def _next(self) -> tuple[EarlyTable, Piece, int] | None:
        with self.changed:
            self.changed.wait_for(lambda: self._waiting or self._is_over)
            return None if self._is_over else self._waiting.popleft()

    def _take(self, table: EarlyTable, rows: Rows) -> None:
        with self._sorting:
            table.take(rows)
            every = self.tables.values()
            if sum(one.sorter.waiting for one in every) >= RUN_ROWS:  # so many of all tables, not of each
                max(every, key=lambda one: one.sorter.waiting).spill()


class Taken(NamedTuple):
    """What is known of a page that was read."""

    start: int
    """The number of its first record in the order in which pages came."""
    rows: int
    request: str
    unit: str
    unit_page: int
    first: int
    letters: Mapping[str, str]

    def span(self, start: int, endpoint: str, run: str, number: int) -> Span:
        """Where its rows stand, in the order in which the table takes them."""
        return Span(start, endpoint, run, number, self.request, self.unit, self.unit_page, self.first, self.letters)


@dataclass
class EarlyTable:
    """What was read of one table, and of which pages."""

    intake: Intake
    folder: Path
    seal: Seal
    sorter: Sorter = field(init=False)
    pages: dict[Spot, Taken] = field(init=False)
    """In the order in which they came."""
    rejects: list[Reject] = field(init=False)
    asked: Asked = field(init=False)
    is_dropped: bool = False
    spans: list[Span] = field(init=False)
    """Where the rows of the pages stand that the table is made of."""
    records: int = field(init=False)
    """So many are on these pages."""
    _rejected: int = field(init=False)
    """So many characters the records have that do not fit."""
    _waiting: list[Kept] = field(default_factory=list)
    _bytes: int = 0
    _rows: int = 0
    """Of the pages that wait."""
    _start: int = 0
    """The number of the first of these."""

    def __post_init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.sorter = Sorter(self.folder, self.intake.table.key, seal=self.seal)
        self.pages, self.rejects, self.spans, self.asked = {}, [], [], Asked()
        self.records = self._rejected = 0

    def note(self, endpoint: str, spot: Spot, meta: Meta, page: Page) -> int:
        """Take a page; gives its bytes. Where it has no records, nothing of it waits."""
        rows = page.rows[meta.skip :] if meta.skip else page.rows
        about = (meta.request, meta.unit, meta.page, meta.first, meta.letters)
        self.pages[spot] = Taken(self._start + self._rows, len(rows), *about)
        if not rows:
            return 0
        kept = Kept(endpoint, "", 0, Frame(meta, page.body), Array(partial(select.together, rows)))
        self._waiting.append(kept)
        self._bytes += kept.size
        self._rows += len(rows)
        return kept.size + PAGE_BYTES

    def piece(self, *, every: bool) -> tuple[Piece, int] | None:
        """The pages that wait, where they are enough to be read at once, with the number of their first record."""
        every = every or self.is_dropped  # then they only leave
        if not self._waiting or not (every or self._bytes >= PIECE_BYTES or self._rows >= PIECE_ROWS):
            return None
        found = Piece(self._waiting, [], self.intake.added), self._start
        self._start += self._rows
        self._waiting, self._bytes, self._rows = [], 0, 0
        return found

    def read(self, piece: Piece) -> Rows:
        """The rows of a piece, numbered from 0."""
        rows = self.intake.reader.read_all(piece.slices())
        return replace(rows, frame=self.intake.rows(rows.frame))

    def take(self, rows: Rows) -> None:
        """Take rows, and the records of which none could be made."""
        if self.is_dropped:  # while these were read
            return
        self.rejects += rows.rejects
        self.asked += rows.asked
        self._rejected += sum(len(one.record) for one in rows.rejects)
        if len(self.rejects) > MOST_REJECTS or self._rejected > MOST_REJECTED:
            self.drop()
        else:
            self.sorter.add(rows.frame)

    def spill(self) -> None:
        """Put its rows on disk; where that refuses, forget them."""
        try:
            self.sorter.spill()
        except AS_KEPT:
            self.drop()

    def is_made_of(self, places: Iterable[tuple[str, str, int, Spot]], *, exactly: bool) -> bool:
        """Whether all these pages were read, and where that is asked for no other one; then it is of these, in order.

        A page is given as its endpoint, its run, its number in that, and where it is kept.
        """
        starts = dict[Spot, int]()
        for endpoint, run, number, spot in places:
            if (page := self.pages.get(spot)) is None:
                break
            starts[spot] = self.records
            self.spans.append(page.span(self.records, endpoint, run, number))
            self.records += page.rows
        else:
            if len(starts) == len(self.pages) or not exactly:
                self._number(starts)
                return True
        self.drop()
        return False

    def _number(self, starts: Mapping[Spot, int]) -> None:
        self.sorter.moves = moves = Moves.of([(page.start, starts.get(spot)) for spot, page in self.pages.items()])
        if moves:
            found = ((one, moves.of_one(one.at)) for one in self.rejects)
            self.rejects = [replace(one, at=at) for one, at in found if at is not None]

    def drop(self) -> None:
        """Forget all of it; no other thread may take or spill rows meanwhile."""
        self.is_dropped = True
        self._reset()
        shutil.rmtree(self.folder, ignore_errors=True)


def intakes(plan: Plan, constants: Mapping[str, object], current: Mapping[str, Json]) -> dict[str, Intake]:
    """The tables that can be read early: those whose rows rest on declared columns of records as they come, alone."""
    found: dict[str, Intake] = {}
    for name in plan.tables:
        table = plan.pipeline.tables.get(name)
        if table is None or not _is_plain(plan, table):
            continue
        read = known_columns(table, current.get("tables", {}).get(name) or {})
        if read is not None:
            with suppress(Mistake, pl.exceptions.PolarsError):  # told when the table is made
                found[name] = Intake(plan, table, read, constants).ready()
    return found


def _is_plain(plan: Plan, table: Table) -> bool:
    endpoints = [plan.pipeline.endpoints[str(name)] for name in table.from_]
    as_they_come = not any(one.redact or one.decode_fields or one.file for one in endpoints)
    of_records = table.columns and table.other_columns == "drop" and table.rows is None and not table.sql
    contracts = any(type(rule).record_check is not Rule.record_check for rule in table.validate_)
    return bool(endpoints and as_they_come and of_records and not contracts)
