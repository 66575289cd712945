"""How the columns of a slice are read: as was presumed of the kinds of its values, where the slice bears that out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import msgspec
import polars as pl

from engine.core import jsontext, select
from engine.flow import lists
from engine.flow.columns import Reading, Wanted, asks, reading
from engine.flow.raw import ROWS
from engine.spec.model import RAW

MOST_LOOKS = 12
"""So often records are looked at for what they hold; a table whose values are ever of other kinds goes one by one."""
FEW_OF = 32
"""One of so many records may be odd: it is read by itself, and the others as if it were not there."""
Odd = Mapping[int, tuple[tuple[str, ...], str]]
"""The place of a record -> the columns that cannot be read of it with those of others, and why."""
NONE: Odd = {}

MISFIT = re.compile(r"Expected `(?P<want>.+?)(?: \| null)?`, got `(?P<got>\w+)`(?: - at `\$\.?(?P<at>.*)`)?")
"""What msgspec says of a value that is of another kind."""
SAID = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True, eq=False)
class Way:
    """How columns are read, with what a slice has to hold for it."""

    reading: Reading
    added: frozenset[str]
    """The fields that are added to the records, which stand in no slice."""
    foreseen: frozenset[str]
    """The columns that jmespath.py reads whatever the records hold."""

    @cached_property
    def _fields(self) -> select.Fields:
        return {name: shape for name, shape in self.reading.fields.items() if name not in self.added}

    @cached_property
    def schema(self) -> dict[str, pl.DataType]:
        """The schema for `pl.read_json`."""
        return select.schema(self._fields)

    @cached_property
    def _guards(self) -> Mapping[bool, msgspec.json.Decoder[Any] | None]:
        return {whole: select.guard(self._fields, whole=whole) for whole in (False, True)}

    def check(self, body: bytes, *, whole: bool = False) -> None:
        """Raise msgspec.ValidationError where the records are not as they have to be; the whole of what is read."""
        if (guard := self._guards[whole]) is not None:
            guard.decode(body)

    @cached_property
    def _whole_record(self) -> msgspec.json.Decoder[Any]:
        return select.guard_of_one(self._fields)

    def odd(self, rows: Sequence[bytes | msgspec.Raw]) -> Odd | None:
        """The records without which the others can be read so; None where these are more than few."""
        found = dict[int, str]()
        for at, row in enumerate(rows):
            try:
                self._whole_record.decode(row)
            except (msgspec.ValidationError, RecursionError) as error:
                if len(found) == len(rows) // FEW_OF:
                    return None
                found[at] = str(error)
        told = {at: _said(error) for at, error in found.items()}
        return {at: (self._misfits(rows[at], place), why) for at, (place, why) in told.items()}

    def _misfits(self, row: bytes | msgspec.Raw, place: Sequence[str]) -> tuple[str, ...]:
        """The columns that cannot be read of a record for what stands at a place; no column where it may be any."""
        columns = self.reading.columns.items()
        names = (name for name, column in columns if _reads(column.fields, place))
        return tuple(name for name in names if not _passes(self._columns[name], row)) or ("",)

    @cached_property
    def _columns(self) -> Mapping[str, msgspec.json.Decoder[Any]]:
        columns = self.reading.columns.items()
        read = {name: {of: one.fields[of] for of in one.fields if of not in self.added} for name, one in columns}
        return {name: select.guard_of_one(fields) for name, fields in read.items()}

    @cached_property
    def _lists(self) -> select.Fields:
        """The lists of texts, where no guard has looked at them before."""
        return {} if select.presumes(self._fields) else lists.declared(self._fields)

    def prove(self, body: bytes, read: pl.DataFrame) -> None:
        """Raise msgspec.ValidationError where Polars made a list of one of a value."""
        if lists.have_one(self._lists, read):
            self.check(body)

    @cached_property
    def texts(self) -> Mapping[str, tuple[str, ...]]:
        """json column -> the plain path of its bytes."""
        return {name: path for name, path in self.reading.texts.items() if path[0] not in self.added}

    @cached_property
    def slow(self) -> list[Wanted]:
        """The columns that jmespath.py reads."""
        fast = {*self.reading.columns, *self.texts, RAW}
        return [column for column in self.reading.wanted if column.name not in fast]

    @cached_property
    def unforeseen(self) -> Mapping[str, str]:
        """Those of them that are so for what records hold, not for the page -> why."""
        return {column.name: self.reading.slow[column.name] for column in self.slow if column.name not in self.foreseen}

    @cached_property
    def exprs(self) -> list[pl.Expr]:
        """The columns as texts; behind them for which rows jmespath.py has to be asked, under the name in `doubts`."""
        columns = self.reading.columns
        made = [column.expr.alias(name) for name, column in columns.items()]
        return made + [columns[name].doubt.alias(as_) for name, as_ in self.doubts.items()]  # type: ignore[union-attr]  # they have one

    @cached_property
    def doubts(self) -> Mapping[str, str]:
        """Column -> the name of the column that tells where it is in doubt."""
        return {name: f" {name}?" for name, column in self.reading.columns.items() if column.doubt is not None}


class Ways:
    """The ways in which slices of one table were found to be readable."""

    def __init__(self, first: Reading, added: frozenset[str]) -> None:
        self._wanted, self._added = first.wanted, added
        if asks(first.fields, added):
            first = reading(self._wanted, added=added)
        self._foreseen = frozenset(first.slow)
        self._first = Way(first, added, self._foreseen)
        self._ways = [self._first]
        """Those that leave least to jmespath.py first."""
        self._looks = 0
        self._whole = False
        """Whether Polars refused what the guards let pass, so that they look at all of it."""
        self._presumes = any(column.presumes for column in first.columns.values())

    @property
    def texts(self) -> Mapping[str, tuple[str, ...]]:
        """json column -> the plain path of its bytes, whichever the way."""
        return self._first.texts

    @cached_property
    def _plain(self) -> Way:
        return Way(reading(self._wanted, presuming=False, added=self._added), self._added, self._foreseen)

    def of(self, body: bytes) -> tuple[Way, Odd]:
        """The way to read some records but for the odd ones; raises msgspec.DecodeError where these are no JSON."""
        if not (self._presumes or self._whole):
            return self._first, NONE
        return self._known(body, whole=self._whole) or self._seen(body) or (self._plain, NONE)

    def instead(self, body: bytes) -> tuple[Way, Odd] | None:
        """The way to read what Polars refused, if there is one that leaves no more to jmespath.py."""
        self._whole = True
        found = self._known(body, whole=True) or self._seen(body)
        return found if found and len(found[0].slow) <= len(self._first.slow) else None

    def _known(self, body: bytes, *, whole: bool) -> tuple[Way, Odd] | None:
        """A way that was found before; one that leaves more to jmespath.py only where more than few records are odd."""
        rows: Sequence[msgspec.Raw] = ()
        for _, alike in groupby(list(self._ways), key=lambda way: len(way.slow)):
            ways = list(alike)
            for way in ways:
                if _fits(way, body, whole=whole):
                    return way, NONE
            rows = rows or ROWS.decode(body)
            for way in ways:
                if odd := way.odd(rows):
                    return way, odd
        return None

    def _seen(self, body: bytes) -> tuple[Way, Odd] | None:
        """A way made for what the records hold, or where that is better for what the first few do."""
        self._looks += 1
        if self._looks > MOST_LOOKS:
            return None
        rows = ROWS.decode(body)
        found = self._made_for(rows)
        fitting = [(found, NONE)] if found and _fits(found, body, whole=self._whole) else []
        if all(len(way.slow) > len(self._first.slow) for way, _ in fitting):
            few = self._made_for(rows[: len(rows) // FEW_OF])
            fitting += [(few, odd)] if few and (odd := few.odd(rows)) is not None else []
        if not fitting:
            return None
        way, odd = min(fitting, key=lambda one: len(one[0].slow))
        self._ways = sorted([way, *self._ways], key=lambda one: len(one.slow))
        return way, odd

    def _made_for(self, rows: Sequence[msgspec.Raw]) -> Way | None:
        try:
            seen = select.seen_in(jsontext.read(row) for row in rows)
        except (jsontext.NoJson, RecursionError):
            return None
        return Way(reading(self._wanted, seen=seen, added=self._added), self._added, self._foreseen) if rows else None


def _fits(way: Way, body: bytes, *, whole: bool) -> bool:
    try:
        way.check(body, whole=whole)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _passes(guard: msgspec.json.Decoder[Any], row: bytes | msgspec.Raw) -> bool:
    try:
        guard.decode(row)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _reads(shape: select.Shape, place: Sequence[str]) -> bool:
    """Whether something is read there, or below it."""
    if not place:
        return True
    if isinstance(shape, list):
        return place[0] == "[]" and _reads(shape[0], place[1:])
    return not isinstance(shape, str) and place[0] in shape and _reads(shape[place[0]], place[1:])


def _said(error: str) -> tuple[Sequence[str], str]:
    """The place in a record that is odd, and what is: `items[].qty is a text, not a number`."""
    found = MISFIT.match(error)
    if found is None:
        return (), "a value is not of the kind that is presumed of it"
    place = re.sub(r"\[\d+\]", "[]", found["at"] or "")
    want, got = SAID.get(found["want"], "one value"), SAID.get(found["got"], found["got"])
    return re.findall(r"\[\]|[^.\[]+", place), f"{place or 'the record'} is {got}, not {want}"
