"""Bytes as text of 64 letters."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import ClassVar, Literal

from engine.core.kinds import Decoder, Undecodable

URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Base64(Decoder):
    """Bytes as text, in the standard alphabet or the one for addresses, with padding; line breaks do not matter.

    Misbehaving: What has other letters or lacks its padding is asked for again and then missing; a field leaves its
    unit incomplete at once, and is not shown.

    Source: RFC 4648 sections 4 and 5.

    Example:
        endpoints:
          export: { get: /export, decode: base64+csv }
          reports: { get: /reports, decode_fields: { report: base64+gzip+json, title: base64 } }
    """

    gives: ClassVar[Literal["bytes"]] = "bytes"

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """The bytes behind the text."""
        try:
            return [base64.b64decode(b"".join(data.split()).translate(URL_SAFE), validate=True)]
        except ValueError:
            raise Undecodable("is no base64") from None

    def encode(self, data: bytes) -> bytes:
        """The text."""
        return base64.b64encode(data)
