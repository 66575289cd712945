"""Times as text and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.core.clock import Clock, read_instant, rfc3339


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC), "2026-01-02T03:04:05.120000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05Z"),
    ],
)
def test_a_time_is_written_in_utc(instant: datetime, text: str) -> None:
    assert text == rfc3339(instant)


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02 03:04:05", " 20260102T030405Z "]
)
def test_a_time_is_read_in_utc_unless_it_has_an_offset(text: str) -> None:
    assert datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) == read_instant(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "1767323045"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat string|month must be"):
        read_instant(text)


def test_a_clock_says_the_time_in_utc() -> None:
    clock = Clock(lambda: 1_767_323_045.0, lambda _: None, lambda: 0.5)
    assert datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) == clock.instant()
