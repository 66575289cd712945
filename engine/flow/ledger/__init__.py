"""What was done and how far: runs, units, sealed collections and watermarks, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.core.clock import read_instant, rfc3339
from engine.core.errors import Json, StorageError
from engine.flow.marks import LATER, MARKED
from engine.flow.marks import Kind as Kind
from engine.flow.marks import Mark as Mark

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
  run TEXT PRIMARY KEY, tool TEXT NOT NULL, work TEXT NOT NULL, page_hash TEXT NOT NULL, simulated INTEGER NOT NULL,
  status TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, result TEXT);
CREATE TABLE IF NOT EXISTS units (
  run TEXT NOT NULL, endpoint TEXT NOT NULL, unit TEXT NOT NULL, binding TEXT NOT NULL, pages INTEGER NOT NULL,
  rows INTEGER NOT NULL, cursor TEXT, status TEXT NOT NULL, note TEXT, PRIMARY KEY (run, endpoint, unit));
CREATE TABLE IF NOT EXISTS collections (
  tool TEXT NOT NULL, run TEXT NOT NULL, endpoint TEXT NOT NULL, complete INTEGER NOT NULL, rows INTEGER NOT NULL,
  pages INTEGER NOT NULL, missing TEXT NOT NULL, skipped TEXT NOT NULL, PRIMARY KEY (run, endpoint));
CREATE TABLE IF NOT EXISTS watermarks (
  tool TEXT NOT NULL, endpoint TEXT NOT NULL, kind TEXT NOT NULL, partition TEXT NOT NULL, value TEXT NOT NULL,
  binding TEXT NOT NULL DEFAULT '{}', since TEXT NOT NULL DEFAULT '', seen TEXT,
  basis TEXT NOT NULL DEFAULT '', PRIMARY KEY (tool, endpoint, kind, partition));
CREATE TABLE IF NOT EXISTS kept (tool TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tool, name));
CREATE TABLE IF NOT EXISTS fences (tool TEXT PRIMARY KEY, fence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS schedules (
  tool TEXT NOT NULL, schedule TEXT NOT NULL, clock TEXT NOT NULL, taken TEXT NOT NULL, run TEXT, status TEXT,
  ended_at TEXT, PRIMARY KEY (tool, schedule));
"""


@dataclass(frozen=True)
class Collection:
    """A sealed endpoint of one run: what `process` may take."""

    run: str
    endpoint: str
    complete: bool
    rows: int
    pages: int
    missing: tuple[str, ...] = ()
    """What could not be fetched, in words."""
    skipped: tuple[str, ...] = ()
    """What was left out, in the page's own words."""


@dataclass(frozen=True)
class UnitRecord:
    """How far a unit came."""

    unit: str
    binding: Mapping[str, Json] = field(default_factory=dict)
    pages: int = 0
    rows: int = 0
    cursor: Json = None
    status: str = "running"
    note: str = ""


@dataclass(frozen=True)
class Due:
    """A time at which a schedule of a tool shall run."""

    tool: str
    schedule: str
    at: datetime
    """In whole seconds, so that times compare as texts."""


@dataclass(frozen=True)
class Taken:
    """How far the times of a schedule are done."""

    clock: str
    """The times in words; other words start anew."""
    until: datetime
    """Times up to this one are done, or from before the schedule was met."""
    run: str | None = None
    status: str | None = None
    """How the run of that time ended; null when there was none yet."""
    ended_at: str | None = None


