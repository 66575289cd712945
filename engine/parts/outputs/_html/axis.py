"""Ticks of an axis at round numbers and round times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from engine.parts.outputs._html.text import MONTHS, compact

MINUTE, HOUR, DAY = 60, 3600, 86_400
SPANS = (
    *(MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 7 * DAY, 14 * DAY),
)
MONTH_SPANS = (1, 2, 3, 6, 12, 24, 60, 120, 600, 1200)


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, at most so many steps apart."""
    span = (high - low) or abs(high) or 1
    size = 10 ** math.floor(math.log10(span / most))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10, 20) if span / (size * factor) <= most)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def number_labels(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks inside a range of numbers, with their texts."""
    return [(tick, compact(tick)) for tick in round_ticks(low, high, 4) if low <= tick <= high]


def time_labels(start: float, end: float, most: int = 6) -> list[tuple[float, str]]:
    """Ticks inside a range of times (seconds since the epoch), with their texts."""
    for span in SPANS:
        if (end - start) / span <= most - 1:
            first = math.ceil(start / span)
            ticks = [number * span for number in range(first, math.floor(end / span) + 1)]
            return [(tick, _clock(tick) if span < DAY else _date(tick)) for tick in ticks]
    for months in MONTH_SPANS:
        dates = list(_month_starts(start, end, months))
        if len(dates) < most:
            break
    return [(date.timestamp(), str(date.year) if months >= 12 else f"{_month(date)} {date.year}") for date in dates]


def _month_starts(start: float, end: float, months: int) -> Iterator[datetime]:
    first = datetime.fromtimestamp(start, UTC)
    number = math.ceil((first.year * 12 + first.month - 1) / months) * months
    while (date := datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)).timestamp() <= end:
        if date.timestamp() >= start:
            yield date
        number += months


def _month(time: datetime) -> str:
    return MONTHS[time.month - 1]


def _clock(seconds: float) -> str:
    """`14:00`, and the day where it begins."""
    time = datetime.fromtimestamp(seconds, UTC)
    return f"{time:%H:%M}" if seconds % DAY else _date(seconds)


def _date(seconds: float) -> str:
    time = datetime.fromtimestamp(seconds, UTC)
    return f"{time.day} {_month(time)}"
