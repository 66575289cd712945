"""The pages of every unit, fetched by a pool of threads until their paginators say stop, each kept at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty
from threading import Event

from engine.core import jsontext, select
from engine.core.clock import Clock, rfc3339
from engine.core.errors import CollectionError, ConfigError, Json, Mistake, Stopped
from engine.core.events import EndpointEnded, EndpointStarted, PageKept, Sink, Skipped, UnitEnded
from engine.core.kinds import Cursor
from engine.core.wire import Page, Request
from engine.flow.answer import decoded, redacted, skip_of, times, with_records
from engine.flow.fetch import Fetcher, Route
from engine.flow.files import Files, NoFile, as_pieces
from engine.flow.guard import Guard
from engine.flow.ledger import Collection, Ledger, UnitRecord, Watermarks
from engine.flow.plan import Asked, Plan, below, render
from engine.flow.pool import Pool
from engine.flow.raw import Meta, Segment, Store, kept_synced
from engine.flow.sweep import Progress, Sweep, record_of, until_of
from engine.flow.units import RunInfo, Unit, Units, partitions_above
from engine.spec.model import FileSource, Skip

MOST_SKIPPED_PAGES = 10
"""After so many skipped pages in a row a unit is given up: without a total, an offset has no end of its own."""
LISTEN_SECONDS = 0.2
"""How often a run that waits for its units looks whether it shall stop."""
UNREADABLE = (CollectionError, Mistake, select.SelectError, jsontext.NoJson)


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
    made_up: Callable[[str], Sequence[Json]] | None = None
    """The records of a file endpoint, where the simulator makes them up."""
    units: Units = field(init=False)
    held: dict[str, Watermarks] = field(default_factory=dict)
    """The watermarks of endpoints that others are repeated for: they move when what is below is whole."""
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    """Endpoints whose parents could not be read."""
    over: Event = field(default_factory=Event)
    """Set when nobody waits for the units any more."""
    failures: dict[tuple[str, str], CollectionError] = field(default_factory=dict)
    """The first failure of each endpoint and mend; its context counts the units."""

    def __post_init__(self) -> None:
        self.units = Units(self.plan, self.run.id, self.run.started_at, self.store, self.ledger)

    def crawl(self) -> list[Collection]:
        """Collect and seal every endpoint, each as soon as its parents are done; gives what was sealed."""
        sealed: dict[str, Collection] = {}
        waiting = list(self.plan.endpoints)
        units, open_ = dict[tuple[str, str], tuple[Sweep, Unit]](), set[Segment]()
        pool = Pool[tuple[str, str], Progress](self.concurrency)
        with kept_synced(open_):
            try:
                while waiting or units:
                    for asked in [one for one in waiting if all(need in sealed for need in one.needs)]:
                        waiting.remove(asked)
                        sweep = self._begin(asked, sealed)
                        for unit in sweep.units:
                            units[unit.endpoint, unit.name] = (sweep, unit)
                            pool.submit((unit.endpoint, unit.name), partial(self._unit, sweep, unit, open_))
                        self._end_if_done(sweep, sealed)
                    if units:
                        key, progress = self._next(pool)
                        sweep, unit = units.pop(key)
                        sweep.ended[unit.name] = progress
                        self.emit(UnitEnded(sweep.asked.name))
                        self._end_if_done(sweep, sealed)
            finally:
                self.over.set()
                pool.close()
        self._release(sealed)
        return [sealed[asked.name] for asked in self.plan.endpoints]

    def _release(self, sealed: Mapping[str, Collection]) -> None:
        """Move what was held of endpoints, but for the partitions below which something is missing."""
        for name, marks in self.held.items():
            under = below(self.plan.pipeline, name)
            if any(one not in sealed or one in self.unread for one in under):
                continue
            lost = {above for one in under for unit in self.sweeps[one].lost() for above in partitions_above(unit)}
            moved = {key: value for key, value in marks.items() if key[1] not in lost}
            self.ledger.move(self.plan.pipeline.tool, name, moved)

    def _next(self, pool: Pool[tuple[str, str], Progress]) -> tuple[tuple[str, str], Progress]:
        """The next unit that ended; raises what its thread raised, and a stop also while all units hang."""
        while True:
            with suppress(Empty):
                key, made = pool.done.get(timeout=LISTEN_SECONDS)
                if isinstance(made, BaseException):
                    raise made
                return key, made
            self.clock.wait(0)

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
        sweep = self.sweeps[asked.name] = Sweep(asked, units, above=tuple(above), left_out=tuple(left_out))
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
        if sweep.stopped and pages:  # what came is not all, and must not stand for all
            sweep.above += (sweep.stopped,)
            fix = "what came before is kept; where the answer is about one unit alone, say scope: unit"
            self._note_failure(name, CollectionError(sweep.stopped, fix), {})
        collection = Collection(self.run.id, name, not sweep.missing, rows, pages, sweep.missing, sweep.skipped)
        for unit in sweep.units:
            if (failure := (progress := sweep.ended[unit.name]).failure) is not None:
                self._note_failure(name, failure, {"page": progress.pages, "request": progress.request})
        self.ledger.note_units(self.run.id, name, [record_of(unit, sweep.ended[unit.name]) for unit in sweep.units])
        self.store.sync(name, self.run.id)
        marks = self._watermarks(sweep)
        if below(self.plan.pipeline, name):
            self.held[name], marks = marks, {}
        self.ledger.seal(self.plan.pipeline.tool, collection, marks)
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

    def _watermarks(self, sweep: Sweep) -> Watermarks:
        """What moved: the window of each unit, as far as nothing of it is missing, and its `when_changed` value."""
        moved: Watermarks = {}
        for unit in sweep.units:
            progress = sweep.ended[unit.name]
            if unit.window and (until := until_of(sweep.asked.endpoint.incremental, unit.window, progress)):
                # a record dated in the future must not hide those that come before that time
                moved["window", unit.partition] = rfc3339(min(until, unit.window.end))
            if unit.changed is not None and progress.is_whole:
                moved["changed", unit.partition] = unit.changed
        return moved

    # --- one unit

    def _unit(self, sweep: Sweep, unit: Unit, open_: set[Segment]) -> Progress:
        """Fetch a unit to its end; what goes wrong with the vendor makes it missing, not the run."""
        self._heed()
        progress = Progress()
        if sweep.stopped:
            progress.skipped.append(sweep.stopped)
            return progress
        try:
            segment = self.store.segment(unit.endpoint, self.run.id, unit.name, self.run.fence)
            open_.add(segment)
            try:
                if sweep.asked.endpoint.file:
                    self._files(sweep.asked, sweep.asked.endpoint.file, unit, progress, segment)
                else:
                    self._pages(sweep, unit, progress, segment)
            finally:
                open_.discard(segment)
                segment.close()
        except UNREADABLE as error:
            failure = error if isinstance(error, CollectionError) else _of_request(error, progress.request)
            progress.missing, progress.failure = _named(unit, failure.message), failure
        return progress

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

    def _pages(self, sweep: Sweep, unit: Unit, progress: Progress, segment: Segment) -> None:
        asked, paginator = sweep.asked, sweep.asked.endpoint.paginate
        base, add = self._asking(asked, unit)
        cursor, guard, skipped = (paginator.start() if paginator else None), Guard(), 0
        while True:
            self._heed()  # also where nothing has to wait
            request = paginator.aim(base, cursor) if paginator else base
            progress.request = request.describe()
            page = self.fetcher.fetch(request, self.routes[asked.name])
            self._heed()
            if (skip := skip_of(asked.endpoint, page)) is not None:
                self._note_skip(sweep, progress, skip, page, unit)
                following = paginator.past(cursor, guard.total) if paginator and skip.scope == "page" else None
                skipped += 1
                if following is None:
                    return
                if skipped == max(MOST_SKIPPED_PAGES, guard.total or 0):
                    raise CollectionError(
                        f"{request.describe()}: {skipped} pages in a row were skipped, and more may follow",
                        "name total, where the vendor says how many records there are",
                    )
                cursor = following
                continue
            page = decoded(asked.endpoint, with_records(asked.endpoint, page), self.routes[asked.name].max_bytes)
            skipped = 0
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

    def _files(self, asked: Asked, source: FileSource, unit: Unit, progress: Progress, segment: Segment) -> None:
        """Keep the records of every file, also behind one that cannot be read: that one makes the unit missing."""
        add, problems = self.plan.add(asked, unit.binding, self.run.scope(), unit.window), list[CollectionError]()
        pattern = str(render(source.path, {**self.plan.settings.scope(), "run": self.run.scope()}))
        made_up = self.made_up(asked.name) if self.made_up else None
        for piece in self.files.read(pattern, source) if made_up is None else as_pieces(made_up, asked.name):
            self._heed()
            if isinstance(piece, CollectionError):
                problems.append(piece)
                continue
            page = Page(Request("FILE", piece.source), 200, {}, piece.body, piece.rows)
            progress.request = page.request.describe()
            page = page if piece.is_rows else with_records(asked.endpoint, page)
            page = decoded(asked.endpoint, page, self.routes[asked.name].max_bytes)
            meta = _meta(page, progress.pages, None, 0, add, self.clock.now())
            self._keep(asked, segment, page, meta.of_file(piece.first, piece.letters, is_rows=piece.is_rows))
            self._note_page(asked, page, progress, None, 0)
        if problems and not (asked.endpoint.may_be_empty and isinstance(problems[0], NoFile)):
            raise CollectionError("; ".join(one.message for one in problems), problems[0].fix)

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
        """Write the page: the bytes received, or its records where these are redacted or decoded."""
        body, endpoint = page.body, asked.endpoint
        if endpoint.redact or endpoint.decode_fields:
            body = redacted(endpoint.redact, page.rows)
            meta = meta.rewritten(redacted=bool(endpoint.redact), decoded=bool(endpoint.decode_fields))
        segment.append(meta, body)
        self.emit(PageKept(asked.name, len(page.rows), len(page.body)))

    def _note_page(self, asked: Asked, page: Page, progress: Progress, following: Cursor, repeated: int) -> None:
        progress.pages += 1
        progress.rows += len(page.rows) - repeated
        progress.cursor = following
        incremental = asked.endpoint.incremental
        if incremental and incremental.field:
            progress.see(times(incremental.field, page.rows))

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


def _of_request(error: Exception, request: str) -> CollectionError:
    """What is wrong with an answer, with the request that it answers."""
    text = f"{request}: {error}" if request else str(error)
    return CollectionError(text, getattr(error, "fix", "")).with_traceback(error.__traceback__)
