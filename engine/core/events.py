"""What happened, as typed values to a sink: the only way to say anything during a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began, or goes on."""

    tool: str
    run: str
    simulated: bool
    goes_on: bool = False
    """Whether it was begun before, and interrupted."""
    starts_anew: str = ""
    """Why it does not go on where another one was interrupted."""
    completes: str = ""
    """The incomplete run of which it fetches what is missing."""


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The collecting goes on where it was interrupted: nothing that was kept is asked for again."""

    run: str
    endpoints_done: int
    """How many of its endpoints are sealed."""
    endpoints: int
    pages: int
    """How many pages are kept."""


@dataclass(frozen=True, slots=True)
class EndpointStarted(Event):
    """An endpoint's units are known; there is one for each partition."""

    endpoint: str
    units: int


@dataclass(frozen=True, slots=True)
class PageKept(Event):
    """A page was written to its segment."""

    endpoint: str
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class UnitEnded(Event):
    """A unit came to its end, or was skipped or given up."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """A request waits: for the rate limit, for a retry, because the vendor asked for it."""

    endpoint: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something takes long and goes on, in words."""

    endpoint: str
    text: str


@dataclass(frozen=True, slots=True)
class Skipped(Event):
    """An endpoint, unit or page was left out, with the page's own words."""

    endpoint: str
    scope: str
    say: str


@dataclass(frozen=True, slots=True)
class EndpointEnded(Event):
    """An endpoint is sealed, or incomplete with what is missing."""

    endpoint: str
    pages: int
    rows: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableStarted(Event):
    """A table is being made."""

    table: str


@dataclass(frozen=True, slots=True)
class TableEnded(Event):
    """A table was made; `rows` are good, `quarantined` are kept apart."""

    table: str
    rows: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class ReportStarted(Event):
    """A report is being written, of tables with so many rows."""

    report: str
    rows: int


@dataclass(frozen=True, slots=True)
class ReportWritten(Event):
    """A report was written."""

    report: str
    path: str


Sink = Callable[[Event], None]


def nowhere(event: Event) -> None:
    """A sink that keeps nothing."""
