"""The vendor's answers as they are kept: segments of compressed frames, one frame a page."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from engine.core import jsontext, select
from engine.core.errors import Json, StorageError

HEAD = struct.Struct(">4sIII")
"""Mark, length of what is known of the page, length of its body, checksum of both; behind it a checksum of its own."""
CHECK = struct.Struct(">I")
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
    """Whether the body holds the records without what must never be kept, instead of the bytes received."""
    decoded: bool = False
    """Whether the body holds the records with their encoded fields decoded, or those of a file, instead of bytes."""
    add: dict[str, Json] = {}
    """Fields put into each record."""
    body: Json = None
    """What a POST asked for."""
    first: int = 0
    """Of a file: the line or row of the first record, those behind it follow; 0 where it has no such thing."""
    letters: dict[str, str] = {}
    """Of a workbook: field -> the letters of its column."""

    def rewritten(self, *, redacted: bool, decoded: bool) -> Meta:
        """The same of a body that holds records instead of the bytes received."""
        return msgspec.structs.replace(self, redacted=redacted, decoded=decoded)

    def of_file(self, first: int, letters: Mapping[str, str], *, is_rows: bool) -> Meta:
        """The same of a piece of a file, whose body is the records themselves where it `is_rows`."""
        return msgspec.structs.replace(self, first=first, letters=dict(letters), decoded=is_rows)


class Frame(msgspec.Struct, frozen=True):
    """A kept page: what is known of it, and its body."""

    meta: Meta
    body: bytes


class Segment:
    """A file that pages are appended to, each written at once; `kept_synced` syncs it once a second."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("ab", buffering=0)
        except OSError as error:
            raise _storage(error, path.name) from error
        self._lock = threading.Lock()
        self._behind = True
        self._failure: OSError | None = None
        self._compress = zstandard.ZstdCompressor(level=3).compress

    def append(self, meta: Meta, body: bytes) -> None:
        """Keep a page; raises StorageError when the disk refuses."""
        head, packed = msgspec.json.encode(meta), self._compress(body)
        check = zlib.crc32(packed, zlib.crc32(head))
        opening = HEAD.pack(MAGIC, len(head), len(packed), check)
        frame = opening + CHECK.pack(zlib.crc32(opening)) + head + packed
        try:
            if self._file.write(frame) != len(frame):
                raise OSError(28, "No space left on device")
            self._behind = True
            if self._failure:
                raise self._failure
        except OSError as error:
            raise _storage(error, self._file.name) from error

    def sync(self) -> None:
        """Make sure that what was kept survives a power cut, whatever its unit waits for.

        A disk that refuses is told to the unit, at its next page or its end: the system tells it only once.
        """
        with self._lock:
            if not self._behind or self._file.closed:
                return
            self._behind = False
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._failure = error

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        with self._lock:
            self._file.close()
        if self._failure:
            raise _storage(self._failure, self._file.name) from self._failure


@contextmanager
def kept_synced(segments: Collection[Segment]) -> Iterator[None]:
    """Sync the segments that are open once a second while this is open."""
    over = threading.Event()

    def sync() -> None:
        while not over.wait(SYNC_SECONDS):
            for segment in tuple(segments):
                segment.sync()

    threading.Thread(target=sync, name="sync", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def frames(path: Path) -> Iterator[Frame]:
    """The whole frames of a segment, in order; a torn tail ends them, damage before the end raises StorageError."""
    expand = zstandard.ZstdDecompressor().decompress
    with path.open("rb") as file:
        size = path.stat().st_size
        while True:
            at = file.tell()
            head, sealed = file.read(HEAD.size), file.read(CHECK.size)
            if len(sealed) < CHECK.size:
                return
            magic, meta_length, body_length, check = HEAD.unpack(head)
            if magic != MAGIC or CHECK.unpack(sealed)[0] != zlib.crc32(head):  # its lengths cannot be trusted
                if not (head + file.read()).strip(b"\0"):  # space that was given to the file before a power cut
                    return
                raise _damaged(path, at)
            meta, packed = file.read(meta_length), file.read(body_length)
            if len(meta) + len(packed) < meta_length + body_length:
                return
            if zlib.crc32(packed, zlib.crc32(meta)) != check:
                if file.tell() == size:
                    return
                raise _damaged(path, at)
            yield Frame(msgspec.json.decode(meta, type=Meta), expand(packed))


def rows_in(body: bytes, records: str) -> list[bytes] | None:
    """The raw JSON of each record at a path of an answer; None when the path is missing or null, or the body is empty.

    A list gives its elements, an object is one row. Raises SelectError for anything else, and when the body is no JSON.
    """
    if not body.strip():
        return None
    chosen = select.compile(records)
    if chosen.plain is None:
        try:
            value = chosen.search(jsontext.read(body))
        except jsontext.NoJson as error:
            raise select.SelectError(f"this is no JSON that can be read: {error}") from None
        raw = jsontext.write(value)
    else:
        found = select.split(select.paired(body), chosen.plain)
        raw = b"null" if found is None or found is select.MISSING else bytes(found).lstrip()
    if raw == b"null":
        return None
    if raw.startswith(b"["):
        return [bytes(row) for row in ROWS.decode(raw)]
    if not raw.startswith(b"{"):
        raise select.SelectError(f"records: {records} leads to one value, not to a list or an object")
    return [raw]


def rows_of(frame: Frame, records: str) -> list[bytes]:
    """The raw records of a kept page, without those that repeat the page before."""
    found = rows_in(frame.body, "@" if frame.meta.redacted or frame.meta.decoded else records) or []
    return found[frame.meta.skip :]


class Store:
    """Where the pages of one tool are kept: `<root>/raw_data/<tool>/<endpoint>/<run>/<unit>.<fence>.seg`."""

    def __init__(self, root: Path, tool: str) -> None:
        self.home = root / "raw_data" / tool

    def segment(self, endpoint: str, run: str, unit: str, fence: int) -> Segment:
        """A new segment for a unit."""
        return Segment(self.home / endpoint / run / f"{unit}.{fence}.seg")

    def sync(self, endpoint: str, run: str) -> None:
        """Make sure that the segments of an endpoint are found after a power cut; raises StorageError."""
        place = self.home / endpoint / run
        for folder in (place, *place.parents[:4]):
            if not folder.is_dir():
                continue
            number = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(number)
            except OSError as error:
                raise _storage(error, folder.name) from error
            finally:
                os.close(number)

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


def _damaged(path: Path, at: int) -> StorageError:
    return StorageError(f"the kept page at byte {at} of {path.name} is damaged", "collect again with engine collect")


def _storage(error: OSError, place: str) -> StorageError:
    return StorageError(f"{error.strerror} while writing {Path(place).name}", "free space or make the storage writable")
