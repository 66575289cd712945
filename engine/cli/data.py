"""`show`, `raw` and `state`: what lies in the storage, of a tool, whether it still has a page or not."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from engine.cli.options import SIMULATED_STORAGE, as_json, open_engine, places

SCREEN_ROWS = 20
WIDEST = 60
NARROWEST = 8
"""Columns that would get less than this are written below one another."""
SIMULATED = "SIMULATED: all of this is made up"


@click.command()
@click.argument("tool")
@click.argument("table", required=False)
@click.option("--where", default="", metavar="SQL", help="Only rows for which this SQL expression holds.")
@click.option(
    "--limit", type=click.IntRange(0), help=f"At most so many rows.  [default: {SCREEN_ROWS} in a table, else all]"
)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "jsonl"]), default="table", show_default=True
)
@click.option("--quarantine", is_flag=True, help="The rows that broke a rule, with rule, value and kept page.")
@places
def show(
    tool: str,
    table: str | None,
    where: str,
    limit: int | None,
    form: str,
    quarantine: bool,
    config: Path | None,
    storage: Path | None,
) -> int:
    """Print the rows of a table.

    Without TABLE, the tables there are.

    \b
    Example:
      engine show apigee
      engine show apigee proxies --where "latest_revision = '3'" --format csv
    """
    engine = open_engine(config, storage)
    if table is None:
        if where or quarantine:
            raise click.UsageError("--where and --quarantine need a TABLE")
        with pointing(storage, "processed_data", tool):
            found = engine.shelf(tool)
        _tables(found, form)
        return 0
    if form == "table" and limit is None:
        limit = SCREEN_ROWS
    with pointing(storage, "processed_data", tool):
        shown = engine.show(tool, table, where=where, limit=limit, quarantine=quarantine)
    if form == "table":
        _rows(shown)
    else:
        for piece in shown.text(form):
            click.echo(piece, nl=False)
    return 0


@click.command()
@click.argument("tool")
@click.argument("endpoint")
@click.option("--run", metavar="RUN", help="The run that kept them.  [default: the newest]")
@click.option("--page", type=click.IntRange(0), help="Only the page of this number, counted from 0 as quarantine does.")
@click.option("--limit", type=click.IntRange(0), help="At most so many pages.")
@places
@as_json
def raw(
    tool: str,
    endpoint: str,
    run: str | None,
    page: int | None,
    limit: int | None,
    config: Path | None,
    storage: Path | None,
    as_json: bool,
) -> int:
    """Print the kept pages of an endpoint: what the vendor said.

    \b
    Example:
      engine raw apigee proxies --page 0
    """
    engine = open_engine(config, storage)
    with pointing(storage, "raw_data", tool):
        for kept in engine.raw(tool, endpoint, run=run, page=page, limit=limit):
            click.echo(json.dumps(kept, ensure_ascii=False) if as_json else _page(kept))
    return 0


@click.command()
@click.argument("tool")
@click.option("--reset", metavar="ENDPOINT", help="Forget how far this endpoint was read.")
@click.option("--parent", metavar="TEXT", help="With --reset: only of the parent that has this value, such as its id.")
@places
@as_json
def state(
    tool: str, reset: str | None, parent: str | None, config: Path | None, storage: Path | None, as_json: bool
) -> int:
    """Print until when each endpoint was read, or forget it.

    \b
    Example:
      engine state apigee
      engine state apigee --reset traffic --parent acme-prod
    """
    if parent and not reset:
        raise click.UsageError("--parent needs --reset ENDPOINT")
    engine = open_engine(config, storage)
    with pointing(storage, "raw_data", tool):
        found = engine.state(tool) if reset is None else engine.reset(tool, reset, parent)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    elif isinstance(found, dict):
        from engine.cli.text import clean, count

        of = f" of {', '.join(found['parents'])}" if parent else ""
        over = f"; given up: {', '.join(found['abandoned'])}" if found["abandoned"] else ""
        click.echo(clean(f"{count(found['forgotten'], 'mark')}{of} forgotten; {found['next']}{over}"))
    else:
        from engine.cli.screen import console, table

        heads = ("endpoint", "parent", "read until", "since")
        console().print(table(heads, [(*_until(one), one["since"] or "") for one in found]))
    return 0


def _until(one: Mapping[str, Any]) -> tuple[str, str, str]:
    value = one["read_until"] or (f"changed {one['changed']}" if one["changed"] else "not read yet")
    return one["endpoint"], one["parent"], value


COMMANDS: Sequence[click.Command] = (show, raw, state)


@contextmanager
def pointing(storage: Path | None, home: str, tool: str) -> Iterator[None]:
    """Where something is not there, name the storage of simulated runs, if that one has some of the tool."""
    from engine.app import errors

    try:
        yield
    except errors.ConfigError as error:
        if storage is None and (SIMULATED_STORAGE / home / tool).is_dir():
            there = f"what was simulated is in {SIMULATED_STORAGE}: add --storage {SIMULATED_STORAGE}"
            error.fix = "; ".join(filter(None, [error.fix, there]))
        raise


def _page(kept: Mapping[str, Any]) -> str:
    from engine.cli.text import clean, count

    head = (
        f"page {kept['page']}  {kept['request']}  {count(kept['records'], 'record')}  {kept['at']}  run {kept['run']}"
    )
    asked = [f"asked: {json.dumps(kept['asked'], ensure_ascii=False)}"] if "asked" in kept else []
    added = [f"added to each record: {json.dumps(kept['add'], ensure_ascii=False)}"] if "add" in kept else []
    came = [f"came as {json.dumps(kept['came_as'])}"] if "came_as" in kept else []
    made_up = [SIMULATED] if kept["simulated"] else []
    rewritten = [f"{how} before it was kept" for how in ("decoded", "redacted") if kept[how]]
    body = json.dumps(kept["answer"], indent=2, ensure_ascii=False)
    return clean("\n".join([head, *made_up, *asked, *came, *added, *rewritten, body])) + "\n"


def _tables(found: Sequence[Mapping[str, Any]], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    elif form == "jsonl":
        for one in found:
            click.echo(json.dumps(one, ensure_ascii=False))
    else:
        from engine.cli.screen import console, table

        heads = ("table", "rows", "columns", "complete", "made", "notes")
        rows = [
            (
                one["table"],
                one["rows"],
                one["columns"],
                "yes" if one["complete"] else "no",
                one["made"],
                "; ".join(one["notes"]),
            )
            for one in found
        ]
        if form == "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerows([heads, *rows])
        else:
            out = console()
            if any(one["simulated"] for one in found):
                out.print(SIMULATED, style="bold magenta")
            out.print(table(heads, rows, right=("rows", "columns")))


def _rows(shown: Any) -> None:
    from engine.cli.screen import console, table
    from engine.cli.text import count

    numbers = [name for name, kind in shown.columns.items() if kind in ("integer", "float")]
    records = shown.records()
    rows = [[_cell(record[name]) for name in shown.columns] for record in records]
    out = console()
    if shown.simulated:
        out.print(SIMULATED, style="bold magenta")
    if len(shown.columns) * NARROWEST > out.width:
        for row in rows:
            out.print(table(("", ""), zip(shown.columns, row, strict=True)))
    else:
        out.print(table(list(shown.columns), rows, right=numbers, fold=False))
    more = f"; --limit {shown.matched} shows all, --format csv writes them" if len(rows) < shown.matched else ""
    out.print(f"{len(rows):,} of {count(shown.matched, 'row')}{more}", style="dim")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "↵")
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
