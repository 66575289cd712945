"""What is due and what comes next: schedules, how far they are done and a time in; due times out.

cronsim tells the times, and the ledger what is done. A scheduler library would keep a second account of both in its
memory, which would have to be made to agree with the ledger after each restart; what it would add is a timer.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.clock import read_instant, rfc3339
from engine.core.errors import ConfigError, Json, SpecError, nearest
from engine.spec.read import Source
from engine.spec.schedule import Schedule

if TYPE_CHECKING:
    from engine.flow.ledger import Taken
    from engine.flow.storage import Storage

LOOKBACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366), timedelta(days=366 * 50))
"""How far back the newest of missed times is sought, step by step: most lines of cron have one in the last day."""


@dataclass(frozen=True)
class Planned:
    """A schedule of a tool."""

    tool: str
    name: str
    schedule: Schedule

    @property
    def key(self) -> tuple[str, str]:
        """Tool and schedule, as the ledger names it."""
        return self.tool, self.name

    def moment(self, at: datetime) -> datetime:
        """When a due time starts: later by its jitter, which hangs on tool, schedule and time alone."""
        seed = hashlib.sha256(f"{self.tool}/{self.name}/{rfc3339(at)}".encode()).digest()
        return at + int.from_bytes(seed[:6]) / 2**48 * self.schedule.jitter.delta

    def due(self, done: datetime, now: datetime) -> datetime | None:
        """The newest time behind `done` whose moment has come; older ones that were missed are one with it."""
        for back in LOOKBACK:
            start = max(done, now - back)
            times = itertools.takewhile(lambda at: at <= now, self.schedule.after(start))
            found = [at for at in times if self.moment(at) <= now]
            if found or start == done:
                return found[-1] if found else None
        return None

    def next(self, done: datetime) -> datetime | None:
        """The first time behind `done`; none where it never comes again."""
        return next(self.schedule.after(done), None)


def planned(source: Source) -> list[Planned]:
    """The schedules of a page."""
    pipeline = source.pipeline
    return [Planned(pipeline.tool, name, schedule) for name, schedule in pipeline.schedules.items()]


def asked(source: Source, name: str, due: str) -> dict[str, Any]:
    """What a schedule of a page asks of a walk; `due` is the time it is for, if any. Raises ConfigError."""
    from engine.flow.ledger import Due

    tool, known = source.pipeline.tool, source.pipeline.schedules
    if name not in known:
        fix = f"its schedules are: {', '.join(known)}" if known else "write one in the section schedules"
        raise ConfigError(f'{tool} has no schedule "{name}"{nearest(name, list(known))}', fix)
    schedule = known[name]
    at = Due(tool, name, read_instant(due)) if due else None
    return {"works": schedule.run, "only": schedule.only, "due": at}


def ready(
    plans: Sequence[Planned], done: Mapping[tuple[str, str], datetime], busy: Collection[str], now: datetime
) -> Iterator[tuple[Planned, datetime]]:
    """What starts now: of each tool that is not busy the time that came first; the others come behind it."""
    due = [(plan.moment(at), plan, at) for plan in plans if (at := plan.due(done[plan.key], now))]
    started = set(busy)
    for _, plan, at in sorted(due, key=lambda one: one[0]):
        if plan.tool not in started:
            started.add(plan.tool)
            yield plan, at


def wakes(plans: Sequence[Planned], done: Mapping[tuple[str, str], datetime]) -> datetime | None:
    """The moment at which the next of all is due."""
    return min((plan.moment(at) for plan in plans if (at := plan.next(done[plan.key]))), default=None)


# --- what a person asks


def overview(
    read: Callable[[str | Path], Source], tools: Sequence[str | Path], storage: Storage, now: datetime
) -> list[dict[str, Json]]:
    """Each schedule with its times, what it does, when next, and how its last run ended."""
    taken = _taken(storage)
    found: list[dict[str, Json]] = []
    for tool in tools:
        try:
            found += [_shown(plan, taken.get(plan.key), now) for plan in planned(read(tool))]
        except SpecError as error:
            found.append({"tool": str(tool), "mistakes": len(error.findings) or 1})
    return found


def _taken(storage: Storage) -> dict[tuple[str, str], Taken]:
    """How far schedules are done; asking for it does not make a ledger where there is none."""
    if not storage.has_ledger:
        return {}
    ledger = storage.ledger(only_read=True)
    try:
        return ledger.taken()
    finally:
        ledger.close()


def _shown(plan: Planned, taken: Taken | None, now: datetime) -> dict[str, Json]:
    schedule = plan.schedule
    missed = plan.due(taken.until, now) if taken and taken.clock == schedule.clock else None
    at = plan.next(now)
    zone = schedule.timezone.info if schedule.timezone else None
    return {
        "tool": plan.tool,
        "schedule": plan.name,
        "clock": schedule.clock,
        "run": list(schedule.run),
        "only": list(schedule.only),
        "due": rfc3339(missed) if missed else None,
        "next": rfc3339(at) if at else None,
        "next_local": at.astimezone(zone).isoformat() if at and zone else None,
        "starts": rfc3339(plan.moment(at).replace(microsecond=0)) if at else None,
        "last": _last(taken) if taken and taken.status else None,
    }


def _last(taken: Taken) -> dict[str, Json]:
    return {"due": rfc3339(taken.until), "run": taken.run, "status": taken.status, "ended_at": taken.ended_at}
