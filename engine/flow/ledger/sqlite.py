"""The ledger in one file: SQLite, with a journal that readers need not wait for."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from engine.core.errors import StorageError
from engine.flow.ledger import dialect
from engine.flow.ledger.dialect import Row, Value, listed

NOW = "((julianday('now') - 2440587.5) * 86400.0)"
"""Seconds since 1970; `unixepoch('subsec')` came with SQLite 3.42, which not every Python has."""


class Hand:
    """Does statements on a connection; one that is `only_read` may be of an older engine, without the newest tables."""

    def __init__(self, base: sqlite3.Connection, *, only_read: bool = False) -> None:
        self._base, self._only_read = base, only_read

    def ask(self, sql: str, values: Iterable[Value] = ()) -> list[Row]:
        """The rows of a query."""
        try:
            return self._base.execute(_said(sql), tuple(values)).fetchall()
        except sqlite3.OperationalError as error:
            if self._only_read and "no such " in str(error):
                return []
            raise

    def do(self, sql: str, values: Iterable[Value] = ()) -> int:
        """How many rows a statement changed."""
        return self._base.execute(_said(sql), tuple(values)).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Do a statement for each of these values."""
        self._base.executemany(_said(sql), rows)

    def pages(self, sql: str, size: int) -> Iterator[list[Row]]:
        """The rows of a query, so many at a time."""
        cursor = self._base.execute(_said(sql))
        while rows := cursor.fetchmany(size):
            yield rows

    def columns(self) -> dict[str, set[str]]:
        """Table -> its columns."""
        return listed(self.ask("SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c"))


class SQLite:
    """A ledger file; with `only_read` nothing is made or changed. Raises StorageError."""

    def __init__(self, path: Path, *, only_read: bool = False) -> None:
        self.name, self._lock = f"the ledger {path.name}", threading.Lock()
        try:
            self._base = _looked_into(path) if only_read else _opened(path)
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        self._hand = Hand(self._base, only_read=only_read)

    def ask(self, sql: str, values: Iterable[Value] = ()) -> list[Row]:
        """The rows of one query."""
        with self._alone():
            return self._hand.ask(sql, values)

    def do(self, sql: str, values: Iterable[Value] = ()) -> int:
        """How many rows one statement changed, outside of any transaction."""
        with self._alone():
            return self._hand.do(sql, values)

    @contextmanager
    def change(self) -> Iterator[Hand]:
        """A transaction: all or nothing, and never at the same time as another change of any engine."""
        with self._within("BEGIN IMMEDIATE") as hand:
            yield hand

    @contextmanager
    def look(self) -> Iterator[Hand]:
        """Several queries that see one moment, while others go on changing."""
        with self._within("BEGIN") as hand:
            yield hand

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    @contextmanager
    def _within(self, begin: str) -> Iterator[Hand]:
        with self._alone():
            try:
                self._base.execute(begin)
                yield self._hand
                self._base.execute("COMMIT")
            finally:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread at a time, which is told in words for people what went wrong."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise self._error(error) from error

    def _error(self, error: sqlite3.Error | OSError) -> StorageError:
        text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if "locked" in text:
            return StorageError("the ledger is locked by another engine", "wait until that run has ended")
        if "full" in text or "No space left" in text:
            return StorageError("the disk is full", "free space; what was kept stays kept")
        if isinstance(error, OSError) or "readonly" in text or "unable to open" in text:
            fix = "make the storage folder writable, or choose another with --storage"
            return StorageError(f"the storage cannot be written: {text}", fix)
        fix = "restore the storage from a backup: engine restore; or collect anew into another --storage"
        return StorageError(f"{self.name} cannot be used: {text}", fix)


def _said(sql: str) -> str:
    return sql.replace("now_seconds()", NOW)


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)  # it may hold what signs in
    patience = dialect.PATIENCE_SECONDS
    base = sqlite3.connect(path, check_same_thread=False, timeout=patience, isolation_level=None)
    until = time.monotonic() + patience
    while True:  # who finds another engine doing this very thing is not made to wait by SQLite itself
        try:
            base.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    base.execute("PRAGMA synchronous=FULL")
    return base


def _looked_into(path: Path) -> sqlite3.Connection:
    """The file, for reading; SQLite wants to write beside it even then, but for one that never changes."""
    for how in ("mode=ro", "mode=ro&immutable=1"):
        base = sqlite3.connect(
            f"file:{quote(str(path))}?{how}", uri=True, check_same_thread=False, isolation_level=None
        )
        try:
            base.execute("SELECT 1 FROM sqlite_master")
            break
        except sqlite3.OperationalError:
            continue
    return base
