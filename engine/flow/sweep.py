"""How far the units of an endpoint came in one run, and what that says of the endpoint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.core.clock import read_instant, rfc3339
from engine.core.errors import CollectionError
from engine.core.kinds import Cursor
from engine.core.values import Duration
from engine.flow.ledger import Kind, Mark
from engine.flow.plan import Asked
from engine.flow.store import Place
from engine.flow.units import RunInfo, State, Unit
from engine.flow.windows import reached, until_of

UNASKED = Duration("30d")
"""So long the value of `when_changed` stays of a parent that is no longer listed; without it a request is repeated."""


@dataclass(slots=True)
class Progress:
    """How far a unit came."""

    pages: int = 0
    rows: int = 0
    cursor: Cursor = None
    greatest: datetime | None = None
    """The latest time seen in the incremental field."""
    in_order: bool = True
    """Whether none of these times was before an earlier one."""
    request: str = ""
    """What was asked for last."""
    sweep: int = 0
    """How often it was begun once more."""
    missing: str = ""
    failure: CollectionError | None = None
    """What made it missing."""
    skipped: list[str] = field(default_factory=list)
    stops: str = ""
    """The words with which an answer of it skipped the endpoint as a whole."""
    stale: bool = False
    """Whether what was kept of it leads no further: to fetch what is missing, it is begun anew."""
    before: tuple[int, int] = (0, 0)
    """Pages and rows that an earlier run kept, whose gaps this one fills."""

    @property
    def is_whole(self) -> bool:
        """Whether all came that was asked for."""
        return not self.missing and not self.skipped

    def see(self, times: Sequence[datetime]) -> None:
        """Note the times of a page's records."""
        seen = [*([self.greatest] if self.greatest else []), *times]
        self.in_order = self.in_order and seen == sorted(seen)
        self.greatest = max(seen, default=None)


@dataclass
class Sweep:
    """All units of one endpoint in one run."""

    asked: Asked
    units: list[Unit]
    run: RunInfo
    state: State = field(default_factory=State)
    ended: dict[str, Progress] = field(default_factory=dict)
    outdated: list[str] = field(default_factory=list)
    """Units that are read from their start again, as the vendor does not go on behind what was kept, in words."""
    under_way: dict[str, Callable[[], Progress]] = field(default_factory=dict)
    """Unit -> tells how far it is."""
    stopped: str = ""
    """The words with which an answer skipped the endpoint as a whole."""
    above: tuple[str, ...] = ()
    """What its parents are missing, or why it could not be swept at all."""
    left_out: tuple[str, ...] = ()
    """Why its parents were left out, where nothing is left to ask for."""
    kept: dict[str, list[Place]] = field(default_factory=dict)
    """Unit -> what was kept of it before the run was interrupted, in order; those that ended have nothing here."""
    earlier: dict[str, Progress] = field(default_factory=dict)
    """Unit of which something is missing -> how far it came in the run whose gaps this one fills."""

    def lost(self) -> list[Unit]:
        """The units of which something is missing."""
        return [unit for unit in self.units if unit.name in self.ended and self.ended[unit.name].missing]

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be fetched, in words, each once."""
        own = [progress.missing for progress in self._in_order() if progress.missing]
        return tuple(dict.fromkeys([*self.above, *own]))

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was left out, in the page's own words, each once."""
        own = [text for progress in self._in_order() for text in progress.skipped]
        above = [self.asked.skipped] if self.asked.skipped else self.left_out
        return tuple(dict.fromkeys([*above, *self.state.notes, *own]))

    # --- marks

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of marks that it has."""
        watched = any(source.when_changed for one in self.asked.parents.values() for source in one.sources)
        kinds: list[tuple[Kind, bool]] = [("window", self.asked.endpoint.incremental is not None), ("changed", watched)]
        return [kind for kind, on in kinds if on]

    def seen(self) -> list[Mark]:
        """A mark that moves nothing for every parent that is there."""
        return [self._mark(kind, partition, "") for kind in self.kinds for partition in self.state.listed]

    def marks(self) -> list[Mark]:
        """Both, each partition once."""
        return list({(mark.kind, mark.partition): mark for mark in (*self.seen(), *self.moved())}.values())

    def moved(self, lost: Collection[str] = ()) -> list[Mark]:
        """How far each partition is read now; those `lost` stay where they were."""
        begun = [self._mark("window", partition, now) for partition, now in self.state.begun.items()]
        return [*begun, *self._read(lost), *self._changed(lost)]

    def forget(self) -> str:
        """Marks of parents that no run saw since this time are forgotten; none where not all parents are known."""
        incremental = self.asked.endpoint.incremental
        after = incremental.parents.gone.after if incremental else UNASKED
        if after is None or self.above or self.left_out or self.asked.skipped:
            return ""
        return rfc3339(self.run.started_at - after.delta)

    def _read(self, lost: Collection[str]) -> Iterator[Mark]:
        incremental = self.asked.endpoint.incremental
        spans: dict[str, list[tuple[datetime | None, bool]]] = {}
        for unit in self.units:
            if incremental is None or unit.window is None or unit.partition in lost:
                continue
            progress = self.ended[unit.name]
            greatest = progress.greatest if incremental.field else None
            in_order = progress.in_order and not progress.skipped
            until = until_of(incremental, unit.window, greatest, whole=progress.is_whole, in_order=in_order)
            for partition in unit.marked:
                spans.setdefault(partition, []).append((until, progress.is_whole))
        for partition, untils in spans.items():
            before = self.state.read.get(partition)
            if until := reached(read_instant(before) if before else None, untils):
                yield self._mark("window", partition, rfc3339(until))

    def _changed(self, lost: Collection[str]) -> Iterator[Mark]:
        broken = {unit.partition for unit in self.units if not self.ended[unit.name].is_whole}.union(lost)
        asked = {unit.partition: unit.changed for unit in self.units if unit.partition not in broken}
        return (self._mark("changed", partition, value) for partition, value in asked.items() if value is not None)

    def _mark(self, kind: Kind, partition: str, value: str) -> Mark:
        binding = self.state.listed.get(partition, {})
        return Mark(kind, partition, value, binding, self.run.at, basis=self.state.basis)

    def _in_order(self) -> list[Progress]:
        return [self.ended[unit.name] for unit in self.units if unit.name in self.ended]
