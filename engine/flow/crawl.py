"""The pages of every unit, fetched by a pool of threads until their paginators say stop, each kept at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event

from engine.core import jsontext
from engine.core.clock import Clock
from engine.core.errors import CollectionError, Json, Stopped
from engine.core.events import EndpointEnded, EndpointStarted, Sink, Skipped, UnitEnded
from engine.flow.again import Earlier
from engine.flow.ahead import LISTEN_SECONDS
from engine.flow.answer import of_request
from engine.flow.began import as_written, chain
from engine.flow.fetch import Fetcher, Route
from engine.flow.files import Files
from engine.flow.lease import ALONE, Fence
from engine.flow.ledger import Collection, Ledger
from engine.flow.limits import Deadline
from engine.flow.pages import Hears, deaf
from engine.flow.plan import Asked, Plan
from engine.flow.pool import Pool
from engine.flow.raw import kept_synced
from engine.flow.resume import Noting, Resume
from engine.flow.store import Lanes, Store
from engine.flow.sweep import Progress, Sweep
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
    fence: Fence = ALONE
    hear: Hears = deaf
    """Hears of each page of a list that is kept."""
    units: Units = field(init=False)
    lanes: Lanes = field(init=False)
    resume: Resume = field(init=False)
    noting: Noting = field(init=False)
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
        self.noting = Noting(self.ledger, self.lanes, self.run.id)
        fence = replace(self.fence, number=self.run.fence)
        self.resume = Resume(self.plan, self.run, self.store, self.ledger, fence)
        self.units = Units(self.plan, self.resume.runs, self.run.started_at, self.store, self.ledger, self.rows)

    def crawl(self) -> list[Collection]:
        """Collect and seal every endpoint, each as soon as its parents are done; gives what was sealed.

        A run that goes on asks for nothing that is kept; one that completes another only for what is missing there.
        """
        if so_far := self.resume.take_over():
            self.emit(so_far)
        sealed: dict[str, Collection] = {}
        waiting, pool, ahead = list(self.plan.endpoints), Pool(self.concurrency), Pool(self.concurrency, "ahead")
        collecting, due, looked = self._collecting(ahead), deque[tuple[Sweep, Unit]](), -1
        with kept_synced(self.lanes.open):
            try:
                while waiting or due or self.running:
                    ready = [one for one in waiting if sealed.keys() >= set(one.needs)] if looked < len(sealed) else []
                    looked = len(sealed)
                    for sweep in self._begin_all(ready, sealed):
                        waiting.remove(sweep.asked)
                        if sweep.asked.name not in sealed:
                            due.extend((sweep, unit) for unit in sweep.units if unit.name not in sweep.ended)
                        self._end_if_done(sweep, sealed)
                    while due and self.running < 2 * self.concurrency:  # more would take kilobytes each
                        self._submit(pool, collecting, *due.popleft())
                    if self.running:
                        sweep, unit, made = self._next()
                        sweep.ended[unit.name] = progress = made.result()
                        self.noting.add(unit, progress)
                        self.emit(UnitEnded(sweep.asked.name))
                        self._end_if_done(sweep, sealed)
            finally:
                self.over.set()
                pool.close()
                ahead.close()
                self.lanes.close_all()
        self._release(sealed)
        return [sealed[one.name] for one in self.plan.endpoints if sealed[one.name].run == self.run.id]

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
            heed_end=self._heed_end,
            made_up=self.made_up,
            hear=self.hear,
        )

    def _submit(self, pool: Pool, collecting: Collecting, sweep: Sweep, unit: Unit) -> None:
        self.running += 1
        future = pool.submit(partial(collecting.collect, sweep, unit))
        future.add_done_callback(partial(self._put, sweep, unit))

    def _put(self, sweep: Sweep, unit: Unit, made: Future[Progress]) -> None:
        self.ended.put((sweep, unit, made))

    def _release(self, sealed: Mapping[str, Collection]) -> None:
        """Move the marks of endpoints that others are repeated for, but where something below them is missing.

        Where a table appends its records, all of its marks or none: they are read once more then, or they are not.
        """
        for name, sweep in self.sweeps.items():
            under = self.plan.below(name)
            if not under or any(one not in sealed or one in self.unread for one in under):
                continue
            missing = (unit for one in under for unit in self.sweeps[one].lost())
            lost = {self.plan.partition(name, unit.binding) for unit in missing}
            if sweep.kinds and not (lost and self.plan.is_appended(name)):
                runs = () if lost else chain(self.resume.every, sealed[name])
                self.ledger.move(self.plan.pipeline.tool, name, sweep.moved(lost), runs)

    def _next(self) -> Ended:
        """The next unit that ended; raises a stop, and gives units up, also while all of them hang."""
        while not self.over.is_set():
            with suppress(Empty):
                found = self.ended.get(timeout=LISTEN_SECONDS)
                self.running -= 1
                self.noting.write_some()
                return found
            self.clock.wait(0)
            self.noting.write_some()
            if self.clock.now() > self.deadline.at + GRACE_SECONDS:
                self.over.set()
        self.running -= 1
        return self._given_up()

    def _given_up(self) -> Ended:
        """A unit that has not ended in time, as it is sealed."""
        sweep = next(one for one in self.sweeps.values() if len(one.ended) < len(one.units))
        unit = next(one for one in sweep.units if one.name not in sweep.ended)
        failure = self.deadline.passed("what is still under way")
        so_far = sweep.under_way.get(unit.name, Progress)()
        future: Future[Progress] = Future()
        future.set_result(replace(so_far, missing=named(unit, failure.message), failure=failure))
        return sweep, unit, future

    def _begin_all(self, ready: Sequence[Asked], sealed: dict[str, Collection]) -> list[Sweep]:
        """The sweeps of endpoints; those that are new are written down together, before anything is asked."""
        new: list[Sweep] = []
        every = [self._begin(asked, sealed, new) for asked in ready]
        if new:
            self.ledger.begin_sweeps(self.run.id, [(one.asked.name, *as_written(one)) for one in new])
        return every

    def _begin(self, asked: Asked, sealed: dict[str, Collection], new: list[Sweep]) -> Sweep:
        """The sweep of an endpoint: as it was written down, with what is new since then, or a new one."""
        base = self.resume.base(asked.name)
        sweep = self.resume.begun(asked)
        is_new = sweep is None
        if sweep is None and base and base.complete:
            sweep, sealed[asked.name] = self.resume.as_it_was(asked, base), base
        elif sweep is None:
            sweep = self.resume.incomplete(asked, base) if base else Sweep(asked, [], self.run)
            self._add_units(sweep)
        self.sweeps[asked.name] = sweep
        self.units.know(asked.name, sweep.units, sweep.state)
        if asked.name in sealed:
            return sweep
        self._look_above(sweep, [sealed[need] for need in asked.needs])
        if asked.name in self.resume.sealed:
            sealed[asked.name] = self.resume.sealed[asked.name]
            self._judge(sweep)
            self._forget_keys(sweep, sealed[asked.name])
            return sweep
        if asked.skipped:
            self.emit(Skipped(asked.name, "endpoint", asked.skipped))
        self.emit(EndpointStarted(asked.name, len(sweep.units)))
        if is_new:
            new.append(sweep)
        for _ in sweep.ended:
            self.emit(UnitEnded(asked.name))
        return sweep

    def _add_units(self, sweep: Sweep) -> None:
        """Make the units of parents that the sweep does not know yet."""
        asked, state = sweep.asked, sweep.state
        number = 1 + max((int(unit.name.partition("-")[0]) for unit in sweep.units), default=-1)
        known = set(state.listed)
        try:
            sweep.units += [] if asked.skipped else list(self.units.of(asked, known, number))
            unread: list[Json] = []
        except UNREADABLE as error:
            failure = error if isinstance(error, CollectionError) else of_request(error, "")
            unread = [failure.message, failure.fix, jsontext.plain(dict(failure.context)), str(error)]
        now = self.units.states.get(asked.name, State())
        now.listed = state.listed | now.listed
        now.begun = state.begun | now.begun
        now.unread = unread
        if asked.endpoint.redact and asked.endpoint.paginate:
            now.key = state.key or "".join(f"{int(self.clock.random() * 2**32):08x}" for _ in range(8))
        sweep.state = now

    def _look_above(self, sweep: Sweep, parents: Sequence[Collection]) -> None:
        """Note what the parents of an endpoint are missing, or why they were left out."""
        above = [f"it is repeated for {parent.endpoint}, which is incomplete" for parent in parents if parent.missing]
        if sweep.state.unread:
            message, fix, context, text = sweep.state.unread
            above.append(f"its parents cannot be read: {text}")
            self._note_failure(sweep.asked.name, CollectionError(message, fix, context=context), {})
            self.unread.add(sweep.asked.name)
        sweep.above = tuple(above)
        sweep.left_out = () if sweep.units else tuple(text for parent in parents for text in parent.skipped)

    def _judge(self, sweep: Sweep) -> None:
        """Note what went wrong with an endpoint whose units have all ended."""
        name, every = sweep.asked.name, sweep.ended.values()
        if not sweep.missing and not sweep.skipped and not any(progress.rows for progress in every):
            sweep.above += self._emptied(sweep.asked)
        if sweep.stopped and any(progress.pages for progress in every):  # what came is not all, and must not stand so
            sweep.above += (sweep.stopped,)
            fix = "what came before is kept; where the answer is about one unit alone, say scope: unit"
            self._note_failure(name, CollectionError(sweep.stopped, fix), {})
        for unit in sweep.units:
            if (failure := (progress := sweep.ended[unit.name]).failure) is not None:
                self._note_failure(name, failure, {"page": progress.pages, "request": progress.request})

    def _end_if_done(self, sweep: Sweep, sealed: dict[str, Collection]) -> None:
        if len(sweep.ended) < len(sweep.units) or sweep.asked.name in sealed:
            return
        self._judge(sweep)
        name = sweep.asked.name
        if sweep.outdated:
            others = f" (and {len(sweep.outdated) - 1:,} more)" if len(sweep.outdated) > 1 else ""
            sweep.state.told.append(f"{name}: {sweep.outdated[0]}{others}")
        pages = sum(progress.pages - progress.before[0] for progress in sweep.ended.values())
        rows = sum(progress.rows - progress.before[1] for progress in sweep.ended.values())
        completes = self.run.completes if self.resume.base(name) else ""
        told = sweep.missing, sweep.skipped, completes
        waits = bool(self.plan.below(name) and sweep.kinds)
        collection = Collection(self.run.id, name, not sweep.missing, rows, pages, *told, released=not waits)
        self.lanes.close(name)
        marks = sweep.seen() if waits else sweep.marks()
        units = self.noting.take(name)
        self.ledger.seal(self.plan.pipeline.tool, collection, marks, units, forget=sweep.forget())
        self._forget_keys(sweep, collection)
        sealed[name] = collection
        self.emit(EndpointEnded(name, pages, rows, sweep.missing))

    def _forget_keys(self, sweep: Sweep, collection: Collection) -> None:
        """What redacted records are known by is worth nothing where no run can go on behind them any more."""
        if not sweep.state.key:
            return
        incomplete = [one.run for one in self.resume.every if one.endpoint == collection.endpoint and not one.complete]
        runs = {*incomplete, self.run.id}.difference(() if collection.complete else self.resume.runs)
        for run in sorted(runs, reverse=True):
            state, _ = self.ledger.sweep(run, collection.endpoint) or (None, [])
            if not state or not state.pop("key", ""):  # nor have those before it
                break
            self.ledger.begin_sweep(run, collection.endpoint, state, ())

    def _emptied(self, asked: Asked) -> tuple[str, ...]:
        """A full read that finds nothing where there was something: the vendor is more likely wrong than empty."""
        if asked.endpoint.may_be_empty or self.plan.is_partial(asked.name):
            return ()
        before = self.resume.rows_before(asked.name)
        if not before:
            return ()
        text = f"no records came, where the last complete collection had {before:,}"
        self._note_failure(asked.name, CollectionError(text, "if it may be empty, say may_be_empty: true"), {})
        return (text,)

    def _heed(self) -> None:
        """Raise Stopped where the run shall end, or has ended without this unit."""
        self.clock.wait(0)
        self._heed_end()

    def _heed_end(self) -> None:
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
