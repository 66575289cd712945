"""All records of a made-up vendor, in the order of their relations; the same seed makes the same world."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from engine.author.simulate import binding, plant, vocabulary
from engine.author.simulate.facts import BAD_WORDS, Facts, facts
from engine.author.simulate.form import Form, form, twins
from engine.author.simulate.judge import Judge, rows_of
from engine.author.simulate.make import Maker, Pick, Scene
from engine.author.simulate.shape import Shape
from engine.core import select
from engine.core.errors import CollectionError, Json
from engine.core.times import first_instant
from engine.core.window import Window
from engine.flow.plan import Asked, Binding, Origins, Plan, render
from engine.spec.collect import Endpoint

DAY = 86_400.0
PAST_DAYS = 700
FEW = ("environment", "env", "group", "region", "organization", "account", "tenant", "workspace", "flow", "team")
SPARSE = ("action", "rule", "control", "exception", "policy")
"""Of these a parent has a few, or none; the first has some and the second none, so that both are seen."""
ROUNDS = 12
EVERY = 60
"""About so many records in all below the records of a parent."""


@dataclass(frozen=True)
class Unit:
    """The records of one endpoint for one parent."""

    asked: Asked
    binding: Binding
    rows: tuple[Json, ...]
    """As they are served."""
    add: Mapping[str, Json]
    """What the engine puts into each of them."""

    @property
    def whole(self) -> list[Json]:
        """The records with what the engine adds."""
        return [_with(row, self.add) for row in self.rows]


Born = tuple[Json, float]
"""A record, and when it began."""


@dataclass
class World:
    """Makes and keeps the records of every endpoint of a plan."""

    plan: Plan
    seed: int
    now: float
    read: Callable[[str], bytes] | None = None
    published: Callable[[str], Iterable[Json]] = lambda table: ()
    """The rows of a table, as published when the run starts."""
    units: dict[str, list[Unit]] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    _judges: dict[str, Judge] = field(default_factory=dict)
    _rows: dict[str, list[Pick]] = field(default_factory=dict)
    _facts: dict[Shape, Facts] = field(default_factory=dict)
    _taken: dict[tuple[str, str], set[Json]] = field(default_factory=dict)
    _served: dict[str, list[Born]] = field(default_factory=dict)
    """Request, or the name of a unit that no twin asks for -> the records."""

    def build(self) -> World:
        """Make everything."""
        pipeline = self.plan.pipeline
        constants = {f"param.{name}": value for name, value in self.plan.settings.params.items()}
        started = datetime.fromtimestamp(self.now, UTC)
        constants |= {"run.started_at": started, "run.id": "simulated"}
        for name, table in pipeline.tables.items():
            if table.from_:
                self._judges[name] = Judge(name, table, constants, started, self.read)
        asked = {one.name: one for one in self.plan.endpoints if not one.skipped}
        for name in asked:
            self.forms[name] = form(pipeline, name, self._judges)
            self.forms[name].since = self._since(asked[name].endpoint)
        for name in order(self.plan, set(asked)):
            self._make(asked[name])
        records = {n: [(row, unit.add) for unit in units for row in unit.rows] for n, units in self.units.items()}
        plant.plant(self.forms, records, self._judges, str(self.seed))
        return self

    # --- one endpoint

    def _make(self, asked: Asked) -> None:
        made = self.forms[asked.name]
        found = self._bindings(asked)
        bound = [(one, binding.settled(self.plan, made, asked, one, self._known(made))) for one in found]
        is_twin = any(twins(self.plan.pipeline, asked.name, other) for other in self.forms)
        self.units[asked.name] = []
        for number, (parent, settled) in enumerate(bound):
            rng = Random(f"{self.seed} {asked.name} {json.dumps(parent, sort_keys=True, default=str)}")
            add = self._add(asked, parent)
            count = self._count(made, len(bound), number, rng)
            if any(isinstance(value, str) and BAD_WORDS.fullmatch(value) for value in settled.values.values()):
                count = max(1, count // 3)  # an endpoint that asks for what is revoked, and the like
            request = self._asks(asked, parent) if is_twin else f"{asked.name} {number}"
            if request not in self._served:
                self._served[request] = self._unit(made, settled, count, rng, add)
            rows = self._served[request]
            unit = Unit(asked, parent, tuple(row for row, _ in rows), add)
            self.units[asked.name].append(unit)
            for table in self.plan.pipeline.table_of(asked.name):
                picks = self._rows.setdefault(table, [])
                for record, (_, born) in zip(unit.whole, rows, strict=True):
                    picks += [Pick(row, born) for row in rows_of(self._judges[table].table, record)]

    def _unit(
        self, made: Form, settled: binding.Settled, count: int, rng: Random, add: Mapping[str, Json]
    ) -> list[Born]:
        """The records of one unit; those that break a rule are made again, and left out if that does not help."""
        known = self._known(made)
        maker = Maker(made.noun, self.now, known, self._picks, self._named, self._taken, self._days(made))
        maker.around, maker.busy = settled.around, rng.lognormvariate(0, 0.6)
        partners = settled.partners(self._rows)
        if partners:
            rng.shuffle(partners)
            count = max(1, round(len(partners) * 0.92))
        used: dict[str, set[int]] = {}

        def record(at: int) -> Born:
            bound = {**settled.values, **(partners[at] if partners else {})}
            maker.earliest = self.now
            value = maker.make(made.record, Scene(rng, made.since, bound, used=used if made.endpoint.for_each else {}))
            if isinstance(value, dict):
                value = {name: one for name, one in value.items() if name not in add}
            return made.envelope.seen(value), maker.earliest

        rows = [record(at) for at in range(count)]
        for _ in range(ROUNDS):
            wrong = self._wrong(made, [_with(row, add) for row, _ in rows])
            if not wrong:
                return rows
            for at in wrong:
                rows[at] = record(at)
        wrong = self._wrong(made, [_with(row, add) for row, _ in rows], errors_only=True)
        return rows if made.one else [row for at, row in enumerate(rows) if at not in wrong]

    def _wrong(self, made: Form, records: list[Json], *, errors_only: bool = False) -> list[int]:
        """Which records break a rule of a table that is made of them."""
        wrong: set[int] = set()
        for name in made.tables:
            judge = self._judges[name]
            rows, owner = [], []
            for at, record in enumerate(records):
                for row in rows_of(judge.table, record):
                    rows.append(row)
                    owner.append(at)
            for rule, _, numbers in judge.failing(rows):
                # A warning on a part of the records is what that part is there to show.
                if rule.level == "error" or not (errors_only or judge.table.where):
                    wrong |= {owner[number] for number in numbers}
            for columns in judge.unique():
                wrong |= _repeated(rows, owner, columns)
            for contract in judge.contracts:
                wrong |= {at for at, record in enumerate(records) if contract.check(record) is not None}
        return sorted(wrong)

    # --- what surrounds a record

    def _asks(self, asked: Asked, parent: Binding) -> str:
        """What a unit asks for: a twin that asks for the same gets the same records."""
        end = datetime.fromtimestamp(self.now, UTC)
        return self.plan.request(asked, parent, {"id": "simulated", "started_at": end}, Window(end, end)).fingerprint

    def _bindings(self, asked: Asked) -> list[Binding]:
        """The binding of each unit, as the crawler makes it, with whole parent records; groups one by one."""
        origins = Origins(self._records, self.published, self.plan.settings.params)
        groups = [alias for alias, parent in asked.parents.items() if parent.group]
        try:
            found = [dict(binding) for binding, _ in asked.bindings(origins, whole=True)]
        except (select.SelectError, CollectionError):
            return []  # the run itself will say what is wrong
        return [{**one, **{alias: [one[alias]] for alias in groups}} for one in found]

    def _records(self, endpoint: str) -> Iterator[tuple[Json, Binding]]:
        return ((record, unit.binding) for unit in self.units.get(endpoint, []) for record in unit.whole)

    def _add(self, asked: Asked, parent: Binding) -> dict[str, Json]:
        end = datetime.fromtimestamp(self.now, UTC)
        return self.plan.add(asked, parent, {"id": "simulated", "started_at": end}, Window(end, end))

    def _count(self, made: Form, units: int, number: int, rng: Random) -> int:
        if made.one:
            return 1
        size = getattr(getattr(made.endpoint.paginate, "size", None), "value", None)
        fewest = self._fewest(made)
        if made.endpoint.for_each:
            if made.noun.endswith(SPARSE):
                return (2, 0)[number] if number < 2 else rng.choice((0, 0, 1, 2, 3))
            count = max(1, min(30, round(EVERY / max(units, 1) * rng.uniform(0.5, 1.5))))
            count = min(count, 1 + fewest // 2) if fewest else count
            return 0 if number and rng.random() < 0.05 else count
        listed = self._names(made)
        if made.children >= 3 or made.noun.endswith(FEW):
            return len(listed) or rng.randint(4, 6)
        if fewest and len(self._referred(made)) == 1:
            return fewest
        several = any(len(self.plan.pipeline.tables[table].from_) > 1 for table in made.tables)
        count = max(rng.randint(32, 58) // (2 if several else 1), len(listed), 6)
        return max(count, size + 5) if size and size <= 50 else count

    def _referred(self, made: Form) -> set[str]:
        """The tables that its records refer to."""
        shapes = [shape for shape in made.record.walk() if shape.kind == "leaf"]
        return {table for shape in shapes for table, _ in self._known(made)(shape).refers if table in self._rows}

    def _fewest(self, made: Form) -> int:
        """How many rows the smallest table has that it refers to, where that is a handful."""
        added = {made.record.fields.get(name) for name in made.endpoint.add}
        shapes = [one for one in made.record.fields.values() if one.kind == "leaf" and one not in added]
        tables = {table for shape in shapes for table, _ in self._known(made)(shape).refers}
        return min((len(self._rows[table]) for table in tables if 0 < len(self._picks(table)) <= 8), default=0)

    def _names(self, made: Form) -> tuple[str, ...]:
        """The values that the page lists for what names a record."""
        for shape in made.record.walk():
            fact = self._known(made)(shape) if shape.kind == "leaf" else None
            if fact and fact.alone and fact.values:
                return fact.values
        return ()

    def _since(self, endpoint: Endpoint) -> float:
        """Where the past begins: at the first window of an endpoint that is asked by windows."""
        said = endpoint.incremental.start if endpoint.incremental else getattr(endpoint.paginate, "begin", None)
        if not said:
            return self.now - PAST_DAYS * DAY
        now = datetime.fromtimestamp(self.now, UTC)
        first = first_instant(str(render(said, self.plan.settings.scope())), now)
        back = (now - first).total_seconds()
        return self.now - max(min(back, PAST_DAYS * DAY), DAY) * 0.98

    def _days(self, made: Form) -> int:
        return max(2, min(30, int((self.now - made.since) / DAY))) if made.endpoint.incremental else 14

    def _known(self, made: Form) -> Callable[[Shape], Facts]:
        def known(shape: Shape) -> Facts:
            if shape not in self._facts:
                self._facts[shape] = facts(shape, made, self._judges)
            return self._facts[shape]

        return known

    def _picks(self, table: str) -> list[Pick]:
        return self._rows.get(table, [])

    def _named(self, word: str) -> tuple[str, str] | None:
        for table, rows in self._rows.items():
            key = self._judges[table].table.key
            thing, said = vocabulary.noun(table).replace(" ", ""), word.replace(" ", "")
            if rows and len(key) == 1 and (said == thing or (said.endswith(thing) and len(thing) > 3)):
                return table, key[0]
        return None


def order(plan: Plan, wanted: set[str]) -> list[str]:
    """Endpoints so that each comes behind its parents and, where that makes no circle, behind what it refers to."""
    tables = plan.pipeline.tables
    needs = {asked.name: set(asked.needs) for asked in plan.endpoints}
    done: list[str] = []
    open_: list[str] = []

    def above(name: str) -> set[str]:
        return {name}.union(*(above(need) for need in needs.get(name, ())))

    def visit(name: str) -> None:
        if name in done or name in open_ or name not in wanted:
            return
        open_.append(name)
        for need in sorted(needs[name]):
            visit(need)
        for table in plan.pipeline.table_of(name):
            for rule in tables[table].validate_:
                reference = rule.refers()
                for other in tables[reference.table].from_ if reference and reference.table in tables else ():
                    if not above(other) & set(open_):
                        visit(other)
        open_.remove(name)
        done.append(name)

    for asked in plan.endpoints:
        visit(asked.name)
    return done


def _with(row: Json, add: Mapping[str, Json]) -> Json:
    return {**row, **add} if isinstance(row, dict) else row


def _repeated(rows: list[dict[str, Json]], owner: list[int], columns: tuple[str, ...]) -> set[int]:
    """The records whose rows repeat the values of an earlier row."""
    seen: dict[str, int] = {}
    wrong: set[int] = set()
    for at, row in enumerate(rows):
        key = json.dumps([row.get(name) for name in columns], default=str)
        if seen.setdefault(key, at) != at:
            wrong.add(owner[at])
    return wrong
