"""What happens in a run while it happens: bars on a terminal, a line for each endpoint and table otherwise."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from engine.app import events
from engine.cli.text import clean, count, gaps

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LONG_SECONDS = 10.0
"""A wait that a plain log tells of."""
MANY_ROWS = 20_000
"""Of a report that takes seconds to write, as a workbook does."""
SHORT_SECONDS = 0.5
"""A wait that a bar does not show: rate limits make many of them."""


@contextmanager
def watch() -> Iterator[events.Sink]:
    """A sink that shows events on standard error."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console

    with bars_on(Console(stderr=True, highlight=False, markup=False)) as bars:
        yield Bars(bars=bars)


def bars_on(console: Console) -> Progress:
    """Bars at the foot of a terminal, gone when it is left."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    words = [TextColumn("{task.fields[" + name + "]}", markup=False) for name in ("counts", "words")]
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), *words)
    return Progress(*columns, console=console, transient=True)


@dataclass
class Lines:
    """Says when an endpoint, a table or a report is done."""

    words: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    """Endpoint -> why something of it was skipped, each once."""

    def __call__(self, event: events.Event) -> None:
        """Show an event."""
        match event:
            case events.RunStarted():
                self.say(f"{event.tool}: run {event.run}{' (SIMULATED)' if event.simulated else ''}{_began(event)}")
            case events.Resumed():
                done = f"{event.endpoints_done:,} of {count(event.endpoints, 'endpoint')} done"
                self.say(f"{done}, {count(event.pages, 'page')} kept: none of these is asked for again")
            case events.Waiting() if event.seconds >= LONG_SECONDS:
                self.say(f"{event.endpoint}: waiting {event.seconds:,.0f} s, {event.why}")
            case events.Noted():
                self.say(f"{event.endpoint}: {event.text}")
            case events.Skipped():
                self.words[event.endpoint][event.say] = None
            case events.EndpointEnded():
                said = gaps(list(self.words[event.endpoint]), event.missing)
                did = f"{count(event.pages, 'page')}, {count(event.rows, 'record')}"
                self.say(f"{event.endpoint}: {did}" + (f"; {said}" if said else ""))
            case events.TableEnded():
                apart = f", {event.quarantined:,} quarantined" if event.quarantined else ""
                self.say(f"table {event.table}: {count(event.rows, 'row')}{apart}")
            case events.ReportStarted() if event.rows >= MANY_ROWS:
                self.say(f"report {event.report}: writing {count(event.rows, 'row')}")
            case events.ReportWritten():
                self.say(f"report {event.report}: {event.path}")

    def say(self, text: str) -> None:
        """Print one line; a run does not end because nobody listens any more."""
        with suppress(OSError):
            click.echo(clean(text), err=True)


def _began(event: events.RunStarted) -> str:
    """Where a run goes on, or why it does not."""
    if event.goes_on:
        return " goes on where it was interrupted"
    if event.starts_anew:
        return f" starts anew: {event.starts_anew}"
    return f" fetches what run {event.completes} is missing" if event.completes else ""


@dataclass
class Bar:
    """One endpoint or table that is under way."""

    task: TaskID
    began: float
    pages: int = 0
    rows: int = 0


@dataclass(kw_only=True)
class Bars(Lines):
    """The same lines, above a bar for each endpoint and table that is under way."""

    bars: Progress
    open: dict[str, Bar] = field(default_factory=dict)

    def __call__(self, event: events.Event) -> None:
        """Show an event."""
        match event:
            case events.EndpointStarted():
                self.begin(event.endpoint, event.units if event.units > 1 else None)
            case events.TableStarted():
                self.begin(f"table {event.table}", None)
            case events.PageKept():
                self.kept(event)
            case events.UnitEnded() if event.endpoint in self.open:
                self.bars.advance(self.open[event.endpoint].task)
            case events.Waiting() if event.seconds >= SHORT_SECONDS and event.endpoint in self.open:
                words = f"waiting {event.seconds:,.1f} s: {event.why}"
                self.bars.update(self.open[event.endpoint].task, words=clean(words))
            case events.EndpointEnded():
                self.end(event.endpoint)
            case events.TableEnded():
                self.end(f"table {event.table}")
            case events.ReportStarted():
                self.begin(f"report {event.report}", None, count(event.rows, "row"))
            case events.ReportWritten():
                self.end(f"report {event.report}")
        if not isinstance(event, events.Waiting | events.ReportStarted):
            super().__call__(event)

    def begin(self, name: str, total: int | None, counts: str = "") -> None:
        """Show a bar; without a total it only moves."""
        self.open[name] = Bar(self.bars.add_task(name, total=total, counts=counts, words=""), time.monotonic())

    def kept(self, page: events.PageKept) -> None:
        """Count a page."""
        if bar := self.open.get(page.endpoint):
            bar.pages, bar.rows = bar.pages + 1, bar.rows + page.rows
            rate = bar.rows / max(time.monotonic() - bar.began, 0.001)
            counts = f"{count(bar.pages, 'page')}  {count(bar.rows, 'record')}  {rate:,.0f}/s"
            self.bars.update(bar.task, counts=counts, words="")

    def end(self, name: str) -> None:
        """Take the bar away: a line stays for it."""
        if bar := self.open.pop(name, None):
            self.bars.remove_task(bar.task)

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        self.bars.console.print(clean(text))
