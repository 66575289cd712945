"""The form of a vendor's record, grown from the expressions that read it: JMESPath turned inside out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.core import select
from engine.core.errors import Json
from engine.spec.model import Column

Tree = Mapping[str, Any]
LISTED = 6
"""So many elements has a list in which a record looks one up by its number, fewer where some are the same."""


@dataclass(frozen=True)
class Use:
    """A column that reads a value."""

    table: str
    name: str
    column: Column
    nested: bool = False
    """The value belongs to a record around the row, so that one of it stands in several rows."""


@dataclass(eq=False)
class Shape:
    """One place in a record: a single value, an object, a list, or a map whose keys are data.

    A `line` is an object written as a list of its values, `names` the list that names them.
    """

    name: str = ""
    kind: Literal["leaf", "object", "list", "map", "line", "names"] = "leaf"
    fields: dict[str, Shape] = field(default_factory=dict)
    element: Shape | None = None
    key: Shape | None = None
    uses: list[Use] = field(default_factory=list)
    hints: list[Json] = field(default_factory=list)
    """What the page compares the value with."""
    fixed: Json = None
    variants: dict[tuple[tuple[str, Json], ...], Shape] = field(default_factory=dict)
    """Of a list: the elements that a filter looks for, by what it compares."""
    aliases: dict[str, Shape] = field(default_factory=dict)
    """Names at the root of a row that lead elsewhere: `parent`, and the name of a map's key."""
    base: Shape | None = None
    """Where all other names lead: `merge(base, {a: x})`."""
    least: int = 1
    presence: float = 1.0
    """How often it is there at all."""
    secret: bool = False
    schema: Mapping[str, Json] = field(default_factory=dict)
    """What the page's JSON Schema says of it."""

    def under(self, name: str) -> Shape:
        """A field of the object; the place becomes an object by being asked."""
        if name in self.aliases:
            return self.aliases[name]
        if self.base is not None:
            return self.base.under(name)
        if self.kind == "list":
            return self.items().under(name)
        if self.kind == "leaf":
            self.kind = "object"
        return self.fields.setdefault(name, Shape(name))

    def items(self) -> Shape:
        """The element of the list, or of the map."""
        if self.kind in ("leaf", "object") and not self.fields:
            self.kind = "list"
        if self.element is None:
            self.element = Shape(self.name)
        return self.element

    def as_map(self) -> Shape:
        """The same place as a map."""
        self.kind = "map"
        self.key = self.key or Shape(self.name)
        self.items()
        return self

    def variant(self, wanted: Sequence[tuple[str, Json]]) -> Shape:
        """The element that a filter looks for."""
        self.items()
        key = tuple(wanted)
        if key not in self.variants:
            shape = Shape(self.name, "object")
            for name, value in wanted:
                shape.under(name).fixed = value
            self.variants[key] = shape
        return self.variants[key]

    def walk(self) -> Iterator[Shape]:
        """This place and all below it."""
        yield self
        for child in (*self.fields.values(), self.key, self.element, *self.variants.values()):
            if child is not None:
                yield from child.walk()


@dataclass(frozen=True)
class Spot:
    """Where an expression's value stands, in one place or several; `many` when it is a list of values from each."""

    shapes: tuple[Shape, ...]
    many: bool = False

    def each(self, step: Callable[[Shape], Shape], *, many: bool) -> Spot:
        """The places that a step leads to."""
        return Spot(tuple(step(shape) for shape in self.shapes), many)


