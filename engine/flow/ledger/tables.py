"""The tables of the ledger, and how a ledger of an older engine is brought up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.flow.ledger.dialect import Database

TABLES = {
    "about": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
    "runs": (
        "run TEXT PRIMARY KEY, tool TEXT NOT NULL, work TEXT NOT NULL, page_hash TEXT NOT NULL, "
        "simulated BIGINT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, result TEXT, "
        "asked TEXT NOT NULL DEFAULT 'null', beat DOUBLE PRECISION, fence BIGINT NOT NULL DEFAULT 0, "
        "completes TEXT NOT NULL DEFAULT '', replays TEXT NOT NULL DEFAULT '', schedule TEXT NOT NULL DEFAULT '', "
        "cancel BIGINT NOT NULL DEFAULT 0"
    ),
    "names": "tool TEXT PRIMARY KEY, run TEXT NOT NULL",
    "sweeps": "run TEXT NOT NULL, endpoint TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (run, endpoint)",
    "units": (
        "run TEXT NOT NULL, endpoint TEXT NOT NULL, unit TEXT NOT NULL, binding TEXT NOT NULL, pages BIGINT NOT NULL, "
        "rows BIGINT NOT NULL, cursor TEXT, status TEXT NOT NULL, note TEXT, place BIGINT NOT NULL DEFAULT 0, "
        "plan TEXT, progress TEXT, PRIMARY KEY (run, endpoint, unit)"
    ),
    "collections": (
        "tool TEXT NOT NULL, run TEXT NOT NULL, endpoint TEXT NOT NULL, complete BIGINT NOT NULL, "
        "rows BIGINT NOT NULL, pages BIGINT NOT NULL, missing TEXT NOT NULL, skipped TEXT NOT NULL, "
        "completes TEXT NOT NULL DEFAULT '', cleaned TEXT NOT NULL DEFAULT '', released BIGINT NOT NULL DEFAULT 1, "
        "PRIMARY KEY (run, endpoint)"
    ),
    "watermarks": (
        "tool TEXT NOT NULL, endpoint TEXT NOT NULL, kind TEXT NOT NULL, partition TEXT NOT NULL, value TEXT NOT NULL, "
        "binding TEXT NOT NULL DEFAULT '{}', since TEXT NOT NULL DEFAULT '', seen TEXT, "
        "basis TEXT NOT NULL DEFAULT '', PRIMARY KEY (tool, endpoint, kind, partition)"
    ),
    "kept": "tool TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tool, name)",
    "leases": (
        "tool TEXT PRIMARY KEY, fence BIGINT NOT NULL, held BIGINT NOT NULL DEFAULT 0, "
        "machine TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '', pid BIGINT NOT NULL DEFAULT 0, "
        "run TEXT NOT NULL DEFAULT '', since DOUBLE PRECISION NOT NULL DEFAULT 0, "
        "beat DOUBLE PRECISION NOT NULL DEFAULT 0, ticks DOUBLE PRECISION NOT NULL DEFAULT 0"
    ),
    "waivers": (
        "tool TEXT NOT NULL, id TEXT NOT NULL, tbl TEXT NOT NULL, rule TEXT NOT NULL, field TEXT, until TEXT NOT NULL, "
        "because TEXT NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL, ended_by TEXT, ended_at TEXT, "
        "PRIMARY KEY (tool, id, at)"
    ),
    "releases": (
        "tool TEXT NOT NULL, tbl TEXT NOT NULL, number BIGINT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, "
        "PRIMARY KEY (tool, tbl, number)"
    ),
    "schedules": (
        "tool TEXT NOT NULL, schedule TEXT NOT NULL, clock TEXT NOT NULL, taken TEXT NOT NULL, run TEXT, status TEXT, "
        "ended_at TEXT, PRIMARY KEY (tool, schedule)"
    ),
}


def prepare(database: Database) -> None:
    """Make the tables and columns that are not there."""
    with database.look() as hand:
        if not _lacks(hand.columns()):
            return
    with database.change() as hand:
        known = hand.columns()  # another engine may have made them meanwhile
        for table, columns in _lacks(known).items():
            if table not in known:
                hand.do(f"CREATE TABLE {table} ({TABLES[table]})")
            else:
                for name, kind in columns.items():
                    hand.do(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
        if "fences" in known:  # how an older engine numbered its holders: no number may come again
            hand.do("INSERT INTO leases (tool, fence) SELECT tool, fence FROM fences WHERE true ON CONFLICT DO NOTHING")
            hand.do("DROP TABLE fences")


def names(table: str) -> list[str]:
    """The columns of a table, in their order."""
    return list(_kinds(TABLES[table]))


def _lacks(known: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
    """Table -> the columns it has not, with how they are declared."""
    lacks = {
        table: {name: kind for name, kind in _kinds(columns).items() if name not in known.get(table, ())}
        for table, columns in TABLES.items()
    }
    return {table: columns for table, columns in lacks.items() if columns}


def _kinds(columns: str) -> dict[str, str]:
    """Column -> how it is declared."""
    declared, _, _ = columns.partition(", PRIMARY KEY")
    return {name: kind for name, _, kind in (one.strip().partition(" ") for one in declared.split(", "))}
