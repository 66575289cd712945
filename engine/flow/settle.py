"""Rules that ask about all rows together, asked of the rows that are in the table: none set apart, none replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count

import polars as pl

from engine.core.kinds import Reference
from engine.flow import across
from engine.flow.across import HASH, NONE, VALUE, Every, Missing, joined, missing, values_of
from engine.flow.frames import AT
from engine.flow.merge import RUN, UNTIL
from engine.flow.validate import Validator

TURNS = 8
"""What was wrong after so many turns stays so: of two rows, each may be good only without the other."""
NOTHING = Missing(NONE, NONE)
Known = Callable[[Reference], Iterable[pl.DataFrame]]
"""A column of another table."""
Told = Callable[[Mapping[Reference, Missing]], Validator]
"""The validator that knows no more than that these values are not in the table itself."""


def settled(first: Validator, every: Every, columns: Collection[str], known: Known, *, replaces: bool) -> Validator:
    """The validator with the rows that repeat another and the values that are nowhere. Raises Mistake.

    Which rows are there it says itself: of those that share a value, or of all where the table refers to itself. Where
    a row that is set apart for one reason changes what is there for another, it is asked again until nothing changes.
    """
    unique = {number: tuple(one.rule.unique()) for number, one in enumerate(first.rules) if one.rule.unique()}
    beside = {number: names for number, names in unique.items() if set(names) != set(first.key)}
    own = [one for one in dict.fromkeys(placed.rule.refers() for placed in first.rules) if one]
    own = [one for one in own if one.table == first.table]
    for reference in own:
        across.require(reference, columns)
    numbers = count()
    elsewhere = cache(lambda one: missing(one, every, known(one), f"refers_to-{next(numbers)}"))

    def told(gone: Mapping[Reference, Missing]) -> Validator:
        return replace(first, missing=lambda one: gone.get(one, NOTHING) if one in own else elsewhere(one))

    hashes: dict[Sequence[str], pl.Series]
    hashes = {names: found for names in dict.fromkeys(beside.values()) if (found := across.twice(every, names)).len()}
    table = _Table(every, beside, hashes, own, told)
    wrong = _Wrong(dict.fromkeys(beside, NONE), dict.fromkeys(own, NOTHING))
    is_once = len(unique) == 1 and not own and not replaces  # rows behind one that stays, whatever becomes of them
    before: pl.Series | None = None
    for turn in count() if hashes or own else ():
        apart = _apart(wrong.told(told), every, hashes if not own else {})
        if before is not None and apart.equals(before):
            break
        new, before = table.wrong(apart), apart
        if is_once or not (turn or new.is_any):
            return new.told(told)
        wrong = new if turn < TURNS else wrong.and_all(new)
    return wrong.told(told)


@dataclass(frozen=True)
class _Wrong:
    """What is wrong with rows for the sake of others of their table."""

    repeated: Mapping[int, pl.Series]
    gone: Mapping[Reference, Missing]

    @property
    def is_any(self) -> bool:
        """Whether anything is."""
        return any(one.len() for one in (*self.repeated.values(), *(one.hashes for one in self.gone.values())))

    def told(self, told: Told) -> Validator:
        """The validator that knows of it."""
        return replace(told(self.gone), repeated=self.repeated)

    def and_all(self, new: _Wrong) -> _Wrong:
        """What is wrong in either."""
        repeated = {number: joined([one, new.repeated[number]]) for number, one in self.repeated.items()}
        both = {at: (one, new.gone[at]) for at, one in self.gone.items()}
        return _Wrong(repeated, {at: Missing(joined([a.hashes, b.hashes]), b.there) for at, (a, b) in both.items()})


@dataclass
class _Table:
    """All rows of a table, and what its rules ask of them."""

    every: Every
    beside: Mapping[int, Sequence[str]]
    """Rule number -> columns whose values no two rows may share; of these the hashes that come more than once."""
    hashes: Mapping[Sequence[str], pl.Series]
    own: Sequence[Reference]
    told: Told
    links: dict[str, _Links] = field(default_factory=dict)

    def wrong(self, apart: pl.Series) -> _Wrong:
        """What is wrong with the rows where these are set apart, and those that refer to them, and so on."""
        gone, fallen = dict[Reference, Missing](), NONE
        for at, one in enumerate(self.own):
            gone[one] = missing(one, self.every, _there(self.every, one.to, apart), f"own-{at}")
        for to in dict.fromkeys(one.to for one in self.own if gone[one].hashes.len()):
            same = [one for one in self.own if one.to == to]
            if to not in self.links:
                self.links[to] = _Links.of(self.every, to, same, self.told)
            first = joined([gone[one].hashes for one in same if gone[one].there.is_empty()])
            lost, with_them = self.links[to].lost(first)
            gone |= {one: Missing(joined([gone[one].hashes, lost]), gone[one].there) for one in same}
            fallen = joined([fallen, with_them])
        repeated, out = dict.fromkeys(self.beside, NONE), joined([apart, fallen])
        for number, names in self.beside.items():
            if (hashes := self.hashes.get(names)) is not None:
                repeated[number] = across.repeated_rows(self.every, names, hashes, out, f"unique-{number}")
        return _Wrong(repeated, gone)


@dataclass(frozen=True)
class _Links:
    """Which rows refer to which in their own table, in the hashes of their values: some 32 bytes a row."""

    rows: pl.DataFrame
    """By what they refer to, in order: the rows that are set apart where that is not there, with their own value."""
    held: pl.Series
    """The values, in order, of all rows that only other rows can set apart; also of those that are replaced."""

    @classmethod
    def of(cls, every: Every, to: str, own: Sequence[Reference], told: Told) -> _Links:
        """Those of the references to one column, in one reading."""
        links = [pl.DataFrame(schema={HASH: pl.UInt64, AT: pl.UInt64, VALUE: pl.UInt64})]
        held = [NONE]

        def judge(rows: pl.DataFrame, new: pl.DataFrame, _: pl.Series) -> pl.Series:
            alone = pl.repeat(False, new.height, eager=True)
            firm = told({}).apart(new, alone)
            may_stay = new.filter(~new[AT].is_in(firm.implode()))
            mine = values_of(may_stay[to]).select("row", pl.col(HASH).alias(VALUE))
            held.extend([mine[VALUE].alias(HASH), values_of(rows.filter(pl.col(AT).is_null())[to])[HASH]])
            numbered = may_stay.select(AT, pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
            numbered = numbered.join(mine, on="row", how="left")
            for one in own:
                values = values_of(new[one.column])
                everything = Missing(values[HASH].unique().sort(), values[VALUE].clear())
                falls = told({one: everything}).apart(new, alone)
                asks = values_of(may_stay[one.column]).select("row", HASH).join(numbered, on="row")
                links.append(asks.filter(pl.col(AT).is_in(falls.implode())).select(HASH, AT, VALUE))
            return firm

        for _ in every.apart(judge):
            pass
        return cls(pl.concat(links).sort(HASH), pl.concat(held).sort())

    def lost(self, first: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The values that are not there where the first are not, and the rows that refer to any of them."""
        gone, fallen, fell = [first], set[int](), Counter[int | None]()
        while gone[-1].len():
            spans = pl.int_ranges(*_span(self.rows[HASH], gone[-1]), eager=True).explode().drop_nulls()
            new = {at: value for at, value in self.rows[spans].select(AT, VALUE).iter_rows() if at not in fallen}
            fallen.update(new)
            fell.update(new.values())
            values = pl.Series(HASH, list(new.values()), dtype=pl.UInt64).drop_nulls().unique()
            start, end = _span(self.held, values)
            gone.append(values.filter(end - start == pl.Series([fell[one] for one in values], dtype=start.dtype)))
        return joined(gone), pl.Series(AT, sorted(fallen), dtype=pl.UInt64)


def _span(ordered: pl.Series, values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Where each value begins and ends in what is in order."""
    return ordered.search_sorted(values, side="left"), ordered.search_sorted(values, side="right")


def _apart(validator: Validator, every: Every, hashes: Mapping[Sequence[str], pl.Series]) -> pl.Series:
    """The numbers of the rows that are set apart, in order; where hashes are given, of the rows that these concern."""

    def judge(rows: pl.DataFrame, new: pl.DataFrame, same_key: pl.Series) -> pl.Series:
        if hashes:
            which = new[AT].is_in(across.touched(rows, hashes, validator.key).implode())
            new, same_key = new.filter(which), same_key.filter(which)
        return validator.apart(new, same_key)

    return joined(list(every.apart(judge)))


def _there(every: Every, name: str, apart: pl.Series) -> Iterator[pl.DataFrame]:
    """A column of the rows that are there when the runs that came now are, or were at the end of one of them."""
    stays = pl.col(UNTIL) > pl.max_horizontal(RUN, 0)
    return (frame.filter(stays).select(name) for frame in every.there([name], apart))
