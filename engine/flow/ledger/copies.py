"""The chapter of copies: a whole ledger as one SQLite file, of one moment, and back into a ledger of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.flow.ledger.book import Book
from engine.flow.ledger.dialect import Database
from engine.flow.ledger.tables import TABLES, names, prepare

OWN = ("about", "leases")
"""What a ledger says of itself and of who is at work, which no copy knows."""
BATCH = 10_000
"""So many rows are in memory at a time."""
FENCES = """
INSERT INTO leases (tool, fence) VALUES (?,?) ON CONFLICT (tool) DO UPDATE
SET fence=CASE WHEN excluded.fence>leases.fence THEN excluded.fence ELSE leases.fence END
"""


class Copies(Book):
    """Copies of the ledger as a whole."""

    def snapshot(self, to: Path) -> None:
        """Copy everything as it is at one moment into a new SQLite file; others may go on writing meanwhile."""
        with _opened(to) as copy:
            _copy(self._base, copy)

    def load(self, path: Path) -> None:
        """Take everything from a copy, in the place of all that is here."""
        with _opened(path) as copy:
            _copy(copy, self._base)


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    from engine.flow.ledger.sqlite import SQLite

    copy = SQLite(path)
    try:
        prepare(copy)
        yield copy
    finally:
        copy.close()


def _copy(source: Database, target: Database) -> None:
    with source.look() as there, target.change() as here:
        for table in [table for table in TABLES if table not in OWN]:
            listed = names(table)
            said, marks = ", ".join(listed), ", ".join("?" for _ in listed)
            here.do(f"DELETE FROM {table}")
            for rows in there.pages(f"SELECT {said} FROM {table} ORDER BY rowid", BATCH):
                here.many(f"INSERT INTO {table} ({said}) VALUES ({marks})", rows)
        here.many(FENCES, there.ask("SELECT tool, fence FROM leases"))
