"""The numbers behind a chart: rows summed by the values of one or two columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from engine.core.errors import Mistake, nearest
from engine.parts.outputs._html.text import number
from engine.parts.outputs._html.tone import all_toned, rank

MISSING = "(none)"
STEPS = (
    *(("minute", "1m", 60), ("hour", "1h", 3600), ("day", "1d", 86_400), ("week", "1w", 604_800)),
    *(("month", "1mo", 2_629_800), ("quarter", "3mo", 7_889_400), ("year", "1y", 31_557_600)),
)
"""Name, Polars' word and seconds of the steps into which times are put."""
MOST_STEPS = 120


@dataclass(frozen=True)
class Series:
    """One colour of a chart: its name, empty when there is no other, and its value at each label or place."""

    name: str
    values: Sequence[float]

    @property
    def total(self) -> float:
        """The sum of its values."""
        return sum(self.values)


@dataclass(frozen=True)
class Bars:
    """Labels, each with one value in every series."""

    labels: Sequence[str]
    series: Sequence[Series]

    def total(self, place: int) -> float:
        """The sum of all series at one label."""
        return sum(one.values[place] for one in self.series)


@dataclass(frozen=True)
class Lines:
    """Places on the x axis, in order, each with one value in every series; NaN where there is none.

    Times are seconds since the epoch, and `step` is the name of the span that each stands for.
    """

    places: Sequence[float]
    series: Sequence[Series]
    step: str | None


def bars(rows: pl.LazyFrame, x: str, y: str | None, by: str | None, top: int) -> Bars:
    """One bar for each value of `x`, cut at `top`; with `by`, split into at most seven series and the rest."""
    keys = {"x": _label(rows, x)} | ({"by": _label(rows, by)} if by else {})
    exploded = rows.explode(x) if isinstance(_type(rows, x), pl.List) else rows
    found = _summed(exploded, keys, y)
    totals: dict[str, float] = {}
    for row in found:
        totals[row[0]] = totals.get(row[0], 0) + row[-1]
    kept, rest = _cut(totals, top)
    labels = [*kept, *([_other(rest)] if rest else [])]
    places = {label: place for place, label in enumerate(kept)}
    splits: dict[str, list[float]] = {}
    for row in found:
        values = splits.setdefault(row[1] if by else "", [0.0] * len(labels))
        values[places.get(row[0], len(kept))] += row[-1]
    return Bars(labels, _series(splits, 7))


def lines(rows: pl.LazyFrame, x: str, y: str | None, by: str | None, top: int) -> Lines:
    """One line for each value of `by`; times are put into steps, so that at most 120 places are drawn."""
    place, step = _places(rows, x)
    keys = {"x": place} | ({"by": _label(rows, by)} if by else {})
    found = [row for row in _summed(rows, keys, y) if row[0] is not None]
    seen = sorted({row[0] for row in found})
    if step and y is None and seen:
        first, last = (datetime.fromtimestamp(end, UTC) for end in (seen[0], seen[-1]))
        span = pl.datetime_range(first, last, interval=step[1], time_zone="UTC", eager=True)
        seen = sorted({*seen, *(span.dt.epoch("s").to_list())})
    at = {place: number for number, place in enumerate(seen)}
    empty = 0.0 if y is None else float("nan")
    splits: dict[str, list[float]] = {}
    for row in found:
        splits.setdefault(row[1] if by else "", [empty] * len(seen))[at[row[0]]] = float(row[-1])
    return Lines(seen, _series(splits, top), step[0] if step else None)


def total(rows: pl.LazyFrame, value: str | None) -> float:
    """The sum of a column, or the number of rows."""
    [[found]] = rows.select(_measure(rows, value)).collect(engine="streaming").rows()
    return found or 0


def _type(rows: pl.LazyFrame, column: str) -> pl.DataType:
    schema = rows.collect_schema()
    if column not in schema:
        raise Mistake("unknown-column", f'the table has no column "{column}"{nearest(column, list(schema))}')
    return schema[column]


