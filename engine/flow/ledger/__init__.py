"""What was done and how far: runs, units, sealed collections, marks and leases, in SQLite or PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from engine.flow.ledger.address import parted as parted
from engine.flow.ledger.copies import Copies
from engine.flow.ledger.dialect import Database
from engine.flow.ledger.kept import Kept
from engine.flow.ledger.leases import Leases
from engine.flow.ledger.records import OPEN as OPEN
from engine.flow.ledger.records import Collection as Collection
from engine.flow.ledger.records import Due as Due
from engine.flow.ledger.records import Holder as Holder
from engine.flow.ledger.records import LeaseRecord as LeaseRecord
from engine.flow.ledger.records import RunRecord as RunRecord
from engine.flow.ledger.records import Taken as Taken
from engine.flow.ledger.records import UnitRecord as UnitRecord
from engine.flow.ledger.runs import Runs, Schedules
from engine.flow.ledger.sealed import Sealed
from engine.flow.ledger.tables import prepare
from engine.flow.ledger.ties import Ties
from engine.flow.ledger.waived import Waived
from engine.flow.ledger.waived import Waiver as Waiver
from engine.flow.marks import Kind as Kind
from engine.flow.marks import Mark as Mark
from engine.flow.seal import PLAIN, Seal


class Ledger(Runs, Sealed, Schedules, Kept, Leases, Ties, Waived, Copies):
    """The ledger of one storage; every method is one transaction. Raises StorageError, and LeaseLost where it writes.

    A path is that of an SQLite file, a text the URL of a PostgreSQL. With `due`, the end of the run is the end of that
    due time too: a kill cannot come between the two. With `only_read` nothing is made or changed: the storage may be
    one that cannot be written.
    """

    def __init__(
        self, place: Path | str, due: Due | None = None, *, only_read: bool = False, seal: Seal = PLAIN
    ) -> None:
        self._due, self._seal = due, seal
        self._base = _database(place, only_read=only_read)
        if not only_read:
            try:
                prepare(self._base)
            except BaseException:
                self._base.close()
                raise


def _database(place: Path | str, *, only_read: bool) -> Database:
    if isinstance(place, Path):
        from engine.flow.ledger.sqlite import SQLite

        return SQLite(place, only_read=only_read)
    from engine.flow.ledger.postgres import Postgres

    return Postgres(place, only_read=only_read)
