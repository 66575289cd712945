"""Where the pages of one tool are kept, and the segments that are being written."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from engine.flow.raw import Frame, Segment, frame_at, heads, storage_error
from engine.flow.seal import PLAIN, Seal

Where = tuple[int, int, Path, int]
"""Sweep and number of a page, its segment, and where in it."""


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

    def units(self, endpoint: str, run: str) -> Iterator[tuple[str, Iterator[Frame]]]:
        """Every unit of an endpoint in one run with its kept pages, in plan order. Raises StorageError for damage."""
        found: dict[str, list[Where]] = {}
        whole: dict[str, int] = {}
        with ExitStack() as stack:
            files = {path: stack.enter_context(path.open("rb")) for path in self._segments(endpoint, run)}
            for path, file in files.items():
                for meta, at in heads(file, path):
                    unit = meta.unit or path.name.split(".")[0]
                    if meta.settles:
                        whole[unit] = max(whole.get(unit, 0), meta.sweep)
                    else:
                        found.setdefault(unit, []).append((meta.sweep, meta.page, path, at))
            for unit in sorted(found):
                pages = sorted(one for one in found.pop(unit) if one[0] == whole.get(unit, 0))
                yield unit, (frame_at(files[path], path, at) for _, _, path, at in pages)

    def frames(self, endpoint: str, run: str) -> Iterator[Frame]:
        """Every kept page of an endpoint in one run: units in plan order, then by page."""
        for _, pages in self.units(endpoint, run):
            yield from pages

    def page(self, endpoint: str, run: str, number: int) -> Frame | None:
        """The kept page with this number, counted over all units."""
        return next((frame for at, frame in enumerate(self.frames(endpoint, run)) if at == number), None)

    def _segments(self, endpoint: str, run: str) -> list[Path]:
        return sorted((self.home / endpoint / run).glob("*.seg"))


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
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, endpoint: str) -> Segment:
        """A segment that nobody else writes to until it is given back. Raises StorageError."""
        with self._lock:
            if idle := self._idle.get(endpoint):
                return idle.pop()
            every = self._all.setdefault(endpoint, [])
            place = self.store.home / endpoint / self.run
            every.append(Segment(place / f"{len(every):04d}.{self.fence}.seg"))
            return every[-1]

    def give(self, endpoint: str, segment: Segment) -> None:
        """Give a segment back whose last frame is whole."""
        with self._lock:
            self._idle.setdefault(endpoint, []).append(segment)

    def open(self) -> list[Segment]:
        """All that may still be written to."""
        with self._lock:
            return [segment for every in self._all.values() for segment in every]

    def close(self, endpoint: str) -> None:
        """Make sure that the pages of an endpoint survive a power cut, and are found. Raises StorageError."""
        with self._lock:
            every = self._all.pop(endpoint, [])
            self._idle.pop(endpoint, None)
        for segment in every:
            segment.close()
        if every:
            self._sync_folders(self.store.home / endpoint / self.run)

    def close_all(self) -> None:
        """Close what is left when a run ends before its endpoints do."""
        for endpoint in list(self._all):
            self.close(endpoint)

    def _sync_folders(self, place: Path) -> None:
        for folder in (place, *place.parents[:4]):
            if not folder.is_dir():
                continue
            number = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(number)
            except OSError as error:
                raise storage_error(error, folder.name) from error
            finally:
                os.close(number)