class Ledger:
    """The ledger of one storage; every method is one transaction. Raises StorageError.

    With `due`, the end of the run is the end of that due time too: a kill cannot come between the two. With
    `only_read` nothing is made or changed: the storage may be one that cannot be written.
    """

    def __init__(self, path: Path, due: Due | None = None, *, only_read: bool = False) -> None:
        self._lock, self._due, self._only_read = threading.Lock(), due, only_read
        try:
            if only_read:
                self._base = _looked_into(path)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.chmod(0o600)  # it may hold what signs in
            self._base = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.executescript(TABLES)
            _widen(self._base)
        except (sqlite3.Error, OSError) as error:
            raise _storage(error) from error

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                yield self._base
                self._base.execute("COMMIT")
            except BaseException as error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _storage(error) from error
                raise

    def _ask(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._base.execute(sql, tuple(values)).fetchall()
            except sqlite3.Error as error:
                if self._only_read and "no such " in str(error):
                    return []  # an older engine made it, and reading does not bring it up to date
                raise _storage(error) from error

    # --- runs

    def next_number(self) -> int:
        """The number of the next run of any tool: with the time it begins at, it names the run."""
        return int(self._ask("SELECT count(*) + 1 FROM runs")[0][0])

    def name_run(self, tool: str, started: datetime) -> str:
        """The name of the tool's next run. Runs are taken in the order of their names, so it stands behind all before.

        Where the clock was set back since, it has the time of the newest run instead of its own.
        """
        number = self.next_number()
        name = f"{started:%Y%m%dT%H%M%S}{started.microsecond // 1000:03d}Z-{number:04d}"
        newest = str(self._ask("SELECT max(run) FROM runs WHERE tool=?", (tool,))[0][0] or "")
        return name if name > newest else f"{newest.partition('-')[0]}-{number:04d}"

    def start_run(self, run: str, tool: str, *, work: str, page_hash: str, simulated: bool, started_at: str) -> int:
        """Note a run that begins; older ones of the tool that never ended were interrupted. Gives its fence number."""
        with self._change() as base:
            base.execute("UPDATE runs SET status='interrupted' WHERE tool=? AND status='running'", (tool,))
            base.execute(
                "INSERT INTO runs VALUES (?,?,?,?,?,'running',?,NULL,NULL)",
                (run, tool, work, page_hash, int(simulated), started_at),
            )
            base.execute("INSERT INTO fences VALUES (?,1) ON CONFLICT (tool) DO UPDATE SET fence=fence+1", (tool,))
            return int(base.execute("SELECT fence FROM fences WHERE tool=?", (tool,)).fetchone()[0])

    def end_run(self, run: str, *, status: str, ended_at: str, result: Json) -> None:
        """Note how a run ended; the due time of one that was interrupted stays due."""
        with self._change() as base:
            base.execute(
                "UPDATE runs SET status=?, ended_at=?, result=? WHERE run=?",
                (status, ended_at, json.dumps(result), run),
            )
            if self._due and status != "interrupted":
                base.execute(TAKE, _taking(self._due, run, status, ended_at))

    def kinds(self) -> set[bool]:
        """Whether the runs in it were simulated: both, where somebody mixed them."""
        return {bool(simulated) for (simulated,) in self._ask("SELECT DISTINCT simulated FROM runs")}

    def last_run(self, tool: str) -> dict[str, Json] | None:
        """The newest run of a tool: run, status, started_at, ended_at, result."""
        rows = self._ask(
            "SELECT run, status, started_at, ended_at, result FROM runs WHERE tool=? ORDER BY run DESC LIMIT 1", (tool,)
        )
        if not rows:
            return None
        told = dict(zip(("run", "status", "started_at", "ended_at", "result"), rows[0], strict=True))
        return told | {"result": json.loads(told["result"]) if told["result"] else None}

    # --- schedules

    def meet(self, tool: str, schedule: str, clock: str, now: datetime) -> None:
        """Note a schedule that is new or has other times than before: what was due before now is no concern of it."""
        with self._change() as base:
            base.execute(
                "INSERT INTO schedules (tool, schedule, clock, taken) VALUES (?,?,?,?) ON CONFLICT (tool, schedule) "
                "DO UPDATE SET clock=excluded.clock, taken=excluded.taken WHERE clock<>excluded.clock",
                (tool, schedule, clock, rfc3339(now.replace(microsecond=0))),
            )

    def take(self, due: Due, *, status: str, ended_at: str) -> None:
        """Note a due time whose run ended before it was a run; nothing where the time is done already."""
        with self._change() as base:
            base.execute(TAKE, _taking(due, None, status, ended_at))

    def taken(self) -> dict[tuple[str, str], Taken]:
        """(tool, schedule) -> how far its times are done."""
        rows = self._ask("SELECT tool, schedule, clock, taken, run, status, ended_at FROM schedules")
        return {
            (tool, schedule): Taken(clock, read_instant(until), *last) for tool, schedule, clock, until, *last in rows
        }

    def due_is_done(self) -> bool:
        """Whether the due time of this run is done already: by a run that outlived the daemon that began it."""
        due = self._due
        last = self.taken().get((due.tool, due.schedule)) if due else None
        return bool(due and last and last.until >= due.at)

    def knows_page(self, tool: str, page_hash: str) -> bool:
        """Whether a run of this very page was begun before: what it says was checked then."""
        return bool(self._ask("SELECT 1 FROM runs WHERE tool=? AND page_hash=? LIMIT 1", (tool, page_hash)))

    # --- sign-ins

    def kept(self, tool: str, name: str) -> str | None:
        """What a sign-in of a tool asked to keep, such as its newest refresh token."""
        rows = self._ask("SELECT value FROM kept WHERE tool=? AND name=?", (tool, name))
        return str(rows[0][0]) if rows else None

    def keep(self, tool: str, name: str, value: str) -> None:
        """Keep it in the place of what was kept before."""
        with self._change() as base:
            base.execute("INSERT OR REPLACE INTO kept VALUES (?,?,?)", (tool, name, value))

    # --- units

    def note_units(self, run: str, endpoint: str, units: Iterable[UnitRecord]) -> None:
        """Note how far units are."""
        rows = [
            (run, endpoint, u.unit, json.dumps(u.binding), u.pages, u.rows, json.dumps(u.cursor), u.status, u.note)
            for u in units
        ]
        with self._change() as base:
            base.executemany("INSERT OR REPLACE INTO units VALUES (?,?,?,?,?,?,?,?,?)", rows)

    # --- sealed collections and watermarks

    def seal(self, tool: str, sealed: Collection, marks: Iterable[Mark] = (), *, forget: str = "") -> None:
        """Seal an endpoint of a run and move its marks, in one transaction.

        Marks of parents that no run saw since the time `forget` are taken out.
        """
        with self._change() as base:
            base.execute(
                "INSERT OR REPLACE INTO collections VALUES (?,?,?,?,?,?,?,?)",
                (
                    tool,
                    sealed.run,
                    sealed.endpoint,
                    int(sealed.complete),
                    sealed.rows,
                    sealed.pages,
                    json.dumps(sealed.missing),
                    json.dumps(sealed.skipped),
                ),
            )
            _move(base, tool, sealed.endpoint, marks)
            base.execute(
                "DELETE FROM watermarks WHERE tool=? AND endpoint=? AND seen<?", (tool, sealed.endpoint, forget)
            )

    def move(self, tool: str, endpoint: str, marks: Iterable[Mark]) -> None:
        """Move the marks of an endpoint that was sealed before, when all that is repeated for it is whole."""
        with self._change() as base:
            _move(base, tool, endpoint, marks)

    def collections(self, tool: str) -> list[Collection]:
        """Every sealed collection of a tool, oldest first."""
        rows = self._ask(
            "SELECT run, endpoint, complete, rows, pages, missing, skipped FROM collections WHERE tool=? "
            "ORDER BY run, endpoint",
            (tool,),
        )
        return [
            Collection(run, endpoint, bool(whole), n, pages, tuple(json.loads(missing)), tuple(json.loads(skipped)))
            for run, endpoint, whole, n, pages, missing, skipped in rows
        ]

    def rows_before(self, tool: str, endpoint: str) -> int:
        """How many records the last complete collection of an endpoint had; 0 when there was none."""
        rows = self._ask(
            "SELECT rows FROM collections WHERE tool=? AND endpoint=? AND complete=1 ORDER BY run DESC LIMIT 1",
            (tool, endpoint),
        )
        return int(rows[0][0]) if rows else 0

    def watermarks(self, tool: str, endpoint: str, kind: Kind) -> dict[str, str]:
        """Partition -> value of every parent that a run saw; empty where nothing of it was read yet."""
        rows = self._ask(
            "SELECT partition, value FROM watermarks WHERE tool=? AND endpoint=? AND kind=?", (tool, endpoint, kind)
        )
        return {str(partition): str(value) for partition, value in rows}

    def outdated(self, tool: str, endpoint: str, basis: str) -> set[str]:
        """The partitions that another request read than the one of this `basis`; older engines did not note theirs."""
        sql = "SELECT partition FROM watermarks WHERE tool=? AND endpoint=? AND value<>'' AND basis NOT IN ('', ?)"
        return {str(partition) for (partition,) in self._ask(sql, (tool, endpoint, basis))}

    def marks(self, tool: str) -> list[Mark]:
        """All marks of a tool, by endpoint, in the order in which their parents were first seen."""
        rows = self._ask(
            "SELECT kind, partition, value, binding, since, endpoint FROM watermarks WHERE tool=? "
            "ORDER BY endpoint, kind, rowid",
            (tool,),
        )
        return [Mark(kind, name, value, json.loads(binding), *more) for kind, name, value, binding, *more in rows]

    def reset(self, tool: str, endpoint: str, partitions: Iterable[str]) -> None:
        """Forget how far partitions of an endpoint were read; that their parents are known stays."""
        with self._change() as base:
            base.executemany(
                "UPDATE watermarks SET value='', since='' WHERE tool=? AND endpoint=? AND partition=?",
                [(tool, endpoint, partition) for partition in partitions],
            )


TAKE = "UPDATE schedules SET taken=?, run=?, status=?, ended_at=? WHERE tool=? AND schedule=? AND taken<?"


def _taking(due: Due, run: str | None, status: str, ended_at: str) -> tuple[str | None, ...]:
    at = rfc3339(due.at)
    return at, run, status, ended_at, due.tool, due.schedule, at


def _looked_into(path: Path) -> sqlite3.Connection:
    """The file, for reading; SQLite wants to write beside it even then, but for one that never changes."""
    for how in ("mode=ro", "mode=ro&immutable=1"):
        base = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, check_same_thread=False)
        try:
            base.execute("SELECT 1 FROM sqlite_master")
            break
        except sqlite3.OperationalError:
            continue
    return base


def _storage(error: Exception) -> StorageError:
    text = str(error)
    if "locked" in text:
        return StorageError("the ledger is locked by another engine", "wait until that run has ended")
    if "readonly" in text or "read-only" in text.lower() or "unable to open" in text:
        return StorageError(
            "the storage cannot be written", "make the storage folder writable, or choose another with --storage"
        )
    if "full" in text:
        return StorageError("the disk is full", "free space; what was kept stays kept")
    return StorageError(
        f"the ledger engine.db cannot be used: {text}", "restore it from a backup, or move it away to start anew"
    )


def _move(base: sqlite3.Connection, tool: str, endpoint: str, marks: Iterable[Mark]) -> None:
    base.executemany(MARKED, (mark.row(tool, endpoint) for mark in marks))


def _widen(base: sqlite3.Connection) -> None:
    """Give a ledger of an older engine the columns that came later."""
    known = {row[1] for row in base.execute("PRAGMA table_info(watermarks)")}
    for name, kind in LATER.items():
        if name not in known:
            base.execute(f"ALTER TABLE watermarks ADD COLUMN {name} TEXT {kind}")
