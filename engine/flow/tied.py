"""Which ledger belongs to a storage: the file in it, or the database that it was tied to at its first use."""

from __future__ import annotations

import json
from pathlib import Path

from engine.core.errors import StorageError
from engine.flow.ledger import Due, Ledger
from engine.flow.seal import PLAIN, Seal
from engine.flow.writing import replace_json

FILE = "engine.db"
INSTEAD = "restore a backup with engine restore, or collect anew into another --storage"
WORD = "ledger"
"""Where storage.json names the database that it is tied to: a text of chance, which the database knows too."""


def open_ledger(
    root: Path, database: str = "", due: Due | None = None, *, only_read: bool = False, seal: Seal = PLAIN
) -> Ledger:
    """The ledger of a storage. Raises StorageError where that is another one than is asked for."""
    tie = _tie(root)
    if not database:
        if tie:
            text = f"{root} has its ledger in a PostgreSQL, and no database_url is set"
            raise StorageError(text, "set database_url in config.yaml to the address it was made with")
        if _lost(root):
            text = f"the ledger of {root}, {FILE}, is gone or empty, and kept pages are there"
            raise StorageError(text, INSTEAD)
        return Ledger(root / FILE, due, only_read=only_read, seal=seal)
    if not tie and (root / FILE).is_file():
        text = f"{root} has its ledger in {FILE}, and database_url names a PostgreSQL"
        fix = "leave database_url out, or take this storage over: engine backup, then engine restore into a new one"
        raise StorageError(text, fix)
    ledger = Ledger(database, due, only_read=only_read, seal=seal)
    try:
        _must_fit(root, ledger, only_read=only_read)
    except BaseException:
        ledger.close()
        raise
    return ledger


def has_ledger(root: Path) -> bool:
    """Whether a storage has a ledger; asking does not make one."""
    return bool(_tie(root)) or (root / FILE).is_file() or _lost(root)


def _lost(root: Path) -> bool:
    """Whether the file is gone that knew how far all was read: a run would read it once more, and not say so."""
    place = root / FILE
    return not (place.is_file() and place.stat().st_size) and any((root / "raw_data").glob("*/*/*"))


def _must_fit(root: Path, ledger: Ledger, *, only_read: bool) -> None:
    """Tie a storage to a database where both are new; raises StorageError where either is tied to another."""
    tie = _tie(root)
    known = ledger.tied_to() if only_read else ledger.tie(tie, lambda new: _write(root, new))
    if known == (tie or _tie(root)):
        return
    if not known:
        text = f"{root} has its ledger in another database than database_url names: that one is empty"
        raise StorageError(text, "set database_url to the address it was made with, or restore a backup")
    fix = "set database_url to the address it was made with"
    if not tie:
        fix = (
            f"name a schema of its own: database_url: …?schema=other. If {root / 'storage.json'} was lost, and this is"
        )
        fix += f' its ledger, write "{WORD}": "{known}" into it'
    raise StorageError(f"database_url names the ledger of another storage than {root}", fix)


def _tie(root: Path) -> str:
    try:
        found = json.loads((root / "storage.json").read_text())
    except (OSError, ValueError):
        return ""
    return str(found.get(WORD, "")) if isinstance(found, dict) else ""


def _write(root: Path, tie: str) -> None:
    place = root / "storage.json"
    found = json.loads(place.read_text()) if place.is_file() else {}
    replace_json(place, {**found, WORD: tie})
