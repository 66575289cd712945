"""Kept pages put together to pieces that are read at once, and where the records of each page stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import ClassVar, overload

from engine.core import jsontext, select
from engine.core.errors import Json
from engine.flow.raw import FIELDS, ROWS, Frame, Packed, names_of

LEAST_BYTES, SLICE_BYTES, MOST_BYTES = 200_000, 1_000_000, 2_000_000
"""A page between the first and the last is read as it is; smaller ones are joined, bigger ones split."""
SLICE_ROWS = 2_000
PIECE_BYTES = 4_000_000
PIECE_ROWS = 20_000
"""Of records in memory; how many a kept page holds is known when it was read."""


OBJECT = ord("{")
"""What the JSON of an object begins with."""


class Shapeless(bytes):
    """A record of which no rows can be made, in the place where they would stand; no JSON begins as it does."""

    says: str

    @classmethod
    def of(cls, record: bytes, says: str) -> Shapeless:
        """The record, with what is wrong."""
        made = cls(b"\0" + record)
        made.says = says
        return made


class Array(Sequence[bytes]):
    """The records of a page that is opened when somebody asks for them; they are split only where that is needed."""

    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a list

    def __init__(self, opened: Callable[[], bytes | Sequence[bytes]]) -> None:
        self._opened = opened
        self._length: int | None = None

    @cached_property
    def _found(self) -> bytes | Sequence[bytes]:
        return self._opened()

    @property
    def text(self) -> bytes | None:
        """All of them as the JSON array that they came in; None where they are made."""
        return self._found if isinstance(self._found, bytes) else None

    @cached_property
    def _rows(self) -> Sequence[bytes]:
        return select.Records(ROWS.decode(self._found)) if isinstance(self._found, bytes) else self._found

    def counted(self, length: int) -> None:
        """Note how many they are: who has read them need not split them for it."""
        self._length = length

    def __len__(self) -> int:
        return len(self._rows) if self._length is None else self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes]:
        return self._rows[at]


@dataclass(frozen=True)
class Kept:
    """A kept page as the table sees it."""

    endpoint: str
    run: str
    number: int
    """Its place among all pages of the endpoint in that run: what `engine raw` counts by."""
    frame: Frame | Packed
    rows: Sequence[bytes]

    @property
    def size(self) -> int:
        """About how many bytes its records have."""
        return self.frame.size if isinstance(self.rows, Array) else sum(map(len, self.rows))


@dataclass(frozen=True)
class Span:
    """Where the rows of a page stand in the order of arrival."""

    start: int
    endpoint: str
    run: str
    number: int
    request: str
    unit: str = ""
    unit_page: int = 0
    """Its number among the pages of its unit."""
    first: int = 0
    """Of a file: the line or row of its first record."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """Of a workbook: field -> the letters of its column."""

    @classmethod
    def of(cls, start: int, page: Kept) -> Span:
        """Where the rows of this page stand."""
        meta = page.frame.meta
        place = (page.endpoint, page.run, page.number, meta.request, meta.unit, meta.page, meta.first, meta.letters)
        return cls(start, *place)

    def place(self, at: int, path: str) -> str:
        """The request with the row, or the cell, where the value of a record stands in a file."""
        row = self.first + at - self.start
        cell = f"cell {self.letters[path]}{row}" if path in self.letters else f"row {row}"
        return f"{self.request}, {cell}" if self.first else self.request


@dataclass(frozen=True)
class Slice:
    """Some records in the order of arrival, with the fields added to each."""

    start: int
    rows: Sequence[bytes]
    added: Mapping[str, Sequence[Json]]
    inside: bool = False
    """Whether these are elements inside records; `parent` is the record around them."""

    @property
    def text(self) -> bytes:
        """The records as one JSON array."""
        whole = self.rows.text if isinstance(self.rows, Array) else None
        return select.together(self.rows) if whole is None else whole

    def part(self, first: int, last: int) -> Slice:
        """The records from the first until the last."""
        added = {name: values[first:last] for name, values in self.added.items()}
        return replace(self, start=self.start + first, rows=self.rows[first:last], added=added)

    def whole(self, at: int) -> str:
        """The JSON of a record as it was kept, with what was added; of an element in a record, without its parent."""
        row = select.paired(bytes(self.rows[at]))
        if row[0] != OBJECT or not (self.added or self.inside):
            return row.decode()
        fields = {**FIELDS.decode(row), **{name: values[at] for name, values in self.added.items()}}
        if self.inside:
            fields = {name: value for name, value in fields.items() if own(name)}
        return jsontext.write(fields).decode()

    def parts(self) -> Iterator[Slice]:
        """The same in slices that are parsed best, each of at least one record."""
        if isinstance(self.rows, Array) and self.rows.text is not None and len(self.rows.text) <= MOST_BYTES:
            yield self
            return
        first, size = 0, 0
        for at, row in enumerate(self.rows):
            if at - first == SLICE_ROWS or (size and size + len(row) > SLICE_BYTES):
                yield self.part(first, at)
                first, size = at, 0
            size += len(row)
        yield self if first == 0 else self.part(first, len(self.rows))


@dataclass(frozen=True)
class Piece:
    """Some kept pages that are read at once; how many records they hold is known when that is done."""

    pages: Sequence[Kept]
    spans: list[Span]
    """Those of all pages that were read before."""
    added: Sequence[str] = ()
    inside: bool = False

    @property
    def size(self) -> int:
        """About how many bytes its records have."""
        return sum(page.size for page in self.pages)

    def slices(self) -> Iterator[Slice]:
        """The records, the pages opened one after the other: numbered when it is known how many came before."""
        held = list[Kept]()
        for page in self.pages:
            if not self.added and isinstance(page.rows, Array) and len(page.rows.text or b"") >= LEAST_BYTES:
                yield from self._joined(held)
                yield Slice(0, page.rows, {}, self.inside)
                held = []
            else:
                held.append(page)
        yield from self._joined(held)

    def _joined(self, pages: Sequence[Kept]) -> Iterator[Slice]:
        rows = list(chain.from_iterable(page.rows for page in pages))
        added: dict[str, list[Json]] = {name: [] for name in self.added}
        for name, values in added.items():
            for page in pages:
                values += [page.frame.meta.add.get(name)] * len(page.rows)
        if rows:
            yield Slice(0, rows, added, self.inside)

    def numbered(self, start: int) -> int:
        """Note where each page begins, once all were read; gives the number behind the last record."""
        for page in self.pages:
            self.spans.append(Span.of(start, page))
            start += len(page.rows)
        return start


def slices(pages: Iterable[Kept], spans: list[Span], added: Sequence[str], *, inside: bool = False) -> Iterator[Piece]:
    """Kept pages in pieces of some megabytes; `spans` will tell where each page begins when it was read."""
    held, size, rows = list[Kept](), 0, 0
    for page in pages:
        held.append(page)
        size += page.size
        rows += 0 if isinstance(page.rows, Array) else len(page.rows)
        if size >= PIECE_BYTES or rows >= PIECE_ROWS:
            yield Piece(held, spans, added, inside)
            held, size, rows = [], 0, 0
    if held:
        yield Piece(held, spans, added, inside)


def names_in(piece: Slice) -> set[str]:
    """The top-level fields of the records of a slice."""
    found = set(piece.added)
    for row in piece.rows:
        found.update(names_of(row))
    return set(filter(own, found)) if piece.inside else found


def own(name: str) -> bool:
    """Whether a field of an element inside a record is its own: neither what is above it nor what was looked up."""
    return name != "parent" and not name.startswith(" ")


def span_of(spans: Sequence[Span], at: int) -> Span:
    """The page a record arrived on."""
    return spans[bisect_right(spans, at, key=lambda span: span.start) - 1]
