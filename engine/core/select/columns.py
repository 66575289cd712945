"""JMESPath translated to Polars: exactly, or not at all.

An expression is read twice over the places of the record, first to learn of what kind each has to be, then to write.
Every single value stands in the frame as its text; of what kind it is, as far as that matters, is a presumption that is
checked against the JSON of each slice (`fields.guard`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

import polars as pl

from engine.core.select import lists
from engine.core.select.compare import compared
from engine.core.select.expression import Tree
from engine.core.select.expression import compile as compiled
from engine.core.select.fields import TEXT, Column, Refusal, spellable
from engine.core.select.functions import FUNCTIONS
from engine.core.select.kinds import (
    LIST,
    NULL,
    OBJECT,
    SINGLE,
    STRING,
    VARIOUS,
    Place,
    Refused,
    Seen,
    joined,
)
from engine.core.select.values import (
    RECORD,
    TRUTH,
    Make,
    Value,
    behind,
    constant,
    doubts_of,
    either,
    same,
    tested,
    truth_of,
    truth_value,
)
from engine.core.select.written import written


def translate(
    text: str, *, of: Literal["scalar", "list", "json"], seen: Seen = None, kind: str = STRING
) -> Column | Refusal:
    """The expression as a column of texts, of lists of texts, or of JSON; `seen` is what records hold.

    Where nothing was seen and nothing else tells, one of two values is presumed to be of a `kind`.
    """
    record, selection = Place(seen=seen, read=True), compiled(text)
    wanted = {"scalar": TEXT, "list": LIST, "json": None}[of]
    try:
        if record.settle(OBJECT) != OBJECT:
            raise Refused("the records are no objects")
        for learning in (True, False):
            translation = Translation(record, learning, kind)
            value = translation.below(translation.read(selection.tree, record, wanted))
            if wanted is not None:
                _settle(value, wanted)
        value = value if wanted else written(value)
    except Refused as refused:
        return Refusal(str(refused))
    doubts = [doubt(RECORD) for doubt in value.doubts]
    expr = value.of(RECORD)
    if not selection.plain or value.kind == NULL:  # what is null everywhere has no type
        expr = expr.cast(pl.List(pl.String) if of == "list" else pl.String)
    return Column(expr, record.fields_read(), pl.any_horizontal(doubts) if doubts else None)


def _settle(value: Value, wanted: str) -> None:
    """Refuse what has another form than the column."""
    kind = value.place.settle(wanted)
    if kind == LIST and wanted == LIST:
        element = value.place.inside()
        if element.settle(TEXT) in (LIST, OBJECT):
            raise Refused("it gives a list of lists or objects where a list of single values is wanted")
    elif wanted == LIST and kind != NULL:
        raise Refused("it gives one value where a list is wanted")
    elif kind in (LIST, OBJECT):
        raise Refused(f"it gives {'a list' if kind == LIST else 'an object'} where one value is wanted")


@dataclass
class Translation:
    """One reading of an expression."""

    record: Place
    learning: bool
    """Whether this reading only learns the kinds of places."""
    kind: str = STRING
    """What a single value is presumed to be whose truth counts, where nothing tells."""
    inside: int = 0
    """In how many lists it reads an element."""

    def read(self, node: Tree, at: Place, wanted: str | None = None) -> Value:
        """What a node gives of an input."""
        reader = READERS.get(node["type"])
        if reader is None:
            raise Refused(f"{SAID.get(node['type'], node['type'])} are not translated")
        return reader(self, node, at, wanted)

    def each(self, node: Tree, at: Place, wanted: str | None = None) -> Value:
        """What a node gives of an element of a list."""
        self.inside += 1
        value = self.read(node, at, wanted)
        self.inside -= 1
        if value.constant:
            raise Refused("it gives the same for every element")
        return value

    def tested(self, value: Value) -> Value:
        """The same with whether it counts as true."""
        return tested(self.below(value), learning=self.learning)

    def below(self, value: Value) -> Value:
        """The same, where it is not the record itself, which is no column."""
        if value.place.found() is self.record:
            raise Refused("it reads the record as a whole")
        return value


def _field(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    name = node["value"]
    if not spellable(name) or re.fullmatch(r"\*|\^.*\$", name, re.DOTALL):
        raise Refused(f'the name "{name}" means something else to the readers')
    if at.settle(OBJECT) != OBJECT:
        return constant(None)
    here = at.found()
    if here.made and name not in here.fields:
        return constant(None)
    return Value(at.at(name), lambda value: pl.col(name) if value is RECORD else value.struct.field(name))


def _current(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    return Value(at, same)


def _literal(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    return constant(node["value"])


def _chain(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    *first, last = node["children"]
    value = Value(at, same)
    for child in first:
        value = behind(value, t.read(child, value.place))
        if value.constant and value.kind == LIST:
            raise Refused("nothing is taken out of a list written in the expression")
    return behind(value, t.read(last, value.place, wanted))


def _values(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    raise Refused("the values of an object come in the order of its keys, and only those that are named are read")


def _comparator(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    one, other = (t.below(t.read(child, at)) for child in node["children"])
    return compared(node["value"], one, other, learning=t.learning)


def _both(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a && b` and `a || b`, of which the right is worked out only where the left does not decide."""
    left, right = (t.read(child, at, wanted) for child in node["children"])
    if wanted != TRUTH:
        _presume(left.place, right, wanted)
    for one in (left, right) if wanted == TEXT and not t.learning else ():
        if one.place.is_open:
            one.place.settle(t.kind)
    left = t.tested(left)
    test, is_and = truth_of(left), node["type"] == "and_expression"
    try:
        right = t.tested(right)
    except Refused:
        if wanted == TRUTH:
            raise

    def both(value: pl.Expr) -> pl.Expr:
        other = truth_of(right)
        return test(value) & other(value) if is_and else test(value) | other(value)

    if wanted == TRUTH:
        found = truth_value(both, left, right)
    elif wanted == TEXT and t.learning and left.place.is_open and right.place.is_open:
        found = replace(left, place=Place())  # what they are they may tell elsewhere, each for itself
    else:
        kept, misfits = _fitting(left, wanted)
        right, more = _fitting(right, wanted)
        right = replace(right, doubts=(*right.doubts, *more))
        left = replace(left, doubts=(*left.doubts, *(_where(test, misfit, not is_and) for misfit in misfits)))
        found = either(test, *((right, kept) if is_and else (kept, right)))
        found = replace(found, truth=both if right.truth else None)
    return replace(found, doubts=(*left.doubts, *(_where(test, doubt, is_and) for doubt in right.doubts)))


