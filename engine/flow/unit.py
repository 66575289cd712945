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
from engine.flow.answer import accepted, decoded, of_request, with_records
from engine.flow.began import progress_as_json, progress_of
from engine.flow.fetch import Fetcher, Route
from engine.flow.files import Files, NoFile, as_pieces
from engine.flow.guard import Unsettled
from engine.flow.job import Export, Failed
from engine.flow.kept import (
    Kept,
    Replay,
    marks_of,
    of_job,
    of_rule,
    times_of,
    windows_as_json,
    windows_of,
)
from engine.flow.pages import Hears, as_kept, deaf, meta_of
from engine.flow.paging import Anew, Left, Outdated, Paging, Turn
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
OUTDATED = "what was kept of it leads no further, it is read from its start again"


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
    heed_end: Callable[[], None]
    """Raises Stopped where the run has ended."""
    made_up: Callable[[str], Sequence[Json]] | None = None
    """The records of a file endpoint, where the simulator makes them up."""
    hear: Hears = deaf
    """Hears of each page of a list when it is kept, and of each that was kept before."""

    def collect(self, sweep: Sweep, unit: Unit) -> Progress:
        """Fetch a unit to its end; what goes wrong with the vendor makes it missing, not the run."""
        self.heed()
        replay = Replay(sweep.kept.pop(unit.name, ()), self.lanes.store.seal)
        if replay.failed.get("run") == self.run.id:
            return progress_of(replay.failed["progress"], replay.failed["cursor"])
        progress = Progress()
        if sweep.stopped and not replay.places:
            progress.skipped.append(sweep.stopped)
            return progress
        lane = self.lanes.take(unit.endpoint)
        collected = _Collected(self, sweep, unit, progress, lane, replay)
        sweep.under_way[unit.name] = collected.so_far
        progress = collected.whole()
        del sweep.under_way[unit.name]
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
    replay: Replay
    """What was kept of it before the run was interrupted."""
    before: Progress | None = None
    """How far the unit was when it was begun once more."""

    @property
    def asked(self) -> Asked:
        return self.sweep.asked

    @property
    def again(self) -> Again:
        return self.by.earlier.of(self.asked.name, self.asked.endpoint, self.unit.partition)

    @property
    def earlier(self) -> Progress | None:
        """How far it came in the run whose gaps this one fills."""
        return self.sweep.earlier.get(self.unit.name)

    def so_far(self) -> Progress:
        """How far it is, by what was kept."""
        progress = replace(self.before or self.progress)
        if self.earlier and self.earlier.sweep == progress.sweep:
            progress.before = (self.earlier.pages, self.earlier.rows)
        return progress

    def whole(self) -> Progress:
        """Fetch and keep everything; gives how far it came."""
        self._go_on()
        try:
            while self._is_outdated():
                pass
        except UNREADABLE as error:
            failure = error if isinstance(error, CollectionError) else of_request(error, self.progress.request)
            self.progress = self.so_far()
            self.progress.missing, self.progress.failure = named(self.unit, failure.message), failure
            self.progress.stale = isinstance(error.__cause__, (Unsettled, Failed))
            self._keep_failure()
            return self.progress
        self._settle()
        self.before = None
        return self.so_far()

    def _is_outdated(self) -> bool:
        """Fetch and keep what is not kept; gives whether that cannot go on, and all has to be read once more."""
        try:
            source = self.asked.endpoint.file
            if source:
                self._files(source)
            else:
                self._turns(self._export() if self.asked.endpoint.job else self._list())
        except Outdated as outdated:
            self.sweep.outdated.append(text := named(self.unit, f"{OUTDATED}: {outdated}"))
            self.by.emit(Noted(self.asked.name, text))
            self._begin_anew()
            return True
        return False

    # --- going on, and reading once more

    def _go_on(self) -> None:
        """Be where the unit was when its run was interrupted, but for its pages."""
        anew, job = self.replay.anew, self.asked.endpoint.job
        if anew:
            self.before, self.progress = progress_of(anew["before"]), Progress(sweep=self.replay.sweep)
        if self.earlier and anew.get("run") != self.by.run.id:
            is_useless = self.earlier.stale or (job is not None and not self.earlier.pages)
            if is_useless or self.earlier.sweep != self.replay.sweep:
                self.before = replace(self.earlier, missing="", failure=None, stale=False)
                self._begin_anew(fresh=True)

    def _begin_anew(self, **how: Json) -> None:
        """Keep what comes from here on beside what came before: should this fail, that is better than nothing."""
        self.before = self.before or self.progress
        sweep = max(self.progress.sweep, self.replay.sweep) + 1
        job = None if how.get("fresh") else self.replay.job
        self.replay = Replay(seal=self.replay.seal, sweep=sweep, job=job)
        self.progress = Progress(request=self.progress.request, sweep=sweep)
        said = {"run": self.by.run.id, "before": progress_as_json(self.before), **how}
        self._append(Meta(0, self.progress.request, "", self.by.clock.now(), aside={"anew": said}), b"")

    def _settle(self) -> None:
        """What was read once more is whole: it stands in place of what came before."""
        if self.before and not self.replay.is_settled:
            progress, now = self.progress, self.by.clock.now()
            said = Meta(page=progress.pages, request=progress.request, fingerprint="", at=now, settles=True)
            self._append(said, b"")

    def _keep_failure(self) -> None:
        """Write down why it is not whole: the answer that says so is not kept, and would be asked for again."""
        progress = self.progress
        said = {"run": self.by.run.id, "progress": progress_as_json(progress), "cursor": progress.cursor}
        self._append(Meta(0, progress.request, "", self.by.clock.now(), aside={"failed": said}), b"")

    def _append(self, meta: Meta, body: bytes) -> None:
        self.by.heed_end()  # where it was given up meanwhile, what was kept of it has been counted
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

        begun = self.replay.anew if is_list else {}
        kept = self._kept if is_list else self._kept_file
        paging = Paging(
            paginator=paginator,
            request_of=request_of,
            ask=Asking(fetch, self._note_request, self.by.ahead, self.by.most_ahead, self.by.clock, kept),
            read=lambda page: self._decoded(with_records(endpoint, page)),
            window=(self.unit.window or span) if is_list else None,  # a file has no halves
            told=partial(told, endpoint.incremental),
            ending=partial(newest_first, None if paginator and paginator.timed else endpoint.incremental),
            responses=endpoint.responses,
            scope=self._scope(),
            note=lambda text: self.by.emit(Noted(self.asked.name, text)),
            met=lambda page, rule, say: self._append(of_rule(page, rule, say, self.by.clock.now()), b""),
            marks=partial(marks_of, self.sweep.state.key),
            begun=Anew(windows_of(begun["windows"]), begun["again"]) if "windows" in begun else None,
        )
        return paging.turns()

    def _export(self) -> Iterator[Turn | Left | Anew]:
        """The files of a job, each a page; an export that is asked for in pages is paged as any list."""
        job = self.asked.endpoint.job
        assert job
        route = self.by.routes[self.asked.name]
        export = Export(
            self.by.plan,
            self.asked,
            self._scope(),
            self._success,
            self.by.clock,
            self.by.emit,
            self.replay.created(),
            self._keep_job,
        )
        ready = export.ready()
        page, known = ready or (None, {})
        files = route.of_files(job.fetch.decode, page, signed=job.fetch.auth == "connection")
        if ready and job.fetch.urls is None:
            yield from self._paged(lambda _: export.request(job.fetch, known), files)
            return
        requests = list(export.files(job.fetch, page, known)) if ready else []
        for number, request in enumerate(requests, start=1):
            # A file on another host is for whoever has its address: no credential goes there.
            at_home = page and request.origin == page.request.origin
            route = files if at_home else replace(files, session=None)
            for turn in self._paged(partial(_same, request), route, is_list=False):
                is_last = number == len(requests)
                yield replace(turn, following=number) if isinstance(turn, Turn) and not is_last else turn
        if self.replay.next():
            raise Outdated("the export has fewer files than before")

    def _success(self, request: Request, step: str) -> Page:
        """The answer of a request of a job; raises CollectionError for a refusal."""
        self.by.heed()
        self._note_request(request)
        page = self.by.fetcher.fetch(request, self.by.routes[self.asked.name].of_step(step))
        return accepted(self.asked.endpoint, page)

    def _keep_job(self, page: Page, needed: Mapping[str, Json]) -> None:
        self._append(of_job(page, self.by.clock.now()), jsontext.write(needed))

    def _kept(self, request: Request) -> Kept | None:
        return self.replay.answer(request, self.asked.endpoint)

    def _kept_file(self, request: Request) -> Kept | None:
        """The same of a file of a job; raises Outdated where the vendor names others than before."""
        kept = self._kept(request)
        if kept and kept.meta.request != request.describe():
            raise Outdated(f"in the place of {kept.meta.request} there is {request.describe()}")
        return kept

    # --- what is kept

    def _add(self) -> Mapping[str, Json]:
        """The fields put into each record."""
        with one_of_many():
            return self.by.plan.add(self.asked, self.unit.binding, self.by.run.scope(), self.unit.window)

    def _turns(self, turns: Iterator[Turn | Left | Anew]) -> None:
        add = self._add()
        for turn in turns:
            if isinstance(turn, Anew):
                self._begin_anew(windows=windows_as_json(turn.windows), again=turn.again)
                continue
            if isinstance(turn, Left):
                self._note_left(turn)
                continue
            page = turn.page
            if isinstance(page, Kept):
                self.by.hear(self.asked.name, page.place, page.meta, page)
            else:
                meta = meta_of(turn, self.progress.pages, add, self.by.clock.now())
                self._keep(page, meta)
                self.by.hear(self.asked.name, self.lane.place, meta.of_unit(self.unit.name, 0), page)
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
            page = self._decoded(page if piece.is_rows else with_records(asked.endpoint, page))
            meta = meta_of(Turn(page, None), self.progress.pages, add, by.clock.now())
            meta = meta.of_file(piece.first, piece.letters, is_rows=piece.is_rows)
            if not self._was_kept(page, meta):
                self._keep(page, meta)
            self._note_page(page, None, 0)
        if self.replay.next():
            raise Outdated(f"{pattern} holds less than before")
        if problems and not (asked.endpoint.may_be_empty and isinstance(problems[0], NoFile)):
            raise CollectionError("; ".join(one.message for one in problems), problems[0].fix)

    def _decoded(self, page: Page) -> Page:
        route = self.by.routes[self.asked.name]
        mask = route.session.without if route.session else bytes
        return decoded(self.asked.endpoint, page, route.max_bytes, mask)

    def _was_kept(self, page: Page, meta: Meta) -> bool:
        """Whether a piece of a file was kept before; raises Outdated where the file is another now."""
        frame = self.replay.next()
        if frame is None:
            return False
        meta, body = self._as_kept(page, meta)
        if (frame.meta.request, frame.meta.first, frame.body) != (meta.request, meta.first, body):
            raise Outdated(f"{meta.request} is not as it was")
        return True

    def _keep(self, page: Page, meta: Meta) -> None:
        """Write the page."""
        self._append(*self._as_kept(page, meta))
        self.by.emit(PageKept(self.asked.name, len(page.rows), len(page.body)))

    def _as_kept(self, page: Page, meta: Meta) -> tuple[Meta, bytes]:
        return as_kept(self.asked.endpoint, page, self.again.noted(meta, page), self.sweep.state.key)

    def _note_request(self, request: Request) -> None:
        self.progress.request = request.describe()

    def _note_page(self, page: Page, following: Cursor, repeated: int) -> None:
        progress, incremental = self.progress, self.asked.endpoint.incremental
        progress.pages += 1
        progress.rows += len(page.rows) - repeated
        progress.cursor = following
        if incremental:
            progress.see(times_of(incremental, page))

    def _note_left(self, left: Left) -> None:
        say = left.say
        if left.scope == "endpoint":
            self.sweep.stopped = self.progress.stops = say
        else:
            say = named(self.unit, f"{left.page.request.describe()}: {say}" if left.scope == "page" else say)
        self.progress.skipped.append(say)
        self.by.emit(Skipped(self.asked.name, left.scope, say))


def _same(request: Request, window: Window | None) -> Request:
    return request


def named(unit: Unit, text: str) -> str:
    """A sentence with the partition it is about."""
    if not unit.binding:
        return text
    shown = ", ".join(f"{alias} {jsontext.canonical(value)[:80]}" for alias, value in unit.binding.items())
    return f"{shown}: {text}"
