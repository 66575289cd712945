"""The times of cron lines, by clocks that change."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clock import read_instant, rfc3339
from engine.core.cron import Cron, Zone
from engine.core.errors import Mistake


def times(line: str, zone: str, after: str, count: int = 3) -> list[str]:
    found = Cron.read(line).after(read_instant(after), Zone.read(zone).info)
    return [rfc3339(at) for at in islice(found, count)]


def test_a_time_that_is_left_out_comes_as_the_clocks_have_moved() -> None:
    expected = ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]
    assert expected == times("30 2 * * *", "Europe/Berlin", "2027-03-26T12:00:00Z")


def test_a_time_that_comes_twice_is_taken_once() -> None:
    expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    assert expected == times("30 2 * * *", "Europe/Berlin", "2026-10-23T12:00:00Z")


def test_each_hour_that_passes_is_one_also_where_the_clocks_go_back() -> None:
    expected = ["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"]
    assert expected == times("0 * * * *", "America/New_York", "2026-11-01T04:30:00Z")


def test_sunday_is_0_and_7_and_monday_is_1() -> None:
    sundays = [times(f"0 0 * * {day}", "UTC", "2026-11-20T00:00:00Z", 1) for day in ("0", "7", "SUN")]
    assert [["2026-11-22T00:00:00Z"]] * 3 == sundays
    assert ["2026-11-23T00:00:00Z"] == times("0 0 * * 1", "UTC", "2026-11-20T00:00:00Z", 1)


def test_a_day_of_the_month_beside_a_day_of_the_week_is_either() -> None:
    expected = ["2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z", "2026-11-13T00:00:00Z"]
    assert expected == times("0 0 13 * MON", "UTC", "2026-11-01T00:00:00Z")


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
LINES = ("30 2 * * *", "59 1 * * *", "0,30 2 * * *", "5 1-3 * * *", "*/20 * * * *", "*/15 2 * * *", "15 2,3 * * 0")
YEAR = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.sampled_from(ZONES), st.sampled_from(LINES), st.sampled_from((29, 35, 238, 245)), st.integers(-1500, 1500))
def test_the_times_hang_on_no_beginning(zone: str, line: str, day: int, minutes: int) -> None:
    """Around the days on which clocks change."""
    at = YEAR + timedelta(days=day, minutes=minutes)
    before = at - timedelta(days=3)
    info = Zone.read(zone).info
    passed = list(takewhile(lambda one: one <= at, Cron.read(line).after(before, info)))
    whole = islice(Cron.read(line).after(before, info), len(passed), len(passed) + 5)
    assert list(whole) == list(islice(Cron.read(line).after(at, info), 5))


@pytest.mark.parametrize("line", ["", "* * * *", "* * * * * *", "60 * * * *", "x * * * *", "0 0 30 2 *", "*/0 * * * *"])
def test_what_is_no_line_of_cron_is_refused(line: str) -> None:
    with pytest.raises(Mistake) as raised:
        Cron.read(line)
    assert ("cron", True) == (raised.value.code, "such as" in raised.value.fix)


@pytest.mark.parametrize("name", ["", "Berlin", "Europe", "../etc/passwd", "/UTC", "Europe/Berln"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(Mistake, match="no time zone is called"):
        Zone.read(name)
