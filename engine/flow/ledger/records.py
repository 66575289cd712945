"""What the ledger tells of: runs, units, sealed collections, due times and leases, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.core.errors import Json

OPEN = ("running", "interrupted")
"""The status of a run that has not ended."""


@dataclass(frozen=True)
class RunRecord:
    """One run of a tool: what it was asked for and how far it is."""

    run: str
    """Its name; empty before it has begun."""
    tool: str
    work: str
    """The works it does, as in "collect+process+report"."""
    page_hash: str = ""
    asked: Json = None
    """What else it rests on: a run that was asked the same goes on where this one was interrupted."""
    simulated: bool = False
    status: str = "running"
    started_at: str = ""
    beat_at: str | None = None
    """When it was last known to be at work, by the clock of the database."""
    ended_at: str | None = None
    fence: int = 0
    completes: str = ""
    """The incomplete run whose gaps it fills."""
    replays: str = ""
    """The run whose kept pages it makes tables of."""
    schedule: str = ""
    cancel: bool = False
    """Whether somebody asked it to end."""
    result: Json = None
    idle_seconds: float | None = None
    """How long ago `beat_at` is, by the clock of the database."""


@dataclass(frozen=True)
class Collection:
    """A sealed endpoint of one run: what `process` may take."""

    run: str
    endpoint: str
    complete: bool
    rows: int
    pages: int
    missing: tuple[str, ...] = ()
    """What could not be fetched, in words."""
    skipped: tuple[str, ...] = ()
    """What was left out, in the page's own words."""
    completes: str = ""
    """The incomplete run whose gaps it fills: both together are what was there."""
    cleaned: str = ""
    """When its kept pages were cleaned up; empty while they are there."""
    released: bool = True
    """Whether its marks have moved; those of an endpoint that others are repeated for wait until all of these is whole.
    Until then the next run reads the same once more."""


@dataclass(frozen=True)
class UnitRecord:
    """How far a unit came."""

    unit: str
    binding: Mapping[str, Json] = field(default_factory=dict)
    pages: int = 0
    rows: int = 0
    cursor: Json = None
    status: str = "running"
    note: str = ""
    plan: Json = None
    """What else it takes to ask for it: partition, window, changed, members."""
    progress: Json = None
    """All that is known of it once it has ended."""


@dataclass(frozen=True)
class Due:
    """A time at which a schedule of a tool shall run."""

    tool: str
    schedule: str
    at: datetime
    """In whole seconds, so that times compare as texts."""


@dataclass(frozen=True)
class Taken:
    """How far the times of a schedule are done."""

    clock: str
    """The times in words; other words start anew."""
    until: datetime
    """Times up to this one are done, or from before the schedule was met."""
    run: str | None = None
    status: str | None = None
    """How the run of that time ended; null when there was none yet."""
    ended_at: str | None = None


@dataclass(frozen=True)
class Holder:
    """Who holds a lease."""

    machine: str
    """Names the running kernel: its processes see each other's file locks."""
    host: str
    pid: int


@dataclass(frozen=True)
class LeaseRecord:
    """Who works on a tool, or did when it was not given back."""

    tool: str
    fence: int
    holder: Holder
    run: str
    """The run it is held for; empty for other works and before the run has begun."""
    since: str
    beat_at: str
    idle_seconds: float
    """How long ago the holder was last heard of, by the clock of the database, which may be set meanwhile."""
    ticks: float = 0.0
    """When it was last heard of, in the seconds of its machine since that was started: nobody can set them."""

    def __str__(self) -> str:
        run = f"run {self.run}, " if self.run else ""
        return f"{run}process {self.holder.pid} on {self.holder.host}, since {self.since}"
