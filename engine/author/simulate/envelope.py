"""The answer around records: the expression that finds them, turned inside out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.author.simulate.shape import Shape, grow
from engine.core import select
from engine.core.errors import Json

ABSENT = object()


@dataclass
class Envelope:
    """Where an expression finds records: in one place of the answer, or in one of several."""

    records: str
    places: tuple[Shape, ...] = ()
    """Each a place, or a view that puts a record together out of several."""
    _root: Shape = field(default_factory=Shape)
    _many: bool = False
    """Whether each record stands in a place of its own."""
    _listed: bool = False
    """Whether the expression makes a list of the one record that it finds: `[r.i]`."""
    _around: dict[Shape, Shape] = field(default_factory=dict)
    """Place -> that which holds it."""

    def __post_init__(self) -> None:
        tree = select.compile(self.records).tree
        self._listed = tree["type"] == "multi_select_list" and len(tree["children"]) == 1
        spot = grow(self._root, self.records[1:-1] if self._listed else self.records)
        self.places, self._many = spot.shapes or (self._root,), spot.many
        for shape in self._root.walk():
            inner = (*shape.fields.values(), shape.element, *shape.variants.values())
            self._around |= {one: shape for one in inner if one is not None}

    @property
    def is_bare(self) -> bool:
        """Whether the answer is the list of records itself."""
        return self.places == (self._root,)

    @property
    def is_one(self) -> bool:
        """Whether the expression makes one record of the answer."""
        return self._listed or (self._is_view and not self._many)

    @property
    def _is_view(self) -> bool:
        return any(place.aliases or place.base or place.fields for place in self.places)

    def constants(self) -> dict[str, list[Json]]:
        """The fields of records that the expression itself gives or wants, with their values."""
        found: dict[str, list[Json]] = {}
        for place in self.places:
            for name, value in _fixed(place).items():
                found.setdefault(name, []).append(value)
        return found

    def around(self, rows: Sequence[Json]) -> Json:
        """The answer in which the expression finds these records."""
        slots: dict[Shape, Json] = {}
        for place in self.places:
            fixed = _fixed(place)
            others = [row for row in rows if isinstance(row, dict)] if fixed else []
            mine = [row for row in others if fixed.items() <= row.items()] if fixed else list(rows)
            slots |= self._slots(place, mine)
            rows = [row for row in rows if row not in mine]
        found = _built(self._root, slots)
        return {} if found is ABSENT else found

    def _slots(self, place: Shape, rows: Sequence[Json]) -> dict[Shape, Json]:
        """What stands where, so that these records are found in a place."""
        if not self._many:
            pieces = dict(pair for row in rows for pair in _pieces(place, row))
            return pieces if self.is_one else {place: rows}
        element = next(_parts(place))
        while (holder := self._around.get(element)) is not None and holder.kind not in ("list", "map"):
            element = holder
        made = [_built(element, dict(_pieces(place, row))) for row in rows]
        named = {str(_key(row, number)): one for number, (row, one) in enumerate(zip(rows, made, strict=True))}
        return {holder or self._root: named if holder and holder.kind == "map" else made}

    def seen(self, record: Json) -> Json:
        """A record as the expression gives it."""
        if not self._is_view:
            return record
        found = select.compile(self.records).search(self.around([record]))
        return found[0] if (self._many or self._listed) and found else found


def _fixed(place: Shape) -> dict[str, Json]:
    every = {**place.fields, **place.aliases}
    return {name: shape.fixed for name, shape in every.items() if shape.fixed is not None}


def _parts(place: Shape) -> Iterator[Shape]:
    """The places of the answer that a view is made of."""
    if not place.aliases and place.base is None:
        yield place
    for one in (place.base, *place.aliases.values()):
        if one is not None and one.fixed is None:
            yield from _parts(one)


def _pieces(place: Shape, record: Json) -> Iterator[tuple[Shape, Json]]:
    """What of a record stands where."""
    if not place.aliases and place.base is None:
        yield place, record
    elif isinstance(record, dict):
        if place.base is not None:
            yield from _pieces(place.base, {k: value for k, value in record.items() if k not in place.aliases})
        for name, target in place.aliases.items():
            if name in record and target.fixed is None:
                yield from _pieces(target, record[name])


def _built(shape: Shape, slots: Mapping[Shape, Json]) -> Json:
    """The place with what stands in it and below it."""
    found = {name: _built(child, slots) for name, child in shape.fields.items()}
    inner = {name: value for name, value in found.items() if value is not ABSENT}
    if shape in slots:
        own = slots[shape]
        inner = {**_fixed(shape), **inner} if isinstance(own, dict) else {}
        return {**own, **inner} if inner else own
    below = [_built(one, slots) for one in (shape.element, *shape.variants.values()) if one is not None]
    if shape.kind == "list" and (elements := [one for one in below if one is not ABSENT]):
        return elements
    return {**_fixed(shape), **inner} if inner else ABSENT


def _key(row: Json, number: int) -> Json:
    """The name of a record in a map of them."""
    return (row.get("key") or row.get("id") or number) if isinstance(row, dict) else number
