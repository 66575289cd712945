"""Kept pages become typed rows, slice by slice; what does not fit its type is set apart with its reason."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

import msgspec
import polars as pl

from engine.core import jsontext, select
from engine.core.errors import Json
from engine.flow.columns import TYPES, Reading, Wanted, text_of, typed
from engine.flow.raw import ROWS, Frame
from engine.spec.model import RAW

AT = " at"
"""The number of a record in the order of its arrival: plan order, then page, then place on the page.

No column that a page names begins with a space, nor does that of another number of ours.
"""
SLICE_ROWS = 1_000
BATCH_ROWS = 50_000
OBJECT = ord("{")
FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
AHEAD = 4
"""Slices read ahead of the one that is waited for."""
THREADS = 2


class Shapeless(bytes):
    """A record of which no rows can be made, in the place where they would stand; no JSON begins as it does."""

    says: str

    @classmethod
    def of(cls, record: bytes, says: str) -> Shapeless:
        """The record, with what is wrong."""
        made = cls(b"\0" + record)
        made.says = says
        return made


@dataclass(frozen=True)
class Kept:
    """A kept page as the table sees it."""

    endpoint: str
    run: str
    number: int
    """Its place among all pages of the endpoint in that run: what `engine raw` counts by."""
    frame: Frame
    rows: Sequence[bytes]


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

    def place(self, at: int, path: str) -> str:
        """The request with the row, or the cell, where the value of a record stands in a file."""
        row = self.first + at - self.start
        cell = f"cell {self.letters[path]}{row}" if path in self.letters else f"row {row}"
        return f"{self.request}, {cell}" if self.first else self.request


@dataclass(frozen=True)
class Reject:
    """A record that does not fit, with the rule it broke."""

    at: int
    rule: str
    column: str | None
    value: str | None
    says: str
    record: str
    key: str | None = None
    """The key of its row as JSON, where that can be read."""


@dataclass(frozen=True)
class Slice:
    """Some records in the order of arrival, with the fields added to each."""

    start: int
    rows: Sequence[bytes]
    added: Mapping[str, Sequence[Json]]
    inside: bool = False
    """Whether these are elements inside records; `parent` is the record around them."""


@dataclass
class Rows:
    """Typed rows of some slices, and what did not fit."""

    frame: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)


class Reader:
    """Reads slices of records into rows of declared types."""

    def __init__(
        self, reading: Reading, null_values: Sequence[str], added: frozenset[str], key: Sequence[str] = ()
    ) -> None:
        self._reading, self._nulls = reading, list(null_values)
        self._key = list(key) if {*key} <= {column.name for column in reading.wanted} else []
        fields = {name: shape for name, shape in reading.fields.items() if name not in added}
        self._added = added
        self._schema = select.schema(fields)
        self._guard = select.list_guard(fields)
        self._texts = {name: path for name, path in reading.texts.items() if path[0] not in added}
        other = [column for column in reading.wanted if column.name not in {*reading.exprs, *self._texts}]
        self._slow = [column for column in other if column.name != RAW]
        self._raw = len(other) > len(self._slow)
        whole = ("*" in select.compile(column.path).roots for column in reading.wanted if column.name != RAW)
        self._takes_any = any(whole)
        """Whether a column reads the record itself, as for bare lists of text."""

    def read(self, piece: Slice) -> Rows:
        """The rows of a slice; a record that does not fit is found by halving."""
        if any(row[0] != OBJECT for row in piece.rows):
            return self._one_by_one(piece)
        try:
            texts = self._texts_of(piece)
        except (pl.exceptions.PolarsError, msgspec.DecodeError, select.SelectError, UnicodeDecodeError):
            if len(piece.rows) == 1:
                return self._one_by_one(piece)
            half = len(piece.rows) // 2
            first, second = self.read(_part(piece, 0, half)), self.read(_part(piece, half, len(piece.rows)))
            return Rows(pl.concat([first.frame, second.frame]), first.rejects + second.rejects)
        return self._cast(texts, piece)

    def _texts_of(self, piece: Slice) -> pl.DataFrame:
        """All columns as texts, the number of arrival beside them."""
        body = select.paired(b"[" + b",".join(piece.rows) + b"]")
        if self._guard is not None:
            self._guard.decode(body)
        frame = pl.read_json(body, schema=self._schema) if self._schema else pl.DataFrame()
        extra = [pl.Series(name, _texts(values), dtype=pl.String) for name, values in piece.added.items()]
        frame = frame.with_columns(extra)
        frame = frame.select([expr.alias(name) for name, expr in self._reading.exprs.items()])
        series = [pl.Series(AT, range(piece.start, piece.start + len(piece.rows)), dtype=pl.UInt64)]
        for name, path in self._texts.items():
            series.append(pl.Series(name, [_decoded(raw) for raw in select.raw_reader(path)(body)], dtype=pl.String))
        if self._raw:
            series.append(pl.Series(RAW, [_whole(piece, at) for at in range(len(piece.rows))], dtype=pl.String))
        if self._slow:
            records = [_with(jsontext.read(row), piece.added, at) for at, row in enumerate(ROWS.decode(body))]
            for column in self._slow:
                values = [text_of(select.compile(column.path).search(record), column.type) for record in records]
                series.append(pl.Series(column.name, values, dtype=_text_type(column)))
        return frame.with_columns(series) if frame.width else pl.DataFrame(series)

    def _cast(self, texts: pl.DataFrame, piece: Slice) -> Rows:
        """Texts to values; a text that is no value of its type is a reject, never null."""
        wanted = self._reading.wanted
        if self._nulls:
            scalars = [c.name for c in wanted if c.type != "list"]
            texts = texts.with_columns(
                pl.when(pl.col(name).is_in(self._nulls)).then(None).otherwise(pl.col(name)).alias(name)
                for name in scalars
            )
        values = texts.select([typed(column).alias(column.name) for column in wanted] + [pl.col(AT)])
        changed = [c for c in wanted if values[c.name].null_count() != texts[c.name].null_count()]
        rejects: list[Reject] = []
        for column in changed:
            lost = values[column.name].is_null() & texts[column.name].is_not_null()
            shown, keys = texts.filter(lost), key_texts(values.filter(lost), self._key)
            for at, value, key in zip(shown[AT], shown[column.name], keys, strict=True):
                record = _text(piece.rows[at - piece.start])
                says = f"{column.name} is no {column.type}"
                rejects.append(Reject(at, "type", column.name, str(value), says, record, key))
        if not rejects:
            return Rows(values)
        bad = {reject.at for reject in rejects}
        return Rows(values.filter(~pl.col(AT).is_in(sorted(bad))), rejects)

    def _one_by_one(self, piece: Slice) -> Rows:
        """Each record by jmespath.py: for records that are no objects, and to name what a slice was refused for."""
        texts: dict[str, list[object]] = {column.name: [] for column in self._reading.wanted}
        places: list[int] = []
        rejects: list[Reject] = []
        for at, row in enumerate(piece.rows):
            if isinstance(row, Shapeless):
                rejects.append(Reject(piece.start + at, "rows", None, None, row.says, _text(row[1:])))
                continue
            try:
                record = _with(jsontext.read(row), piece.added, at)
            except jsontext.NoJson as error:
                rejects.append(
                    Reject(piece.start + at, "type", None, None, f"the record is no JSON: {error}", _text(row))
                )
                continue
            if not isinstance(record, dict) and not self._takes_any:
                says = "the record is no object, so it has no fields"
                rejects.append(Reject(piece.start + at, "type", None, _text(row), says, _text(row)))
                continue
            found, refused = self._texts_by_hand(record, _whole(piece, at) if self._raw else None)
            if refused:
                column, says = refused
                value, key = _shown(record, column), self._key_of(found)
                rejects.append(Reject(piece.start + at, "type", column.name, value, says, _text(row), key))
                continue
            places.append(piece.start + at)
            for name, text in found.items():
                texts[name].append(text)
        series = [pl.Series(c.name, texts[c.name], dtype=_text_type(c)) for c in self._reading.wanted]
        rows = self._cast(pl.DataFrame([*series, pl.Series(AT, places, dtype=pl.UInt64)]), piece)
        return Rows(rows.frame, rejects + rows.rejects)

    def _key_of(self, texts: Mapping[str, object]) -> str | None:
        """The key of a record of which only some columns could be read."""
        wanted = [column for column in self._reading.wanted if column.name in self._key]
        if not {*self._key} <= {*texts}:
            return None
        frame = pl.DataFrame([pl.Series(c.name, [texts[c.name]], dtype=_text_type(c)) for c in wanted])
        return key_texts(frame.select(typed(c).alias(c.name) for c in wanted), self._key)[0] if wanted else None

    def _texts_by_hand(self, record: Json, raw: str | None) -> tuple[dict[str, object], tuple[Wanted, str] | None]:
        found: dict[str, object] = {}
        refused: tuple[Wanted, str] | None = None
        for column in self._reading.wanted:
            try:
                value = select.compile(column.path).search(record)
                found[column.name] = raw if column.name == RAW else text_of(value, column.type)
            except select.SelectError as error:
                refused = refused or (column, f"{column.name} is declared {column.type}: {error}")
        return found, refused


def slices(pages: Iterable[Kept], spans: list[Span], added: Sequence[str], *, inside: bool = False) -> Iterator[Slice]:
    """The records of kept pages in slices of about a thousand; notes in `spans` where each page begins."""
    start, rows, extra = 0, [], {name: [] for name in added}  # type: tuple[int, list[bytes], dict[str, list[Json]]]
    for page in pages:
        meta = page.frame.meta
        place = (start + len(rows), page.endpoint, page.run, page.number)
        spans.append(Span(*place, meta.request, meta.unit, meta.page, meta.first, meta.letters))
        for at in range(0, len(page.rows), SLICE_ROWS):
            piece = page.rows[at : at + SLICE_ROWS]
            rows += piece
            for name, values in extra.items():
                values += [page.frame.meta.add.get(name)] * len(piece)
            if len(rows) >= SLICE_ROWS:
                yield Slice(start, rows, extra, inside)
                start, rows, extra = start + len(rows), [], {name: [] for name in added}
    if rows:
        yield Slice(start, rows, extra, inside)


def names_in(piece: Slice) -> set[str]:
    """The top-level fields of the records of a slice."""
    found = set(piece.added)
    for row in piece.rows:
        try:
            found.update(FIELDS.decode(select.paired(bytes(row))))
        except (msgspec.DecodeError, UnicodeDecodeError):  # no object, or no JSON: its reject tells
            continue
    return set(filter(own, found)) if piece.inside else found


def own(name: str) -> bool:
    """Whether a field of an element inside a record is its own: neither what is above it nor what was looked up."""
    return name != "parent" and not name.startswith(" ")


def batches(reader: Reader, pieces: Iterable[Slice]) -> Iterator[Rows]:
    """Slices read on threads, in their order, put together to batches of about fifty thousand rows."""
    frames: list[pl.DataFrame] = []
    rejects: list[Reject] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="read") as pool:
        for rows in ahead(pool, reader.read, pieces):
            frames.append(rows.frame)
            rejects += rows.rejects
            if sum(frame.height for frame in frames) + len(rejects) >= BATCH_ROWS:
                yield Rows(pl.concat(frames), rejects)
                frames, rejects = [], []
    if frames:
        yield Rows(pl.concat(frames), rejects)


def ahead(pool: ThreadPoolExecutor, work: Callable[[Slice], Rows], items: Iterable[Slice]) -> Iterator[Rows]:
    """The results in order, a few worked out ahead of the one that is waited for."""
    source = iter(items)
    waiting = [pool.submit(work, item) for item in islice(source, AHEAD)]
    while waiting:
        result = waiting.pop(0).result()
        waiting += [pool.submit(work, item) for item in islice(source, 1)]
        yield result


def empty(wanted: Sequence[Wanted]) -> pl.DataFrame:
    """No rows, all columns."""
    return pl.DataFrame(schema={**{c.name: TYPES[c.type] for c in wanted}, AT: pl.UInt64})


def key_texts(rows: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """The key of each row as JSON; null where it has none, or a null in it."""
    if not key:
        return pl.repeat(None, rows.height, dtype=pl.String, eager=True)
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
    return rows.select(pl.when(whole).then(pl.struct(list(key)).struct.json_encode())).to_series()


def span_of(spans: Sequence[Span], at: int) -> Span:
    """The page a record arrived on."""
    return spans[bisect_right(spans, at, key=lambda span: span.start) - 1]


def _part(piece: Slice, first: int, last: int) -> Slice:
    added = {name: values[first:last] for name, values in piece.added.items()}
    return replace(piece, start=piece.start + first, rows=piece.rows[first:last], added=added)


def _with(record: Json, added: Mapping[str, Sequence[Json]], at: int) -> Json:
    return {**record, **{name: values[at] for name, values in added.items()}} if isinstance(record, dict) else record


def _whole(piece: Slice, at: int) -> str:
    """The JSON of a record as it was kept, with what was added; of an element inside a record, without its parent."""
    row = select.paired(bytes(piece.rows[at]))
    if row[0] != OBJECT or not (piece.added or piece.inside):
        return row.decode()
    fields = {**FIELDS.decode(row), **{name: values[at] for name, values in piece.added.items()}}
    if piece.inside:
        fields = {name: value for name, value in fields.items() if own(name)}
    return msgspec.json.encode(fields).decode()


def _texts(values: Sequence[Json]) -> list[str | None]:
    return [select.leaf_text(value) for value in values]


def _decoded(raw: msgspec.Raw | None) -> str | None:
    return None if raw is None else bytes(raw).decode()


def _text_type(column: Wanted) -> pl.DataType:
    return pl.List(pl.String()) if column.type == "list" else pl.String()


def _text(row: bytes) -> str:
    return bytes(row).decode(errors="backslashreplace")


def _shown(record: Json, column: Wanted) -> str:
    try:
        return jsontext.canonical(select.compile(column.path).search(record))
    except select.SelectError:
        return ""
