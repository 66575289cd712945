"""The pages of every unit, fetched by a pool of threads until their paginators say stop, each kept at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.core import jsontext, redact, select
from engine.core.clock import Clock, read_instant, rfc3339
from engine.core.errors import CollectionError, ConfigError, Json, Mistake
from engine.core.events import EndpointEnded, EndpointStarted, PageKept, Sink, Skipped, UnitEnded
from engine.core.kinds import Cursor
from engine.core.wire import Page
from engine.flow.fetch import Fetcher, Route
from engine.flow.guard import Guard
from engine.flow.ledger import Collection, Ledger, UnitRecord
from engine.flow.plan import Asked, Plan, render
from engine.flow.raw import Meta, Segment, Store, rows_in
from engine.flow.units import RunInfo, Unit, Units
from engine.spec.model import Skip


@dataclass
class Progress:
    """How far a unit came."""

    pages: int = 0
    rows: int = 0
    cursor: Cursor = None
    greatest: datetime | None = None
    """The latest time seen in the incremental field."""
    missing: str = ""
    skipped: str = ""
    skips_endpoint: bool = False


@dataclass
class Sweep:
    """All units of one endpoint in one run."""

    asked: Asked
    units: list[Unit]
    ended: dict[str, Progress] = field(default_factory=dict)
    stopped: bool = False
    """Set when an answer skipped the endpoint as a whole."""
    inherited: tuple[str, ...] = ()
    """What its parents are missing."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be fetched, in words, each once."""
        own = [self.ended[unit.name].missing for unit in self.units if unit.name in self.ended]
        return tuple(dict.fromkeys([*self.inherited, *(text for text in own if text)]))

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was left out, in the page's own words, each once."""
        own = [self.asked.skipped or "", *(progress.skipped for progress in self.ended.values())]
        return tuple(dict.fromkeys(text for text in own if text))


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
        units = [] if asked.skipped else list(self.units.of(asked))
        inherited = tuple(text for need in asked.needs for text in sealed[need].missing)
        sweep = Sweep(asked, units, inherited=inherited)
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
        collection = Collection(self.run.id, name, not sweep.missing, rows, pages, sweep.missing, sweep.skipped)
        self.ledger.note_units(self.run.id, name, [_record(unit, sweep.ended[unit.name]) for unit in sweep.units])
        self.ledger.seal(self.plan.pipeline.tool, collection, self._watermarks(sweep))
        sealed[name] = collection
        self.emit(EndpointEnded(name, pages, rows, sweep.missing))

    def _watermarks(self, sweep: Sweep) -> dict[tuple[str, str], str]:
        """What moved: the window of each whole unit, and the `when_changed` value it stands for."""
        moved: dict[tuple[str, str], str] = {}
        for unit in sweep.units:
            progress = sweep.ended[unit.name]
            if progress.missing or progress.skipped:
                continue
            if unit.window:
                by_field = sweep.asked.endpoint.incremental and sweep.asked.endpoint.incremental.field
                until = progress.greatest if by_field else unit.window.end
                if until:
                    moved["window", unit.partition] = rfc3339(until)
            if unit.changed is not None:
                moved["changed", unit.partition] = unit.changed
        return moved

    # --- one unit

    def _unit(self, sweep: Sweep, unit: Unit) -> Progress:
        """Fetch a unit to its end; what goes wrong with the vendor makes it missing, not the run."""
        progress = Progress()
        if sweep.stopped:
            return progress
        try:
            segment = self.store.segment(unit.endpoint, self.run.id, unit.name, self.run.fence)
            try:
                self._pages(sweep, unit, progress, segment)
            finally:
                segment.close()
        except (CollectionError, ConfigError, Mistake) as error:
            progress.missing = _named(unit, str(error).split("\n")[0])
        return progress

    def _pages(self, sweep: Sweep, unit: Unit, progress: Progress, segment: Segment) -> None:
        asked, paginator = sweep.asked, sweep.asked.endpoint.paginate
        base = self.plan.request(asked, unit.binding, self.run.scope(), unit.window)
        add = self.plan.add(asked, unit.binding, self.run.scope(), unit.window)
        cursor, guard = (paginator.start() if paginator else None), Guard()
        while True:
            request = paginator.aim(base, cursor) if paginator else base
            page = self.fetcher.fetch(request, self.routes[asked.name])
            if (skip := self._skip(asked, page)) is not None:
                self._note_skip(sweep, progress, skip, page, unit)
                return
            page = self._with_rows(asked, page)
            following = paginator.after(cursor, page) if paginator else None
            repeated = paginator.repeated(cursor, page) if paginator else 0
            guard.check(request, page, following, paginator)
            self._keep(asked, segment, page, _meta(page, progress.pages, following, repeated, add, self.clock.now()))
            progress.pages, progress.rows, progress.cursor = (
                progress.pages + 1,
                progress.rows + len(page.rows) - repeated,
                following,
            )
            self._note_greatest(asked, page, progress)
            if following is None:
                guard.complete(progress.rows, request)
                return
            cursor = following

    def _with_rows(self, asked: Asked, page: Page) -> Page:
        if not 200 <= page.status < 300:
            raise _refused(page)
        rows = rows_in(page.body, asked.endpoint.records) if page.body.strip() else []
        if rows is None:
            if not asked.endpoint.may_be_absent:
                raise CollectionError(
                    f"{page.request.describe()}: the answer has nothing at records: {asked.endpoint.records}",
                    "correct the records path, or say may_be_absent: true if the vendor leaves an empty list out",
                )
            rows = []
        return replace(page, rows=rows)

    def _keep(self, asked: Asked, segment: Segment, page: Page, meta: Meta) -> None:
        """Write the page: the bytes received, or the redacted records where something must not be kept."""
        body = page.body
        if asked.endpoint.redact:
            body, meta = self._redacted(asked, page.rows), meta.as_redacted()
        segment.append(meta, body)
        self.emit(PageKept(asked.name, len(page.rows), len(page.body)))

    def _redacted(self, asked: Asked, rows: Sequence[bytes]) -> bytes:
        records = [jsontext.read(row) for row in rows]
        for rule in asked.endpoint.redact:
            mend = redact.hashed if rule.with_ == "hash" else redact.drop
            records = [redact.redact(record, rule.path, mend) for record in records]
        return jsontext.write(records)

    def _note_greatest(self, asked: Asked, page: Page, progress: Progress) -> None:
        incremental = asked.endpoint.incremental
        if not incremental or not incremental.field:
            return
        seen = [select.compile(incremental.field).search(jsontext.read(row)) for row in page.rows]
        times = [_instant(value, incremental.field) for value in seen if value is not None]
        if times:
            progress.greatest = max([*times, *([progress.greatest] if progress.greatest else [])])

    def _skip(self, asked: Asked, page: Page) -> Skip | None:
        """The first response rule that matches, when it says skip."""
        for rule in asked.endpoint.responses:
            when = rule.when
            statuses = when.status if isinstance(when.status, list) else [when.status]
            if when.status is not None and page.status not in statuses:
                continue
            if any(page.headers.get(name.lower()) != value for name, value in when.header.items()):
                continue
            if when.body and not _body_matches(when.body, page):
                continue
            return rule.skip
        return None

    def _note_skip(self, sweep: Sweep, progress: Progress, skip: Skip, page: Page, unit: Unit) -> None:
        answer = page.answer if page.body.lstrip().startswith((b"{", b"[")) else {}
        say = str(render(skip.say, {**self.plan.settings.scope(), **unit.binding, "answer": answer or {}}))
        progress.skipped = say if skip.scope == "endpoint" else _named(unit, say)
        sweep.stopped = sweep.stopped or skip.scope == "endpoint"
        self.emit(Skipped(sweep.asked.name, skip.scope, progress.skipped))


