"""What a node of an expression gives on columns: how it is made of its input, and where that is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import polars as pl

from engine.core.errors import Json
from engine.core.select.expression import SelectError, Tree
from engine.core.select.fields import TEXT, leaf_text
from engine.core.select.kinds import (
    BOOLEAN,
    LIST,
    NULL,
    NUMBER,
    NUMERIC,
    OBJECT,
    SINGLE,
    STRING,
    VARIOUS,
    Place,
    Refused,
    joined,
    seen_in,
)

RECORD = pl.all()
"""Stands for the record itself, whose fields are the columns of the frame."""
EXACT = 2**53
"""Below it a Float64 holds every whole number."""

Make = Callable[[pl.Expr], pl.Expr]


TRUTH = "truth"
"""Wanted of a node of which only counts whether it is true."""


@dataclass(frozen=True)
class Value:
    """What a node gives. One value is its text, whatever its kind, just as it is read: 1.0 is `1`, true is `true`."""

    place: Place
    of: Make
    truth: Make | None = None
    """Whether it counts as true, where that is made before its text is; never null."""
    number: Make | None = None
    """The number, where that is made before its text is."""
    doubts: tuple[Make, ...] = ()
    """True of the inputs for which jmespath.py has to be asked: it raises, or Polars is not exact."""
    constant: bool = False
    literal: Json = None

    @property
    def kind(self) -> str:
        """Of what kind it is as far as known."""
        return self.place.found().kind


class Reading(Protocol):
    """One reading of an expression."""

    record: Place
    learning: bool
    """Whether it only learns the kinds of places."""
    inside: int
    """In how many lists it reads an element."""

    def read(self, node: Tree, at: Place, wanted: str | None = None) -> Value:
        """What a node gives of an input."""

    def each(self, node: Tree, at: Place, wanted: str | None = None) -> Value:
        """What a node gives of an element of a list."""

    def below(self, value: Value) -> Value:
        """The same, where it is not the record itself, which is no column."""

    def tested(self, value: Value) -> Value:
        """The same with whether it counts as true."""


def same(value: pl.Expr) -> pl.Expr:
    """The input as it is."""
    return value


def constant(value: Json) -> Value:
    """A value that is the same for every input."""
    if value is None:
        return Value(Place(NULL), lambda _: pl.lit(None), truth=lambda _: pl.lit(False), constant=True)
    if isinstance(value, dict):
        raise Refused("objects written in the expression are not translated")
    place = Place(seen=seen_in([value]))
    kind = place.settle(NUMBER)
    if isinstance(value, list):
        return _constant_list(value, place)
    text = leaf_text(value)
    number = None
    if kind in NUMERIC:
        if abs(value) >= EXACT:
            raise Refused("numbers from 2^53 on are not exact")
        number = pl.lit(float(value))
    found = Value(place, lambda _: pl.lit(text), constant=True, literal=value)
    return found if number is None else replace(found, number=lambda _: number)


def _constant_list(values: list[Any], place: Place) -> Value:
    if not values:
        return Value(place, lambda _: pl.lit([], dtype=pl.List(pl.Null)), constant=True, literal=values)
    place.inside().settle(TEXT)
    try:
        texts = [leaf_text(one) for one in values]
    except SelectError:
        raise Refused("lists and objects in a list written in the expression are not translated") from None
    return Value(place, lambda _: pl.lit(texts, dtype=pl.List(pl.String)), constant=True, literal=values)


def truth_value(test: Make, *parts: Value, nullable: bool = False) -> Value:
    """What is true or false, made of some values."""
    return Value(
        Place(BOOLEAN),
        lambda value: test(value).cast(pl.String),
        truth=(lambda value: test(value).fill_null(False)) if nullable else test,
        doubts=doubts_of(*parts),
        constant=all(part.constant for part in parts),
    )


def numeric(number: Make, kind: str, *parts: Value, text: Make | None = None) -> Value:
    """A number worked out of some values, with its text where that is not that of the whole number."""
    return Value(
        Place(kind),
        text or (lambda value: number(value).cast(pl.String)),
        number=number,
        doubts=doubts_of(*parts),
        constant=all(part.constant for part in parts),
    )


def doubts_of(*values: Value) -> tuple[Make, ...]:
    """What is in doubt where all of these are worked out of one input."""
    return tuple(doubt for value in values for doubt in value.doubts)


def behind(first: Value, second: Value) -> Value:
    """The second, worked out of what the first gives."""
    if first.of is same:
        return second

    def made(make: Make) -> Make:
        return lambda value: make(first.of(value))

    return replace(
        second,
        of=made(second.of),
        truth=made(second.truth) if second.truth else None,
        number=made(second.number) if second.number else None,
        doubts=(*first.doubts, *(made(doubt) for doubt in second.doubts)),
        constant=first.constant or second.constant,
    )


def tested(value: Value, *, learning: bool) -> Value:
    """The same with whether it counts as true."""
    if value.truth is not None:
        return value
    if learning and value.place.is_open:
        return replace(value, truth=lambda item: value.of(item).is_not_null())  # thrown away: its kind may be learned
    kind = value.place.settle(STRING)
    if kind == VARIOUS:
        raise Refused("it is of various kinds, so whether it counts as true is not known of its text")
    if kind == OBJECT:
        return _tested_object(value)
    truths: Mapping[str, Make] = {
        STRING: lambda item: value.of(item).ne_missing("") & value.of(item).is_not_null(),
        BOOLEAN: lambda item: value.of(item).eq_missing("true"),
        LIST: lambda item: (value.of(item).list.len() > 0).fill_null(False),
    }
    return replace(value, truth=truths.get(kind, lambda item: value.of(item).is_not_null()))


def _tested_object(value: Value) -> Value:
    """An object counts as true unless it is empty: in doubt is one that has none of the fields that are read."""
    place = value.place.found()
    told = place.seen.items() if isinstance(place.seen, dict) else ()
    if not place.fields and (name := next((name for name, seen in told if seen in SINGLE), None)) is not None:
        place.at(name).settle(TEXT)  # read only so that few are in doubt

    def bare(item: pl.Expr) -> pl.Expr:
        found = value.of(item)
        return found.is_not_null() & pl.all_horizontal(
            [pl.lit(True), *(found.struct.field(name).is_null() for name in place.fields)]
        )

    doubts = value.doubts if place.made else (*value.doubts, bare)
    return replace(value, truth=lambda item: value.of(item).is_not_null(), doubts=doubts)


def truth_of(value: Value) -> Make:
    """Whether a value that was tested counts as true, never null."""
    assert value.truth is not None
    return value.truth


def number_of(value: Value) -> Make:
    """A value as a number, null where there is none."""
    return value.number or (lambda item: value.of(item).cast(pl.Float64, strict=False))


def either(test: Make, yes: Value, no: Value) -> Value:
    """The one where a test is true, else the other, without their doubts."""
    place = joined(yes.place, no.place)

    def chosen(one: Make, other: Make) -> Make:
        return lambda value: pl.when(test(value)).then(one(value)).otherwise(other(value))

    numbers = yes.number and no.number and chosen(yes.number, no.number)
    return Value(place, chosen(yes.of, no.of), number=numbers, constant=yes.constant and no.constant)


def over(items: Value, *each: Value, test: Make | None = None) -> tuple[Make, ...]:
    """What is in doubt of a list, and of what is worked out of its elements; with a test, of those that pass it."""

    def lifted(doubt: Make) -> Make:
        def inside(item: pl.Expr) -> pl.Expr:
            return doubt(item) & test(item) if test else doubt(item)

        return lambda value: items.of(value).list.eval(inside(pl.element())).list.any().fill_null(False)

    return (*items.doubts, *(lifted(doubt) for one in each for doubt in one.doubts))
