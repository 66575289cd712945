"""Of what kind the values at each place of a record are: seen in records, else presumed of what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from engine.core.errors import Json
from engine.core.select.fields import TEXT, Fields, Leaf, Shape

STRING, NUMBER, INTEGER, BOOLEAN = "string", "number", "integer", "boolean"
LIST, OBJECT, NULL = "list", "object", "null"
OPEN = "open"
"""Nothing is known yet, and nobody has asked."""
VARIOUS = "various"
"""One value, of this kind here and of that kind there; its text is known, its kind is not."""
MIXED = "mixed"
"""A list or an object here and something else there."""
NUMERIC = (NUMBER, INTEGER)
SINGLE = (STRING, NUMBER, INTEGER, BOOLEAN)
SAID = {STRING: "a text", NUMBER: "a number", INTEGER: "a number", BOOLEAN: "true or false", LIST: "a list"}

TANGLED = "a value and one inside it would have to be of one kind"

Seen = Any
"""What records held at a place: a kind, a list with what its elements hold, an object of such, None for nothing."""


class Refused(Exception):
    """An expression cannot be translated; the message says why."""


@dataclass(eq=False)
class Place:
    """A place of the record, or what is made of it, with the kind of its values: null may stand at every place."""

    kind: str = OPEN
    seen: Seen = None
    element: Place | None = None
    fields: dict[str, Place] = field(default_factory=dict)
    made: bool = False
    """Whether it is an object that the expression makes, with these fields and no others."""
    read: bool = False
    """Whether it is read of a record, so that what is presumed of it is checked."""
    single: bool = False
    """Whether it is presumed to be no list."""
    same: Place | None = None
    """The place that stands for this one, since both must be of one kind."""

    def found(self) -> Place:
        """The place that stands for it."""
        return self if self.same is None else self.same.found()

    @property
    def is_open(self) -> bool:
        """Whether its kind is still to be found."""
        here = self.found()
        return here.kind in (OPEN, TEXT) and _kind(here.seen) is None

    def settle(self, wanted: str) -> str:
        """The kind of its values: what is known of it, else what was seen, else from now on what is wanted."""
        here = self.found()
        if here.kind in (OPEN, TEXT):
            here._become(here._chosen(wanted))
        elif here.kind == NUMBER and wanted == INTEGER and here._may_be_whole():
            here.kind = INTEGER
        return here.kind

    def as_text(self) -> bool:
        """Whether each value is a single one, of whatever kind."""
        here = self.found()
        if here.kind in (OPEN, TEXT) and _kind(here.seen) not in (LIST, OBJECT, MIXED):
            here.kind = TEXT
        return here.kind in (TEXT, VARIOUS, *SINGLE)

    def _may_be_whole(self) -> bool:
        return self.seen == INTEGER or (self.read and self.seen is None)

    def _chosen(self, wanted: str) -> str:
        seen = _kind(self.seen)
        if seen == MIXED:
            raise Refused("it holds a list or an object here and something else there")
        kind = NUMBER if seen == INTEGER and wanted != INTEGER else seen or wanted
        if wanted == TEXT and kind not in (LIST, OBJECT):
            return TEXT
        if (kind == LIST and self.single) or (kind in (LIST, OBJECT) and self.kind == TEXT):
            raise Refused(f"one place is read as one value and as {SAID.get(kind, 'an object')}")
        return kind

    def _become(self, kind: str) -> None:
        self.kind = kind
        if kind == LIST:
            self.element = Place(seen=self.seen[0] if isinstance(self.seen, list) else None, read=self.read)

    def inside(self) -> Place:
        """The place of the elements of a list."""
        element = self.found().element
        assert element is not None
        return element.found()

    def at(self, name: str) -> Place:
        """The place of a field of an object."""
        here = self.found()
        seen = here.seen.get(name) if isinstance(here.seen, dict) else None
        return here.fields.setdefault(name, Place(seen=seen, read=here.read)).found()

    def fields_read(self) -> Fields:
        """What is read of a record for its fields."""
        return {name: place.shape() for name, place in self.found().fields.items()}

    def shape(self) -> Shape:
        """What is read of a record for it."""
        here = self.found()
        if here.kind == LIST:
            return [here.inside().shape()]
        if here.kind == OBJECT:
            return here.fields_read()
        if here.kind in SINGLE or (here.kind == OPEN and not here.single):
            return cast(Leaf, here.kind)
        return TEXT


def joined(one: Place, other: Place) -> Place:
    """The place of what is the one or the other; both have to stand in the frame in one form."""
    one, other = one.found(), other.found()
    if NULL in (one.kind, other.kind):
        return other if one.kind == NULL else one
    if one.is_open and other.is_open:
        return link(one, other)
    if _within(one, other) or _within(other, one):
        raise Refused(TANGLED)
    for known, unknown in ((one, other), (other, one)):
        if unknown.is_open:
            unknown.settle(known.settle(STRING))
    kinds = {one.settle(STRING), other.settle(STRING)}
    if kinds == {LIST}:
        return Place(LIST, element=joined(one.inside(), other.inside()))
    if kinds == {OBJECT}:
        return _joined_objects(one, other)
    if kinds & {LIST, OBJECT, MIXED}:
        raise Refused("it is a list or an object in one case and something else in another")
    return Place(kinds.pop() if len(kinds) == 1 else NUMBER if kinds == {*NUMERIC} else VARIOUS)


def _joined_objects(one: Place, other: Place) -> Place:
    if not (one.made or other.made):
        return link(one, other)
    if not (one.made and other.made and list(one.fields) == list(other.fields)):
        raise Refused("the fields of its objects differ")
    return Place(OBJECT, fields={name: joined(one.at(name), other.at(name)) for name in one.fields}, made=True)


def link(one: Place, other: Place) -> Place:
    """From now on both places are of one kind, down to their fields and elements."""
    one, other = one.found(), other.found()
    if one is other:
        return one
    if _within(one, other) or _within(other, one):
        raise Refused(TANGLED)
    first, second = (other, one) if one.kind == OPEN else (one, other)
    if second.kind not in (OPEN, TEXT, first.kind):
        raise Refused("values of two kinds stand in one place")
    second.same = first
    first.seen, first.read = _together([first.seen, second.seen]), first.read or second.read
    first.single = first.single or second.single
    if first.element and second.element:
        link(first.element, second.element)
    for name, place in second.fields.items():
        link(first.at(name), place)
    return first


def _within(one: Place, other: Place) -> bool:
    other = other.found()
    below = [*other.fields.values(), *([other.element] if other.element else [])]
    return any(place.found() is one or _within(one, place) for place in below)


def _kind(seen: Seen) -> str | None:
    return LIST if isinstance(seen, list) else OBJECT if isinstance(seen, dict) else seen


def seen_in(values: Iterable[Json]) -> Seen:
    """What some values are."""
    return _together([_seen(value) for value in values])


def presumed(shape: Shape) -> Seen:
    """What is presumed of a place, as if it had been seen."""
    if isinstance(shape, str):
        return shape if shape in SINGLE else None
    if isinstance(shape, list):
        return [presumed(shape[0])]
    return {name: presumed(inner) for name, inner in shape.items()}


def _seen(value: Json) -> Seen:
    if isinstance(value, dict):
        return {name: _seen(one) for name, one in value.items()}
    if isinstance(value, list):
        return [seen_in(value)]
    kinds = {str: STRING, bool: BOOLEAN, int: INTEGER, float: NUMBER}
    return None if value is None else kinds[type(value)]


def _together(all_seen: list[Seen]) -> Seen:
    many = [seen for seen in all_seen if seen is not None]
    if not many:
        return None
    if all(isinstance(seen, dict) for seen in many):
        names = dict.fromkeys(name for seen in many for name in seen)
        return {name: _together([seen.get(name) for seen in many]) for name in names}
    if all(isinstance(seen, list) for seen in many):
        return [_together([seen[0] for seen in many])]
    if any(isinstance(seen, list | dict) for seen in many):
        return MIXED
    kinds = set(many)
    return many[0] if len(kinds) == 1 else MIXED if MIXED in kinds else NUMBER if kinds == {*NUMERIC} else VARIOUS
