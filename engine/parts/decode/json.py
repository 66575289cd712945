"""JSON, also where it stands behind a byte order mark or in another charset."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import Field

from engine.core import jsontext
from engine.core.charset import Charset, text
from engine.core.kinds import Decoder, Undecodable


class Json(Decoder):
    """JSON, also behind a byte order mark, in UTF-16 or in UTF-32.

    An answer that is plain JSON needs no `decode`. What Content-Type says of a charset is not looked at: for JSON it
    means nothing (RFC 8259 section 11).

    Misbehaving: What is no JSON, or not whole, and a byte that is none of its charset, named with its place, is asked
    for again and then missing.

    Example:
        endpoints:
          old_list: { get: /list, decode: { json: { charset: windows-1252 } } }
          packed: { get: /list.gz, decode: gzip+json }
    """

    charset: Charset | None = Field(None, description="Another charset than UTF-8, UTF-16 or UTF-32.")

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """The same in UTF-8, looked through to its end."""
        found = text(data, self.charset or json.detect_encoding(data)).encode()
        if not jsontext.is_whole(found):
            raise Undecodable("holds no JSON")
        return [found]

    def encode(self, data: bytes) -> bytes:
        """The same in its charset."""
        return data.decode().encode(self.charset or "utf-8", "replace")
