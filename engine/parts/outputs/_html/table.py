"""A table of the page: its first rows, cell by cell, and what its columns mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

import polars as pl

from engine.core.kinds import About
from engine.parts.outputs._html.text import MISSING, clip, count, escape, human, number, utc
from engine.parts.outputs._html.tone import all_toned, rank, tone

Look = Literal["number", "code", "claim", "time", "badge", "chips", "json", "text"]
READ = 1200
"""Characters of a text that are read: a page for people holds no megabytes in one cell."""
SHOWN, TOLD = 240, 1000
"""Characters that are shown, and that are told under the pointer."""
WIDE = 64
"""From so many characters on a text may break."""
NO_ROWS = '<p class="empty">No rows.</p>'
CHIPS = 6
NO_AMOUNT = ("id", "year", "port", "code", "revision", "version")
"""Last words of the names of whole numbers that are names, not amounts: they get no separators."""


@dataclass(frozen=True)
class Shown:
    """A table as it stands on the page."""

    name: str
    total: int
    html: str


@dataclass(frozen=True)
class Column:
    """One column of it, with the way its cells look."""

    name: str
    look: Look
    doc: str


def show(name: str, rows: pl.LazyFrame, about: About, most: int) -> Shown:
    """The first rows of a table."""
    [[total]] = rows.select(pl.len()).collect(engine="streaming").rows()
    schema = rows.collect_schema()
    texts = [pl.col(column).str.slice(0, READ) for column, kind in schema.items() if kind == pl.String]
    found = rows.head(most).with_columns(texts).collect(engine="streaming")
    docs, types = about.docs.get(name, {}), about.types.get(name, {})
    columns = [Column(one.name, _look(one, types.get(one.name)), docs.get(one.name, "")) for one in found]
    heads = "".join(_head(column) for column in columns)
    body = "".join(_row(row, columns) for row in found.iter_rows())
    shown = f"first {number(found.height)} of {count(total)}" if total > found.height else count(total)
    meaning = f'<p class="doc">{escape(about.meanings[name])}</p>' if about.meanings.get(name) else ""
    table = (
        NO_ROWS
        if not total
        else (
            f'<div class="scroll" role="region" aria-labelledby="{name}-h" tabindex="0"><table>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )
    )
    return Shown(
        name,
        total,
        f'<section class="table" id="{name}"><header><h2 id="{name}-h">{escape(human(name))}</h2>'
        f'<p class="count">{shown}{_link(about.files.get(name))}</p></header>{meaning}'
        f"{table}{_meanings(columns)}</section>",
    )


def _link(file: str | None) -> str:
    """A link to the full file; percent-encoding leaves it no scheme."""
    return f' · <a href="{quote(file)}">full file</a>' if file else ""


def _look(column: pl.Series, declared: str | None) -> Look:
    kind = column.dtype
    if kind == pl.Boolean:
        return "claim"
    if kind.is_numeric():
        return "code" if kind.is_integer() and column.name.lower().split("_")[-1] in NO_AMOUNT else "number"
    if isinstance(kind, pl.Datetime):
        return "time"
    if isinstance(kind, pl.List) and not kind.inner.is_nested():
        return "chips"
    if kind.is_nested() or declared == "json":
        return "json"
    if kind == pl.String and all_toned(column.drop_nulls().unique()):
        return "badge"
    return "text"


def _head(column: Column) -> str:
    about = f' title="{escape(column.doc)}"' if column.doc else ""
    side = ' class="number"' if column.look == "number" else ""
    zone = "<small> UTC</small>" if column.look == "time" else ""
    return f'<th scope="col"{side} data-look="{column.look}"{about}>{escape(human(column.name))}{zone}</th>'


def _row(row: Sequence[Any], columns: Sequence[Column]) -> str:
    cells = []
    for place, (value, column) in enumerate(zip(row, columns, strict=True)):
        tag = "th" if place == 0 else "td"
        scope = ' scope="row"' if place == 0 else ""
        attributes, text = _cell(value, column.look)
        cells.append(f"<{tag}{scope}{attributes}>{text}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: Any, look: Look) -> tuple[str, str]:
    """Attributes and content of a cell."""
    if value is None:
        return ' class="null"', f'<span title="no value">{MISSING}</span>'
    match look:
        case "number":
            return f' class="number" data-v="{float(value)!r}"', number(value)
        case "code":
            return ' class="code"', str(value)
        case "claim":
            return (' class="yes"', "yes") if value else (' class="no"', "no")
        case "time":
            return f' class="time" title="{utc(value):%Y-%m-%dT%H:%M:%SZ}"', f"{utc(value):%Y-%m-%d %H:%M}"
        case "badge":
            return f' data-v="{rank(value)}"', f'<span class="badge k-{tone(value)}">{escape(value)}</span>'
        case "chips":
            return "", _chips([MISSING if one is None else _plain(one) for one in value])
        case "json":
            return "", f"<code>{_clipped(value if isinstance(value, str) else _json(value))}</code>"
    return "", _clipped(_plain(value))


def _chips(texts: Sequence[str]) -> str:
    chips = "".join(f'<span class="chip">{escape(clip(text, 48))}</span>' for text in texts[:CHIPS])
    if len(texts) <= CHIPS:
        return chips or '<span class="none">none</span>'
    rest = escape(clip(", ".join(texts[CHIPS:]), TOLD))
    return f'{chips}<span class="chip more" title="{rest}">+{len(texts) - CHIPS}</span>'


def _clipped(text: str) -> str:
    """The text, escaped; a long one may break, a very long one is cut and told under the pointer."""
    if len(text) <= WIDE:
        return escape(text)
    told = f' title="{escape(clip(text, TOLD))}"' if len(text) > SHOWN else ""
    return f'<span class="long"{told}>{escape(clip(text, SHOWN))}</span>'


def _plain(value: Any) -> str:
    return f"{utc(value):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _meanings(columns: Sequence[Column]) -> str:
    """The docs of the columns, for those who have no pointer to hover with."""
    told: Mapping[str, str] = {column.name: column.doc for column in columns if column.doc}
    if not told:
        return ""
    entries = "".join(f"<dt>{escape(human(name))}</dt><dd>{escape(doc)}</dd>" for name, doc in told.items())
    return f"<details><summary>What the columns mean</summary><dl>{entries}</dl></details>"
