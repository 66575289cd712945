"""`runs`, `resume` and `cancel`: the runs that were, and what can still become of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.data import pointing
from engine.cli.options import as_json, open_engine, params, places
from engine.cli.runs import typed

SHOWN = 20
RUN = re.compile(r"latest|\d[\dTZ-]*")
"""What is a run, or the beginning of its name, and no tool."""
HEADS = ("run", "tool", "what", "status", "started", "took", "endpoints", "pages", "rows")
OF_ONE = ("endpoint", "state", "units", "done", "missing", "pages", "records")
name = click.argument("run", metavar="RUN")


@click.command()
@click.argument("which", required=False, metavar="[TOOL|RUN]")
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="At most so many runs.")
@places
@as_json
def runs(which: str | None, limit: int, config: Path | None, storage: Path | None, as_json: bool) -> int:
    """List runs, newest first, or show one.

    A RUN is its name, the beginning of it, or latest.

    \b
    Example:
      engine runs apigee
      engine runs latest
    """
    engine = open_engine(config, storage)
    if which is not None and which not in engine.tools() and (RUN.fullmatch(which) or not engine.runs(which, limit=1)):
        with pointing(storage, "raw_data", ""):
            found = engine.record(which)
        if as_json:
            click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        else:
            _one(found, typed(config, storage))
        return 0
    chosen = engine.runs(which or "", limit=limit)
    if as_json:
        click.echo(json.dumps(chosen, indent=1, ensure_ascii=False))
        return 0
    from engine.cli.screen import console, table

    right = ("took", "endpoints", "pages", "rows")
    nothing = f"nothing ever ran in {engine.config.storage}" if which is None else f"{which} never ran"
    console().print(table(HEADS, map(_row, chosen), right=right) if chosen else nothing)
    return 0


@click.command()
@name
@params
@places
@as_json
def resume(run: str, params: dict[str, str], config: Path | None, storage: Path | None, as_json: bool) -> int:
    """Go on with a run: with an interrupted one where it was, with an incomplete one by what it is missing.

    Params are given as they were given then. What was kept is not asked for again.

    \b
    Example:
      engine resume latest
      engine resume 20260115T090000000Z-0004 -p organization=acme-prod
    """
    from engine.cli.progress import watch
    from engine.cli.runs import simulator, told
    from engine.cli.stop import stopping

    click.get_current_context().meta["engine.goes_on"] = True
    with watch() as sink:
        engine = open_engine(config, storage, emit=sink)
        with pointing(storage, "raw_data", ""):
            one = engine.record(run)
        page = one["page"] if one["page"] and Path(one["page"]).is_file() else one["tool"]
        vendor = simulator(engine, page, one["seed"]) if one["simulated"] else None
        with stopping(engine.stop):
            result = engine.resume(one["run"], params=params, vendor=vendor)
    return told(result, one["tool"], as_json, typed(config, storage), has_params=bool(params))


@click.command()
@name
@places
@as_json
def cancel(run: str, config: Path | None, storage: Path | None, as_json: bool) -> int:
    """End a run for good, in whatever process it is going on, and wait until it has ended.

    \b
    Example:
      engine cancel latest
    """
    from engine.cli.stop import stopping

    engine = open_engine(config, storage)
    with stopping(engine.stop), pointing(storage, "raw_data", ""):
        found = engine.cancel(run)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        from engine.cli.text import clean

        ended = {"running": "it was going on, and has ended", "interrupted": "it was interrupted, and will not go on"}
        words = ended.get(found["was"], "it had ended already")
        click.echo(clean(f"run {found['run']} of {found['tool']} is {_words(found['status'])}: {words}"))
    return 0


COMMANDS: Sequence[click.Command] = (runs, resume, cancel)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    done = f"{one['endpoints_done']:,} of {one['endpoints_planned']:,}" if "collect" in one["works"] else ""
    pages, rows = f"{one['pages']:,}" if done else "", f"{one['rows']:,}" if "process" in one["works"] else ""
    return one["run"], one["tool"], _what(one), _words(one["status"]), one["started_at"], _took(one), done, pages, rows


def _what(one: Mapping[str, Any]) -> str:
    """What a run was to do, and for whom."""
    about = [f"schedule {one['schedule']}"] if one["schedule"] else []
    about += [f"{verb} {one[verb]}" for verb in ("completes", "replays") if one[verb]]
    about += ["simulated"] if one["simulated"] else []
    return "+".join(one["works"]) + (f" ({', '.join(about)})" if about else "")


def _took(one: Mapping[str, Any]) -> str:
    return "" if one["took_seconds"] is None else f"{one['took_seconds']:,.1f} s"


def _words(status: str) -> str:
    return status.replace("_", " ")


def _one(found: Mapping[str, Any], options: str) -> None:
    """One run: what it was to do, how far each endpoint is, what is missing, how to go on."""
    from engine.cli.screen import console, table
    from engine.cli.text import clean

    out = console()
    out.print(clean(f"{found['tool']}  run {found['run']}  {_words(found['status'])}"), style="bold")
    out.print(clean(f"{_what(found)}, of {found['page'] or 'a page that was not noted'}"))
    ended = f", ended {found['ended_at']}" if found["ended_at"] else ""
    out.print(f"started {found['started_at']}{ended}{f', took {_took(found)}' if _took(found) else ''}")
    if found["endpoints"]:
        numbers = ("units", "units_done", "units_missing", "pages", "records")
        rows = [(one["endpoint"], one["state"], *(f"{one[word]:,}" for word in numbers)) for one in found["endpoints"]]
        out.print()
        out.print(table(OF_ONE, rows, right=OF_ONE[2:]))
    out.print()
    for one in found["endpoints"]:
        for word in ("skipped", "missing"):
            for text in one[word]:
                out.print(clean(f"{one['endpoint']} {word}: {text}"))
    for note in [*found["notes"], *_next(found, options)]:
        out.print(clean(note))


def _next(found: Mapping[str, Any], options: str) -> Iterator[str]:
    """How to go on, as it can be typed."""
    from engine.cli.text import called

    status, collects = found["status"], "collect" in found["works"]
    if status == "running":
        yield f"to end it: {called()} cancel {found['run']}{options}"
    elif status == "interrupted" and collects:
        yield f"to go on where it was: {called()} resume {found['run']}{options}"
    elif found["completed_by"]:
        yield f"run {found['completed_by'][0]} fetched what it was missing"
    elif status == "incomplete" and collects:
        yield f"to fetch what is missing: {called()} resume {found['run']}{options}"
    elif status not in ("succeeded", "rules_failed"):
        works = found["works"]
        yield f"to begin anew: {called()} {'run' if len(works) > 1 else works[0]} {found['tool']}{options}"
