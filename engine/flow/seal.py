"""How what is kept is sealed: with a key everything is encrypted, without one it stays as it is.

Each sealed thing has a key of its own, made of the storage's key and of random bytes that stand at its head, and is
bound to its place in the storage: what is swapped, cut, or changed in any bit cannot be opened.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.core.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = 1
KEY = SALT = 32
"""Bytes of a key, and of the random bytes at the head of what is sealed."""
CHUNK = 1 << 18
"""Bytes of plain content in each chunk of a file but the last."""
TAG = 16
NONCE = 12
MARK = b"engine"
"""What is sealed begins with it, behind it come one letter for its kind and the digit of the format."""
KINDS = {"file": b"F", "segment": b"S", "parquet": b"P", "text": b"T"}
LENGTH = struct.Struct(">H")
FIXED = len(MARK) + 2 + SALT + LENGTH.size
"""The part of a head before the name."""
TEXT = "sealed:"
MAKE_KEY = "make one with engine key, and set it as ENCRYPTION_KEY"


@dataclass(frozen=True)
class Lock:
    """Opens and shuts the pieces of one sealed thing."""

    head: bytes
    """Mark, salt and name: what stands before its pieces, which are bound to it."""
    cipher: AESGCM = field(repr=False)

    def shut(self, plain: bytes, nonce: bytes, about: bytes = b"") -> bytes:
        """A piece, encrypted; no nonce may come twice under one head."""
        return self.cipher.encrypt(nonce, plain, self.head + about)

    def open(self, sealed: bytes, nonce: bytes, about: bytes = b"") -> bytes | None:
        """The piece as it was, or None where it is not what was shut here."""
        from cryptography.exceptions import InvalidTag

        try:
            return self.cipher.decrypt(nonce, sealed, self.head + about)
        except (InvalidTag, ValueError):
            return None

    def frame(self, at: int, meta: bytes, body: bytes) -> tuple[bytes, bytes]:
        """What is known of a kept page and its body, for the frame that begins at a byte of this segment."""
        nonce = os.urandom(NONCE - 1)
        return nonce + self.shut(meta, nonce + b"m", _at(at)), self.shut(body, nonce + b"b", _at(at))

    def meta(self, at: int, meta: bytes) -> bytes | None:
        """What is known of a page, from its frame."""
        return self.open(meta[NONCE - 1 :], meta[: NONCE - 1] + b"m", _at(at))

    def body(self, at: int, meta: bytes, body: bytes) -> bytes | None:
        """The body of a page, from both pieces of its frame."""
        return self.open(body, meta[: NONCE - 1] + b"b", _at(at))


@dataclass(frozen=True)
class Seal:
    """The key of a storage and its folder; without a key nothing is sealed."""

    key: bytes | None = field(default=None, repr=False)
    root: Path = Path()
    anywhere: bool = False
    """Whether files may lie elsewhere than where they were written, as a person has them."""

    @property
    def is_on(self) -> bool:
        """Whether what is kept is encrypted."""
        return self.key is not None

    @property
    def check(self) -> str:
        """A text by which the key is known again, and which says nothing about it."""
        return derive(self.key or b"", b"", b"check")[:16].hex()

    def name(self, place: Path) -> str:
        """The name that a file is bound to: its path in the storage."""
        return _name(self.root, place)

    # --- files

    def pack(self, pieces: Iterable[bytes], place: Path) -> Iterator[bytes]:
        """The content of a file that shall lie at a place, as it is written there."""
        if self.key is None:
            yield from pieces
            return
        lock = self.begin("file", self.name(place))
        yield lock.head
        waiting, number = bytearray(), 0
        for piece in pieces:
            waiting += piece
            while len(waiting) > CHUNK:
                yield lock.shut(bytes(waiting[:CHUNK]), _nonce(number, last=False))
                del waiting[:CHUNK]
                number += 1
        yield lock.shut(bytes(waiting), _nonce(number, last=True))

    def unpack(self, file: BinaryIO, place: Path) -> Iterator[bytes]:
        """The content of a file that was written to a place, piece by piece, each proved before it is given.

        Raises StorageError where the file is damaged, swapped, cut, or not written with this key; one that is cut
        short is known at its end.
        """
        opening = file.read(FIXED)
        if self.key is None:
            if is_sealed(opening):
                raise unsealed(place)
            yield opening
            while piece := file.read(CHUNK):
                yield piece
            return
        lock = self.lock("file", _head(opening, file), self.name(place), place)
        piece, number = file.read(CHUNK + TAG), 0
        while True:
            following = file.read(CHUNK + TAG)
            plain = lock.open(piece, _nonce(number, last=not following))
            if plain is None:
                raise damaged(place)
            yield plain
            if not following:
                return
            piece, number = following, number + 1

    def write(self, place: Path, content: bytes, final: Path | None = None) -> None:
        """Write a file; where it is a temporary one, `final` is its place in the end."""
        with place.open("wb") as file:
            file.writelines(self.pack([content], final or place))

    def read(self, place: Path) -> bytes:
        """The content of a file. Raises OSError, and StorageError as `unpack` does."""
        with place.open("rb") as file:
            return b"".join(self.unpack(file, place))

    # --- texts in the ledger, lines of logs

    def text(self, plain: str, about: str = "", *, same: bool = False) -> str:
        """A text as it is kept in the ledger; `about` says whose it is, and it opens for nothing else.

        With `same` one text is always sealed to the same, so that it can be told whether it changed.
        """
        if self.key is None:
            return plain
        known = hmac.digest(derive(self.key, b"", b"same"), f"{about}\0{plain}".encode(), "sha256") if same else None
        lock = self.begin("text", about, known)
        return TEXT + base64.b64encode(salt_of(lock.head) + lock.shut(plain.encode(), bytes(NONCE))).decode()

    def plain(self, kept: str, about: str = "") -> str:
        """The text that was kept. Raises StorageError where it is damaged, or not sealed with this key."""
        if self.key is None:
            if kept.startswith(TEXT):
                raise unsealed(Path("engine.db"))
            return kept
        try:
            sealed = base64.b64decode(kept.removeprefix(TEXT), validate=True) if kept.startswith(TEXT) else b""
        except binascii.Error:
            sealed = b""
        head = _mark("text") + sealed[:SALT] + _named(about)
        found = self.lock("text", head, about, Path("engine.db")).open(sealed[SALT:], bytes(NONCE))
        if found is None:
            raise damaged(Path("engine.db"))
        return found.decode()

    # --- what is sealed in a form of its own

    def begin(self, kind: str, name: str, salt: bytes | None = None) -> Lock:
        """The lock of a new thing: with a new salt, and so a key of its own."""
        assert self.key is not None
        return _lock(self.key, kind, _mark(kind) + (salt or os.urandom(SALT)) + _named(name))

    def lock(self, kind: str, head: bytes, name: str, shown: Path) -> Lock:
        """The lock of a thing that begins with a head. Raises StorageError where that is of another kind or name."""
        if not head.startswith(_mark(kind)) or not (self.anywhere or head[FIXED:] == name.encode()):
            raise damaged(shown)
        assert self.key is not None
        return _lock(self.key, kind, head)

    def segment(self, file: BinaryIO, place: Path) -> Lock | None:
        """The lock of a segment, None where nothing is sealed or its head is torn. Raises StorageError."""
        file.seek(0)
        head = _head(file.read(FIXED), file)
        if self.key is None:
            if is_sealed(head):
                raise unsealed(place)
            return None
        torn = os.fstat(file.fileno()).st_size < FIXED + (not self.anywhere and len(self.name(place).encode()))
        if torn or not (head.strip(b"\0") or file.read().strip(b"\0")):  # as a power cut leaves it
            return None
        return self.lock("segment", head, self.name(place), place)

    def new_parquet(self, place: Path) -> tuple[bytes, bytes]:
        """Head and key of a Parquet file that shall lie at a place."""
        head = self.begin("parquet", self.name(place)).head
        return head, self.parquet_key(head, place)

    def parquet_key(self, head: bytes, place: Path) -> bytes:
        """The key of the Parquet file with this head. Raises StorageError where it is not that of its place."""
        assert self.key is not None
        self.lock("parquet", head, self.name(place), place)
        return derive(self.key, salt_of(head), b"parquet")

    def new_segment(self, place: Path) -> Lock | None:
        """The lock of a segment that begins; None where nothing is sealed."""
        return self.begin("segment", self.name(place)) if self.is_on else None


PLAIN = Seal()


def derive(key: bytes, salt: bytes, kind: bytes) -> bytes:
    """A key for one thing of a kind (HKDF, RFC 5869, with SHA-256)."""
    drawn = hmac.digest(salt or bytes(KEY), key, "sha256")
    return hmac.digest(drawn, b"engine %d " % FORMAT + kind + b"\x01", "sha256")


@functools.lru_cache(maxsize=256)
def _lock(key: bytes, kind: str, head: bytes) -> Lock:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return Lock(head, AESGCM(derive(key, salt_of(head), kind.encode())))


@functools.lru_cache(maxsize=1024)
def _name(root: Path, place: Path) -> str:
    home, whole = Path(os.path.abspath(root)), Path(os.path.abspath(place))
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else whole.name


def salt_of(head: bytes) -> bytes:
    """The random bytes of a head."""
    return head[len(MARK) + 2 :][:SALT]


def is_sealed(opening: bytes) -> bool:
    """Whether a file that begins so is a sealed one."""
    return opening.startswith(tuple(MARK + letter for letter in KINDS.values()))


def new_key() -> str:
    """A new random key, as it stands in ENCRYPTION_KEY."""
    return base64.b64encode(os.urandom(KEY)).decode()


def read_key(text: str) -> bytes:
    """The key that a text stands for: 32 bytes in base64 or as hex digits. Raises ConfigError."""
    text = text.strip()
    try:
        if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
            found = bytes.fromhex(text)
        else:
            found = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):  # a letter that no base64 has, or one that is no letter of any
        found = b""
    if len(found) != KEY or len(set(found)) < KEY // 4:
        why = "it is no passphrase, which could be guessed, but 32 random bytes, in base64 or as 64 hex digits"
        raise ConfigError(f"the encryption key is not in a form that can be used: {why}", MAKE_KEY)
    return found


def damaged(place: Path) -> StorageError:
    """The error for what cannot be opened."""
    fix = "set the ENCRYPTION_KEY it was written with; where that is the one, restore the file from a backup"
    return StorageError(f"{place} was not written with this key for this place, or is damaged", fix)


def unsealed(place: Path) -> StorageError:
    """The error for what is encrypted where no key is set."""
    return StorageError(f"{place} is encrypted, and no key is set", "set ENCRYPTION_KEY to the key of the storage")


def _mark(kind: str) -> bytes:
    return MARK + KINDS[kind] + b"%d" % FORMAT


def _at(place: int) -> bytes:
    return place.to_bytes(8, "big")


def _named(name: str) -> bytes:
    text = name.encode()
    return LENGTH.pack(len(text)) + text


def _head(opening: bytes, file: BinaryIO) -> bytes:
    """A head whose first part was read already."""
    length = LENGTH.unpack(opening[-LENGTH.size :])[0] if len(opening) == FIXED and is_sealed(opening) else 0
    return opening + file.read(length)


def _nonce(number: int, *, last: bool) -> bytes:
    """The number of a chunk, and whether it is the last: so none can be moved, left out, or cut off."""
    return struct.pack(">QI", number, last)
