"""The vendor's answers as they are kept: segments of compressed frames, one frame a page."""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from engine.core import select
from engine.core.errors import Json, StorageError

HEAD = struct.Struct(">4sIII")
MAGIC = b"EF01"
SYNC_SECONDS = 1.0
"""After a power cut at most so much is asked for again."""
ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a kept page besides its body."""

    page: int
    request: str
    """Method and address, unsigned."""
    fingerprint: str
    at: float
    """When it arrived, in seconds since the epoch."""
    cursor: Json = None
    """The cursor of the page behind it; null when it was the last."""
    last: bool = False
    rows: int = 0
    skip: int = 0
    """How many rows at its head repeat the page before."""
    redacted: bool = False
    """Whether the body holds the redacted records instead of the bytes received."""
    add: dict[str, Json] = {}
    """Fields put into each record."""
    body: Json = None
    """What a POST asked for."""

    def as_redacted(self) -> Meta:
        """The same of a body that holds the redacted records."""
        return msgspec.structs.replace(self, redacted=True)


class Frame(msgspec.Struct, frozen=True):
    """A kept page: what is known of it, and its body."""

    meta: Meta
    body: bytes


class Segment:
    """A file that pages are appended to, each written at once and synced at least once a second."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._synced = time.monotonic()
        self._compress = zstandard.ZstdCompressor(level=3).compress

    def append(self, meta: Meta, body: bytes) -> None:
        """Keep a page; raises StorageError when the disk refuses."""
        head, packed = msgspec.json.encode(meta), self._compress(body)
        check = zlib.crc32(packed, zlib.crc32(head))
        frame = HEAD.pack(MAGIC, len(head), len(packed), check) + head + packed
        try:
            if self._file.write(frame) != len(frame):
                raise OSError(28, "No space left on device")
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            raise _storage(error, self._file.name) from error

    def sync(self) -> None:
        """Make sure that what was kept survives a power cut."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        self._file.close()


def frames(path: Path) -> Iterator[Frame]:
    """The whole frames of a segment, in order; a torn tail ends them, damage before the end raises StorageError."""
    expand = zstandard.ZstdDecompressor().decompress
    with path.open("rb") as file:
        size = path.stat().st_size
        while head := file.read(HEAD.size):
            if len(head) < HEAD.size:
                return
            magic, meta_length, body_length, check = HEAD.unpack(head)
            meta, packed = file.read(meta_length), file.read(body_length)
            if len(meta) + len(packed) < meta_length + body_length:
                return
            if magic != MAGIC or zlib.crc32(packed, zlib.crc32(meta)) != check:
                if file.tell() == size:
                    return
                raise StorageError(
                    f"the kept page at byte {file.tell()} of {path.name} is damaged",
                    "collect again with engine collect",
                )
            yield Frame(msgspec.json.decode(meta, type=Meta), expand(packed))


def rows_in(body: bytes, records: str) -> list[bytes] | None:
    """The raw JSON of each record at a path of an answer; None when the path is missing or null.

    A list gives its elements, anything else is one row. Raises SelectError when the body is no JSON.
    """
    chosen = select.compile(records)
    if chosen.plain is None:
        found = chosen.search(msgspec.json.decode(body))
        if found is None:
            return None
        return [msgspec.json.encode(one) for one in (found if isinstance(found, list) else [found])]
    found = select.split(body, chosen.plain)
    if found is None or found is select.MISSING:
        return None
    raw = bytes(found).lstrip()
    if raw.startswith(b"["):
        return [bytes(row) for row in ROWS.decode(raw)]
    return [raw]


def rows_of(frame: Frame, records: str) -> list[bytes]:
    """The raw records of a kept page, without those that repeat the page before."""
    found = rows_in(frame.body, "@" if frame.meta.redacted else records) or []
    return found[frame.meta.skip :]


class Store:
    """Where the pages of one tool are kept: `<root>/raw_data/<tool>/<endpoint>/<run>/<unit>.<fence>.seg`."""

    def __init__(self, root: Path, tool: str) -> None:
        self.home = root / "raw_data" / tool

    def segment(self, endpoint: str, run: str, unit: str, fence: int) -> Segment:
        """A new segment for a unit."""
        return Segment(self.home / endpoint / run / f"{unit}.{fence}.seg")

    def endpoints(self) -> list[str]:
        """The endpoints that have kept pages."""
        return sorted(path.name for path in self.home.iterdir() if path.is_dir()) if self.home.is_dir() else []

    def runs(self, endpoint: str) -> list[str]:
        """The runs that kept pages of an endpoint, oldest first."""
        home = self.home / endpoint
        return sorted(path.name for path in home.iterdir()) if home.is_dir() else []

    def units(self, endpoint: str, run: str) -> Iterator[tuple[str, Iterator[Frame]]]:
        """Every unit of an endpoint in one run with its kept pages, in plan order."""
        for path in sorted((self.home / endpoint / run).glob("*.seg")):
            yield path.name.split(".")[0], frames(path)

    def frames(self, endpoint: str, run: str) -> Iterator[Frame]:
        """Every kept page of an endpoint in one run: units in plan order, then by page."""
        for _, pages in self.units(endpoint, run):
            yield from pages

    def page(self, endpoint: str, run: str, number: int) -> Frame | None:
        """The kept page with this number, counted over all units."""
        return next((frame for at, frame in enumerate(self.frames(endpoint, run)) if at == number), None)


def _storage(error: OSError, place: str) -> StorageError:
    return StorageError(f"{error.strerror} while writing {Path(place).name}", "free space or make the storage writable")
