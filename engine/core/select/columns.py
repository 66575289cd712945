"""JMESPath translated to Polars: exactly, or not at all.

A node is read backwards: from the shape that is wanted of its result follows the shape it needs of its input. What a
record holds at a place of another shape is refused when the record is read, so an expression only meets what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Literal

import polars as pl

from engine.core.select.expression import Tree
from engine.core.select.expression import compile as compiled
from engine.core.select.fields import TEXT, Column, Conflict, Refusal, Shape, merge, spellable

RECORD = pl.all()
"""Stands for the record itself, whose fields are the columns of the frame."""


class _Refused(Exception):
    pass


@dataclass(frozen=True)
class Read:
    """How a node is worked out: the shape its input must have, and the expression made of that input."""

    needs: Shape
    of: Callable[[pl.Expr], pl.Expr]


def translate(text: str, *, of: Literal["scalar", "list"]) -> Column | Refusal:
    """The expression as a column of texts, or of lists of texts."""
    try:
        read = _read(compiled(text).tree, TEXT if of == "scalar" else [TEXT])
    except _Refused as refused:
        return Refusal(str(refused))
    if not isinstance(read.needs, Mapping):
        return Refusal("it reads the record as a whole")
    return Column(read.of(RECORD), read.needs)


def _read(node: Tree, wanted: Shape) -> Read:
    reader = READERS.get(node["type"])
    if reader is None:
        raise _Refused(f"{SAID.get(node['type'], node['type'])} are not translated")
    return reader(node, wanted)


def _field(node: Tree, wanted: Shape) -> Read:
    name = node["value"]
    if not spellable(name) or re.fullmatch(r"\*|\^.*\$", name, re.DOTALL):
        raise _Refused(f'the name "{name}" means something else to the readers')
    return Read({name: wanted}, lambda value: pl.col(name) if value is RECORD else value.struct.field(name))


def _current(node: Tree, wanted: Shape) -> Read:
    return Read(wanted, lambda value: value)


def _chain(node: Tree, wanted: Shape) -> Read:
    steps: list[Callable[[pl.Expr], pl.Expr]] = []
    for child in reversed(node["children"]):
        read = _read(child, wanted)
        wanted = read.needs
        steps.insert(0, read.of)
    return Read(wanted, lambda value: reduce(lambda sofar, step: step(sofar), steps, value))


def _index(node: Tree, wanted: Shape) -> Read:
    return Read([wanted], lambda value: value.list.get(node["value"], null_on_oob=True))


def _projection(node: Tree, wanted: Shape) -> Read:
    source, target = node["children"]
    each = _read(target, _element(wanted))
    items = _read(source, [each.needs])
    return Read(items.needs, lambda value: items.of(value).list.eval(each.of(pl.element()).drop_nulls()))


def _filter(node: Tree, wanted: Shape) -> Read:
    source, target, condition = node["children"]
    each, test = _read(target, _element(wanted)), _condition(condition)
    items = _read(source, [_together(each.needs, test.needs)])

    def kept(item: pl.Expr) -> pl.Expr:
        return each.of(item.filter(test.of(item))).drop_nulls()

    return Read(items.needs, lambda value: items.of(value).list.eval(kept(pl.element())))


def _flatten(node: Tree, wanted: Shape) -> Read:
    """`a[]` reads a list of what is no list, `a[].b[]` lists in a list: the author writes the second [] for a reason.

    Inner lists that are empty or null come out as nulls; the projection behind drops them.
    """
    [source] = node["children"]
    if not (source["type"].endswith("projection") or isinstance(_element(wanted), list)):
        return _read(source, wanted)
    items = _read(source, [wanted])
    return Read(items.needs, lambda value: items.of(value).list.eval(pl.element().explode()))


def _element(wanted: Shape) -> Shape:
    if not isinstance(wanted, list):
        raise _Refused("it gives a list where one value is wanted")
    return wanted[0]


def _truth(node: Tree, wanted: Shape) -> Read:
    """What is true or false, as the text of it."""
    if wanted != TEXT:
        raise _Refused("it gives true or false where more is wanted")
    test = _condition(node)
    return Read(test.needs, lambda value: pl.when(test.of(value)).then(pl.lit("true")).otherwise(pl.lit("false")))


def _condition(node: Tree) -> Read:
    """What is true or false of its input, never null."""
    condition = CONDITIONS.get(node["type"])
    if condition is None:
        raise _Refused("whether a value counts as true is not known of its text")
    return condition(node)


def _comparator(node: Tree) -> Read:
    if node["value"] not in ("eq", "ne"):
        raise _Refused("texts do not know the order of numbers")
    literals = [child for child in node["children"] if child["type"] == "literal"]
    others = [child for child in node["children"] if child["type"] != "literal"]
    if len(literals) != 1:
        raise _Refused("only a comparison of a field with a literal text is translated")
    operand, literal = _read(others[0], TEXT), pl.lit(_literal(literals[0]["value"]), pl.String)
    if node["value"] == "eq":
        return Read(operand.needs, lambda value: operand.of(value).eq_missing(literal))
    return Read(operand.needs, lambda value: operand.of(value).ne_missing(literal))


def _literal(value: Any) -> str | None:
    """The literal, when no number and no boolean has the same text."""
    if value is not None and not isinstance(value, str):
        raise _Refused("a field read as text cannot be told from a number, a boolean, a list or an object")
    if value in ("true", "false") or (value is not None and _is_number(value)):
        raise _Refused(f"the text '{value}' cannot be told from the JSON value {value}")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _both(node: Tree, join: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Read:
    left, right = (_condition(child) for child in node["children"])
    return Read(_together(left.needs, right.needs), lambda value: join(left.of(value), right.of(value)))


def _not(node: Tree) -> Read:
    inner = _condition(node["children"][0])
    return Read(inner.needs, lambda value: ~inner.of(value))


def _together(one: Shape, other: Shape) -> Shape:
    """A shape that serves both readers of one input."""
    both = merge({"@": one}, {"@": other})
    if isinstance(both, Conflict):
        raise _Refused(both.reason.replace("@.", "").replace("@", "it"))
    return both["@"]


READERS: Mapping[str, Callable[[Tree, Shape], Read]] = {
    "field": _field,
    "current": _current,
    "identity": _current,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "index": _index,
    "projection": _projection,
    "filter_projection": _filter,
    "flatten": _flatten,
    "comparator": _truth,
    "and_expression": _truth,
    "or_expression": _truth,
    "not_expression": _truth,
}
CONDITIONS: Mapping[str, Callable[[Tree], Read]] = {
    "comparator": _comparator,
    "and_expression": partial(_both, join=pl.Expr.and_),
    "or_expression": partial(_both, join=pl.Expr.or_),
    "not_expression": _not,
}
SAID = {
    "expref": "expressions for functions",
    "function_expression": "functions",
    "literal": "literals",
    "lookup": "elements whose number is a field",
    "multi_select_dict": "selections of several values",
    "multi_select_list": "selections of several values",
    "slice": "slices",
    "value_projection": "projections over the values of an object",
}
