"""Files in one archive."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from pydantic import Field

from engine.core.kinds import Decoder, TooLarge, Undecodable
from engine.core.values import Text

MOST_FILES = 10_000
FORKS = "__MACOSX/"
"""Where a Mac puts what only a Mac reads, under the names of the files."""
WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others may ask for any amount of memory before the first byte."""
BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, struct.error, zlib.error)
"""What the library raises for one damaged byte or another."""


class Zip(Decoder):
    """Files in one archive: each is decoded by what stands behind, and the lists that they hold are joined to one.

    What comes out is always a list, also of one file; a file that holds no list is one element of it. Files come in the
    order in which they stand in the archive; names are only compared with `files`, nothing is written to them.

    Misbehaving: An archive that is damaged, has a password, no file that fits or more than 10,000 is asked for again
    and then missing, also where one of its files does not decode; one whose files are larger than `max_page` together
    is given up before they are unpacked. An archive in an archive stays packed.

    Source: APPNOTE.TXT of PKWARE, section 4.

    Example:
        endpoints:
          events: { get: /export.zip, decode: zip+jsonl }
          users: { get: /backup.zip, decode: [ { zip: { files: "*/users-*.csv" } }, csv ] }
    """

    gives: ClassVar[Literal["files"]] = "files"
    in_text: ClassVar[bool] = False
    files: Text = Field("*", description="Which files: a pattern for their whole names; `*` stands for slashes too.")

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterator[bytes]:
        """The bytes of each file."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for entry in self._chosen(archive, most_bytes):
                    yield archive.read(entry)  # not more than the size it declares
        except BROKEN:
            raise Undecodable("is no zip, or not whole") from None

    def _chosen(self, archive: zipfile.ZipFile, most_bytes: int) -> list[zipfile.ZipInfo]:
        entries = [
            one for one in archive.infolist() if not (one.filename.endswith("/") or one.filename.startswith(FORKS))
        ]
        if len(entries) > MOST_FILES:
            raise Undecodable(f"holds {len(entries):,} files; more than {MOST_FILES:,} are not read")
        chosen = [one for one in entries if fnmatchcase(one.filename, self.files)]
        if not chosen:
            names = ", ".join(one.filename for one in entries[:5])
            raise Undecodable(f'holds no file "{self.files}"; it holds {names or "none"}')
        if sum(one.file_size for one in chosen) > most_bytes:
            raise TooLarge
        for one in chosen:
            if one.flag_bits & 1:
                raise Undecodable(f"holds {one.filename}, which needs a password")
            if one.compress_type not in WAYS:
                raise Undecodable(f"holds {one.filename}, which is packed in a way that is not read; deflate is")
        return chosen

    def encode(self, data: bytes) -> bytes:
        """An archive with one file."""
        name = re.sub(r"\[!?(.)[^]]*\]", r"\1", self.files).replace("*", "data").replace("?", "x")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        return packed.getvalue()