def grow(shape: Shape, expression: str) -> Spot:
    """Make room for what an expression reads; no places where its value stands nowhere but is worked out."""
    selection = select.compile(expression)
    for name in selection.lookups:
        shape.under(name).schema = {"type": "integer", "enum": list(range(LISTED // 2))}
    return _grow(selection.tree, Spot((shape,)))


def settle(shape: Shape) -> None:
    """Give every filtered element what is known of its list's elements."""
    for place in list(shape.walk()):
        for variant in place.variants.values():
            assert place.element is not None
            _absorb(variant, place.element)
            place.element.kind = "object" if place.element.kind == "leaf" else place.element.kind
            for name, child in variant.fields.items():
                if child.fixed is not None:
                    place.element.under(name)


def _absorb(into: Shape, other: Shape) -> None:
    for name, child in other.fields.items():
        own = into.fields.setdefault(name, child)
        if own is child:
            continue
        if own.kind == "leaf" and child.kind == "leaf":
            own.uses += [use for use in child.uses if use not in own.uses] if not own.uses else []
            own.schema = own.schema or child.schema
        else:
            _absorb(own, child)
    if into.element and other.element and into.element is not other.element:
        _absorb(into.element, other.element)


NOWHERE = Spot(())


def _grow(tree: Tree, at: Spot) -> Spot:
    kind, children = tree["type"], tree.get("children", ())
    if kind == "field":
        return at.each(lambda shape: shape.under(tree["value"]), many=at.many)
    if kind in ("current", "identity"):
        return at
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in children:
            at = _grow(child, at)
        return at
    if kind in ("index", "slice", "lookup"):
        return _index(tree, at, kind)
    if kind.endswith("projection") or kind == "flatten":
        return _project(kind, children, at)
    if kind == "comparator":
        _compare(children, at)
        return NOWHERE
    if kind == "function_expression":
        return _call(tree["value"], children, at)
    if kind == "multi_select_dict":
        return Spot(tuple(_view(children, shape) for shape in at.shapes))
    spots = [_grow(child, at) for child in children if child["type"] != "literal"] if kind != "literal" else []
    if kind == "or_expression":
        return spots[0] if spots else NOWHERE
    if kind == "and_expression":
        return spots[-1] if spots and children[-1]["type"] != "literal" else NOWHERE
    return NOWHERE


def _view(pairs: Sequence[Tree], shape: Shape) -> Shape:
    """What `{a: x, b: y}` makes of a place: names that lead elsewhere. What only the others read is left away."""
    view = Shape(shape.name, "object")
    for pair in pairs:
        if pair["children"][0]["type"] == "literal":
            view.aliases[pair["value"]] = Shape(pair["value"], fixed=pair["children"][0]["value"])
            continue
        known = set(shape.fields)
        spot = _grow(pair["children"][0], Spot((shape,)))
        if view.aliases:
            for name in set(shape.fields) - known:
                shape.fields[name].presence = 0.0
        if spot.shapes:
            view.aliases[pair["value"]] = spot.shapes[0]
    return view


def _index(tree: Tree, at: Spot, kind: str) -> Spot:
    if at.many:
        return Spot(at.shapes, kind == "slice")
    for shape in at.shapes if kind != "slice" else ():
        shape.least = max(shape.least, LISTED if kind == "lookup" else tree["value"] + 1)
    return at.each(Shape.items, many=kind == "slice")


def _project(kind: str, children: Sequence[Tree], at: Spot) -> Spot:
    source = children[0]["children"][0] if children[0]["type"] == "flatten" else children[0]
    if source["type"] == "multi_select_list" and source is not children[0]:
        element = _together(source["children"], at, objects=children[1]["type"] != "identity")
        return Spot(_grow(children[1], element).shapes, True)
    left = _grow(children[0], at)
    if kind == "flatten":
        return Spot(left.shapes)
    if kind == "value_projection":
        element = left.each(lambda shape: shape.as_map().items(), many=True)
    elif kind == "filter_projection":
        wanted = list(_wanted(children[2]))
        element = left.each(lambda shape: _filtered(shape, wanted, left.many), many=True)
        _grow(children[2], element)
    else:
        element = left if left.many else left.each(Shape.items, many=True)
    return Spot(_grow(children[1], element).shapes, True)


def _together(children: Sequence[Tree], at: Spot, *, objects: bool) -> Spot:
    """The elements of `[a, b[].c][]`: each of its expressions gives a list of them, or one object."""
    spots = [_grow(child, at) for child in children]
    for spot in spots[1:] if objects else ():
        for shape in spot.shapes:
            shape.presence = 0.1  # one of several ways to say the same; the first is the usual one
    found = [spot if spot.many or objects else spot.each(Shape.items, many=True) for spot in spots]
    return Spot(tuple(shape for spot in found for shape in spot.shapes), True)


def _filtered(shape: Shape, wanted: Sequence[Sequence[tuple[str, Json]]], inside: bool) -> Shape:
    if inside or not wanted:
        return shape if inside else shape.items()
    first, *_ = [shape.variant(way) for way in wanted]
    return first


def _wanted(condition: Tree) -> Iterator[list[tuple[str, Json]]]:
    """What elements must be for a condition to hold: one list of fields and values for each way."""
    kind, children = condition["type"], condition.get("children", ())
    if kind == "or_expression":
        for child in children:
            yield from _wanted(child)
    elif kind == "and_expression":
        ways = [list(_wanted(child)) for child in children]
        if all(ways):
            yield [pair for way in ways for pair in way[0]]
    elif kind == "comparator" and condition["value"] == "eq":
        left, right = children
        if left["type"] == "field" and right["type"] == "literal":
            yield [(left["value"], right["value"])]


def _compare(children: Sequence[Tree], at: Spot) -> None:
    spots = [_grow(child, at) for child in children]
    for spot, other in zip(spots, reversed(children), strict=True):
        for shape in spot.shapes if other["type"] == "literal" else ():
            if other["value"] is None:
                shape.presence = 0.4
            else:
                shape.hints.append(other["value"])


def _literals(tree: Tree) -> Iterator[Json]:
    """The values that stand in an expression, one by one: also those of a list of them."""
    if tree["type"] == "literal":
        yield from tree["value"] if isinstance(tree["value"], list) else [tree["value"]]
    for child in tree.get("children", ()) if tree["type"] == "multi_select_list" else ():
        yield from _literals(child)


def _call(name: str, children: Sequence[Tree], at: Spot) -> Spot:
    if name in ("map", "sort_by", "max_by", "min_by"):
        listed, reads = (children[1], children[0]) if name == "map" else (children[0], children[1])
        spot = _grow(listed, at)
        element = spot if spot.many else spot.each(Shape.items, many=True)
        inner = _grow(reads["children"][0], element)
        return Spot(inner.shapes, True) if name == "map" else Spot(element.shapes, name == "sort_by")
    spots = [_grow(child, at) for child in children if child["type"] != "literal"]
    first = spots[0] if spots else NOWHERE
    if name in ("contains", "starts_with", "ends_with"):
        for shape in (one for spot in spots for one in spot.shapes):
            shape.hints += [value for child in children for value in _literals(child)]
    if name == "merge" and first.shapes:
        views = [one for spot in spots[1:] for one in spot.shapes]
        more = {key: one for view in views for key, one in view.aliases.items()}
        said = [child["value"] for child in children if child["type"] == "literal"]
        more |= {key: Shape(key, fixed=value) for one in said for key, value in one.items()}
        return Spot(tuple(Shape(one.name, "object", aliases=more, base=one) for one in first.shapes), at.many)
    if name in ("keys", "values"):
        maps = first.each(Shape.as_map, many=True)
        return maps.each(lambda shape: shape.key or shape if name == "keys" else shape.items(), many=True)
    if name in ("max", "min", "sort", "reverse") and not first.many:
        return first.each(Shape.items, many=name in ("sort", "reverse"))
    if name in ("length", "sum", "avg", "join") and not first.many and children[0]["type"] != "literal":
        first.each(lambda shape: shape.items() if shape.kind == "leaf" else shape, many=False)
    return first if name in ("to_number", "to_string", "to_array", "not_null", "abs", "ceil", "floor") else NOWHERE