def _instant(value: Json, path: str) -> datetime:
    try:
        return read_instant(str(value))
    except ValueError:
        raise CollectionError(f'{path} is "{value}", which is no time', "correct incremental.field") from None


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


def _refused(page: Page) -> CollectionError:
    """An answer that is no success, with the vendor's own sentence where it has one."""
    words = ""
    try:
        found = select.compile("error.message || message || error_description || error").search(page.answer)
        words = f": {found}" if isinstance(found, str) else ""
    except (Mistake, select.SelectError):
        pass
    fixes = {
        401: "check the credentials",
        403: "check what the credentials may read",
        404: "check the path and base_url",
    }
    return CollectionError(f"{page.request.describe()}: status {page.status}{words[:300]}", fixes.get(page.status, ""))


def _body_matches(expression: str, page: Page) -> bool:
    try:
        return bool(select.compile(expression).search(page.answer))
    except (Mistake, select.SelectError):
        return False


def _named(unit: Unit, text: str) -> str:
    """A sentence with the partition it is about."""
    if not unit.binding:
        return text
    shown = ", ".join(f"{alias} {jsontext.canonical(value)[:80]}" for alias, value in unit.binding.items())
    return f"{shown}: {text}"


def _record(unit: Unit, progress: Progress) -> UnitRecord:
    status = "incomplete" if progress.missing else "skipped" if progress.skipped else "succeeded"
    note = progress.missing or progress.skipped
    return UnitRecord(
        unit.name, jsontext.plain(unit.binding), progress.pages, progress.rows, progress.cursor, status, note
    )
