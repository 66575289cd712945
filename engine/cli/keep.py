"""`cleanup`, `backup`, `restore` and `diff`: a storage as a whole, and what it held at other times."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.options import as_json, open_engine, places

TEXT_LIMIT = 5
"""Changes of each table that a person is shown."""


@click.command()
@click.argument("tools", metavar="[TOOL]...", nargs=-1)
@click.option("--max-age", required=True, metavar="AGE", help="Older than so many hours, or 36h, 7d.")
@click.option("--raw", is_flag=True, help="Kept pages, too, of which no table needs any more.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@places
@as_json
def cleanup(
    tools: tuple[str, ...],
    max_age: str,
    raw: bool,
    dry_run: bool,
    config: Path | None,
    storage: Path | None,
    as_json: bool,
) -> int:
    """Take out old versions, reports and logs.

    What is current, unfinished or still needed stays, and why is told. A tool that is worked on is left alone.

    \b
    Example:
      engine cleanup --max-age 24
      engine cleanup apigee --max-age 7d --raw --dry-run
    """
    found = open_engine(config, storage).cleanup(tools, max_age=max_age, raw=raw, dry_run=dry_run).as_json()
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        _cleaned(found)
    return 0


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@places
@as_json
def backup(path: Path | None, config: Path | None, storage: Path | None, as_json: bool) -> int:
    """Copy the storage into one file, also while runs go on.

    Without PATH into the folder backups of the storage.

    \b
    Example:
      engine backup
      engine backup /mnt/safe/engine.tar
    """
    found = open_engine(config, storage).backup(path)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    from engine.cli.text import called, clean, count

    for note in found["notes"]:
        click.echo(clean(f"warning: {note}"), err=True)
    what = f"{count(found['files'], 'file')}, {_size(found['bytes'])}, of {', '.join(found['tools']) or 'no tool'}"
    click.echo(clean(f"{found['backup']}: {what}" + (", all of it SIMULATED" if found["simulated"] else "")))
    click.echo(clean(f"  to make a storage of it: {called()} restore {shlex.quote(found['backup'])} --storage NEW"))
    return 0


@click.command()
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@places
@as_json
def restore(backup: Path, config: Path | None, storage: Path | None, as_json: bool) -> int:
    """Make a storage of a backup; nothing is ever restored over one.

    Every file is compared with the backup's list before any of it is put in place.

    \b
    Example:
      engine restore storage/backups/20260615T120000Z.tar --storage again
    """
    found = open_engine(config, storage).restore(backup)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    from engine.cli.text import clean, count

    of = ", ".join(found["tools"]) or "no tool"
    click.echo(clean(f"{found['storage']}: as it was at {found['at']}, {count(found['files'], 'file')}, of {of}"))
    return 0


@click.command()
@click.argument("tool")
@click.argument("old", metavar="RUN")
@click.argument("new", metavar="RUN")
@click.option("--table", metavar="TABLE", help="Only this table.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "jsonl"]), default="text", show_default=True,
    help="A summary for a person, one document, or one line for each change.",
)  # fmt: skip
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"At most so many changed rows of each table.  [default: {TEXT_LIMIT} in text, 1,000 in json, all in jsonl]",
)
@click.option("--exit-code", is_flag=True, help="End with 4 where anything differs; otherwise that is no failure.")
@places
def diff(
    tool: str,
    old: str,
    new: str,
    table: str | None,
    form: str,
    limit: int | None,
    exit_code: bool,
    config: Path | None,
    storage: Path | None,
) -> int:
    """Compare the tables of two runs: rows by key, rules, columns.

    RUN is the name of a run or a part of it, latest (what is current) or previous (what was before that).

    \b
    Example:
      engine diff apigee previous latest
      engine diff apigee 20260615 latest --table proxies --format jsonl
    """
    found = open_engine(config, storage).diff(tool, old, new, table=table)
    if form == "jsonl":
        for line in found.lines(limit):
            click.echo(json.dumps(line, ensure_ascii=False))
    elif form == "json":
        told = found.document() if limit is None else found.document(limit)
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        from engine.cli.differences import show

        show(found, TEXT_LIMIT if limit is None else limit)
    return 4 if exit_code and not found.is_empty else 0


COMMANDS: Sequence[click.Command] = (cleanup, backup, restore, diff)


def _cleaned(found: Mapping[str, Any]) -> None:
    """What went and what stays of each tool, by kind and reason."""
    from engine.app.cleanup import reasons
    from engine.cli.screen import console, table
    from engine.cli.text import clean, count

    out = console()
    for tool in found["tools"]:
        out.print(clean(tool["tool"]), style="bold")
        if tool["skipped"]:
            out.print(clean(f"  left alone: {tool['skipped']}"))
            continue
        goes, stays = (list(reasons(tool[name])) for name in ("removed", "kept"))
        went = "would go" if found["dry_run"] else "gone"
        rows = [(went, kind, number, _size(size), "") for kind, _, number, size in goes]
        rows += [("stays", kind, number, _size(size), why) for kind, why, number, size in stays]
        if rows:
            out.print(table(("", "kind", "number", "size", "why"), rows, right=("number", "size")))
        else:
            out.print("  nothing is there that could go")
    if found["log_records"]:
        out.print(f"{count(found['log_records'], 'old record')} of errors left the log")
    out.print(f"{_size(found['freed_bytes'])} {'would be ' * found['dry_run']}freed")


def _size(number: float) -> str:
    """`1.5 MB`."""
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" or number >= 100 else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"
