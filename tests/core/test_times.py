"""Times in the forms of vendors, and windows between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import Mistake
from engine.core.template import compile
from engine.core.times import TimeFormat, first_instant, instant_of, written
from engine.core.window import Window, floored

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form", "instant"),
    [
        ("2026-06-15T14:00:00+02:00", "iso", NOON),
        ("2026-06-15", "iso", NOON.replace(hour=0)),
        ("2026-06-15", "date", NOON.replace(hour=0)),
        (1_781_524_800, "epoch_s", NOON),
        ("1781524800.5", "epoch_s", NOON + timedelta(milliseconds=500)),
        ("1781524800123", "epoch_ms", NOON + timedelta(milliseconds=123)),
        ("15.06.2026 12:00", "%d.%m.%Y %H:%M", NOON),
        ("06/15/2026 14:00 +0200", "%m/%d/%Y %H:%M %z", NOON),
    ],
)
def test_a_time_is_read_in_its_form(value: Any, form: str, instant: datetime) -> None:
    assert instant == instant_of(value, [form])


def test_the_first_form_that_fits_counts() -> None:
    assert NOON == instant_of("1781524800", ["iso", "%Y", "epoch_s", "epoch_ms"])


@pytest.mark.parametrize("value", [None, True, [], {}, "", "soon", "nan", "inf", "9" * 400, 10**30])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is no time in the form iso or epoch_s"):
        instant_of(value, ["iso", "epoch_s"])


def test_digits_are_no_day_of_the_middle_ages() -> None:
    with pytest.raises(ValueError, match="is no time in the form iso"):
        instant_of("1712010201000", ["iso"])


@given(
    st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(["iso", "epoch_s", "epoch_ms", "%d %b %Y %H:%M:%S"]),
)
def test_what_is_written_is_read_back(instant: datetime, form: str) -> None:
    assert instant == instant_of(written(instant, form), [form])


def test_a_time_is_cut_off_at_the_smallest_unit_of_its_form() -> None:
    instant = NOON + timedelta(milliseconds=1999)
    forms = ("iso", "epoch_s", "epoch_ms", "date", "%H:%M")
    assert ["2026-06-15T12:00:01.999Z", 1781524801, 1781524801999, "2026-06-15", "12:00"] == [
        written(instant, form) for form in forms
    ]


@pytest.mark.parametrize("text", ["epoch", "YYYY-MM-DD", "%s", "%-d", "%5Y", ""])
def test_a_form_that_is_none_or_differs_between_systems_is_refused(text: str) -> None:
    with pytest.raises(Mistake, match="is not a form of time"):
        TimeFormat.read(text)


@pytest.mark.parametrize("text", ["${run.started_at|date('epoch')}", "${run.started_at|date('%s')}"])
def test_the_date_filter_takes_the_same_forms(text: str) -> None:
    with pytest.raises(Mistake, match="is no form of date"):
        compile(text)


@pytest.mark.parametrize(("start", "instant"), [("12h", NOON.replace(hour=0)), ("2026-06-15T12:00:00Z", NOON)])
def test_a_start_is_a_time_or_so_long_ago(start: str, instant: datetime) -> None:
    assert instant == first_instant(start, NOON)


@pytest.mark.parametrize("start", ["soon", "99999999d", "None", ""])
def test_a_start_that_is_neither_is_named(start: str) -> None:
    with pytest.raises(Mistake, match="is no time and no duration"):
        first_instant(start, NOON)


def test_times_are_rounded_down_also_before_1970() -> None:
    assert datetime(1969, 12, 31, tzinfo=UTC) == floored(datetime(1969, 12, 31, 23, 59, tzinfo=UTC), timedelta(days=1))


def test_a_window_is_cut_into_steps_and_what_is_left() -> None:
    window = Window(NOON, NOON + timedelta(hours=5))
    ends = [one.end - NOON for one in window.cut(timedelta(hours=2))]
    assert [timedelta(hours=2), timedelta(hours=4), timedelta(hours=5)] == ends


def test_the_upper_bound_that_a_vendor_counts_lies_one_step_before_the_end() -> None:
    window = Window(NOON, NOON + timedelta(days=2), timedelta(days=1), inclusive=True)
    assert {"start": NOON, "end": NOON + timedelta(days=1)} == window.scope()


def test_a_window_as_short_as_may_be_has_no_halves() -> None:
    day, midnight = timedelta(days=1), NOON.replace(hour=0)
    assert Window(midnight, midnight + day).halves(day) is None
    assert Window(midnight, midnight + day, day).halves(timedelta(0)) is None
