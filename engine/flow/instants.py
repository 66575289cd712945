"""Texts become numbers, times and dates: all at once in the form of the first, what is left in the other forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import polars as pl

from engine.core.sql.types import UTC_TIME

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
EPOCHS = {"epoch_s": "s", "epoch_ms": "ms"}
FIRST_MICROSECOND, LAST_MICROSECOND = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999: beyond them no reader of the tables knows a time."""
RFC_3339 = ("%+", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")
"""Without an offset it is UTC."""
QUICK = {
    20: "%Y-%m-%dT%H:%M:%SZ",
    24: "%Y-%m-%dT%H:%M:%S.%3fZ",
    27: "%Y-%m-%dT%H:%M:%S.%6fZ",
    19: "%Y-%m-%dT%H:%M:%S",
}
"""Forms by the length of their texts, which Polars reads four times as fast and, where it does, to the same instant."""
Read = Callable[[pl.Series], pl.Series]


def finite(text: pl.Expr) -> pl.Expr:
    """A number; Polars reads NaN and inf too, and 1e400 as inf: JSON has no such numbers."""
    return text.map_batches(_finite, return_dtype=pl.Float64)


def instant(text: pl.Expr, unit: str | None = None) -> pl.Expr:
    """A time as RFC 3339 writes it, or counted in some unit since 1970; null where the text is neither."""
    return text.map_batches(partial(_epochs, unit=unit) if unit else _instants, return_dtype=UTC_TIME)


def day(text: pl.Expr) -> pl.Expr:
    """A date; null where the text is none."""
    return text.map_batches(_days, return_dtype=pl.Date)


def formed(text: pl.Expr, forms: Sequence[str]) -> pl.Expr:
    """A time in the first of these forms that it has; null where it has another."""
    reads = [partial(_formed, form=form) for form in forms]
    return text.map_batches(partial(_by_the_first, reads=reads), return_dtype=UTC_TIME)


def _by_the_first(text: pl.Series, reads: Sequence[Read]) -> pl.Series:
    """Each text as the first reads it that can; the later ones are only shown what is left."""
    found = reads[0](text)
    for read in reads[1:]:
        if found.null_count() == text.null_count():
            break
        left = _where(text, found.is_null())
        found = found.zip_with(found.is_not_null(), read(left))
    return found


def _where(values: pl.Series, holds: pl.Series) -> pl.Series:
    return pl.select(pl.when(holds).then(values)).to_series()


def _finite(text: pl.Series) -> pl.Series:
    number = text.cast(pl.Float64, strict=False)
    return number if number.is_finite().all() else _where(number, number.is_finite())


def _instants(text: pl.Series) -> pl.Series:
    first = text.first(ignore_nulls=True)
    quick = QUICK.get(len(first)) if isinstance(first, str) else None
    forms = [quick, *RFC_3339] if quick else RFC_3339
    found = _by_the_first(text, [partial(_in_form, form=form) for form in forms])
    return _where(found, _known(found.dt.epoch("us")))


def _in_form(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False, cache=False)


def _days(text: pl.Series) -> pl.Series:
    return _by_the_first(text, [_plain_days, _midnights])


def _plain_days(text: pl.Series) -> pl.Series:
    return _where(text, text.str.len_bytes() == 10).str.to_date("%Y-%m-%d", strict=False)


def _midnights(text: pl.Series) -> pl.Series:
    """Spreadsheets have no dates but times at midnight."""
    return _plain_days(text.str.replace(r"[T ]00:00:00(\.0+)?$", ""))


def _epochs(text: pl.Series, unit: str) -> pl.Series:
    if unit == "ns":
        return (text.cast(pl.Int64, strict=False) // 1_000).cast(UTC_TIME)
    factor = MICROSECONDS[unit]
    return _by_the_first(text, [partial(_whole, factor=factor), partial(_fraction, factor=factor)]).cast(UTC_TIME)


def _whole(text: pl.Series, factor: int) -> pl.Series:
    number = text.cast(pl.Int64, strict=False)
    # The bounds are those of the number: multiplied first, it would wrap around into them.
    return _where(number, _known(number, factor)) * factor


def _fraction(text: pl.Series, factor: int) -> pl.Series:
    number = (text.cast(pl.Float64, strict=False) * factor).round().cast(pl.Int64, strict=False)
    return _where(number, _known(number))


def _known(number: pl.Series, factor: int = 1) -> pl.Series:
    return number.is_between(-(-FIRST_MICROSECOND // factor), LAST_MICROSECOND // factor)


def _formed(text: pl.Series, form: str) -> pl.Series:
    if form in EPOCHS:
        return _epochs(text, EPOCHS[form])
    if form in ("iso", "date"):
        return _instants(text) if form == "iso" else _days(text).cast(UTC_TIME)
    has_time = any(letter in form for letter in ("%H", "%I", "%T", "%R", "%X", "%c", "%s"))
    found = _in_form(text, form) if has_time else text.str.to_date(form, strict=False).cast(UTC_TIME)
    # `%Y` takes the 25 of 11/23/25 for the year 25
    return _where(found, found.dt.year().is_between(1000, 9999))
