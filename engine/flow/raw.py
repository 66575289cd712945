"""The vendor's answers as they are kept: segments of compressed frames, one frame a page."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from engine.core import commit, jsontext, select
from engine.core.errors import Json, StorageError
from engine.core.wire import Coding
from engine.flow.seal import PLAIN, Lock, Seal, damaged

HEAD = struct.Struct(">4sIII")
"""Mark, length of what is known of the page, length of its body, checksum of both; behind it a checksum of its own."""
CHECK = struct.Struct(">I")
MAGIC = b"EF01"
SEALED = b"ES01"
"""The mark of a frame whose two parts are encrypted; docs/encryption.md says how."""
SYNC_SECONDS = 1.0
"""After a power cut at most so much is asked for again."""
ROWS = msgspec.json.Decoder(list[msgspec.Raw])
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
Spot = tuple[Path, int]
"""A segment, and where in it a frame begins."""


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the vendor said of a page by which it can be asked whether the page changed."""

    mark: str
    """A short hash of what was asked for."""
    etag: str = ""
    modified: str = ""
    """When it last changed, in the vendor's words."""
    headers: dict[str, str] = {}


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a kept page besides its body."""

    page: int
    """Its number among the pages of its unit."""
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
    unit: str = ""
    """Whose page it is; a segment holds those of several units."""
    sweep: int = 0
    """How often the unit was begun once more before."""
    settles: bool = False
    """Whether this is no page, but says that its sweep is whole and stands in place of those before."""
    first: int = 0
    """Of a file: the line or row of the first record, those behind it follow; 0 where it has no such thing."""
    letters: dict[str, str] = {}
    """Of a workbook: field -> the letters of its column."""
    coding: Coding | None = None
    """How the bytes received became JSON; None where they are JSON."""
    known: Known | None = None
    """Where the page asks whether it changed: what that takes."""
    stopped: bool = False
    """Whether the list ended with this page by what its records are, though more may follow."""
    cut: bool = False
    """Whether the list ended with it because max_pages says so."""
    total: int | None = None
    """How many records the vendor declared with it."""
    digests: bytes = b""
    """Of a redacted page: by what its records are known when the run goes on."""
    times: tuple[str, ...] = ()
    """Of a redacted page: the times of its records, as far as they matter then."""
    aside: dict[str, Json] = {}
    """Of an answer that is no page and moved the unit on: what it was, so that nobody asks for it again."""

    def of_unit(self, unit: str, sweep: int) -> Meta:
        """The same with whose page it is."""
        return msgspec.structs.replace(self, unit=unit, sweep=sweep)

    def rewritten(self, *, redacted: bool, decoded: bool) -> Meta:
        """The same of a body that holds records instead of the bytes received."""
        return msgspec.structs.replace(self, redacted=redacted, decoded=decoded, coding=None, known=None)

    def of_records(self, digests: bytes, times: Sequence[str]) -> Meta:
        """The same of a redacted page, with what tells its records from others."""
        return msgspec.structs.replace(self, digests=digests, times=tuple(times))

    def with_known(self, known: Known) -> Meta:
        """The same of a page of which the vendor can be asked whether it changed."""
        return msgspec.structs.replace(self, known=known)

    def of_file(self, first: int, letters: Mapping[str, str], *, is_rows: bool) -> Meta:
        """The same of a piece of a file, whose body is the records themselves where it `is_rows`."""
        return msgspec.structs.replace(self, first=first, letters=dict(letters), decoded=is_rows)


class Frame(msgspec.Struct, frozen=True):
    """A kept page: what is known of it, and its body."""

    meta: Meta
    body: bytes

    @property
    def size(self) -> int:
        """How many bytes its body has."""
        return len(self.body)


class Packed(msgspec.Struct, frozen=True):
    """A kept page whose body is still compressed."""

    meta: Meta
    packed: bytes

    @property
    def size(self) -> int:
        """How many bytes its body will have."""
        return zstandard.frame_content_size(self.packed)

    def opened(self) -> Frame:
        """The page with its body; other threads work meanwhile."""
        return Frame(self.meta, zstandard.ZstdDecompressor().decompress(self.packed))


class Segment:
    """A file that pages are appended to, each written at once; `kept_synced` syncs it once a second."""

    def __init__(self, path: Path, seal: Seal = PLAIN) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b", buffering=0)
            self._end = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise storage_error(error, path.name) from error
        self.place = path, 0
        """Where the last frame begins that was appended."""
        try:
            self._seal = seal.segment(self._file, path) if self._end else seal.new_segment(path)
            if seal.is_on and self._seal is None:  # its head is torn: nothing can be added to it
                raise damaged(path)
        except StorageError:
            self._file.close()
            raise
        self._lock = threading.Lock()
        self._behind = True
        self._failure: OSError | None = None
        self._compress = zstandard.ZstdCompressor(level=1).compress

    def append(self, meta: Meta, body: bytes) -> None:
        """Keep a page; raises StorageError when the disk refuses."""
        head, packed, mark, first = msgspec.json.encode(meta), self._compress(body), MAGIC, b""
        if self._seal:
            first = b"" if self._end else self._seal.head
            mark, (head, packed) = SEALED, self._seal.frame(self._end + len(first), head, packed)
        check = zlib.crc32(packed, zlib.crc32(head))
        opening = HEAD.pack(mark, len(head), len(packed), check)
        frame = first + opening + CHECK.pack(zlib.crc32(opening)) + head + packed
        try:
            self._write(frame)
            self.place = self.place[0], self._end + len(first)
            self._end += len(frame)
            self._behind = True
            if self._failure:
                raise self._failure
        except OSError as error:
            raise storage_error(error, self._file.name) from error

    def _write(self, frame: bytes) -> None:
        """Write a frame at once; where a crash test listens in two halves, so that it can end between them."""
        commit.point("frame begins")
        done = 0
        if commit.hear:
            done = self._file.write(frame[: len(frame) // 2])
            commit.point("frame half")
        if done + self._file.write(frame[done:]) != len(frame):
            raise OSError(28, "No space left on device")
        commit.point("frame kept")

    def sync(self) -> None:
        """Make sure that what was kept survives a power cut, whatever its unit waits for. Raises StorageError.

        A disk that refused once is told each time, also to the unit at its next page: the system tells it only once.
        """
        with self._lock:
            if self._behind and not self._file.closed:
                self._behind = False
                try:
                    os.fsync(self._file.fileno())
                    commit.point("segment synced")
                except OSError as error:
                    self._failure = error
        if self._failure:
            raise storage_error(self._failure, self._file.name) from self._failure

    def close(self) -> None:
        """Sync and close. Raises StorageError."""
        try:
            self.sync()
        finally:
            with self._lock:
                self._file.close()


@contextmanager
def kept_synced(segments: Callable[[], Iterable[Segment]]) -> Iterator[None]:
    """Sync the segments once a second while this is open."""
    over = threading.Event()

    def sync() -> None:
        while not over.wait(SYNC_SECONDS):
            for segment in segments():
                with suppress(StorageError):  # the segment remembers it
                    segment.sync()

    threading.Thread(target=sync, name="sync", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def frames(path: Path, seal: Seal = PLAIN) -> Iterator[Frame]:
    """The whole frames of a segment, in order; a torn tail ends them, damage before the end raises StorageError."""
    with path.open("rb") as file:
        for _, at in heads(file, path, seal):
            yield frame_at(file, path, at, seal)


def heads(file: BinaryIO, path: Path, seal: Seal = PLAIN, until: int | None = None) -> Iterator[tuple[Meta, int]]:
    """What is known of each whole page of a segment, and where its frame begins; bodies are passed over.

    What stands behind the byte `until` is not looked at.
    """
    lock = seal.segment(file, path)
    size, at = path.stat().st_size, len(lock.head) if lock else 0
    size = size if until is None else min(size, until)
    if seal.is_on and lock is None:  # not even its head is there
        return
    while True:
        file.seek(at)
        opening = file.read(HEAD.size + CHECK.size)
        if at >= size or len(opening) < HEAD.size + CHECK.size:
            return
        lengths = _lengths(opening, lock)
        if lengths is None:
            if not (opening + file.read()).strip(b"\0"):  # space that was given to the file before a power cut
                return
            raise _damaged(path, at, lock)
        end = at + len(opening) + sum(lengths)
        if end > size:
            return
        meta = file.read(lengths[0])
        if end == size:
            file.seek(at)
            if not _is_sound(file.read(end - at)):
                return
        try:
            yield _meta(meta, path, at, lock), at
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _damaged(path, at, lock) from None
        at = end


def frame_at(file: BinaryIO, path: Path, at: int, seal: Seal = PLAIN) -> Frame:
    """The frame that begins there; raises StorageError where it is damaged."""
    return packed_at(file, path, at, seal).opened()


def packed_at(file: BinaryIO, path: Path, at: int, seal: Seal = PLAIN) -> Packed:
    """The frame that begins there, its body as it was compressed; raises StorageError where it is damaged."""
    lock = seal.segment(file, path) if seal.is_on else None
    file.seek(at)
    opening = file.read(HEAD.size + CHECK.size)
    lengths = _lengths(opening, lock)
    rest = file.read(sum(lengths)) if lengths else b""
    if lengths is None or not _is_sound(opening + rest):
        raise _damaged(path, at, lock)
    meta, packed = rest[: lengths[0]], rest[lengths[0] :]
    found = lock.body(at, meta, packed) if lock else packed
    if found is None:
        raise _damaged(path, at, lock)
    return Packed(_meta(meta, path, at, lock), found)


def _meta(kept: bytes, path: Path, at: int, lock: Lock | None) -> Meta:
    found = lock.meta(at, kept) if lock else kept
    if found is None:
        raise _damaged(path, at, lock)
    return msgspec.json.decode(found, type=Meta)


def _lengths(opening: bytes, lock: Lock | None) -> tuple[int, int] | None:
    """How long what is known of a page and its body are; None where the opening cannot be trusted."""
    head, sealed = opening[: HEAD.size], opening[HEAD.size :]
    if not head.startswith(SEALED if lock else MAGIC) or sealed != CHECK.pack(zlib.crc32(head)):
        return None
    _, meta, body, _ = HEAD.unpack(head)
    return meta, body


def _is_sound(frame: bytes) -> bool:
    return bool(HEAD.unpack(frame[: HEAD.size])[3] == zlib.crc32(frame[HEAD.size + CHECK.size :]))


def array_in(body: bytes, records: str) -> bytes | None:
    """The records at a path of an answer as a JSON array; None when the path is missing or null, or the body is empty.

    A list is taken as it is, an object is one row. Raises SelectError for anything else, and when the body is no JSON.
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
        return raw
    if not raw.startswith(b"{"):
        raise select.SelectError(f"records: {records} leads to one value, not to a list or an object")
    return b"[%b]" % raw


