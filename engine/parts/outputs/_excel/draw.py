"""Native charts and colours on a sheet that was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from engine.parts.outputs._excel.book import TIMES, Book, Sheet
from engine.parts.outputs._excel.settings import BarChart, Drawn, LineChart, SheetFormat
from engine.parts.outputs._html.text import human
from engine.parts.outputs._html.tone import TONES, all_toned, plain, tone

TONE_COLOURS = {
    "critical": ("#FFFFFF", "#A3122C"),
    "high": ("#8A2C06", "#FFE4D3"),
    "medium": ("#6B4A00", "#FDF0C4"),
    "low": ("#1E429F", "#DFEAFE"),
    "none": ("#465061", "#E9ECF1"),
    "good": ("#1A5C2A", "#D8F3DD"),
    "bad": ("#8C1026", "#FDE1E5"),
}
"""Tone -> colour of its text and of its cell."""
FILLS = {"critical": "#A3122C", "high": "#D9480F", "medium": "#B7830A", "low": "#2F6FED", "none": "#7B8798"}
FILLS |= {"good": "#2B8A3E", "bad": "#A3122C"}
COLOURS = ("#2F6FED", "#0B8A8A", "#D9480F", "#7048B6", "#B7830A", "#2B8A3E", "#C2255C", "#5C677D")
GRID = "#E9ECF1"
GREEN, YELLOW, RED = "#8FD19E", "#FFE99A", "#F1948A"
SAMPLE = 1000
"""Rows that say whether the words of a column are words of severity."""
HIGH, WIDE = 20, 620
"""Rows that a chart covers, and its width in pixels."""


def draw(book: Book, sheet: Sheet, chart: Drawn, rows: pl.LazyFrame, number: int) -> None:
    """A chart over the first rows of a sheet, to the right of them; `number` counts those above it."""
    last = min(sheet.last, chart.top)
    if not last:
        return
    kind = "bar" if isinstance(chart, BarChart) else "line" if isinstance(chart, LineChart) else "doughnut"
    drawn = book.file.add_chart({"type": kind})
    labels = rows.select(pl.col(chart.x).cast(pl.String)).head(last).collect().to_series().to_list()
    for place, y in enumerate(chart.y):
        column = sheet.place(y)
        series: dict[str, Any] = {
            "name": y if len(chart.y) > 1 else human(y),
            "categories": [sheet.name, 1, sheet.place(chart.x), last, sheet.place(chart.x)],
            "values": [sheet.name, 1, column, last, column],
            "line" if kind == "line" else "fill": {"color": COLOURS[place % len(COLOURS)]},
        }
        if kind != "line" and (kind == "doughnut" or len(chart.y) == 1):
            series["points"] = _points(labels, whole=kind == "doughnut")
        drawn.add_series(series)
    drawn.set_title({"name": chart.title or f"{human(chart.y[0])} by {chart.x.replace('_', ' ')}", "overlay": False})
    if kind == "line":
        look = sheet.columns[sheet.place(chart.x)].look
        drawn.set_x_axis({"date_axis": True, "num_format": "yyyy-mm-dd"} if look in TIMES else {})
        drawn.set_y_axis({"major_gridlines": {"visible": True, "line": {"color": GRID}}})
    if kind == "bar":
        drawn.set_y_axis({"reverse": True})
        drawn.set_x_axis({"major_gridlines": {"visible": True, "line": {"color": GRID}}})
    if kind != "doughnut" and len(chart.y) == 1:
        drawn.set_legend({"none": True})
    drawn.set_size({"width": WIDE, "height": 20 * HIGH - 30})
    sheet.sheet.insert_chart(1 + HIGH * number, len(sheet.columns) + 1, drawn)


def _points(labels: Sequence[str | None], *, whole: bool) -> list[dict[str, dict[str, str]]] | None:
    """A colour for each bar or share: that of its word where all are words of severity."""
    if all_toned(label for label in labels if label is not None):
        return [{"fill": {"color": FILLS[tone(label or "none") or "none"]}} for label in labels]
    return [{"fill": {"color": COLOURS[n % len(COLOURS)]}} for n in range(len(labels))] if whole else None


def colour_words(book: Book, sheet: Sheet, rows: pl.LazyFrame) -> None:
    """Colour the cells of columns in which every word says how bad something is."""
    from xlsxwriter.utility import xl_rowcol_to_cell  # lint does without

    texts = [column.name for column in sheet.columns if rows.collect_schema()[column.name] == pl.String]
    for name in texts if sheet.last else ():
        words = {word for word in rows.select(name).head(SAMPLE).collect()[name] if word is not None}
        if not all_toned(words):
            continue
        place = sheet.place(name)
        first = xl_rowcol_to_cell(1, place, col_abs=True)
        for one, (text, cell) in TONE_COLOURS.items():
            known = [word for word, its in TONES.items() if its == one]
            spelled = [*known, *(word for word in sorted(words) if tone(word) == one and plain(word) != word.lower())]
            look = book.file.add_format({"font_color": text, "bg_color": cell})
            claims = ",".join(f'{first}="{word}"' for word in spelled)
            rule = {"type": "formula", "criteria": f"=OR({claims})", "format": look}
            sheet.sheet.conditional_format(1, place, sheet.last, place, rule)


def colour_numbers(sheet: Sheet, form: SheetFormat) -> None:
    """A scale from green to red, or a bar in each cell."""
    if not sheet.last:
        return
    place = sheet.place(form.column)
    low, high = (GREEN, RED) if form.best == "low" else (RED, GREEN)
    rule = {"type": "3_color_scale", "min_color": low, "mid_color": YELLOW, "max_color": high}
    if form.bars:
        rule = {"type": "data_bar", "bar_color": COLOURS[0]}
    sheet.sheet.conditional_format(1, place, sheet.last, place, rule)
