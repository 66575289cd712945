"""One JSON value a line."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from engine.core import jsontext
from engine.core.charset import Charset, text
from engine.core.kinds import Decoder, Undecodable


class Jsonl(Decoder):
    """One JSON value a line, also called NDJSON: each becomes an element of one list. Blank lines do not count.

    Without any line the list is empty.

    Misbehaving: Where a line is no JSON, such as a last one that was cut off, no line is taken: the answer is asked
    for again and then missing, with the number of the line.

    Source: https://jsonlines.org

    Example:
        endpoints:
          events: { get: /export/events, decode: jsonl }
    """

    charset: Charset | None = Field(
        None, description="The charset; else the one that Content-Type says, and UTF-8 where it says none."
    )

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """The list of the lines."""
        lines = [line.strip() for line in text(data, self.charset, charset).encode().split(b"\n")]
        for number, line in enumerate(lines, start=1):
            if line and not jsontext.is_whole(line):
                raise Undecodable(f"has no JSON, or not a whole one, in line {number:,}")
        return [b"[" + b",".join(filter(None, lines)) + b"]"]

    def encode(self, data: bytes) -> bytes:
        """A line for each element."""
        lines = b"".join(jsontext.write(one) + b"\n" for one in jsontext.read(data))
        return lines.decode().encode(self.charset or "utf-8", "replace")