def split_rows(array: bytes) -> list[bytes]:
    """The raw JSON of each element of an array."""
    return [bytes(row) for row in ROWS.decode(array)]


def rows_in(body: bytes, records: str) -> list[bytes] | None:
    """The raw JSON of each record at a path of an answer; None when the path is missing or null, or the body is empty.

    A list gives its elements, an object is one row. Raises SelectError for anything else, and when the body is no JSON.
    """
    array = array_in(body, records)
    return None if array is None else split_rows(array)


def names_of(row: bytes) -> Iterable[str]:
    """The fields of a record; none of what is no object or no JSON, as its reject tells."""
    try:
        return FIELDS.decode(select.paired(bytes(row)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


def array_of(frame: Frame, records: str) -> bytes:
    """The records of a kept page as one JSON array, without those that repeat the page before."""
    found = array_in(frame.body, "@" if frame.meta.redacted or frame.meta.decoded else records) or b"[]"
    return found if not frame.meta.skip else select.together(split_rows(found)[frame.meta.skip :])


def rows_of(frame: Frame, records: str) -> list[bytes]:
    """The raw records of a kept page, without those that repeat the page before."""
    return split_rows(array_of(frame, records))


def _damaged(path: Path, at: int, lock: Lock | None) -> StorageError:
    if lock:
        return damaged(path)
    return StorageError(f"the kept page at byte {at} of {path.name} is damaged", "collect again with engine collect")


def storage_error(error: OSError, place: str) -> StorageError:
    return StorageError(f"{error.strerror} while writing {Path(place).name}", "free space or make the storage writable")
