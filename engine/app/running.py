"""One run from its lease to its last word: which one goes on, what it does, how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace

from engine.app import log
from engine.app.asked import Asked
from engine.app.check import check_page
from engine.app.history import must_be_newest
from engine.app.stop import Stop
from engine.core.clock import Clock, read_instant, rfc3339
from engine.core.errors import ConfigError, EngineError, Json, LeaseLost, Stopped, StorageError
from engine.core.events import Event, Resumed, RunStarted, Sink
from engine.core.values import Duration
from engine.core.vendor import Vendor
from engine.flow.lease import CANCELLED, Fence, held
from engine.flow.ledger import OPEN, Due, Ledger, RunRecord
from engine.flow.report import EXITS, Result, Status
from engine.flow.run import Walk
from engine.flow.storage import Storage, open_storage
from engine.flow.units import RunInfo


@dataclass(frozen=True)
class Running:
    """A run that is asked for, and with what it shall be done."""

    asked: Asked
    storage: Storage
    clock: Clock
    emit: Sink
    stop: Stop
    within: Duration
    """So long after it was interrupted a run goes on."""
    vendor: Vendor | None = None
    stage: str = "analytics"
    due: Due | None = None
    fresh: bool = False
    """Whether a run that was interrupted shall not go on."""
    replays: str = ""
    """The run from whose kept pages tables are made."""
    resumes: str = ""
    """The run that shall go on: where it was interrupted itself, where it is incomplete by one that completes it."""

    def run(self) -> Result:
        """Do it. A run that is due waits for another of its tool, and does nothing when that one did its time."""
        tool, storage = self.asked.tool, self.storage
        open_storage(storage.root, simulated=self.vendor is not None, seal=storage.seal)
        ledger = storage.ledger(self.due)
        wait = self.clock.wait if self.due else None
        try:
            with held(storage.root, ledger, tool, wait=wait, heard=self._hear) as fence:
                if not ledger.knows_page(tool, self.asked.source.hash):
                    check_page(self.asked.source, typed=True)
                if ledger.due_is_done():
                    return Result(tool, "", self.clock.instant(), notes=["another run did this due time"])
                return self._walked(self._begin(ledger, fence))
        finally:
            ledger.close()
            if self.stop.why:  # it was this run that should end, and no other of this engine
                self.stop.forget()

    def _hear(self, reason: str) -> None:
        self.stop.ask(reason)

    # --- which run it is

    def _begin(self, ledger: Ledger, fence: Fence) -> Walk:
        """The run that goes on, or a new one; told to whoever listens."""
        record, completes, why = self._chosen(ledger)
        tool, simulated = self.asked.tool, self.vendor is not None
        if record is not None:
            run, started, completes = record.run, read_instant(record.started_at), record.completes
            ledger.reopen_run(run)
        else:
            started = self.clock.instant()
            run = ledger.name_run(tool, started)
            self._give_up(ledger)
            ledger.begin_run(
                RunRecord(
                    run,
                    tool,
                    self.asked.work,
                    self.asked.source.hash,
                    self.asked.noted(run),
                    simulated,
                    started_at=rfc3339(started),
                    fence=fence.number,
                    completes=completes,
                    replays=self.replays,
                    schedule=self.asked.schedule,
                )
            )
        result = Result(tool, run, started, simulated, notes=self.asked.plan.assumptions())
        result.storage, result.starts_anew = str(self.storage.root), why
        result.completes, result.replays = completes, self.replays
        self.emit(RunStarted(tool, run, simulated, record is not None, why, completes))
        return Walk(
            plan=self.asked.plan,
            run=RunInfo(run, started, fence.number, simulated, completes),
            storage=self.storage,
            fence=fence,
            folder=self.asked.source.folder,
            place=self.asked.source.mark,
            clock=self.clock,
            emit=self._telling(result),
            ledger=ledger,
            result=result,
            auth=self.asked.plan.auth(),
            replays=self.replays,
        )

    def _chosen(self, ledger: Ledger) -> tuple[RunRecord | None, str, str]:
        """The run that goes on, or the run that a new one completes, or why an interrupted one does not go on."""
        if self.resumes:
            record = ledger.run(self.resumes)
            assert record is not None
            if record.status in OPEN and not (why := self.asked.differences(record)):
                return record, "", ""
            if record.status == "incomplete" and not (why := self.asked.differences(record)):
                must_be_newest(ledger, record)
                return None, record.run, ""
            fix = f"give the same -p as then, or collect anew: engine run {record.tool}"
            raise ConfigError(f"run {record.run} cannot go on: {'; '.join(why) or f'it is {record.status}'}", fix)
        record = ledger.newest(self.asked.tool, collecting=True) if "collect" in self.asked.works else None
        if record is None or record.status not in OPEN or record.cancel:
            return None, "", ""
        if why := self._against(record):
            return None, "", f"run {record.run} was interrupted and does not go on: {'; '.join(why)}"
        return record, "", ""

    def _against(self, record: RunRecord) -> list[str]:
        """Why an interrupted run does not go on."""
        if self.fresh:
            return ["--fresh"]
        if record.completes:
            return [f"it completes run {record.completes}; engine resume {record.run} would go on with it"]
        late = record.idle_seconds is None or record.idle_seconds > self.within.seconds
        return self.asked.differences(record) + (
            [f"it stopped more than {self.within} ago (resume_within)"] if late else []
        )

    def _give_up(self, ledger: Ledger) -> None:
        """Abandon what was interrupted and cannot go on any more: who holds the lease knows that nobody is at it."""
        for one in ledger.runs(self.asked.tool):
            if one.status in OPEN and ("collect" in self.asked.works or "collect" not in one.work):
                ledger.abandon(one.run)

    def _telling(self, result: Result) -> Sink:
        """Where events go; the result notes where the run goes on."""

        def emit(event: Event) -> None:
            if isinstance(event, Resumed):
                done = f"{event.endpoints_done:,} of {event.endpoints:,} endpoints done"
                result.resumed_from = f"{done}, {event.pages:,} pages kept"
            self.emit(event)

        return emit

    # --- what it does

    def _walked(self, walk: Walk) -> Result:
        began = time.monotonic()
        works, result = self.asked.works, walk.result
        with self._ending(walk, began):
            rows = walk.storage.shelf(walk.tool).records
            stand = self.vendor.open(walk.plan, rows) if self.vendor and "collect" in works else nullcontext()
            with stand as vendor:
                if vendor is not None:
                    walk = replace(walk, auth=vendor.auth, reach=vendor.reach, made_up=vendor.rows)
                with closing(walk):
                    self._work(walk, began)
        return result

    def _work(self, walk: Walk, began: float) -> None:
        works, result = self.asked.works, walk.result
        if "collect" in works:
            walk.collect(ahead="process" in works)
            self._tell(result)
        if "process" in works:
            walk.process(self.stage)
        if "report" in works:
            result.duration_seconds = time.monotonic() - began  # run.json stands among the reports
            walk.report()

    @contextmanager
    def _ending(self, walk: Walk, began: float) -> Iterator[None]:
        """Note how a run ended; nothing of one whose lease was lost, for another engine is at it now."""
        try:
            yield
        except BaseException as error:
            walk.result.status = self._status(error)
            try:
                self._end(walk, began)
            except LeaseLost:
                raise
            except EngineError:  # where the storage is full, that is what shall be told
                raise error from None
            raise
        self._end(walk, began)

    def _end(self, walk: Walk, began: float) -> None:
        result = walk.result
        result.exit_code, result.duration_seconds = EXITS[result.status], time.monotonic() - began
        at = rfc3339(self.clock.instant())
        walk.ledger.end_run(result.run, status=result.status, ended_at=at, result=result.as_json())
        if self.resumes and self.asked.schedule and result.status != "interrupted":
            due = Due(walk.tool, self.asked.schedule, result.started_at.replace(microsecond=0))
            walk.ledger.take(due, status=result.status, ended_at=at, run=result.run)

    def _status(self, error: BaseException) -> Status:
        """What a storage that is full or locked stopped can go on, as can what a person stopped."""
        if self.stop.why == CANCELLED:
            return "cancelled"
        return "interrupted" if isinstance(error, (Stopped, KeyboardInterrupt, StorageError)) else "failed"

    def _tell(self, result: Result) -> None:
        """Record why something could not be collected, in the result and in the storage."""
        context: dict[str, Json] = {"tool_name": result.tool, "collection_type": self.asked.work}
        for failure in result.failures:
            result.errors.append(log.record(failure, at=self.clock.instant(), context=context))
            log.write(self.storage.root, result.errors[-1], self.storage.seal)
