"""Where the pages of one tool are kept, and the segments that are being written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from engine.core.errors import Stopped, StorageError
from engine.flow.lease import Fence
from engine.flow.raw import Frame, Meta, Packed, Segment, Spot, frame_at, heads, packed_at, storage_error
from engine.flow.seal import PLAIN, Seal
from engine.flow.writing import read_json, replace_json, sync_folder

EXTENTS = "extents.json"
"""Stands beside the segments of a run that went on: how far those of its earlier holders count."""

Where = tuple[int, int, Path, int]
"""Sweep and number of a page, its segment, and where in it."""
Place = tuple[Path, int, Meta]
"""A segment, where in it a frame begins, and what is known of it."""


class Store:
    """The kept pages: `<root>/raw_data/<tool>/<endpoint>/<run>/<lane>.<fence>.seg`, many units in one segment."""

    def __init__(self, root: Path, tool: str, seal: Seal = PLAIN) -> None:
        self.home, self.seal = root / "raw_data" / tool, seal

    def endpoints(self) -> list[str]:
        """The endpoints that have kept pages."""
        return sorted(path.name for path in self.home.iterdir() if path.is_dir()) if self.home.is_dir() else []

    def runs(self, endpoint: str) -> list[str]:
        """The runs that kept pages of an endpoint, oldest first."""
        home = self.home / endpoint
        return sorted(path.name for path in home.iterdir()) if home.is_dir() else []

    def units(self, endpoint: str, run: str | Sequence[str]) -> Iterator[tuple[str, Iterator[Frame]]]:
        """Every unit of an endpoint in one run with its kept pages, in plan order. Raises StorageError for damage.

        Several runs, of which each fills the gaps of the one before, are read as one.
        """
        with ExitStack() as stack:
            files: dict[Path, BinaryIO] = {}
            for unit, places in self._places(endpoint, run, stack, files):
                yield unit, (frame_at(files[path], path, at, self.seal) for path, at in places)

    def frames(self, endpoint: str, run: str | Sequence[str]) -> Iterator[Frame]:
        """Every kept page of an endpoint in one run, or in several as one: units in plan order, then by page."""
        for _, pages in self.units(endpoint, run):
            yield from pages

    def numbered(self, endpoint: str, runs: Sequence[str]) -> Iterator[tuple[str, int, Frame]]:
        """Every kept page of runs that are read as one, each with its run and its number in that one.

        The number is -1 for a page that only counts together with what a later run put behind it.
        """
        return ((run, number, read().opened()) for run, number, _, read in self.placed(endpoint, runs))

    def placed(self, endpoint: str, runs: Sequence[str]) -> Iterator[tuple[str, int, Spot, Callable[[], Packed]]]:
        """The same with the place of each page, and what reads it as long as the next one is not asked for."""
        with ExitStack() as stack:
            files: dict[Path, BinaryIO] = {}
            known = {
                place: (run, number)
                for run in runs
                for number, place in enumerate(_flat(self._places(endpoint, run, stack, files)))
            }
            for path, at in known if len(runs) == 1 else _flat(self._places(endpoint, runs, stack, files)):
                run, number = known.get((path, at), (path.parent.name, -1))
                yield run, number, (path, at), partial(packed_at, files[path], path, at, self.seal)

    def count(self, endpoint: str, run: str) -> int:
        """How many pages of an endpoint a run kept."""
        with ExitStack() as stack:
            return sum(len(places) for _, places in self._places(endpoint, run, stack, {}))

    def _places(
        self, endpoint: str, run: str | Sequence[str], stack: ExitStack, files: dict[Path, BinaryIO]
    ) -> Iterator[tuple[str, list[Spot]]]:
        """Every unit with the segments of its pages and where they begin; `files` are open as long as `stack` is."""
        found: dict[str, list[Where]] = {}
        whole: dict[str, int] = {}
        for path, until in self._segments(endpoint, run):
            if path not in files:
                files[path] = stack.enter_context(path.open("rb"))
            for meta, at in heads(files[path], path, self.seal, until):
                unit = meta.unit or path.name.split(".")[0]
                if meta.settles:
                    whole[unit] = max(whole.get(unit, 0), meta.sweep)
                elif not meta.aside:
                    found.setdefault(unit, []).append((meta.sweep, meta.page, path, at))
        for unit in sorted(found):
            pages = sorted(one for one in found.pop(unit) if one[0] == whole.get(unit, 0))
            yield unit, [(path, at) for _, _, path, at in pages]

    def page(self, endpoint: str, run: str, number: int) -> Frame | None:
        """The kept page with this number, counted over all units."""
        return next((frame for at, frame in enumerate(self.frames(endpoint, run)) if at == number), None)

    def heads(self, endpoint: str, run: str) -> Iterator[Place]:
        """What is known of each kept page of a run, and where it is. Raises OSError, StorageError."""
        for path, until in sorted(self._segments(endpoint, run), key=_age):
            with path.open("rb") as file:
                yield from ((path, at, meta) for meta, at in heads(file, path, self.seal, until))

    def _segments(self, endpoint: str, run: str | Sequence[str]) -> list[tuple[Path, int | None]]:
        """The segments of a run with how much of them counts: of a holder whose place was taken what was there then."""
        found: list[tuple[Path, int | None]] = []
        for one in [run] if isinstance(run, str) else run:
            home = self.home / endpoint / one
            fence, lengths = self._extents(home)
            for path in sorted(home.glob("*.seg")):
                if path.name in lengths or fence_of(path) >= fence:
                    found.append((path, lengths.get(path.name)))
        return found

    def _extents(self, home: Path) -> tuple[int, dict[str, int]]:
        """The first fence whose segments count wholly, and how far those of earlier ones do. Raises StorageError."""
        try:
            said = read_json(home / EXTENTS, self.seal)
            return int(said["fence"]), {str(name): int(end) for name, end in said["segments"].items()}
        except FileNotFoundError:
            return 0, {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{home / EXTENTS} cannot be read: {error}", "restore it from a backup") from error

    # --- a run that goes on

    def take_over(self, endpoint: str, run: str, fence: Fence) -> tuple[list[Place], list[str]]:
        """All that was kept of an endpoint that has not ended, in the order of its units, and what was damaged.

        Writes down how far the segments of earlier holders go: what one of them writes when it wakes is never read.
        """
        home = self.home / endpoint / run
        for unfinished in home.glob(f".{EXTENTS}.*"):  # of a holder that sleeps: it shall have nothing to rename
            unfinished.unlink(missing_ok=True)
        lengths: dict[str, int] = {}
        found: list[Place] = []
        notes: list[str] = []
        for path, until in sorted(self._segments(endpoint, run), key=_age):
            places, lengths[path.name], flaw = self._sound(path, until)
            found += places
            notes += [f"{endpoint}: {flaw}; what was kept behind it is asked for again"] if flaw else []
        replace_json(home / EXTENTS, {"fence": fence.number, "segments": lengths}, fence, self.seal)
        return found, notes

    def disown(self, endpoint: str, run: str, fence: Fence) -> None:
        """Read nothing of what was kept of an endpoint whose beginning a damaged ledger has forgotten."""
        home = self.home / endpoint / run
        if any(home.glob("*.seg")):
            replace_json(home / EXTENTS, {"fence": fence.number, "segments": {}}, fence, self.seal)

    def _sound(self, path: Path, until: int | None) -> tuple[list[Place], int, str]:
        """The frames of a segment up to the first that is damaged, where they end, and what is wrong there."""
        found: list[Place] = []
        end = 0
        with path.open("rb") as file:
            try:
                for meta, at in heads(file, path, self.seal, until):
                    frame_at(file, path, at, self.seal)
                    end = file.tell()
                    found.append((path, at, meta))
            except StorageError as error:
                return found, end, error.message
        return found, end, ""


def _age(segment: tuple[Path, int | None]) -> tuple[int, str]:
    """The pages of a unit lie in one segment of each holder."""
    return fence_of(segment[0]), segment[0].name


def fence_of(segment: Path) -> int:
    """The fence of the holder who wrote a segment."""
    number = segment.name.split(".")[1]
    return int(number) if number.isdecimal() else 0


def _flat(units: Iterable[tuple[str, list[Spot]]]) -> Iterator[Spot]:
    return (place for _, places in units for place in places)


@dataclass
class Lanes:
    """The segments of a run while it collects: as many an endpoint as threads write to it at once.

    A segment for each unit would cost a run of many small units more than their requests do: a file and a sync each.
    """

    store: Store
    run: str
    fence: int
    _idle: dict[str, list[Segment]] = field(default_factory=dict)
    _all: dict[str, list[Segment]] = field(default_factory=dict)
    _new: set[Path] = field(default_factory=set)
    """Folders with segments that a power cut could still hide."""
    _found: set[Path] = field(default_factory=set)
    """Folders that no power cut can hide any more."""
    _is_over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, endpoint: str) -> Segment:
        """A segment that nobody else writes to until it is given back. Raises StorageError, and Stopped at the end."""
        with self._lock:
            if self._is_over:  # who was given up shall leave no file open
                raise Stopped("the run has ended")
            if idle := self._idle.get(endpoint):
                return idle.pop()
            every = self._all.setdefault(endpoint, [])
            place = self.store.home / endpoint / self.run
            every.append(Segment(place / f"{len(every):04d}.{self.fence}.seg", self.store.seal))
            self._new.add(place)
            return every[-1]

    def give(self, endpoint: str, segment: Segment) -> None:
        """Give a segment back whose last frame is whole."""
        with self._lock:
            self._idle.setdefault(endpoint, []).append(segment)

    def open(self) -> list[Segment]:
        """All that may still be written to."""
        with self._lock:
            return [segment for every in self._all.values() for segment in every]

    def sync(self) -> None:
        """Make sure that what was kept survives a power cut. Raises StorageError."""
        for segment in self.open():
            segment.sync()
        with self._lock:
            new, self._new = self._new, set()
        for place in new:
            self._sync_folders(place)

    def close(self, endpoint: str) -> None:
        """Make sure that the pages of an endpoint survive a power cut, and are found. Raises StorageError."""
        with self._lock:
            every = self._all.pop(endpoint, [])
            self._idle.pop(endpoint, None)
        for segment in every:
            segment.close()
        if every:
            place = self.store.home / endpoint / self.run
            self._new.discard(place)
            self._sync_folders(place)

    def close_all(self) -> None:
        """Close what is left when a run ends before its endpoints do."""
        with self._lock:
            self._is_over = True
        for endpoint in list(self._all):
            self.close(endpoint)

    def _sync_folders(self, place: Path) -> None:
        for folder in (place, *place.parents[:4]):
            if not folder.is_dir():
                continue
            try:
                sync_folder(folder)
            except OSError as error:
                raise storage_error(error, folder.name) from error
            if folder in self._found:
                break
        self._found.update((place, *place.parents[:4]))
