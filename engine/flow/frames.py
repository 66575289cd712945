"""Kept pages become typed rows, slice by slice; what does not fit its type is set apart with its reason."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter

import msgspec
import polars as pl

from engine.core import jsontext, select
from engine.core.errors import Json
from engine.flow.columns import TYPES, Reading, Wanted, by_hand, key_texts, text_of, text_type, typed
from engine.flow.raw import ROWS
from engine.flow.slices import OBJECT, PIECE_ROWS, Array, Shapeless, Slice
from engine.flow.ways import Odd, Way, Ways
from engine.spec.model import RAW

AT = " at"
"""The number of a record in the order of its arrival: plan order, then page, then place on the page.

No column that a page names begins with a space, nor does that of another number of ours.
"""
BESIDE = '" at"'
"""The same beside the fields of records, where no field is of this name: one with a quote is never read by Polars."""
IN_DOUBT = "it is in doubt what JMESPath gives there"
NEARBY = "a record among them, or one near them, could not be read with the others"
FEW = 16
"""So many records are looked at one by one rather than halved once more."""
REFUSED = (
    pl.exceptions.PolarsError,
    msgspec.DecodeError,
    select.SelectError,
    jsontext.NoJson,
    UnicodeDecodeError,
    RecursionError,
)


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


Asked = Counter[tuple[str, str]]
"""Column and why -> of how many records jmespath.py worked out what Polars was to; no column where it may be any."""


@dataclass
class Rows:
    """Typed rows of some slices, and what did not fit."""

    frame: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)
    asked: Asked = field(default_factory=Counter)

    @classmethod
    def of(cls, many: Sequence[Rows]) -> Rows:
        """Those of slices that follow each other."""
        rejects = list(chain.from_iterable(one.rejects for one in many))
        return cls(pl.concat([one.frame for one in many]), rejects, sum((one.asked for one in many), Counter()))

    def moved(self, by: int) -> Rows:
        """The same behind so many records more."""
        frame = self.frame.with_columns(pl.col(AT) + by)
        return Rows(frame, [replace(reject, at=reject.at + by) for reject in self.rejects], self.asked)


@dataclass(frozen=True)
class Parsed:
    """A slice as Polars read it: the fields of its records, and the columns that are taken otherwise."""

    piece: Slice
    fields: pl.DataFrame
    beside: pl.DataFrame
    way: Way
    odd: Odd
    """The records that are left out of both, to be read one by one."""
    refused: set[int]
    """The places of those that are in both, and refused all the same."""

    def asked(self) -> Asked:
        """What jmespath.py works out here beyond what the page lets expect."""
        found = Asked(chain.from_iterable(((name, why) for name in names) for names, why in self.odd.values()))
        found.update(dict.fromkeys(self.way.unforeseen.items(), self.beside.height))
        return found


class Reader:
    """Reads slices of records into rows of declared types."""

    def __init__(
        self, reading: Reading, null_values: Sequence[str], added: frozenset[str], key: Sequence[str] = ()
    ) -> None:
        self._reading, self._nulls = reading, list(null_values)
        self._key = list(key) if {*key} <= {column.name for column in reading.wanted} else []
        self._added = added
        self._ways = Ways(reading, added)
        self._raw = any(column.name == RAW for column in reading.wanted)
        whole = ("*" in select.compile(column.path).roots for column in reading.wanted if column.name != RAW)
        self._takes_any = any(whole)
        """Whether a column reads the record itself, as for bare lists of text."""

    def read(self, piece: Slice) -> Rows:
        """The rows of a slice; a record that does not fit is found by halving."""
        return self.read_all([piece])

    def read_all(self, pieces: Iterable[Slice]) -> Rows:
        """The rows of slices that follow each other, numbered from the start of the first.

        Polars parses some megabytes at once best, but works out columns best for many rows together.
        """
        found: list[Rows] = []
        fitting: list[Parsed] = []
        start: int | None = None
        for piece in chain.from_iterable(piece.parts() for piece in pieces):
            start = piece.start if start is None else start
            here = replace(piece, start=start)
            try:
                parsed = self._parsed(here)
                if fitting and fitting[0].way is not parsed.way:
                    found += self._typed(fitting)
                    fitting = []
                fitting.append(parsed)
            except REFUSED:
                found += [*self._typed(fitting), self._halved(here)]
                fitting = []
            start += len(here.rows)
            if sum(one.beside.height for one in fitting) >= PIECE_ROWS:
                found += self._typed(fitting)
                fitting = []
        found += self._typed(fitting)
        return Rows.of(found) if found else Rows(empty(self._reading.wanted))

    def _parsed(self, piece: Slice) -> Parsed:
        body = select.paired(piece.text)
        way, odd = self._ways.of(body)
        try:
            return self._read(piece, body, way, odd)
        except (pl.exceptions.PolarsError, msgspec.ValidationError):
            instead = self._ways.instead(body) if way.schema else None
            if instead is None or instead == (way, odd) or not instead[0].schema:
                raise
            return self._read(piece, body, *instead)

    def _read(self, piece: Slice, body: bytes, way: Way, odd: Odd) -> Parsed:
        places: Sequence[int] = ()
        if odd:
            rows = ROWS.decode(body)
            places = [at for at in range(len(rows)) if at not in odd]
            body = b"[%b]" % b",".join(rows[at] for at in places)
        if way.schema:
            fields = pl.read_json(body, schema=way.schema)
            way.prove(body, fields)
            if isinstance(piece.rows, Array) and not odd:
                piece.rows.counted(fields.height)
        elif all(row[0] == OBJECT for row in piece.rows):
            fields = pl.DataFrame()
        else:
            raise select.SelectError("a record is no object, so it has no fields")
        places = places or range(len(piece.rows))
        added = piece.added.items()
        extra = [pl.Series(name, _texts([values[at] for at in places]), dtype=pl.String) for name, values in added]
        beside = self._beside(piece, places, body, way, refused := set[int]())
        return Parsed(piece, fields.with_columns(extra), beside, way, odd, refused)

    def _beside(self, piece: Slice, places: Sequence[int], body: bytes, way: Way, refused: set[int]) -> pl.DataFrame:
        """The number of arrival, and the columns that are no expressions, of the records at these places."""
        series = [(pl.Series(AT, places, dtype=pl.UInt64) + piece.start).alias(AT)]
        for name, path in way.texts.items():
            series.append(pl.Series(name, [_decoded(raw) for raw in select.raw_reader(path)(body)], dtype=pl.String))
        if self._raw:
            series.append(pl.Series(RAW, [piece.whole(at) for at in places], dtype=pl.String))
        if way.slow:
            rows = zip(places, ROWS.decode(body), strict=True)
            records = [(at, _with(jsontext.read_firsts(row), piece.added, at)) for at, row in rows]
            for column in way.slow:
                values = [by_hand(column, record, at, refused) for at, record in records]
                series.append(pl.Series(column.name, values, dtype=text_type(column)))
        return pl.DataFrame(series)

    def _typed(self, many: Sequence[Parsed]) -> list[Rows]:
        """The rows of what was parsed; where no expression can be worked out of them all, each slice is halved."""
        if not many:
            return []
        asked = sum((one.asked() for one in many), Asked())
        refused = {one.piece.start + at for one in many for at in one.refused}
        try:
            texts = self._texts_of(many, asked, refused)
            rows = [
                self._cast(texts.remove(pl.col(AT).is_in(refused)) if refused else texts, [one.piece for one in many])
            ]
            for one in many:
                of_it = range(one.piece.start, one.piece.start + len(one.piece.rows))
                apart = {*one.odd, *(at - one.piece.start for at in refused if at in of_it)}
                rows += [self._one_by_one(one.piece, sorted(apart))] if apart else []
        except REFUSED:
            return [self._halved(many[0].piece)] if len(many) == 1 else [*chain(*(self._typed([one]) for one in many))]
        if len(rows) == 1:
            return [replace(rows[0], asked=asked)]
        found = Rows.of(rows)
        return [Rows(found.frame.sort(AT), sorted(found.rejects, key=attrgetter("at")), asked)]

    def _texts_of(self, many: Sequence[Parsed], asked: Asked, refused: set[int]) -> pl.DataFrame:
        """All columns as texts, the number of arrival beside them; those that are `refused` are no rows."""
        beside, way = pl.concat([one.beside for one in many]), many[0].way
        if not way.exprs:
            return beside
        fields = pl.concat([one.fields for one in many])
        # The number of arrival stands beside them for those that are the same in all rows.
        texts = fields.with_columns(beside[AT].alias(BESIDE)).select([pl.col(BESIDE).alias(AT), *way.exprs])
        settled = [self._settled(texts, name, doubt, many, refused) for name, doubt in way.doubts.items()]
        asked.update({(name, IN_DOUBT): texts[doubt].fill_null(True).sum() for name, doubt in way.doubts.items()})
        return texts.with_columns(settled).drop(way.doubts.values()).hstack(beside.drop(AT))

    def _settled(
        self, texts: pl.DataFrame, name: str, doubt: str, many: Sequence[Parsed], refused: set[int]
    ) -> pl.Series:
        """A column, by jmespath.py where it is in doubt."""
        doubtful = texts[doubt].fill_null(True).arg_true()
        if not doubtful.len():
            return texts[name]
        [column] = [column for column in self._reading.wanted if column.name == name]
        values: list[object] = texts[name].to_list()
        pieces = [one.piece for one in many]
        for number in doubtful:
            piece = _piece(pieces, at := texts[AT][number])
            record = _with(jsontext.read_firsts(piece.rows[at - piece.start]), piece.added, at - piece.start)
            values[number] = by_hand(column, record, at, refused)
        return pl.Series(name, values, dtype=text_type(column))

    def _halved(self, piece: Slice) -> Rows:
        """The rows of a slice that was refused: halved until it is read, or its few records are looked at."""
        if len(piece.rows) <= FEW or any(row[0] != OBJECT for row in piece.rows):
            rows = self._one_by_one(piece, range(len(piece.rows)))
            return replace(rows, asked=Asked({("", NEARBY): len(piece.rows)}))
        half = len(piece.rows) // 2
        first, second = piece.part(0, half), piece.part(half, len(piece.rows))
        return Rows.of([self.read_all([first]), self.read_all([second])])

    def _cast(self, texts: pl.DataFrame, pieces: Sequence[Slice]) -> Rows:
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
                says = f"{column.name} is no {column.type}"
                rejects.append(Reject(at, "type", column.name, str(value), says, _record(pieces, at), key))
        if not rejects:
            return Rows(values)
        bad = {reject.at for reject in rejects}
        return Rows(values.filter(~pl.col(AT).is_in(sorted(bad))), rejects)

    def _one_by_one(self, piece: Slice, which: Sequence[int]) -> Rows:
        """Records by jmespath.py: those that are no objects or odd, and to name what a slice was refused for."""
        texts: dict[str, list[object]] = {column.name: [] for column in self._reading.wanted}
        places: list[int] = []
        rejects: list[Reject] = []
        alone: list[pl.DataFrame] = []
        for at, row in ((at, piece.rows[at]) for at in which):
            if isinstance(row, Shapeless):
                rejects.append(Reject(piece.start + at, "rows", None, None, row.says, _text(row[1:])))
                continue
            try:
                record = _with(jsontext.read_firsts(row), piece.added, at)
            except jsontext.NoJson as error:
                one = self._alone(piece.part(at, at + 1), f"the record is no JSON: {error}")
                alone.append(one.frame)
                rejects += one.rejects
                continue
            if not isinstance(record, dict) and not self._takes_any:
                says = "the record is no object, so it has no fields"
                rejects.append(Reject(piece.start + at, "type", None, _text(row), says, _text(row)))
                continue
            found, refused = self._texts_by_hand(record, piece, at)
            if refused:
                column, says = refused
                value, key = _shown(record, column), self._key_of(found)
                rejects.append(Reject(piece.start + at, "type", column.name, value, says, _text(row), key))
                continue
            places.append(piece.start + at)
            for name, text in found.items():
                texts[name].append(text)
        series = [pl.Series(c.name, texts[c.name], dtype=text_type(c)) for c in self._reading.wanted]
        rows = self._cast(pl.DataFrame([*series, pl.Series(AT, places, dtype=pl.UInt64)]), [piece])
        frame = pl.concat([rows.frame, *alone]).sort(AT) if alone else rows.frame
        return Rows(frame, rejects + rows.rejects)

    def _alone(self, piece: Slice, says: str) -> Rows:
        """A record that jmespath.py cannot read; Polars may, where what is wrong is in no field that is wanted."""
        try:
            parsed = self._parsed(piece)
            texts = self._texts_of([parsed], Asked(), parsed.refused)
            if not parsed.refused:
                return self._cast(texts, [piece])
        except REFUSED:
            pass
        reject = Reject(piece.start, "type", None, None, says, _text(piece.rows[0]))
        return Rows(empty(self._reading.wanted), [reject])

    def _key_of(self, texts: Mapping[str, object]) -> str | None:
        """The key of a record of which only some columns could be read."""
        wanted = [column for column in self._reading.wanted if column.name in self._key]
        if not {*self._key} <= {*texts}:
            return None
        frame = pl.DataFrame([pl.Series(c.name, [texts[c.name]], dtype=text_type(c)) for c in wanted])
        return key_texts(frame.select(typed(c).alias(c.name) for c in wanted), self._key)[0] if wanted else None

    def _texts_by_hand(
        self, record: Json, piece: Slice, at: int
    ) -> tuple[dict[str, object], tuple[Wanted, str] | None]:
        found: dict[str, object] = {}
        refused: tuple[Wanted, str] | None = None
        for column in self._reading.wanted:
            try:
                found[column.name] = self._text_by_hand(column, record, piece, at)
            except select.SelectError as error:
                refused = refused or (column, f"{column.name} is declared {column.type}: {error}")
        return found, refused

    def _text_by_hand(self, column: Wanted, record: Json, piece: Slice, at: int) -> object:
        if column.name == RAW:
            return piece.whole(at)
        if path := self._ways.texts.get(column.name):  # as it was sent, whatever records it is read with
            [raw] = select.raw_reader(path)(b"[%b]" % select.paired(piece.rows[at]))
            return _decoded(raw)
        return text_of(select.compile(column.path).search(record), column.type)


def empty(wanted: Sequence[Wanted]) -> pl.DataFrame:
    """No rows, all columns."""
    return pl.DataFrame(schema={**{c.name: TYPES[c.type] for c in wanted}, AT: pl.UInt64})


def _with(record: Json, added: Mapping[str, Sequence[Json]], at: int) -> Json:
    return {**record, **{name: values[at] for name, values in added.items()}} if isinstance(record, dict) else record


def _texts(values: Sequence[Json]) -> list[str | None]:
    return [select.leaf_text(value) for value in values]


def _decoded(raw: msgspec.Raw | None) -> str | None:
    return None if raw is None else bytes(raw).decode()


def _record(pieces: Sequence[Slice], at: int) -> str:
    """The record with this number."""
    piece = _piece(pieces, at)
    return _text(piece.rows[at - piece.start])


def _piece(pieces: Sequence[Slice], at: int) -> Slice:
    return pieces[bisect_right(pieces, at, key=lambda piece: piece.start) - 1]


def _text(row: bytes) -> str:
    return bytes(row).decode(errors="backslashreplace")


def _shown(record: Json, column: Wanted) -> str:
    try:
        return jsontext.canonical(select.compile(column.path).search(record))
    except select.SelectError:
        return ""