def _label(rows: pl.LazyFrame, column: str) -> pl.Expr:
    """The value as the chart writes it."""
    kind = _type(rows, column)
    if kind == pl.Boolean:
        text = pl.when(pl.col(column)).then(pl.lit("yes")).when(~pl.col(column)).then(pl.lit("no"))
        return text.otherwise(pl.lit(MISSING))
    return pl.col(column).cast(pl.String).str.slice(0, 200).fill_null(MISSING)


def _measure(rows: pl.LazyFrame, y: str | None) -> pl.Expr:
    if y is None:
        return pl.len()
    kind = _type(rows, y)
    if kind.is_float():
        # Sorted, since sums of floats depend on their order; NaN and infinity cannot be drawn.
        return pl.col(y).filter(pl.col(y).is_finite()).sort().sum()
    if kind == pl.Boolean or kind.is_numeric():
        return pl.col(y).sum()
    raise Mistake("chart", f"{y} holds no numbers", "give its column type: integer or float, or leave it out to count")


def _summed(rows: pl.LazyFrame, keys: dict[str, pl.Expr], y: str | None) -> list[tuple[Any, ...]]:
    """Rows of the keys and the sum, in the order of the keys."""
    grouped = rows.group_by(key.alias(name) for name, key in keys.items()).agg(
        _measure(rows, y).fill_null(0).cast(pl.Float64).alias("value")
    )
    return grouped.sort(list(keys)).collect(engine="streaming").rows()


def _cut(totals: dict[str, float], top: int) -> tuple[list[str], list[str]]:
    """The labels that are drawn, in their order, and the rest. One label is never replaced by "other (1)"."""
    ordered = sorted(totals, key=lambda label: (label == MISSING, -totals[label], label))
    kept = ordered if len(ordered) <= top + 1 else ordered[:top]
    if all_toned(label for label in kept if label != MISSING):
        kept = sorted(kept, key=rank)
    return kept, ordered[len(kept) :]


def _other(rest: Sequence[str]) -> str:
    return f"other ({number(len(rest))})"


def _series(splits: dict[str, list[float]], top: int) -> list[Series]:
    """The largest series, and the sum of all others."""
    kept, rest = _cut({name: sum(v for v in values if v == v) for name, values in splits.items()}, top)
    series = [Series(name, splits[name]) for name in kept]
    if rest:
        columns = zip(*(splits[name] for name in rest), strict=True)
        series.append(Series(_other(rest), [_sum_known(values) for values in columns]))
    return series


def _sum_known(values: Sequence[float]) -> float:
    """The sum of what is known; NaN when nothing is."""
    known = [value for value in values if value == value]
    return sum(known) if known else float("nan")


def _places(rows: pl.LazyFrame, x: str) -> tuple[pl.Expr, tuple[str, str, int] | None]:
    """Where a row stands on the x axis, and the step in which times are put."""
    kind = _type(rows, x)
    if kind.is_numeric():
        return pl.col(x).cast(pl.Float64), None
    if not isinstance(kind, pl.Date | pl.Datetime):
        raise Mistake("chart", f"{x} holds neither times nor numbers", "give its column type: datetime, or draw bars")
    time = pl.col(x).cast(pl.Datetime("us"))
    if isinstance(kind, pl.Datetime) and kind.time_zone:
        time = pl.col(x).dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
    whole_days = (time.dt.truncate("1d") == time).all()
    measured = rows.select((time.max() - time.min()).dt.total_seconds(), whole_days.alias("days")).collect(
        engine="streaming"
    )
    [[span, days]] = measured.rows()
    fits = [step for step in STEPS if (span or 0) / step[2] <= MOST_STEPS and not (days and step[2] < 86_400)]
    step = (fits or STEPS[-1:])[0]
    return time.dt.truncate(step[1]).dt.epoch("s"), step
