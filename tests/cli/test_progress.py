"""What a terminal shows while a run goes on."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from engine.app import events
from engine.cli.progress import Bars, Lines, bars_on


def _shown(*happened: events.Event) -> Sequence[str]:
    """The terminal's last picture after these events, line by line."""
    out = io.StringIO()
    with bars_on(Console(file=out, force_terminal=True, width=200, color_system=None)) as bars:
        sink = Bars(bars=bars)
        for event in happened:
            sink(event)
        bars.refresh()
        return out.getvalue().splitlines()


def test_a_bar_counts_pages_records_and_their_rate() -> None:
    shown = _shown(
        events.EndpointStarted("things", 3), events.PageKept("things", 2, 10), events.PageKept("things", 1, 10)
    )
    assert "2 pages  3 records" in shown[-1]
    assert shown[-1].rstrip().endswith("/s")


def test_a_bar_says_how_long_it_waits_and_why() -> None:
    shown = _shown(events.EndpointStarted("things", 1), events.Waiting("things", 12.34, "status 429, try 2"))
    assert "waiting 12.3 s: status 429, try 2" in shown[-1]


def test_the_wait_is_gone_when_the_page_has_come() -> None:
    waited = (events.EndpointStarted("things", 1), events.Waiting("things", 12.34, "rate limit"))
    assert "waiting" not in _shown(*waited, events.PageKept("things", 1, 10))[-1]


def test_what_takes_long_is_said_while_it_goes_on() -> None:
    shown = _shown(events.EndpointStarted("things", 1), events.Noted("things", "split_window: 100 splits so far"))
    assert any(line.endswith("things: split_window: 100 splits so far") for line in shown)


def test_an_endpoint_that_ended_leaves_a_line_for_its_bar() -> None:
    ended = (events.EndpointStarted("things", 1), events.EndpointEnded("things", 1, 2))
    shown = _shown(*ended, events.TableStarted("cheap"))
    assert any(line.endswith("things: 1 page, 2 records") for line in shown)
    assert "table cheap" in shown[-1]


def test_a_report_has_a_bar_with_its_rows_until_it_is_written() -> None:
    started = events.ReportStarted("list", 200_000)
    assert "report list" in _shown(started)[-1]
    assert "200,000 rows" in _shown(started)[-1]
    assert "200,000 rows" not in _shown(started, events.ReportWritten("list", "list.xlsx"))[-1]


def test_a_log_says_that_a_big_report_is_being_written(capsys: pytest.CaptureFixture[str]) -> None:
    for rows in (10, 200_000):
        Lines()(events.ReportStarted("list", rows))
    assert "report list: writing 200,000 rows\n" == capsys.readouterr().err
