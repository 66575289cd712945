"""The plot of a line chart: grid, lines, dots and what is shown under the pointer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from engine.parts.outputs._html.axis import number_labels, round_ticks, time_labels
from engine.parts.outputs._html.figures import Lines, Series
from engine.parts.outputs._html.text import compact, day, escape, number

TOP, HEIGHT, BELOW = 16, 190, 26
INSET = 0.01
"""The share of the width that is left free on either side."""
MOST_DOTS = 16
MOST_HITS = 400


def line_plot(points: Lines, colours: Sequence[str], *, head: str) -> str:
    """The svg; `head` closes its tag and holds its title."""
    values = [value for one in points.series for value in one.values if value == value]
    ticks = round_ticks(min([*values, 0.0]), max([*values, 0.0]))
    plot = _Plot(points.places, ticks[0], ticks[-1])
    parts = [f'<svg class="line" width="100%" height="{TOP + HEIGHT + BELOW}"{head}']
    parts += _grid(plot, ticks)
    parts += _times(plot, points.step)
    parts.append(
        f'<svg x="0" y="{TOP}" width="100%" height="{HEIGHT}" viewBox="0 0 1000 {HEIGHT}" preserveAspectRatio="none">'
    )
    for one, colour in zip(points.series, colours, strict=True):
        parts.append(_path(plot, one, colour, filled=len(points.series) == 1))
    parts.append("</svg>")
    for one, colour in zip(points.series, colours, strict=True):
        if sum(value == value for value in one.values) <= MOST_DOTS:
            parts += _dots(plot, one, colour)
    if len(points.places) <= MOST_HITS:
        parts += _hits(plot, points)
    return "".join(parts) + "</svg>"


class _Plot:
    """Where a place and a value are drawn: shares of the width, and pixels from the top of the plot."""

    def __init__(self, places: Sequence[float], low: float, high: float) -> None:
        self.places, self.low, self.high = places, low, high

    def x(self, place: float) -> float:
        span = self.places[-1] - self.places[0]
        inside = (place - self.places[0]) / span if span else 0.5
        return INSET + (1 - 2 * INSET) * inside

    def y(self, value: float) -> float:
        return HEIGHT * (1 - (value - self.low) / (self.high - self.low))


def _grid(plot: _Plot, ticks: Sequence[float]) -> Iterator[str]:
    for tick in ticks:
        y = TOP + plot.y(tick)
        yield f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick end" x="-8" y="{y + 4:.1f}">{compact(tick)}</text>'


def _times(plot: _Plot, step: str | None) -> Iterator[str]:
    """The labels of the x axis; the outermost stay inside."""
    first, last = plot.places[0], plot.places[-1]
    if first == last:
        labels = [(first, said(first, step))]
    else:
        labels = time_labels(first, last) if step else number_labels(first, last)
    for place, text in labels:
        x = plot.x(place)
        anchor = "start" if x < 0.08 else "end" if x > 0.92 else "middle"
        at, base = f"{100 * x:.2f}%", TOP + HEIGHT
        yield f'<line class="mark" x1="{at}" x2="{at}" y1="{base}" y2="{base + 5}"/>'
        yield f'<text class="tick {anchor}" x="{at}" y="{base + 20}">{text}</text>'


def _path(plot: _Plot, one: Series, colour: str, *, filled: bool) -> str:
    """The line through all known values."""
    pairs = zip(plot.places, one.values, strict=True)
    known = [(plot.x(place), plot.y(value)) for place, value in pairs if value == value]
    line = " ".join(f"{1000 * x:.1f},{y:.1f}" for x, y in known)
    drawn = f'<polyline class="stroke {colour}" points="{line}"/>'
    if not filled:
        return drawn
    base = plot.y(max(plot.low, 0))
    area = f"{1000 * known[0][0]:.1f},{base:.1f} {line} {1000 * known[-1][0]:.1f},{base:.1f}"
    return f'<polygon class="area {colour}" points="{area}"/>{drawn}'


def _dots(plot: _Plot, one: Series, colour: str) -> Iterator[str]:
    for place, value in zip(plot.places, one.values, strict=True):
        if value == value:
            yield f'<circle class="dot {colour}" cx="{100 * plot.x(place):.2f}%" cy="{TOP + plot.y(value):.1f}" r="3"/>'


def _hits(plot: _Plot, points: Lines) -> Iterator[str]:
    """For each place a strip that says its values under the pointer."""
    width = 1 / len(points.places)
    for number_, place in enumerate(points.places):
        told = [said(place, points.step)]
        for one in points.series:
            if (value := one.values[number_]) == value:
                told.append(f"{one.name}: {number(value)}" if one.name else number(value))
        x = max(plot.x(place) - width / 2, 0)
        yield (
            f'<rect class="hit" x="{100 * x:.2f}%" y="{TOP}" width="{100 * width:.2f}%" height="{HEIGHT}">'
            f"<title>{escape(chr(10).join(told))}</title></rect>"
        )


def said(place: float, step: str | None) -> str:
    """A place in words."""
    if step is None:
        return number(place)
    time = datetime.fromtimestamp(place, UTC)
    match step:
        case "minute" | "hour":
            return f"{day(time)}, {time:%H:%M}"
        case "day":
            return day(time)
        case "week":
            return f"week of {day(time)}"
        case "month" | "quarter":
            return f"{step} of {time:%m/%Y}"
    return str(time.year)
