"""A daemon in a made-up time: what it starts, minute by minute, with runs that last and hours in which it is off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engine.app.schedule import Planned, ready, wakes
from engine.core.clock import read_instant, rfc3339
from engine.spec.schedule import Schedule


def plan(name: str, tool: str = "acme", **words: Any) -> Planned:
    """A schedule as the page would say it."""
    return Planned(tool, name, Schedule.model_validate_json(json.dumps(words)))


@dataclass
class Fortnight:
    """Time, handed in; `started` is what a daemon would have started: when, what, and for which due time."""

    plans: Sequence[Planned]
    begin: datetime
    end: datetime
    run_lasts: timedelta = timedelta(minutes=1)
    off: tuple[datetime, datetime] | None = None
    """The daemon is killed at the first time, with what is going on, and comes back at the second."""
    started: list[tuple[datetime, Planned, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        now, done = self.begin, {one.key: self.begin for one in self.plans}
        going: dict[str, tuple[datetime, Planned, datetime]] = {}
        while now < self.end:
            if self.off and self.off[0] <= now < self.off[1]:
                going.clear()
                now = self.off[1]
            for ends, one, at in [*going.values()]:
                if ends <= now:
                    done[one.key] = at
                    del going[one.tool]
            for one, at in ready(self.plans, done, going, now):
                going[one.tool] = now + self.run_lasts, one, at
                self.started.append((now, one, at))
            idle = wakes([one for one in self.plans if one.tool not in going], done)
            coming = [ends for ends, _, _ in going.values()] + [one for one in (idle, self.off and self.off[0]) if one]
            now = min((one for one in coming if one > now), default=self.end)

    def due(self, name: str) -> list[str]:
        """The due times that were run, in the order of their runs."""
        return [rfc3339(at) for _, one, at in self.started if one.name == name]

    def late(self, name: str) -> list[timedelta]:
        """How much later than due each run began."""
        return [now - at for now, one, at in self.started if one.name == name]


def at(text: str) -> datetime:
    """A time in UTC: `2026-10-25 01:30`."""
    return read_instant(text)


def days(month: str, first: int, last: int, time: str) -> list[str]:
    """One time on each of these days."""
    return [f"{month}-{day:02d}T{time}:00Z" for day in range(first, last + 1)]
