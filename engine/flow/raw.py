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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("ab", buffering=0)
        except OSError as error:
            raise _storage(error, path.name) from error
        self._synced = time.monotonic()
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
        try:
            self.sync()
        except OSError as error:
            raise _storage(error, self._file.name) from error
        finally:
            self._file.close()


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
    """The raw JSON of each record at a path of an answer; None when the path is missing or null.

    A list gives its elements, an object is one row. Raises SelectError for anything else, and when the body is no JSON.
    """
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


def _damaged(path: Path, at: int) -> StorageError:
    return StorageError(f"the kept page at byte {at} of {path.name} is damaged", "collect again with engine collect")


def _storage(error: OSError, place: str) -> StorageError:
    return StorageError(f"{error.strerror} while writing {Path(place).name}", "free space or make the storage writable")
