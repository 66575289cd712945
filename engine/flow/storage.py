"""The storage as a whole: which format it has, whether it is simulated, and who works in it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engine.core.errors import ConfigError, Json, StorageError
from engine.flow.lease import ALONE, Fence
from engine.flow.ledger import Due, Ledger
from engine.flow.seal import PLAIN, Seal
from engine.flow.writing import replace_json

if TYPE_CHECKING:
    from engine.flow.publish import Shelf
    from engine.flow.store import Store

FORMAT = 1
HOMES = ("raw_data", "processed_data")
ELSEWHERE = "make it a folder that can be written, or choose another with --storage"
LOOK_SECONDS = 0.2
"""How often a run that waits for another of its tool looks again."""


@dataclass(frozen=True)
class Storage:
    """A storage: its folder, the key of what is kept in it, and the one way to each of its rooms."""

    root: Path
    seal: Seal = PLAIN

    @property
    def has_ledger(self) -> bool:
        """Whether anything was ever noted in it; asking does not make a ledger."""
        return self._ledger.is_file()

    def ledger(self, due: Due | None = None, *, only_read: bool = False) -> Ledger:
        """The ledger, to be closed by who asked for it. Raises StorageError."""
        return Ledger(self._ledger, due, only_read=only_read)

    def store(self, tool: str) -> Store:
        """The kept pages of a tool."""
        from engine.flow.store import Store

        return Store(self.root, tool, self.seal)

    def shelf(self, tool: str, fence: Fence = ALONE) -> Shelf:
        """The tables of a tool; who writes to it gives its fence."""
        from engine.flow.publish import Shelf  # with Polars, which whoever looks at runs alone does not need

        return Shelf(self.root, tool, fence, self.seal)

    @property
    def _ledger(self) -> Path:
        return self.root / "engine.db"


def open_storage(root: Path, *, simulated: bool) -> None:
    """Make or check a storage; raises ConfigError when real and simulated data would mix."""
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
        replace_json(place, {**found, "simulated": simulated})
    elif known != simulated:
        kind, other = ("real", "simulated") if simulated else ("simulated", "real")
        raise ConfigError(f"{root} holds {kind} data; {other} data must not mix with it", "choose another --storage")


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
    place = root / "engine.db"
    if not place.is_file():
        return None
    ledger = Ledger(place, only_read=True)
    try:
        kinds = ledger.kinds()
    finally:
        ledger.close()
    return kinds.pop() if len(kinds) == 1 else None


@contextmanager
def owned(root: Path, tool: str, wait: Callable[[float], None] | None = None) -> Iterator[None]:
    """Be the only one who works on a tool. A kill sets it free.

    When somebody else does, waits with `wait` until they have ended, or without it raises StorageError.
    """
    place = root / "locks" / f"{tool}.lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("w")
    except OSError as error:
        raise StorageError(f"{root} cannot be a storage: {error.strerror}: {place}", ELSEWHERE) from error
    with file:
        while not _locked(file):
            if wait is None:
                raise StorageError(f"another run of {tool} is going on in {root}", "wait until it has ended")
            wait(LOOK_SECONDS)
        yield


def is_owned(root: Path, tool: str) -> bool:
    """Whether somebody works on a tool now."""
    try:
        with (root / "locks" / f"{tool}.lock").open() as file:
            return not _locked(file, fcntl.LOCK_SH)
    except OSError:
        return False


def _locked(file: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
