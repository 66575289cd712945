"""The chapter of runs: what each was asked for and how it ended, and which times of the schedules are done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.core.clock import read_instant, rfc3339
from engine.core.errors import Json
from engine.flow.ledger.book import Book, told
from engine.flow.ledger.dialect import Hand, Row
from engine.flow.ledger.records import Due, RunRecord, Taken

COLUMNS = (
    "run, tool, work, page_hash, asked, simulated, status, started_at, beat, ended_at, fence, completes, replays, "
    "schedule, cancel, result, now_seconds() - beat"
)
NAMED = "SELECT 1 FROM runs WHERE run=? UNION SELECT 1 FROM names WHERE run=? AND tool<>?"
NAMING = "INSERT INTO names (tool, run) VALUES (?,?) ON CONFLICT (tool) DO UPDATE SET run=excluded.run"
TAKE = "UPDATE schedules SET taken=?, run=?, status=?, ended_at=? WHERE tool=? AND schedule=? AND taken<?"


class Runs(Book):
    """Runs of every tool."""

    def name_run(self, tool: str, started: datetime) -> str:
        """The name of the tool's next run; no run of another tool gets it meanwhile."""
        with self._change() as hand:
            return _name(hand, tool, started)

    def begin_run(self, record: RunRecord) -> RunRecord:
        """Note a run that begins, and name it where it has no name yet; others of the tool that never ended are over.

        Gives it as it was noted.
        """
        with self._change() as hand:
            run = record.run or _name(hand, record.tool, read_instant(record.started_at))
            noted = replace(record, run=run, fence=self._fence[1] if self._fence else record.fence)
            self._at_work(hand, noted.tool, run)
            _insert(hand, noted, self._shut(noted.asked, f"run/{run}/asked"))
        return noted

    def reopen_run(self, run: str) -> None:
        """Note that an interrupted run goes on."""
        with self._change() as hand:
            [(tool,)] = hand.ask("SELECT tool FROM runs WHERE run=?", [run])
            self._at_work(hand, tool, run)
            sql = (
                "UPDATE runs SET status='running', ended_at=NULL, result=NULL, cancel=0, beat=now_seconds() WHERE run=?"
            )
            hand.do(sql, [run])
            if self._fence:
                hand.do("UPDATE runs SET fence=? WHERE run=?", [self._fence[1], run])

    def end_run(self, run: str, *, status: str, ended_at: str, result: Json) -> None:
        """Note how a run ended; the due time of one that was interrupted stays due."""
        with self._change() as hand:
            sql = "UPDATE runs SET status=?, ended_at=?, result=?, beat=now_seconds() WHERE run=?"
            hand.do(sql, [status, ended_at, self._shut(result, f"run/{run}/result"), run])
            if self._due and status != "interrupted":
                hand.do(TAKE, _taking(self._due, run, status, ended_at))

    def abandon(self, run: str) -> None:
        """Note that a run that was interrupted will not go on, nor one that is incomplete be completed."""
        with self._change() as hand:
            sql = (
                "UPDATE runs SET status='abandoned' WHERE run=? AND status IN ('running', 'interrupted', 'incomplete')"
            )
            hand.do(sql, [run])

    def ask_cancel(self, run: str) -> bool:
        """Ask a run to end: whoever does it hears of it soon. False where it has ended already."""
        with self._base.change() as hand:  # by anybody, without a lease
            return hand.do("UPDATE runs SET cancel=1 WHERE run=? AND status='running'", [run]) > 0

    def run(self, run: str) -> RunRecord | None:
        """The run of this name."""
        rows = self._ask(f"SELECT {COLUMNS} FROM runs WHERE run=?", [run])
        return self._record(rows[0]) if rows else None

    def runs(self, tool: str = "", limit: int | None = None) -> list[RunRecord]:
        """The runs of a tool or of all, newest first."""
        sql = f"SELECT {COLUMNS} FROM runs WHERE tool=? OR ?='' ORDER BY run DESC LIMIT ?"
        return [self._record(row) for row in self._ask(sql, [tool, tool, limit or 2**62])]

    def newest(self, tool: str, collecting: bool = False) -> RunRecord | None:
        """The newest run of a tool; with `collecting` the newest that collects."""
        works = "%collect%" if collecting else "%"
        sql = f"SELECT {COLUMNS} FROM runs WHERE tool=? AND work LIKE ? ORDER BY run DESC LIMIT 1"
        rows = self._ask(sql, [tool, works])
        return self._record(rows[0]) if rows else None

    def kinds(self) -> set[bool]:
        """Whether the runs in it were simulated: both, where somebody mixed them."""
        return {bool(simulated) for (simulated,) in self._ask("SELECT DISTINCT simulated FROM runs")}

    def knows_page(self, tool: str, page_hash: str) -> bool:
        """Whether a run of this very page was begun before: what it says was checked then."""
        return bool(self._ask("SELECT 1 FROM runs WHERE tool=? AND page_hash=? LIMIT 1", (tool, page_hash)))

    def _record(self, row: Row) -> RunRecord:
        run, tool, work, page_hash, asked, simulated, status, started_at, *after = row
        beat, ended_at, fence, completes, replays, schedule, cancel, result, idle = after
        begun = self._opened(asked, f"run/{run}/asked"), bool(simulated), status, started_at
        links = completes, replays, schedule
        ends = bool(cancel), self._opened(result, f"run/{run}/result"), idle
        return RunRecord(run, tool, work, page_hash, *begun, told(beat), ended_at, fence, *links, *ends)

    def _at_work(self, hand: Hand, tool: str, run: str) -> None:
        """The holder of the tool works on this run now, and nobody on another."""
        hand.do("UPDATE runs SET status='interrupted' WHERE tool=? AND status='running' AND run<>?", [tool, run])
        if self._fence:
            hand.do("UPDATE leases SET run=? WHERE tool=?", [run, tool])


