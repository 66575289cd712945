"""`daemon` and `schedules`: the runs that pages ask for by themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.options import as_json, open_engine, places

PATIENCE_SECONDS = 1.8
"""Its runs have patience of their own, and end before this."""
START = "import sys; sys.argv[0] = 'engine'; from engine.cli.main import main; sys.exit(main())"
tools = click.argument("tools", nargs=-1, metavar="[PAGE|TOOL]...")


@click.command()
@tools
@places
def daemon(tools: Sequence[str], config: Path | None, storage: Path | None) -> int:
    """Run the schedules of pages until stopped.

    Without a PAGE, those of all pages. Pages that change are read again. What came due while no daemon ran is made up
    for by one run. SIGTERM and Ctrl-C end it within two seconds; what was going on then goes on with the next daemon.

    \b
    Example:
      engine daemon
      engine daemon apigee --storage /var/lib/engine
    """
    from engine.app.daemon import Daemon
    from engine.cli.stop import stopping
    from engine.cli.text import clean

    chosen = [word for name, place in (("--config", config), ("--storage", storage)) if place for word in (name, place)]
    options = [str(word) for word in chosen]

    def start(page: str, schedule: str, due: str) -> list[str]:
        # Without -P a file of the working folder could stand in for a module.
        words = ["run", page, "--schedule", schedule, "--due", due, *options]
        return [sys.executable, "-P", "-c", START, *words]

    engine = open_engine(config, storage)
    with stopping(engine.stop, PATIENCE_SECONDS):
        Daemon(engine, tools, start, lambda text: click.echo(clean(text), err=True)).run()
    return 0


@click.command()
@tools
@places
@as_json
def schedules(tools: Sequence[str], config: Path | None, storage: Path | None, as_json: bool) -> int:
    """List schedules, when they run next and how they last ended.

    \b
    Example:
      engine schedules
    """
    found = open_engine(config, storage).schedules(tools)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    from engine.cli.screen import console, table

    heads = ("tool", "schedule", "at", "does", "next", "last")
    console().print(table(heads, [_row(one) for one in found]) if found else "no page has schedules")
    return 0


COMMANDS: Sequence[click.Command] = (daemon, schedules)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    if "mistakes" in one:
        return one["tool"], f"the page has mistakes, see engine lint {one['tool']}", "", "", "", ""
    does = "+".join(one["run"]) + (f" of {', '.join(one['only'])}" if one["only"] else "")
    coming = f"due since {one['due']}" if one["due"] else one["next_local"] or one["next"] or "never"
    last = f"{one['last']['due']} {one['last']['status'].replace('_', ' ')}" if one["last"] else "never"
    return one["tool"], one["schedule"], one["clock"], does, coming, last
