"""Charts as inline SVG that fills its card at any width: lengths in percent, text in its own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from engine.parts.outputs._html import figures
from engine.parts.outputs._html.line import line_plot
from engine.parts.outputs._html.settings import Bar, Donut, Line, Number
from engine.parts.outputs._html.text import clip, compact, escape, human, number
from engine.parts.outputs._html.tone import all_toned, tone

LABEL = 36
"""Characters of a label that fit above a bar on a narrow screen."""
LARGE = 10_000_000
"""From here on a large number is told as `23.1M`."""
ROW, BAR = 38, 10
RING = 54


@dataclass(frozen=True)
class Drawn:
    """A chart as markup; `numbers` stand together above all others, `wide` ones take the whole width."""

    html: str
    place: Literal["number", "wide", "card"]


def draw(chart: Bar | Line | Donut | Number, rows: pl.LazyFrame, name: str) -> Drawn:
    """The chart of these rows; `name` is its id on the page. Raises Mistake where a column is missing or no number."""
    match chart:
        case Number():
            value = figures.total(rows, chart.value)
            shown = number(value) if abs(value) < LARGE else compact(float(value), 3)
            html = f'<div class="number"><b title="{number(value)}">{shown}</b><span>{escape(chart.label)}</span></div>'
            return Drawn(html, "number")
        case Bar():
            found = figures.bars(rows, chart.x, chart.y, chart.by, chart.top)
            by = f" and {_words(chart.by)}" if chart.by else ""
            title = chart.title or f"{_measure(chart.table, chart.y)} by {_words(chart.x)}{by}"
            return Drawn(_card(name, title, "", _bars(found, name, title) if found.labels else ""), "card")
        case Donut():
            found = figures.bars(rows, chart.x, chart.y, None, chart.top)
            title = chart.title or f"{_measure(chart.table, chart.y)} by {_words(chart.x)}"
            has_shares = any(value > 0 for one in found.series for value in one.values)
            return Drawn(_card(name, title, "", _donut(found, name, title) if has_shares else ""), "card")
        case Line():
            points = figures.lines(rows, chart.x, chart.y, chart.by, chart.top)
            title = chart.title or f"{_measure(chart.table, chart.y)} over {_words(chart.x)}"
            classes = _classes([one.name for one in points.series])
            plot = line_plot(points, classes, head=_head(name, title, _told(points))) if points.places else ""
            note = f"by {points.step}, UTC" if points.step else ""
            return Drawn(_card(name, title, note, plot + _legend(points.series, classes)), "wide")


def _measure(table: str, y: str | None) -> str:
    return human(y or table)


def _words(column: str) -> str:
    return column.replace("_", " ")


def _card(name: str, title: str, note: str, body: str) -> str:
    said = f" <small>{escape(note)}</small>" if note and body else ""
    shown = body or '<p class="empty">No rows, so there is nothing to draw.</p>'
    return f'<figure class="chart" id="{name}"><figcaption>{escape(title)}{said}</figcaption>{shown}</figure>'


def _head(name: str, title: str, told: str) -> str:
    """The attributes and first children of an svg, for those who do not see it."""
    return (
        f' role="img" aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(told)}</desc>'
    )


def _classes(names: Sequence[str]) -> list[str]:
    """One colour a name: that of its tone where all names have one, else one of eight in their order."""
    words = [name for name in names if not _is_rest(name)]
    toned = all_toned(words)
    return [
        "c0" if _is_rest(name) else f"k-{tone(name)}" if toned else f"c{place % 8 + 1}"
        for place, name in enumerate(names)
    ]


def _is_rest(name: str) -> bool:
    return name == figures.MISSING or name.startswith("other (")


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def _bars(found: figures.Bars, name: str, title: str) -> str:
    """Bars below their labels, so that long labels never meet the bars."""
    totals = [found.total(place) for place in range(len(found.labels))]
    longest = max(*totals, 0.0) or 1.0
    split = len(found.series) > 1 or found.series[0].name != ""
    own = _classes(found.labels)
    flat = own if any(one.startswith("k-") for one in own) else ["c1" if one != "c0" else "c0" for one in own]
    colours = _classes([one.name for one in found.series])
    told = "; ".join(f"{label}: {number(total)}" for label, total in zip(found.labels, totals, strict=True))
    parts = [f'<svg class="bars" width="100%" height="{ROW * len(totals)}"{_head(name, title, told)}']
    for place, (label, total) in enumerate(zip(found.labels, totals, strict=True)):
        y = ROW * place
        parts.append(
            f"<g><title>{escape(label)}: {number(total)}</title>"
            f'<text x="0" y="{y + 14}">{escape(clip(label, LABEL))}</text>'
            f'<text class="value" x="100%" y="{y + 14}">{number(total)}</text>'
            f'<rect class="track" width="100%" y="{y + 20}" height="{BAR}" rx="3"/></g>'
        )
        start = 0.0
        for number_, one in enumerate(found.series):
            share = max(one.values[place], 0) / longest
            colour = colours[number_] if split else flat[place]
            said = f"{label}, {one.name}" if split else label
            if share > 0:
                parts.append(_bar(colour, start, share, y + 20, f"{said}: {number(one.values[place])}"))
            start += share
    legend = _legend(found.series, colours) if split else ""
    return "".join(parts) + "</svg>" + legend


def _bar(colour: str, start: float, share: float, y: int, said: str) -> str:
    return (
        f'<rect class="bar {colour}" x="{_percent(start)}" y="{y}" width="{_percent(share)}" height="{BAR}" rx="3">'
        f"<title>{escape(said)}</title></rect>"
    )


def _donut(found: figures.Bars, name: str, title: str) -> str:
    """A ring of shares, its sum in the middle and its numbers beside it."""
    shares = [max(value, 0.0) for value in found.series[0].values]
    whole = sum(shares)
    colours = _classes(found.labels)
    told = "; ".join(f"{label}: {number(value)}" for label, value in zip(found.labels, shares, strict=True))
    parts = [f'<svg class="ring" width="160" height="160" viewBox="-80 -80 160 160"{_head(name, title, told)}']
    start = 0.0
    for label, value, colour in zip(found.labels, shares, colours, strict=True):
        share = 100 * value / whole
        # A gap of half a unit between two shares, never wider than the share itself.
        drawn = max(share - 0.5, share / 2) if share < 100 else 100
        parts.append(
            f'<circle class="share {colour}" r="{RING}" pathLength="100" transform="rotate(-90)"'
            f' stroke-dasharray="{drawn:.3f} {100 - drawn:.3f}" stroke-dashoffset="{-start:.3f}">'
            f"<title>{escape(label)}: {number(value)}</title></circle>"
        )
        start += share
    parts.append(f'<text class="sum" y="8">{number(whole)}</text></svg>')
    rows = "".join(
        f'<li><i class="swatch {colour}"></i><span title="{escape(label)}">{escape(clip(label, LABEL))}</span>'
        f"<b>{number(value)}</b><small>{100 * value / whole:.0f}%</small></li>"
        for label, value, colour in zip(found.labels, shares, colours, strict=True)
    )
    return f'<div class="donut">{"".join(parts)}<ul class="shares">{rows}</ul></div>'


def _legend(series: Sequence[figures.Series], colours: Sequence[str]) -> str:
    """Which colour is which; nothing where there is one without a name."""
    if [one.name for one in series] in ([], [""]):
        return ""
    entries = "".join(
        f'<li><i class="swatch {colour}"></i>{escape(clip(one.name, LABEL))}</li>'
        for one, colour in zip(series, colours, strict=True)
    )
    return f'<ul class="legend">{entries}</ul>'


def _told(points: figures.Lines) -> str:
    """A line chart in words."""
    said = []
    for one in points.series:
        known = [value for value in one.values if value == value]
        prefix = f"{one.name}: " if one.name else ""
        said.append(f"{prefix}from {number(known[0])} to {number(known[-1])}, highest {number(max(known))}")
    return "; ".join(said)
