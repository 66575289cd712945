"""The units of an endpoint: one for each combination of its parents and each window of time that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from engine.core import jsontext
from engine.core.clock import read_instant, rfc3339
from engine.core.errors import Json
from engine.core.window import Window
from engine.flow.ledger import Ledger
from engine.flow.marks import basis_of
from engine.flow.plan import Asked, Binding, Origins, Plan, grouped, render
from engine.flow.store import Store
from engine.flow.unpack import kept_rows
from engine.flow.windows import end_of, windows
from engine.spec.foreach import Incremental


@dataclass(frozen=True)
class RunInfo:
    """What names a run: fixed at its first start."""

    id: str
    started_at: datetime
    fence: int = 1
    simulated: bool = False
    completes: str = ""
    """The incomplete run of which this one fetches what is missing."""

    @cached_property
    def at(self) -> str:
        """When it began, as text."""
        return rfc3339(self.started_at)

    @property
    def mark(self) -> dict[str, str]:
        """What its Parquet files say of themselves."""
        return {"simulated": "true"} if self.simulated else {}

    def scope(self) -> dict[str, Json]:
        """The namespace `run`."""
        return {"id": self.id, "started_at": self.started_at}


@dataclass(frozen=True, slots=True)
class Unit:
    """One endpoint for one partition and one window: a plain value that another process could take."""

    endpoint: str
    name: str
    """Its place in the plan and a hash of its partition: the name of its segment."""
    partition: str
    """The hash alone: the same partition in the next run."""
    binding: Binding
    window: Window | None = None
    changed: str | None = None
    """The value of `when_changed` it stands for."""
    members: tuple[str, ...] = ()
    """The partitions that have a mark of their own, where it asks for a group of them."""

    @property
    def marked(self) -> tuple[str, ...]:
        """The partitions whose marks move with it."""
        return self.members or (self.partition,)


@dataclass
class State:
    """What is known of the parents of an endpoint when it is asked, and what is seen of them then."""

    read: dict[str, str] = field(default_factory=dict)
    """Partition -> until when it was read; empty where its parent is known, and nothing was read yet."""
    changed: dict[str, str] = field(default_factory=dict)
    """Partition -> the value of `when_changed` that it was asked at."""
    listed: dict[str, Binding] = field(default_factory=dict)
    """Every partition whose parent is there now, also where nothing is to be asked of it."""
    begun: dict[str, str] = field(default_factory=dict)
    """Parents that are new and read only from now on -> now."""
    spans: dict[str | None, tuple[Window, ...]] = field(default_factory=dict)
    """Mark -> the windows to ask for behind it: most parents have the same."""
    notes: list[str] = field(default_factory=list)
    """Why nothing is asked of a partition, where that is no matter of course."""
    basis: str = ""
    """What its marks rest on from now on."""
    told: list[str] = field(default_factory=list)
    """What the reader of a report must know."""
    key: str = ""
    """Where records are redacted: what makes that nobody can guess them from their digests; gone at the end."""
    unread: list[Json] = field(default_factory=list)
    """Why its parents could not be read: message, mend, context, and all of it as text."""


@dataclass
class Units:
    """Makes units from what was kept of their parents in this run."""

    plan: Plan
    runs: Sequence[str]
    """The run whose records are read, behind those whose gaps it fills."""
    started_at: datetime
    store: Store
    ledger: Ledger
    rows: Callable[[str], Iterable[Json]]
    """The rows of a table as it was published when the run began; raises CollectionError where it was not yet."""
    states: dict[str, State] = field(default_factory=dict)
    """Endpoint -> its state, once its units were made."""
    above: dict[tuple[str, str], Binding] = field(default_factory=dict)
    """(endpoint, unit) -> the binding of that unit, for the endpoints below it."""

    @property
    def notes(self) -> list[str]:
        """What the reader of a report must know of them."""
        return [text for state in self.states.values() for text in state.told]

    def know(self, endpoint: str, units: Iterable[Unit], state: State) -> None:
        """Take the units of an endpoint that were made before."""
        self.states[endpoint] = state
        if self.plan.below(endpoint):
            self.above |= {(endpoint, unit.name): unit.binding for unit in units if unit.binding}

    def of(self, asked: Asked, known: Collection[str] = (), number: int = 0) -> Iterator[Unit]:
        """The units of an endpoint in plan order; parents whose value did not move have none.

        Those of the partitions `known` are left out; the first has the `number`.
        """
        tool, endpoint = self.plan.pipeline.tool, asked.endpoint
        state = self.states[asked.name] = State()
        if endpoint.incremental:
            state.read = self.ledger.watermarks(tool, asked.name, "window")
        state.changed = self.ledger.watermarks(tool, asked.name, "changed")
        self._start_over(asked, state)
        is_group = any(parent.group for parent in asked.parents.values())
        for binding, (spans, changed), members in grouped(asked.parents, self._wanted(asked, state, known)):
            name = self.plan.partition(asked.name, binding)
            marked = tuple(self.plan.partition(asked.name, one) for one in members) if is_group else ()
            for window in spans:
                unit = Unit(asked.name, f"{number:07d}-{name}", name, binding, window, changed, marked)
                number += 1
                yield unit

    def _start_over(self, asked: Asked, state: State) -> None:
        """Take marks for unread that another request than the endpoint's made: it may have more to give."""
        pipeline = self.plan.pipeline
        state.basis = basis_of(pipeline.connection, asked.endpoint)
        outdated = self.ledger.outdated(pipeline.tool, asked.name, state.basis)
        state.read |= dict.fromkeys(state.read.keys() & outdated, "")
        state.changed = {one: value for one, value in state.changed.items() if one not in outdated}
        if outdated:
            how = "it is read from its start again" if asked.endpoint.incremental else "all of it is asked for again"
            state.told.append(f"{asked.name}: its request changed since the last collection; {how}")

    def _wanted(
        self, asked: Asked, state: State, known: Collection[str]
    ) -> Iterator[tuple[Binding, tuple[tuple[Window | None, ...], str | None]]]:
        """Each binding with the windows to ask for and the value of `when_changed`, where there is something to ask."""
        incremental = asked.endpoint.incremental
        for binding, changed in asked.bindings(self._origins):
            partition = self.plan.partition(asked.name, binding)
            if partition in known:
                continue
            state.listed[partition] = binding
            if changed is not None and state.changed.get(partition) == changed:
                continue
            spans = self._windows(asked.name, incremental, partition, state) if incremental else (None,)
            if spans:
                yield binding, (spans, changed)

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self._records, self.rows, self.plan.settings.params)

    def _records(self, endpoint: str) -> Iterator[tuple[Json, Binding]]:
        """The kept records of an endpoint in this run, each with the binding of its unit."""
        spec = self.plan.pipeline.endpoints[endpoint]
        for unit, frames in self.store.units(endpoint, self.runs):
            binding = self.above.get((endpoint, unit), {})
            for frame in frames:
                for row in kept_rows(frame, spec):
                    record = jsontext.read(row)
                    yield ({**record, **frame.meta.add} if isinstance(record, dict) else record), binding

    def _windows(self, name: str, incremental: Incremental, partition: str, state: State) -> tuple[Window, ...]:
        mark = state.read.get(partition)
        if mark is None and state.read and incremental.parents.new == "now":
            state.begun[partition] = rfc3339(end_of(incremental, self.started_at))
            return ()
        if mark not in state.spans:
            until = read_instant(mark) if mark else None
            if until and until > self.started_at and not state.notes:
                fix = f"engine state {self.plan.pipeline.tool} --reset {name}"
                text = f"it was read until {mark}, which this clock has not reached; to read it anew: {fix}"
                state.notes.append(text)
            start = str(render(incremental.start, self.plan.settings.scope()))
            state.spans[mark] = tuple(windows(incremental, start, until, self.started_at))
        return state.spans[mark]
