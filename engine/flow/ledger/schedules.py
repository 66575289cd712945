"""The chapter of schedules: which of their times are done."""

from __future__ import annotations

from datetime import datetime

from engine.core.clock import read_instant, rfc3339
from engine.flow.ledger.book import Book
from engine.flow.ledger.records import Due, Taken

TAKE = "UPDATE schedules SET taken=?, run=?, status=?, ended_at=? WHERE tool=? AND schedule=? AND taken<?"


def taking(due: Due, run: str | None, status: str, ended_at: str) -> tuple[str | None, ...]:
    """The values of `TAKE`."""
    at = rfc3339(due.at)
    return at, run, status, ended_at, due.tool, due.schedule, at


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
            hand.do(TAKE, taking(due, run, status, ended_at))

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
