"""The JSON of what an expression makes, letter for letter as `jsontext.write` writes jmespath.py's value."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from engine.core import jsontext
from engine.core.select.kinds import BOOLEAN, INTEGER, LIST, NULL, NUMBER, OBJECT, STRING, Place, Refused
from engine.core.select.values import Make, Value, number_of, over, same

ESCAPED = {sign: jsontext.write(sign).decode()[1:-1] for sign in ['"', "\\", *map(chr, range(32))]}


def written(value: Value) -> Value:
    """The text of a value; null of null. Of numbers with a fraction those are in doubt that may be whole or long."""
    kind = value.place.settle(STRING if value.place.is_open else INTEGER)
    if kind in (BOOLEAN, INTEGER, NULL):
        return value
    if kind == STRING:
        return _as(value, lambda item: _quoted(value.of(item)))
    if kind == NUMBER:
        return replace(value, doubts=(*value.doubts, unlike(value)))
    if kind == LIST:
        return _list(value)
    if kind == OBJECT and value.place.found().made:
        return _object(value)
    raise Refused(
        "the JSON of an object has all of its keys, and only those that are named are read"
        if kind == OBJECT
        else "it is of various kinds, so its JSON is not known of its text"
    )


def _as(value: Value, of: Make, *more: Make) -> Value:
    return replace(value, of=of, place=Place(STRING), truth=None, number=None, doubts=(*value.doubts, *more))


def _quoted(text: pl.Expr) -> pl.Expr:
    text = text.cast(pl.String)  # an empty list that the expression makes has none
    return pl.concat_str(pl.lit('"'), text.str.replace_many(list(ESCAPED), list(ESCAPED.values())), pl.lit('"'))


def unlike(value: Value) -> Make:
    """Whether a number may be written otherwise than its text: 5 may be 5.0, and some have an exponent."""
    number = number_of(value)

    def test(item: pl.Expr) -> pl.Expr:
        size = number(item).cast(pl.Float64).abs()
        whole = ~value.of(item).str.contains(".", literal=True)
        return (whole | (size < 0.001) | (size >= 1e15)).fill_null(False)

    return test


def _list(value: Value) -> Value:
    element = written(Value(value.place.inside(), same))

    def listed(item: pl.Expr) -> pl.Expr:
        parts = value.of(item).list.eval(element.of(pl.element()).fill_null("null"))
        return pl.concat_str(pl.lit("["), parts.list.join(","), pl.lit("]"))

    return replace(_as(value, listed), doubts=over(value, element))


def _object(value: Value) -> Value:
    place = value.place.found()
    parts: dict[str, Value] = {}
    for name, inner in place.fields.items():
        parts[name] = written(Value(inner, lambda item, name=name: value.of(item).struct.field(name)))  # type: ignore[misc]  # a default for the closure

    def made(item: pl.Expr) -> pl.Expr:
        pieces: list[pl.Expr] = []
        for number, (name, part) in enumerate(parts.items()):
            pieces.append(pl.lit(f"{',' if number else '{'}{jsontext.write(name).decode()}:"))
            pieces.append(part.of(item).fill_null("null"))
        return pl.when(value.of(item).is_not_null()).then(pl.concat_str(*pieces, pl.lit("}")))

    return _as(value, made, *(doubt for part in parts.values() for doubt in part.doubts))
