"""The storage as a whole: which format it has, whether it is simulated, and who works in it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.core.errors import ConfigError, StorageError
from engine.flow.publish import replace_json

FORMAT = 1


def open_storage(root: Path, *, simulated: bool) -> None:
    """Make or check a storage; raises ConfigError when real and simulated data would mix."""
    place = root / "storage.json"
    try:
        found = json.loads(place.read_text()) if place.exists() else None
    except (OSError, ValueError) as error:
        raise StorageError(f"{place} cannot be read: {error}", "restore it from a backup") from error
    if found is None:
        replace_json(place, {"format": FORMAT, "simulated": simulated})
        return
    form = found.get("format") if isinstance(found, dict) else None
    if form != FORMAT:
        raise StorageError(
            f"{root} has format {form}, this engine writes format {FORMAT}",
            "use the engine that made it",
        )
    if bool(found.get("simulated")) != simulated:
        kind, other = ("real", "simulated") if simulated else ("simulated", "real")
        raise ConfigError(f"{root} holds {kind} data; {other} data must not mix with it", "choose another --storage")


def is_simulated(root: Path) -> bool:
    """Whether a storage holds simulated data."""
    try:
        return bool(json.loads((root / "storage.json").read_text()).get("simulated"))
    except (OSError, ValueError):
        return False


@contextmanager
def owned(root: Path, tool: str) -> Iterator[None]:
    """Be the only one who works on a tool; raises StorageError when somebody else does. A kill sets it free."""
    place = root / "locks" / f"{tool}.lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("w")
    except OSError as error:
        raise StorageError(
            f"{error.strerror}: {place}", "make the storage writable, or choose another with --storage"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageError(f"another run of {tool} is going on in {root}", "wait until it has ended") from None
        yield
