"""How values read on the page: escaped, with separators, short and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

MISSING = "–"


def clip(text: str, length: int) -> str:
    """The text, or its start with … where it is longer."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def human(name: str) -> str:
    """`security_incidents` -> `Security incidents`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def number(value: float) -> str:
    """`12,345` or `0.25`: thousands apart, at most three decimals, the tiny in scientific form."""
    if isinstance(value, int) or (value == value and abs(value) < 1e15 and float(value).is_integer()):
        return f"{int(value):,}"
    if value != value or abs(value) in (0, float("inf")) or not 0.001 <= abs(value) < 1e15:
        return f"{value:.3g}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def compact(value: float, digits: int = 4) -> str:
    """`1.5k`, `20M`: a number for an axis."""
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.{digits}g}{sign}"
    return f"{value:.{digits}g}"


def count(rows: int, noun: str = "row") -> str:
    """`1 row`, `12 rows`."""
    return f"{number(rows)} {noun}{'' if rows == 1 else 's'}"


def utc(time: datetime) -> datetime:
    """The time in UTC; one without a zone is taken as UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def moment(time: datetime) -> str:
    """`23 Nov 2026, 12:47 UTC`."""
    return f"{day(time)}, {utc(time):%H:%M} UTC"


def day(time: datetime) -> str:
    """`23 Nov 2026`, whatever the language of the machine."""
    time = utc(time)
    return f"{time.day} {MONTHS[time.month - 1]} {time.year}"


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

__all__ = ["MISSING", "MONTHS", "clip", "compact", "count", "day", "escape", "human", "moment", "number", "utc"]
