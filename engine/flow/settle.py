"""Rules that ask about all rows together, asked of the rows that are in the table: none set apart, none replaced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import count

import polars as pl

from engine.core.kinds import Reference
from engine.flow.across import NONE, Every, Missing, joined, missing, repeated_rows, require, touched, twice
from engine.flow.frames import AT
from engine.flow.merge import RUN, UNTIL
from engine.flow.validate import Validator

TURNS = 8
"""What was wrong after so many turns stays so: of two rows, each may be good only without the other."""
NOTHING = Missing(NONE, NONE)
Known = Callable[[Reference], Iterable[pl.DataFrame]]
"""A column of another table."""


def settled(first: Validator, every: Every, columns: Collection[str], known: Known, *, replaces: bool) -> Validator:
    """The validator with the rows that repeat another and the values that are nowhere. Raises Mistake.

    Which rows are there it says itself: of those that share a value, or of all where the table refers to itself. Where
    a row that is set apart for one reason changes what is there for another, it is asked again until nothing changes.
    """
    unique = {number: tuple(one.rule.unique()) for number, one in enumerate(first.rules) if one.rule.unique()}
    beside = {number: names for number, names in unique.items() if set(names) != set(first.key)}
    hashes: dict[Sequence[str], pl.Series]
    hashes = {names: found for names in dict.fromkeys(beside.values()) if (found := twice(every, names)).len()}
    own = [one for one in dict.fromkeys(placed.rule.refers() for placed in first.rules) if one]
    own = [one for one in own if one.table == first.table]
    for reference in own:
        require(reference, columns)
    numbers = count()
    elsewhere = cache(lambda one: missing(one, every, known(one), f"refers_to-{next(numbers)}"))
    repeated, gone = dict.fromkeys(beside, NONE), dict.fromkeys(own, NOTHING)

    def told() -> Validator:
        now = dict(gone)
        return replace(first, repeated=dict(repeated), missing=lambda one: now[one] if one in now else elsewhere(one))

    apart: pl.Series | None = None
    for turn in count() if hashes or own else ():
        before, apart = apart, _apart(told(), every, hashes if not own else {})
        if before is not None and apart.equals(before):
            break
        for number, names in beside.items():
            if names in hashes:
                found = repeated_rows(every, names, hashes[names], apart, f"unique-{number}")
                repeated[number] = found if turn < TURNS else joined([repeated[number], found])
        for at, one in enumerate(own):
            lost = missing(one, every, _there(every, one.to, apart), f"own-{at}")
            gone[one] = lost if turn < TURNS else Missing(joined([gone[one].hashes, lost.hashes]), lost.there)
        wrong = [*repeated.values(), *(one.hashes for one in gone.values())]
        if (not turn and not any(one.len() for one in wrong)) or (len(unique) == 1 and not own and not replaces):
            break  # nothing is set apart that was not; or only rows behind one that stays, whatever becomes of them
    return told()


def _apart(validator: Validator, every: Every, hashes: Mapping[Sequence[str], pl.Series]) -> pl.Series:
    """The numbers of the rows that are set apart, in order; where hashes are given, of the rows that these concern."""

    def judge(rows: pl.DataFrame, new: pl.DataFrame, same_key: pl.Series) -> pl.Series:
        if hashes:
            which = new[AT].is_in(touched(rows, hashes, validator.key).implode())
            new, same_key = new.filter(which), same_key.filter(which)
        return validator.apart(new, same_key)

    return joined(list(every.apart(judge)))


def _there(every: Every, name: str, apart: pl.Series) -> Iterator[pl.DataFrame]:
    """A column of the rows that are there when the runs that came now are, or were at the end of one of them."""
    stays = pl.col(UNTIL) > pl.max_horizontal(RUN, 0)
    return (frame.filter(stays).select(name) for frame in every.there([name], apart))
