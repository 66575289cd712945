"""The functions of JMESPath that have an exact counterpart, each as its value on columns.

A function that is given null, or anything else it does not take, raises: such inputs are in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce

import polars as pl

from engine.core.select.expression import Tree
from engine.core.select.kinds import (
    BOOLEAN,
    INTEGER,
    LIST,
    NULL,
    NUMBER,
    NUMERIC,
    OBJECT,
    SAID,
    SINGLE,
    STRING,
    Place,
    Refused,
    joined,
)
from engine.core.select.values import (
    EXACT,
    Make,
    Reading,
    Value,
    constant,
    doubts_of,
    number_of,
    numeric,
    over,
    truth_value,
)
from engine.core.select.written import unlike

Function = Callable[[Reading, Sequence[Tree], Place], Value]


def _needed(t: Reading, node: Tree, at: Place, name: str, *kinds: str) -> Value:
    """An argument of one of some kinds, the first of which is presumed; null is in doubt."""
    value = t.read(node, at, kinds[0] if len(kinds) == 1 else None)
    if value.constant and value.kind not in kinds:
        raise Refused(f"{name}() raises for what it is given")
    open_ = value.place.is_open and len(kinds) > 1 and t.learning
    kind = kinds[0] if open_ else value.place.settle(kinds[0])
    if kind not in kinds and not (kind == INTEGER and NUMBER in kinds):
        raise Refused(f"{name}() raises for {SAID.get(kind, 'what is')} there")
    return replace(value, doubts=(*value.doubts, lambda item: value.of(item).is_null()))


MANY = {
    STRING: "texts",
    NUMBER: "numbers",
    INTEGER: "numbers",
    BOOLEAN: "true and false",
    LIST: "lists",
    OBJECT: "objects",
}
"""What a list holds, in words."""


def _list_of(t: Reading, node: Tree, at: Place, name: str, *kinds: str) -> Value:
    """A list whose elements are all of one of some kinds, and none of them null."""
    items = _needed(t, node, at, name, LIST)
    if items.constant:
        raise Refused(f"{name}() of a list written in the expression is not translated")
    element = items.place.inside()
    kind = kinds[0] if element.is_open and t.learning and len(kinds) > 1 else element.settle(kinds[0])
    if kind not in kinds and not (kind == INTEGER and NUMBER in kinds):
        if kind == NUMBER and INTEGER in kinds:
            raise Refused(f"{name}() of fractions depends on how they are rounded")
        raise Refused(f"{name}() refuses lists of {MANY.get(kind, 'values of various kinds')}")

    def doubt(value: pl.Expr) -> pl.Expr:
        return items.of(value).list.eval(pl.element().is_null()).list.any().fill_null(False)

    return replace(items, doubts=(*items.doubts, doubt))


def _length(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = _needed(t, nodes[0], at, "length", LIST, STRING)
    if value.kind == STRING:
        return numeric(lambda item: value.of(item).str.len_chars().cast(pl.Int64), INTEGER, value)
    return numeric(lambda item: value.of(item).list.len().cast(pl.Int64), INTEGER, value)


def _edge(t: Reading, nodes: Sequence[Tree], at: Place, *, name: str) -> Value:
    """`starts_with` and `ends_with`."""
    text, part = (_needed(t, node, at, name, STRING) for node in nodes)
    return truth_value(lambda item: getattr(text.of(item).str, name)(part.of(item)).fill_null(False), text, part)


def _contains(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    searched = t.read(nodes[1], at)
    value = _needed(t, nodes[0], at, "contains", LIST, STRING)
    if value.kind == STRING:
        part = _needed(t, nodes[1], at, "contains", STRING)
        return truth_value(
            lambda item: value.of(item).str.contains(part.of(item), literal=True).fill_null(False), value, part
        )
    if t.learning and value.place.is_open:
        return truth_value(lambda item: value.of(item).is_null(), value)
    element = value.place.inside()
    if searched.kind == NULL:
        return truth_value(lambda item: value.of(item).list.contains(None).fill_null(False), value)
    for unknown, known in ((element, searched.place), (searched.place, element)):
        if unknown.is_open and not (t.learning and known.is_open):
            unknown.settle(STRING if known.is_open else NUMBER if known.found().kind in NUMERIC else known.found().kind)
    kinds = {element.settle(STRING), searched.place.settle(STRING)}
    if kinds not in ({STRING}, {BOOLEAN}):
        if not kinds <= {*NUMERIC}:
            raise Refused("contains() over values of various kinds is not translated")
        element.settle(INTEGER)
        searched.place.settle(INTEGER)
        if {element.found().kind, searched.kind} != {INTEGER}:
            raise Refused("contains() over fractions is not translated")
    return truth_value(lambda item: value.of(item).list.contains(searched.of(item)).fill_null(False), value, searched)


def _join(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    glue = t.read(nodes[0], at, STRING)
    _needed(t, nodes[0], at, "join", STRING)
    if nodes[1]["type"] == "multi_select_list" and glue.constant:  # ten times faster than by way of a list
        parts = [_needed(t, part, at, "join", STRING) for part in nodes[1]["children"]]
        return _joined(lambda value: pl.concat_str([p.of(value) for p in parts], separator=str(glue.literal)), *parts)
    items = t.read(nodes[1], at, LIST)
    _list_of(t, nodes[1], at, "join", STRING)
    return _joined(lambda value: items.of(value).list.join(glue.of(value), ignore_nulls=False), glue, items)


def _joined(made: Make, *parts: Value) -> Value:
    """What is joined; where one of its parts is null, so is the whole."""
    doubts = (*doubts_of(*parts), lambda value: made(value).is_null())
    return Value(Place(STRING), made, doubts=doubts, constant=all(part.constant for part in parts))


def _abs(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = _needed(t, nodes[0], at, "abs", NUMBER)
    return replace(value, place=Place(value.kind), of=lambda item: value.of(item).str.strip_prefix("-"), number=None)


def _whole(t: Reading, nodes: Sequence[Tree], at: Place, *, name: str) -> Value:
    """`ceil` and `floor`."""
    value = _needed(t, nodes[0], at, name, NUMBER)
    number = number_of(value)

    def whole(item: pl.Expr) -> pl.Expr:
        rounded: pl.Expr = getattr(number(item).cast(pl.Float64), name)()
        return rounded.cast(pl.Int64, strict=False)

    def big(item: pl.Expr) -> pl.Expr:
        return (number(item).cast(pl.Float64).abs() >= EXACT).fill_null(False)

    return numeric(whole, INTEGER, replace(value, doubts=(*value.doubts, big)))


def _sum(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    items = _list_of(t, nodes[0], at, "sum", INTEGER)
    return numeric(_total(items), INTEGER, _below(items))


def _total(items: Value) -> Make:
    return lambda value: items.of(value).list.eval(pl.element().cast(pl.Int64, strict=False)).list.sum()


def _below(items: Value) -> Value:
    """A list of whole numbers whose sum is in doubt where it may pass 2^53."""

    def big(value: pl.Expr) -> pl.Expr:
        sizes = items.of(value).list.eval(pl.element().cast(pl.Float64).abs())
        return (sizes.list.sum() >= EXACT).fill_null(False)

    return replace(items, doubts=(*items.doubts, big))


def _avg(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    items = _list_of(t, nodes[0], at, "avg", INTEGER)
    total = _total(items)

    def mean(value: pl.Expr) -> pl.Expr:
        count = items.of(value).list.len()
        return pl.when(count > 0).then(total(value).cast(pl.Float64) / count.cast(pl.Float64))

    def tiny(value: pl.Expr) -> pl.Expr:  # its text would have an exponent
        return ((mean(value).abs() < 0.0001) & (mean(value) != 0)).fill_null(False)

    below = _below(items)
    doubtful = replace(below, doubts=(*below.doubts, tiny))
    return numeric(mean, NUMBER, doubtful, text=lambda value: mean(value).cast(pl.String).str.strip_suffix(".0"))


def _key(value: Value) -> Make:
    """What values are sorted by: numbers as numbers, texts by their code points."""
    return value.of if value.kind == STRING else number_of(value)


def _sorted(items: Value, key: Value, *, last: bool = False) -> Make:
    by = _key(key)
    return lambda value: items.of(value).list.eval(
        pl.element().sort_by(by(pl.element()), descending=last, maintain_order=True)
    )


def _of_elements(t: Reading, nodes: Sequence[Tree], at: Place, *, name: str) -> Value:
    """`sort`, `max` and `min` of texts or of numbers."""
    items = _list_of(t, nodes[0], at, name, NUMBER, STRING)
    return _ordered(items, Value(items.place.inside(), lambda item: item), name)


def _by(t: Reading, nodes: Sequence[Tree], at: Place, *, name: str) -> Value:
    """`sort_by`, `max_by` and `min_by`."""
    items = _needed(t, nodes[0], at, name, LIST)
    key = t.each(nodes[1]["children"][0], items.place.inside())
    if not (t.learning and key.place.is_open) and key.place.settle(STRING) not in (STRING, *NUMERIC):
        raise Refused(f"{name}() raises where keys are neither texts nor numbers")
    key_of = key.of
    key = replace(key, doubts=(*key.doubts, lambda item: key_of(item).is_null()))
    return _ordered(replace(items, doubts=over(items, key)), key, name.removesuffix("_by"))


def _ordered(items: Value, key: Value, name: str) -> Value:
    """Sorted, or the first of those that are the greatest or the least."""
    ordered = _sorted(items, key, last=name == "max")
    doubts = items.doubts
    if key.kind in NUMERIC:
        number = number_of(key)
        big = replace(key, doubts=(lambda item: (number(item).cast(pl.Float64).abs() >= EXACT).fill_null(False),))
        doubts = (*doubts, *over(replace(items, doubts=()), big))
    if name == "sort":
        return Value(items.place, ordered, doubts=doubts)
    return Value(items.place.inside(), lambda value: ordered(value).list.first(), doubts=doubts)


def _reverse(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = _needed(t, nodes[0], at, "reverse", LIST, STRING)
    if value.kind == STRING:
        raise Refused("reverse() of a text turns letters of several code points inside out")
    return replace(value, of=lambda item: value.of(item).list.reverse())


def _map(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    items = _needed(t, nodes[1], at, "map", LIST)
    each = t.each(nodes[0]["children"][0], items.place.inside())
    return Value(
        Place(LIST, element=each.place),
        lambda value: items.of(value).list.eval(each.of(pl.element())),
        doubts=over(items, each),
    )


def _not_null(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    values = [t.read(node, at) for node in nodes]
    return Value(
        reduce(joined, [value.place for value in values]),
        lambda item: pl.coalesce([value.of(item) for value in values]),
        doubts=doubts_of(*values),
        constant=all(value.constant for value in values),
    )


NAMES = {STRING: "string", NUMBER: "number", INTEGER: "number", BOOLEAN: "boolean", LIST: "array", OBJECT: "object"}


def _type(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = t.below(t.read(nodes[0], at))
    if t.learning and value.place.is_open:
        return constant("string")
    kind = value.place.settle(STRING)
    if kind not in NAMES:
        raise Refused("type() of values of various kinds is not known of their texts")
    name = pl.lit(NAMES[kind])
    return Value(
        Place(STRING),
        lambda item: pl.when(value.of(item).is_null()).then(pl.lit("null")).otherwise(name),
        doubts=value.doubts,
        constant=value.constant,
    )


def _to_array(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = t.read(nodes[0], at)
    kind = LIST if t.learning and value.place.is_open else value.place.settle(LIST)
    if value.kind == LIST:  # of null it makes a list of one null
        return replace(value, doubts=(*value.doubts, lambda item: value.of(item).is_null()))
    if kind not in SINGLE and kind != LIST:
        raise Refused("to_array() of objects is not translated")
    return Value(
        Place(LIST, element=value.place if kind in SINGLE else Place()),
        lambda item: pl.concat_list([value.of(item)]),
        doubts=value.doubts,
        constant=value.constant,
    )


def _to_string(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = t.read(nodes[0], at)
    if t.learning and value.place.is_open:
        return Value(Place(STRING), value.of, doubts=value.doubts)
    kind = value.place.settle(INTEGER)
    if kind not in SINGLE:
        raise Refused(
            "to_string() of a list or an object is all of its JSON, and only the parts that are named are read"
        )
    if kind == NUMBER:
        value = replace(value, doubts=(*value.doubts, unlike(value)))
    return Value(
        Place(STRING),
        lambda item: value.of(item).fill_null(pl.lit("null")),
        doubts=value.doubts,
        constant=value.constant,
    )


NUMERAL = r"^(?:0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,7})\.[0-9]{0,5}[1-9])$"
"""A number written as its text is: no sign, zero or exponent more than it needs."""


def _to_number(t: Reading, nodes: Sequence[Tree], at: Place) -> Value:
    value = t.read(nodes[0], at)
    kind = NUMBER if t.learning and value.place.is_open else value.place.settle(NUMBER)
    if kind in NUMERIC:
        return value
    if kind != STRING:
        raise Refused("to_number() of what is neither a number nor a text is not translated")

    def other(item: pl.Expr) -> pl.Expr:
        return (~value.of(item).str.contains(NUMERAL)).fill_null(False)

    return Value(Place(NUMBER), value.of, doubts=(*value.doubts, other), constant=value.constant)


FUNCTIONS: Mapping[str, Function] = {
    "abs": _abs,
    "avg": _avg,
    "ceil": partial(_whole, name="ceil"),
    "contains": _contains,
    "ends_with": partial(_edge, name="ends_with"),
    "floor": partial(_whole, name="floor"),
    "join": _join,
    "length": _length,
    "map": _map,
    "max": partial(_of_elements, name="max"),
    "max_by": partial(_by, name="max_by"),
    "min": partial(_of_elements, name="min"),
    "min_by": partial(_by, name="min_by"),
    "not_null": _not_null,
    "reverse": _reverse,
    "sort": partial(_of_elements, name="sort"),
    "sort_by": partial(_by, name="sort_by"),
    "starts_with": partial(_edge, name="starts_with"),
    "sum": _sum,
    "to_array": _to_array,
    "to_number": _to_number,
    "to_string": _to_string,
    "type": _type,
}
