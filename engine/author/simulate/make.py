"""One made-up record at a time: its values fit their names, each other, and the records they belong to."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from engine.author.simulate import amounts, times, vocabulary
from engine.author.simulate.facts import Facts
from engine.author.simulate.judge import Row
from engine.author.simulate.shape import Shape
from engine.author.simulate.texts import matching
from engine.core.errors import Json

MISSING = object()
LATEST = re.compile(r"latest|last|current|default|primary|newest|active")
MANY, DAYS, TRIES = 3, 14, 40
FRESH = 20 * 86_400.0


@dataclass(frozen=True)
class Pick:
    """A row that a record refers to, and when its record began."""

    row: Row
    born: float


@dataclass
class Scene:
    """What is known while one record is made."""

    rng: Random
    since: float
    """Nothing in the record is older; seconds since the epoch."""
    bound: Mapping[Shape, Json] = field(default_factory=dict)
    """Values that are settled: by the parent, by what the request asks for, by a row that this one goes with."""
    picked: dict[str, Pick] = field(default_factory=dict)
    """Table -> the row that this record, or this part of it, refers to."""
    used: dict[str, set[int]] = field(default_factory=dict)
    """Table -> rows that a sibling in the same list refers to."""
    label: str = ""
    """What the thing around it is called: the error counts of a metric are smaller than its calls."""
    series: float | None = None
    """The time of one of many measurements."""
    level: float | None = None
    """How much is measured at that time, as a share of what is usual."""
    of: str = ""
    """The noun of the thing around it."""
    alone: Sequence[Json] = ()
    """Settled values that name the record."""
    number: int | None = None
    """Its place in a list that has one element for each known value."""


@dataclass
class Maker:
    """Makes records of one form."""

    noun: str
    now: float
    facts: Callable[[Shape], Facts]
    rows: Callable[[str], Sequence[Pick]]
    """The rows of another table, so far as they are made."""
    named: Callable[[str], tuple[str, str] | None]
    """A noun -> the table of such things and the column that names them."""
    taken: dict[tuple[str, str], set[Json]]
    """(table, column) -> values that no other row may have."""
    days: int = DAYS
    around: Sequence[tuple[frozenset[str], str]] = ()
    """What the parents are called, and how each is named."""
    busy: float = 1.0
    """How much is measured in this unit, as a share of what is usual."""
    earliest: float = math.inf
    """When the record that is being made began."""

    def make(self, shape: Shape, scene: Scene) -> Json:
        """A value for a place."""
        if shape in scene.bound:
            return scene.bound[shape]
        if shape.fixed is not None:
            return shape.fixed
        if shape.kind == "object":
            return self._object(shape, scene)
        if shape.kind == "list":
            return self._list(shape, scene)
        if shape.kind == "map":
            return self._map(shape, scene)
        if shape.kind == "line":
            return list(self._object(shape, scene).values())
        if shape.kind == "names":
            assert shape.element
            return list(shape.element.fields)
        return self._leaf(shape, scene)

    # --- what holds other values

    def _object(self, shape: Shape, scene: Scene) -> dict[str, Json]:
        known = {child: self.facts(child) for child in shape.fields.values() if child.kind == "leaf"}
        clocks = {child: fact for child, fact in known.items() if fact.type in ("datetime", "date")}
        self._pick_all(known, scene)
        since = max([scene.since, *(min(pick.born, self.now - FRESH) for pick in scene.picked.values())])
        at = times.ordered({c: f for c, f in clocks.items() if c not in scene.bound}, since, self.now, scene.rng)
        if scene.series is not None:
            at |= {child: scene.series for child, fact in clocks.items() if times.SERIES.fullmatch(fact.what)}
        began = [moment for child, moment in at.items() if times.age(known[child].what) < 3]
        inner = replace(scene, since=min(began, default=since), series=None)
        inner.of = vocabulary.noun(shape.name) if scene.of else self.noun
        inner.alone = [scene.bound[child] for child, fact in known.items() if fact.alone and child in scene.bound]
        self.earliest = min([self.earliest, *began])
        made: dict[str, Json] = {}
        whole = shape.kind == "line"
        for name, child in shape.fields.items() if whole else sorted(shape.fields.items(), key=_first):
            value = self._title(child, known.get(child), made, inner) or self._field(child, known.get(child), inner, at)
            if value is not MISSING or whole:
                made[name] = None if value is MISSING else value
            if name in ("name", "metric", "type") and isinstance(value, str):
                inner.label = f"{scene.label} {value}"
        self._latest(shape, made, scene)
        return made

    def _field(self, child: Shape, fact: Facts | None, scene: Scene, at: Mapping[Shape, float]) -> Json:
        rng = scene.rng
        if child in scene.bound:
            return scene.bound[child]
        if rng.random() >= child.presence and not (fact and fact.needed):
            return MISSING
        if fact is None:
            spare = child.kind == "list" and child.least == 1 and child.element and child.element.kind == "leaf"
            needed = spare and child.element and self.facts(child.element).needed
            if spare and not needed and rng.random() < 0.12:
                return MISSING
            value = self.make(child, scene)
            return MISSING if value == {} and child.fields else value
        optional = not fact.needed and not fact.alone and not fact.refers and child.fixed is None
        if child in at:
            if fact.nulls and times.age(fact.what) == 3 and optional and rng.random() < 0.4:
                return rng.choice(fact.nulls)
            if times.age(fact.what) == 3 and optional and rng.random() < 0.3:
                return MISSING
            return times.written(at[child], fact)
        if fact.nulls and optional and fact.type == "integer" and rng.random() < 0.3:
            return rng.choice(fact.nulls)
        seldom = 0.25 if amounts.LIMITS.search(fact.what) else 0.04
        if optional and not child.hints and fact.type != "boolean" and rng.random() < seldom:
            return MISSING
        return self.make(child, scene)

    def _title(self, child: Shape, fact: Facts | None, made: Mapping[str, Json], scene: Scene) -> str | None:
        """A name for people, made of the name for machines."""
        if not fact or fact.what not in ("display name", "title") or fact.values or child in scene.bound:
            return None
        plain = made.get("name") or next((one for one in scene.alone if isinstance(one, str)), None)
        slug = isinstance(plain, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", plain)
        return str(plain).replace("-", " ").title() if slug else None

    def _latest(self, shape: Shape, made: dict[str, Json], scene: Scene) -> None:
        """`latestRevisionId` is the greatest of the list `revision`."""
        for name, child in shape.fields.items():
            listed = made.get(name)
            if child.kind != "list" or not isinstance(listed, list) or not all(isinstance(v, str) for v in listed):
                continue
            word = vocabulary.noun(name)
            for other, leaf in shape.fields.items():
                said = vocabulary.words(other)
                if leaf.kind == "leaf" and leaf not in scene.bound and word in said and LATEST.search(said) and listed:
                    made[other] = max(listed, key=lambda text: (len(text), text) if text.isdigit() else (0, text))

    def _list(self, shape: Shape, scene: Scene) -> list[Json]:
        element = shape.element or Shape(shape.name)
        if element.kind == "leaf":
            return self._values(shape, element, scene)
        inner = replace(scene, picked={}, used={})
        numbers = self._numbered(element)
        if element.kind == "line":
            return [self.make(element, self._sibling(inner)) for _ in range(scene.rng.randint(8, 20))]
        if self._timed(element):
            level = self.busy * scene.rng.lognormvariate(0, 0.5)
            days = times.series(self.now, self.days)
            return [self.make(element, replace(inner, series=at, level=level * times.bustle(at))) for at in days]
        if numbers:
            return [self.make(element, replace(self._sibling(inner), number=n)) for n in range(numbers)]
        filtered = [variant for variant in shape.variants.values() if scene.rng.random() < 0.9]
        count = max(scene.rng.choice((1, 1, 2, 2, MANY)) - len(filtered), shape.least - len(filtered))
        count = max(count, 0 if filtered else 1)
        others = [element] * count if not shape.variants or any(f.uses for f in element.fields.values()) else []
        made = [self.make(one, self._sibling(inner)) for one in (*filtered, *others)]
        return [one for at, one in enumerate(made) if one not in made[:at]]

    def _sibling(self, scene: Scene) -> Scene:
        return replace(scene, picked={})

    def _numbered(self, element: Shape) -> int:
        """How many elements, where each is named by one of a few known values."""
        for child in element.fields.values():
            fact = self.facts(child) if child.kind == "leaf" else None
            if fact and fact.key_part and fact.values and len(fact.values) <= 8 and not fact.refers:
                return len(fact.values)
        return 0

    def _timed(self, element: Shape) -> bool:
        """Whether the list is one of measurements: each has a time of no special name."""
        known = [self.facts(child) for child in element.fields.values() if child.kind == "leaf"]
        return any(fact.type in ("datetime", "date") and times.SERIES.fullmatch(fact.what) for fact in known)

    def _values(self, shape: Shape, element: Shape, scene: Scene) -> list[Json]:
        fact = self.facts(element)
        usual = (1, 1, 1, 2) if re.search(r"path|host|url|email", fact.what) else (1, 2, 2, 3, 4)
        count = min(scene.rng.choice(usual), len(fact.values) or 4)
        found = [self._leaf(element, replace(scene, picked={})) for _ in range(max(count, shape.least))]
        kept = list(dict.fromkeys(found))
        return sorted(kept) if all(isinstance(one, str) and one.isdigit() for one in kept) else kept

    def _map(self, shape: Shape, scene: Scene) -> dict[str, Json]:
        assert shape.key is not None
        assert shape.element is not None
        fact = self.facts(shape.key)
        named = list(fact.values) or [self._said(fact, scene.rng) for _ in range(MANY)]
        made: dict[str, Json] = {}
        for number, key in enumerate(dict.fromkeys([*named, *shape.fields])):
            inner = replace(scene, picked={}, number=number)
            made[key] = self.make(shape.element, inner)
            if key in shape.fields and isinstance(made[key], dict):
                own = self.make(shape.fields[key], inner)
                made[key] = {**(own if isinstance(own, dict) else {}), **made[key]}
        return made

    # --- what it refers to

    def _pick_all(self, known: Mapping[Shape, Facts], scene: Scene) -> None:
        for child, fact in known.items():
            for table, to in fact.refers:
                if child in scene.bound and table not in scene.picked:
                    same = [pick for pick in self.rows(table) if pick.row.get(to) == scene.bound[child]]
                    if same:
                        scene.picked[table] = same[0]
        for child, fact in known.items():
            for table, _ in fact.refers:
                if child not in scene.bound and table not in scene.picked:
                    self._pick(table, scene)

    def _pick(self, table: str, scene: Scene) -> Pick | None:
        """A row of another table; some are met more often than others, none twice in one list."""
        rows, used = self.rows(table), scene.used.setdefault(table, set())
        free = [number for number in range(len(rows)) if number not in used] or list(range(len(rows)))
        if not free:
            return None
        number = free[int(len(free) * scene.rng.random() ** 1.4)]
        used.add(number)
        scene.picked[table] = rows[number]
        return rows[number]

    def _referred(self, fact: Facts, scene: Scene) -> Json:
        """The value that the row it refers to has; MISSING where it refers to none."""
        for table, to in fact.refers:
            pick = scene.picked.get(table) or self._pick(table, scene)
            value = pick.row.get(to) if pick else None
            if value is not None:
                return scene.rng.choice(value) if isinstance(value, list) and value else value
        for table, pick in scene.picked.items():
            of = vocabulary.noun(table).split()[-1]
            for name, value in pick.row.items():
                if value is not None and f"{of} {vocabulary.words(name)}" == fact.what:
                    return value
                if isinstance(value, list) and value and vocabulary.noun(name) == fact.what:
                    return value[-1] if scene.rng.random() < 0.7 else scene.rng.choice(value)
        homes = [] if fact.alone else [self.named(word) for word in (fact.what, *fact.aka)]
        home = next((one for one in homes if one), None)
        pick = self._pick(home[0], scene) if home else None
        value = pick.row.get(home[1]) if home and pick else None
        return MISSING if value is None else value

    # --- single values

    def _leaf(self, shape: Shape, scene: Scene) -> Json:
        fact = self.facts(shape)
        if shape.fixed is not None:
            return shape.fixed
        if shape.secret:
            return vocabulary.secret(scene.rng)
        value = self._referred(fact, scene)
        if value is not MISSING:
            return value
        if fact.alone is None:
            return self._wire(self._value(shape, fact, scene), fact)
        taken = self.taken.setdefault(fact.alone, set())
        free = [value for value in fact.values if value not in taken]
        for _ in range(TRIES):
            value = free[0] if free else self._wire(self._value(shape, replace(fact, values=()), scene), fact)
            if value not in taken:
                break
        else:
            value = value + len(taken) + 1 if isinstance(value, (int, float)) else f"{value}-{len(taken) + 1}"
        taken.add(value)
        return value

    def _wire(self, value: Json, fact: Facts) -> Json:
        numbers = isinstance(value, (int, float)) and not isinstance(value, bool)
        return str(value) if numbers and fact.as_text else value

    def _value(self, shape: Shape, fact: Facts, scene: Scene) -> Json:
        rng = scene.rng
        if fact.type in ("integer", "float"):
            return amounts.number(shape, fact, scene.label, scene.level, rng)
        if fact.type == "boolean":
            return amounts.boolean(shape, fact, rng)
        if fact.type in ("datetime", "date"):
            at = times.ordered({shape: fact}, scene.since, self.now, rng)
            return times.written(at[shape], fact)
        if fact.type == "json":
            return amounts.decoded(fact.example)
        texts = [hint for hint in shape.hints if isinstance(hint, str)]
        if texts and (not fact.values or set(texts) <= set(fact.values)) and rng.random() < 0.6:
            return rng.choice(texts)
        if fact.values:
            named = scene.number is not None and re.search(r"name|title|label|key|metric|type|id|check", fact.what)
            if named and scene.number is not None and scene.number < len(fact.values):
                return fact.values[scene.number]
            return rng.choices(fact.values, fact.weights())[0]
        return self._text(fact, scene)

    def _text(self, fact: Facts, scene: Scene) -> str:
        rng, abouts = scene.rng, (fact.what, *fact.aka)
        example = fact.example if isinstance(fact.example, str) else None
        said = vocabulary.say(abouts, scene.of, rng) or vocabulary.say(abouts, self.noun, rng)
        other = self._like(example, rng) if example else vocabulary.coin(self.noun, rng)
        # An identifier keeps the vendor's form; anything else reads better in words of its own.
        formed = example is not None and bool(re.search(r"\d{3}|.[/:]", example)) and example[0] != "/"
        first, second = (other, said or other) if formed or said is None else (said, other)
        if not fact.regex:
            return first
        fits = [text for text in (first, second, example or "") if re.search(fact.regex, text)]
        return fits[0] if fits else matching(fact.regex, rng) or first

    def _said(self, fact: Facts, rng: Random) -> str:
        return vocabulary.say((fact.what, *fact.aka), self.noun, rng) or vocabulary.coin(self.noun, rng)

    def _like(self, example: str, rng: Random) -> str:
        """Another text of the example's form; what it says of the parent is true."""
        pieces = vocabulary.like(example, rng).split("/")
        if "://" in example or len(pieces) < 3:
            return "/".join(pieces)
        for words, value in self.around:
            above = value.split("/")
            if len(above) > 2 and above[::2] == pieces[: len(above) : 2]:
                pieces[: len(above)] = above
            if len(above) > 1:
                continue
            for at in range(0, len(pieces) - 2, 2):
                if vocabulary.noun(pieces[at]) in words:
                    pieces[at + 1] = value
        return "/".join(pieces)


def _first(field: tuple[str, Shape]) -> int:
    """Names before other values, those before what holds others: as people write."""
    name, shape = field
    return 0 if name in ("name", "id") else 1 if shape.kind == "leaf" else 2
