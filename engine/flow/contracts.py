"""Records held against the contracts of the page, as they were sent: each is decoded once, whatever their number."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import polars as pl

from engine.core import jsontext
from engine.core.errors import Json
from engine.flow.across import places
from engine.flow.frames import AT
from engine.flow.slices import Shapeless, Slice


@dataclass
class Breaches:
    """What is wrong with raw records, whatever their number: twelve bytes each, beside the few things that are said."""

    _ats: array[int] = field(default_factory=lambda: array("Q"))
    _which: array[int] = field(default_factory=lambda: array("I"))
    _says: dict[str, int] = field(default_factory=dict)

    def add(self, at: int, says: str) -> None:
        """Note what is wrong with the record of this arrival number, which is greater than all before."""
        self._ats.append(at)
        self._which.append(self._says.setdefault(says, len(self._says)))

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """What is wrong with the record of each row; null where nothing is."""
        ats, which = pl.Series(self._ats, dtype=pl.UInt64), pl.Series(self._which, dtype=pl.UInt32)
        says = pl.Series("says", list(self._says), dtype=pl.String)
        return says.gather(which.gather(places(ats, rows[AT])))


@dataclass(frozen=True)
class Contracts:
    """The contracts of one table, by the number of the rule."""

    checks: Mapping[int, Callable[[Json], str | None]]
    """Gives what is wrong with a record, or None."""
    broken: dict[int, Breaches] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broken.update({number: Breaches() for number in self.checks})

    def look(self, piece: Slice) -> None:
        """Note which records break which contract."""
        if not self.checks:
            return
        for at, record in _decoded(piece):
            for number, check in self.checks.items():
                if (says := check(record)) is not None:
                    self.broken[number].add(at, says)


def _decoded(piece: Slice) -> Iterator[tuple[int, Json]]:
    """The records with their numbers: at once, or one by one where one is no JSON, which is said when rows are read."""
    try:
        yield from enumerate(jsontext.read_firsts(piece.text), piece.start)
    except jsontext.NoJson:
        for at, row in enumerate(piece.rows, piece.start):
            with suppress(jsontext.NoJson):
                if not isinstance(row, Shapeless):
                    yield at, jsontext.read_firsts(row)
