"""How the columns of a slice are read: as was presumed of the kinds of its values, where the slice bears that out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
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


@dataclass(frozen=True, eq=False)
class Way:
    """How columns are read, with what a slice has to hold for it."""

    reading: Reading
    added: frozenset[str]
    """The fields that are added to the records, which stand in no slice."""

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
    """The ways in which slices of one table were found to be readable; those that leave least to jmespath.py first."""

    def __init__(self, first: Reading, added: frozenset[str]) -> None:
        self._wanted, self._added = first.wanted, added
        if asks(first.fields, added):
            first = reading(self._wanted, added=added)
        self._first = Way(first, added)
        self._ways = [self._first]
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
        return Way(reading(self._wanted, presuming=False, added=self._added), self._added)

    def of(self, body: bytes) -> Way:
        """The way to read some records; raises msgspec.DecodeError where there is none for all of them."""
        if not (self._presumes or self._whole):
            return self._first
        for way in list(self._ways):
            if _fits(way, body, whole=self._whole):
                return way
        return self._seen(body) or self._plain

    def instead(self, body: bytes) -> Way | None:
        """The way to read what Polars refused, if there is one that leaves no more to jmespath.py."""
        self._whole = True
        found = next((way for way in list(self._ways) if _fits(way, body, whole=True)), None) or self._seen(body)
        return found if found and len(found.slow) <= len(self._first.slow) else None

    def _seen(self, body: bytes) -> Way | None:
        """A way made for what the records hold."""
        self._looks += 1
        if self._looks > MOST_LOOKS:
            return None
        try:
            seen = select.seen_in(jsontext.read(row) for row in ROWS.decode(body))
        except (jsontext.NoJson, RecursionError):
            return None
        found = Way(reading(self._wanted, seen=seen, added=self._added), self._added)
        if not _fits(found, body, whole=self._whole):
            return None
        self._ways = sorted([found, *self._ways], key=lambda way: len(way.slow))
        return found


def _fits(way: Way, body: bytes, *, whole: bool) -> bool:
    try:
        way.check(body, whole=whole)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True
