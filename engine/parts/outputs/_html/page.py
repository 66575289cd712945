"""The page around charts and tables: one file that asks for nothing and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import groupby

from engine.core.kinds import About
from engine.parts.outputs._html.chart import Drawn
from engine.parts.outputs._html.table import Shown
from engine.parts.outputs._html.text import count, escape, human, moment, number


def page(title: str, charts: Sequence[Drawn], tables: Sequence[Shown], about: About) -> str:
    """The whole document."""
    return "".join(
        (
            _head(f"{'SIMULATED · ' if about.simulated else ''}{title}"),
            _banner(about),
            '<div class="page">',
            _masthead(title, about),
            _notes(about),
            "<main>",
            _numbers(charts, tables),
            _contents(tables),
            *_drawn(charts),
            "".join(one.html for one in tables),
            "</main>",
            _footer(about),
            f"</div><script>{_asset('script.js')}</script></body></html>\n",
        )
    )


def _numbers(charts: Sequence[Drawn], tables: Sequence[Shown]) -> str:
    """The numbers that the page names; where it names none, the rows of each table."""
    named = "".join(chart.html for chart in charts if chart.place == "number")
    cards = (
        f'<a class="number table-card" href="#{one.name}"><b>{number(one.total)}</b>'
        f"<span>{escape(human(one.name))}</span></a>"
        for one in tables
    )
    return f'<div class="numbers">{named or "".join(cards)}</div>'


def _contents(tables: Sequence[Shown]) -> str:
    """A line of links to the tables, with their rows."""
    links = (f'<a href="#{one.name}">{escape(human(one.name))} <b>{number(one.total)}</b></a>' for one in tables)
    return f'<nav class="contents" aria-label="Tables">{"".join(links)}</nav>' if len(tables) > 1 else ""


def _drawn(charts: Sequence[Drawn]) -> Iterator[str]:
    """Wide charts each for itself, the others side by side in at most three columns."""
    for place, group in groupby((one for one in charts if one.place != "number"), key=lambda one: one.place):
        cards = [one.html for one in group]
        yield f'<div class="{place} of-{min(len(cards), 3)}">{"".join(cards)}</div>'


def _asset(name: str) -> str:
    return (files("engine.parts.outputs._html") / name).read_text("utf-8")


def _hash(text: str) -> str:
    """The text as a policy names it: the one style and the one script that may be used."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _head(title: str) -> str:
    style, script = _asset("style.css"), _asset("script.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
    )


def _banner(about: About) -> str:
    if not about.simulated:
        return ""
    return (
        '<div class="banner" role="note"><strong>SIMULATED</strong> The simulator made up all data on this page.</div>'
    )


def _masthead(title: str, about: About) -> str:
    started = f'<time datetime="{about.started_at.isoformat()}">{moment(about.started_at)}</time>'
    return (
        f'<header class="masthead"><p class="tool">{escape(about.title or about.tool)}</p><h1>{escape(title)}</h1>'
        f"<dl><div><dt>Started</dt><dd>{started}</dd></div><div><dt>Tool</dt><dd>{escape(about.tool)}</dd></div>"
        f"<div><dt>Run</dt><dd><code>{escape(about.run)}</code></dd></div></dl></header>"
    )


def _notes(about: About) -> str:
    if not about.notes:
        return ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in about.notes)
    return (
        f'<aside class="notes" aria-label="To know"><h2>{count(len(about.notes), "thing")} to know</h2>'
        f"<ul>{notes}</ul></aside>"
    )


def _footer(about: About) -> str:
    simulated = "Simulated data. " if about.simulated else ""
    run = f"Run <code>{escape(about.run)}</code> of {moment(about.started_at)}."
    return f"<footer>{simulated}{run} All times are UTC.</footer>"
