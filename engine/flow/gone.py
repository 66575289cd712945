"""What goes out of a storage: each folder or file whole, by one rename, before its content is taken apart."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.core import commit
from engine.core.errors import StorageError
from engine.flow.writing import sync_folder

GONE = ".gone"
"""The folder below a storage in which lies what is no longer part of it."""
KEEP = "keep.lock"


@contextmanager
def keeping(root: Path, *, changes: bool) -> Iterator[None]:
    """Hold the files of a storage: many may copy them at once, one alone may take some away. Raises StorageError."""
    place = root / "locks" / KEEP
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("a")
    except OSError as error:
        raise _refused(error, root) from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if changes else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            other = "a backup of it is made, or it is cleaned up" if changes else "it is cleaned up"
            raise StorageError(f"{root} cannot be worked on now: {other}", "wait until that has ended") from None
        yield


def take_out(root: Path, places: Iterable[Path], check: Callable[[], None] = lambda: None) -> None:
    """Take folders and files out of a storage; each is there wholly or not at all. Raises StorageError.

    `check` raises LeaseLost where they are no longer ours to take.
    """
    touched: set[Path] = set()
    try:
        (root / GONE).mkdir(exist_ok=True)
        there = Path(tempfile.mkdtemp(dir=root / GONE))
        for number, place in enumerate(places):
            check()
            commit.point("taking out")
            place.rename(there / str(number))
            commit.point("taken out")
            touched.add(place.parent)
        for folder in touched:
            sync_folder(folder)
    except OSError as error:
        raise _refused(error, root) from error


def empty(root: Path) -> None:
    """Free the space of what was taken out, also of what a killed engine left. Raises StorageError."""
    try:
        if (root / GONE).is_dir():
            shutil.rmtree(root / GONE)
            commit.point("space freed")
    except OSError as error:
        raise _refused(error, root) from error


def prune(folder: Path) -> None:
    """Take away folders below this one that nothing lies in any more."""
    for place, _, _ in os.walk(folder, topdown=False):
        if Path(place) != folder and not os.listdir(place):
            os.rmdir(place)


def size_of(place: Path) -> tuple[int, int]:
    """How many files and bytes lie at a place."""
    files = [place] if place.is_file() else [Path(home, name) for home, _, names in os.walk(place) for name in names]
    sizes = []
    for file in files:
        with suppress(FileNotFoundError):  # of a run that has just begun, where nothing is to be taken out
            sizes.append(file.stat().st_size)
    return len(sizes), sum(sizes)


def _refused(error: OSError, root: Path) -> StorageError:
    return StorageError(f"{root} cannot be changed: {error.strerror or error}", "make the storage writable")
