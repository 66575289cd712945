"""The pages of every unit, fetched by a pool of threads until their paginators say stop, each kept at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime

from engine.core import jsontext, select
from engine.core.clock import Clock, rfc3339
from engine.core.errors import CollectionError, ConfigError, Json, Mistake
from engine.core.events import EndpointEnded, EndpointStarted, PageKept, Sink, Skipped, UnitEnded
from engine.core.kinds import Cursor
from engine.core.wire import Page, Request
from engine.flow.answer import greatest, redacted, skip_of, with_records
from engine.flow.fetch import Fetcher, Route
from engine.flow.guard import Guard
from engine.flow.ledger import Collection, Ledger, UnitRecord
from engine.flow.plan import Asked, Plan, render
from engine.flow.raw import Meta, Segment, Store
from engine.flow.units import RunInfo, Unit, Units
from engine.spec.model import Skip

MOST_SKIPPED_PAGES = 10
"""After so many skipped pages in a row a unit ends: without a total, an offset has no end of its own."""
UNREADABLE = (CollectionError, Mistake, select.SelectError, jsontext.NoJson)


@dataclass
class Progress:
    """How far a unit came."""

    pages: int = 0
    rows: int = 0
    cursor: Cursor = None
    greatest: datetime | None = None
    """The latest time seen in the incremental field."""
    request: str = ""
    """What was asked for last."""
    missing: str = ""
    failure: Exception | None = None
    """What made it missing."""
    skipped: list[str] = field(default_factory=list)


@dataclass
class Sweep:
    """All units of one endpoint in one run."""

    asked: Asked
    units: list[Unit]
    ended: dict[str, Progress] = field(default_factory=dict)
    stopped: str = ""
    """The words with which an answer skipped the endpoint as a whole."""
    above: tuple[str, ...] = ()
    """What its parents are missing, or why it could not be swept at all."""
    left_out: tuple[str, ...] = ()
    """Why its parents were left out, where nothing is left to ask for."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be fetched, in words, each once."""
        own = [progress.missing for progress in self._in_order() if progress.missing]
        return tuple(dict.fromkeys([*self.above, *own]))

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was left out, in the page's own words, each once."""
        own = [text for progress in self._in_order() for text in progress.skipped]
        return tuple(dict.fromkeys([*([self.asked.skipped] if self.asked.skipped else self.left_out), *own]))

    def _in_order(self) -> list[Progress]:
        return [self.ended[unit.name] for unit in self.units if unit.name in self.ended]


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
    units: Units = field(init=False)
    failures: dict[tuple[str, str], CollectionError] = field(default_factory=dict)
    """The first failure of each endpoint and mend; its context counts the units."""

    def __post_init__(self) -> None:
        self.units = Units(self.plan, self.run.id, self.run.started_at, self.store, self.ledger)

    def crawl(self) -> list[Collection]:
        """Collect and seal every endpoint, each as soon as its parents are done; gives what was sealed."""
        sealed: dict[str, Collection] = {}
        waiting = list(self.plan.endpoints)
        running: dict[Future[Progress], tuple[Sweep, Unit]] = {}
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="crawl") as pool:
            try:
                while waiting or running:
                    for asked in [one for one in waiting if all(need in sealed for need in one.needs)]:
                        waiting.remove(asked)
                        sweep = self._begin(asked, sealed)
                        running |= {pool.submit(self._unit, sweep, unit): (sweep, unit) for unit in sweep.units}
                        self._end_if_done(sweep, sealed)
                    if running:
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            sweep, unit = running.pop(future)
                            sweep.ended[unit.name] = future.result()
                            self.emit(UnitEnded(sweep.asked.name))
                            self._end_if_done(sweep, sealed)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [sealed[asked.name] for asked in self.plan.endpoints]

    def _begin(self, asked: Asked, sealed: Mapping[str, Collection]) -> Sweep:
        parents = [sealed[need] for need in asked.needs]
        above = [text for parent in parents for text in parent.missing]
        try:
            units = [] if asked.skipped else list(self.units.of(asked))
        except UNREADABLE as error:
            units, above = [], [*above, f"its parents cannot be read: {error}"]
            self._note_failure(asked.name, error, {})
        left_out = [] if units else [text for parent in parents for text in parent.skipped]
        sweep = Sweep(asked, units, above=tuple(above), left_out=tuple(left_out))
        self.units.remember(units)
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
        collection = Collection(self.run.id, name, not sweep.missing, rows, pages, sweep.missing, sweep.skipped)
        for unit in sweep.units:
            if (failure := (progress := sweep.ended[unit.name]).failure) is not None:
                self._note_failure(name, failure, {"page": progress.pages, "request": progress.request})
        self.ledger.note_units(self.run.id, name, [_record(unit, sweep.ended[unit.name]) for unit in sweep.units])
        self.ledger.seal(self.plan.pipeline.tool, collection, self._watermarks(sweep))
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

    def _watermarks(self, sweep: Sweep) -> dict[tuple[str, str], str]:
        """What moved: the window of each whole unit, and the `when_changed` value it stands for."""
        moved: dict[tuple[str, str], str] = {}
        for unit in sweep.units:
            progress = sweep.ended[unit.name]
            if progress.missing or progress.skipped:
                continue
            if unit.window:
                incremental = sweep.asked.endpoint.incremental
                until = progress.greatest if incremental and incremental.field else unit.window.end
                if until:  # a record dated in the future must not hide those that come before that time
                    moved["window", unit.partition] = rfc3339(min(until, unit.window.end))
            if unit.changed is not None:
                moved["changed", unit.partition] = unit.changed
        return moved

    # --- one unit

    def _unit(self, sweep: Sweep, unit: Unit) -> Progress:
        """Fetch a unit to its end; what goes wrong with the vendor makes it missing, not the run."""
        progress = Progress()
        if sweep.stopped:
            progress.skipped.append(sweep.stopped)
            return progress
        try:
            segment = self.store.segment(unit.endpoint, self.run.id, unit.name, self.run.fence)
            try:
                self._pages(sweep, unit, progress, segment)
            finally:
                segment.close()
        except UNREADABLE as error:
            message = error.message if isinstance(error, (CollectionError, Mistake)) else str(error)
            progress.missing, progress.failure = _named(unit, message), error
        return progress

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

    def _pages(self, sweep: Sweep, unit: Unit, progress: Progress, segment: Segment) -> None:
        asked, paginator = sweep.asked, sweep.asked.endpoint.paginate
        base, add = self._asking(asked, unit)
        cursor, guard, skipped = (paginator.start() if paginator else None), Guard(), 0
        while True:
            self.clock.wait(0)  # a stop is heard here also where nothing has to wait
            request = paginator.aim(base, cursor) if paginator else base
            progress.request = request.describe()
            page = self.fetcher.fetch(request, self.routes[asked.name])
            if (skip := skip_of(asked.endpoint, page)) is not None:
                self._note_skip(sweep, progress, skip, page, unit)
                following = paginator.past(cursor, guard.total) if paginator and skip.scope == "page" else None
                skipped += 1
                if following is None or skipped == MOST_SKIPPED_PAGES:
                    return
                cursor = following
                continue
            page, skipped = with_records(asked.endpoint, page), 0
            following = paginator.after(cursor, page) if paginator else None
            repeated = paginator.repeated(cursor, page) if paginator else 0
            guard.check(request, page, following, paginator, repeated)
            self._keep(asked, segment, page, _meta(page, progress.pages, following, repeated, add, self.clock.now()))
            self._note_page(asked, page, progress, following, repeated)
            if following is None:
                if not progress.skipped:
                    guard.complete(progress.rows, request)
                return
            cursor = following

    def _asking(self, asked: Asked, unit: Unit) -> tuple[Request, Mapping[str, Json]]:
        """The first request of a unit, and the fields put into its records."""
        try:
            return (
                self.plan.request(asked, unit.binding, self.run.scope(), unit.window),
                self.plan.add(asked, unit.binding, self.run.scope(), unit.window),
            )
        except ConfigError as error:  # a name is null in this one record: the other units go on
            raise CollectionError(error.message, error.fix) from None

    def _keep(self, asked: Asked, segment: Segment, page: Page, meta: Meta) -> None:
        """Write the page: the bytes received, or the redacted records where something must not be kept."""
        body = page.body
        if asked.endpoint.redact:
            body, meta = redacted(asked.endpoint.redact, page.rows), meta.as_redacted()
        segment.append(meta, body)
        self.emit(PageKept(asked.name, len(page.rows), len(page.body)))

    def _note_page(self, asked: Asked, page: Page, progress: Progress, following: Cursor, repeated: int) -> None:
        progress.pages += 1
        progress.rows += len(page.rows) - repeated
        progress.cursor = following
        incremental = asked.endpoint.incremental
        if incremental and incremental.field and (seen := greatest(incremental.field, page.rows)):
            progress.greatest = max(seen, progress.greatest or seen)

    def _note_skip(self, sweep: Sweep, progress: Progress, skip: Skip, page: Page, unit: Unit) -> None:
        answer = page.answer if page.body.lstrip().startswith((b"{", b"[")) else {}
        try:
            say = str(render(skip.say, {**self.plan.settings.scope(), **unit.binding, "answer": answer or {}}))
        except ConfigError as error:
            raise CollectionError(f"skip: {error.message}", error.fix) from None
        if skip.scope == "endpoint":
            sweep.stopped = say
        elif skip.scope == "page":
            say = _named(unit, f"{page.request.describe()}: {say}")
        else:
            say = _named(unit, say)
        progress.skipped.append(say)
        self.emit(Skipped(sweep.asked.name, skip.scope, say))


def _meta(page: Page, number: int, cursor: Cursor, repeated: int, add: Mapping[str, Json], now: float) -> Meta:
    return Meta(
        page=number,
        request=page.request.describe(),
        fingerprint=page.request.fingerprint,
        at=now,
        cursor=cursor,
        last=cursor is None,
        rows=len(page.rows),
        skip=repeated,
        add=dict(jsontext.plain(add)),
        body=page.request.body,
    )


def _named(unit: Unit, text: str) -> str:
    """A sentence with the partition it is about."""
    if not unit.binding:
        return text
    shown = ", ".join(f"{alias} {jsontext.canonical(value)[:80]}" for alias, value in unit.binding.items())
    return f"{shown}: {text}"


def _record(unit: Unit, progress: Progress) -> UnitRecord:
    status = "incomplete" if progress.missing else "skipped" if progress.skipped else "succeeded"
    note = progress.missing or "; ".join(progress.skipped)
    return UnitRecord(
        unit.name, jsontext.plain(unit.binding), progress.pages, progress.rows, progress.cursor, status, note
    )
