"""`quarantine`: the rows that are set apart, how they come back, and what is let in until a day."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.data import SIMULATED, pointing
from engine.cli.options import as_json, open_engine, params, places

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.app.quarantine import Quarantine

SCREEN_ROWS = 20
LONGEST = 240
"""Of a record or a value on the screen; json and jsonl show all of it."""
NEEDED = "--release, --waive, --waived and --unwaive each stand alone"


@click.command()
@click.argument("tool", metavar="PAGE|TOOL")
@click.argument("table", required=False, default="")
@click.option("--table", "named", default="", metavar="TABLE", help="The same as TABLE.")
@click.option("--rule", default="", metavar="RULE", help="Only rows that break this rule, or RULE:COLUMN.")
@click.option(
    "--limit", type=click.IntRange(1), help=f"At most so many rows.  [default: {SCREEN_ROWS} as text, else all]"
)
@click.option("--format", "form", type=click.Choice(["text", "json", "jsonl"]), default="text", show_default=True)
@click.option("--release", is_flag=True, help="Make the tables, or TABLE, anew from kept pages.")
@click.option(
    "--waive", is_flag=False, flag_value="*", metavar="[ID]", help="Let the row of this id, or --rule of TABLE, in."
)
@click.option("--until", default="", metavar="DATE", help="With --waive: the day on which it ends, as 2027-01-31, UTC.")
@click.option("--because", default="", metavar="TEXT", help="With --waive: the reason.")
@click.option("--waived", is_flag=True, help="List what is waived, by whom, why and until when.")
@click.option("--unwaive", metavar="ID", help="End a waiver.")
@params
@places
@as_json
def quarantine(
    tool: str,
    table: str,
    named: str,
    config: Path | None,
    storage: Path | None,
    as_json: bool,
    form: str,
    params: dict[str, str],
    **asked: Any,
) -> int:
    """Print the rows that are set apart, and let them in.

    A row that breaks a rule, or does not fit its type, is kept apart from its table. It comes back when the page is
    corrected and `engine process` makes the table anew. --release does that where something else than the page changed,
    such as a file or another table. --waive lets it in until a day, though it breaks the rule; `engine process` then
    makes the table anew, and reports count it.

    \b
    Example:
      engine quarantine apigee
      engine quarantine apigee proxies --rule required --format jsonl
      engine quarantine apigee --release
      engine quarantine apigee --waive 0c1f5a7be210 --until 2027-01-31 --because "the vendor mends it in January"
      engine quarantine apigee --waive --rule required --table proxies --until 2027-01-31 --because "see TICKET-7"
      engine quarantine apigee --unwaive proxies:required
    """
    form, table = "json" if as_json else form, table or named
    _must_fit(asked, table)
    from engine.cli.runs import typed

    engine, options = open_engine(config, storage), typed(config, storage)
    with pointing(storage, "processed_data", tool):
        found = engine.quarantine(tool)
        if asked["release"]:
            return _release(engine, found, table, params, form)
        if asked["waive"]:
            return _waive(found, table, asked, form, options)
        if asked["unwaive"]:
            one = found.unwaive(asked["unwaive"])
            return _said(
                form, asdict(one), f"{one.id} is waived no longer; {_next(found, options)} sets its rows apart again"
            )
        if asked["waived"]:
            return _waived(found, form)
        return _list(found, table, asked["rule"], asked["limit"], form)


COMMANDS: Sequence[click.Command] = (quarantine,)


def _must_fit(asked: Mapping[str, Any], table: str) -> None:
    if sum(bool(asked[name]) for name in ("release", "waive", "waived", "unwaive")) > 1:
        raise click.UsageError(NEEDED)
    if (asked["until"] or asked["because"]) and not asked["waive"]:
        raise click.UsageError("--until and --because need --waive")
    if asked["waive"] == "*" and not (asked["rule"] and table):
        raise click.UsageError("--waive needs the ID of a row, or --rule RULE and --table TABLE")
    if asked["waive"] and not asked["until"]:
        raise click.UsageError("--waive needs --until DATE: nothing is let in for ever")


def _list(found: Quarantine, table: str, rule: str, limit: int | None, form: str) -> int:
    if form == "jsonl":
        for row in found.rows(table, rule, limit):
            click.echo(json.dumps(row, ensure_ascii=False))
        return 0
    count, groups = found.count(table, rule), found.groups(table, rule)
    if form == "json":
        rows = list(found.rows(table, rule, limit))
        told = {"tool": found.tool, "simulated": found.is_simulated, "set_apart": count, "rules": groups, "rows": rows}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return 0
    from engine.cli.screen import console
    from engine.cli.screen import table as aligned
    from engine.cli.text import clean
    from engine.cli.text import count as counted

    out = console()
    if found.is_simulated:
        out.print(SIMULATED, style="bold magenta")
    if not groups:
        which = " ".join(filter(None, [found.tool, table, rule]))
        out.print(f"nothing of {which} is set apart")
        return 0
    heads = ("table", "rule", "column", "rows", "place on the page", "what is wrong")
    shown = [tuple(one[name] or "" for name in ("table", "rule", "column", "rows", "spec", "says")) for one in groups]
    out.print(aligned(heads, shown, right=("rows",)))
    reasons = 0
    for row in found.rows(table, rule, limit or SCREEN_ROWS):
        reasons += 1
        click.echo(clean("\n" + "\n".join(_lines(row))))
    more = "; --limit shows more, --format jsonl writes all, a line for each reason" if reasons == SCREEN_ROWS else ""
    out.print(f"\n{counted(count, 'row')} of {found.tool} set apart now{more}", style="dim")
    return 0


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    """A reason of a row: what is wrong, with what, and where it came from."""
    yield f"{row['id']}  {row['table']}  {row['rule']}: {row['says']}  ({row['spec']})"
    if row["key"] is not None:
        yield f"  key      {_short(row['key'])}"
    if row["value"] is not None:
        yield f"  value    {_short(row['value'])}"
    if row["endpoint"] is None:
        yield f"  from     the query of {row['table']} ({row['table_spec']})"
    else:
        yield f"  from     {row['request']}, collected {row['collected_at']}"
        place = f"{row['endpoint']} page {row['page']}, row {row['row']}"
        yield f"           {place}, of run {row['collected_in']}; set apart by run {row['run']}"
    shown = "not shown" if row["record"] is None else _short(row["record"])
    yield f"  record   {shown}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _release(engine: Engine, found: Quarantine, table: str, params: Mapping[str, str], form: str) -> int:
    from engine.cli.runs import simulator

    vendor = simulator(engine, str(found.page), 1) if found.is_simulated else None
    told = found.release(table, params=params, vendor=vendor)
    lines = [
        f"{one['table']}: {one['came_back']:,} came back, {one['set_apart']:,} set apart" for one in told["tables"]
    ]
    _said(form, told, "\n".join([*lines, f"made by run {told['run']}"]))
    return int(told["exit_code"])


def _waive(found: Quarantine, table: str, asked: Mapping[str, Any], form: str, options: str) -> int:
    row = "" if asked["waive"] == "*" else asked["waive"]
    of = {} if row else {"table": table, "rule": asked["rule"]}
    one = found.waive(row, until=asked["until"], because=asked["because"], **of)
    what = f"every row of {one.table} that breaks {one.rule}" if one.is_of_rule else f"row {one.id} of {one.table}"
    return _said(
        form, asdict(one), f"{what} is let in until {one.until}; {_next(found, options)} makes the table with it"
    )


def _waived(found: Quarantine, form: str) -> int:
    every = [{**asdict(one), "state": found.state_of(one)} for one in found.waivers()]
    if form != "text":
        for line in every if form == "jsonl" else [every]:
            click.echo(json.dumps(line, indent=1 if form == "json" else None, ensure_ascii=False, default=str))
        return 0
    from engine.cli.screen import console, table

    heads = ("id", "state", "table", "rule", "column", "until", "by", "since", "because")
    names = ("id", "state", "table", "rule", "column", "until", "by", "at", "because")
    rows = [tuple(one[name] or "" for name in names) for one in every]
    console().print(table(heads, rows) if rows else f"nothing of {found.tool} is waived")
    return 0


def _next(found: Quarantine, options: str) -> str:
    from engine.cli.text import called

    return f"{called()} process {found.page}{' --simulate' if found.is_simulated else ''}{options}"


def _said(form: str, told: Mapping[str, Any], text: str) -> int:
    from engine.cli.text import clean

    click.echo(clean(text) if form == "text" else json.dumps(told, ensure_ascii=False, default=str))
    return 0
