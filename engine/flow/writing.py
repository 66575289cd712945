"""Files that appear whole or not at all: written under another name, synced, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.core import commit, jsontext
from engine.core.errors import Json, StorageError
from engine.flow.lease import ALONE, Fence
from engine.flow.seal import PLAIN, Seal


@contextmanager
def writing(place: Path, fence: Fence = ALONE) -> Iterator[Path]:
    """A temporary path beside a place; synced and renamed to it at the end. Raises StorageError and LeaseLost.

    Who takes over removes the temporary files of those before: a holder that sleeps between its check and its rename
    has nothing left to rename when it wakes.
    """
    temporary = place.with_name(f".{place.name}.{fence.number}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        fence.check()
        commit.point("file written", place.name)
        temporary.replace(place)
        sync_folder(place.parent)
        commit.point("file renamed", place.name)
    except OSError as error:
        fence.check()  # who took over has removed the temporary file
        raise StorageError(
            f"{error.strerror or error} while writing {place.name}", "free space or make the storage writable"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: str | Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def replace_json(place: Path, value: Mapping[str, Json], fence: Fence = ALONE, seal: Seal = PLAIN) -> None:
    """Write JSON for good: synced, then renamed, so that a reader sees the old or the new."""
    with writing(place, fence) as temporary:
        seal.write(temporary, jsontext.shown(value) + b"\n", place)


def read_json(place: Path, seal: Seal = PLAIN) -> Json:
    """What `replace_json` wrote. Raises OSError, ValueError, and StorageError where it cannot be unsealed."""
    return json.loads(seal.read(place))