def _presume(left: Place, right: Value, wanted: str | None) -> None:
    """The left is of the kind that is wanted, else of that of the right, before any other is presumed of it."""
    tells = right.kind in SINGLE if wanted == TEXT else right.kind != NULL
    if wanted not in (None, TEXT):
        left.settle(wanted)
    elif tells and left.is_open and not right.place.is_open:
        joined(left, right.place)


def _fitting(value: Value, wanted: str | None) -> tuple[Value, tuple[Make, ...]]:
    """The value, or null where it has another form than the column; what is not null there is in doubt."""
    others = {TEXT: (LIST, OBJECT), LIST: (*SINGLE, VARIOUS, OBJECT)}.get(wanted or "", ())
    if value.kind not in others:
        return value, ()
    nothing = replace(constant(None), truth=value.truth, doubts=value.doubts, constant=value.constant)
    return nothing, (lambda item: value.of(item).is_not_null(),)


def _where(test: Make, doubt: Make, wanted: bool) -> Make:
    return lambda value: (test(value) == wanted) & doubt(value)


def _not(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    inner = t.tested(t.read(node["children"][0], at, TRUTH))
    return truth_value(lambda value: ~truth_of(inner)(value), inner)


def _select_list(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    parts = [t.read(child, at) for child in node["children"]]
    element = reduce(joined, [part.place for part in parts])
    if element.kind == NULL:
        element = Place(STRING)  # a list of nulls stands in the frame as one of texts
    if not (t.learning and element.is_open):
        element.settle(TEXT)

    def listed(value: pl.Expr) -> pl.Expr:
        found = [part.of(value) for part in parts]
        if element.found().kind == OBJECT:
            return pl.concat_list(found)
        if element.found().kind == LIST:  # lists would be put behind each other
            return pl.concat_list([pl.struct(one.alias("it")) for one in found]).list.eval(
                pl.element().struct.field("it")
            )
        return pl.concat_list([one.cast(pl.String) for one in found])

    always = all(part.constant for part in parts)
    return Value(Place(LIST, element=element), _where_any(listed), doubts=doubts_of(*parts), constant=always)


def _select_hash(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    parts = {child["value"]: t.read(child["children"][0], at) for child in node["children"]}
    for part in parts.values():
        if part.place.is_open and not t.learning:
            part.place.settle(TEXT)
    place = Place(OBJECT, fields={name: part.place for name, part in parts.items()}, made=True)
    always = all(part.constant for part in parts.values())

    def made(value: pl.Expr) -> pl.Expr:
        return pl.struct([part.of(value).alias(name) for name, part in parts.items()])

    return Value(place, _where_any(made), doubts=doubts_of(*parts.values()), constant=always)


def _where_any(make: Make) -> Make:
    """Made of every input but null: of null a selection of values makes null."""

    def made(value: pl.Expr) -> pl.Expr:
        return make(value) if value is RECORD else pl.when(value.is_not_null()).then(make(value))

    return made


def _function(t: Translation, node: Tree, at: Place, wanted: str | None) -> Value:
    function = FUNCTIONS.get(node["value"])
    if function is None:
        raise Refused(f"{node['value']}() has no exact counterpart")
    return function(t, node["children"], at)


Reader = Callable[[Translation, Tree, Place, "str | None"], Value]

READERS: Mapping[str, Reader] = {
    "field": _field,
    "current": _current,
    "identity": _current,
    "literal": _literal,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "index": lists.index,
    "lookup": lists.lookup,
    "slice": lists.cut,
    "projection": lists.projection,
    "filter_projection": lists.filter,
    "flatten": lists.flatten,
    "value_projection": _values,
    "comparator": _comparator,
    "and_expression": _both,
    "or_expression": _both,
    "not_expression": _not,
    "multi_select_list": _select_list,
    "multi_select_dict": _select_hash,
    "function_expression": _function,
}
SAID = {"expref": "expressions for functions"}
