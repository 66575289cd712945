"""Where a run goes on that was interrupted, and what one that completes another still has to ask for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.core.events import Resumed
from engine.flow.began import Written, chain, ended, written
from engine.flow.lease import Fence
from engine.flow.ledger import Collection, Ledger, UnitRecord
from engine.flow.plan import Asked, Plan
from engine.flow.store import Lanes, Place, Store
from engine.flow.sweep import Progress, Sweep
from engine.flow.units import RunInfo, State, Unit

NOTE_SECONDS = 1.0
"""So often is written down which units ended: a kill behind it reads nothing of them again."""


@dataclass
class Resume:
    """What is written down and kept of a run, and of those whose gaps it fills."""

    plan: Plan
    run: RunInfo
    store: Store
    ledger: Ledger
    fence: Fence
    every: Sequence[Collection] = field(init=False)
    """The sealed collections of the tool when the run began or went on."""
    sealed: dict[str, Collection] = field(init=False)
    """Those of this run."""
    runs: tuple[str, ...] = field(init=False)
    """The run, behind those whose gaps it fills."""
    _begun: dict[str, Written] = field(default_factory=dict)
    _kept: dict[str, list[Place]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.every = self.ledger.collections(self.plan.pipeline.tool)
        self.sealed = {one.endpoint: one for one in self.every if one.run == self.run.id}
        self.runs = (*lineage(self.ledger, self.run.completes), self.run.id)

    def take_over(self) -> Resumed | None:
        """Make sure that nobody else adds to what this run kept; says how far it is, where it goes on."""
        for asked in self.plan.endpoints:
            found = written(self.ledger, self.run.id, asked.name)
            if found is None:
                self.store.disown(asked.name, self.run.id, self.fence)
                continue
            self._begun[asked.name] = found
            if asked.name not in self.sealed:
                self._kept[asked.name], flaws = self.store.take_over(asked.name, self.run.id, self.fence)
                found[0].told.extend(flaws)
        if not self._begun:
            return None
        pages = [one.pages for one in self.sealed.values()]
        pages += [sum(_is_page(place) for place in places) for places in self._kept.values()]
        return Resumed(self.run.id, len(self.sealed), len(self.plan.endpoints), sum(pages))

    # --- endpoints

    def begun(self, asked: Asked) -> Sweep | None:
        """An endpoint that this run had begun before; what ended is as it was."""
        if asked.name not in self._begun:
            return None
        state, units, done = self._begun[asked.name]
        sweep = Sweep(asked, units, self.run, state, ended=done)
        if asked.name not in self.sealed:
            before = self.base(asked.name)
            self._go_on(sweep, self._below(asked.name) if before else None)
        sweep.stopped = next((one.stops for one in sweep.ended.values() if one.stops), "")
        return sweep

    def base(self, endpoint: str) -> Collection | None:
        """What was collected of an endpoint by the runs whose gaps this one fills."""
        found = [one for one in self.every if one.endpoint == endpoint and one.run in self.runs[:-1]]
        return found[-1] if found else None

    def as_it_was(self, asked: Asked, base: Collection) -> Sweep:
        """An endpoint that is whole, of an earlier run."""
        state, units, done = written(self.ledger, base.run, asked.name) or (State(), [], {})
        return Sweep(asked, units, self.run, state, ended=done)

    def incomplete(self, asked: Asked, base: Collection) -> Sweep:
        """An endpoint of which something is missing: its units are those of then, and of what came nothing is asked."""
        sweep = self.as_it_was(asked, base)
        for name, progress in sweep.ended.items():
            sweep.ended[name] = replace(progress, before=(progress.pages, progress.rows))
        self._go_on(sweep, {name: one for name, one in sweep.ended.items() if one.missing})
        sweep.ended = {name: one for name, one in sweep.ended.items() if name not in sweep.earlier}
        return sweep

    def _below(self, endpoint: str) -> dict[str, Progress]:
        base = self.base(endpoint)
        _, _, done = (base and written(self.ledger, base.run, endpoint)) or (None, None, {})
        return {name: one for name, one in done.items() if one.missing}

    def _go_on(self, sweep: Sweep, earlier: dict[str, Progress] | None) -> None:
        """Put what was kept to the units that have not ended; one whose pages are gone has not."""
        name, pages = sweep.asked.name, Counter[tuple[str, int]]()
        sweep.earlier = earlier or {}
        places = [place for run in self.runs[:-1] for place in self.store.heads(name, run)]
        places += self._kept.pop(name, [])
        for place in places:
            pages[place[2].unit, place[2].sweep] += _is_page(place)
        sweep.ended = {unit: one for unit, one in sweep.ended.items() if pages[unit, one.sweep] == one.pages}
        for place in places:
            unit = place[2].unit
            if unit not in sweep.ended or unit in sweep.earlier:
                sweep.kept.setdefault(unit, []).append(place)

    def rows_before(self, endpoint: str) -> int:
        """How many records the last complete collection of an endpoint had, with those whose gaps it filled."""
        sealed = [one for one in self.every if one.endpoint == endpoint]
        whole = [one for one in sealed if one.complete]
        runs = chain(sealed, whole[-1]) if whole else []
        return sum(one.rows for one in sealed if one.run in runs)


def _is_page(place: Place) -> bool:
    return not (place[2].aside or place[2].settles)


def unfinished(ledger: Ledger, tool: str, run: str) -> list[str]:
    """The endpoints that a run left incomplete."""
    return [one.endpoint for one in ledger.collections(tool) if one.run == run and not one.complete]


def lineage(ledger: Ledger, run: str) -> list[str]:
    """A run behind those whose gaps it fills, oldest first; none where there is no run."""
    found: list[str] = []
    while run:
        found.insert(0, run)
        record = ledger.run(run)
        run = record.completes if record else ""
    return found


def overtaken(ledger: Ledger, tool: str, run: str) -> tuple[str, str] | None:
    """The newest run that collected something since of what a run did, or those whose gaps it fills, and what.

    Behind it nothing is completed any more: what came then is newer, and would be read or taken twice.
    """
    every, mine = ledger.collections(tool), lineage(ledger, run)
    names = {one.endpoint for one in every if one.run in mine}
    later = [one for one in every if one.endpoint in names and one.run > mine[0] and one.run not in mine]
    return (later[-1].run, later[-1].endpoint) if later else None


@dataclass
class Noting:
    """Writes down which units ended, some at a time, when their pages are safe."""

    ledger: Ledger
    lanes: Lanes
    run: str
    _waiting: dict[str, dict[str, UnitRecord]] = field(default_factory=dict)
    _at: float = field(default_factory=time.monotonic)

    def add(self, unit: Unit, progress: Progress) -> None:
        """A unit ended."""
        self._waiting.setdefault(unit.endpoint, {})[unit.name] = ended(unit, progress)

    def take(self, endpoint: str) -> list[UnitRecord]:
        """Those of an endpoint that are not written down yet, to be sealed with it."""
        return list(self._waiting.pop(endpoint, {}).values())

    def write_some(self) -> None:
        """Write them down, about once a second. Raises StorageError, and LeaseLost where somebody took over."""
        if not self._waiting or time.monotonic() < self._at + NOTE_SECONDS:
            return
        waiting, self._waiting = self._waiting, {}
        self.lanes.sync()
        for endpoint, units in waiting.items():
            self.ledger.note_units(self.run, endpoint, units.values())
        self._at = time.monotonic()