class Schedules(Book):
    """Schedules of every tool."""

    def meet(self, tool: str, schedule: str, clock: str, now: datetime) -> None:
        """Note a schedule that is new or has other times than before: what was due before now is no concern of it."""
        with self._change() as hand:
            hand.do(
                "INSERT INTO schedules (tool, schedule, clock, taken) VALUES (?,?,?,?) ON CONFLICT (tool, schedule) "
                "DO UPDATE SET clock=excluded.clock, taken=excluded.taken WHERE schedules.clock<>excluded.clock",
                (tool, schedule, clock, rfc3339(now.replace(microsecond=0))),
            )

    def take(self, due: Due, *, status: str, ended_at: str, run: str | None = None) -> None:
        """Note a due time whose run could not note it itself; nothing where the time is done already."""
        with self._change() as hand:
            hand.do(TAKE, _taking(due, run, status, ended_at))

    def taken(self) -> dict[tuple[str, str], Taken]:
        """(tool, schedule) -> how far its times are done."""
        rows = self._ask("SELECT tool, schedule, clock, taken, run, status, ended_at FROM schedules")
        return {
            (tool, schedule): Taken(clock, read_instant(until), *last) for tool, schedule, clock, until, *last in rows
        }

    def due_is_done(self) -> bool:
        """Whether the due time of this run is done already: by a run that outlived the daemon that began it."""
        due = self._due
        last = self.taken().get((due.tool, due.schedule)) if due else None
        return bool(due and last and last.until >= due.at)


def _taking(due: Due, run: str | None, status: str, ended_at: str) -> tuple[str | None, ...]:
    """The values of `TAKE`."""
    at = rfc3339(due.at)
    return at, run, status, ended_at, due.tool, due.schedule, at


def _name(hand: Hand, tool: str, started: datetime) -> str:
    """Runs are taken in the order of their names, so a name stands behind all before it and no two are the same.

    Where the clock was set back since, it has the time of the newest run instead of its own.
    """
    newest = str(hand.ask("SELECT max(run) FROM runs WHERE tool=?", [tool])[0][0] or "")
    number = int(hand.ask("SELECT count(*) FROM runs")[0][0])
    time = f"{started:%Y%m%dT%H%M%S}{started.microsecond // 1000:03d}Z"
    while True:
        number += 1
        name = max(f"{time}-{number:04d}", f"{newest.partition('-')[0]}-{number:04d}")
        if name > newest and not hand.ask(NAMED, [name, name, tool]):
            break
    hand.do(NAMING, [tool, name])
    return name


def _insert(hand: Hand, one: RunRecord, asked: str) -> None:
    values: dict[str, Any] = {
        "run": one.run,
        "tool": one.tool,
        "work": one.work,
        "page_hash": one.page_hash,
        "asked": asked,
        "simulated": int(one.simulated),
        "status": one.status,
        "started_at": one.started_at,
        "fence": one.fence,
        "completes": one.completes,
        "replays": one.replays,
        "schedule": one.schedule,
    }
    marks = ", ".join("?" for _ in values)
    hand.do(f"INSERT INTO runs ({', '.join(values)}, beat) VALUES ({marks}, now_seconds())", values.values())
