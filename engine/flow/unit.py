"""One unit, fetched to its end and kept: the pages of a list, the files of an export, or files beside the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine.core import jsontext, select
from engine.core.clock import Clock
from engine.core.errors import CollectionError, Json, Mistake
from engine.core.events import Noted, PageKept, Sink, Skipped
from engine.core.kinds import Cursor
from engine.core.window import Window
from engine.core.wire import Page, Request
from engine.flow.again import Again, Earlier
from engine.flow.ahead import Asking
from engine.flow.answer import accepted, decoded, redacted, times, with_records
from engine.flow.fetch import Fetcher, Route
from engine.flow.files import Files, NoFile, as_pieces
from engine.flow.job import Export
from engine.flow.paging import Anew, Left, Paging, Turn
from engine.flow.plan import Asked, Plan, one_of_many, render
from engine.flow.pool import Pool
from engine.flow.raw import Meta, Segment
from engine.flow.store import Lanes
from engine.flow.sweep import Progress, Sweep
from engine.flow.units import RunInfo, Unit
from engine.flow.windows import newest_first, told
from engine.spec.filesource import FileSource

UNREADABLE = (CollectionError, Mistake, select.SelectError, jsontext.NoJson)
Routes = Mapping[str, Route]


@dataclass
class Collecting:
    """What every unit of a run is collected with."""

    plan: Plan
    run: RunInfo
    lanes: Lanes
    earlier: Earlier
    fetcher: Fetcher
    routes: Routes
    clock: Clock
    emit: Sink
    files: Files
    ahead: Pool
    most_ahead: Callable[[], int]
    heed: Callable[[], None]
    """Raises Stopped where the run shall end."""
    made_up: Callable[[str], Sequence[Json]] | None = None
    """The records of a file endpoint, where the simulator makes them up."""

    def collect(self, sweep: Sweep, unit: Unit) -> Progress:
        """Fetch a unit to its end; what goes wrong with the vendor makes it missing, not the run."""
        self.heed()
        progress = Progress()
        if sweep.stopped:
            progress.skipped.append(sweep.stopped)
            return progress
        lane = self.lanes.take(unit.endpoint)
        progress = _Collected(self, sweep, unit, progress, lane).whole()
        self.lanes.give(unit.endpoint, lane)  # not where the disk refused: its last frame may be torn
        return progress


@dataclass
class _Collected:
    """One unit on its way."""

    by: Collecting
    sweep: Sweep
    unit: Unit
    progress: Progress
    lane: Segment
    before: Progress | None = None
    """How far the unit was when it was begun once more."""

    @property
    def asked(self) -> Asked:
        return self.sweep.asked

    @property
    def again(self) -> Again:
        return self.by.earlier.of(self.asked.name, self.asked.endpoint, self.unit.partition)

    def whole(self) -> Progress:
        """Fetch and keep everything; gives how far it came."""
        try:
            source = self.asked.endpoint.file
            if source:
                self._files(source)
            else:
                self._turns(self._export() if self.asked.endpoint.job else self._list())
        except UNREADABLE as error:
            failure = error if isinstance(error, CollectionError) else of_request(error, self.progress.request)
            self.progress = self.before or self.progress
            self.progress.missing, self.progress.failure = named(self.unit, failure.message), failure
        else:
            self._settle()
        return self.progress

    # --- reading a list once more

    def _anew(self) -> None:
        """Keep what comes from here on beside what came before: should this fail, that is better than nothing."""
        self.before = self.before or self.progress
        self.progress = Progress(request=self.progress.request, sweep=self.progress.sweep + 1)

    def _settle(self) -> None:
        """What was read once more is whole: it stands in place of what came before."""
        if self.before:
            progress, now = self.progress, self.by.clock.now()
            said = Meta(page=progress.pages, request=progress.request, fingerprint="", at=now, settles=True)
            self._append(said, b"")

    def _append(self, meta: Meta, body: bytes) -> None:
        self.lane.append(meta.of_unit(self.unit.name, self.progress.sweep), body)

    # --- what is asked

    def _scope(self) -> dict[str, Any]:
        return self.by.plan.scope(self.unit.binding, self.by.run.scope(), self.unit.window)

    def _request(self, window: Window | None) -> Request:
        with one_of_many():
            return self.by.plan.request(self.asked, self.unit.binding, self.by.run.scope(), window)

    def _list(self) -> Iterator[Turn | Left | Anew]:
        return self._paged(self._request, self.by.routes[self.asked.name])

    def _paged(
        self, request_of: Callable[[Window | None], Request], route: Route, *, is_list: bool = True
    ) -> Iterator[Turn | Left | Anew]:
        endpoint, again = self.asked.endpoint, self.again
        paginator = endpoint.paginate.filled(self._scope()) if endpoint.paginate and is_list else None
        span = paginator.span(self.by.run.started_at) if paginator else None

        def fetch(request: Request) -> Page:
            self.by.heed()  # also where nothing has to wait
            return again.answered(self.by.fetcher.fetch(again.aim(request), route))

        paging = Paging(
            paginator=paginator,
            request_of=request_of,
            ask=Asking(fetch, self._note_request, self.by.ahead, self.by.most_ahead, self.by.clock),
            read=lambda page: self._decoded(with_records(endpoint, page)),
            window=(self.unit.window or span) if is_list else None,  # a file has no halves
            told=partial(told, endpoint.incremental),
            ending=partial(newest_first, None if paginator and paginator.timed else endpoint.incremental),
            responses=endpoint.responses,
            scope=self._scope(),
            note=lambda text: self.by.emit(Noted(self.asked.name, text)),
        )
        return paging.turns()

    def _export(self) -> Iterator[Turn | Left | Anew]:
        """The files of a job, each a page; an export that is asked for in pages is paged as any list."""
        job = self.asked.endpoint.job
        assert job
        route = self.by.routes[self.asked.name]
        export = Export(self.by.plan, self.asked, self._scope(), self._success, self.by.clock, self.by.emit)
        ready = export.ready()
        if ready is None:
            return
        page, known = ready
        files = route.of_files(job.fetch.decode, page, signed=job.fetch.auth == "connection")
        if job.fetch.urls is None:
            yield from self._paged(lambda _: export.request(job.fetch, known), files)
            return
        requests = list(export.files(job.fetch, page, known))
        for number, request in enumerate(requests):
            # A file on another host is for whoever has its address: no credential goes there.
            route = files if page and request.origin == page.request.origin else replace(files, session=None)
            for turn in self._paged(partial(_same, request), route, is_list=False):
                last = number == len(requests) - 1
                yield replace(turn, following=number + 1) if isinstance(turn, Turn) and not last else turn

    def _success(self, request: Request, step: str) -> Page:
        """The answer of a request of a job; raises CollectionError for a refusal."""
        self.by.heed()
        self._note_request(request)
        page = self.by.fetcher.fetch(request, self.by.routes[self.asked.name].of_step(step))
        return accepted(self.asked.endpoint, page)

    # --- what is kept

    def _add(self) -> Mapping[str, Json]:
        """The fields put into each record."""
        with one_of_many():
            return self.by.plan.add(self.asked, self.unit.binding, self.by.run.scope(), self.unit.window)

    def _turns(self, turns: Iterator[Turn | Left | Anew]) -> None:
        add = self._add()
        for turn in turns:
            if isinstance(turn, Anew):
                self._anew()
                continue
            if isinstance(turn, Left):
                self._note_left(turn)
                continue
            meta = _meta(turn, self.progress.pages, add, self.by.clock.now())
            self._keep(turn.page, meta)
            self._note_page(turn.page, turn.following, turn.repeated)

    def _files(self, source: FileSource) -> None:
        """Keep the records of every file, also behind one that cannot be read: that one makes the unit missing."""
        asked, by, add, problems = self.asked, self.by, self._add(), list[CollectionError]()
        pattern = str(render(source.path, {**by.plan.settings.scope(), "run": by.run.scope()}))
        made_up = by.made_up(asked.name) if by.made_up else None
        for piece in by.files.read(pattern, source) if made_up is None else as_pieces(made_up, asked.name):
            by.heed()
            if isinstance(piece, CollectionError):
                problems.append(piece)
                continue
            page = Page(Request("FILE", piece.source), 200, {}, piece.body, piece.rows)
            self.progress.request = page.request.describe()
            page = page if piece.is_rows else with_records(asked.endpoint, page)
            page = self._decoded(page)
            meta = _meta(Turn(page, None), self.progress.pages, add, by.clock.now())
            self._keep(page, meta.of_file(piece.first, piece.letters, is_rows=piece.is_rows))
            self._note_page(page, None, 0)
        if problems and not (asked.endpoint.may_be_empty and isinstance(problems[0], NoFile)):
            raise CollectionError("; ".join(one.message for one in problems), problems[0].fix)

    def _decoded(self, page: Page) -> Page:
        route = self.by.routes[self.asked.name]
        mask = route.session.without if route.session else bytes
        return decoded(self.asked.endpoint, page, route.max_bytes, mask)

    def _keep(self, page: Page, meta: Meta) -> None:
        """Write the page: the bytes received, or its records where these are redacted or decoded."""
        endpoint = self.asked.endpoint
        body = page.body if page.received is None else page.received
        meta = self.again.noted(meta, page)
        if endpoint.redact or endpoint.decode_fields:
            body = redacted(endpoint.redact, page.rows)
            meta = meta.rewritten(redacted=bool(endpoint.redact), decoded=bool(endpoint.decode_fields))
        self._append(meta, body)
        self.by.emit(PageKept(self.asked.name, len(page.rows), len(page.body)))

    def _note_request(self, request: Request) -> None:
        self.progress.request = request.describe()

    def _note_page(self, page: Page, following: Cursor, repeated: int) -> None:
        progress, incremental = self.progress, self.asked.endpoint.incremental
        progress.pages += 1
        progress.rows += len(page.rows) - repeated
        progress.cursor = following
        if incremental:
            progress.see(times(incremental, page.rows))

    def _note_left(self, left: Left) -> None:
        say = left.say
        if left.scope == "endpoint":
            self.sweep.stopped = say
        else:
            say = named(self.unit, f"{left.page.request.describe()}: {say}" if left.scope == "page" else say)
        self.progress.skipped.append(say)
        self.by.emit(Skipped(self.asked.name, left.scope, say))


def _same(request: Request, window: Window | None) -> Request:
    return request


def _meta(turn: Turn, number: int, add: Mapping[str, Json], now: float) -> Meta:
    page = turn.page
    return Meta(
        page=number,
        request=page.request.describe(),
        fingerprint=page.request.fingerprint,
        at=now,
        cursor=turn.following,
        last=turn.following is None,
        rows=len(page.rows),
        skip=turn.repeated,
        add=dict(jsontext.plain(add)),
        body=page.request.body,
        coding=page.coding,
    )


def named(unit: Unit, text: str) -> str:
    """A sentence with the partition it is about."""
    if not unit.binding:
        return text
    shown = ", ".join(f"{alias} {jsontext.canonical(value)[:80]}" for alias, value in unit.binding.items())
    return f"{shown}: {text}"


def of_request(error: Exception, request: str) -> CollectionError:
    """What is wrong with an answer, with the request that it answers."""
    text = f"{request}: {error}" if request else str(error)
    return CollectionError(text, getattr(error, "fix", "")).with_traceback(error.__traceback__)
