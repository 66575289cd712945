"""The storage as a whole: which format it has, whether it is simulated, and the way to each of its rooms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import ConfigError, Json, StorageError
from engine.flow.lease import ALONE, Fence
from engine.flow.ledger import Due, Ledger
from engine.flow.seal import FORMAT as SEALED
from engine.flow.seal import PLAIN, Seal, is_sealed
from engine.flow.tied import FILE, has_ledger, open_ledger
from engine.flow.writing import replace_json

if TYPE_CHECKING:
    from engine.flow.publish import Shelf
    from engine.flow.store import Store

FORMAT = 1
HOMES = ("raw_data", "processed_data")
ELSEWHERE = "make it a folder that can be written, or choose another with --storage"


@dataclass(frozen=True)
class Storage:
    """A storage: its folder, the key of what is kept in it, and the one way to each of its rooms."""

    root: Path
    seal: Seal = PLAIN
    database: str = field(default="", repr=False)
    """The URL of the PostgreSQL that its ledger is in; else it is in the storage itself."""

    @property
    def has_ledger(self) -> bool:
        """Whether anything was ever noted in it; asking does not make a ledger."""
        return has_ledger(self.root)

    def ledger(self, due: Due | None = None, *, only_read: bool = False) -> Ledger:
        """The ledger, to be closed by who asked for it. Raises StorageError."""
        return open_ledger(self.root, self.database, due, only_read=only_read, seal=self.seal)

    def store(self, tool: str) -> Store:
        """The kept pages of a tool."""
        from engine.flow.store import Store

        return Store(self.root, tool, self.seal)

    def shelf(self, tool: str, fence: Fence = ALONE) -> Shelf:
        """The tables of a tool; who writes to it gives its fence."""
        from engine.flow.publish import Shelf  # with Polars, which whoever looks at runs alone does not need

        return Shelf(self.root, tool, fence, self.seal)


def open_storage(root: Path, *, simulated: bool, seal: Seal = PLAIN) -> None:
    """Make or check a storage; raises ConfigError when real and simulated data would mix.

    A storage that is made with a key is an encrypted one.
    """
    must_fit(root, seal)
    place = root / "storage.json"
    try:
        root.mkdir(parents=True, exist_ok=True)
        found = json.loads(place.read_text()) if place.exists() else {"format": FORMAT}
    except FileExistsError:
        raise StorageError(f"{root} is a file, and a storage is a folder", ELSEWHERE) from None
    except OSError as error:
        raise StorageError(f"{root} cannot be a storage: {error.strerror}", ELSEWHERE) from error
    except ValueError as error:
        raise StorageError(f"{place} cannot be read: {error}", "restore it from a backup") from error
    form = found.get("format") if isinstance(found, dict) else None
    if form != FORMAT:
        text = f"{place} says format {json.dumps(form)}, this engine writes format {FORMAT}"
        raise StorageError(text, "use the engine that made it")
    known = _simulated(root, found)
    if known is None and any((root / home).exists() for home in HOMES):
        fix = f'write {{"format": {FORMAT}, "simulated": false}} into it if it holds real data, else true'
        raise StorageError(f"{place} does not say whether the data beside it is simulated", fix)
    if "simulated" not in found and known in (None, simulated):
        encryption = {"encryption": _encryption(seal)} if seal.is_on else {}
        replace_json(place, {**found, "simulated": simulated, **encryption})
    elif known != simulated:
        kind, other = ("real", "simulated") if simulated else ("simulated", "real")
        raise ConfigError(f"{root} holds {kind} data; {other} data must not mix with it", "choose another --storage")


def must_fit(root: Path, seal: Seal) -> None:
    """Raise ConfigError where a storage was made with another key, with one where none is set, or without any."""
    try:
        found = json.loads((root / "storage.json").read_text())
    except (OSError, ValueError):
        found = None  # a new one, or one whose storage.json is lost; what is damaged is told when it is opened
    said = found.get("encryption") if isinstance(found, dict) else None
    sealed = said or (found is None and _holds_sealed(root))
    if sealed and not seal.is_on:
        raise ConfigError(f"{root} is encrypted, and no key is set", "set ENCRYPTION_KEY to the key it was made with")
    if said and said != _encryption(seal):
        fix = "set ENCRYPTION_KEY to the key it was made with; what it holds cannot be read without that one"
        raise ConfigError(f"{root} is encrypted with another key than the one that is set", fix)
    if seal.is_on and not sealed and (found is not None or any((root / home).exists() for home in HOMES)):
        fix = "choose another --storage, which is then made encrypted, or unset ENCRYPTION_KEY"
        raise ConfigError(f"{root} is not encrypted, and a key is set", fix)


def _holds_sealed(root: Path) -> bool:
    """Whether what was kept first is sealed, where storage.json was lost."""
    for path in root.glob("raw_data/*/*/*/*.seg"):
        with path.open("rb") as file:
            return is_sealed(file.read(64))
    return False


def _encryption(seal: Seal) -> dict[str, Json]:
    """What storage.json says of the key."""
    return {"format": SEALED, "check": seal.check}


def is_simulated(root: Path) -> bool:
    """Whether a storage holds simulated data."""
    try:
        found = json.loads((root / "storage.json").read_text())
    except (OSError, ValueError):
        found = {}
    return bool(_simulated(root, found if isinstance(found, dict) else {}))


def _simulated(root: Path, found: Mapping[str, Json]) -> bool | None:
    """What storage.json says, or where it was lost the runs in the ledger; None when nobody knows."""
    if "simulated" in found:
        return bool(found["simulated"])
    if not (root / FILE).is_file():
        return None
    ledger = Ledger(root / FILE, only_read=True)
    try:
        kinds = ledger.kinds()
    finally:
        ledger.close()
    return kinds.pop() if len(kinds) == 1 else None
