"""The units of an endpoint: one for each record of its parent, each with the time span it asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from engine.core import jsontext, select
from engine.core.clock import read_instant
from engine.core.errors import Json, Mistake
from engine.core.values import Duration
from engine.flow.ledger import Ledger
from engine.flow.plan import Asked, Binding, Plan, Window
from engine.flow.raw import Store, rows_of
from engine.spec.model import Incremental


@dataclass(frozen=True)
class RunInfo:
    """What names a run: fixed at its first start."""

    id: str
    started_at: datetime
    fence: int = 1
    simulated: bool = False

    @property
    def mark(self) -> dict[str, str]:
        """What its Parquet files say of themselves."""
        return {"simulated": "true"} if self.simulated else {}

    def scope(self) -> dict[str, Json]:
        """The namespace `run`."""
        return {"id": self.id, "started_at": self.started_at}


@dataclass(frozen=True)
class Unit:
    """One endpoint for one partition: a plain value that another process could take."""

    endpoint: str
    name: str
    """Its place in the plan and a hash of its partition: the name of its segment."""
    partition: str
    """The hash alone: the same partition in the next run."""
    binding: Binding
    window: Window | None = None
    changed: str | None = None
    """The value of `when_changed` it stands for."""


@dataclass
class Units:
    """Makes units from what was kept of their parents in this run."""

    plan: Plan
    run: str
    started_at: datetime
    store: Store
    ledger: Ledger
    _above: dict[tuple[str, str], Binding] = field(default_factory=dict)
    """(endpoint, unit) -> the binding of that unit, for the endpoints below it."""

    def remember(self, units: list[Unit]) -> None:
        """Keep the bindings of units, which the endpoints below them have at hand."""
        self._above |= {(unit.endpoint, unit.name): unit.binding for unit in units if unit.binding}

    def of(self, asked: Asked) -> Iterator[Unit]:
        """One unit for each parent record; a parent named twice, or whose value did not move, has none."""
        tool, seen = self.plan.pipeline.tool, set()
        marks = self.ledger.watermarks(tool, asked.name, "window") if asked.endpoint.incremental else {}
        changed = self.ledger.watermarks(tool, asked.name, "changed")
        for binding, identity, value in self._bindings(asked):
            partition = partition_of(binding)
            key = identity or partition
            if key in seen:
                continue
            seen.add(key)
            if value is not None and changed.get(partition) == value:
                continue
            name = f"{len(seen) - 1:07d}-{partition}"
            window = self._window(asked.endpoint.incremental, marks.get(partition))
            yield Unit(asked.name, name, partition, binding, window, value)

    def _bindings(self, asked: Asked) -> Iterator[tuple[Binding, str, str | None]]:
        """Binding, identity by `by`, and `when_changed` value, for each parent record that is wanted."""
        parent = asked.parent
        if parent is None or asked.alias is None:
            yield {}, "", None
            return
        for source in parent.union or [parent]:
            assert source.endpoint
            moved = parent.when_changed or source.when_changed
            for record, above in self._records(source.endpoint):
                if not all(select.compile(path).search(record) for path in (source.where, parent.where) if path):
                    continue
                take = source.take or parent.take
                taken = select.compile(take).search(record) if take else record
                if taken is None:
                    continue
                fields = taken if isinstance(taken, dict) else {}
                identity = jsontext.canonical([fields.get(name) for name in parent.by]) if parent.by and fields else ""
                value = jsontext.canonical(select.compile(moved).search(record)) if moved else None
                yield {**above, asked.alias: _trim(taken, asked.used.get(asked.alias, frozenset()))}, identity, value

    def _records(self, endpoint: str) -> Iterator[tuple[Json, Binding]]:
        """The kept records of an endpoint in this run, each with the binding of its unit."""
        spec = self.plan.pipeline.endpoints[endpoint]
        for unit, frames in self.store.units(endpoint, self.run):
            binding = self._above.get((endpoint, unit), {})
            for frame in frames:
                for row in rows_of(frame, spec.records):
                    record = jsontext.read(row)
                    yield ({**record, **frame.meta.add} if isinstance(record, dict) else record), binding

    def _window(self, incremental: Incremental | None, mark: str | None) -> Window | None:
        if incremental is None:
            return None
        end = self.started_at
        if mark is None:
            start = first_instant(incremental.start, end)
        else:
            start = read_instant(mark) - incremental.overlap.delta
        return Window(min(start, end), end)


def first_instant(start: str, now: datetime) -> datetime:
    """Where the first window begins: `30d` is so long before now, anything else a time. Raises Mistake."""
    try:
        return now - Duration.read(start).delta
    except Mistake:
        pass
    try:
        return read_instant(start)
    except ValueError:
        raise Mistake("incremental", f'"{start}" is no time and no duration', "write 2026-01-01 or 30d") from None


def _trim(record: Json, used: frozenset[str]) -> Json:
    """The fields of a parent record that are named below it."""
    if "*" in used or not isinstance(record, dict):
        return record
    return {name: record.get(name) for name in sorted(used)}


def partition_of(binding: Binding) -> str:
    """The name of a partition: a hash of the parent records it is about."""
    return hashlib.sha256(jsontext.canonical(binding).encode()).hexdigest()[:16]


def partitions_above(unit: Unit) -> list[str]:
    """The partitions of the units that a unit is repeated for, the outermost first."""
    aliases = list(unit.binding.items())
    return [partition_of(dict(aliases[:depth])) for depth in range(len(aliases))]
