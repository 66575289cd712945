"""What the ledger asks of a database: statements in SQL that both SQLite and PostgreSQL understand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = tuple[Any, ...]
Value = str | int | float | None

PATIENCE_SECONDS = 30.0
"""So long a change waits for those of other engines."""


class Hand(Protocol):
    """Does statements, with `?` where values come in. `now_seconds()` is the time by the clock of the database."""

    def ask(self, sql: str, values: Iterable[Value] = ()) -> list[Row]:
        """The rows of a query."""

    def do(self, sql: str, values: Iterable[Value] = ()) -> int:
        """How many rows a statement changed."""

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Do a statement for each of these values."""

    def pages(self, sql: str, size: int) -> Iterator[list[Row]]:
        """The rows of a query, so many at a time: it is asked once, however many there are."""

    def columns(self) -> dict[str, set[str]]:
        """Table -> its columns."""


class Database(Protocol):
    """A connection; its methods raise StorageError and may be called from any thread."""

    name: str
    """What the ledger is called in errors."""

    def ask(self, sql: str, values: Iterable[Value] = ()) -> list[Row]:
        """The rows of one query."""

    def do(self, sql: str, values: Iterable[Value] = ()) -> int:
        """How many rows one statement changed, by itself: who sleeps behind it keeps nobody waiting."""

    def change(self) -> AbstractContextManager[Hand]:
        """A transaction: all or nothing, and never at the same time as another change of any engine."""

    def look(self) -> AbstractContextManager[Hand]:
        """Several queries that see one moment, while others go on changing."""

    def close(self) -> None:
        """Close the connection."""


def listed(rows: Iterable[Row]) -> dict[str, set[str]]:
    """(table, column) -> table with its columns."""
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found
