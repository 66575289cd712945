"""Data compressed with gzip."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable
from typing import ClassVar, Literal

from engine.core.kinds import Decoder, TooLarge, Undecodable

PIECE = 1 << 20


class Gzip(Decoder):
    """Data compressed with gzip, in one member or several one after the other.

    It is for files that are gzip themselves; an answer that only travels compressed (`Content-Encoding: gzip`) is
    unpacked without it.

    Misbehaving: A file that is cut off, damaged or followed by something else is asked for again and then missing; one
    that unpacks to more than `max_page` is given up before it has.

    Source: RFC 1952.

    Example:
        endpoints:
          export: { get: /export.csv.gz, decode: gzip+csv }
          other: { get: /other.csv.gz, decode: [gzip, { csv: { separator: ";" } }] }
    """

    gives: ClassVar[Literal["bytes"]] = "bytes"
    in_text: ClassVar[bool] = False

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """The data."""
        if not data:  # the library takes nothing for a file of no members
            raise Undecodable("is empty")
        pieces, size = [], 0
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                while piece := file.read(PIECE):  # to ask for all at once would take as much memory as may be read
                    pieces.append(piece)
                    size += len(piece)
                    if size > most_bytes:
                        raise TooLarge
        except (OSError, EOFError, zlib.error):
            raise Undecodable("is no gzip, or not whole") from None
        return [b"".join(pieces)]

    def encode(self, data: bytes) -> bytes:
        """One member."""
        return gzip.compress(data, mtime=0)
