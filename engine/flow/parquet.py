"""Rows in Parquet files: plain, or encrypted by Polars with a key for each file.

The head of a sealed file, with its salt and its place, stands in it as the prefix of what is authenticated (Parquet
modular encryption, `aad_prefix`): so a file that is only found, as those of quarantine are, says how it is opened.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import StorageError
from engine.flow.seal import Seal, damaged, unsealed

TAIL = struct.Struct("<I4s")
"""The length of the footer and the mark of the file, at its very end."""
SEALED = b"PARE"
PREFIX = b"\x1c\x1c\x18"
"""How the footer of a sealed file begins in Thrift: the algorithm, AES-GCM, its first field, the prefix."""
MOST = 1 << 17
"""No footer has its prefix beyond so many bytes."""


def write(rows: pl.DataFrame, to: Path, seal: Seal, *, place: Path | None = None, **how: Any) -> None:
    """Write rows to a file, which shall lie at `place` in the end."""
    if seal.is_on:
        head, key = seal.new_parquet(place or to)
        how["encryption"] = pl.ParquetEncryptionProperties(footer_key=key, aad_prefix=head, store_aad_prefix=True)
    rows.write_parquet(to, **how)


def scan(paths: Sequence[Path], seal: Seal) -> pl.LazyFrame:
    """The rows of files, one after the other. Raises StorageError where one cannot be opened."""
    if not seal.is_on:
        for path in paths:
            if _mark(path) == SEALED:
                raise unsealed(path)
        return pl.scan_parquet(list(paths))
    return pl.concat([_scan(path, seal) for path in paths])


def read(path: Path, seal: Seal, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of a file, or some of their columns. Raises StorageError where it cannot be opened."""
    rows = scan([path], seal)
    return (rows if columns is None else rows.select(columns)).collect()


def schema(path: Path, seal: Seal) -> Mapping[str, pl.DataType]:
    """The columns of a file with their types. Raises StorageError where it cannot be opened."""
    return scan([path], seal).collect_schema()


@contextmanager
def blaming(paths: Callable[[], Iterable[Path]], seal: Seal, fix: str = "") -> Iterator[None]:
    """Where rows cannot be read, name the file among these that is damaged. Raises StorageError."""
    try:
        yield
    except pl.exceptions.PolarsError:
        for path in paths():
            try:
                read(path, seal)
            except (pl.exceptions.PolarsError, OSError):
                raise StorageError(f"{path} is damaged", fix or damaged(path).fix) from None
        raise


def _scan(path: Path, seal: Seal) -> pl.LazyFrame:
    head = _head(path)
    how = pl.ParquetDecryptionProperties(footer_key=seal.parquet_key(head, path), aad_prefix=head)
    rows = pl.scan_parquet(path, glob=False, decryption=how)
    try:
        rows.collect_schema()  # what is not of this key says so here, not in the middle of a query
    except pl.exceptions.PolarsError:
        raise damaged(path) from None
    return rows


def _mark(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(SEALED))


def _head(path: Path) -> bytes:
    """The head that a sealed file says of itself; empty where it says none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL.size))
        length, mark = TAIL.unpack(file.read().rjust(TAIL.size, b"\0"))
        if mark != SEALED or length + TAIL.size > size:
            return b""
        file.seek(size - TAIL.size - length)
        footer = file.read(min(length, MOST))
    return _binary(footer[len(PREFIX) :]) if footer.startswith(PREFIX) else b""


def _binary(text: bytes) -> bytes:
    """The bytes that a Thrift field begins with: their length, seven bits a byte, the lowest first, then they."""
    length = shift = 0
    for at, byte in enumerate(text):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return text[at + 1 :][:length]
    return b""
