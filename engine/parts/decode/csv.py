"""Rows of texts with a separator between them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from engine.core import jsontext
from engine.core.charset import Charset, text
from engine.core.errors import Json, Mistake
from engine.core.kinds import Decoder, TooLarge, Undecodable
from engine.core.values import Text, source_text

BATCH = 1_000
"""Rows that are written at once."""
csv.field_size_limit(2**31 - 1)  # unless told, the library refuses a field of more than 131,072 characters
Letter = Annotated[str, Field(pattern=r"^[^\r\n]$")]


class Csv(Decoder):
    r"""Rows of texts: each becomes an object of a list, with the names of the header as fields.

    All values stay text, `"1.10"` and `"08"` too: the types of columns say what they mean. An empty field is an empty
    text; `null_values` of a table makes null of it. Blank lines do not count.

    Misbehaving: No row is ever dropped or filled up. Where one has more or fewer fields than the header, named with its
    number, where the header has a name twice, where a quote does not end, or where a page of HTML comes instead, the
    answer is asked for again and then missing.

    Source: RFC 4180.

    Example:
        endpoints:
          users: { get: /users.csv, decode: csv }
          bookings: { get: /export, decode: { csv: { separator: ";", charset: latin-1, skip_rows: 2 } } }
          lines: { get: /lines, decode: { csv: { separator: "\t", quote: null, header: [id, name] } } }
    """

    separator: Letter = Field(",", description=r'The letter between two fields: `";"`, `"\t"`.')
    quote: Letter | None = Field('"', description="The letter around a field that holds others; null for none.")
    header: bool | list[Text] = Field(
        True,
        description="Whether the first row holds the names; else they are `column_1`, `column_2` … A list gives the "
        "names where no row does.",
    )
    charset: Charset | None = Field(
        None, description="The charset; else the one that Content-Type says, and UTF-8 where it says none."
    )
    skip_rows: int = Field(0, ge=0, description="How many lines to pass over, such as a title, before all others.")

    @field_validator("header")
    @classmethod
    def _each_once(cls, header: bool | list[str]) -> bool | list[str]:
        if isinstance(header, list) and (not header or twice(header)):
            raise Mistake("value", "the header needs names, each once", "give each field a name of its own")
        return header

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.separator == self.quote:
            raise Mistake("value", "the same letter cannot both part the fields and stand around them")
        return self

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """The list of the rows, as objects."""
        written = text(data, self.charset, charset).encode()
        written = data if written == data else written  # mostly, and then it is held once
        rows = self._rows(io.TextIOWrapper(io.BytesIO(written), "utf-8", newline=""))  # StringIO takes four times more
        names, found = next(rows), io.BytesIO()  # gives what it holds without a copy
        while batch := [dict(zip(names, row, strict=True)) for row in islice(rows, BATCH)]:
            found.write(b"," if found.tell() else b"[")
            found.write(jsontext.write(batch)[1:-1])
            if found.tell() > most_bytes:  # each row repeats the names
                raise TooLarge
        found.write(b"]" if found.tell() else b"[]")
        return [found.getvalue()]

    def _rows(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """The names, and each row as long as these."""
        skipped = len(list(islice(lines, self.skip_rows)))
        reader = csv.reader(lines, strict=True, **self._form())
        number, names = skipped, list[str]()
        try:
            for row in reader:
                number += 1
                if not row:
                    continue
                if not names:
                    names = self._names(row)
                    yield names
                    if self.header is True:
                        continue
                if len(row) != len(names):
                    raise Undecodable(f"has {len(row)} instead of {len(names)} fields in row {number:,}")
                yield row
        except csv.Error as error:
            raise Undecodable(f"is no csv in line {skipped + reader.line_num:,}: {error}") from None
        if not names:
            if self.header is True:
                raise Undecodable("has no header")
            yield names

    def _names(self, first: list[str]) -> list[str]:
        if isinstance(self.header, list):
            return self.header
        if not self.header:
            return [f"column_{number}" for number in range(1, len(first) + 1)]
        if again := twice(first):
            raise Undecodable(f'has the name "{again[0]}" twice in its header')
        return first

    def _form(self) -> dict[str, Any]:
        quoting = csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL
        return {"delimiter": self.separator, "quotechar": self.quote, "quoting": quoting}

    def encode(self, data: bytes) -> bytes:
        """A header with the names of all rows, and a row for each."""
        rows = jsontext.read(data)
        names = list(dict.fromkeys(name for row in rows for name in row)) or ["column_1"]
        names = self.header if isinstance(self.header, list) else names
        lines = [*([names] if self.header is True else []), *([row.get(name) for name in names] for row in rows)]
        written = "".join(f"{self.separator.join(map(self._field, line))}\r\n" for line in lines)
        return ("title\r\n" * self.skip_rows + written).encode(self.charset or "utf-8", "replace")

    def _field(self, value: Json) -> str:
        """A value as a text: nothing for null, JSON for what is inside a record."""
        shown = "" if value is None else source_text(value)
        shown = shown if isinstance(shown, str) else jsontext.write(value).decode()
        special = {self.separator, self.quote, "\r", "\n"}
        if self.quote is None:  # then no field can hold these
            return "".join(" " if letter in special else letter for letter in shown)
        quoted = self.quote + shown.replace(self.quote, self.quote * 2) + self.quote
        return shown if shown and special.isdisjoint(shown) else quoted


def twice(names: list[str]) -> list[str]:
    """The names that stand there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
