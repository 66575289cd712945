"""The pages of every unit, fetched by a pool of threads until their paginators say stop, each kept at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event

from engine.core import jsontext
from engine.core.clock import Clock
from engine.core.errors import CollectionError, Json, Stopped
from engine.core.events import EndpointEnded, EndpointStarted, Sink, Skipped, UnitEnded
from engine.flow.again import Earlier
from engine.flow.ahead import LISTEN_SECONDS
from engine.flow.fetch import Fetcher, Route
from engine.flow.files import Files
from engine.flow.ledger import Collection, Ledger, UnitRecord
from engine.flow.limits import Deadline
from engine.flow.plan import Asked, Plan, below
from engine.flow.pool import Pool
from engine.flow.raw import kept_synced
from engine.flow.store import Lanes, Store
from engine.flow.sweep import Progress, Sweep, record_of
from engine.flow.unit import UNREADABLE, Collecting, named
from engine.flow.units import RunInfo, State, Unit, Units

Ended = tuple[Sweep, Unit, Future[Progress]]
GRACE_SECONDS = 5.0
"""So long behind the deadline a unit that ends by itself, with better words, is waited for."""


@dataclass
class Crawler:
    """Collects the endpoints of a plan into the store; what was kept stays kept whatever happens."""

    plan: Plan
    run: RunInfo
    store: Store
    ledger: Ledger
    fetcher: Fetcher
    routes: Mapping[str, Route]
    clock: Clock
    emit: Sink
    concurrency: int
    files: Files
    rows: Callable[[str], Iterable[Json]]
    """The rows of a table as it was published when the run began."""
    deadline: Deadline = field(default_factory=Deadline)
    made_up: Callable[[str], Sequence[Json]] | None = None
    """The records of a file endpoint, where the simulator makes them up."""
    units: Units = field(init=False)
    lanes: Lanes = field(init=False)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    """Endpoints whose parents could not be read."""
    running: int = 0
    """How many units were begun and have not ended."""
    ended: SimpleQueue[Ended] = field(default_factory=SimpleQueue)
    over: Event = field(default_factory=Event)
    """Set when nobody waits for the units any more."""
    failures: dict[tuple[str, str], CollectionError] = field(default_factory=dict)
    """The first failure of each endpoint and mend; its context counts the units."""

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.store, self.run.id, self.run.fence)
        self.units = Units(self.plan, self.run.id, self.run.started_at, self.store, self.ledger, self.rows)

    def crawl(self) -> list[Collection]:
        """Collect and seal every endpoint, each as soon as its parents are done; gives what was sealed."""
        sealed: dict[str, Collection] = {}
        waiting, pool, ahead = list(self.plan.endpoints), Pool(self.concurrency), Pool(self.concurrency, "ahead")
        collecting = self._collecting(ahead)
        with kept_synced(self.lanes.open):
            try:
                while waiting or self.running:
                    for asked in [one for one in waiting if all(need in sealed for need in one.needs)]:
                        waiting.remove(asked)
                        sweep = self._begin(asked, sealed)
                        for unit in sweep.units:
                            self.running += 1
                            future = pool.submit(partial(collecting.collect, sweep, unit))
                            future.add_done_callback(partial(self._put, sweep, unit))
                        self._end_if_done(sweep, sealed)
                    if self.running:
                        sweep, unit, made = self._next()
                        sweep.ended[unit.name] = made.result()
                        self.emit(UnitEnded(sweep.asked.name))
                        self._end_if_done(sweep, sealed)
            finally:
                self.over.set()
                pool.close()
                ahead.close()
                self.lanes.close_all()
        self._release(sealed)
        return [sealed[asked.name] for asked in self.plan.endpoints]

    def _collecting(self, ahead: Pool) -> Collecting:
        return Collecting(
            plan=self.plan,
            run=self.run,
            lanes=self.lanes,
            earlier=Earlier(self.store, self.ledger, self.plan.pipeline.tool),
            fetcher=self.fetcher,
            routes=self.routes,
            clock=self.clock,
            emit=self.emit,
            files=self.files,
            ahead=ahead,
            most_ahead=lambda: self.concurrency // max(1, self.running) - 1,
            heed=self._heed,
            made_up=self.made_up,
        )

    def _put(self, sweep: Sweep, unit: Unit, made: Future[Progress]) -> None:
        self.ended.put((sweep, unit, made))

    def _release(self, sealed: Mapping[str, Collection]) -> None:
        """Move the marks of endpoints that others are repeated for, but where something below them is missing."""
        for name, sweep in self.sweeps.items():
            under = below(self.plan.pipeline, name)
            if not under or any(one not in sealed or one in self.unread for one in under):
                continue
            missing = (unit for one in under for unit in self.sweeps[one].lost())
            lost = {self.plan.partition(name, unit.binding) for unit in missing}
            self.ledger.move(self.plan.pipeline.tool, name, sweep.moved(lost))

    def _next(self) -> Ended:
        """The next unit that ended; raises a stop, and gives units up, also while all of them hang."""
        while not self.over.is_set():
            with suppress(Empty):
                found = self.ended.get(timeout=LISTEN_SECONDS)
                self.running -= 1
                return found
            self.clock.wait(0)
            if self.clock.now() > self.deadline.at + GRACE_SECONDS:
                self.over.set()
        self.running -= 1
        return self._given_up()

    def _given_up(self) -> Ended:
        """A unit that has not ended in time, as it is sealed."""
        sweep = next(one for one in self.sweeps.values() if len(one.ended) < len(one.units))
        unit = next(one for one in sweep.units if one.name not in sweep.ended)
        failure = self.deadline.passed("what is still under way")
        future: Future[Progress] = Future()
        future.set_result(Progress(missing=named(unit, failure.message), failure=failure))
        return sweep, unit, future

    def _begin(self, asked: Asked, sealed: Mapping[str, Collection]) -> Sweep:
        parents = [sealed[need] for need in asked.needs]
        above = [f"it is repeated for {parent.endpoint}, which is incomplete" for parent in parents if parent.missing]
        try:
            units = [] if asked.skipped else list(self.units.of(asked))
        except UNREADABLE as error:
            units, above = [], [*above, f"its parents cannot be read: {error}"]
            self._note_failure(asked.name, error, {})
            self.unread.add(asked.name)
        left_out = [] if units else [text for parent in parents for text in parent.skipped]
        state = self.units.states.get(asked.name, State())
        sweep = Sweep(asked, units, self.run, state, above=tuple(above), left_out=tuple(left_out))
        self.sweeps[asked.name] = sweep
        if asked.skipped:
            self.emit(Skipped(asked.name, "endpoint", asked.skipped))
        self.emit(EndpointStarted(asked.name, len(units)))
        self.ledger.note_units(
            self.run.id, asked.name, [UnitRecord(unit.name, jsontext.plain(unit.binding)) for unit in units]
        )
        return sweep

    def _end_if_done(self, sweep: Sweep, sealed: dict[str, Collection]) -> None:
        if len(sweep.ended) < len(sweep.units) or sweep.asked.name in sealed:
            return
        pages = sum(progress.pages for progress in sweep.ended.values())
        rows = sum(progress.rows for progress in sweep.ended.values())
        name = sweep.asked.name
        if rows == 0 and not sweep.missing and not sweep.skipped:
            sweep.above += self._emptied(sweep.asked)
        if sweep.stopped and pages:  # what came is not all, and must not stand for all
            sweep.above += (sweep.stopped,)
            fix = "what came before is kept; where the answer is about one unit alone, say scope: unit"
            self._note_failure(name, CollectionError(sweep.stopped, fix), {})
        collection = Collection(self.run.id, name, not sweep.missing, rows, pages, sweep.missing, sweep.skipped)
        for unit in sweep.units:
            if (failure := (progress := sweep.ended[unit.name]).failure) is not None:
                self._note_failure(name, failure, {"page": progress.pages, "request": progress.request})
        self.ledger.note_units(self.run.id, name, [record_of(unit, sweep.ended[unit.name]) for unit in sweep.units])
        self.lanes.close(name)
        marks = sweep.seen() if below(self.plan.pipeline, name) else sweep.marks()
        self.ledger.seal(self.plan.pipeline.tool, collection, marks, forget=sweep.forget())
        sealed[name] = collection
        self.emit(EndpointEnded(name, pages, rows, sweep.missing))

    def _emptied(self, asked: Asked) -> tuple[str, ...]:
        """A full read that finds nothing where there was something: the vendor is more likely wrong than empty."""
        if asked.endpoint.may_be_empty or self.plan.is_partial(asked.name):
            return ()
        before = self.ledger.rows_before(self.plan.pipeline.tool, asked.name)
        if not before:
            return ()
        text = f"no records came, where the last complete collection had {before:,}"
        self._note_failure(asked.name, CollectionError(text, "if it may be empty, say may_be_empty: true"), {})
        return (text,)

    def _heed(self) -> None:
        """Raise Stopped where the run shall end, or has ended without this unit."""
        self.clock.wait(0)
        if self.over.is_set():
            raise Stopped("the run has ended")

    def _note_failure(self, endpoint: str, error: Exception, context: Mapping[str, Json]) -> None:
        """Keep the first failure of each kind, with its place, and count the others."""
        failure = error if isinstance(error, CollectionError) else CollectionError(str(error))
        fix = failure.fix or str(getattr(error, "fix", ""))
        known = self.failures.get((endpoint, fix))
        if known is None:  # a copy: a refused sign-in raises the same error for every unit
            context = {"endpoint": endpoint, **context, **failure.context, "units": 1}
            known = CollectionError(failure.message, fix, failure.mark, context).with_traceback(error.__traceback__)
            self.failures[endpoint, fix] = known
        else:
            known.context = {**known.context, "units": known.context["units"] + 1}
